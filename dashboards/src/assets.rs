//! The files the pages are made of: embedded, named by content, packed once, guarded.
//!
//! Asset addresses carry the version of the whole set, so they may be kept for ever; the page itself is
//! asked for again each time and answered with 304 while it is the same.

mod document;
mod module;
mod pack;
mod place;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
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

use self::{
    document::Documents,
    pack::{gzip, shipped, takes_gzip},
    place::page_at,
};

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
    documents: Documents,
    /// Files as gzip (RFC 1952), each made when it is first asked for.
    packed: BTreeMap<Cow<'static, str>, OnceLock<Bytes>>,
}

impl Assets {
    /// Reads what was embedded.
    pub(crate) fn embedded() -> Self {
        let version = version();
        let packed = Files::iter().map(|name| (name, OnceLock::new())).collect();
        Self { documents: Documents::embedded(&version), version, packed }
    }

    /// Names the content of all files together.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn page(&self, page: Option<&'static str>, asked: &HeaderMap) -> Response {
        let packed = takes_gzip(asked);
        let etag = quoted(&if packed { format!("{}-gzip", self.version) } else { self.version.clone() });
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (header::CACHE_CONTROL, HeaderValue::from_static(ASK_AGAIN)),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (header::CONTENT_SECURITY_POLICY, self.documents.policy()),
        ];
        let status = if page.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let mut response = match packed {
            _ if page.is_some() && matches(asked, &etag) => {
                (StatusCode::NOT_MODIFIED, headers).into_response()
            }
            true => {
                let body = self.documents.packed(page);
                (status, headers, [(header::CONTENT_ENCODING, "gzip")], body).into_response()
            }
            false => (status, headers, self.documents.plain(page)).into_response(),
        };
        if let (Some(_), Ok(etag)) = (page, HeaderValue::from_str(&etag)) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        response
    }

    fn file(&self, version: &str, path: &str, asked: &HeaderMap) -> Response {
        let found = Files::get(path).filter(|_| path != INDEX);
        let (Some(file), Some(kind)) = (found, content_type(path)) else {
            return (StatusCode::NOT_FOUND, "no such file\n").into_response();
        };
        let packed = self.packed.get(path).filter(|_| takes_gzip(asked));
        let hash = hex(&file.metadata.sha256_hash()[..16]);
        let etag = quoted(&if packed.is_some() { format!("{hash}-gzip") } else { hash });
        // An older page may ask under its own version: it gets what there is, but must not keep it.
        let cache = if version == self.version { FOR_EVER } else { ASK_AGAIN };
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::CACHE_CONTROL, cache),
            (header::ETAG, &etag),
            (header::VARY, "accept-encoding"),
        ];
        if matches(asked, &etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        match packed {
            Some(packed) => {
                let body = packed.get_or_init(|| gzip(&shipped(path, file.data))).clone();
                (headers, [(header::CONTENT_ENCODING, "gzip")], body).into_response()
            }
            None => (headers, Bytes::from(shipped(path, file.data).into_owned())).into_response(),
        }
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

fn version() -> String {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut all = Sha256::new();
    for name in names {
        all.update(name.as_bytes());
        all.update(Files::get(&name).map_or([0; 32], |file| file.metadata.sha256_hash()));
    }
    hex(&all.finalize()[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
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
