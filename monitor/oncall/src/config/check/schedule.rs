//! Can a stand-in, a swap, a window of maintenance be what it says?

use std::time::Duration;

use super::{Check, matchers};
use crate::{
    config::{
        Config, Maintenance, Moment, Override, Swap,
        problem::{Complaints, Place},
    },
    rotation::Turns,
};

/// A recurring window longer than this would be no exception any more.
const LONGEST_WINDOW: Duration = Duration::from_secs(7 * 86_400);

pub(in crate::config) fn substitute(
    config: &Config,
    entry: &Override,
    place: &Place,
    complaints: &mut Complaints,
) {
    let mut check = Check { config, complaints };
    check.pageable(&entry.user, place.at("user"));
    if let Some(user) = &entry.instead_of {
        check.user(user, place.at("instead_of"));
    }
    let Some(rotation) = check.rotation(&entry.rotation, place.at("rotation")) else {
        return;
    };
    let zone = rotation.time_zone.as_ref().unwrap_or(&config.time_zone);
    if entry.until.at(&zone.0) <= entry.from.at(&zone.0) {
        check.add(place.at("until"), "does not lie after `from`; correct one of them");
    }
}

pub(in crate::config) fn swap(config: &Config, entry: &Swap, place: &Place, complaints: &mut Complaints) {
    let mut check = Check { config, complaints };
    let Some(rotation) = check.rotation(&entry.rotation, place.at("rotation")) else {
        return;
    };
    let zone = rotation.time_zone.as_ref().unwrap_or(&config.time_zone).0.clone();
    let turns = Turns { rotation, zone };
    let mut shift = |key, moment: Moment| {
        let index = turns.index_at(moment.at(&turns.zone));
        if index.is_none() {
            let first = rotation.start.0;
            let message = format!("lies before the rotation's first shift, which begins {first}");
            check.add(place.at(key), message);
        }
        index
    };
    let (one, other) = (shift("shift", entry.shift), shift("with", entry.with));
    if let (Some(one), Some(other)) = (one, other)
        && one == other
    {
        let at = |index| turns.zone.to_datetime(turns.start_of(index));
        let message = format!(
            "lies in the same shift as `shift`, from {} until {}; name a moment of another",
            at(one),
            at(one.saturating_add(1))
        );
        check.add(place.at("with"), message);
    }
}

pub(in crate::config) fn maintenance(
    config: &Config,
    window: &Maintenance,
    place: &Place,
    complaints: &mut Complaints,
) {
    matchers(&window.matchers, place, complaints);
    let zone = &window.time_zone.as_ref().unwrap_or(&config.time_zone).0;
    if let (Some(from), Some(until)) = (window.from, window.until)
        && until.at(zone) <= from.at(zone)
    {
        complaints.add(place.at("until"), "does not lie after `from`; correct one of them");
    }
    for (i, day) in window.days_of_month.iter().enumerate() {
        if !(1..=31).contains(&day.unsigned_abs()) {
            let message = format!("{day} is no day of a month; write 1 to 31, or -1 for the last");
            complaints.add(place.at("days_of_month").at(i), message);
        }
    }
    let recurs = window.at.is_some() || !window.days.is_empty() || !window.days_of_month.is_empty();
    match (window.at, window.lasts) {
        (Some(_), Some(lasts)) if lasts.0.is_zero() || lasts.0 > LONGEST_WINDOW => {
            complaints.add(place.at("lasts"), "is more than nothing and at most 7 days");
        }
        (Some(_), Some(_)) => {}
        (None, None) if !recurs && window.from.is_some() && window.until.is_some() => {}
        _ => complaints.add(
            place.clone(),
            "needs `from` and `until` to be once, or `at` and `lasts` (and `days` or `days_of_month`) to recur",
        ),
    }
}
