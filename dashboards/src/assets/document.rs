//! The HTML that a page begins with.
//!
//! What is needed to paint its head stands in it: the style sheet, and the script that knows the theme. The
//! scripts come after that, all those of the page named at once, so that none is found only by another.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::{Files, INDEX, pack};

/// The document that all pages have, but for the names of their scripts.
#[derive(Debug)]
pub(super) struct Document {
    text: String,
    policy: HeaderValue,
}

impl Document {
    /// That of the files of this `version`.
    pub(super) fn embedded(version: &str) -> Self {
        let text = read(INDEX)
            .replace("{{version}}", version)
            .replace("{{style}}", &read("wharf.css"))
            .replace("{{theme}}", &pack::without_comments(&read("theme.js")));
        Self { policy: policy(&text), text }
    }

    /// What the browser may run and load: our own files, and what stands in the document, named by its hash.
    pub(super) fn policy(&self) -> HeaderValue {
        self.policy.clone()
    }

    /// That of `page`, a script of `assets/js/pages`; without one that of a page that is not there.
    pub(super) fn of(&self, page: Option<&str>) -> String {
        let taken = Files::iter().filter(|name| name.ends_with(".mjs")).map(String::from);
        let page = page.map(|page| format!("js/pages/{page}.js"));
        let link = |script: String| format!("<link rel=\"modulepreload\" href=\"{script}\">\n");
        let links: String = taken.chain(page).map(link).collect();
        self.text.replace("{{modules}}\n", &links)
    }
}

fn read(name: &str) -> String {
    let data = Files::get(name).map(|file| file.data).unwrap_or_default();
    String::from_utf8_lossy(&data).into_owned()
}

fn policy(document: &str) -> HeaderValue {
    let hash = |start: &str, end: &str| {
        STANDARD.encode(Sha256::digest(between(document, start, end).unwrap_or_default()))
    };
    let map = hash(r#"<script type="importmap">"#, "</script>");
    let theme = hash("<script>", "</script>");
    let style = hash("<style>", "</style>");
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
        assert!(!read("wharf.css").contains("</"), "the style sheet closes an element");
        assert!(!read("theme.js").contains("</"), "the theme's script closes an element");
        let document = Document::embedded("1").of(None);
        assert!(!document.contains("{{"), "everything has been put in");
    }

    #[test]
    fn every_page_names_its_scripts_once() {
        let all = Document::embedded("1");
        for name in Files::iter().filter(|name| name.contains("pages/")) {
            let page = name.rsplit('/').next().unwrap().trim_end_matches(".js");
            let document = all.of(Some(page));
            for script in [&*name, "vendor/preact.mjs"] {
                let link = format!(r#"<link rel="modulepreload" href="{script}">"#);
                assert_eq!(document.matches(&link).count(), 1, "{page}: {script}");
            }
        }
    }
}
