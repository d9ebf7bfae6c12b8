//! Who is on duty? Turns within the hours of duty, swaps and overrides on top, and the gaps that are left.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    civil,
    config::{Hours, Override, Plan, Swap},
    rotation::Turns,
};

/// What people changed about the schedules while wharf ran, by number. They come after the configuration's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendments {
    /// Stand-ins.
    pub overrides: BTreeMap<u64, Override>,
    /// Traded shifts.
    pub swaps: BTreeMap<u64, Swap>,
    /// Who made which.
    #[serde(default)]
    pub by: BTreeMap<u64, String>,
}

/// Somebody on duty, without interruption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// Who.
    pub user: String,
    /// From when.
    pub from: Timestamp,
    /// Until when, this moment not included.
    pub until: Timestamp,
    /// Why they.
    pub cause: Cause,
}

/// Why somebody is on duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It is their turn.
    Turn,
    /// They traded.
    Swap,
    /// They stand in.
    Override,
}

/// Nobody on duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Outside of the hours of duty, when nobody is meant to be.
    pub off_hours: bool,
}

/// A rotation with all that is to be known of it.
#[derive(Debug, Clone)]
pub struct Schedule<'a> {
    turns: Turns<'a>,
    /// Moments of the two shifts.
    swaps: Vec<(i64, i64)>,
    overrides: Vec<(Timestamp, Timestamp, &'a Override)>,
}

impl<'a> Schedule<'a> {
    /// The rotation `name`, if there is one.
    pub fn of(plan: &'a Plan, amendments: &'a Amendments, name: &str) -> Option<Self> {
        let turns = Turns::of(plan, plan.rotations.get(name)?);
        let swaps = plan.swaps.iter().chain(amendments.swaps.values()).filter(|swap| swap.rotation == name);
        let swaps = swaps.filter_map(|swap| {
            let index = |moment: crate::config::Moment| turns.index_at(moment.at(&turns.zone));
            Some((index(swap.shift)?, index(swap.with)?))
        });
        let swaps = swaps.collect();
        let overrides = plan.overrides.iter().chain(amendments.overrides.values());
        let overrides = overrides
            .filter(|entry| entry.rotation == name)
            .map(|entry| (entry.from.at(&turns.zone), entry.until.at(&turns.zone), entry))
            .filter(|(from, until, _)| from < until);
        let overrides = overrides.collect();
        Some(Self { turns, swaps, overrides })
    }

    /// Who is on duty at `at`.
    pub fn on_duty(&self, at: Timestamp) -> Option<String> {
        let shifts = self.shifts(at, civil::after(at, Duration::from_nanos(1)));
        shifts.into_iter().next().map(|shift| shift.user)
    }

    /// Is `at` within the hours of duty? Outside of them nobody is meant to be on duty.
    pub fn in_hours(&self, at: Timestamp) -> bool {
        let windows = self.windows(at, civil::after(at, Duration::from_nanos(1)));
        windows.iter().any(|&(opens, closes)| opens <= at && at < closes)
    }

    /// Who takes over after whom it is at `at`: the next turn of somebody else.
    pub fn next_in_shift(&self, at: Timestamp) -> Option<String> {
        self.neighbour(at, 1)
    }

    /// Who was on duty before whom it is at `at`: the last turn of somebody else.
    pub fn previous_in_shift(&self, at: Timestamp) -> Option<String> {
        self.neighbour(at, -1)
    }

    fn neighbour(&self, at: Timestamp, direction: i64) -> Option<String> {
        let index = self.turns.index_at(at)?;
        let now = self.on_duty(at).or_else(|| self.member(index).map(|(user, _)| user.to_owned()));
        let members = i64::try_from(self.turns.rotation.members.len()).ok()?;
        let others = (1..=members).filter_map(|distance| self.member(index + distance * direction));
        others.map(|(user, _)| user.to_owned()).find(|user| Some(user) != now.as_ref())
    }

    /// Whose shift it is after the swaps, and whether one was.
    fn member(&self, index: i64) -> Option<(&'a str, bool)> {
        let mut origin = index;
        for &(one, other) in self.swaps.iter().rev() {
            if origin == one {
                origin = other;
            } else if origin == other {
                origin = one;
            }
        }
        self.turns.member(origin).map(|user| (user, origin != index))
    }

    /// Everybody's duty that touches the time from `from` to `until`, in order, each with its full length.
    pub fn shifts(&self, from: Timestamp, until: Timestamp) -> Vec<Shift> {
        let mut shifts = self.regular(from, until);
        for (begin, end, entry) in &self.overrides {
            shifts = stand_in(shifts, *begin, *end, entry);
        }
        shifts.retain(|shift| shift.until > from && shift.from < until);
        shifts.sort_by_key(|shift| shift.from);
        shifts
    }

    /// When nobody is on duty between `from` and `until`; within the hours of duty and outside of them apart.
    pub fn gaps(&self, from: Timestamp, until: Timestamp) -> Vec<Gap> {
        let windows = self.windows(from, until);
        let mut gaps = Vec::new();
        let mut covered = from;
        for shift in self.shifts(from, until) {
            split(covered, shift.from, &windows, &mut gaps);
            covered = covered.max(shift.until);
        }
        split(covered, until, &windows, &mut gaps);
        gaps
    }

    /// Turns within the hours of duty.
    fn regular(&self, from: Timestamp, until: Timestamp) -> Vec<Shift> {
        let first = self.turns.index_at(from).unwrap_or(0);
        let mut shifts = Vec::new();
        let mut begin = self.turns.start_of(first);
        // Up to the last shift's end, so that its parts have their full length whatever window is asked for.
        let last = self.turns.index_at(until).map_or(first, |last| last.max(first));
        let windows = self.windows(begin, self.turns.start_of(last + 1));
        for index in first.. {
            if begin >= until {
                break;
            }
            let end = self.turns.start_of(index + 1);
            if let Some((user, swapped)) = self.member(index).filter(|_| begin < end) {
                let cause = if swapped { Cause::Swap } else { Cause::Turn };
                let parts = windows.iter().map(|&(opens, closes)| (opens.max(begin), closes.min(end)));
                shifts.extend(parts.filter(|(from, until)| from < until).map(|(from, until)| Shift {
                    user: user.to_owned(),
                    from,
                    until,
                    cause: cause.clone(),
                }));
            }
            begin = end;
        }
        shifts
    }

    /// The hours of duty that touch the time from `from` to `until`, merged.
    fn windows(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let hours = &self.turns.rotation.hours;
        if hours.is_empty() {
            return vec![(Timestamp::MIN, Timestamp::MAX)];
        }
        let local = |at| self.turns.zone.to_datetime(at).date();
        let (first, last) = (local(from), local(until));
        let days = first.yesterday().unwrap_or(first).series(jiff::Span::new().days(1));
        let days = days.take_while(|day| *day <= last);
        let mut windows: Vec<_> =
            days.flat_map(|day| hours.iter().filter_map(move |hours| self.window(hours, day))).collect();
        windows.sort_unstable();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(windows.len());
        for (opens, closes) in windows {
            match merged.last_mut() {
                Some(last) if opens <= last.1 => last.1 = last.1.max(closes),
                _ => merged.push((opens, closes)),
            }
        }
        merged
    }

    fn window(&self, hours: &Hours, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !hours.days.is_empty() && !hours.days.iter().any(|wanted| wanted.0 == day.weekday()) {
            return None;
        }
        let last = if hours.until > hours.from { day } else { day.tomorrow().ok()? };
        let moment = |civil| civil::moment(&self.turns.zone, civil);
        Some((moment(day.to_datetime(hours.from)), moment(last.to_datetime(hours.until))))
    }
}

/// The time from `from` to `until`, in which nobody is on duty, by the hours of duty (in order, apart from each other).
fn split(from: Timestamp, until: Timestamp, hours: &[(Timestamp, Timestamp)], gaps: &mut Vec<Gap>) {
    let mut begin = from;
    let mut add = |from: Timestamp, until: Timestamp, off_hours| {
        if from < until {
            gaps.push(Gap { from, until, off_hours });
        }
    };
    for &(opens, closes) in hours.iter().filter(|(opens, closes)| *closes > from && *opens < until) {
        add(begin, opens, true);
        add(begin.max(opens), closes.min(until), false);
        begin = closes;
    }
    add(begin, until, true);
}

/// Cuts what is replaced out of `shifts` and puts the stand-in there.
fn stand_in(shifts: Vec<Shift>, begin: Timestamp, end: Timestamp, entry: &Override) -> Vec<Shift> {
    let mut result = Vec::with_capacity(shifts.len() + 2);
    let duty = |from, until| Shift { user: entry.user.clone(), from, until, cause: Cause::Override };
    if entry.instead_of.is_none() {
        result.push(duty(begin, end));
    }
    for shift in shifts {
        let stays = entry.instead_of.as_ref().is_some_and(|user| *user != shift.user);
        let (from, until) = (shift.from.max(begin), shift.until.min(end));
        if stays || from >= until {
            result.push(shift);
            continue;
        }
        if shift.from < from {
            result.push(Shift { until: from, ..shift.clone() });
        }
        if entry.instead_of.is_some() {
            result.push(duty(from, until));
        }
        if until < shift.until {
            result.push(Shift { from: until, ..shift });
        }
    }
    result
}

#[cfg(test)]
mod tests;
