use serde_json::json;
use wharf_oncall::{Plan, config::User};

use super::*;

/// One of every kind; every secret has the word in it.
const EVERY_KIND: &str = r#"
[smtp]
server = "mail.example.org"
from = "wharf@example.org"
username = "wharf"
password = "hunter2"
[receivers]
email = { type = "email", address = "dana@example.org" }
webhook = { type = "webhook", url = "https://hunter2.example/x", secret = "hunter2" }
slack = { type = "slack", url = "https://hooks.slack.com/hunter2" }
discord = { type = "discord", url = "https://discord.com/hunter2" }
telegram = { type = "telegram", token = "hunter2", chat = "@ops", server = "http://tg.example" }
teams = { type = "teams", url = "https://teams.example/hunter2" }
mattermost = { type = "mattermost", url = "https://mm.example/hunter2", channel = "ops" }
ntfy = { type = "ntfy", url = "https://ntfy.sh/hunter2", token = "hunter2" }
pushover = { type = "pushover", token = "hunter2", user = "hunter2", server = "https://p.example" }
gotify = { type = "gotify", server = "https://gotify.example:8443/base", token = "hunter2" }
pagerduty = { type = "pagerduty", routing_key = "hunter2", server = "https://pd.example" }
splunk = { type = "splunk-oncall", url = "https://alert.victorops.com/hunter2", routing_key = "ops" }
opsgenie = { type = "opsgenie", api_key = "hunter2", server = "https://og.example" }
alertmanager = { type = "alertmanager", url = "http://u:hunter2@am.example:9093" }
sms = { type = "twilio-sms", account = "AC1", token = "hunter2", from = "+34911234567", to = "+34911234568", server = "https://t.example" }
voice = { type = "twilio-voice", account = "AC1", token = "hunter2", from = "+34911234567", to = "+34911234568" }
"#;

#[test]
fn no_kind_of_contact_shows_a_secret() {
    let (_, every_kind) = EVERY_KIND.split_once("[receivers]").unwrap();
    let text = format!("{EVERY_KIND}\n[users.dana.contacts]\n{every_kind}");
    let plan = Plan::from_toml(&text, None).unwrap();
    assert_eq!(plan.receivers.len(), 16, "a kind of contact is missing here");
    let shown = without_secrets(&*plan);
    assert!(!shown.to_string().contains("hunter2"), "{shown:#}");
    assert_eq!(shown["receivers"]["gotify"]["server"], "https://gotify.example:8443/base");
    assert_eq!(shown["smtp"]["password"], SECRET);
    assert_eq!(shown["users"]["dana"]["contacts"]["voice"]["to"], "+34911234568");
}

fn contacts(contact: Value) -> (Value, Value) {
    let secret = json!({ "contacts": { "phone": contact }, "paging": [{ "contact": "phone" }] });
    let user: User = serde_json::from_value(secret.clone()).unwrap();
    let seen = without_secrets(&user);
    (secret, seen)
}

#[test]
fn what_is_sent_back_as_it_was_shown_stays_what_it_was() {
    let (secret, seen) = contacts(json!({ "type": "gotify", "server": "https://g.example", "token": "t" }));
    let mut sent = seen.clone();
    sent["name"] = json!("Dana");
    restore(&mut sent, &secret, &seen).unwrap();
    assert_eq!(sent["contacts"], secret["contacts"]);
    assert_eq!((sent["name"].as_str(), placeholder(&sent)), (Some("Dana"), None));
}

#[test]
fn a_secret_does_not_go_to_another_place() {
    let (secret, seen) = contacts(json!({ "type": "gotify", "server": "https://g.example", "token": "t" }));
    let mut sent = seen.clone();
    sent["contacts"]["phone"]["server"] = json!("https://evil.example");
    assert!(restore(&mut sent, &secret, &seen).unwrap_err().contains("`server`"));
    let (secret, seen) = contacts(json!({ "type": "ntfy", "url": "https://n.example/d", "token": "t" }));
    let mut sent = seen.clone();
    sent["contacts"]["phone"]["url"] = json!("https://evil.example");
    assert!(restore(&mut sent, &secret, &seen).unwrap_err().contains("`url`"));
    sent["contacts"]["phone"]["token"] = json!("new");
    restore(&mut sent, &secret, &seen).unwrap();
    assert_eq!(sent["contacts"]["phone"]["token"], "new");
}

#[test]
fn a_secret_that_never_was_is_named() {
    let sent = json!({ "contacts": { "phone": { "type": "ntfy", "url": "[secret]" } } });
    assert_eq!(placeholder(&sent).unwrap(), "contacts.phone.url");
}
