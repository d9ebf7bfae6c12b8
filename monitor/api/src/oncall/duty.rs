//! Who is on duty, who would be paged, shifts and gaps.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_oncall::{
    Amendments, Plan, Schedule, Shift, civil,
    config::{Override, Rotation, Swap},
    preview,
    state::To,
};
use wharf_pager::{Picture, plan::Origin};

use super::calendar;
use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Query, duration, moment},
};

const DAY: Duration = Duration::from_secs(86_400);
/// What is shown where no end is asked for.
const USUAL: Duration = Duration::from_secs(14 * 86_400);
/// The longest stretch that is asked for at once.
const LONGEST: Duration = Duration::from_secs(370 * 86_400);
/// How far the next shift is looked for, step by step: few rotations need more than the first.
const AHEAD: [u32; 4] = [2, 15, 70, 370];
/// The longest preview.
const LONGEST_PREVIEW: Duration = Duration::from_secs(7 * 86_400);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    at: Option<String>,
}

pub(super) async fn now(State(api): State<Api>, Query(asked): Query<At>) -> Answer {
    let at = moment_or(asked.at.as_deref(), "at", api.now())?;
    let Picture { plan, state, .. } = api.pager.picture();
    let rotations = plan.rotations.iter().map(|(name, rotation)| {
        let mut shown = heading(&plan, name, rotation);
        let schedule = Schedule::of(&plan, &state.amendments, name);
        let (on_duty, next) = schedule.as_ref().map(|schedule| duty(schedule, at)).unwrap_or_default();
        shown["calendar"] = json!(calendar::address(&api, "rotation", name));
        shown["on_duty"] = json!(on_duty.map(|shift| self::shift(&plan, &shift)));
        shown["next"] = json!(next.map(|shift| self::shift(&plan, &shift)));
        shown["in_hours"] = json!(schedule.is_some_and(|schedule| schedule.in_hours(at)));
        shown
    });
    Ok(fresh(json!({ "at": at, "rotations": rotations.collect::<Vec<_>>() })))
}

/// Whose shift it is, and the one that begins next.
fn duty(schedule: &Schedule<'_>, at: Timestamp) -> (Option<Shift>, Option<Shift>) {
    for days in AHEAD {
        let mut shifts = schedule.shifts(at, civil::after(at, DAY * days)).into_iter().peekable();
        let on_duty = shifts.next_if(|shift| shift.from <= at);
        if let Some(next) = shifts.find(|shift| shift.from > at) {
            return (on_duty, Some(next));
        }
    }
    (schedule.shifts(at, civil::after(at, Duration::from_nanos(1))).into_iter().next(), None)
}

fn heading(plan: &Plan, name: &str, rotation: &Rotation) -> Value {
    let zone = plan.zone_of(rotation);
    json!({ "rotation": name, "team": rotation.team, "time_zone": zone.iana_name().unwrap_or("UTC") })
}

fn shift(plan: &Plan, shift: &Shift) -> Value {
    let name = plan.users.get(&shift.user).and_then(|user| user.name.as_ref());
    json!({
        "user": shift.user,
        "name": name.unwrap_or(&shift.user),
        "from": shift.from,
        "until": shift.until,
        "cause": shift.cause,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Who {
    at: Option<String>,
    routing_key: Option<String>,
    #[serde(rename = "for")]
    lasts: Option<String>,
}

pub(super) async fn who(State(api): State<Api>, Query(asked): Query<Who>) -> Answer {
    let at = moment_or(asked.at.as_deref(), "at", api.now())?;
    let horizon = asked.lasts.as_deref().map(|text| duration("for", text)).transpose()?;
    let horizon = horizon.unwrap_or(Duration::from_secs(3600));
    if horizon > LONGEST_PREVIEW {
        return Err(Failure::bad("`for` is longer than 7 days"));
    }
    let Picture { plan, state, .. } = api.pager.picture();
    let key = asked.routing_key.filter(|key| !key.is_empty());
    let policy = key.as_ref().and_then(|key| plan.routing.keys.get(key)).or(plan.routing.default.as_ref());
    let policy = policy.cloned();
    let planned = {
        let (plan, key) = (plan.clone(), key.clone());
        let ask = move || preview::who(&plan, &state.amendments, key.as_deref(), at, horizon);
        tokio::task::spawn_blocking(ask).await.map_err(|error| Failure::bad(error.to_string()))?
    };
    let planned: Vec<Value> = planned.iter().map(message).collect();
    Ok(fresh(json!({ "at": at, "routing_key": key, "policy": policy, "planned": planned })))
}

fn message(planned: &preview::Planned) -> Value {
    let (user, contact, kind, receiver) = match &planned.to {
        To::User { user, contact, kind } => (Some(user), Some(contact), Some(kind), None),
        To::Receiver { receiver } => (None, None, None, Some(receiver)),
    };
    json!({
        "at": planned.at,
        "user": user,
        "contact": contact,
        "kind": kind,
        "receiver": receiver,
        "reason": planned.reason,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stretch {
    from: Option<String>,
    until: Option<String>,
    rotation: Option<String>,
}

pub(super) async fn schedule(State(api): State<Api>, Query(asked): Query<Stretch>) -> Answer {
    let from = moment_or(asked.from.as_deref(), "from", api.now())?;
    let until = moment_or(asked.until.as_deref(), "until", civil::after(from, USUAL))?;
    if until <= from || civil::elapsed(from, until) > LONGEST {
        return Err(Failure::bad("`until` does not lie after `from`, or more than 370 days after it"));
    }
    let Picture { plan, state, .. } = api.pager.picture();
    let wanted = asked.rotation.filter(|name| !name.is_empty());
    if let Some(name) = wanted.as_ref().filter(|name| !plan.rotations.contains_key(*name)) {
        return Err(Failure::unknown(format!("no rotation `{name}`")));
    }
    let make = move || stretch(&plan, &state.amendments, wanted.as_deref(), from, until);
    let schedule = tokio::task::spawn_blocking(make).await;
    Ok(fresh(schedule.map_err(|error| Failure::bad(error.to_string()))?))
}

fn stretch(
    plan: &Arc<Plan>,
    amendments: &Amendments,
    wanted: Option<&str>,
    from: Timestamp,
    until: Timestamp,
) -> Value {
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let rotations = plan.rotations.iter().filter(|(name, _)| is_wanted(name));
    let rotations = rotations.filter_map(|(name, rotation)| {
        let schedule = Schedule::of(plan, amendments, name)?;
        let mut shown = heading(plan, name, rotation);
        shown["shifts"] = schedule.shifts(from, until).iter().map(|found| shift(plan, found)).collect();
        shown["gaps"] = json!(schedule.gaps(from, until));
        Some(shown)
    });
    let rotations: Vec<Value> = rotations.collect();
    let written = plan.overrides.iter().map(|found| (None, found));
    let made = amendments.overrides.iter().map(|(id, found)| (Some(*id), found));
    let overrides = written.chain(made).filter(|(_, found)| is_wanted(&found.rotation));
    let touches = |found: &Override| {
        let zone = zone_of(plan, &found.rotation);
        found.from.at(&zone) < until && found.until.at(&zone) > from
    };
    let overrides: Vec<Value> = overrides
        .filter(|(_, found)| touches(found))
        .map(|(id, found)| substitute(plan, amendments, id, found))
        .collect();
    let written = plan.swaps.iter().map(|found| (None, found));
    let made = amendments.swaps.iter().map(|(id, found)| (Some(*id), found));
    let swaps = written.chain(made).filter(|(_, found)| is_wanted(&found.rotation));
    let swaps: Vec<Value> = swaps.map(|(id, found)| trade(plan, amendments, id, found)).collect();
    json!({ "from": from, "until": until, "rotations": rotations, "overrides": overrides, "swaps": swaps })
}

fn zone_of(plan: &Plan, rotation: &str) -> jiff::tz::TimeZone {
    plan.rotations.get(rotation).map_or_else(|| plan.time_zone.0.clone(), |found| plan.zone_of(found))
}

fn origin(id: Option<u64>) -> Origin {
    if id.is_some() { Origin::Api } else { Origin::File }
}

/// An override as it is shown.
pub(super) fn substitute(plan: &Plan, amendments: &Amendments, id: Option<u64>, found: &Override) -> Value {
    let zone = zone_of(plan, &found.rotation);
    json!({
        "id": id,
        "origin": origin(id),
        "by": id.and_then(|id| amendments.by.get(&id)),
        "rotation": found.rotation,
        "user": found.user,
        "instead_of": found.instead_of,
        "from": found.from.at(&zone),
        "until": found.until.at(&zone),
        "reason": found.reason,
    })
}

/// A swap as it is shown.
pub(super) fn trade(plan: &Plan, amendments: &Amendments, id: Option<u64>, found: &Swap) -> Value {
    let zone = zone_of(plan, &found.rotation);
    json!({
        "id": id,
        "origin": origin(id),
        "by": id.and_then(|id| amendments.by.get(&id)),
        "rotation": found.rotation,
        "shift": found.shift.at(&zone),
        "with": found.with.at(&zone),
        "reason": found.reason,
    })
}

fn moment_or(text: Option<&str>, field: &str, otherwise: Timestamp) -> Result<Timestamp, Failure> {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => moment(field, text),
        None => Ok(otherwise),
    }
}
