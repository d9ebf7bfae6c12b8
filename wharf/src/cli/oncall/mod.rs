//! Incidents and on-call from the command line: questions to a running wharf, and what people do about the answers.
//!
//! `docs/oncall-api.md` is what is spoken. `wharf oncall check` alone asks nobody.

mod check;
mod events;
mod incidents;
mod people;
mod silence;
mod times;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, anyhow};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    output::{Output, complain},
    query::Asked,
};

pub(super) use events::{EventsArgs, events};
pub(super) use incidents::{ActArgs, IncidentsArgs, SnoozeArgs, acknowledge, incidents, resolve, snooze};
pub(super) use people::{OncallCommand, oncall};
pub(super) use silence::{SilenceArgs, silence};

/// Nothing of that name or number.
const NO_SUCH_THING: u8 = 4;
/// Longer than any answer takes, a long poll's wait aside.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Who acts.
#[derive(Debug, clap::Args)]
struct By {
    /// Who you are, a user of the on-call configuration [default: the name you are logged in with]
    #[arg(long = "by", env = "WHARF_USER", value_name = "NAME")]
    by: Option<String>,
}

impl By {
    fn name(&self) -> anyhow::Result<String> {
        let logged_in = || std::env::var("USER").ok().filter(|name| !name.is_empty());
        self.by.clone().or_else(logged_in).context("say who you are: --by NAME, or WHARF_USER=NAME")
    }
}

/// A wharf that answers.
struct Api {
    base: String,
    output: Output,
    client: reqwest::Client,
}

impl Api {
    fn new(asked: &Asked) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self { base: asked.url(), output: asked.output, client })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<T> {
        let given: Vec<_> = query.iter().filter(|(_, value)| !value.is_empty()).collect();
        self.ask(self.client.get(format!("{}{path}", self.base)).query(&given)).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(self.client.request(method, format!("{}{path}", self.base)).json(body)).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<T> {
        let base = &self.base;
        let answer = request.send().await.map_err(reqwest::Error::without_url);
        let answer = answer.with_context(|| format!("cannot reach wharf at `{base}`: is it running?"))?;
        let status = answer.status();
        let bytes =
            answer.bytes().await.with_context(|| format!("`{base}` stopped in the middle of an answer"))?;
        if status.is_success() {
            let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return serde_json::from_slice(bytes)
                .with_context(|| format!("`{base}` does not answer like wharf"));
        }
        let said: Option<Value> = serde_json::from_slice(&bytes).ok();
        let said = said.as_ref().and_then(|said| said.get("error")?.as_str());
        Err(match (said, status.as_u16()) {
            (Some(said), 404) => NoSuchThing(said.to_owned()).into(),
            (Some(said), _) => anyhow!("{said}"),
            (None, _) => anyhow!("`{base}` answered {status}: is that a wharf that pages?"),
        })
    }
}

/// It is not there: an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoSuchThing(String);

/// An error that has an exit code of its own becomes that.
fn exit(result: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    match result {
        Err(error) if error.is::<NoSuchThing>() => {
            complain(&format!("wharf: {error}"));
            Ok(ExitCode::from(NO_SUCH_THING))
        }
        other => other,
    }
}
