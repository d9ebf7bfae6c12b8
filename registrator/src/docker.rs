//! The engine: lists, inspects, tells what happens. Decides nothing.
//!
//! Reads only, and only containers and events; for the tasks of a swarm also their service and their node, and
//! goes without where those are not to be had (on a worker, or behind a proxy that forbids it).

use std::{collections::HashMap, error::Error as _, time::Duration};

use bollard::{
    Docker,
    errors::Error,
    models::{ContainerSummary, ContainerSummaryStateEnum, EventMessage},
    query_parameters::{
        EventsOptionsBuilder, InspectContainerOptions, InspectServiceOptions, ListContainersOptionsBuilder,
    },
};
use futures_util::{Stream, StreamExt};
use tokio::{sync::Semaphore, time::sleep};
use tracing::debug;
use wharf_catalog::Timestamp;

use crate::{
    config::{Config, Deregister},
    container::{Container, Network, SwarmTask},
    event::ACTIONS,
    fleet::{Answer, Listed},
    swarm,
};

/// The engine answers within this time or counts as away.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Inspections under way at the same time.
const INSPECTIONS: usize = 16;
/// Waits between attempts to inspect a container.
const RETRIES: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(3)];

/// What events are about.
const TYPES: [&str; 3] = ["container", "network", "service"];

/// Why the engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Mend the address.
    #[error("`{host}` is no address of a Docker engine: {reason}; write `unix:///path` or `tcp://host:port`")]
    Address {
        /// The address.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Start the engine, or get permission to use its socket.
    #[error("no Docker engine at `{host}`: {reason}")]
    Unreachable {
        /// The address.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// The engine went away or restarts: connect again.
    #[error("the Docker engine at `{host}` ended its event stream: {reason}")]
    Ended {
        /// The address.
        host: String,
        /// What went wrong.
        reason: String,
    },
}

/// The way to an engine; every request is a connection of its own.
#[derive(Debug)]
pub struct Engine {
    host: String,
    docker: Docker,
    inspections: Semaphore,
    /// Are containers of interest that ended with a failure?
    failed_too: bool,
}

/// The engine's address: configured, from `DOCKER_HOST`, or the local socket.
pub fn address(config: &Config) -> String {
    let configured = config.docker_host.clone().filter(|host| !host.is_empty());
    let from_environment = || std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    let host =
        configured.or_else(from_environment).unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
    if host.starts_with('/') { format!("unix://{host}") } else { host }
}

/// Does the engine at this address run on this machine?
pub fn is_local(host: &str) -> bool {
    host.starts_with("unix://")
}

impl Engine {
    /// Gets ready to talk to the engine at `host`; nothing is sent yet.
    pub fn new(host: &str, config: &Config) -> Result<Self, EngineError> {
        let docker = Docker::connect_with_host(host).map_err(|error| match error {
            Error::SocketNotFoundError(_) => EngineError::Unreachable {
                host: host.to_owned(),
                reason: "there is no such socket".to_owned(),
            },
            other => EngineError::Address { host: host.to_owned(), reason: chain(&other) },
        })?;
        Ok(Self {
            host: host.to_owned(),
            docker: docker.with_timeout(TIMEOUT),
            inspections: Semaphore::new(INSPECTIONS),
            failed_too: config.deregister == Deregister::OnSuccess,
        })
    }

    /// All running (and paused) containers, and those that failed if they are of interest.
    pub async fn list(&self) -> Result<Vec<Listed>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(self.failed_too).build();
        let list = self.docker.list_containers(Some(options));
        let list = within(list)
            .await
            .map_err(|error| EngineError::Unreachable { host: self.host.clone(), reason: chain(&error) })?;
        Ok(list.into_iter().filter(runs_or_failed).filter_map(listed).collect())
    }

    /// What happens to containers from `since` on, what happened in between first.
    pub fn events(
        &self,
        since: Timestamp,
    ) -> impl Stream<Item = Result<EventMessage, EngineError>> + Unpin + use<> {
        let (seconds, millis) = (since.0.div_euclid(1000), since.0.rem_euclid(1000));
        let filters = HashMap::from([("type", TYPES.to_vec()), ("event", ACTIONS.to_vec())]);
        let options = EventsOptionsBuilder::default()
            .since(&format!("{seconds}.{millis:03}000000"))
            .filters(&filters)
            .build();
        let host = self.host.clone();
        self.docker.events(Some(options)).map(move |message| {
            message.map_err(|error| EngineError::Ended { host: host.clone(), reason: chain(&error) })
        })
    }

    /// The stream of events is over without an error.
    pub fn ended(&self) -> EngineError {
        EngineError::Ended { host: self.host.clone(), reason: "end of stream".to_owned() }
    }

    /// One container, with the network it shares with another one looked up.
    pub async fn inspect(&self, id: &str) -> Answer {
        for wait in RETRIES.iter().map(Some).chain([None]) {
            match self.try_inspect(id).await {
                Ok(Some(container)) => return Answer::Found(Box::new(container)),
                Ok(None) => return Answer::Gone,
                Err(error) => debug!(container = id, error = chain(&error), "inspect failed"),
            }
            if let Some(wait) = wait {
                sleep(*wait).await;
            }
        }
        Answer::Unknown
    }

    async fn try_inspect(&self, id: &str) -> Result<Option<Container>, Error> {
        let Some(mut container) = self.inspect_one(id).await? else {
            return Ok(None);
        };
        if let Network::Container(other) = &container.network {
            let other = self.inspect_one(other).await?;
            container.share_network_of(other.as_ref());
        }
        if let Some(task) = self.swarm_task(&container).await {
            container.join(task);
        }
        Ok(Some(container))
    }

    async fn swarm_task(&self, container: &Container) -> Option<SwarmTask> {
        container.task_id()?;
        let label = |key: &str| container.labels.get(key).filter(|value| !value.is_empty());
        let service = label("com.docker.swarm.service.id")?;
        let _permit = self.inspections.acquire().await;
        let found = self.docker.inspect_service(service, None::<InspectServiceOptions>);
        let service = within(found).await.inspect_err(|error| self.no_swarm(container, error)).ok()?;
        let node = match label("com.docker.swarm.node.id") {
            Some(node) => within(self.docker.inspect_node(node)).await.ok(),
            None => None,
        };
        Some(swarm::task(container, service, node))
    }

    fn no_swarm(&self, container: &Container, error: &Error) {
        let (container, error) = (&container.name, chain(error));
        debug!(%container, error, "the swarm tells nothing of this task: no manager, or not allowed");
    }

    async fn inspect_one(&self, id: &str) -> Result<Option<Container>, Error> {
        let _permit = self.inspections.acquire().await;
        let inspect = self.docker.inspect_container(id, None::<InspectContainerOptions>);
        match within(inspect).await {
            Ok(inspect) => Ok(Container::from_inspect(inspect)),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(TIMEOUT, answer).await.unwrap_or(Err(Error::RequestTimeoutError))
}

/// Not one that ended well, or never ran; the list says it in words: `Exited (1) 3 minutes ago`.
fn runs_or_failed(summary: &ContainerSummary) -> bool {
    let Some(rest) = summary.status.as_deref().and_then(|status| status.strip_prefix("Exited (")) else {
        return summary.state != Some(ContainerSummaryStateEnum::CREATED);
    };
    let code = rest.split(')').next().and_then(|code| code.parse::<i64>().ok());
    code.is_some_and(|code| code != 0 && code & 128 == 0)
}

/// The parts of a list's entry that matter here, in a fixed order.
pub(crate) fn listed(summary: ContainerSummary) -> Option<Listed> {
    let mut ports: Vec<_> = summary.ports.iter().flatten().map(|port| format!("{port:?}")).collect();
    ports.sort_unstable();
    let networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut networks: Vec<_> = networks
        .iter()
        .map(|(name, network)| (name, &network.ip_address, &network.global_ipv6_address))
        .collect();
    networks.sort_unstable();
    let (names, state) = (&summary.names, &summary.state);
    // `Up 2 minutes (healthy)`: the time is of no interest.
    let status = summary.status.as_deref().unwrap_or_default();
    let health = status.rsplit_once(" (").map_or("", |(_, health)| health);
    Some(Listed {
        print: format!("{names:?} {state:?} {health} {ports:?} {networks:?}"),
        container: summary.id.filter(|id| !id.is_empty())?,
    })
}

/// An error with its causes, which say more than it does.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(json: &str) -> Vec<Listed> {
        let list: Vec<ContainerSummary> = serde_json::from_str(json).unwrap();
        list.into_iter().filter(runs_or_failed).filter_map(listed).collect()
    }

    #[test]
    fn a_list_reads_the_same_in_both_dialects_and_podmans_reads_too() {
        let old = list(include_str!("../tests/fixtures/list-1.41.json"));
        assert_eq!(list(include_str!("../tests/fixtures/list-1.52.json")), old);
        assert!(old[0].print.contains("healthy)") && old[0].print.contains("32768"), "{}", old[0].print);
        let podman = list(include_str!("../tests/fixtures/list-podman.json"));
        assert!(
            podman[0].print.contains("wrp2") && podman[0].print.contains("10.88.0."),
            "{}",
            podman[0].print
        );
    }

    #[test]
    fn of_containers_that_ended_only_those_that_failed_are_listed() {
        let entry = |state: &str, status: &str| {
            let json = format!(r#"[{{"Id":"1","State":"{state}","Status":"{status}"}}]"#);
            list(&json).len()
        };
        assert_eq!(entry("running", "Up 3 seconds"), 1);
        assert_eq!(entry("exited", "Exited (1) 3 minutes ago"), 1);
        for status in ["Exited (0) 3 minutes ago", "Exited (137) 3 minutes ago", "Exited (x)"] {
            assert_eq!(entry("exited", status), 0, "{status}");
        }
        assert_eq!(entry("created", "Created"), 0);
    }
}
