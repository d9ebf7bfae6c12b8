//! Symptoms as Alertmanager's alerts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_oncall::{
    Alert, Plan, Silence, civil,
    engine::written_silences,
    inbound::fingerprint,
    matchers::all_match,
    state::{Incident, Symptom},
};
use wharf_pager::Picture;

use super::filter::Filter;

/// What is told without an end of its own lasts at least so long.
const LASTS: std::time::Duration = std::time::Duration::from_secs(300);

/// The picture, with what is silenced now.
pub(super) struct View<'p> {
    picture: &'p Picture,
    silences: Vec<(String, Silence)>,
    now: Timestamp,
}

impl<'p> View<'p> {
    pub(super) fn of(picture: &'p Picture, now: Timestamp) -> Self {
        let made = picture.state.silences.iter().map(|(id, silence)| (id.clone(), silence.clone()));
        let mut silences: Vec<_> = written_silences(&picture.plan).into_iter().chain(made).collect();
        silences.retain(|(_, silence)| silence.is_active(now));
        Self { picture, silences, now }
    }

    pub(super) fn incidents(&self) -> impl Iterator<Item = &'p Incident> {
        self.picture.state.incidents.values()
    }

    /// The alerts of an incident that are asked for.
    pub(super) fn alerts(&self, incident: &Incident, filter: &Filter) -> Vec<Value> {
        let active = incident.active().filter(|symptom| filter.matches(|name| symptom.alert.field(name)));
        active.filter_map(|symptom| self.alert(incident, symptom, filter)).collect()
    }

    fn alert(&self, incident: &Incident, symptom: &Symptom, filter: &Filter) -> Option<Value> {
        let alert = &symptom.alert;
        let receiver = policy(&self.picture.plan, alert);
        let silenced: Vec<&str> = self
            .silences
            .iter()
            .filter(|(_, silence)| all_match(&silence.matchers, |field| alert.field(field)))
            .map(|(id, _)| id.as_str())
            .collect();
        let parents = alert.parents.iter().filter_map(|parent| incident.symptoms.get(parent));
        let inhibited: Vec<String> =
            parents.filter(|parent| parent.active).map(|parent| print(&parent.alert)).collect();
        let is_active = silenced.is_empty() && inhibited.is_empty();
        let wanted = (filter.silenced || silenced.is_empty())
            && (filter.inhibited || inhibited.is_empty())
            && (filter.active || !is_active)
            && filter.wants_receiver(receiver);
        if !wanted {
            return None;
        }
        let mut annotations = alert.notes.clone();
        let generator = annotations.remove("generator").unwrap_or_default();
        annotations.insert("summary".to_owned(), alert.headline().to_owned());
        if !alert.message.is_empty() {
            annotations.insert("description".to_owned(), alert.message.clone());
        }
        Some(json!({
            "labels": labels(alert),
            "annotations": annotations,
            "fingerprint": print(alert),
            "startsAt": alert.started.unwrap_or(symptom.since),
            "endsAt": alert.expires.unwrap_or_else(|| civil::after(self.now, LASTS)),
            "updatedAt": symptom.since,
            "generatorURL": generator,
            "receivers": [{ "name": receiver }],
            "status": {
                "state": if is_active { "active" } else { "suppressed" },
                "silencedBy": silenced,
                "inhibitedBy": inhibited,
            },
        }))
    }

    /// An incident as a group; nothing if none of it is asked for.
    pub(super) fn group(&self, incident: &Incident, filter: &Filter) -> Option<Value> {
        let alerts = self.alerts(incident, filter);
        let receiver = alerts.first()?["receivers"][0].clone();
        let mut common: Option<BTreeMap<String, String>> = None;
        for symptom in incident.active() {
            let labels = labels(&symptom.alert);
            common = Some(match common {
                None => labels,
                Some(common) => {
                    common.into_iter().filter(|(name, value)| labels.get(name) == Some(value)).collect()
                }
            });
        }
        Some(json!({ "labels": common.unwrap_or_default(), "receiver": receiver, "alerts": alerts }))
    }
}

/// The labels of an alert. One that did not come with any gets those by which a silence finds it.
fn labels(alert: &Alert) -> BTreeMap<String, String> {
    let mut labels = alert.fields.clone();
    for name in ["alertname", "severity"] {
        if let Some(value) = alert.field(name) {
            labels.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    if !alert.fields.contains_key("alertname") {
        labels.entry("entity".to_owned()).or_insert_with(|| alert.entity.clone());
    }
    labels
}

/// What Prometheus' alerts are named by; that of others is made likewise.
fn print(alert: &Alert) -> String {
    fingerprint(&labels(alert))
}

/// The policy an alert goes to.
fn policy<'p>(plan: &'p Plan, alert: &Alert) -> &'p str {
    let routed = alert.routing_key.as_ref().and_then(|key| plan.routing.keys.get(key));
    routed.or(plan.routing.default.as_ref()).map_or("default", String::as_str)
}

/// All that alerts go to.
pub(super) fn policies(plan: &Plan) -> impl Iterator<Item = &str> {
    let mut names: BTreeSet<&str> = plan.policies.keys().map(String::as_str).collect();
    names.insert(plan.routing.default.as_deref().unwrap_or("default"));
    names.into_iter()
}
