//! Keeps secrets out of what is told: whatever a server answers, and however an error is worded.

use base64::{Engine, engine::general_purpose::STANDARD};
use url::Url;
use wharf_oncall::config::Contact;

/// Longest reason or answer in characters.
const LONGEST: usize = 300;
/// Shorter parts of an address are words like `api`, and no secrets.
const SHORTEST_PART: usize = 6;

/// All that may not be shown of a contact.
#[derive(Default)]
pub(crate) struct Redaction(Vec<String>);

impl Redaction {
    pub(crate) fn new(contact: &Contact) -> Self {
        let mut parts: Vec<String> = Vec::new();
        for secret in contact.secrets() {
            let secret = secret.reveal().trim();
            parts.push(secret.to_owned());
            if let Ok(url) = Url::parse(secret) {
                parts.extend(parts_of(&url));
            }
        }
        if let Contact::TwilioSms { account, token, .. } | Contact::TwilioVoice { account, token, .. } =
            contact
        {
            parts.push(STANDARD.encode(format!("{account}:{}", token.reveal().trim())));
        }
        Self::of(parts)
    }

    pub(crate) fn of(mut parts: Vec<String>) -> Self {
        let escaped: Vec<String> = parts.iter().flat_map(|part| spellings(part)).collect();
        parts.extend(escaped);
        parts.retain(|part| !part.is_empty());
        // The whole before its parts.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.dedup();
        Self(parts)
    }

    /// The text on one line, of bearable length, without secrets.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut safe = crate::text::line(text);
        for part in &self.0 {
            safe = safe.replace(part, "[secret]");
        }
        wharf_oncall::template::shorten(&safe, LONGEST)
    }
}

/// What of an address lets in: everything behind the server's name.
fn parts_of(url: &Url) -> Vec<String> {
    let query = || url.query_pairs().flat_map(|(key, value)| [key.into_owned(), value.into_owned()]);
    let segments = url.path_segments().into_iter().flatten().map(str::to_owned);
    let mut parts: Vec<String> = segments.chain(query()).filter(|part| part.len() >= SHORTEST_PART).collect();
    // Topics of ntfy are words that people choose.
    let last = url.path_segments().and_then(|mut segments| segments.next_back());
    parts.extend(last.filter(|last| last.len() >= 3).map(str::to_owned));
    parts.extend([url.as_str().to_owned(), url.password().unwrap_or_default().to_owned()]);
    if let Some(password) = url.password() {
        parts.push(STANDARD.encode(format!("{}:{password}", url.username())));
    }
    if url.path().len() > 1 {
        parts.push(url.path().to_owned());
    }
    parts.extend(url.query().map(|query| format!("{}?{query}", url.path())));
    parts
}

/// How else a server may spell it when it repeats it.
fn spellings(part: &str) -> Vec<String> {
    let percent = percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string();
    let decoded = percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
    let form: String = url::form_urlencoded::byte_serialize(part.as_bytes()).collect();
    let json = serde_json::to_string(part).unwrap_or_default().trim_matches('"').to_owned();
    vec![percent, decoded, form, json, crate::text::xml_attribute(part), crate::text::line(part)]
}

#[cfg(test)]
mod tests {
    use wharf_oncall::Secret;

    use super::*;

    #[test]
    fn an_address_is_kept_secret_in_whole_and_in_parts() {
        let url = Secret::new("https://bob:hunter2@hooks.example/services/T0/abcdefgh?key=s%26cret#x");
        let redaction = Redaction::new(&Contact::Slack { url });
        let said = redaction.apply(
            "Cannot POST /services/T0/abcdefgh?key=s%26cret at hooks.example: abcdefgh, hunter2, s&cret s&amp;cret",
        );
        for secret in ["abcdefgh", "hunter2", "s%26cret", "s&cret", "s&amp;cret"] {
            assert!(!said.contains(secret), "{said}");
        }
        assert!(said.starts_with("Cannot POST [secret] at hooks.example: [secret],"), "{said}");
    }

    #[test]
    fn a_short_topic_is_a_secret_too() {
        let redaction =
            Redaction::new(&Contact::Ntfy { url: Secret::new("https://ntfy.example/bob"), token: None });
        assert_eq!(redaction.apply("topic bob at /bob"), "topic [secret] at [secret]");
    }

    #[test]
    fn an_answer_is_one_line_of_bearable_length() {
        let said = Redaction::default().apply(&"a\nb\r\n".repeat(1_000));
        assert!(said.starts_with("a b a b") && said.chars().count() <= LONGEST, "{said}");
    }
}
