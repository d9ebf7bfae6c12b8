//! A year of a large fleet, for measuring: written by the same encoders and tables as everything else, without
//! waiting for a year. Not for use in the product.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use wharf_catalog::{Outcome, Status, Timestamp};

use crate::{
    MonitorError, Storage,
    follow::{Subject, Transition},
    ledger::{Ledger, fill},
    rollup::{Bucket, DAY, HOUR, MINUTE, Sample, floor},
    view::ServiceState,
};

/// What to make up.
#[derive(Debug, Clone, Copy)]
pub struct Year {
    /// Services, each with one check.
    pub services: u32,
    /// Days back from `now`.
    pub days: i64,
    /// Time between two runs.
    pub interval: Duration,
    /// Where it ends.
    pub now: Timestamp,
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// About `middle` microseconds, with a tail.
    fn micros(&mut self, middle: u64) -> u64 {
        let number = self.next();
        let noise = (number & 0xff) + (number >> 8 & 0xff) + (number >> 16 & 0xff) + (number >> 24 & 0xff);
        let tail = if number >> 32 & 0x3f == 0 { 4 } else { 1 };
        middle * tail * (256 + noise) / 768 + (number >> 40 & 0x1f)
    }
}

/// One service on its way through the year.
struct Course {
    name: Arc<str>,
    check: (Arc<str>, Arc<str>),
    numbers: Numbers,
    /// Next run.
    at: i64,
    step: i64,
    /// Usual response time, in microseconds.
    middle: u64,
    /// Of the day so far.
    hours: BTreeMap<i64, Bucket>,
}

impl Course {
    /// The runs up to `end`.
    fn runs(&mut self, end: i64) -> Vec<Sample> {
        let mut samples = Vec::new();
        while self.at < end {
            let up = self.numbers.0 & 0xfff != 0;
            let micros = Some(self.numbers.micros(self.middle));
            samples.push(Sample { at: Timestamp(self.at), up, micros });
            self.at += self.step + (self.numbers.0 & 0xf) as i64 - 7;
        }
        samples
    }
}

impl Year {
    /// Writes it into a new file, hour by hour as a fleet does: where in the file things end up, and so how full its
    /// pages are, depends on that. What is too old is removed on the way; the last day goes the way of all outcomes.
    pub fn write(&self, path: &Path) -> Result<(), MonitorError> {
        let storage = Storage::File(path.to_owned());
        let unwritten = |error: rusqlite::Error| MonitorError::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let (_ledger, mut pen) = Ledger::open(&storage)?;
        let from = floor(Timestamp(self.now.0 - self.days * DAY), DAY);
        let today = floor(self.now, DAY);
        let mut courses: Vec<_> = (0..self.services).map(|number| self.course(number, from)).collect();
        let mut step = |courses: &mut Vec<Course>, work: &dyn Fn(&rusqlite::Connection, &mut Course) -> _| {
            pen.with(|connection| {
                let transaction = connection.transaction()?;
                courses.iter_mut().try_for_each(|course| work(&transaction, course))?;
                transaction.commit()
            })
            .map_err(unwritten)
        };
        step(&mut courses, &|connection, course| self.states(connection, course, Timestamp(from)))?;
        for hour in (from..today).step_by(HOUR as usize) {
            step(&mut courses, &|connection, course| self.hour(connection, course, hour))?;
        }
        step(&mut courses, &|connection, course| self.today(connection, course))?;
        pen.with(|connection| fill::alive(connection, self.now)).map_err(unwritten)
    }

    fn course(&self, number: u32, from: i64) -> Course {
        let name: Arc<str> = format!("service-{number:04}").into();
        let check = (Arc::from("n"), Arc::from(format!("service:{name}")));
        let mut numbers = Numbers(u64::from(number) + 1);
        let step = i64::try_from(self.interval.as_millis()).unwrap_or(60_000);
        let at = from + (numbers.next() % step.unsigned_abs()) as i64;
        let middle = 2_000 + numbers.next() % 40_000;
        Course { name, check, numbers, at, step, middle, hours: BTreeMap::new() }
    }

    fn hour(
        &self,
        connection: &rusqlite::Connection,
        course: &mut Course,
        hour: i64,
    ) -> Result<(), rusqlite::Error> {
        let limit = Duration::from_millis(1500);
        let samples = course.runs(hour + HOUR);
        let mut minutes: BTreeMap<i64, Bucket> = BTreeMap::new();
        for sample in &samples {
            minutes.entry(floor(sample.at, MINUTE)).or_default().add(*sample, limit);
            course.hours.entry(hour).or_default().add(*sample, limit);
        }
        // A little longer than they are kept.
        let age = self.now.0 - hour;
        let (young, fresh) = (age < 97 * DAY, age < 9 * DAY);
        fill::minutes(connection, &course.name, hour, young.then_some(&minutes), fresh.then_some(&samples))?;
        let day = floor(Timestamp(hour), DAY);
        if hour + HOUR < day + DAY {
            return Ok(());
        }
        fill::hours(connection, &course.name, &course.check, day, &std::mem::take(&mut course.hours))?;
        fill::prune(connection, &course.name, Timestamp(hour))
    }

    fn today(&self, connection: &rusqlite::Connection, course: &mut Course) -> Result<(), rusqlite::Error> {
        let runs = course.runs(self.now.0);
        let outcomes: Vec<_> =
            runs.iter().map(|sample| outcome(&course.name, &course.check.1, sample)).collect();
        fill::fresh(connection, &outcomes)?;
        fill::pack(connection, &course.name, &course.check, self.now)
    }

    /// An outage every fortnight or so.
    fn states(
        &self,
        connection: &rusqlite::Connection,
        Course { name, check, numbers, .. }: &mut Course,
        from: Timestamp,
    ) -> Result<(), rusqlite::Error> {
        let turn = |at: i64, state: ServiceState, reason: &str| {
            for subject in [Subject::Service(name.clone()), Subject::Check(check.clone())] {
                let reason = reason.to_owned();
                let from = Timestamp(at);
                fill::transition(connection, &Transition { subject, from, state, reason, over: false })?;
            }
            Ok::<_, rusqlite::Error>(())
        };
        turn(from.0, ServiceState::Up, "1 of 1 instance passes")?;
        let mut at = from.0;
        loop {
            at += (numbers.next() % (28 * DAY as u64)) as i64 + HOUR;
            let back = at + (numbers.next() % (HOUR as u64)) as i64 + MINUTE;
            if back >= self.now.0 {
                return Ok(());
            }
            turn(at, ServiceState::Down, "instance `a`: check `service:a` is critical: connection refused")?;
            turn(back, ServiceState::Up, "1 of 1 instance passes")?;
            fill::incident(connection, name, (Timestamp(at), Timestamp(back)))?;
            at = back;
        }
    }
}

fn outcome(service: &Arc<str>, check: &Arc<str>, sample: &Sample) -> Outcome {
    Outcome {
        node: "n".into(),
        check: check.clone(),
        instance: Some(service.clone()),
        service: service.clone(),
        status: if sample.up { Status::Passing } else { Status::Critical },
        at: sample.at,
        response_time: sample.micros.map(Duration::from_micros),
        output: "".into(),
    }
}
