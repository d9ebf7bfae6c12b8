//! How much of the time was it up? Arithmetic over state intervals.
//!
//! Pure. Intervals of one subject do not overlap and are ordered; a moment no interval covers is
//! unmonitored. Availability is (tested - downtime) / tested, where only time up or down is tested. Time down is one
//! outage until the service is up, starts anew or is over: a pause or a gap in our knowledge does not make two of it.

use wharf_catalog::Timestamp;

use crate::view::{BarSlot, Interval, ServiceState, Window};

/// Parts of an uptime bar.
pub(crate) const SLOTS: usize = 48;

/// Time by state, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) up: u64,
    pub(crate) down: u64,
    /// Outages that touch the window.
    pub(crate) outages: u64,
    /// The worst state that was ever in force.
    pub(crate) worst: Option<ServiceState>,
}

impl Tally {
    /// (tested - downtime) / tested.
    pub(crate) fn availability(&self) -> Option<f64> {
        let tested = self.up + self.down;
        (tested > 0).then(|| self.up as f64 / tested as f64)
    }
}

/// Adds up `intervals` within `window`; nothing is known beyond `now`.
pub(crate) fn tally(intervals: &[Interval], window: Window, now: Timestamp) -> Tally {
    let mut tally = Tally::default();
    let mut is_open = false;
    for interval in intervals {
        let Some((from, to)) = clip(interval, window, now) else {
            continue;
        };
        let time = to.since(from).as_millis() as u64;
        is_open &= !interval.ends_outage();
        match interval.state {
            ServiceState::Up => tally.up += time,
            ServiceState::Down => {
                tally.down += time;
                tally.outages += u64::from(!is_open);
                is_open = true;
            }
            ServiceState::Paused | ServiceState::Starting | ServiceState::Unmonitored => {}
        }
        tally.worst = tally.worst.max(Some(interval.state));
    }
    tally
}

/// The part of `interval` that lies in `window` and is not in the future; `None` when there is none.
fn clip(interval: &Interval, window: Window, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let from = interval.from.max(window.from);
    let to = interval.to.unwrap_or(now).min(window.to).min(now);
    (from < to).then_some((from, to))
}

/// Where the parts of a bar begin, and where the last one ends.
pub(crate) type Edges = [Timestamp; SLOTS + 1];

/// `window` in 48 equal parts.
pub(crate) fn edges(window: Window) -> Edges {
    let length = (i128::from(window.to.0) - i128::from(window.from.0)).max(0);
    std::array::from_fn(|slot| {
        let at = i128::from(window.from.0) + length * slot as i128 / SLOTS as i128;
        Timestamp(i64::try_from(at).unwrap_or(i64::MAX))
    })
}

/// How it was in each of the parts.
pub(crate) fn bar(intervals: &[Interval], edges: &Edges, now: Timestamp) -> Vec<BarSlot> {
    let mut rest = intervals;
    let parts = edges.iter().zip(&edges[1..]);
    parts
        .map(|(&from, &to)| {
            // What ended before this part is of no interest to later ones either.
            let over = rest.iter().take_while(|i| i.to.is_some_and(|to| to <= from)).count();
            rest = &rest[over..];
            let reach = rest.iter().take_while(|i| i.from < to).count();
            let tally = tally(&rest[..reach], Window { from, to }, now);
            let state = tally.worst.unwrap_or(ServiceState::Unmonitored);
            BarSlot { from, to, availability: tally.availability(), state }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATES: [ServiceState; 5] = [
        ServiceState::Unmonitored,
        ServiceState::Starting,
        ServiceState::Up,
        ServiceState::Paused,
        ServiceState::Down,
    ];

    fn interval(from: i64, to: Option<i64>, state: ServiceState) -> Interval {
        Interval {
            from: Timestamp(from),
            to: to.map(Timestamp),
            state,
            reason: String::new(),
            imported: false,
        }
    }

    fn window(from: i64, to: i64) -> Window {
        Window { from: Timestamp(from), to: Timestamp(to) }
    }

    #[test]
    fn paused_and_unmonitored_time_is_not_tested() {
        let history = [
            interval(0, Some(60), ServiceState::Up),
            interval(60, Some(80), ServiceState::Down),
            interval(80, Some(500), ServiceState::Paused),
            interval(500, Some(900), ServiceState::Unmonitored),
            interval(900, None, ServiceState::Up),
        ];
        let tally = tally(&history, window(0, 1_000), Timestamp(920));
        assert_eq!((tally.up, tally.down, tally.outages), (80, 20, 1));
        assert_eq!(tally.availability(), Some(0.8));
    }

    #[test]
    fn an_outage_goes_on_over_gaps_and_pauses_and_its_downtime_does_not() {
        let gaps = [ServiceState::Unmonitored, ServiceState::Paused];
        for (gap, outages) in gaps.map(|gap| (gap, 1)).into_iter().chain([(ServiceState::Starting, 2)]) {
            let history = [
                interval(0, Some(60), ServiceState::Down),
                interval(60, Some(80), gap),
                interval(80, Some(100), ServiceState::Down),
            ];
            let tally = tally(&history, window(0, 1_000), Timestamp(1_000));
            assert_eq!((tally.down, tally.outages), (80, outages), "{gap}");
        }
        let mut history =
            [(0, 60), (60, 80), (80, 100)].map(|(from, to)| interval(from, Some(to), ServiceState::Down));
        history[1].state = ServiceState::Unmonitored;
        history[1].reason = crate::view::ENDED_DOWN.to_owned();
        assert_eq!(tally(&history, window(0, 1_000), Timestamp(1_000)).outages, 2, "it was over");
    }

    #[test]
    fn nothing_known_is_neither_up_nor_down() {
        assert_eq!(tally(&[], window(0, 100), Timestamp(100)).availability(), None);
        let backwards = tally(&[interval(0, None, ServiceState::Up)], window(50, 10), Timestamp(100));
        assert_eq!(backwards, Tally::default());
    }

    #[test]
    fn absurd_windows_do_not_overflow() {
        let history = [interval(i64::MIN, None, ServiceState::Up)];
        assert_eq!(bar(&history, &edges(window(i64::MIN, i64::MAX)), Timestamp(0)).len(), 48);
        assert_eq!(bar(&history, &edges(window(i64::MAX, i64::MIN)), Timestamp(0)).len(), 48);
    }

    /// What was in force at each millisecond, written down one by one.
    fn brute(history: &[Interval], at: i64, now: i64) -> Option<ServiceState> {
        let covers = |i: &&Interval| i.from.0 <= at && at < i.to.map_or(now, |to| to.0) && at < now;
        history.iter().find(covers).map(|i| i.state)
    }

    fn histories() -> impl Strategy<Value = Vec<Interval>> {
        let steps = prop::collection::vec((0_i64..40, 0_usize..5), 0..20);
        (0_i64..50, steps, any::<bool>()).prop_map(|(mut at, steps, open)| {
            let mut history = Vec::new();
            for (length, state) in steps {
                history.push(interval(at, Some(at + length), STATES[state]));
                at += length;
            }
            if let Some(last) = history.last_mut().filter(|_| open) {
                last.to = None;
            }
            history
        })
    }

    proptest! {
        #[test]
        fn a_tally_is_what_counting_milliseconds_gives(
            history in histories(), from in 0_i64..400, length in 0_i64..400, now in 0_i64..800,
        ) {
            let told = tally(&history, window(from, from + length), Timestamp(now));
            let states: Vec<_> = (from..from + length).map(|at| brute(&history, at, now)).collect();
            let count = |state| states.iter().filter(|s| **s == Some(state)).count() as u64;
            prop_assert_eq!(told.up, count(ServiceState::Up));
            prop_assert_eq!(told.down, count(ServiceState::Down));
            prop_assert_eq!(told.worst, states.iter().flatten().max().copied());
            // Of what tells something about outages: how often does being down begin?
            let telling = [ServiceState::Up, ServiceState::Starting, ServiceState::Down];
            let mut telling: Vec<_> = states.into_iter().flatten().filter(|s| telling.contains(s)).collect();
            telling.dedup_by_key(|state| *state == ServiceState::Down);
            let begins = telling.iter().filter(|state| **state == ServiceState::Down).count();
            prop_assert_eq!(told.outages, begins as u64);
        }

        #[test]
        fn the_bar_is_the_tally_of_each_part(history in histories(), from in 0_i64..100, length in 0_i64..900) {
            let (window, now) = (window(from, from + length), Timestamp(700));
            let bar = bar(&history, &edges(window), now);
            prop_assert_eq!((bar[0].from, bar[47].to), (window.from, window.to));
            for slot in &bar {
                let part = tally(&history, Window { from: slot.from, to: slot.to }, now);
                prop_assert_eq!(slot.availability, part.availability());
                prop_assert_eq!(slot.state, part.worst.unwrap_or(ServiceState::Unmonitored));
            }
            for (one, next) in bar.iter().zip(&bar[1..]) {
                prop_assert_eq!(one.to, next.from);
            }
        }
    }
}
