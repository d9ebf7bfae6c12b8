//! What tests tell, and whom; unit tests and journeys share it.

use std::collections::BTreeMap;

use wharf_oncall::{
    Secret,
    config::Contact,
    event::Summary,
    state::{Delivery, Occasion, To},
};

pub(crate) const ACKNOWLEDGE: &str = "https://wharf.example.org/wharf/v1/ack/abc?x=1&y=2";
pub(crate) const PAGE: &str = "https://wharf.example.org/ui/incidents/7";

pub(crate) fn summary(title: &str) -> Summary {
    let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    Summary {
        incident: 7,
        state: "triggered".to_owned(),
        entity: "service:web".to_owned(),
        severity: "CRITICAL".to_owned(),
        title: title.to_owned(),
        message: "0 of 2 instances pass".to_owned(),
        source: "wharf".to_owned(),
        routing_key: None,
        started: "2026-03-01T08:00:00Z".parse().unwrap(),
        symptoms: 1,
        entities: vec!["service:web".to_owned()],
        fields: map("rack", "r7"),
        notes: map("runbook", "https://wiki.example.org/web"),
    }
}

pub(crate) fn delivery(occasion: Occasion, about: Vec<Summary>) -> Delivery {
    Delivery {
        to: To::User { user: "dana".to_owned(), contact: "phone".to_owned(), kind: "ntfy".to_owned() },
        occasion,
        incidents: about.iter().map(|summary| summary.incident).collect(),
        reason: "step 1".to_owned(),
        about,
        step: None,
        metered: false,
    }
}

pub(crate) fn contact(json: serde_json::Value) -> Contact {
    serde_json::from_value(json).unwrap()
}

/// One contact of each kind that is told over HTTP, at `server`; all its secrets begin with `hush`.
pub(crate) fn contacts(server: &str) -> Vec<Contact> {
    let url = |path: &str| Secret::new(format!("{server}/{path}"));
    let hush = |name: &str| Secret::new(format!("hush-{name}"));
    let at = || Some(server.to_owned());
    let (account, from, to) = ("AC1".to_owned(), "+34911111111".to_owned(), "+34922222222".to_owned());
    vec![
        Contact::Webhook { url: url("hush-hook"), secret: Some(hush("signing")) },
        Contact::Slack { url: url("services/hush-slack") },
        Contact::Discord { url: url("api/webhooks/1/hush-discord") },
        Contact::Telegram { token: hush("telegram"), chat: "1".to_owned(), server: at() },
        Contact::Teams { url: url("workflows/hush-teams?sig=hush-sig%26x") },
        Contact::Mattermost { url: url("hooks/hush-mattermost"), channel: Some("ops".to_owned()) },
        Contact::Ntfy { url: url("hush-topic"), token: Some(hush("ntfy")) },
        Contact::Pushover { token: hush("application"), user: hush("user"), server: at() },
        Contact::Gotify { server: server.to_owned(), token: hush("gotify") },
        Contact::Pagerduty { routing_key: hush("pagerduty"), server: at() },
        Contact::SplunkOncall { url: url("alert/hush-victorops"), routing_key: "db".to_owned() },
        Contact::Opsgenie { api_key: hush("opsgenie"), server: at() },
        Contact::Alertmanager { url: Secret::new(server.replace("://", "://bob:hush-password@")) },
        Contact::TwilioSms {
            account: account.clone(),
            token: hush("sms"),
            from: from.clone(),
            to: to.clone(),
            server: at(),
        },
        Contact::TwilioVoice { account, token: hush("voice"), from, to, server: at() },
    ]
}
