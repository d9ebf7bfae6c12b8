//! Carries messages out: each in its lane, tried again where that helps, stopped when it is not wanted any more.
//!
//! Messages to one place about one incident go in their order; everything else goes side by side. What is cut off by the
//! end of the process has no result in the journal and is sent again by the next.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use metrics::{counter, histogram};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wharf_oncall::{
    Plan,
    config::Contact,
    state::{Delivery, To},
    template::{Context, Links},
};
use wharf_senders::Senders;

use crate::{desk::Command, links::Signer, retry};

/// Messages under way to one place at a time.
const AT_ONE_PLACE: usize = 32;
/// What is under way gets this long when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What the dispatcher is told.
#[derive(Debug)]
pub(crate) enum Task {
    /// Send this.
    Send { delivery: u64, what: Box<Delivery> },
    /// Do not, if it has not been sent.
    Cancel { delivery: u64 },
    /// Contacts are these from now on.
    Plan(Arc<Plan>),
}

/// A place, and an incident that is told of there.
type Lane = (String, Option<u64>);

#[derive(Debug)]
struct Job {
    delivery: u64,
    at: jiff::Timestamp,
    what: Box<Delivery>,
    cancelled: CancellationToken,
}

pub(crate) struct Dispatcher {
    pub(crate) plan: Arc<Plan>,
    pub(crate) senders: Senders,
    pub(crate) signer: Arc<Signer>,
    pub(crate) url: Arc<str>,
    pub(crate) desk: mpsc::WeakUnboundedSender<Command>,
    pub(crate) now: Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>,
    pub(crate) tasks: mpsc::UnboundedReceiver<Task>,
}

/// What every attempt needs.
#[derive(Clone)]
struct Office {
    plan: Arc<Plan>,
    senders: Senders,
    signer: Arc<Signer>,
    url: Arc<str>,
    now: Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>,
}

impl Dispatcher {
    /// Until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let Self { plan, senders, signer, url, desk, now, mut tasks } = self;
        let mut office = Office { plan, senders, signer, url, now };
        let mut wanted: HashMap<u64, CancellationToken> = HashMap::new();
        let mut lanes: HashMap<Lane, VecDeque<Job>> = HashMap::new();
        let mut places: HashMap<String, Arc<Semaphore>> = HashMap::new();
        let mut running: JoinSet<(Lane, u64)> = JoinSet::new();
        loop {
            let task = tokio::select! {
                () = shutdown.cancelled() => break,
                task = tasks.recv() => task,
                Some(ended) = running.join_next() => {
                    let Ok((lane, delivery)) = ended else { continue };
                    wanted.remove(&delivery);
                    let next = lanes.get_mut(&lane).and_then(VecDeque::pop_front);
                    match next {
                        Some(job) => start(&mut running, &office, &mut places, &desk, lane, job),
                        None => drop(lanes.remove(&lane)),
                    }
                    continue;
                }
            };
            match task {
                None => break,
                Some(Task::Plan(plan)) => {
                    match Senders::new(&plan) {
                        Ok(senders) => office.senders = senders,
                        Err(error) => {
                            tracing::error!(%error, "messages go on as they were configured before")
                        }
                    }
                    office.plan = plan;
                }
                Some(Task::Cancel { delivery }) => {
                    if let Some(token) = wanted.get(&delivery) {
                        token.cancel();
                    }
                }
                Some(Task::Send { delivery, what }) => {
                    let cancelled = CancellationToken::new();
                    wanted.insert(delivery, cancelled.clone());
                    let lane = (place(&what.to), what.incidents.first().copied());
                    let job = Job { delivery, at: (office.now)(), what, cancelled };
                    match lanes.get_mut(&lane) {
                        Some(waiting) => waiting.push_back(job),
                        None => {
                            lanes.insert(lane.clone(), VecDeque::new());
                            start(&mut running, &office, &mut places, &desk, lane, job);
                        }
                    }
                }
            }
        }
        let _ = timeout(LAST_WORDS, async { while running.join_next().await.is_some() {} }).await;
    }
}

fn place(to: &To) -> String {
    match to {
        To::User { user, contact, .. } => format!("{user}/{contact}"),
        To::Receiver { receiver } => receiver.clone(),
    }
}

fn start(
    running: &mut JoinSet<(Lane, u64)>,
    office: &Office,
    places: &mut HashMap<String, Arc<Semaphore>>,
    desk: &mpsc::WeakUnboundedSender<Command>,
    lane: Lane,
    job: Job,
) {
    let room = places.entry(lane.0.clone()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONE_PLACE))).clone();
    let (office, desk) = (office.clone(), desk.clone());
    running.spawn(async move {
        let delivery = job.delivery;
        let (attempts, result) = deliver(&office, &room, job).await;
        if let Some(desk) = desk.upgrade() {
            let _ = desk.send(Command::Done { delivery, attempts, result });
        }
        (lane, delivery)
    });
}

/// Attempts until it is taken, given up or not wanted any more.
async fn deliver(office: &Office, room: &Semaphore, job: Job) -> (u32, Result<String, String>) {
    let Job { delivery, at, what, cancelled } = job;
    let mut attempts = 0;
    loop {
        let permit = tokio::select! {
            () = cancelled.cancelled() => return (attempts, Err("not wanted any more".to_owned())),
            permit = room.acquire() => permit,
        };
        if cancelled.is_cancelled() {
            return (attempts, Err("not wanted any more".to_owned()));
        }
        attempts += 1;
        let failure = match attempt(office, (delivery, at), &what).await {
            Ok(answer) => return (attempts, Ok(answer)),
            Err(failure) => failure,
        };
        drop(permit);
        let place = place(&what.to);
        let Some(wait) = retry::wait(&what, attempts, failure.again) else {
            tracing::warn!(delivery, to = %place, attempts, reason = %failure.reason, "message given up");
            return (attempts, Err(failure.reason));
        };
        tracing::info!(delivery, to = %place, attempts, reason = %failure.reason, wait = ?wait, "message not taken, tried again");
        if cancelled.run_until_cancelled(sleep(wait)).await.is_none() {
            return (attempts, Err("not wanted any more".to_owned()));
        }
    }
}

struct Failure {
    reason: String,
    again: retry::Again,
}

async fn attempt(
    office: &Office,
    (delivery, at): (u64, jiff::Timestamp),
    what: &Delivery,
) -> Result<String, Failure> {
    let Some(contact) = contact(&office.plan, &what.to) else {
        return Err(Failure {
            reason: "it is not configured any more".to_owned(),
            again: retry::Again::Never,
        });
    };
    let zone = match &what.to {
        To::User { user, .. } => office.plan.zone_of_user(user),
        To::Receiver { .. } => office.plan.time_zone.0.clone(),
    };
    let context = Context::new(delivery, at, what, links(office, what), &zone);
    let begun = Instant::now();
    let sent = office.senders.send(contact, &context).await;
    histogram!("wharf_pager_send_seconds", "kind" => contact.kind()).record(begun.elapsed());
    let result = if sent.is_ok() { "taken" } else { "failed" };
    counter!("wharf_pager_sends_total", "kind" => contact.kind(), "result" => result).increment(1);
    sent.map(|receipt| receipt.answer).map_err(|failure| Failure {
        reason: failure.reason,
        again: match failure.again {
            wharf_senders::Again::Never => retry::Again::Never,
            wharf_senders::Again::Soon => retry::Again::Soon,
            wharf_senders::Again::After(wait) => retry::Again::After(wait),
        },
    })
}

fn contact<'p>(plan: &'p Plan, to: &To) -> Option<&'p Contact> {
    match to {
        To::User { user, contact, .. } => plan.contact(user, contact),
        To::Receiver { receiver } => plan.receivers.get(receiver),
    }
}

/// The incident's page; and, for whoever is paged for one incident, where they take it.
fn links(office: &Office, what: &Delivery) -> Links {
    let [incident] = what.incidents[..] else {
        return Links { incident: format!("{}/ui/incidents", office.url), acknowledge: String::new() };
    };
    let acknowledge = match &what.to {
        To::User { user, .. } if what.occasion == wharf_oncall::state::Occasion::Triggered => {
            let token = office.signer.acknowledge(user, incident, (office.now)());
            format!("{}/wharf/v1/ack/{token}", office.url)
        }
        _ => String::new(),
    };
    Links { incident: format!("{}/ui/incidents/{incident}", office.url), acknowledge }
}
