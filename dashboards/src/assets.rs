//! The files the pages are made of: embedded, named by content, packed once, guarded.
//!
//! Asset addresses carry the version of the whole set, so they may be kept for ever; the page itself is
//! asked for again each time and answered with 304 while it is the same.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::Write,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

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
    index: Bytes,
    policy: HeaderValue,
    /// Files as gzip (RFC 1952), each made when it is first asked for.
    packed: BTreeMap<Cow<'static, str>, OnceLock<Bytes>>,
}

impl Assets {
    /// Reads what was embedded.
    pub(crate) fn embedded() -> Self {
        let version = version();
        let index = Files::get(INDEX).map(|file| file.data).unwrap_or_default();
        let index = String::from_utf8_lossy(&index).replace("{{version}}", &version);
        let packed = Files::iter().map(|name| (name, OnceLock::new())).collect();
        Self { policy: policy(&index), index: index.into(), version, packed }
    }

    /// Names the content of all files together.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    fn page(&self, status: StatusCode, asked: &HeaderMap) -> Response {
        let etag = quoted(&self.version);
        let mut response = if status == StatusCode::OK && matches(asked, &etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            (status, self.index.clone()).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(ASK_AGAIN));
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        if let (StatusCode::OK, Ok(etag)) = (status, HeaderValue::from_str(&etag)) {
            headers.insert(header::ETAG, etag);
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

/// What goes out of a file: our own scripts go without the lines that are comments, a tenth of all scripts.
/// Such lines stay behind empty, so that the browser counts lines as the source does.
fn shipped<'a>(path: &str, data: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
    match std::str::from_utf8(&data) {
        Ok(script) if path.ends_with(".js") => Cow::Owned(without_comments(script).into()),
        _ => data,
    }
}

fn without_comments(script: &str) -> String {
    let mut told = String::with_capacity(script.len());
    let mut within = false;
    for line in script.lines() {
        let text = line.trim();
        let block = within || text.starts_with("/**");
        within = block && !text.ends_with("*/");
        if !block && !text.starts_with("//") {
            told.push_str(line);
        }
        told.push('\n');
    }
    told
}

fn gzip(data: &[u8]) -> Bytes {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = packed.write_all(data);
    packed.finish().unwrap_or_default().into()
}

/// RFC 9110 section 12.5.3, as far as browsers go.
fn takes_gzip(asked: &HeaderMap) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.split_once(';').map_or((coding.trim(), ""), |(name, q)| (name.trim(), q.trim())))
        .any(|(name, q)| name == "gzip" && q != "q=0")
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
    let status = if is_page(uri.path()) { StatusCode::OK } else { StatusCode::NOT_FOUND };
    assets.page(status, &asked)
}

async fn file(
    State(assets): State<Arc<Assets>>,
    Path((version, path)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    assets.file(&version, &path, &asked)
}

/// Does the script have a page for this path? Keep in step with `assets/js/router.js`.
fn is_page(path: &str) -> bool {
    match path.strip_prefix("/ui/") {
        Some("" | "services" | "incidents" | "outages" | "events" | "nodes" | "oncall") => true,
        Some(rest) => rest.split_once('/').is_some_and(|(family, name)| match family {
            // A service, or one of its instances.
            "services" => match name.split_once('/') {
                Some((service, instance)) => {
                    !service.is_empty() && !instance.is_empty() && !instance.contains('/')
                }
                None => !name.is_empty(),
            },
            "incidents" => name.parse::<u64>().is_ok(),
            "oncall" => matches!(name, "calendar" | "who" | "deliveries" | "silences" | "setup"),
            _ => false,
        }),
        None => false,
    }
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

/// Only our own files run; the one inline text, the import map, is named by its hash.
fn policy(index: &str) -> HeaderValue {
    let map = between(index, r#"<script type="importmap">"#, "</script>").unwrap_or_default();
    let hash = STANDARD.encode(Sha256::digest(map));
    let policy = format!(
        "default-src 'none'; script-src 'self' 'sha256-{hash}'; style-src 'self'; img-src 'self'; \
         connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_go_out_without_their_comments_line_by_line() {
        let script = "// What?\nimport a; // kept\n/** One. */\n  /**\n   * More\n   */\nconst url = `//x`;\n  // Why\nb();\n";
        assert_eq!(without_comments(script), "\nimport a; // kept\n\n\n\n\nconst url = `//x`;\n\nb();\n");
        assert_eq!(
            shipped("vendor/x.mjs", Cow::Borrowed(b"// (c)")),
            Cow::Borrowed(b"// (c)"),
            "as they came"
        );
    }

    /// Lines are told by how they begin, so a comment has to stand outside of texts and end its line.
    #[test]
    fn what_begins_like_a_comment_is_one() {
        for name in Files::iter().filter(|name| name.ends_with(".js")) {
            let data = Files::get(&name).unwrap().data;
            let (mut within, mut open) = (false, false);
            for (at, line) in str::from_utf8(&data).unwrap().lines().enumerate() {
                let text = line.trim();
                let comment = within || text.starts_with("//") || text.starts_with("/**");
                assert!(!comment || !open, "{name}:{}: a comment within a template", at + 1);
                if comment {
                    within = (within || text.starts_with("/**")) && !text.ends_with("*/");
                    assert!(!within || !text.contains("*/"), "{name}:{}: code after a comment", at + 1);
                } else {
                    open ^= text.replace("\\`", "").replace("\"`\"", "").matches('`').count() % 2 == 1;
                }
            }
            assert!(!within && !open, "{name} ends within a comment or a template");
        }
    }

    #[test]
    fn a_service_and_its_instances_have_pages() {
        assert!(is_page("/ui/services/web") && is_page("/ui/services/web/host%3Aweb-1%3A80"));
        for path in ["/ui/services/", "/ui/services//", "/ui/services/web/", "/ui/services/web/1/2"] {
            assert!(!is_page(path), "{path}");
        }
    }
}
