//! What is wrong with a label, where, and what to do about it: one line for people.

use std::fmt;

/// Longest part of a value that is shown.
const SHOWN: usize = 60;

/// Something a container asks for that cannot be had. The rest of the container still works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Name of the container.
    pub container: String,
    /// The label or environment variable, `SERVICE_...`, shortened.
    pub key: String,
    /// What it says, shortened.
    pub value: String,
    /// What is wrong with it, and what happens instead.
    pub problem: String,
    /// What to write.
    pub remedy: String,
}

impl Complaint {
    /// A complaint about `key` = `value` of `container`.
    pub fn new(
        container: &str,
        key: impl AsRef<str>,
        value: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            container: container.to_owned(),
            key: shorten(key.as_ref()),
            value: shorten(value),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { container, key, value, problem, remedy } = self;
        write!(f, "container `{container}`: {key}=`{value}`: {problem}; {remedy}")
    }
}

/// The first characters of `text` on one line, control characters shown as escapes.
fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(escape).collect();
    if text.len() > SHOWN && text.chars().count() > SHOWN {
        shown.push_str(&format!("... ({} bytes)", text.len()));
    }
    shown
}

fn escape(c: char) -> impl Iterator<Item = char> {
    let (escaped, plain) = if c.is_control() { (Some(c.escape_debug()), None) } else { (None, Some(c)) };
    escaped.into_iter().flatten().chain(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_one_short_line_whatever_the_value() {
        let value = "a\n\u{1b}[31m".repeat(100_000);
        let line = Complaint::new("web", "SERVICE_NAME", &value, "too long", "shorten it").to_string();
        assert!(line.len() < 600 && !line.contains(['\n', '\u{1b}']), "{line}");
        assert!(line.contains("(700000 bytes)"), "{line}");
    }
}
