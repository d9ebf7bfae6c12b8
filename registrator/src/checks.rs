//! Which health checks does a container ask for, and what if it asks for none, or for nonsense?
//!
//! The first check has Registrator's keys (`CHECK_HTTP` ...) and its precedence: HTTP, HTTPS, CMD, SCRIPT, TTL, TCP,
//! GRPC. Further ones carry a number (`CHECK_2_HTTP`) and take what they do not say from the first
//! (`CHECK_INTERVAL`). A container that asks for none has its `HEALTHCHECK`, pushed by the engine, or else the
//! default check. What cannot be had is complained about and passed over, down to a TCP check: asking for a check
//! never leads to an instance that is passing unchecked.

mod kind;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use wharf_catalog::{Check, Probe, ProbeKind, Status};

use crate::{
    complaint::Complaint,
    config::{Config, ContainerHealthChecks, DefaultCheck},
    container::Container,
    duration,
    labels::{Label, yes_or_no},
    place::Place,
};

/// No check of a container runs more often than this.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// Longer durations are slips of the pen.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
/// Kinds of checks that a label asks for.
const KINDS: [&str; 7] = ["http", "https", "cmd", "script", "ttl", "tcp", "grpc"];

/// What checks are made for.
#[derive(Debug)]
pub struct Target<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The container.
    pub container: &'a Container,
    /// What it asks for on this port.
    pub labels: &'a BTreeMap<&'a str, &'a Label>,
    /// Can the port be connected to?
    pub tcp: bool,
    /// Where the instance is registered.
    pub registered: &'a Place,
    /// Where TCP checks connect to.
    pub probed: &'a Place,
}

/// The checks of one instance.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// All of them.
    pub all: Vec<Check>,
    /// Id of the one that says what the container's `HEALTHCHECK` says.
    pub health: Option<Arc<str>>,
}

/// One check that is asked for: the first, or one with a number.
struct Asked<'a> {
    target: &'a Target<'a>,
    number: Option<u8>,
}

impl Target<'_> {
    /// The checks of the instance `id` of service `name` on `node`.
    pub fn checks(
        &self,
        node: &Arc<str>,
        id: &Arc<str>,
        name: &str,
        complaints: &mut Vec<Complaint>,
    ) -> Checks {
        let draft = |suffix: &str, title: &str| Check {
            instance: Some(id.clone()),
            ..Check::new(
                node.clone(),
                format!("service:{id}{suffix}"),
                format!("Service '{name}' check{title}"),
            )
        };
        let first = Asked { target: self, number: None };
        let mut checks = Checks::default();
        let probed = first.probe(complaints);
        let by_health = self.by_health(first.asks(), complaints);
        if let Some(probe) = probed.or_else(|| self.default_probe(&first, by_health, complaints)) {
            checks.all.push(first.fill(draft("", ""), probe, complaints));
        }
        if by_health {
            let suffix = if checks.all.is_empty() { "" } else { ":healthcheck" };
            let status = first.initial_status(complaints);
            let check = Check { status, type_label: HEALTHCHECK.to_owned(), ..draft(suffix, "") };
            checks.health = Some(check.id.clone());
            checks.all.push(check);
        }
        for number in self.numbers() {
            let asked = Asked { target: self, number: Some(number) };
            if let Some(probe) = asked.probe(complaints) {
                let draft = draft(&format!(":{number}"), &format!(" {number}"));
                checks.all.push(asked.fill(draft, probe, complaints));
            }
        }
        checks
    }

    /// Does the container's `HEALTHCHECK` count?
    fn by_health(&self, asks_otherwise: bool, complaints: &mut Vec<Complaint>) -> bool {
        let has = self.container.health.is_some();
        let label = self.labels.get("check_docker").copied();
        let wanted = label.and_then(|label| match yes_or_no(&label.value) {
            Some(true) if !has => {
                let problem = "the container has no `HEALTHCHECK`";
                complaints.push(self.complaint(
                    label,
                    problem,
                    "add one to its image, or ask for another check",
                ));
                None
            }
            Some(wanted) => Some(wanted),
            None => {
                complaints.push(self.complaint(
                    label,
                    "neither true nor false, ignored",
                    "write `true` or `false`",
                ));
                None
            }
        });
        has && wanted.unwrap_or(match self.config.container_health {
            ContainerHealthChecks::Auto => !asks_otherwise,
            ContainerHealthChecks::Always => true,
            ContainerHealthChecks::Never => false,
        })
    }

    /// The check of a container that asked for none, or for what cannot be had.
    fn default_probe(
        &self,
        first: &Asked<'_>,
        by_health: bool,
        complaints: &mut Vec<Complaint>,
    ) -> Option<Probe> {
        let wanted = self.config.default_check == DefaultCheck::Tcp || first.asks();
        if by_health || !wanted || !self.config.checks_are_run {
            return None;
        }
        let interval = self.config.default_check_interval;
        Some(first.paced(Probe { interval, ..Probe::new(self.tcp()?) }, complaints))
    }

    fn numbers(&self) -> BTreeSet<u8> {
        let number = |key: &&str| {
            let (number, kind) = key.strip_prefix("check_")?.split_once('_')?;
            KINDS.contains(&kind).then(|| number.parse().ok()).flatten().filter(|number| *number > 0)
        };
        self.labels.keys().filter_map(number).collect()
    }

    fn tcp(&self) -> Option<ProbeKind> {
        self.tcp.then(|| ProbeKind::Tcp { address: self.probed.to_string() })
    }

    fn complaint(&self, label: &Label, problem: impl Into<String>, remedy: &str) -> Complaint {
        Complaint::new(&self.container.name, &label.key, &label.value, problem, remedy)
    }
}

/// The type of a check that says what the container's `HEALTHCHECK` says.
pub const HEALTHCHECK: &str = "healthcheck";

impl Asked<'_> {
    /// Does any label ask for this check?
    fn asks(&self) -> bool {
        KINDS.iter().any(|kind| self.own(kind).is_some())
    }

    /// What to run, and how often.
    fn probe(&self, complaints: &mut Vec<Complaint>) -> Option<Probe> {
        let kind = self.kind(complaints)?;
        Some(self.paced(Probe::new(kind), complaints))
    }

    fn paced(&self, probe: Probe, complaints: &mut Vec<Complaint>) -> Probe {
        let interval = self.duration("interval", SHORTEST_INTERVAL, complaints);
        let timeout = self.duration("timeout", Duration::from_millis(1), complaints);
        Probe {
            interval: interval.unwrap_or(probe.interval),
            timeout: timeout.unwrap_or(Duration::from_secs(10)),
            deregister_after: self.duration("deregister_after", Duration::from_secs(1), complaints),
            ..probe
        }
    }

    fn fill(&self, draft: Check, probe: Probe, complaints: &mut Vec<Complaint>) -> Check {
        Check {
            status: self.initial_status(complaints),
            type_label: probe.kind.label().to_owned(),
            probe: Some(probe),
            ..draft
        }
    }

    fn initial_status(&self, complaints: &mut Vec<Complaint>) -> Status {
        let Some(label) = self.get("initial_status") else {
            return Status::Critical;
        };
        label.value.parse().unwrap_or_else(|_| {
            let remedy = "use `passing`, `warning` or `critical`";
            complaints.push(self.target.complaint(label, "unknown status, `critical` is used", remedy));
            Status::Critical
        })
    }

    fn duration(&self, key: &str, shortest: Duration, complaints: &mut Vec<Complaint>) -> Option<Duration> {
        self.read_duration(self.get(key)?, shortest, complaints)
    }

    fn read_duration(
        &self,
        label: &Label,
        shortest: Duration,
        complaints: &mut Vec<Complaint>,
    ) -> Option<Duration> {
        let parsed = duration::parse(&label.value).filter(|d| (shortest..=LONGEST).contains(d));
        if parsed.is_none() {
            let problem = format!("not a duration from {shortest:?} to a year, ignored");
            let remedy = "write a number with a unit, such as `10s` or `1m30s`";
            complaints.push(self.target.complaint(label, problem, remedy));
        }
        parsed
    }

    /// What this check says under `key`.
    fn own(&self, key: &str) -> Option<&Label> {
        let key = match self.number {
            None => format!("check_{key}"),
            Some(number) => format!("check_{number}_{key}"),
        };
        self.target.labels.get(key.as_str()).copied()
    }

    /// What this check, or else the first one, says under `key`.
    fn get(&self, key: &str) -> Option<&Label> {
        let first = || self.target.labels.get(format!("check_{key}").as_str()).copied();
        self.own(key).or_else(first)
    }
}
