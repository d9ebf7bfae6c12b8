//! What happened to a container? Docker's events in our words; what does not concern registration is `None`.
//!
//! Reads `Type`, `Action` and `Actor` only: `status`, `id` and `from` are gone since API 1.52. Podman has words of
//! its own for some actions (`died`, `remove`), in some versions.

use bollard::models::{EventMessage, EventMessageTypeEnum};

use crate::{container::HealthStatus, signal::Signal};

/// The actions to ask Docker for.
pub const ACTIONS: [&str; 13] = [
    "start",
    "kill",
    "die",
    "destroy",
    "pause",
    "unpause",
    "rename",
    "connect",
    "disconnect",
    "health_status",
    "update",
    // Podman's own words.
    "died",
    "remove",
];

/// Something that happened to one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Docker's id of the container; of the swarm service for [`EventKind::ServiceChanged`].
    pub container: String,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It runs from now on.
    Started,
    /// A signal was sent to it.
    Signalled(Signal),
    /// Its process ended, with this exit code if that was told.
    Ended(Option<i64>),
    /// It was removed.
    Removed,
    /// It was frozen.
    Paused,
    /// It runs again after a pause.
    Unpaused,
    /// It has another name.
    Renamed,
    /// It joined or left a network.
    Rewired,
    /// Its `HEALTHCHECK` says something else than before.
    Health(HealthStatus),
    /// The swarm service was changed: its containers may be registered otherwise.
    ServiceChanged,
}

impl ContainerEvent {
    /// From Docker's message.
    pub fn from_message(message: EventMessage) -> Option<Self> {
        let actor = message.actor?;
        let attribute = |key: &str| actor.attributes.as_ref()?.get(key);
        let action = message.action?;
        if message.typ == Some(EventMessageTypeEnum::NETWORK) {
            let container = attribute("container").filter(|id| !id.is_empty())?.clone();
            let rewired = matches!(action.as_str(), "connect" | "disconnect");
            return rewired.then_some(Self { container, kind: EventKind::Rewired });
        }
        let id = || actor.id.clone().filter(|id| !id.is_empty());
        if message.typ == Some(EventMessageTypeEnum::SERVICE) {
            let changed = action == "update";
            return changed.then_some(Self { container: id()?, kind: EventKind::ServiceChanged });
        }
        let kind = match action.as_str() {
            "start" => EventKind::Started,
            "kill" => EventKind::Signalled(attribute("signal").and_then(|text| Signal::parse(text))?),
            "die" | "died" => {
                let code = attribute("exitCode").or_else(|| attribute("containerExitCode"));
                EventKind::Ended(code.and_then(|code| code.parse().ok()))
            }
            "destroy" | "remove" => EventKind::Removed,
            "pause" => EventKind::Paused,
            "unpause" => EventKind::Unpaused,
            "rename" => EventKind::Renamed,
            // Docker: `health_status: healthy`. Podman says it in an attribute.
            other => {
                let word = other.strip_prefix("health_status")?.trim_start_matches(':').trim();
                let word = if word.is_empty() { attribute("health_status")?.as_str() } else { word };
                EventKind::Health(HealthStatus::parse(word)?)
            }
        };
        Some(Self { container: id()?, kind })
    }
}

impl EventKind {
    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "start",
            Self::Signalled(_) => "kill",
            Self::Ended(_) => "die",
            Self::Removed => "destroy",
            Self::Paused => "pause",
            Self::Unpaused => "unpause",
            Self::Renamed => "rename",
            Self::Rewired => "network",
            Self::Health(_) => "health_status",
            Self::ServiceChanged => "update",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<ContainerEvent> {
        ContainerEvent::from_message(serde_json::from_str(json).unwrap())
    }

    fn event(container: &str, kind: EventKind) -> Option<ContainerEvent> {
        Some(ContainerEvent { container: container.to_owned(), kind })
    }

    #[test]
    fn an_event_is_the_same_in_both_dialects() {
        let old = r#"{"status":"kill","id":"e2a3","from":"whr-fix:1","Type":"container","Action":"kill",
            "Actor":{"ID":"e2a3","Attributes":{"image":"whr-fix:1","name":"whr-fix","signal":"9"}},
            "scope":"local","time":1795343359,"timeNano":1795343359083434962}"#;
        let new = r#"{"Type":"container","Action":"kill","Actor":{"ID":"e2a3","Attributes":{"signal":"9"}}}"#;
        assert_eq!(read(old), event("e2a3", EventKind::Signalled(Signal::KILL)));
        assert_eq!(read(new), read(old));
    }

    fn recorded(lines: &str) -> Vec<EventKind> {
        lines.lines().filter_map(read).map(|event| event.kind).collect()
    }

    #[test]
    fn the_recorded_life_of_a_container_reads_the_same_in_both_dialects() {
        let old = recorded(include_str!("../tests/fixtures/events-1.41.jsonl"));
        assert_eq!(recorded(include_str!("../tests/fixtures/events-1.52.jsonl")), old);
        assert_eq!(
            old,
            [
                EventKind::Rewired,
                EventKind::Started,
                EventKind::Health(HealthStatus::Healthy),
                EventKind::Paused,
                EventKind::Unpaused,
                EventKind::Rewired,
                EventKind::Rewired,
                EventKind::Rewired,
                EventKind::Renamed,
                EventKind::Signalled(Signal::TERM),
                EventKind::Ended(Some(3)),
                EventKind::Rewired,
                EventKind::Removed,
            ]
        );
    }

    #[test]
    fn podman_tells_no_signal_and_says_remove() {
        let life = recorded(include_str!("../tests/fixtures/events-podman.jsonl"));
        assert_eq!(
            life,
            [
                EventKind::Started,
                EventKind::Paused,
                EventKind::Unpaused,
                EventKind::Renamed,
                EventKind::Ended(Some(0)),
                EventKind::Started,
                EventKind::Ended(Some(137)),
                EventKind::Removed,
            ]
        );
    }

    #[test]
    fn a_network_event_concerns_the_container_it_names() {
        let json = r#"{"Type":"network","Action":"disconnect",
            "Actor":{"ID":"6a5a","Attributes":{"container":"e2a3","name":"bridge","type":"bridge"}}}"#;
        assert_eq!(read(json), event("e2a3", EventKind::Rewired));
    }

    #[test]
    fn health_and_ends_are_read_in_the_words_of_docker_and_of_podman() {
        let container = |action: &str, attributes: &str| {
            read(&format!(
                r#"{{"Type":"container","Action":"{action}","Actor":{{"ID":"e2a3","Attributes":{{{attributes}}}}}}}"#
            ))
        };
        let healthy = event("e2a3", EventKind::Health(HealthStatus::Healthy));
        assert_eq!(container("health_status: healthy", ""), healthy);
        assert_eq!(container("health_status", r#""health_status":"healthy""#), healthy);
        assert_eq!(container("health_status", ""), None);
        let failed = event("e2a3", EventKind::Ended(Some(1)));
        assert_eq!(container("die", r#""exitCode":"1""#), failed);
        assert_eq!(container("died", r#""containerExitCode":"1""#), failed);
        assert_eq!(container("remove", ""), event("e2a3", EventKind::Removed));
        let service = r#"{"Type":"service","Action":"update","Actor":{"ID":"s1"}}"#;
        assert_eq!(read(service), event("s1", EventKind::ServiceChanged));
    }

    #[test]
    fn what_does_not_concern_registration_is_nothing() {
        for json in [
            "{}",
            r#"{"Type":"container","Action":"start"}"#,
            r#"{"Type":"container","Action":"start","Actor":{"ID":""}}"#,
            r#"{"Type":"container","Action":"kill","Actor":{"ID":"e2a3","Attributes":{"signal":"x"}}}"#,
            r#"{"Type":"container","Action":"exec_start: sh","Actor":{"ID":"e2a3"}}"#,
            r#"{"Type":"network","Action":"connect","Actor":{"ID":"6a5a"}}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
