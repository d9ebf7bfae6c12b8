//! Answers that several templates ask for are looked up once.
//!
//! An answer holds as long as nothing it was made from has changed: each of its topics still has the index
//! ([`Source::stamp`]) it had then. Who asks while somebody else looks it up waits for that.

use std::{
    any::Any,
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use metrics::counter;
use wharf_catalog::Topic;

use super::Reads;
use crate::source::Source;

/// Most answers kept; with more, all are looked up anew.
const MAX_ANSWERS: usize = 4096;

/// Answers shared by templates that have one catalog.
#[derive(Default)]
pub struct Memo {
    answers: Mutex<HashMap<String, Slot>>,
    lookups: AtomicU64,
}

type Slot = Arc<Mutex<Option<Known>>>;

#[derive(Clone)]
struct Known {
    answer: Arc<dyn Any + Send + Sync>,
    reads: Arc<Reads>,
    stamps: Arc<[Stamp]>,
}

/// In which datacenter (`None`: our own) which topic had which index.
type Stamp = (Option<String>, Topic, u64);

impl Memo {
    /// How many questions were looked up in the catalog so far.
    pub fn lookups(&self) -> u64 {
        self.lookups.load(Ordering::Relaxed)
    }

    /// The answer kept under `key` with what was read for it, or what `look_up` gives. That says as well whether
    /// its answer is final.
    pub(super) fn once<T: Send + Sync + 'static>(
        &self,
        source: &dyn Source,
        key: String,
        look_up: impl FnOnce() -> (Result<Arc<T>, String>, Reads, bool),
    ) -> (Result<Arc<T>, String>, Arc<Reads>, bool) {
        let slot = self.slot(key);
        let mut known = lock(&slot);
        if let Some(known) = known.as_ref().filter(|known| known.holds(source))
            && let Ok(answer) = known.answer.clone().downcast::<T>()
        {
            return (Ok(answer), known.reads.clone(), false);
        }
        self.lookups.fetch_add(1, Ordering::Relaxed);
        counter!("wharf_template_lookups_total").increment(1);
        let (answer, reads, pending) = look_up();
        let reads = Arc::new(reads);
        let stamps = stamps(source, &reads).filter(|_| !pending);
        *known = answer.as_ref().ok().zip(stamps).map(|(answer, stamps)| Known {
            answer: answer.clone(),
            reads: reads.clone(),
            stamps,
        });
        (answer, reads, pending)
    }

    fn slot(&self, key: String) -> Slot {
        let mut answers = lock(&self.answers);
        if answers.len() >= MAX_ANSWERS && !answers.contains_key(&key) {
            answers.clear();
        }
        answers.entry(key).or_default().clone()
    }
}

impl Known {
    fn holds(&self, source: &dyn Source) -> bool {
        self.stamps.iter().all(|(datacenter, topic, stamp)| {
            let datacenter = datacenter.as_deref().unwrap_or_else(|| source.datacenter());
            source.stamp(datacenter, topic) == Some(*stamp)
        })
    }
}

/// The index of everything that was read; `None`: there is something without.
fn stamps(source: &dyn Source, reads: &Reads) -> Option<Arc<[Stamp]>> {
    let own = reads.topics.iter().map(|topic| (None, topic));
    let elsewhere = reads.elsewhere.iter().map(|(datacenter, topic)| (Some(datacenter.clone()), topic));
    let stamp = |(datacenter, topic): (Option<String>, &Topic)| {
        let stamp = source.stamp(datacenter.as_deref().unwrap_or_else(|| source.datacenter()), topic)?;
        Some((datacenter, topic.clone(), stamp))
    };
    own.chain(elsewhere).map(stamp).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("lookups", &self.lookups()).finish_non_exhaustive()
    }
}
