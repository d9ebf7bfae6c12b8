//! The HTML that a page begins with.
//!
//! What is needed to paint its head stands in it: the style sheet, and the script that knows the theme. The
//! modules come after that, all those of the page named at once, so that none is found only by another.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::{Files, INDEX, module::needed_by, pack};

const FRAME: &str = "js/app.js";

/// The documents of all pages.
#[derive(Debug)]
pub(super) struct Documents {
    /// Everything but the names of the modules.
    frame: String,
    policy: HeaderValue,
    /// Page -> its document as gzip, made when it is first asked for.
    packed: Mutex<BTreeMap<Option<&'static str>, Bytes>>,
}

impl Documents {
    /// Those of the files of this `version`.
    pub(super) fn embedded(version: &str) -> Self {
        let frame = text(INDEX)
            .replace("{{version}}", version)
            .replace("{{style}}", &text("wharf.css"))
            .replace("{{theme}}", &text("theme.js"));
        Self { policy: policy(&frame), frame, packed: Mutex::default() }
    }

    /// What the browser may run and load: our own files, and what stands in the document, named by its hash.
    pub(super) fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }

    /// That of `page`, a script of `assets/js/pages`; without one that of a page that is not there.
    pub(super) fn plain(&self, page: Option<&str>) -> String {
        let mut first = vec![FRAME.to_owned()];
        first.extend(page.map(|page| format!("js/pages/{page}.js")));
        let vendor = Files::iter().filter(|name| name.ends_with(".mjs")).map(Cow::into_owned);
        let mut links = String::new();
        for module in vendor.chain(needed_by(&first)).chain(first.drain(1..)) {
            // Writing to memory does not fail.
            let _ = writeln!(links, r#"<link rel="modulepreload" href="{module}">"#);
        }
        self.frame.replace("{{modules}}\n", &links)
    }

    /// The same as gzip.
    pub(super) fn packed(&self, page: Option<&'static str>) -> Bytes {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.entry(page).or_insert_with(|| pack::gzip(self.plain(page).as_bytes())).clone()
    }
}

fn text(name: &str) -> String {
    let data = Files::get(name).map(|file| file.data).unwrap_or_default();
    String::from_utf8_lossy(&pack::shipped(name, data)).into_owned()
}

fn policy(document: &str) -> HeaderValue {
    let [map, theme, style] =
        [(r#"<script type="importmap">"#, "</script>"), ("<script>", "</script>"), ("<style>", "</style>")]
            .map(|(start, end)| {
                STANDARD.encode(Sha256::digest(between(document, start, end).unwrap_or_default()))
            });
    let policy = format!(
        "default-src 'none'; script-src 'self' 'sha256-{map}' 'sha256-{theme}'; style-src 'sha256-{style}'; \
         img-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'self'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_into_the_document_does_not_end_it() {
        assert!(!text("wharf.css").contains("</"), "the style sheet closes an element");
        assert!(!text("theme.js").contains("</"), "the theme's script closes an element");
        let document = Documents::embedded("1").plain(None);
        assert!(!document.contains("{{"), "everything has been put in");
    }

    #[test]
    fn every_page_has_its_modules_named_once() {
        let documents = Documents::embedded("1");
        for name in Files::iter().filter(|name| name.contains("pages/")) {
            let page = name.rsplit('/').next().unwrap().trim_end_matches(".js");
            let document = documents.plain(Some(page));
            for module in [&*name, "js/dom.js", "vendor/preact.mjs"] {
                let link = format!(r#"<link rel="modulepreload" href="{module}">"#);
                assert_eq!(document.matches(&link).count(), 1, "{page}: {module}");
            }
        }
    }
}
