//! The files the pages are made of: embedded, named by content, packed once, guarded.
//!
//! Asset addresses carry the version of the whole set, so they may be kept for ever; the page itself is
//! asked for again each time and answered with 304 while it is the same.

mod bundle;
mod document;
mod pack;
mod place;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use self::{bundle::Bundles, document::Document, place::page_at};

const INDEX: &str = "index.html";
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// The embedded files, with what is known of them from the start.
#[derive(Debug)]
pub(crate) struct Assets {
    version: String,
    bundles: Bundles,
    document: Document,
    /// What has been asked for, as gzip.
    packed: Mutex<BTreeMap<String, Bytes>>,
}

impl Assets {
    /// Reads what was embedded.
    pub(crate) fn embedded() -> Self {
        let bundles = Bundles::embedded();
        let version = version(&bundles);
        Self { document: Document::embedded(&version), version, bundles, packed: Mutex::default() }
    }

    /// Names the content of all files together.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn page(&self, page: Option<&str>, asked: &HeaderMap) -> Response {
        let name = format!("page {}", page.unwrap_or_default());
        let text = || self.document.of(page).into_bytes().into();
        // What is not there is told whole each time.
        let nothing = HeaderMap::new();
        let asked = if page.is_some() { asked } else { &nothing };
        let mut response = self.answer(&name, "text/html; charset=utf-8", ASK_AGAIN, asked, text);
        if page.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
            response.headers_mut().remove(header::ETAG);
        }
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, self.document.policy());
        response
    }

    fn file(&self, version: &str, path: &str, asked: &HeaderMap) -> Response {
        let found = Files::get(path).filter(|_| path != INDEX);
        let (Some(file), Some(kind)) = (found, content_type(path)) else {
            return (StatusCode::NOT_FOUND, "no such file\n").into_response();
        };
        // An older page may ask under its own version: it gets what there is, but must not keep it.
        let cache = if version == self.version { FOR_EVER } else { ASK_AGAIN };
        self.answer(path, kind, cache, asked, || {
            if path.starts_with("js/") { self.bundles.of(path).into_bytes().into() } else { file.data }
        })
    }

    /// What is called `name` and made by `text`, unless it is there already.
    fn answer(
        &self,
        name: &str,
        kind: &'static str,
        cache: &'static str,
        asked: &HeaderMap,
        text: impl FnOnce() -> Cow<'static, [u8]>,
    ) -> Response {
        let packs = pack::takes_gzip(asked);
        let etag = if packs { format!("\"{}-gzip\"", self.version) } else { format!("\"{}\"", self.version) };
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, cache),
            (header::ETAG, &etag),
            (header::VARY, "accept-encoding"),
        ];
        if matches(asked, &etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        if !packs {
            return (headers, Bytes::from(text().into_owned())).into_response();
        }
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        let body = packed.entry(name.to_owned()).or_insert_with(|| pack::gzip(&text())).clone();
        (headers, [(header::CONTENT_ENCODING, "gzip")], body).into_response()
    }
}

/// Serves the pages and their files.
pub(crate) fn router(assets: Arc<Assets>) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/ui/") }))
        .route("/ui", get(|| async { Redirect::permanent("/ui/") }))
        .route("/ui/", get(page))
        .route("/ui/{*path}", get(page))
        .route("/ui/assets/{version}/{*path}", get(file))
        .with_state(assets)
}

async fn page(State(assets): State<Arc<Assets>>, uri: Uri, asked: HeaderMap) -> Response {
    assets.page(page_at(uri.path()), &asked)
}

async fn file(
    State(assets): State<Arc<Assets>>,
    Path((version, path)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    assets.file(&version, &path, &asked)
}

/// Adds what every answer carries, whatever made it.
pub(crate) async fn guarded(mut response: Response) -> Response {
    const GUARDS: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in GUARDS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Of the files, and of how they are put together.
fn version(bundles: &Bundles) -> String {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut all = Sha256::new_with_prefix(bundles.of("js/app.js"));
    for name in names {
        all.update(name.as_bytes());
        all.update(Files::get(&name).map_or([0; 32], |file| file.metadata.sha256_hash()));
    }
    all.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 9110 section 13.1.2: weak comparison, a list, or anything.
fn matches(asked: &HeaderMap, etag: &str) -> bool {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn content_type(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}
