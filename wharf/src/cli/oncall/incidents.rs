//! `wharf incidents`, `ack`, `resolve`, `snooze`.

use std::process::ExitCode;

use anyhow::ensure;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, By, exit, times};
use crate::cli::{
    output::{Output, Tone, json as document, print, printable, toned},
    query::Asked,
};

/// Which incidents to list.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct IncidentsArgs {
    /// Everything about this one
    id: Option<u64>,
    /// Which ones
    #[arg(long, default_value = "open", value_parser = ["open", "triggered", "acknowledged", "resolved", "all"])]
    state: String,
    /// With these words in title, message or entity
    #[arg(long, default_value = "")]
    text: String,
    /// At most so many, the newest
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

/// Which incidents to act on.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ActArgs {
    /// Their numbers
    #[arg(required = true)]
    ids: Vec<u64>,
    /// For the timeline
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    asked: Asked,
}

/// Which incidents to put off, and until when.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SnoozeArgs {
    /// Their numbers
    #[arg(required = true)]
    ids: Vec<u64>,
    /// For how long: 30m, 1h, 2h 30m
    #[arg(long = "for", value_name = "TIME", required_unless_present = "until", conflicts_with = "until")]
    lasting: Option<humantime::Duration>,
    /// Until then: 08:00, "monday 08:00", 2026-03-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Deserialize)]
struct Listed {
    incidents: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Row {
    id: u64,
    state: String,
    severity: String,
    title: String,
    #[serde(default)]
    message: String,
    opened: Timestamp,
    symptoms: usize,
    acknowledged: Option<Taken>,
    held: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Taken {
    by: String,
    until: Option<Timestamp>,
}

/// Lists incidents, or shows one.
pub(in crate::cli) async fn incidents(args: IncidentsArgs) -> anyhow::Result<ExitCode> {
    let api = Api::new(&args.asked)?;
    exit(match args.id {
        Some(id) => one(&api, id).await,
        None => list(&api, &args).await,
    })
}

async fn list(api: &Api, args: &IncidentsArgs) -> anyhow::Result<ExitCode> {
    let query =
        [("state", args.state.clone()), ("text", args.text.clone()), ("limit", args.limit.to_string())];
    let found: Listed = api.get("/wharf/v1/incidents", &query).await?;
    if api.output == Output::Json {
        print(&document(&found.incidents)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Row> = found.incidents.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
    if rows.is_empty() {
        print(if args.state == "open" { "no open incidents\n" } else { "none\n" })?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = times::now();
    let cells = |row: &Row| {
        let symptoms = if row.symptoms > 1 { format!(" (+{})", row.symptoms - 1) } else { String::new() };
        let cells = [
            format!("#{}", row.id),
            row.state.clone(),
            row.severity.to_lowercase(),
            times::since(row.opened, &now),
            standing(row, &now),
            format!("{}{symptoms}", row.title),
            row.message.lines().next().unwrap_or_default().chars().take(100).collect(),
        ];
        (cells, tone(&row.state))
    };
    let heading = ["INCIDENT", "STATE", "SEVERITY", "FOR", "WITH", "TITLE", "REASON"];
    print(&toned(heading, &rows.iter().map(cells).collect::<Vec<_>>(), 1))?;
    Ok(ExitCode::SUCCESS)
}

fn tone(state: &str) -> Tone {
    match state {
        "triggered" => Tone::Bad,
        "acknowledged" => Tone::Warning,
        _ => Tone::Good,
    }
}

fn standing(row: &Row, now: &jiff::Zoned) -> String {
    match (&row.acknowledged, &row.held) {
        (_, Some(held)) => format!("held: {held}"),
        (Some(Taken { by, until: Some(until) }), None) => {
            format!("{by}, until {}", until.to_zoned(now.time_zone().clone()).strftime("%H:%M"))
        }
        (Some(taken), None) => taken.by.clone(),
        (None, None) => String::new(),
    }
}

#[derive(Debug, Deserialize)]
struct Whole {
    #[serde(flatten)]
    row: Row,
    entity: String,
    started: Timestamp,
    #[serde(default)]
    notes: std::collections::BTreeMap<String, String>,
    symptoms_list: Vec<Symptom>,
    timeline: Vec<Moment>,
    paging: Vec<Paged>,
}

#[derive(Debug, Deserialize)]
struct Symptom {
    entity: String,
    active: bool,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
struct Moment {
    at: Timestamp,
    text: String,
}

#[derive(Debug, Deserialize)]
struct Paged {
    user: String,
    because: String,
    next: Option<Timestamp>,
}

async fn one(api: &Api, id: u64) -> anyhow::Result<ExitCode> {
    let found: Value = api.get(&format!("/wharf/v1/incidents/{id}"), &[]).await?;
    if api.output == Output::Json {
        print(&document(&found)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&whole(&serde_json::from_value(found)?, &times::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn whole(found: &Whole, now: &jiff::Zoned) -> String {
    let zone = now.time_zone();
    let row = &found.row;
    let with = printable(&standing(row, now));
    let with = if with.is_empty() { with } else { format!(" ({with})") };
    let mut lines = vec![
        format!("#{} {}: {}{with}", row.id, printable(&row.title), tone(&row.state).paint(&row.state)),
        format!(
            "{}  {}  since {}",
            printable(&found.entity),
            row.severity.to_lowercase(),
            times::local(found.started, zone)
        ),
    ];
    lines.extend((!row.message.is_empty()).then(|| printable(&row.message)));
    lines.extend(found.notes.iter().map(|(title, note)| printable(&format!("{title}: {note}"))));
    if found.symptoms_list.len() > 1 {
        lines.push("\nSymptoms".to_owned());
        for symptom in &found.symptoms_list {
            let (mark, tone) = if symptom.active { ("failing", Tone::Bad) } else { ("well", Tone::Good) };
            lines.push(format!(
                "  {:<8} {}  {}",
                tone.paint(mark),
                printable(&symptom.entity),
                printable(&symptom.message)
            ));
        }
    }
    if !found.paging.is_empty() {
        lines.push("\nBeing paged".to_owned());
        for paged in &found.paging {
            let next =
                paged.next.map(|at| format!("; next at {}", times::local(at, zone))).unwrap_or_default();
            lines.push(format!("  {}: {}{next}", printable(&paged.user), printable(&paged.because)));
        }
    }
    lines.push("\nTimeline".to_owned());
    for moment in &found.timeline {
        lines.push(format!("  {}  {}", times::exact(moment.at, zone), printable(&moment.text)));
    }
    lines.join("\n") + "\n"
}

/// Takes incidents.
pub(in crate::cli) async fn acknowledge(args: ActArgs) -> anyhow::Result<ExitCode> {
    exit(
        act(&args.asked, &args.ids, "acknowledge", &json!({ "by": args.by.name()?, "note": args.note }))
            .await,
    )
}

/// Says that incidents are over.
pub(in crate::cli) async fn resolve(args: ActArgs) -> anyhow::Result<ExitCode> {
    exit(act(&args.asked, &args.ids, "resolve", &json!({ "by": args.by.name()?, "note": args.note })).await)
}

/// Takes incidents until later.
pub(in crate::cli) async fn snooze(args: SnoozeArgs) -> anyhow::Result<ExitCode> {
    let now = times::now();
    let until = match (&args.until, args.lasting) {
        (Some(until), _) => times::moment(until, &now)?,
        (None, lasting) => {
            now.timestamp() + *lasting.unwrap_or_else(|| std::time::Duration::from_secs(3600).into())
        }
    };
    ensure!(until > now.timestamp(), "{} is over: name a later time", times::local(until, now.time_zone()));
    exit(act(&args.asked, &args.ids, "snooze", &json!({ "by": args.by.name()?, "until": until })).await)
}

/// One after the other: what could be done is done, whatever becomes of the others.
async fn act(asked: &Asked, ids: &[u64], action: &str, body: &Value) -> anyhow::Result<ExitCode> {
    let api = Api::new(asked)?;
    let (mut done, mut failed) = (Vec::new(), None);
    for id in ids {
        match api.send(Method::POST, &format!("/wharf/v1/incidents/{id}/{action}"), body).await {
            Ok(incident) => done.push(incident),
            Err(error) => {
                crate::cli::output::complain(&format!("wharf: #{id}: {error:#}"));
                failed = Some(error);
            }
        }
    }
    if api.output == Output::Json {
        print(&document(&done)?)?;
    } else {
        for incident in &done {
            let row: Row = serde_json::from_value(incident.clone())?;
            let with = printable(&standing(&row, &times::now()));
            let with = if with.is_empty() { with } else { format!(" ({with})") };
            print(&format!("#{} {}: {}{with}\n", row.id, printable(&row.title), row.state))?;
        }
    }
    Ok(match failed {
        None => ExitCode::SUCCESS,
        Some(error) if error.is::<super::NoSuchThing>() => ExitCode::from(super::NO_SUCH_THING),
        Some(_) => ExitCode::FAILURE,
    })
}
