//! The schedule against a model that walks a wall clock minute by minute.

use jiff::{
    SignedDuration, ToSpan,
    civil::{DateTime, Time, date},
    tz::TimeZone,
};
use proptest::prelude::*;

use super::*;
use crate::config::{Config, Day, Moment, Plan, Rotation, Start, Unit, User, Zone};

/// Zones with every kind of jump, and moments just before they jump (or a month or a leap year does).
const PLACES: [(&str, &str); 14] = [
    ("Europe/Madrid", "2026-03-27T12:00"),
    ("Europe/Madrid", "2026-10-23T12:00"),
    ("America/New_York", "2026-03-06T12:00"),
    ("America/New_York", "2026-10-30T12:00"),
    ("Australia/Lord_Howe", "2026-04-03T12:00"),
    ("Australia/Lord_Howe", "2026-10-02T12:00"),
    ("Antarctica/Troll", "2026-03-27T12:00"),
    ("Antarctica/Troll", "2026-10-23T12:00"),
    ("Africa/Casablanca", "2026-02-13T12:00"),
    ("America/St_Johns", "2026-03-06T12:00"),
    ("Pacific/Apia", "2011-12-28T12:00"),
    ("Asia/Kathmandu", "2028-02-27T12:00"),
    ("UTC", "2028-02-27T12:00"),
    ("UTC", "2026-01-29T12:00"),
];

/// `WHARF_CASES=5000` looks longer.
fn cases() -> u32 {
    std::env::var("WHARF_CASES").map_or(48, |cases| cases.parse().unwrap())
}

const USERS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
struct Case {
    plan: Plan,
    begin: Timestamp,
    days: i64,
}

fn hours() -> impl Strategy<Value = Hours> {
    let time =
        || (0..24i8, prop::sample::select(vec![0i8, 15, 30])).prop_map(|(h, m)| Time::constant(h, m, 0, 0));
    let days = prop::collection::vec(0..7i8, 0..4);
    (days, time(), time()).prop_map(|(days, from, until)| Hours {
        days: days
            .into_iter()
            .map(|day| Day(jiff::civil::Weekday::from_monday_zero_offset(day).unwrap()))
            .collect(),
        from,
        until,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let unit = prop::sample::select(vec![Unit::Hour, Unit::Day, Unit::Week, Unit::Month]);
    let rotation = (unit, 1..13u32, 0..600i64, 0..24i64, prop::sample::select(vec![0i64, 15, 30]));
    let entry = (0..6000i64, 30..3000i64, 0..3usize, prop::option::of(0..3usize));
    let more = (
        prop::collection::vec(hours(), 0..3),
        prop::collection::vec(entry, 0..4),
        prop::collection::vec((0..9000i64, 0..9000i64), 0..3),
        1..4usize,
    );
    (0..PLACES.len(), rotation, more).prop_map(|(place, rotation, more)| built(place, rotation, more))
}

type Entry = (i64, i64, usize, Option<usize>);
type More = (Vec<Hours>, Vec<Entry>, Vec<(i64, i64)>, usize);

fn built(
    place: usize,
    (every, shift_length, days_ago, hour, minute): (Unit, u32, i64, i64, i64),
    (hours, overrides, swaps, members): More,
) -> Case {
    let (zone, civil) = PLACES[place];
    let zone = TimeZone::get(zone).unwrap();
    let middle: DateTime = civil.parse().unwrap();
    let start = middle.date().to_datetime(Time::midnight());
    // The first handoff may lie within the window, so that the time before it is looked at too.
    let start = start
        .saturating_sub((days_ago - 2).days())
        .saturating_add(hour.hours())
        .saturating_add(minute.minutes());
    let begin = civil::moment(&zone, middle);
    let minutes = |n: i64| Moment::Absolute(begin + SignedDuration::from_mins(n));
    let rotation = Rotation {
        team: None,
        time_zone: Some(Zone(zone.clone())),
        start: Start(start),
        every,
        shift_length,
        members: USERS[..members].iter().map(ToString::to_string).collect(),
        hours,
    };
    let first = civil::moment(&zone, start);
    let swap = |(one, other): (i64, i64)| Swap {
        rotation: "r".to_owned(),
        shift: Moment::Absolute(first + SignedDuration::from_mins(one * 100)),
        with: Moment::Absolute(first + SignedDuration::from_mins(other * 100)),
        reason: String::new(),
    };
    let substitute = |(from, length, user, instead): Entry| Override {
        rotation: "r".to_owned(),
        user: USERS[user].to_owned(),
        instead_of: instead.map(|user| USERS[user].to_owned()),
        from: minutes(from - 600),
        until: minutes(from - 600 + length),
        reason: String::new(),
    };
    let user = || {
        let mut user = User::default();
        let url = crate::Secret::new("https://chat.example/x");
        user.contacts.insert("m".to_owned(), crate::config::Contact::Slack { url });
        user.paging.push(crate::config::PagingStep { contact: "m".to_owned(), after: Duration::ZERO });
        user
    };
    let config = Config {
        users: USERS.iter().map(|name| (name.to_string(), user())).collect(),
        rotations: [("r".to_owned(), rotation)].into(),
        overrides: overrides.into_iter().map(substitute).collect(),
        ..Config::default()
    };
    // Two moments of one shift are no swap, and refused.
    let plan = Plan::new(config.clone()).unwrap();
    let swaps = swaps.into_iter().map(swap).filter(|swap| plan.check_swap(swap).is_ok()).collect();
    Case { plan: Plan::new(Config { swaps, ..config }).unwrap(), begin, days: 5 }
}

/// Minutes of civil time since a day long ago.
fn count(civil: DateTime) -> i64 {
    civil.duration_since(date(1970, 1, 1).at(0, 0, 0, 0)).as_mins()
}

/// The rules of the documentation, word by word, without any of the code above.
struct Model<'a> {
    rotation: &'a Rotation,
    zone: TimeZone,
}

impl Model<'_> {
    /// What the clock has shown at most, at each minute from `begin`.
    fn clock(&self, begin: Timestamp, minutes: i64) -> Vec<DateTime> {
        let ahead = 2 * 1440;
        let mut most = DateTime::MIN;
        let mut shown = Vec::new();
        for minute in -ahead..minutes {
            let at = begin + SignedDuration::from_mins(minute);
            most = most.max(self.zone.to_datetime(at));
            if minute >= 0 {
                shown.push(most);
            }
        }
        shown
    }

    fn index(&self, clock: DateTime) -> Option<i64> {
        let (start, length) = (self.rotation.start.0, i64::from(self.rotation.shift_length));
        if clock < start {
            return None;
        }
        let passed = count(clock) - count(start);
        Some(match self.rotation.every {
            Unit::Hour => passed / (60 * length),
            Unit::Day => passed / (1440 * length),
            Unit::Week => passed / (7 * 1440 * length),
            Unit::Month => (0..).take_while(|n| self.month(n + 1) <= clock).count() as i64,
        })
    }

    fn month(&self, index: i64) -> DateTime {
        let start = self.rotation.start.0;
        let months = i64::from(start.year()) * 12 + i64::from(start.month()) - 1
            + index * i64::from(self.rotation.shift_length);
        let first = date(i16::try_from(months / 12).unwrap(), i8::try_from(months % 12 + 1).unwrap(), 1);
        let day = start.day().min(first.days_in_month());
        date(first.year(), first.month(), day).to_datetime(start.time())
    }

    fn in_hours(&self, clock: DateTime) -> bool {
        let on = |hours: &Hours, day: Date| {
            hours.days.is_empty() || hours.days.iter().any(|wanted| wanted.0 == day.weekday())
        };
        let (today, time) = (clock.date(), clock.time());
        self.rotation.hours.is_empty()
            || self.rotation.hours.iter().any(|hours| {
                if hours.from < hours.until {
                    on(hours, today) && hours.from <= time && time < hours.until
                } else {
                    (on(hours, today) && time >= hours.from)
                        || (on(hours, today.yesterday().unwrap()) && time < hours.until)
                }
            })
    }

    fn swaps(&self, plan: &Plan) -> Vec<(i64, i64)> {
        let of = |moment: Moment| self.index(self.clock(moment.at(&self.zone), 1)[0]).unwrap();
        plan.swaps.iter().map(|swap| (of(swap.shift), of(swap.with))).collect()
    }

    fn user(&self, plan: &Plan, swaps: &[(i64, i64)], at: Timestamp, clock: DateTime) -> Option<String> {
        let mut user = self.index(clock).filter(|_| self.in_hours(clock)).map(|mut index| {
            for &(one, other) in swaps.iter().rev() {
                index = if index == one {
                    other
                } else if index == other {
                    one
                } else {
                    index
                };
            }
            let members = &self.rotation.members;
            members[usize::try_from(index).unwrap() % members.len()].clone()
        });
        for entry in &plan.overrides {
            let holds = entry.from.at(&self.zone) <= at && at < entry.until.at(&self.zone);
            let replaces = match &entry.instead_of {
                None => true,
                Some(absent) => user.as_ref() == Some(absent),
            };
            if holds && replaces {
                user = Some(entry.user.clone());
            }
        }
        user
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn the_schedule_is_what_a_clock_walked_minute_by_minute_says(case in case()) {
        let rotation = &case.plan.rotations["r"];
        let zone = case.plan.zone_of(rotation);
        let model = Model { rotation, zone };
        let minutes = case.days * 1440;
        let clock = model.clock(case.begin, minutes);
        let swaps = model.swaps(&case.plan);
        let amendments = Amendments::default();
        let schedule = Schedule::of(&case.plan, &amendments, "r").unwrap();
        let end = case.begin + SignedDuration::from_mins(minutes);
        let shifts = schedule.shifts(case.begin, end);
        let gaps = schedule.gaps(case.begin, end);
        for pair in shifts.windows(2) {
            prop_assert!(pair[0].until <= pair[1].from, "{pair:?}");
        }
        for (minute, clock) in clock.iter().enumerate() {
            let at = case.begin + SignedDuration::from_mins(minute as i64);
            let expected = model.user(&case.plan, &swaps, at, *clock);
            let listed = shifts.iter().find(|shift| shift.from <= at && at < shift.until);
            prop_assert_eq!(listed.map(|shift| &shift.user), expected.as_ref(), "at {} ({})", at, clock);
            let gap = gaps.iter().find(|gap| gap.from <= at && at < gap.until);
            prop_assert_eq!(gap.is_some(), expected.is_none(), "gap at {}", at);
            prop_assert!(gap.is_none_or(|gap| gap.off_hours != model.in_hours(*clock)), "off hours at {}", at);
            if minute % 111 == 0 {
                prop_assert_eq!(schedule.on_duty(at), expected, "on duty at {}", at);
                prop_assert_eq!(schedule.in_hours(at), model.in_hours(*clock), "in hours at {}", at);
            }
        }
    }

    /// Whatever part of the calendar is asked for, it shows the same shifts.
    #[test]
    fn a_shift_is_the_same_in_every_window(case in case(), from in 0..5000i64, length in 1..2000i64) {
        let amendments = Amendments::default();
        let schedule = Schedule::of(&case.plan, &amendments, "r").unwrap();
        let at = |minute| case.begin + SignedDuration::from_mins(minute);
        let all = schedule.shifts(at(0), at(7200));
        let some = schedule.shifts(at(from), at(from + length));
        let touching: Vec<_> = all
            .into_iter()
            .filter(|shift| shift.until > at(from) && shift.from < at(from + length))
            .collect();
        prop_assert_eq!(some, touching);
    }
}

fn weekly(more: &str) -> Plan {
    let user =
        "contacts.m = { type = \"ntfy\", url = \"https://n.example/t\" }\npaging = [{ contact = \"m\" }]";
    let text = format!(
        "[users.a]\n{user}\n[users.b]\n{user}\n[users.c]\n{user}\n[rotations.r]\nstart = \"2026-01-05T09:00\"\n\
         every = \"week\"\nmembers = [\"a\", \"b\", \"c\"]\n{more}"
    );
    Plan::from_toml(&text, None).unwrap()
}

#[test]
fn next_and_previous_are_the_neighbours_in_turn_whoever_stands_in() {
    let plan = weekly(
        "[[overrides]]\nrotation = \"r\"\nuser = \"c\"\nfrom = \"2026-01-13T00:00\"\nuntil = \"2026-01-14T00:00\"",
    );
    let amendments = Amendments::default();
    let schedule = Schedule::of(&plan, &amendments, "r").unwrap();
    let asked = |at: &str| {
        let at = at.parse().unwrap();
        [schedule.on_duty(at), schedule.next_in_shift(at), schedule.previous_in_shift(at)].map(Option::unwrap)
    };
    assert_eq!(asked("2026-01-12T12:00Z"), ["b", "c", "a"]);
    assert_eq!(asked("2026-01-13T12:00Z"), ["c", "a", "a"]);
}

#[test]
fn an_amendment_beats_the_configuration_and_fills_a_gap() {
    let plan = weekly("hours = [{ days = [\"mon\"], from = \"09:00\", until = \"17:00\" }]");
    let sunday = "2026-01-11T03:00Z".parse().unwrap();
    let mut amendments = Amendments::default();
    assert_eq!(Schedule::of(&plan, &amendments, "r").unwrap().on_duty(sunday), None);
    amendments.overrides.insert(
        1,
        Override {
            rotation: "r".to_owned(),
            user: "b".to_owned(),
            instead_of: None,
            from: "2026-01-11T00:00".parse().unwrap(),
            until: "2026-01-12T00:00".parse().unwrap(),
            reason: String::new(),
        },
    );
    assert_eq!(Schedule::of(&plan, &amendments, "r").unwrap().on_duty(sunday).unwrap(), "b");
}

#[test]
fn a_day_without_duty_is_one_gap() {
    let plan = weekly("hours = [{ days = [\"mon\", \"wed\"], from = \"00:00\", until = \"24:00\" }]");
    let amendments = Amendments::default();
    let schedule = Schedule::of(&plan, &amendments, "r").unwrap();
    let gaps = schedule.gaps("2026-01-12T00:00Z".parse().unwrap(), "2026-01-15T00:00Z".parse().unwrap());
    let shown: Vec<_> = gaps.iter().map(|gap| (gap.from.to_string(), gap.until.to_string())).collect();
    assert_eq!(shown, [("2026-01-13T00:00:00Z".to_owned(), "2026-01-14T00:00:00Z".to_owned()),]);
}
