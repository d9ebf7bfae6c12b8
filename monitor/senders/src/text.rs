//! What keeps a text in its field, whoever wrote it.

/// One line: no control characters, no runs of blanks.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Lines: no control characters but their ends and tabs.
pub(crate) fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect()
}

/// At most `most` UTF-16 units, as Telegram counts; where some are missing, the last one is an ellipsis.
pub(crate) fn shorten_utf16(text: &str, most: usize) -> String {
    shorten_by(text, most, 1, char::len_utf16)
}

/// At most `most` bytes of UTF-8; where some are missing, the end is an ellipsis.
pub(crate) fn shorten_bytes(text: &str, most: usize) -> String {
    shorten_by(text, most, '…'.len_utf8(), char::len_utf8)
}

fn shorten_by(text: &str, most: usize, ellipsis: usize, size: fn(char) -> usize) -> String {
    if text.chars().map(size).sum::<usize>() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(ellipsis);
    let mut used = 0;
    let fits = |c: &char| {
        used += size(*c);
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// For Slack: `&`, `<` and `>` are all that means something beyond looks.
/// (<https://docs.slack.dev/messaging/formatting-message-text/#escaping>)
pub(crate) fn slack(text: &str) -> String {
    xml_text(text)
}

/// For the text of an XML or HTML element.
pub(crate) fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// For an attribute of XML or HTML, in double quotes.
pub(crate) fn xml_attribute(text: &str) -> String {
    xml_text(text).replace('"', "&quot;")
}

/// For Markdown: it reads as it was written, and mentions nobody. Addresses stay whole, what could end them does not.
pub(crate) fn markdown(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(markdown_word).collect()
}

fn markdown_word(word: &str) -> String {
    let is_address = word.starts_with("http://") || word.starts_with("https://");
    let mut safe = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '[' | ']' | '(' | ')' | '<' | '>' | '*' | '`' | '|' | '\\' if is_address => {
                safe.push_str(&format!("%{:02X}", u32::from(c)));
            }
            _ if is_address => safe.push(c),
            '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '(' | ')' | '<' | '>' | '|' | '#' => {
                safe.extend(['\\', c])
            }
            // Mattermost has no other way to say that `@channel` calls nobody.
            '@' => safe.push_str("@\u{200b}"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use wharf_oncall::template::shorten;

    use super::*;

    #[test]
    fn a_line_is_one_whatever_is_in_it() {
        assert_eq!(line(" a\r\nSubject: b\u{0}\t c\u{85}d\u{2028}e "), "a Subject: b c d e");
        assert_eq!(lines("a\r\n\tb\u{7}\u{1b}[31m\nc"), "a\n\tb[31m\nc");
    }

    #[test]
    fn a_text_that_fits_is_left_alone_and_one_that_does_not_ends_with_an_ellipsis() {
        assert_eq!((shorten("abc", 3), shorten("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
        assert_eq!(shorten_utf16("😀😀", 4), "😀😀");
        assert_eq!(shorten_utf16("😀😀😀", 4), "😀…");
        assert_eq!(shorten_bytes("äöü", 6), "äöü");
        assert_eq!(shorten_bytes("äöüß", 6), "ä…");
    }

    #[test]
    fn markdown_cannot_be_written_by_an_alert() {
        assert_eq!(
            markdown("*a* [b](http://c) @channel `d`"),
            "\\*a\\* \\[b\\]\\(http://c\\) @\u{200b}channel \\`d\\`"
        );
        assert_eq!(markdown("x https://w/a_b?c=(d)[e] y_z"), "x https://w/a_b?c=%28d%29%5Be%5D y\\_z");
    }
}
