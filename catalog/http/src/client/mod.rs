//! The API from the other side: what the command line and the registrator need of it.

mod access;
pub mod definition;
mod read;
mod records;
mod registration;
mod snapshot;

use std::{collections::BTreeMap, error::Error, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use wharf_catalog::Index;

pub use access::Access;
pub use read::Reading;
pub use records::{
    AgentConfig, AgentMember, AgentSelf, CheckRecord, HealthRecord, NodeRecord, ServiceRecord,
};

/// How long an answer may take beyond the wait it was asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Talks to one wharf (or Consul). Cheap to clone; connections are kept and shared.
///
/// The process must have installed a rustls crypto provider before the first one is made.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    /// What people are told that it is.
    shown: String,
    local: bool,
    http: reqwest::Client,
}

/// Waits for a change instead of answering at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The index of the answer one has.
    pub after: Index,
    /// Answer anyway after this long; at most ten minutes.
    pub at_most: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Mend the address.
    #[error(
        "`{url}` is no address of a catalog: {reason}; write `http://host:port`, `https://host:port` or `unix:///path`"
    )]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Start it, or name another address.
    #[error("cannot reach wharf at `{url}`: is it running? ({reason})")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Do what the text says.
    #[error("wharf at `{url}` answered {status}: {text}")]
    Refused {
        /// What was asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// Its words.
        text: String,
    },
    /// Something else listens there.
    #[error("`{url}` does not answer like wharf: {reason}")]
    Foreign {
        /// What was asked.
        url: String,
        /// What is strange about the answer.
        reason: String,
    },
}

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// A client of the wharf at `base_url`, as in `http://127.0.0.1:8500`. Connects on first use.
    pub fn new(base_url: &str) -> Result<Self> {
        Self::open(&Access { url: base_url.to_owned(), ..Access::default() })
    }

    /// Is it on this machine, by its address?
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// All services with their tags.
    pub async fn services(&self, wait: Option<Wait>) -> Result<(Index, BTreeMap<String, Vec<String>>)> {
        self.indexed("/v1/catalog/services", wait).await
    }

    /// All nodes.
    pub async fn nodes(&self, wait: Option<Wait>) -> Result<(Index, Vec<NodeRecord>)> {
        self.indexed("/v1/catalog/nodes", wait).await
    }

    /// The instances of a service with their nodes and checks, healthy or not.
    pub async fn health(&self, service: &str, wait: Option<Wait>) -> Result<(Index, Vec<HealthRecord>)> {
        let service = utf8_percent_encode(service, NON_ALPHANUMERIC);
        self.indexed(&format!("/v1/health/service/{service}"), wait).await
    }

    /// All checks with this status: `passing`, `warning`, `critical` or `any`.
    pub async fn health_state(&self, status: &str, wait: Option<Wait>) -> Result<(Index, Vec<CheckRecord>)> {
        let status = utf8_percent_encode(status, NON_ALPHANUMERIC);
        self.indexed(&format!("/v1/health/state/{status}"), wait).await
    }

    /// Who answers.
    pub async fn agent_self(&self) -> Result<AgentSelf> {
        let url = self.url("/v1/agent/self", None)?;
        let response = self.get(url, PATIENCE).await?;
        body(response).await
    }

    async fn indexed<T: DeserializeOwned>(&self, path: &str, wait: Option<Wait>) -> Result<(Index, T)> {
        let longest = wait.map_or(Duration::ZERO, |wait| wait.at_most + wait.at_most / 16);
        let response = self.get(self.url(path, wait)?, longest + PATIENCE).await?;
        let index = index_of(&response)?;
        Ok((index, body(response).await?))
    }

    fn url(&self, path: &str, wait: Option<Wait>) -> Result<Url> {
        let mut url = self.base.join(path).map_err(|error| ClientError::Address {
            url: format!("{}{path}", self.shown),
            reason: error.to_string(),
        })?;
        if let Some(Wait { after, at_most }) = wait {
            url.query_pairs_mut()
                .append_pair("index", &after.to_string())
                .append_pair("wait", &format!("{}ms", at_most.as_millis()));
        }
        Ok(url)
    }

    async fn get(&self, url: Url, within: Duration) -> Result<Response> {
        let request = self.http.get(url.clone()).timeout(within);
        self.answer(url, request).await
    }

    async fn answer(&self, url: Url, request: RequestBuilder) -> Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        let text = text.trim().chars().take(200).collect();
        Err(ClientError::Refused { url: access::shown(&url), status, text })
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable { url: self.shown.clone(), reason: root_cause(error) }
    }
}

fn index_of(response: &Response) -> Result<Index> {
    response
        .headers()
        .get(crate::respond::INDEX)
        .and_then(|index| index.to_str().ok()?.parse().ok())
        .map(Index)
        .ok_or_else(|| ClientError::Foreign {
            url: access::shown(response.url()),
            reason: "no `X-Consul-Index` in the answer".to_owned(),
        })
}

async fn body<T: DeserializeOwned>(response: Response) -> Result<T> {
    let url = access::shown(response.url());
    let bytes = response
        .bytes()
        .await
        .map_err(|error| ClientError::Unreachable { url: url.clone(), reason: root_cause(&error) })?;
    serde_json::from_slice(&bytes).map_err(|error| ClientError::Foreign { url, reason: error.to_string() })
}

/// The innermost of the errors that led to this one: "connection refused" rather than "error sending
/// request".
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
