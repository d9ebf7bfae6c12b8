//! Messages over real sockets: to HTTP servers that misbehave in every way, and to a real mail server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../src/fixture.rs"]
#[allow(dead_code, reason = "unit tests use the rest")]
mod fixture;
mod mail_server;

mod http;
mod mail;
mod secrets;

use jiff::tz::TimeZone;
use wharf_oncall::{
    Plan,
    config::Contact,
    state::{Delivery, Occasion},
    template::{Context, Links},
};
use wharf_senders::{Failure, Receipt, Senders};

fn senders(plan: &str) -> Senders {
    Senders::new(&Plan::from_toml(plan, None).unwrap()).unwrap()
}

async fn send(senders: &Senders, contact: &Contact, delivery: &Delivery) -> Result<Receipt, Failure> {
    let links = Links { incident: fixture::PAGE.to_owned(), acknowledge: fixture::ACKNOWLEDGE.to_owned() };
    let at = "2026-03-01T08:05:00Z".parse().unwrap();
    let zone = TimeZone::get("Europe/Madrid").unwrap();
    senders.send(contact, &Context::new(12, at, delivery, links, &zone)).await
}

fn triggered(title: &str) -> Delivery {
    fixture::delivery(Occasion::Triggered, vec![fixture::summary(title)])
}
