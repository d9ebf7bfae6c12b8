//! What the answer to a request means.
//!
//! 2xx: taken. 429 and 503: again when it says, or soon. 408, 425 and other 5xx: again soon. Anything else would come to the
//! same again, redirects included: following one would carry a secret to where nobody configured it.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};
use serde_json::Value;

use crate::{Again, Failure, Receipt};

/// The other side may ask for no more patience than this.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Keys under which providers say what is wrong or which number a message has.
const REASONS: &[&str] =
    &["description", "errorDescription", "message", "errors", "error", "detail", "status", "code"];
const NUMBERS: &[&str] = &["sid", "requestId", "request", "dedup_key", "entity_id", "id"];

/// What matters of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) location: bool,
    /// Its beginning.
    pub(crate) body: String,
    /// The body says nothing about whether it is taken: it is nobody's format.
    pub(crate) unread: bool,
}

impl Answer {
    pub(crate) fn outcome(&self) -> Result<Receipt, Failure> {
        let json: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let again = match self.status {
            200..=299 => return self.taken(&json),
            429 | 503 => self.wait(&json).map_or(Again::Soon, Again::After),
            408 | 425 | 500..=599 => Again::Soon,
            _ => Again::Never,
        };
        Err(Failure { reason: self.reason(&json), again })
    }

    /// Some providers say no with a 200.
    fn taken(&self, json: &Value) -> Result<Receipt, Failure> {
        if !self.unread && is_refusal(json) {
            return Err(Failure::never(self.reason(json)));
        }
        let number = NUMBERS.iter().find_map(|key| Some((key, said(json.get(key)?)?)));
        let answer = match number {
            Some((key, number)) => format!("{} {key} {number}", self.status),
            None => self.status.to_string(),
        };
        Ok(Receipt { answer })
    }

    fn reason(&self, json: &Value) -> String {
        let name = phrase(self.status);
        if (300..400).contains(&self.status) && self.location {
            return format!("{name}: a redirect, which is not followed; correct the address");
        }
        let reason = REASONS.iter().find_map(|key| said(json.get(key)?));
        match reason.or_else(|| self.plain()) {
            Some(reason) => format!("{name}: {reason}"),
            None => name,
        }
    }

    /// The first line of an answer that is neither JSON nor a page.
    fn plain(&self) -> Option<String> {
        let line = self.body.lines().next()?.trim();
        let is_text = !line.is_empty() && line.len() <= 200 && !line.starts_with(['<', '{', '[']);
        is_text.then(|| line.to_owned())
    }

    /// How long to wait: seconds, or a date, which is read by the sender's own clock (`date`).
    fn wait(&self, json: &Value) -> Option<Duration> {
        let seconds = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let header = self.retry_after.as_deref().and_then(|value| {
            value.trim().parse::<f64>().ok().or_else(|| {
                let until = moment(value)?;
                let now = moment(self.date.as_deref()?)?;
                Some(until.duration_since(now).as_secs_f64())
            })
        });
        // Discord and Telegram say it in the body, too.
        let body = || seconds(&json["retry_after"]).or_else(|| seconds(&json["parameters"]["retry_after"]));
        let wait = header.or_else(body).filter(|wait| wait.is_finite() && *wait >= 0.0)?;
        Some(Duration::try_from_secs_f64(wait).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
    }
}

/// Whether a body contradicts its 200, in the words of one of the providers.
fn is_refusal(json: &Value) -> bool {
    let status = |status: &Value| status == 0 || status == "error" || status == "fail";
    json["ok"] == false || json["result"] == "failure" || json.get("status").is_some_and(status)
}

fn moment(text: &str) -> Option<Timestamp> {
    rfc2822::parse(text.trim()).ok().map(|moment| moment.timestamp())
}

/// A value as providers use them for people: text, a number, or the first of several.
fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(all) => {
            let all: Vec<String> = all.iter().filter_map(said).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        Value::Object(fields) => REASONS.iter().find_map(|key| said(fields.get(*key)?)),
        _ => None,
    }
}

fn phrase(status: u16) -> String {
    let known = reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    known.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned(), ..Answer::default() }
    }

    fn failure(answer: &Answer) -> (String, Again) {
        let Failure { reason, again } = answer.outcome().unwrap_err();
        (reason, again)
    }

    #[test]
    fn a_number_the_provider_gives_is_part_of_the_receipt() {
        let cases = [
            (
                202,
                r#"{"status":"success","message":"Event processed","dedup_key":"wharf:1:a"}"#,
                "202 dedup_key wharf:1:a",
            ),
            (201, r#"{"sid":"SM1","status":"queued","code":null}"#, "201 sid SM1"),
            (200, r#"{"status":1,"request":"647d"}"#, "200 request 647d"),
            (200, r#"{"ok":true,"result":{"message_id":3}}"#, "200"),
            (200, r#"{"result":"success","entity_id":"e"}"#, "200 entity_id e"),
            (202, r#"{"result":"Request will be processed","requestId":"4"}"#, "202 requestId 4"),
            (200, "ok", "200"),
            (204, "", "204"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(answer(status, body).outcome().unwrap().answer, expected);
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_providers_words() {
        let cases = [
            (
                400,
                r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
                "400 Bad Request: Bad Request: chat not found",
            ),
            (
                400,
                r#"{"token":"invalid","errors":["application token is invalid"],"status":0}"#,
                "400 Bad Request: application token is invalid",
            ),
            (
                400,
                r#"{"code":21211,"message":"Invalid 'To' Phone Number","status":400}"#,
                "400 Bad Request: Invalid 'To' Phone Number",
            ),
            (
                400,
                r#"{"status":"invalid event","message":"Event object is invalid","errors":["x"]}"#,
                "400 Bad Request: Event object is invalid",
            ),
            (
                401,
                r#"{"error":"Unauthorized","errorCode":401,"errorDescription":"you need a token"}"#,
                "401 Unauthorized: you need a token",
            ),
            (403, "invalid_token", "403 Forbidden: invalid_token"),
            (404, "<!DOCTYPE html><title>no</title>", "404 Not Found"),
            (299 + 1, "", "300 Multiple Choices"),
        ];
        for (status, body, expected) in cases {
            assert_eq!(failure(&answer(status, body)), (expected.to_owned(), Again::Never));
        }
        let said = answer(200, r#"{"ok":false,"error":"channel_not_found"}"#);
        assert_eq!(failure(&said), ("200 OK: channel_not_found".to_owned(), Again::Never));
        let unread = Answer { unread: true, ..said };
        assert_eq!(unread.outcome().unwrap().answer, "200");
    }

    #[test]
    fn servers_in_trouble_are_tried_again() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(failure(&answer(status, "")).1, Again::Soon, "{status}");
        }
    }

    #[test]
    fn who_asks_for_patience_gets_it_but_not_without_end() {
        let asks = |retry_after: Option<&str>, body: &str| {
            let answer = Answer {
                retry_after: retry_after.map(str::to_owned),
                date: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
                ..answer(429, body)
            };
            failure(&answer).1
        };
        assert_eq!(asks(Some("7"), ""), Again::After(Duration::from_secs(7)));
        assert_eq!(asks(Some("0.25"), ""), Again::After(Duration::from_millis(250)));
        assert_eq!(asks(Some("Sun, 06 Nov 1994 08:50:37 GMT"), ""), Again::After(Duration::from_secs(60)));
        assert_eq!(asks(Some("Sun, 06 Nov 1994 08:00:00 GMT"), ""), Again::Soon);
        assert_eq!(asks(Some("99999999999999999999"), ""), Again::After(LONGEST_WAIT));
        assert_eq!(asks(Some("NaN"), ""), Again::Soon);
        assert_eq!(asks(None, r#"{"parameters":{"retry_after":5}}"#), Again::After(Duration::from_secs(5)));
        assert_eq!(asks(None, r#"{"retry_after":0.5}"#), Again::After(Duration::from_millis(500)));
    }

    #[test]
    fn a_redirect_is_a_mistake_in_the_address() {
        let moved = Answer { location: true, ..answer(302, "moved") };
        let expected = "302 Found: a redirect, which is not followed; correct the address";
        assert_eq!(failure(&moved), (expected.to_owned(), Again::Never));
    }
}
