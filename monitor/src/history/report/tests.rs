use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<Instant>().unwrap().as_millisecond())
}

fn divided(from: &str, to: &str, per: Per, zone: &str) -> Vec<i64> {
    let window = Window { from: at(from), to: at(to) };
    let periods = periods(window, per, &TimeZone::get(zone).unwrap()).unwrap();
    for pair in periods.windows(2) {
        assert_eq!(pair[0].to, pair[1].from);
    }
    periods.iter().map(|period| (period.to.0 - period.from.0) / 3_600_000).collect()
}

#[test]
fn days_are_those_of_the_zone_with_23_and_25_hours_where_clocks_change() {
    let spring = divided("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z", Per::Day, "Europe/Berlin");
    assert_eq!(spring, [24, 23, 24]);
    let autumn = divided("2026-10-24T10:00:00Z", "2026-10-26T23:00:00Z", Per::Day, "Europe/Berlin");
    assert_eq!(autumn, [12, 25, 24]);
    assert_eq!(divided("2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z", Per::Month, "UTC"), [29 * 24]);
    assert_eq!(divided("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z", Per::Year, "UTC"), [366 * 24]);
    assert_eq!(
        divided("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", Per::Hour, "Europe/Berlin"),
        [1, 1, 1]
    );
}

#[test]
fn too_many_periods_are_refused_and_none_are_none() {
    let window = Window { from: at("2020-01-01T00:00:00Z"), to: at("2026-01-01T00:00:00Z") };
    assert!(periods(window, Per::Hour, &TimeZone::UTC).unwrap_err().contains("longer"));
    let backwards = Window { from: window.to, to: window.from };
    assert_eq!(periods(backwards, Per::Day, &TimeZone::UTC), Ok(vec![]));
    let absurd = Window { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };
    assert!(periods(absurd, Per::Year, &TimeZone::UTC).is_err());
}

mod figures {
    use std::time::Duration;

    use proptest::prelude::*;
    use wharf_catalog::{Outcome, Status};

    use super::*;
    use crate::{
        Storage,
        ledger::{
            Ledger, fill,
            write::{self, Subjects, Written},
        },
        rollup::DAY,
    };

    const NOW: i64 = 20_600 * DAY + 7 * HOUR + 13 * MINUTE + 5;
    const KEPT: Duration = Duration::from_secs(2 * 86_400);

    /// The periods of a report about runs at these times, each with its count of tests.
    fn counted(runs: &[i64], window: Window, per: Per, zone: &TimeZone) -> Vec<(Window, u64)> {
        let (ledger, mut pen) = Ledger::open(&Storage::Memory).unwrap();
        let runs: Vec<_> = runs
            .iter()
            .map(|at| Outcome {
                node: "n".into(),
                check: "c".into(),
                instance: None,
                service: "web".into(),
                status: Status::Passing,
                at: Timestamp(*at),
                response_time: None,
                output: "".into(),
            })
            .collect();
        pen.with(|c| {
            let (mut subjects, mut written) = (Subjects::default(), Written::default());
            write::samples(c, &mut subjects, &runs, KEPT, &mut written).unwrap();
            fill::pack(c, &"web".into(), &("n".into(), "c".into()), Timestamp(NOW)).unwrap();
        });
        let looker = Looker { now: Timestamp(NOW), samples_kept: KEPT, minutes_kept: KEPT };
        let periods = periods(window, per, zone).unwrap();
        let by_day = per != Per::Hour && *zone == TimeZone::UTC;
        let tests = if by_day { Tests::ByDay } else { Tests::ByHour };
        let report = ledger.read(|c| {
            let id = read::service(c, "web")?.unwrap_or(0);
            looker.report(c, id, "web".to_owned(), window, &periods, tests)
        });
        let report = report.unwrap();
        let told: Vec<_> =
            report.periods.iter().map(|p| (Window { from: p.from, to: p.to }, p.tests)).collect();
        assert_eq!(report.total.tests, told.iter().map(|(_, tests)| tests).sum::<u64>());
        told
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Counted one by one, by the minute they fell into; in the older half of the window, of which no minutes
        /// are kept, by the hour.
        #[test]
        fn tests_belong_to_the_period_of_their_minute_in_every_zone(
            runs in prop::collection::vec(0..3 * DAY, 0..200),
            (from, to) in (0..3 * DAY, 0..=DAY),
            per in prop::sample::select(vec![Per::Hour, Per::Day]),
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"]),
        ) {
            let runs: Vec<_> = runs.into_iter().map(|ago| NOW - ago).collect();
            let window = Window { from: Timestamp(NOW - DAY - from), to: Timestamp(NOW - to) };
            let zone = TimeZone::get(zone).unwrap();
            let oldest = oldest_minutes(Timestamp(NOW), KEPT);
            for (period, tests) in counted(&runs, window, per, &zone) {
                let is_within = |at: &&i64| {
                    let is_old = floor(Timestamp(**at), HOUR) < oldest;
                    let at = floor(Timestamp(**at), if is_old { HOUR } else { MINUTE });
                    // What the window only begins within is of its first period.
                    let is_cut = at < window.from.0
                        && at + if is_old { HOUR } else { MINUTE } > window.from.0;
                    let at = if is_cut { window.from.0 } else { at };
                    period.from.0 <= at && at < period.to.0
                };
                let exact = runs.iter().filter(is_within).count() as u64;
                prop_assert_eq!(tests, exact, "{:?}", period);
            }
        }
    }
}
