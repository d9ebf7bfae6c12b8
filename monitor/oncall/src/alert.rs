//! What happened, as whoever watches says it: the one shape every inbound format and the monitor speak.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an alert says of its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Well again.
    Recovery,
    /// For the record; nobody is told.
    Info,
    /// Somebody is on it.
    Acknowledgement,
    /// Wrong.
    Warning,
    /// Very wrong.
    Critical,
}

impl Kind {
    /// The word VictorOps has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovery => "RECOVERY",
            Self::Info => "INFO",
            Self::Acknowledgement => "ACKNOWLEDGEMENT",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }

    /// The word Prometheus' rules have for it by custom.
    pub fn label(self) -> &'static str {
        match self {
            Self::Recovery => "resolved",
            Self::Info => "info",
            Self::Acknowledgement => "acknowledged",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// Reads VictorOps' words, in any case; nothing if it is none of them.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "RECOVERY" | "OK" => Self::Recovery,
            "INFO" => Self::Info,
            "ACKNOWLEDGEMENT" | "ACKNOWLEDGMENT" | "ACK" => Self::Acknowledgement,
            "WARNING" => Self::Warning,
            "CRITICAL" => Self::Critical,
            _ => return None,
        })
    }

    /// Whether it says that something is wrong.
    pub fn is_problem(self) -> bool {
        matches!(self, Self::Warning | Self::Critical)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something about an entity. The same entity is the same alert, whatever else changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about, like `service:web`: alerts of one entity are one.
    pub entity: String,
    /// What it says.
    pub kind: Kind,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Who says so: `wharf`, `prometheus`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Which policy it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_key: Option<String>,
    /// Since when, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Well again at this time unless it is said again before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Who acknowledges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Alerts of one group are one incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Entities without which this one cannot be well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// Everything else that is known of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Notes for who is paged, by title: runbooks, graphs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

impl Alert {
    /// An alert that says no more than this.
    pub fn new(entity: impl Into<String>, kind: Kind) -> Self {
        Self {
            entity: entity.into(),
            kind,
            title: String::new(),
            message: String::new(),
            source: String::new(),
            routing_key: None,
            started: None,
            expires: None,
            author: None,
            group: None,
            parents: Vec::new(),
            fields: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }

    /// A field by its name or by VictorOps' name for it; what matchers, rules and `{{field}}` see.
    pub fn field(&self, name: &str) -> Option<&str> {
        let known = match name {
            "entity" | "entity_id" => self.entity.as_str(),
            "kind" | "message_type" => self.kind.as_str(),
            "title" | "entity_display_name" => &self.title,
            "message" | "state_message" => &self.message,
            "source" | "monitoring_tool" => &self.source,
            "routing_key" => self.routing_key.as_deref().unwrap_or_default(),
            "group" => self.group.as_deref().unwrap_or_default(),
            _ => "",
        };
        if !known.is_empty() {
            return Some(known);
        }
        let own = self.fields.get(name).map(String::as_str);
        // Who thinks in Prometheus' labels finds alerts by them that others sent.
        own.or_else(|| match name {
            "alertname" => Some(self.headline()),
            "severity" => Some(self.kind.label()),
            _ => None,
        })
    }

    /// Sets a field; whether that was possible.
    pub(crate) fn set(&mut self, name: &str, value: String) -> bool {
        match name {
            "entity" | "entity_id" if value.is_empty() => return false,
            "entity" | "entity_id" => self.entity = value,
            "kind" | "message_type" => match Kind::parse(&value) {
                Some(kind) => self.kind = kind,
                None => return false,
            },
            "title" | "entity_display_name" => self.title = value,
            "message" | "state_message" => self.message = value,
            "source" | "monitoring_tool" => self.source = value,
            "routing_key" => self.routing_key = Some(value),
            "group" => self.group = Some(value),
            _ => {
                self.fields.insert(name.to_owned(), value);
            }
        }
        true
    }

    /// The title, or what stands for it.
    pub fn headline(&self) -> &str {
        [&self.title, &self.message].into_iter().find(|text| !text.is_empty()).unwrap_or(&self.entity)
    }
}
