//! `wharf watch`: one line for every change of health, from one blocking query.

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use serde::Serialize;
use wharf_catalog::{Status, Timestamp};
use wharf_catalog_http::client::{CheckRecord, Wait};

use super::{Asked, reason};
use crate::{
    cli::output::{Output, print, printable},
    clock,
};

/// What to watch.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct WatchArgs {
    /// Only this service
    service: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// (node, check id) -> the check.
type Seen = BTreeMap<(String, String), CheckRecord>;

#[derive(Debug, PartialEq, Serialize)]
struct Change {
    at: Timestamp,
    service: String,
    instance: String,
    check: String,
    /// `None`: the check is new.
    from: Option<Status>,
    /// `None`: the check is gone.
    to: Option<Status>,
    reason: String,
}

/// Prints changes until it is interrupted or wharf goes away. The state it starts from is printed too.
pub(in crate::cli) async fn watch(args: WatchArgs) -> anyhow::Result<ExitCode> {
    let (client, clock) = (args.asked.client()?, clock::system());
    let (mut index, checks) = client.health_state("any", None).await?;
    let mut seen = Seen::new();
    let mut checks = Some(checks);
    loop {
        if let Some(checks) = checks.take() {
            let now_seen = of_service(checks, args.service.as_deref());
            for change in changes(&seen, &now_seen, clock.now()) {
                print(&line(&change, args.asked.output)?)?;
            }
            seen = now_seen;
        }
        let wait = Wait { after: index, at_most: Duration::from_secs(300) };
        let (next, answer) = client.health_state("any", Some(wait)).await?;
        // An index that went backwards means the catalog began anew: whatever it says counts.
        checks = (next != index).then_some(answer);
        index = next;
    }
}

fn of_service(checks: Vec<CheckRecord>, service: Option<&str>) -> Seen {
    checks
        .into_iter()
        .filter(|check| service.is_none_or(|name| check.service_name == name))
        .map(|check| ((check.node.clone(), check.check_id.clone()), check))
        .collect()
}

fn changes(before: &Seen, after: &Seen, at: Timestamp) -> Vec<Change> {
    let change = |check: &CheckRecord, from, to| Change {
        at,
        service: check.service_name.clone(),
        instance: if check.service_id.is_empty() { check.node.clone() } else { check.service_id.clone() },
        check: check.name.clone(),
        from,
        to,
        reason: reason(check),
    };
    let gone = before.iter().filter(|(key, _)| !after.contains_key(*key));
    let gone = gone.map(|(_, check)| change(check, Some(check.status), None));
    let other = after.iter().filter_map(|(key, check)| {
        let from = before.get(key).map(|before| before.status);
        (from != Some(check.status)).then(|| change(check, from, Some(check.status)))
    });
    gone.chain(other).collect()
}

fn line(change: &Change, output: Output) -> anyhow::Result<String> {
    if output == Output::Json {
        return Ok(format!("{}\n", serde_json::to_string(change)?));
    }
    let at = jiff::Timestamp::from_millisecond(change.at.0).unwrap_or_default();
    let at = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string();
    let word =
        |status: Option<Status>, none: &str| status.map_or(none.to_owned(), |status| status.to_string());
    let (from, to) = (word(change.from, "new"), word(change.to, "gone"));
    let who = if change.service.is_empty() { &change.instance } else { &change.service };
    let text = format!("{at}  {who}  {from} -> {to}  {}  {}", change.instance, change.reason);
    Ok(format!("{}\n", printable(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, status: &str) -> CheckRecord {
        let record = serde_json::json!({
            "Node": "n", "CheckID": id, "Name": id, "Status": status, "ServiceID": "web-1", "ServiceName": "web",
        });
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn what_appears_changes_and_goes_is_told_and_what_stays_is_not() {
        let seen = |checks: Vec<CheckRecord>| of_service(checks, Some("web"));
        let before = seen(vec![check("a", "passing"), check("b", "passing"), check("c", "passing")]);
        let after = seen(vec![check("a", "passing"), check("b", "critical"), check("d", "warning")]);
        let told = changes(&before, &after, Timestamp(0));
        let told: Vec<_> = told.iter().map(|change| (&*change.check, change.from, change.to)).collect();
        let expected = [
            ("c", Some(Status::Passing), None),
            ("b", Some(Status::Passing), Some(Status::Critical)),
            ("d", None, Some(Status::Warning)),
        ];
        assert_eq!(told, expected);
    }
}
