//! `wharf silence`: nobody is paged for what matches. Without a matcher: lists those there are.

use std::process::ExitCode;

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Api, By, exit, times};
use crate::cli::{
    output::{Output, Tone, json as document, print, toned},
    query::Asked,
};

/// What is silenced, and for how long.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SilenceArgs {
    /// What alerts are silenced: service="web", host=~"db.*", entity=*"node:*"; all have to hold
    #[arg(value_name = "MATCHER")]
    matchers: Vec<String>,
    /// For how long: 30m, 2h
    #[arg(long = "for", value_name = "TIME", conflicts_with = "until")]
    lasting: Option<humantime::Duration>,
    /// Until then: 08:00, "monday 08:00", 2026-03-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Why
    #[arg(long, default_value = "")]
    comment: String,
    /// End this one now
    #[arg(long, value_name = "ID", conflicts_with_all = ["matchers", "lasting", "until"])]
    end: Option<String>,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Debug, Deserialize)]
struct Silence {
    id: String,
    origin: String,
    by: Option<String>,
    #[serde(rename = "match")]
    matchers: Vec<String>,
    until: Timestamp,
    comment: String,
    active: bool,
    /// An earlier wharf does not say.
    #[serde(default)]
    over: bool,
}

/// Silences, ends a silence, or lists them.
pub(in crate::cli) async fn silence(args: SilenceArgs) -> anyhow::Result<ExitCode> {
    exit(act(args).await)
}

async fn act(args: SilenceArgs) -> anyhow::Result<ExitCode> {
    let api = Api::new(&args.asked)?;
    if let Some(id) = &args.end {
        let path = format!("/wharf/v1/oncall/silences/{id}?by={}", args.by.name()?);
        api.send(Method::DELETE, &path, &Value::Null).await?;
        print(&format!("silence {id} has ended\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.matchers.is_empty() {
        return list(&api).await;
    }
    let now = times::now();
    let until = match (&args.until, args.lasting) {
        (Some(until), _) => times::moment(until, &now)?,
        (None, Some(lasting)) => now.timestamp() + *lasting,
        (None, None) => anyhow::bail!("say how long: --for 2h, or --until \"monday 08:00\""),
    };
    let body =
        json!({ "by": args.by.name()?, "match": args.matchers, "until": until, "comment": args.comment });
    let made = api.send(Method::POST, "/wharf/v1/oncall/silences", &body).await?;
    print(&match api.output {
        Output::Json => document(&made)?,
        Output::Table => {
            let id = made["id"].as_str().unwrap_or_default();
            format!(
                "silenced until {}; end it with: wharf silence --end {id}\n",
                times::local(until, now.time_zone())
            )
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(api: &Api) -> anyhow::Result<ExitCode> {
    let found: Value = api.get("/wharf/v1/oncall/silences", &[]).await?;
    if api.output == Output::Json {
        print(&document(&found["silences"])?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let silences: Vec<Silence> = serde_json::from_value(found["silences"].clone())?;
    if silences.is_empty() {
        print("no silences\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let now = times::now();
    let cells = |silence: &Silence| {
        let (state, tone) = match silence {
            Silence { active: true, .. } => ("active", Tone::Warning),
            Silence { over: true, .. } => ("over", Tone::Plain),
            _ => ("planned", Tone::Plain),
        };
        let by = silence.by.clone().unwrap_or_else(|| silence.origin.clone());
        let matchers = silence.matchers.join(", ");
        let until = times::local(silence.until, now.time_zone());
        ([silence.id.clone(), state.to_owned(), until, by, matchers, silence.comment.clone()], tone)
    };
    let heading = ["SILENCE", "STATE", "UNTIL", "BY", "MATCHES", "COMMENT"];
    print(&toned(heading, &silences.iter().map(cells).collect::<Vec<_>>(), 1))?;
    Ok(ExitCode::SUCCESS)
}
