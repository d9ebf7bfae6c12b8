//! Counts of what was answered: kept beside the sockets, handed over batch by batch. Edge.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use crate::packet::code;

const KINDS: [&str; 9] = ["a", "aaaa", "srv", "any", "txt", "soa", "ns", "ptr", "other"];
const CODES: [&str; 5] = ["noerror", "nxdomain", "refused", "servfail", "other"];

/// Counts that are not handed over yet.
pub(crate) struct Tally {
    waiting: [[u64; CODES.len()]; KINDS.len()],
    cut_waiting: u64,
    waiting_at_all: u64,
    queries: Vec<Vec<Counter>>,
    cut: Counter,
    seconds: Histogram,
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally").field("waiting", &self.waiting_at_all).finish_non_exhaustive()
    }
}

impl Tally {
    pub(crate) fn new() -> Self {
        let by_code = |kind: &'static str| {
            let of =
                |code: &'static str| counter!("wharf_dns_queries_total", "type" => kind, "rcode" => code);
            CODES.into_iter().map(of).collect()
        };
        Self {
            waiting: Default::default(),
            cut_waiting: 0,
            waiting_at_all: 0,
            queries: KINDS.into_iter().map(by_code).collect(),
            cut: counter!("wharf_dns_truncated_total"),
            seconds: histogram!("wharf_dns_query_seconds"),
        }
    }

    pub(crate) fn count(&mut self, kind: u16, code: u8, cut: bool) {
        self.waiting[kind_of(kind)][code_of(code)] += 1;
        self.cut_waiting += u64::from(cut);
        self.waiting_at_all += 1;
    }

    /// Hands over what was counted in the last `elapsed`: the mean is recorded, once.
    pub(crate) fn flush(&mut self, elapsed: Duration) {
        if self.waiting_at_all == 0 {
            return;
        }
        self.seconds.record(elapsed.as_secs_f64() / self.waiting_at_all as f64);
        self.waiting_at_all = 0;
        for (counts, counters) in self.waiting.iter_mut().zip(&self.queries) {
            for (count, counter) in counts.iter_mut().zip(counters).filter(|(count, _)| **count > 0) {
                counter.increment(std::mem::take(count));
            }
        }
        if self.cut_waiting > 0 {
            self.cut.increment(std::mem::take(&mut self.cut_waiting));
        }
    }
}

fn kind_of(kind: u16) -> usize {
    match kind {
        1 => 0,
        28 => 1,
        33 => 2,
        255 => 3,
        16 => 4,
        6 => 5,
        2 => 6,
        12 => 7,
        _ => 8,
    }
}

fn code_of(code: u8) -> usize {
    match code {
        code::NO_ERROR => 0,
        code::NO_SUCH_NAME => 1,
        code::REFUSED => 2,
        code::SERVER_FAILURE => 3,
        _ => 4,
    }
}
