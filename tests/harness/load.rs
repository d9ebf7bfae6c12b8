//! A steady stream of requests, open loop: a slow answer does not slow the stream.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};

/// Does the client keep its connections?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    Kept,
    OneEach,
}

/// A running stream of GETs.
pub struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Answers>,
}

/// How the requests ended: `200` and the like, or the error's words, each with its count.
#[derive(Debug, Default)]
pub struct Answers(pub BTreeMap<String, usize>);

impl Answers {
    /// All of them.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// Those that were not a 200.
    pub fn failed(&self) -> usize {
        self.total() - self.0.get("200").copied().unwrap_or(0)
    }
}

impl Load {
    /// Starts `rate` GETs a second.
    pub fn start(url: String, rate: u32, connections: Connections) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self { task: tokio::spawn(stream(url, rate, connections, stop.clone())), stop }
    }

    /// Stops it, waits for the requests in flight and counts.
    pub async fn stop(self) -> Answers {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.expect("load")
    }
}

async fn stream(url: String, rate: u32, connections: Connections, stop: Arc<AtomicBool>) -> Answers {
    let idle = if connections == Connections::Kept { 64 } else { 0 };
    let client = reqwest::Client::builder()
        .pool_max_idle_per_host(idle)
        .timeout(Duration::from_secs(30))
        .build()
        .expect("client");
    let mut tick = interval(Duration::from_secs(1) / rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut answers, mut under_way) = (Answers::default(), JoinSet::new());
    while !stop.load(Ordering::SeqCst) {
        tick.tick().await;
        under_way.spawn(get(client.clone(), url.clone()));
        while let Some(done) = under_way.try_join_next() {
            *answers.0.entry(done.expect("request")).or_default() += 1;
        }
    }
    while let Some(done) = under_way.join_next().await {
        *answers.0.entry(done.expect("request")).or_default() += 1;
    }
    answers
}

async fn get(client: reqwest::Client, url: String) -> String {
    let answer = async {
        let answer = client.get(url).send().await?;
        let status = answer.status().as_u16();
        answer.bytes().await?;
        Ok::<_, reqwest::Error>(status.to_string())
    };
    answer.await.unwrap_or_else(|error| format!("{error:?}").chars().take(300).collect())
}
