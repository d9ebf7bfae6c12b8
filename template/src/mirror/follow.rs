//! Follows one question: asks, waits at the server for the next answer, and never gives up.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Weak},
    time::Duration,
};

use metrics::counter;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::time::{Instant, sleep, sleep_until};
use wharf_catalog::{Index, Topic};
use wharf_catalog_http::client::{ClientError, Reading, Wait};

use super::{Agent, Inner, Question, answer};
use crate::quiescence::retry_delay;

/// Two queries of one question are at least this far apart, however often the answer changes.
const PACE: Duration = Duration::from_millis(100);
/// How often what cannot be waited for is asked.
const POLL: Duration = Duration::from_secs(60);
/// How long a query waits while others wait for its connection.
const SHARED_WAIT: Duration = Duration::from_secs(1);
/// What need not be escaped in a key's path.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Follows `question` until the mirror is gone or the task is aborted.
pub(super) async fn run(mirror: Weak<Inner>, question: Question) {
    let mut place = Place::default();
    loop {
        let Some(inner) = mirror.upgrade() else { return };
        let begun = Instant::now();
        let next = match place.ask(&inner, &question).await {
            Ok(()) => begun + if question.blocks() { PACE } else { POLL },
            Err(error) => {
                place.failures += 1;
                // Who answers next may have lost its memory and count anew: waiting at it for an index it is far
                // from would hide that.
                place.index = Index(0);
                place.complain(&question, &error);
                inner.failed(&question, error);
                Instant::now() + retry_delay(place.failures).min(inner.config.max_backoff)
            }
        };
        drop(inner);
        sleep_until(next).await;
    }
}

/// How far one question has been followed.
#[derive(Default)]
struct Place {
    index: Index,
    failures: u32,
    /// The last answer, so that the same once more changes nothing.
    digest: Option<u64>,
    /// The last answer was too old: ask the leader.
    leader_only: bool,
}

impl Place {
    async fn ask(&mut self, inner: &Arc<Inner>, question: &Question) -> Result<(), String> {
        let answer = match self.read(inner, question).await {
            Ok(answer) => answer,
            // A token may be good for the catalog and not for this: then nobody knows who answers.
            Err(ClientError::Refused { status: 400..500, .. }) if *question == Question::Agent => {
                inner.publish(question, |view| view.agent = Some((view.version, Arc::default())));
                return Ok(());
            }
            Err(error) => return Err(error.to_string()),
        };
        if let Some(limit) = inner.config.max_stale.filter(|_| !self.leader_only)
            && answer.last_contact > limit
        {
            self.leader_only = true;
            tracing::debug!(question = question.name(), behind = ?answer.last_contact, "stale answer, the leader is asked");
            return Ok(());
        }
        self.leader_only = false;
        if self.failures > 0 {
            tracing::info!(question = question.name(), failures = self.failures, "the catalog answers again");
            self.failures = 0;
        }
        inner.recovered(question);
        self.learn(inner, question, &answer)?;
        // A server that lost its memory counts anew; what it says now is the truth.
        self.index = if answer.index < self.index { Index(0) } else { answer.index };
        if self.index == Index(0) && question.blocks() {
            sleep(PACE).await;
        }
        Ok(())
    }

    async fn read(&self, inner: &Arc<Inner>, question: &Question) -> Result<Reading, ClientError> {
        let Ok(_connection) = inner.connections.acquire().await else {
            return std::future::pending().await;
        };
        counter!("wharf_template_catalog_queries_total").increment(1);
        let contended = inner.board().followed.len() > inner.config.connections;
        let wait = (question.blocks() && self.index > Index(0)).then(|| Wait {
            after: self.index,
            at_most: if contended { SHARED_WAIT.min(inner.config.wait) } else { inner.config.wait },
        });
        let mut parameters = Vec::new();
        if let Question::Topic(datacenter, topic) = question {
            if inner.config.max_stale.is_some() && !self.leader_only {
                parameters.push(("stale", ""));
            }
            if !datacenter.is_empty() {
                parameters.push(("dc", &**datacenter));
            }
            if matches!(topic, Topic::KeyPrefix(_)) {
                parameters.push(("recurse", ""));
            }
        }
        inner.client.read(&path(question), &parameters, wait).await
    }

    fn learn(&mut self, inner: &Inner, question: &Question, answer: &Reading) -> Result<(), String> {
        let digest = digest(answer);
        if self.digest == Some(digest) {
            return Ok(());
        }
        match question {
            Question::Topic(_, topic) => {
                let body = answer.found.then_some(&answer.body[..]);
                let state = Arc::new(answer::state(topic, answer.index, body)?);
                inner.publish(question, |view| {
                    view.topics.insert(question.clone(), (view.version, state));
                });
            }
            Question::Datacenters => {
                let names: Vec<String> = json(&answer.body)?;
                inner.publish(question, |view| view.datacenters = Some((view.version, names.into())));
            }
            Question::Agent => {
                let agent: wharf_catalog_http::client::AgentSelf = json(&answer.body)?;
                let (datacenter, node) = (agent.config.datacenter, agent.config.node_name);
                let agent = Arc::new(Agent { datacenter, node });
                inner.publish(question, |view| view.agent = Some((view.version, agent)));
            }
        }
        self.digest = Some(digest);
        Ok(())
    }

    /// Tells of the first failure, and then of every tenth.
    fn complain(&self, question: &Question, error: &str) {
        counter!("wharf_template_catalog_errors_total").increment(1);
        let question = question.name();
        if self.failures % 10 == 1 {
            tracing::warn!(%question, failures = self.failures, %error, "the catalog does not answer, what was last known stays");
        } else {
            tracing::debug!(%question, failures = self.failures, %error, "the catalog still does not answer");
        }
    }
}

impl Question {
    /// Can the server be asked to answer when something has changed?
    fn blocks(&self) -> bool {
        matches!(self, Self::Topic(..))
    }
}

fn digest(answer: &Reading) -> u64 {
    let mut hasher = DefaultHasher::new();
    (answer.found, &answer.body[..]).hash(&mut hasher);
    hasher.finish()
}

fn json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the answer makes no sense: {error}"))
}

fn path(question: &Question) -> String {
    let name = |name: &str| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    let key = |key: &str| utf8_percent_encode(key, KEY).to_string();
    match question {
        Question::Datacenters => "/v1/catalog/datacenters".to_owned(),
        Question::Agent => "/v1/agent/self".to_owned(),
        Question::Topic(_, topic) => match topic {
            Topic::Services => "/v1/catalog/services".to_owned(),
            Topic::Health(service) => format!("/v1/health/service/{}", name(service)),
            Topic::Node(node) => format!("/v1/catalog/node/{}", name(node)),
            Topic::Key(path) | Topic::KeyPrefix(path) => format!("/v1/kv/{}", key(path)),
            // What templates ask about beside the above is the list of nodes.
            _ => "/v1/catalog/nodes".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_path() {
        let topic = |topic| path(&Question::Topic("".into(), topic));
        assert_eq!(topic(Topic::Health("a/../b?x=1".into())), "/v1/health/service/a%2F%2E%2E%2Fb%3Fx%3D1");
        assert_eq!(topic(Topic::Key("app/na me".into())), "/v1/kv/app/na%20me");
    }
}
