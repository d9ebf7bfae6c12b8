//! The edge: carries notifications to their receivers, one courier for each receiver.
//!
//! What a courier says in logs is the receiver's scheme and host only: paths and queries of webhook
//! addresses are secrets.

use std::collections::{HashMap, VecDeque};

use metrics::counter;
use reqwest::{Client, Url, header::CONTENT_TYPE, redirect::Policy};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wharf_catalog::Clock;

use super::{Delivery, DeliveryState, signature};
use crate::{
    Config, DeliveryConfig, MonitorError, Secret,
    ledger::writer::{Entry, Inbox},
};

/// A receiver, ready to be written to.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    url: Url,
    /// For people.
    name: String,
    secret: Option<Secret>,
}

/// The configured receivers, or what is wrong with one.
pub(crate) fn receivers(config: &Config) -> Result<HashMap<String, Receiver>, MonitorError> {
    let receiver = |webhook: &crate::WebhookConfig| {
        let refuse = |url: String, reason: String| MonitorError::Webhook { url, reason };
        let url = Url::parse(&webhook.url)
            .map_err(|error| refuse("?".to_owned(), format!("not an address: {error}")))?;
        let name = format!("{}://{}", url.scheme(), url.host_str().unwrap_or("?"));
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse(name, "neither `http` nor `https`".to_owned()));
        }
        let secret = webhook.secret.clone();
        Ok((webhook.url.clone(), Receiver { url, name, secret }))
    };
    config.webhooks.iter().map(receiver).collect()
}

/// A client for them, `None` when there are none.
pub(crate) fn client(config: &Config) -> Result<Option<Client>, MonitorError> {
    if config.webhooks.is_empty() {
        return Ok(None);
    }
    Client::builder()
        .timeout(config.delivery.timeout)
        .redirect(Policy::none())
        .user_agent("wharf")
        .build()
        .map(Some)
        .map_err(|error| MonitorError::Webhook { url: "any".to_owned(), reason: error.to_string() })
}

/// What couriers need to work.
#[derive(Debug, Clone)]
pub(crate) struct Office {
    pub(crate) client: Client,
    pub(crate) limits: DeliveryConfig,
    pub(crate) clock: Clock,
    pub(crate) inbox: Inbox,
    pub(crate) shutdown: CancellationToken,
}

/// Hands every delivery to the courier of its receiver, `left_over` ones from an earlier life first.
pub(crate) async fn dispatch(
    office: Office,
    receivers: HashMap<String, Receiver>,
    left_over: Vec<Delivery>,
    mut incoming: UnboundedReceiver<Delivery>,
) {
    let couriers = TaskTracker::new();
    let rounds: HashMap<String, UnboundedSender<Delivery>> = receivers
        .into_iter()
        .map(|(url, receiver)| {
            let (sender, round) = unbounded_channel();
            couriers.spawn(carry(office.clone(), receiver, round));
            (url, sender)
        })
        .collect();
    for delivery in left_over {
        hand_over(&office, &rounds, delivery);
    }
    while let Some(Some(delivery)) = office.shutdown.run_until_cancelled(incoming.recv()).await {
        hand_over(&office, &rounds, delivery);
    }
    drop(rounds);
    couriers.close();
    couriers.wait().await;
}

fn hand_over(office: &Office, rounds: &HashMap<String, UnboundedSender<Delivery>>, mut delivery: Delivery) {
    if let Some(round) = rounds.get(&delivery.url) {
        let _ = round.send(delivery);
        return;
    }
    delivery.state = DeliveryState::GivenUp;
    "the receiver is not configured any more".clone_into(&mut delivery.answer);
    office.inbox.keep(vec![Entry::Delivery(delivery)]);
}

/// One receiver's notifications, one after the other, until shutdown.
async fn carry(office: Office, receiver: Receiver, mut round: UnboundedReceiver<Delivery>) {
    let mut waiting = VecDeque::new();
    loop {
        while let Ok(delivery) = round.try_recv() {
            waiting.push_back(delivery);
        }
        let work = async {
            match waiting.pop_front() {
                Some(delivery) => deliver(&office, &receiver, delivery).await,
                None => round.recv().await.map(|delivery| waiting.push_back(delivery)),
            }
        };
        // Cut off in the middle of an attempt: it is still pending in the ledger, and made again later.
        if !matches!(office.shutdown.run_until_cancelled(work).await, Some(Some(()))) {
            return;
        }
    }
}

/// Tries until it is delivered or given up.
async fn deliver(office: &Office, receiver: &Receiver, mut delivery: Delivery) -> Option<()> {
    while delivery.state == DeliveryState::Pending {
        tokio::time::sleep(delivery.next.since(office.clock.now()).min(office.limits.max_backoff)).await;
        let result = attempt(&office.client, receiver, &delivery).await;
        delivery.attempted(office.clock.now(), result, &office.limits);
        tell(receiver, &delivery);
        office.inbox.keep(vec![Entry::Delivery(delivery.clone())]);
    }
    Some(())
}

async fn attempt(client: &Client, receiver: &Receiver, delivery: &Delivery) -> Result<String, String> {
    let mut request = client
        .post(receiver.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("x-wharf-event", &delivery.event)
        .header("x-wharf-delivery", delivery.id)
        .body(delivery.body.as_bytes().to_vec());
    if let Some(signature) = receiver.secret.as_ref().and_then(|secret| signature(secret, &delivery.body)) {
        request = request.header("x-wharf-signature", signature);
    }
    match request.send().await {
        Ok(response) if response.status().is_success() => Ok(response.status().to_string()),
        Ok(response) => Err(response.status().to_string()),
        Err(error) => Err(causes(&error.without_url())),
    }
}

/// An error with what lies behind it: reqwest's own text hides the system's.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn tell(receiver: &Receiver, delivery: &Delivery) {
    let (receiver, answer) = (&receiver.name, &delivery.answer);
    let (id, incident, attempts) = (delivery.id, delivery.incident, delivery.attempts);
    let result = match delivery.state {
        DeliveryState::Delivered => {
            tracing::info!(%receiver, id, incident, attempts, event = %delivery.event, "notification delivered");
            "delivered"
        }
        DeliveryState::Pending => {
            tracing::warn!(%receiver, id, incident, attempts, %answer, "notification failed, will try again");
            "failed"
        }
        DeliveryState::GivenUp => {
            tracing::error!(%receiver, id, incident, attempts, %answer, "notification given up");
            "given_up"
        }
    };
    counter!("wharf_monitor_notifications_total", "result" => result).increment(1);
}
