//! `wharf oncall who|schedule|test|check`.

use std::{process::ExitCode, time::Duration};

use http::Method;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Api, By, check, exit, times};
use crate::cli::{
    output::{Output, Tone, json as document, print, spoken, table, toned},
    query::Asked,
};

/// What is asked of the schedules.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum OncallCommand {
    /// Who is on duty, and who would be paged in which order
    Who(WhoArgs),
    /// Shifts and gaps
    Schedule(ScheduleArgs),
    /// Send a message by every contact method of a user, and tell what becomes of each
    Test(TestArgs),
    /// Check an on-call configuration; every mistake is told with its line
    Check(check::CheckArgs),
}

/// When, and for which alerts.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct WhoArgs {
    /// Another time: 03:00, "sunday 03:00", "2026-03-01 03:00", 2026-03-01T03:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// For alerts with this routing key
    #[arg(long, value_name = "KEY", default_value = "")]
    routing_key: String,
    /// How far to look, were nobody to acknowledge
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    lasting: humantime::Duration,
    #[command(flatten)]
    asked: Asked,
}

/// Whose shifts.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ScheduleArgs {
    /// Only this rotation
    #[arg(default_value = "")]
    rotation: String,
    /// First day [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How long
    #[arg(long = "for", value_name = "TIME", default_value = "14d")]
    lasting: humantime::Duration,
    #[command(flatten)]
    asked: Asked,
}

/// To whom.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TestArgs {
    /// Their key in the configuration
    user: String,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    asked: Asked,
}

/// Answers.
pub(in crate::cli) async fn oncall(command: OncallCommand) -> anyhow::Result<ExitCode> {
    exit(match command {
        OncallCommand::Who(args) => who(args).await,
        OncallCommand::Schedule(args) => schedule(args).await,
        OncallCommand::Test(args) => test(args).await,
        OncallCommand::Check(args) => check::check(&args),
    })
}

#[derive(Debug, Deserialize)]
struct Duty {
    rotation: String,
    on_duty: Option<Shift>,
    next: Option<Shift>,
    in_hours: bool,
}

#[derive(Debug, Deserialize)]
struct Shift {
    user: String,
    from: Timestamp,
    until: Timestamp,
    cause: String,
}

#[derive(Debug, Deserialize)]
struct Planned {
    at: Timestamp,
    user: Option<String>,
    kind: Option<String>,
    receiver: Option<String>,
    reason: String,
}

async fn who(args: WhoArgs) -> anyhow::Result<ExitCode> {
    let (api, now) = (Api::new(&args.asked)?, times::now());
    let at = args.at.as_ref().map(|text| times::moment(text, &now)).transpose()?.unwrap_or(now.timestamp());
    let duty: Value = api.get("/wharf/v1/oncall/now", &[("at", at.to_string())]).await?;
    let query = [
        ("at", at.to_string()),
        ("routing_key", args.routing_key.clone()),
        ("for", args.lasting.to_string()),
    ];
    let paged: Value = api.get("/wharf/v1/oncall/who", &query).await?;
    if api.output == Output::Json {
        print(&document(
            &json!({ "at": at, "rotations": duty["rotations"], "policy": paged["policy"], "planned": paged["planned"] }),
        )?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let duties: Vec<Duty> = serde_json::from_value(duty["rotations"].clone())?;
    let planned: Vec<Planned> = serde_json::from_value(paged["planned"].clone())?;
    print(&format!("{}\n\n", times::local(at, now.time_zone())))?;
    print(&on_duty(&duties, &now))?;
    print(&would_be_paged(&planned, at))?;
    Ok(ExitCode::SUCCESS)
}

fn on_duty(duties: &[Duty], now: &Zoned) -> String {
    if duties.is_empty() {
        return "no rotations are configured\n".to_owned();
    }
    let zone = now.time_zone();
    let cells = |duty: &Duty| {
        let (user, until, cause, tone) = match &duty.on_duty {
            Some(shift) => {
                let cause = if shift.cause == "turn" { String::new() } else { format!(" ({})", shift.cause) };
                (shift.user.clone(), times::local(shift.until, zone), cause, Tone::Plain)
            }
            None if duty.in_hours => ("nobody".to_owned(), String::new(), String::new(), Tone::Bad),
            None => ("off hours".to_owned(), String::new(), String::new(), Tone::Plain),
        };
        let next = duty.next.as_ref();
        let next =
            next.map(|next| format!("{}, {}", next.user, times::local(next.from, zone))).unwrap_or_default();
        ([duty.rotation.clone(), format!("{user}{cause}"), until, next], tone)
    };
    toned(["ROTATION", "ON DUTY", "UNTIL", "THEN"], &duties.iter().map(cells).collect::<Vec<_>>(), 1)
}

fn would_be_paged(planned: &[Planned], at: Timestamp) -> String {
    if planned.is_empty() {
        return "\nnobody would be paged\n".to_owned();
    }
    let cells = |planned: &Planned| {
        let after = planned.at.duration_since(at);
        let whom = planned.user.clone().or_else(|| planned.receiver.clone()).unwrap_or_default();
        let after = spoken(Duration::try_from(after).unwrap_or_default());
        [format!("+{after}"), whom, planned.kind.clone().unwrap_or_default(), planned.reason.clone()]
    };
    let rows: Vec<_> = planned.iter().map(cells).collect();
    format!("\nWould be paged, were nobody to acknowledge:\n{}", table(["AFTER", "WHO", "BY", "WHY"], &rows))
}

#[derive(Debug, Deserialize)]
struct Rotation {
    rotation: String,
    shifts: Vec<Shift>,
    gaps: Vec<Gap>,
}

#[derive(Debug, Deserialize)]
struct Gap {
    from: Timestamp,
    until: Timestamp,
    off_hours: bool,
}

async fn schedule(args: ScheduleArgs) -> anyhow::Result<ExitCode> {
    let (api, now) = (Api::new(&args.asked)?, times::now());
    let from =
        args.from.as_ref().map(|text| times::moment(text, &now)).transpose()?.unwrap_or(now.timestamp());
    let until = from.saturating_add(SignedDuration::try_from(*args.lasting)?)?;
    let query =
        [("from", from.to_string()), ("until", until.to_string()), ("rotation", args.rotation.clone())];
    let found: Value = api.get("/wharf/v1/oncall/schedule", &query).await?;
    if api.output == Output::Json {
        print(&document(&found)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rotations: Vec<Rotation> = serde_json::from_value(found["rotations"].clone())?;
    if !args.rotation.is_empty() && rotations.is_empty() {
        return Err(super::NoSuchThing(format!("no rotation `{}`", args.rotation)).into());
    }
    let zone = now.time_zone();
    let mut rows = Vec::new();
    for rotation in &rotations {
        let shifts = rotation
            .shifts
            .iter()
            .map(|shift| (shift.from, shift.until, shift.user.clone(), shift.cause.clone()));
        let gaps = rotation.gaps.iter().map(|gap| {
            let why = if gap.off_hours { "off hours" } else { "gap" };
            (gap.from, gap.until, "nobody".to_owned(), why.to_owned())
        });
        let mut stretches: Vec<_> = shifts.chain(gaps).collect();
        stretches.sort();
        rows.extend(stretches.into_iter().map(|(from, until, user, cause)| {
            let tone = if cause == "gap" { Tone::Bad } else { Tone::Plain };
            let times = [times::local(from, zone), times::local(until, zone)];
            let [from, until] = times;
            ([rotation.rotation.clone(), from, until, user, cause], tone)
        }));
    }
    print(&toned(["ROTATION", "FROM", "UNTIL", "WHO", "WHY"], &rows, 3))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Deserialize)]
struct Sent {
    delivery: u64,
    contact: Option<String>,
    kind: Option<String>,
    occasion: String,
    state: String,
    answer: String,
}

/// How long messages may take before the command no longer waits.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);

async fn test(args: TestArgs) -> anyhow::Result<ExitCode> {
    let api = Api::new(&args.asked)?;
    let last = tests(&api, &args.user).await?.iter().map(|sent| sent.delivery).max().unwrap_or(0);
    api.send(
        Method::POST,
        &format!("/wharf/v1/oncall/test/{}", args.user),
        &json!({ "by": args.by.name()? }),
    )
    .await?;
    let begun = tokio::time::Instant::now();
    let sent = loop {
        let mut sent = tests(&api, &args.user).await?;
        sent.retain(|sent| sent.delivery > last);
        let over = !sent.is_empty() && sent.iter().all(|sent| sent.state != "sending");
        if over || begun.elapsed() > PATIENCE {
            break sent;
        }
        sleep(LOOK).await;
    };
    let arrived = !sent.is_empty() && sent.iter().all(|sent| sent.state == "delivered");
    if api.output == Output::Json {
        let rows: Vec<Value> = sent
            .iter()
            .map(|sent| json!({ "contact": sent.contact, "kind": sent.kind, "state": sent.state, "answer": sent.answer }))
            .collect();
        print(&document(&rows)?)?;
    } else {
        let cells = |sent: &Sent| {
            let tone = if sent.state == "delivered" { Tone::Good } else { Tone::Bad };
            let contact = sent.contact.clone().unwrap_or_default();
            ([contact, sent.kind.clone().unwrap_or_default(), sent.state.clone(), sent.answer.clone()], tone)
        };
        let rows: Vec<_> = sent.iter().map(cells).collect();
        print(&toned(["CONTACT", "BY", "STATE", "ANSWER"], &rows, 2))?;
    }
    Ok(if arrived { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn tests(api: &Api, user: &str) -> anyhow::Result<Vec<Sent>> {
    let query = [("user", user.to_owned()), ("limit", "50".to_owned())];
    let found: Value = api.get("/wharf/v1/oncall/deliveries", &query).await?;
    let mut sent: Vec<Sent> = serde_json::from_value(found["deliveries"].clone())?;
    sent.retain(|sent| sent.occasion == "test");
    sent.reverse();
    Ok(sent)
}
