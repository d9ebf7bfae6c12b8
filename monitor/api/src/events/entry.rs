//! One thing that happened, whichever journal has it.

use std::str::FromStr;

use jiff::Timestamp;
use wharf_monitor::{Happened, Happening, ServiceState};
use wharf_oncall::{Event, Kind as AlertKind};
use wharf_pager::journal::Kept;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Incident,
    Page,
    Oncall,
    Service,
    Deploy,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Page => "page",
            Self::Oncall => "oncall",
            Self::Service => "service",
            Self::Deploy => "deploy",
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Incident, Self::Page, Self::Oncall, Self::Service, Self::Deploy];
        all.into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`kind`: `{text}` is none of incident, page, oncall, service, deploy"))
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Severity {
    Critical,
    Warning,
    Good,
    #[default]
    Info,
}

impl Severity {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Good => "good",
            Self::Info => "info",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// In its journal.
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    /// The entity, where the entry says it; that of an incident is in its row.
    pub(super) entity: Option<String>,
    pub(super) incident: Option<u64>,
    pub(super) by: Option<String>,
    pub(super) text: String,
}

impl Entry {
    /// What it is about; empty where only the incident's row knows.
    pub(super) fn subject(&self) -> &str {
        self.entity.as_deref().unwrap_or_default()
    }
}

impl From<Kept> for Entry {
    fn from(Kept { seq, record }: Kept) -> Self {
        let event = &record.event;
        Self {
            number: seq,
            at: record.at,
            kind: kind(event),
            severity: severity(event),
            entity: entity(event),
            incident: event.incidents().first().copied(),
            by: event.by().map(str::to_owned),
            text: event.to_string(),
        }
    }
}

fn kind(event: &Event) -> Kind {
    match event {
        Event::Sending { .. }
        | Event::HeldBack { .. }
        | Event::Delivered { .. }
        | Event::Failed { .. }
        | Event::Cancelled { .. }
        | Event::Unreached { .. }
        | Event::Dropped { .. }
        | Event::Escalated { .. } => Kind::Page,
        Event::ClockBack { .. }
        | Event::SilenceSet { .. }
        | Event::SilenceEnded { .. }
        | Event::MaintenanceSet { .. }
        | Event::MaintenanceEnded { .. }
        | Event::OverrideAdded { .. }
        | Event::SwapAdded { .. }
        | Event::AmendmentRemoved { .. } => Kind::Oncall,
        _ => Kind::Incident,
    }
}

fn severity(event: &Event) -> Severity {
    match event {
        Event::Opened { alert, .. } | Event::Joined { alert, .. } | Event::Changed { alert, .. } => {
            if alert.kind == AlertKind::Critical { Severity::Critical } else { Severity::Warning }
        }
        Event::Retriggered { .. } => Severity::Critical,
        Event::Failed { .. } | Event::Unreached { .. } | Event::HeldBack { .. } => Severity::Warning,
        Event::Recovered { .. } | Event::Resolved { .. } => Severity::Good,
        _ => Severity::Info,
    }
}

fn entity(event: &Event) -> Option<String> {
    match event {
        Event::Opened { alert, .. } | Event::Joined { alert, .. } | Event::Changed { alert, .. } => {
            Some(alert.entity.clone())
        }
        Event::Recovered { entity, .. } | Event::Muted { entity, .. } => Some(entity.clone()),
        Event::SilenceSet { id, .. } | Event::SilenceEnded { id, .. } => Some(format!("silence:{id}")),
        Event::MaintenanceSet { id, .. } | Event::MaintenanceEnded { id, .. } => {
            Some(format!("maintenance:{id}"))
        }
        Event::OverrideAdded { substitute, .. } => Some(format!("rotation:{}", substitute.rotation)),
        Event::SwapAdded { swap, .. } => Some(format!("rotation:{}", swap.rotation)),
        _ => None,
    }
}

impl From<Happening> for Entry {
    fn from(happening: Happening) -> Self {
        let (kind, severity, text) = match happening.what {
            Happened::Deploy => (Kind::Deploy, Severity::Info, happening.text),
            Happened::State(state) => {
                let severity = match state {
                    ServiceState::Down => Severity::Critical,
                    ServiceState::Up => Severity::Good,
                    ServiceState::Unmonitored | ServiceState::Starting | ServiceState::Paused => {
                        Severity::Info
                    }
                };
                (Kind::Service, severity, format!("{state}: {}", happening.text))
            }
        };
        Self {
            number: happening.id,
            at: Timestamp::from_millisecond(happening.at.0).unwrap_or_default(),
            kind,
            severity,
            entity: Some(format!("service:{}", happening.service)),
            incident: None,
            by: None,
            text,
        }
    }
}
