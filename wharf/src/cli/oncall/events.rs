//! `wharf events`: what happened, and with `-f` what happens.

use std::{process::ExitCode, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::{Api, exit, times};
use crate::cli::{
    output::{Output, Tone, complain, print, printable},
    query::Asked,
};

/// Which events.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct EventsArgs {
    /// Go on with what happens, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only these
    #[arg(long, value_parser = ["incident", "page", "oncall", "service", "deploy"])]
    kind: Option<String>,
    /// With these words
    #[arg(long, default_value = "")]
    text: String,
    /// So many of the latest to begin with; with -f, 0 for none
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Deserialize)]
struct Answer {
    events: Vec<Value>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Event {
    at: Timestamp,
    kind: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    subject: Option<String>,
    text: String,
}

/// How long one question waits for news; the answer has to come within the client's patience.
const WAIT: &str = "15s";
/// Before wharf is asked again after it could not be reached.
const RETRY: Duration = Duration::from_secs(2);

/// Prints events.
pub(in crate::cli) async fn events(args: EventsArgs) -> anyhow::Result<ExitCode> {
    exit(tell(args).await)
}

async fn tell(args: EventsArgs) -> anyhow::Result<ExitCode> {
    let api = Api::new(&args.asked)?;
    let ask = async |after: &str, limit: usize, wait: &str| -> anyhow::Result<Answer> {
        let kind = args.kind.clone().unwrap_or_default();
        let query = [
            ("after", after.to_owned()),
            ("limit", limit.to_string()),
            ("kind", kind),
            ("text", args.text.clone()),
            ("wait", wait.to_owned()),
        ];
        api.get("/wharf/v1/events", &query).await
    };
    // What is followed begins after the latest, shown or not.
    let only_follows = args.follow && args.limit == 0;
    let Answer { events, next } = ask("", if only_follows { 1 } else { args.limit }, "").await?;
    if !only_follows {
        show(&api, &events)?;
    }
    let mut after = next.unwrap_or_default();
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let mut away = false;
    loop {
        match ask(&after, 500, WAIT).await {
            Ok(Answer { events, next }) => {
                away = false;
                show(&api, &events)?;
                after = next.unwrap_or(after);
            }
            Err(error) => {
                if !std::mem::replace(&mut away, true) {
                    complain(&format!("wharf: {error:#}; trying again"));
                }
                sleep(RETRY).await;
            }
        }
    }
}

fn show(api: &Api, events: &[Value]) -> anyhow::Result<()> {
    let zone = times::now().time_zone().clone();
    for event in events {
        if api.output == Output::Json {
            print(&format!("{event}\n"))?;
            continue;
        }
        let event: Event = serde_json::from_value(event.clone())?;
        let tone = match &*event.severity {
            "critical" => Tone::Bad,
            "warning" => Tone::Warning,
            "good" => Tone::Good,
            _ => Tone::Plain,
        };
        let at = times::exact(event.at, &zone);
        let subject = event.subject.map(|subject| format!("{}  ", printable(&subject))).unwrap_or_default();
        let kind = tone.paint(&format!("{:<8}", event.kind));
        print(&format!("{at}  {kind}  {subject}{}\n", printable(&event.text)))?;
    }
    Ok(())
}
