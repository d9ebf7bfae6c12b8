//! Any GET of the API, with the headers that say how fresh the answer is.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use wharf_catalog::Index;

use super::{Client, ClientError, PATIENCE, Result, Wait, access::shown};

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Commit it is as of; 0 when the server says none.
    pub index: Index,
    /// How far behind its leader the server may be.
    pub last_contact: Duration,
    /// `false`: there is no such thing (404).
    pub found: bool,
    /// The body.
    pub body: Bytes,
}

impl Client {
    /// Asks `path` (percent-encoded, as in `/v1/kv/app%20name`) with `parameters`.
    pub async fn read(&self, path: &str, parameters: &[(&str, &str)], wait: Option<Wait>) -> Result<Reading> {
        let mut url = self.url(path, wait)?;
        for (name, value) in parameters {
            url.query_pairs_mut().append_pair(name, value);
        }
        let longest = wait.map_or(Duration::ZERO, |wait| wait.at_most + wait.at_most / 16);
        let unreachable = |error: reqwest::Error| self.unreachable(&error);
        let response =
            self.http.get(url.clone()).timeout(longest + PATIENCE).send().await.map_err(unreachable)?;
        let status = response.status();
        let (index, last_contact) =
            (header(&response, "x-consul-index"), header(&response, "x-consul-lastcontact"));
        let body = response.bytes().await.map_err(unreachable)?;
        // A path that is unknown altogether is 404 as well, but without an index.
        let absent = status.as_u16() == 404 && index.is_some();
        if !status.is_success() && !absent {
            // In one line: what stands between us and the catalog may answer with a page.
            let text = String::from_utf8_lossy(&body).split_whitespace().collect::<Vec<_>>().join(" ");
            let text = text.chars().take(200).collect();
            return Err(ClientError::Refused { url: shown(&url), status: status.as_u16(), text });
        }
        Ok(Reading {
            index: Index(index.unwrap_or(0)),
            last_contact: Duration::from_millis(last_contact.unwrap_or(0)),
            found: !absent,
            body,
        })
    }
}

fn header(response: &Response, name: &str) -> Option<u64> {
    response.headers().get(name)?.to_str().ok()?.parse().ok()
}
