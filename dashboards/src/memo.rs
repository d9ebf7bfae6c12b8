//! Has this been answered a moment ago? Viewers of the same page share one computation.
//!
//! An answer holds while nothing it was made from has changed, and a few seconds at most (windows slide).
//! Whoever asks for the same while it is being worked out waits for that one.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use wharf_catalog::Index;

/// What an answer was made from: the catalog's commit and the history's change number.
pub(crate) type Basis = (Index, u64);

const KEPT: Duration = Duration::from_secs(5);

/// Answers of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

type Slot = tokio::sync::Mutex<Option<Answer>>;

#[derive(Debug)]
struct Answer {
    basis: Basis,
    made: Instant,
    body: Bytes,
}

impl Memo {
    /// The answer to `question`: one made from the same `basis`, or what `make` gives.
    pub(crate) async fn get<E>(
        &self,
        question: String,
        basis: Basis,
        make: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let slot = self.slot(question);
        let mut answer = slot.lock().await;
        if let Some(answer) = &*answer
            && answer.basis == basis
            && answer.made.elapsed() < KEPT
        {
            return Ok(answer.body.clone());
        }
        let body = make.await?;
        *answer = Some(Answer { basis, made: Instant::now(), body: body.clone() });
        Ok(body)
    }

    fn slot(&self, question: String) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|a| fresh(&a)));
        slots.entry(question).or_default().clone()
    }
}

fn fresh(answer: &Option<Answer>) -> bool {
    answer.as_ref().is_some_and(|answer| answer.made.elapsed() < KEPT)
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    async fn ask(memo: &Memo, basis: Basis, made: &AtomicUsize) -> Bytes {
        let make = async {
            let n = made.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Bytes::from(n.to_string()))
        };
        memo.get("q".to_owned(), basis, make).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_question_at_the_same_time_is_worked_out_once() {
        let (memo, made) = (Memo::default(), AtomicUsize::new(0));
        let basis = (Index(1), 1);
        let answers = tokio::join!(ask(&memo, basis, &made), ask(&memo, basis, &made));
        assert_eq!(answers.0, answers.1);
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_and_old_age_both_end_an_answer() {
        let (memo, made) = (Memo::default(), AtomicUsize::new(0));
        ask(&memo, (Index(1), 1), &made).await;
        assert_eq!(ask(&memo, (Index(2), 1), &made).await, "1");
        assert_eq!(ask(&memo, (Index(2), 2), &made).await, "2");
        tokio::time::advance(KEPT).await;
        assert_eq!(ask(&memo, (Index(2), 2), &made).await, "3");
    }

    #[tokio::test(start_paused = true)]
    async fn old_questions_are_forgotten() {
        let memo = Memo::default();
        for n in 0..100 {
            let make = async { Ok::<_, Infallible>(Bytes::new()) };
            memo.get(n.to_string(), (Index(1), 1), make).await.unwrap();
            tokio::time::advance(KEPT / 4).await;
        }
        assert!(memo.slots.lock().unwrap().len() <= 5);
    }
}
