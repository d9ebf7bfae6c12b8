//! Smaller: without comments, and as gzip where a browser takes it.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, header};

/// A script of ours without the lines that are comments, a tenth of all, and without what lines begin with: in the
/// texts of elements that is nothing either.
pub(super) fn without_comments(script: &str) -> String {
    let mut told = String::with_capacity(script.len());
    let mut within = false;
    for line in script.lines() {
        let text = line.trim();
        let comment = within || text.starts_with("/**");
        within = comment && !text.ends_with("*/");
        if !comment && !text.is_empty() && !text.starts_with("//") {
            told.push_str(text);
            told.push('\n');
        }
    }
    told
}

/// RFC 1952.
pub(super) fn gzip(data: &[u8]) -> Bytes {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = packed.write_all(data);
    packed.finish().unwrap_or_default().into()
}

/// RFC 9110 section 12.5.3, as far as browsers go.
pub(super) fn takes_gzip(asked: &HeaderMap) -> bool {
    asked
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.split_once(';').map_or((coding.trim(), ""), |(name, q)| (name.trim(), q.trim())))
        .any(|(name, q)| name == "gzip" && q != "q=0")
}

#[cfg(test)]
mod tests {
    use super::{super::Files, *};

    #[test]
    fn scripts_go_out_without_their_comments() {
        let script = "// What?\nimport a; // kept\n/** One. */\n  /**\n   * More\n   */\n\nconst url = `//x`;\n  // Why\nb();\n";
        assert_eq!(without_comments(script), "import a; // kept\nconst url = `//x`;\nb();\n");
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
}
