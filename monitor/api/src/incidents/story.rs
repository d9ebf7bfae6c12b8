//! One incident with all that is known of it: symptoms, timeline, who is being paged, messages.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_oncall::{
    Alert, Event,
    state::{Assignment, Incident},
};
use wharf_pager::journal::{DeliveryQuery, IncidentRow, Kept, RecordQuery};

use crate::{Api, answer::Failure};

/// Most entries of a timeline, and most messages.
const MOST: usize = 1_000;
/// Most records from which the symptoms of what is over are told.
const MOST_RECORDS: usize = 20_000;
/// Most incidents that are looked up for having become a part of this one.
const MOST_PARTS: usize = 100;

pub(super) async fn of(api: &Api, row: IncidentRow) -> Result<Value, Failure> {
    let picture = api.pager.picture();
    let open = picture.state.incidents.get(&row.id);
    let timeline = RecordQuery { incident: Some(row.id), limit: MOST, ..RecordQuery::default() };
    let timeline = api.pager.records(timeline).await?;
    let deliveries = DeliveryQuery { incident: Some(row.id), limit: MOST, ..DeliveryQuery::default() };
    let deliveries = api.pager.deliveries(deliveries).await?;
    let symptoms = match open {
        Some(incident) => present(incident),
        None => past(&records_of(api, row.id).await?),
    };
    let mut story = serde_json::to_value(&row).map_err(|error| Failure::bad(error.to_string()))?;
    story["journal"] = json!(picture.journal);
    story["symptoms_list"] = symptoms.values().map(Symptom::shown).collect();
    story["timeline"] = timeline.iter().map(entry).collect();
    story["paging"] = open.map(paging).unwrap_or_else(|| json!([]));
    story["escalation"] = open.map(escalation).unwrap_or_else(|| json!([]));
    story["deliveries"] = json!(deliveries);
    Ok(story)
}

/// A record in a timeline.
fn entry(kept: &Kept) -> Value {
    let event = &kept.record.event;
    json!({
        "seq": kept.seq,
        "at": kept.record.at,
        "event": event.kind(),
        "by": event.by(),
        "text": event.to_string(),
    })
}

struct Symptom {
    alert: Alert,
    active: bool,
    since: Timestamp,
}

impl Symptom {
    fn shown(&self) -> Value {
        json!({
            "entity": self.alert.entity,
            "title": self.alert.headline(),
            "message": self.alert.message,
            "severity": self.alert.kind.as_str(),
            "active": self.active,
            "since": self.since,
        })
    }
}

fn present(incident: &Incident) -> BTreeMap<String, Symptom> {
    let symptoms = incident.symptoms.iter();
    let symptom = |(entity, found): (&String, &wharf_oncall::state::Symptom)| {
        let symptom = Symptom { alert: found.alert.clone(), active: found.active, since: found.since };
        (entity.clone(), symptom)
    };
    symptoms.map(symptom).collect()
}

/// The records of an incident that is over, and of those that became a part of it.
async fn records_of(api: &Api, id: u64) -> Result<Vec<Kept>, Failure> {
    let (mut ids, mut looked) = (vec![id], 0);
    let mut all: BTreeMap<u64, Kept> = BTreeMap::new();
    while let Some(id) = ids.get(looked).copied() {
        looked += 1;
        let query = RecordQuery { incident: Some(id), limit: MOST_RECORDS, ..RecordQuery::default() };
        for kept in api.pager.records(query).await? {
            if let Event::Merged { incident, into, .. } = &kept.record.event
                && *into == id
                && ids.len() < MOST_PARTS
                && !ids.contains(incident)
            {
                ids.push(*incident);
            }
            all.insert(kept.seq, kept);
        }
    }
    Ok(all.into_values().collect())
}

fn past(records: &[Kept]) -> BTreeMap<String, Symptom> {
    let mut symptoms: BTreeMap<String, Symptom> = BTreeMap::new();
    for Kept { record, .. } in records {
        match &record.event {
            Event::Opened { alert, .. } | Event::Joined { alert, .. } | Event::Changed { alert, .. } => {
                let since = symptoms.get(&alert.entity).map_or(record.at, |known| known.since);
                let symptom = Symptom { alert: alert.clone(), active: false, since };
                symptoms.insert(alert.entity.clone(), symptom);
            }
            _ => {}
        }
    }
    symptoms
}

fn paging(incident: &Incident) -> Value {
    if !incident.is_pageable() {
        return json!([]);
    }
    let chain = |(user, chain): (&String, &wharf_oncall::state::Chain)| json!({ "user": user, "because": chain.because, "since": chain.since, "next": chain.due });
    incident.chains.iter().map(chain).collect()
}

fn escalation(incident: &Incident) -> Value {
    if !incident.is_pageable() {
        return json!([]);
    }
    let tracks = incident.tracks.iter().filter(|track| track.due.is_some());
    let track = |track: &wharf_oncall::state::Track| {
        let (policy, user) = match &track.runs {
            Assignment::Policy(policy) => (Some(policy), None),
            Assignment::User(user) => (None, Some(user)),
        };
        json!({
            "policy": policy,
            "user": user,
            "round": track.round,
            "step": track.step + 1,
            "due": track.due,
        })
    };
    tracks.map(track).collect()
}
