//! Each provider's format, as its documentation has it.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use wharf_oncall::{
    inbound::{
        Answer, Inbound, alertmanager_alerts, opsgenie_create, pagerduty as pagerduty_enqueue, victorops,
    },
    state::{
        Delivery,
        Occasion::{self, Acknowledged, Resolved, Test, Triggered},
    },
    template::{Context, Links, Rendered},
};

use super::{Request, requests};
use crate::{
    fixture::{ACKNOWLEDGE, PAGE, contact, contacts, delivery, summary},
    message::Message,
};

const DETAILS: &str =
    "0 of 2 instances pass\nsince 2026-03-01 09:00:00 CET\nrunbook: https://wiki.example.org/web\nstep 1";

/// What `ask` makes of the message without templates.
pub(super) fn with<T>(delivery: &Delivery, ask: impl FnOnce(&Message<'_>) -> T) -> T {
    let links = Links { incident: PAGE.to_owned(), acknowledge: ACKNOWLEDGE.to_owned() };
    let at = "2026-03-01T08:05:00Z".parse().unwrap();
    let context = Context::new(12, at, delivery, links, &TimeZone::get("Europe/Madrid").unwrap());
    ask(&Message::new(&context, Rendered::default()))
}

fn all(to: Value, occasion: Occasion) -> Vec<Request> {
    let about = if occasion == Test { Vec::new() } else { vec![summary("web <is> & *down*")] };
    with(&delivery(occasion, about), |message| requests(&contact(to), message).unwrap())
}

fn one(to: Value, occasion: Occasion) -> Request {
    let mut all = all(to, occasion);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(request.body.as_deref().unwrap()).into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn webhook() {
    let to = json!({ "type": "webhook", "url": "https://h.example/x", "secret": "s" });
    let request = one(to, Triggered);
    assert_eq!(request.url.as_str(), "https://h.example/x");
    assert_eq!(header(&request, "content-type"), "application/json");
    assert_eq!(header(&request, "x-wharf-event"), "incident.triggered");
    assert_eq!(header(&request, "x-wharf-delivery"), "12");
    assert_eq!(header(&request, "x-wharf-signature").len(), "sha256=".len() + 64);
    let body = body(&request);
    assert_eq!(body["event"], "incident.triggered");
    assert_eq!(
        (&body["delivery"], &body["to"], &body["reason"]),
        (&json!(12), &json!("dana"), &json!("step 1"))
    );
    assert_eq!(body["title"], "[CRITICAL] #7 web <is> & *down*");
    assert_eq!(body["links"], json!({ "incident": PAGE, "acknowledge": ACKNOWLEDGE }));
    assert_eq!(body["incidents"][0]["fields"], json!({ "rack": "r7" }));
    let unsigned = one(json!({ "type": "webhook", "url": "https://h.example/x" }), Test);
    assert_eq!((header(&unsigned, "x-wharf-event"), header(&unsigned, "x-wharf-signature")), ("test", ""));
}

#[test]
fn slack() {
    let to = json!({ "type": "slack", "url": "https://hooks.slack.example/services/T/B/x" });
    let expected = json!({ "attachments": [{
        "fallback": "[CRITICAL] #7 web &lt;is&gt; &amp; *down*",
        "color": "#d1242f",
        "title": "[CRITICAL] #7 web &lt;is&gt; &amp; *down*",
        "title_link": PAGE,
        "text": DETAILS,
        "mrkdwn_in": [],
        "footer": "wharf",
        "ts": 1_772_352_300,
        "actions": [
            { "type": "button", "text": "Acknowledge", "url": ACKNOWLEDGE, "style": "primary" },
            { "type": "button", "text": "Incident", "url": PAGE },
        ],
    }] });
    assert_eq!(body(&one(to.clone(), Triggered)), expected);
    let resolved = body(&one(to, Resolved));
    let attachment = &resolved["attachments"][0];
    assert_eq!(
        (&attachment["color"], attachment["actions"].as_array().unwrap().len()),
        (&json!("#1a7f37"), 1)
    );
}

#[test]
fn mattermost() {
    let to = json!({ "type": "mattermost", "url": "https://mm.example/hooks/x", "channel": "ops" });
    let markdown = DETAILS;
    assert_eq!(
        body(&one(to, Triggered)),
        json!({ "channel": "ops", "attachments": [{
            "fallback": "\\[CRITICAL\\] \\#7 web \\<is\\> & \\*down\\*",
            "color": "#d1242f",
            "title": "\\[CRITICAL\\] \\#7 web \\<is\\> & \\*down\\*",
            "title_link": PAGE,
            "text": format!("{markdown}\n[Acknowledge]({ACKNOWLEDGE}) · [Incident]({PAGE})"),
        }] })
    );
}

#[test]
fn discord() {
    let to = json!({ "type": "discord", "url": "https://discord.example/api/webhooks/1/x?thread_id=2" });
    let request = one(to, Triggered);
    assert_eq!(request.url.as_str(), "https://discord.example/api/webhooks/1/x?thread_id=2&wait=true");
    assert_eq!(
        body(&request),
        json!({
            "content": "**\\[CRITICAL\\] \\#7 web \\<is\\> & \\*down\\***",
            "embeds": [{
                "description": format!("{DETAILS}\n[Acknowledge]({ACKNOWLEDGE}) · [Incident]({PAGE})"),
                "color": 0xd1_24_2f,
                "timestamp": "2026-03-01T08:05:00Z",
                "footer": { "text": "wharf" },
            }],
            "allowed_mentions": { "parse": [] },
        })
    );
}

#[test]
fn teams() {
    let card =
        body(&one(json!({ "type": "teams", "url": "https://x.logic.azure.example/w?sig=y" }), Triggered));
    assert_eq!(card["type"], "message");
    let attachment = &card["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let content = &attachment["content"];
    assert_eq!((&content["type"], &content["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    assert_eq!(
        content["body"][0]["inlines"][0],
        json!({ "type": "TextRun", "text": "[CRITICAL] #7 web <is> & *down*", "weight": "Bolder", "size": "Large", "color": "Attention" })
    );
    assert_eq!(content["body"].as_array().unwrap().len(), 1 + DETAILS.lines().count());
    assert_eq!(
        content["actions"],
        json!([
            { "type": "Action.OpenUrl", "title": "Acknowledge", "url": ACKNOWLEDGE },
            { "type": "Action.OpenUrl", "title": "Incident", "url": PAGE },
        ])
    );
}

#[test]
fn telegram() {
    let to = json!({ "type": "telegram", "token": "123:abc", "chat": "@ops" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "https://api.telegram.org/bot123:abc/sendMessage");
    assert_eq!(
        body(&request),
        json!({
            "chat_id": "@ops",
            "text": format!("<b>[CRITICAL] #7 web &lt;is&gt; &amp; *down*</b>\n{DETAILS}"),
            "parse_mode": "HTML",
            "link_preview_options": { "is_disabled": true },
            "disable_notification": false,
            "reply_markup": { "inline_keyboard": [[
                { "text": "Acknowledge", "url": ACKNOWLEDGE },
                { "text": "Incident", "url": PAGE },
            ]] },
        })
    );
    assert_eq!(body(&one(to, Resolved))["disable_notification"], true);
}

#[test]
fn ntfy() {
    let to = json!({ "type": "ntfy", "url": "https://ntfy.example/sub/dana-4f%2D1", "token": "tk_x" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "https://ntfy.example/sub");
    assert_eq!(header(&request, "authorization"), "Bearer tk_x");
    assert_eq!(
        body(&request),
        json!({
            "topic": "dana-4f-1",
            "title": "[CRITICAL] #7 web <is> & *down*",
            "message": DETAILS,
            "priority": 5,
            "tags": ["rotating_light"],
            "click": PAGE,
            "actions": [{ "action": "http", "label": "Acknowledge", "url": ACKNOWLEDGE, "method": "POST", "clear": true }],
        })
    );
    let resolved = body(&one(to, Resolved));
    assert_eq!(
        (&resolved["priority"], &resolved["tags"], &resolved["actions"]),
        (&json!(3), &json!(["white_check_mark"]), &Value::Null)
    );
    let at_the_root = one(json!({ "type": "ntfy", "url": "https://ntfy.example/dana" }), Test);
    assert_eq!(
        (at_the_root.url.as_str(), header(&at_the_root, "authorization")),
        ("https://ntfy.example/", "")
    );
}

#[test]
fn pushover() {
    let to = json!({ "type": "pushover", "token": "app", "user": "usr" });
    let request = one(to, Triggered);
    assert_eq!(request.url.as_str(), "https://api.pushover.net/1/messages.json");
    assert_eq!(header(&request, "content-type"), "application/x-www-form-urlencoded");
    assert_eq!(
        form(&request),
        pairs(&[
            ("token", "app"),
            ("user", "usr"),
            ("title", "[CRITICAL] #7 web <is> & *down*"),
            ("message", DETAILS),
            ("priority", "1"),
            ("timestamp", "1772352300"),
            ("url", ACKNOWLEDGE),
            ("url_title", "Acknowledge"),
        ])
    );
}

#[test]
fn gotify() {
    let to = json!({ "type": "gotify", "server": "https://push.example/gotify/", "token": "A1" });
    let request = one(to, Triggered);
    assert_eq!(
        (request.url.as_str(), header(&request, "x-gotify-key")),
        ("https://push.example/gotify/message", "A1")
    );
    assert_eq!(
        body(&request),
        json!({
            "title": "[CRITICAL] #7 web <is> & *down*",
            "message": format!("{DETAILS}\nincident: {PAGE}\nacknowledge: {ACKNOWLEDGE}"),
            "priority": 8,
            "extras": {
                "client::display": { "contentType": "text/plain" },
                "client::notification": { "click": { "url": PAGE } },
            },
        })
    );
}

#[test]
fn pagerduty() {
    let to = json!({ "type": "pagerduty", "routing_key": "R" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "https://events.pagerduty.com/v2/enqueue");
    assert_eq!(
        body(&request),
        json!({
            "routing_key": "R",
            "event_action": "trigger",
            "dedup_key": "wharf:7:service:web",
            "payload": {
                "summary": "web <is> & *down*",
                "source": "service:web",
                "severity": "critical",
                "timestamp": "2026-03-01T08:00:00Z",
                "custom_details": {
                    "message": DETAILS,
                    "reason": "step 1",
                    "incident": 7,
                    "entities": ["service:web"],
                    "fields": { "rack": "r7" },
                    "notes": { "runbook": "https://wiki.example.org/web" },
                },
            },
            "client": "wharf",
            "client_url": PAGE,
            "links": [{ "href": PAGE, "text": "Incident in wharf" }],
        })
    );
    for (occasion, action) in [(Acknowledged, "acknowledge"), (Resolved, "resolve")] {
        let expected =
            json!({ "routing_key": "R", "event_action": action, "dedup_key": "wharf:7:service:web" });
        assert_eq!(body(&one(to.clone(), occasion)), expected);
    }
    let test = body(&one(to, Test));
    assert_eq!((&test["dedup_key"], &test["payload"]["severity"]), (&json!("wharf:test:12"), &json!("info")));
}

#[test]
fn splunk_oncall() {
    let to = json!({ "type": "splunk-oncall", "url": "https://a.example/alert/KEY/$routing_key", "routing_key": "data base" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "https://a.example/alert/KEY/data%20base");
    assert_eq!(
        body(&request),
        json!({
            "message_type": "CRITICAL",
            "entity_id": "wharf:7:service:web",
            "entity_display_name": "web <is> & *down*",
            "state_message": DETAILS,
            "monitoring_tool": "wharf",
            "timestamp": 1_772_352_300,
            "state_start_time": 1_772_352_000,
            "vo_annotate.u.Incident in wharf": PAGE,
            "vo_annotate.u.runbook": "https://wiki.example.org/web",
            "rack": "r7",
        })
    );
    let kinds = [Acknowledged, Resolved, Test].map(|occasion| body(&one(to.clone(), occasion)));
    assert_eq!(
        kinds.each_ref().map(|body| body["message_type"].as_str().unwrap()),
        ["ACKNOWLEDGEMENT", "RECOVERY", "INFO"]
    );
    assert_eq!(kinds[0]["entity_id"], kinds[1]["entity_id"]);
    assert_eq!(kinds[0]["ack_message"], "step 1");
}

#[test]
fn opsgenie() {
    let to = json!({ "type": "opsgenie", "api_key": "K", "server": "https://api.eu.opsgenie.com" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "https://api.eu.opsgenie.com/v2/alerts");
    assert_eq!(header(&request, "authorization"), "GenieKey K");
    assert_eq!(
        body(&request),
        json!({
            "message": "web <is> & *down*",
            "alias": "wharf:7:service:web",
            "description": format!("{DETAILS}\n{PAGE}"),
            "entity": "service:web",
            "source": "wharf",
            "priority": "P1",
            "tags": ["wharf", "critical"],
            "details": { "reason": "step 1", "rack": "r7", "runbook": "https://wiki.example.org/web" },
        })
    );
    for (occasion, action) in [(Acknowledged, "acknowledge"), (Resolved, "close")] {
        let request = one(to.clone(), occasion);
        let expected = format!(
            "https://api.eu.opsgenie.com/v2/alerts/wharf:7:service:web/{action}?identifierType=alias"
        );
        assert_eq!(request.url.as_str(), expected);
        assert_eq!(body(&request), json!({ "source": "wharf", "note": "step 1" }));
    }
}

#[test]
fn alertmanager() {
    let to = json!({ "type": "alertmanager", "url": "http://am.example:9093/prefix" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "http://am.example:9093/prefix/api/v2/alerts");
    let triggered = body(&request);
    assert_eq!(
        triggered,
        json!([{
            "labels": { "alertname": "WharfIncident", "entity": "service:web", "incident": "wharf:7:service:web", "service": "web" },
            "annotations": {
                "summary": "web <is> & *down*",
                "description": DETAILS,
                "reason": "step 1",
                "severity": "critical",
                "state": "triggered",
                "rack": "r7",
                "runbook": "https://wiki.example.org/web",
            },
            "startsAt": "2026-03-01T08:00:00Z",
            "endsAt": "2026-03-31T08:05:00Z",
            "generatorURL": PAGE,
        }])
    );
    let resolved = body(&one(to, Resolved));
    assert_eq!(resolved[0]["labels"], triggered[0]["labels"]);
    assert_eq!(resolved[0]["endsAt"], "2026-03-01T08:05:00Z");
}

#[test]
fn twilio_sms() {
    let to =
        json!({ "type": "twilio-sms", "account": "AC1", "token": "t", "from": "+34911", "to": "+34922" });
    let request = one(to, Triggered);
    assert_eq!(request.url.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
    assert_eq!(header(&request, "authorization"), "Basic QUMxOnQ=");
    let text = format!("[CRITICAL] #7 web <is> & *down*\n{ACKNOWLEDGE}");
    let expected = [("To", "+34922"), ("From", "+34911"), ("Body", &text), ("SmartEncoded", "true")];
    assert_eq!(form(&request), pairs(&expected));
}

#[test]
fn twilio_voice() {
    let to =
        json!({ "type": "twilio-voice", "account": "AC1", "token": "t", "from": "+34911", "to": "+34922" });
    let request = one(to.clone(), Triggered);
    assert_eq!(request.url.as_str(), "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json");
    let link = ACKNOWLEDGE.replace('&', "&amp;");
    let twiml = format!(
        "<Response><Gather numDigits=\"1\" timeout=\"10\" method=\"POST\" action=\"{link}\"><Say loop=\"2\">Message from \
         wharf. critical. Incident 7: web &lt;is&gt; &amp; *down*. step 1. Press any key to acknowledge.</Say></Gather></Response>"
    );
    assert_eq!(form(&request), pairs(&[("To", "+34922"), ("From", "+34911"), ("Twiml", &twiml)]));
    let resolved = &form(&one(to, Resolved))[2].1;
    assert!(
        resolved.starts_with("<Response><Say loop=\"2\">Message from wharf. resolved. Incident 7"),
        "{resolved}"
    );
}

#[test]
fn what_other_tools_are_told_our_own_inbound_formats_understand() {
    let read = |occasion| {
        let raw = |to: Value| one(to, occasion).body.unwrap();
        let mut entities = vec![
            pagerduty_enqueue(&raw(json!({ "type": "pagerduty", "routing_key": "R" })), "x"),
            victorops(
                &raw(json!({ "type": "splunk-oncall", "url": "https://v.example/k", "routing_key": "r" })),
                None,
                "x",
            ),
            alertmanager_alerts(
                &raw(json!({ "type": "alertmanager", "url": "http://am.example" })),
                "2026-03-01T08:05:00Z".parse().unwrap(),
            ),
        ];
        if occasion == Triggered {
            entities.push(opsgenie_create(&raw(json!({ "type": "opsgenie", "api_key": "K" })), "x", "y"));
        }
        let one = |inbound: Result<Inbound, Answer>| {
            let mut alerts = inbound.unwrap().alerts;
            assert_eq!(alerts.len(), 1);
            let alert = alerts.remove(0);
            (alert.entity, alert.kind.to_string())
        };
        entities.into_iter().map(one).collect::<Vec<_>>()
    };
    let (triggered, resolved) = (read(Triggered), read(Resolved));
    assert!(triggered.iter().all(|(_, kind)| kind == "CRITICAL"), "{triggered:?}");
    assert!(resolved.iter().all(|(_, kind)| kind == "RECOVERY"), "{resolved:?}");
    for ((opened, _), (closed, _)) in triggered.iter().zip(&resolved) {
        assert_eq!(opened, closed);
    }
}

#[test]
fn the_manual_shows_a_webhooks_body_as_it_is() {
    let manual = include_str!("../../../../docs/oncall.md");
    let shown = manual.split_once("### Webhooks").unwrap().1.split_once("```json\n").unwrap().1;
    let shown: Value = serde_json::from_str(shown.split_once("```").unwrap().0).unwrap();
    let sent = body(&one(json!({ "type": "webhook", "url": "https://h.example/x" }), Triggered));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&shown), keys(&sent));
    assert_eq!(keys(&shown["incidents"][0]), keys(&sent["incidents"][0]));
    assert_eq!(keys(&shown["links"]), keys(&sent["links"]));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    /// No text makes a request that cannot be sent, nor one that breaks its format.
    #[test]
    fn any_text_makes_a_request_of_every_kind(title in "\\PC*|[\\x00-\\x7f]*", text in "(?s).{0,300}") {
        let mut about = summary(&title);
        about.message = text.clone();
        about.entity = title.clone();
        about.fields.insert(title.clone(), text);
        for occasion in [Triggered, Acknowledged, Resolved] {
            for contact in contacts("https://p.example") {
                let requests = with(&delivery(occasion, vec![about.clone()]), |message| requests(&contact, message)).unwrap();
                for request in requests {
                    assert_eq!(request.url.host_str(), Some("p.example"));
                    if header(&request, "content-type") == "application/json" {
                        body(&request);
                    }
                }
            }
        }
    }
}
