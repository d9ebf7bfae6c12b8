//! Is the answer what was expected? Pure.

use http::StatusCode;
use regex::bytes::RegexBuilder;
use serde_json::Value;
use wharf_catalog::{Expect, Status, Timestamp};

const DAY: i64 = 86_400_000;
/// Longest value told of what was found instead.
const TOLD: usize = 200;

/// What an answer was, as far as it can be judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) status: StatusCode,
    pub(super) body: &'a [u8],
    /// When the server's certificate ends to hold, where there is one.
    pub(super) certificate_until: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// Does this status pass by itself (so that a redirect is not followed)?
pub(super) fn names_status(expect: &Expect, status: StatusCode) -> bool {
    expect.status.iter().any(|pattern| matches(pattern, status.as_u16()))
}

/// The verdict where `expect` has one, and what to say in front of the output.
pub(super) fn judge(expect: &Expect, seen: Seen<'_>, fallback: Status) -> (Status, Option<String>) {
    let mut status = if expect.status.is_empty() { fallback } else { Status::Passing };
    let mut failures = Vec::new();
    if !expect.status.is_empty() && !names_status(expect, seen.status) {
        failures.push(format!("status {} is not among {}", seen.status.as_u16(), expect.status.join(", ")));
    }
    failures.extend(expect.body.as_ref().and_then(|pattern| body(pattern, seen.body)));
    if !expect.json.is_empty() {
        json(expect, seen.body, &mut failures);
    }
    let mut warning = None;
    if let Some((worse, told)) = certificate(expect, seen) {
        match worse {
            Status::Critical => failures.push(told),
            _ => warning = Some(told),
        }
    }
    if !failures.is_empty() {
        return (Status::Critical, Some(failures.join("; ")));
    }
    if warning.is_some() {
        status = status.max(Status::Warning);
    }
    (status, warning)
}

/// `200`, `2xx` or `200-299`.
fn matches(pattern: &str, status: u16) -> bool {
    range(pattern).is_some_and(|(from, to)| (from..=to).contains(&status))
}

/// The codes a pattern stands for; `None` when it is none.
pub(crate) fn range(pattern: &str) -> Option<(u16, u16)> {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..600).contains(code));
    let pattern = pattern.trim();
    if let Some(class) = pattern.strip_suffix("xx").or_else(|| pattern.strip_suffix("XX")) {
        let class = class.parse::<u16>().ok().filter(|class| (1..6).contains(class))?;
        return Some((class * 100, class * 100 + 99));
    }
    match pattern.split_once('-') {
        Some((from, to)) => Some((code(from)?, code(to)?)),
        None => code(pattern).map(|code| (code, code)),
    }
}

fn body(pattern: &str, body: &[u8]) -> Option<String> {
    match regex(pattern) {
        Ok(regex) if regex.is_match(body) => None,
        Ok(_) => Some(format!("the body does not match `{pattern}`")),
        Err(error) => Some(error),
    }
}

/// The pattern, compiled; it can neither run away nor fill the memory.
pub(crate) fn regex(pattern: &str) -> Result<regex::bytes::Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
}

fn json(expect: &Expect, body: &[u8], failures: &mut Vec<String>) {
    let Ok(found) = serde_json::from_slice::<Value>(body) else {
        failures.push("the body is not JSON".to_owned());
        return;
    };
    for (path, wanted) in &expect.json {
        match json_path(path).and_then(|steps| follow(&found, &steps)) {
            Some(value) if value == wanted => {}
            Some(value) => {
                failures.push(format!("`{path}` is {}, not {}", short(value), short(wanted)));
            }
            None => failures.push(format!("there is no `{path}` in the body")),
        }
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    text.chars().take(TOLD).collect()
}

/// One step of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// `$.a.b[0]["c d"]`; the `$` may be left out. `None` when it cannot be read.
pub(crate) fn json_path(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.trim().trim_start_matches('$');
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let quoted = inner.starts_with('"');
            let (step, after) = if quoted { inner[1..].split_once("\"]")? } else { inner.split_once(']')? };
            steps.push(if quoted {
                Step::Key(step.to_owned())
            } else {
                Step::Index(step.trim().parse().ok()?)
            });
            rest = after;
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        steps.push(Step::Key(rest[..end].to_owned()));
        rest = &rest[end..];
    }
    Some(steps)
}

fn follow<'a>(value: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Index(at) => value.get(at),
    })
}

fn certificate(expect: &Expect, seen: Seen<'_>) -> Option<(Status, String)> {
    let (warning, critical) = (expect.certificate_warning_days, expect.certificate_critical_days);
    warning.or(critical)?;
    let Some(until) = seen.certificate_until else {
        return Some((Status::Critical, "there is no certificate: the address is not https".to_owned()));
    };
    let left = until.0 - seen.now.0;
    if left <= 0 {
        // Whatever was asked for: nobody accepts it any more.
        return Some((Status::Critical, format!("the certificate ended {} ago", days(-left))));
    }
    let within = |days: Option<u32>| days.is_some_and(|days| left < i64::from(days) * DAY);
    let told = format!("the certificate ends in {}", days(left));
    match (within(critical), within(warning)) {
        (true, _) => Some((Status::Critical, told)),
        (false, true) => Some((Status::Warning, told)),
        (false, false) => None,
    }
}

/// Whole days, in words.
fn days(time: i64) -> String {
    match time / DAY {
        0 => "less than a day".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(expect: &Expect, status: u16, body: &str) -> (Status, String) {
        let seen = Seen {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.as_bytes(),
            certificate_until: Some(Timestamp(20 * DAY)),
            now: Timestamp(0),
        };
        let (status, told) = judge(expect, seen, Status::Passing);
        (status, told.unwrap_or_default())
    }

    #[test]
    fn status_codes_are_given_one_by_one_by_class_and_by_range() {
        let expect =
            Expect { status: vec!["2xx".into(), "301".into(), "400-404".into()], ..Expect::default() };
        for status in [200, 299, 301, 400, 404] {
            assert_eq!(judged(&expect, status, ""), (Status::Passing, String::new()), "{status}");
        }
        assert_eq!(judged(&expect, 405, "").1, "status 405 is not among 2xx, 301, 400-404");
        assert_eq!((range("7xx"), range("x"), range("99"), range("200-")), (None, None, None, None));
    }

    #[test]
    fn the_body_must_match_and_json_values_be_equal() {
        let expect = Expect {
            body: Some("(?i)all systems".into()),
            json: [("$.checks[1].state".to_owned(), json!("ok")), ("n".to_owned(), json!(3))].into(),
            ..Expect::default()
        };
        let body = r#"{"note":"All systems go","n":3,"checks":[{},{"state":"ok"}]}"#;
        assert_eq!(judged(&expect, 200, body).0, Status::Passing);
        let (status, told) = judged(&expect, 200, r#"{"n":4}"#);
        assert_eq!(status, Status::Critical);
        assert!(told.contains("does not match") && told.contains("`n` is 4, not 3"), "{told}");
        assert!(judged(&expect, 200, "<html>").1.contains("not JSON"));
    }

    #[test]
    fn a_certificate_warns_before_it_is_critical() {
        let days = |warning, critical| Expect {
            certificate_warning_days: Some(warning),
            certificate_critical_days: Some(critical),
            ..Expect::default()
        };
        assert_eq!(judged(&days(20, 7), 200, "").0, Status::Passing);
        assert_eq!(
            judged(&days(21, 7), 200, ""),
            (Status::Warning, "the certificate ends in 20 days".into())
        );
        assert_eq!(judged(&days(30, 21), 200, "").0, Status::Critical);
    }

    #[test]
    fn a_certificate_that_has_ended_is_critical_whatever_was_asked_for() {
        let expect = Expect { certificate_warning_days: Some(21), ..Expect::default() };
        let after = |days: i64| {
            let (until, now) = (Timestamp(DAY), Timestamp(DAY + days * DAY));
            let seen = Seen { status: StatusCode::OK, body: b"", certificate_until: Some(until), now };
            judge(&expect, seen, Status::Passing)
        };
        let critical = |told: &str| (Status::Critical, Some(told.to_owned()));
        assert_eq!(after(332), critical("the certificate ended 332 days ago"));
        assert_eq!(after(1), critical("the certificate ended 1 day ago"));
        assert_eq!(after(0), critical("the certificate ended less than a day ago"));
        assert_eq!(after(-1), (Status::Warning, Some("the certificate ends in 1 day".to_owned())));
    }

    #[test]
    fn paths_that_make_no_sense_are_none() {
        assert_eq!(json_path("$..a"), None);
        assert_eq!(json_path("a[x]"), None);
        assert_eq!(json_path("a[\"b.c\"]"), Some(vec![Step::Key("a".into()), Step::Key("b.c".into())]));
        assert_eq!(json_path("$"), Some(vec![]));
    }
}
