//! Whatever an alert says, it stays in its field, and within the provider's limits.

use serde_json::{Value, json};
use wharf_oncall::state::Occasion;

use super::{Request, golden::with, requests};
use crate::fixture::{contact, contacts, delivery, summary};

/// Ends strings, lines, tags, headers and markup of all providers.
const NASTY: &str = "a\"}],\r\nX-Evil: 1\r\n\r\n</b></Say></Response><!channel> @everyone <@1> [x](http://evil.example) \
                     *b* _c_ `d` \u{0}\u{fffe} 😀 é &amp; \\";

fn told(kind: &str, title: &str, message: &str) -> Request {
    let mut about = summary(title);
    message.clone_into(&mut about.message);
    about.fields.insert("message_type".to_owned(), "RECOVERY".to_owned());
    about.fields.insert("routing_key".to_owned(), "evil".to_owned());
    let contact = contacts("https://p.example").into_iter().find(|contact| contact.kind() == kind).unwrap();
    with(&delivery(Occasion::Triggered, vec![about]), |message| {
        requests(&contact, message).unwrap().remove(0)
    })
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.body.as_deref().unwrap()).unwrap()
}

fn form(request: &Request, field: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(request.body.as_deref().unwrap());
    pairs.find(|(key, _)| key == field).unwrap().1.into_owned()
}

#[test]
fn no_text_reaches_an_address_or_a_header() {
    for contact in contacts("https://p.example") {
        let harmless = told(contact.kind(), "harmless", "harmless");
        let nasty = told(contact.kind(), NASTY, &format!("{NASTY}!"));
        assert_eq!(nasty.url, harmless.url);
        let mut headers = nasty.headers.clone();
        let mut expected = harmless.headers.clone();
        // It signs the body.
        for headers in [&mut headers, &mut expected] {
            headers.remove("x-wharf-signature");
        }
        assert_eq!(headers, expected);
    }
}

#[test]
fn slack_calls_nobody() {
    let body = body(&told("slack", NASTY, &format!("{NASTY}!")));
    let attachment = &body["attachments"][0];
    for key in ["title", "text", "fallback"] {
        let text = attachment[key].as_str().unwrap();
        assert!(!text.contains('<') && text.contains("&lt;!channel&gt;"), "{text}");
    }
}

#[test]
fn markdown_rooms_call_nobody_and_link_nowhere() {
    let mattermost = body(&told("mattermost", NASTY, &format!("{NASTY}!")));
    let discord = body(&told("discord", NASTY, &format!("{NASTY}!")));
    let texts = [
        &mattermost["attachments"][0]["text"],
        &mattermost["attachments"][0]["title"],
        &discord["content"],
        &discord["embeds"][0]["description"],
    ];
    for text in texts {
        let text = text.as_str().unwrap();
        assert!(!text.contains("@everyone") && !text.contains("[x](") && !text.contains(" *b*"), "{text}");
    }
    assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
}

#[test]
fn telegrams_markup_is_only_its_own() {
    let body = body(&told("telegram", NASTY, &format!("{NASTY}!")));
    let text = body["text"].as_str().unwrap();
    assert_eq!((text.matches('<').count(), text.matches("</b>").count()), (2, 1), "{text}");
}

#[test]
fn a_call_has_no_other_instructions() {
    let twiml = form(&told("twilio-voice", NASTY, &format!("{NASTY}!")), "Twiml");
    assert_eq!(twiml.matches('<').count(), 6, "{twiml}");
    assert!(!twiml.contains(|c: char| c.is_control() || c == '\u{fffe}'), "{twiml}");
}

#[test]
fn an_alerts_fields_do_not_take_the_place_of_splunks() {
    let body = body(&told("splunk-oncall", "x", "x"));
    assert_eq!((&body["message_type"], body.get("routing_key")), (&json!("CRITICAL"), None));
}

#[test]
fn long_texts_are_cut_to_each_providers_limit() {
    let long = "[*😀*] ".repeat(10_000);
    let length = |value: &Value| value.as_str().unwrap().chars().count();
    let discord = body(&told("discord", &long, &long));
    assert!(length(&discord["content"]) <= 2_000 && length(&discord["embeds"][0]["description"]) <= 4_096);
    let telegram = body(&told("telegram", &long, &long));
    assert!(telegram["text"].as_str().unwrap().encode_utf16().count() <= 4_096 + "<b></b>".len());
    let ntfy = body(&told("ntfy", &long, &long));
    assert!(ntfy["message"].as_str().unwrap().len() <= 4_096 && length(&ntfy["title"]) <= 250);
    let pagerduty = body(&told("pagerduty", &long, &long));
    assert!(length(&pagerduty["payload"]["summary"]) <= 1_024);
    let opsgenie = body(&told("opsgenie", &long, &long));
    assert!(length(&opsgenie["message"]) <= 130 && length(&opsgenie["description"]) <= 15_000);
    assert!(told("teams", &long, &long).body.unwrap().len() <= 28 * 1024);
    let sms = form(&told("twilio-sms", &long, &long), "Body");
    assert!(sms.chars().count() <= 1_600 && sms.ends_with(crate::fixture::ACKNOWLEDGE), "{sms}");
    let escaped = "<&\">".repeat(10_000);
    assert!(form(&told("twilio-voice", &escaped, &escaped), "Twiml").chars().count() <= 4_000);
    let pushover = told("pushover", &long, &long);
    assert!(
        form(&pushover, "title").chars().count() <= 250
            && form(&pushover, "message").chars().count() <= 1_024
    );
}

#[test]
fn a_long_entity_still_has_a_key_of_its_own_that_pagerduty_takes() {
    let key = |entity: String| {
        let about = wharf_oncall::event::Summary { entity, ..summary("x") };
        let to = contact(json!({ "type": "pagerduty", "routing_key": "R" }));
        let request =
            with(&delivery(Occasion::Triggered, vec![about]), |message| requests(&to, message).unwrap());
        body(&request[0])["dedup_key"].as_str().unwrap().to_owned()
    };
    let (one, other) = (key(format!("{}1", "x".repeat(300))), key(format!("{}2", "x".repeat(300))));
    assert!(one.len() <= 255 && one != other, "{one} {other}");
}

#[test]
fn each_incident_of_a_bundle_is_an_event_and_texts_name_all() {
    let second =
        wharf_oncall::event::Summary { incident: 8, entity: "node:a".to_owned(), ..summary("a is away") };
    let bundle = delivery(Occasion::Triggered, vec![summary("web is down"), second]);
    with(&bundle, |message| {
        let pagerduty = contact(json!({ "type": "pagerduty", "routing_key": "R" }));
        let keys: Vec<Value> =
            requests(&pagerduty, message).unwrap().iter().map(|one| body(one)["dedup_key"].clone()).collect();
        assert_eq!(keys, [json!("wharf:7:service:web"), json!("wharf:8:node:a")]);
        let sms =
            contacts("https://p.example").into_iter().find(|contact| contact.kind() == "twilio-sms").unwrap();
        let text = form(&requests(&sms, message).unwrap()[0], "Body");
        assert!(text.starts_with("2 incidents\n#7 web is down\n#8 a is away\nhttps://"), "{text}");
    });
}

#[test]
fn a_token_that_no_header_can_hold_is_refused_and_not_shown() {
    let to = contact(json!({ "type": "opsgenie", "api_key": "hush\nhush" }));
    let delivery = delivery(Occasion::Test, Vec::new());
    let refused = with(&delivery, |message| requests(&to, message).unwrap_err());
    assert_eq!(refused, "the token holds what no header field can; copy it anew");
}

#[test]
fn telegram_gets_links_to_this_machine_as_text() {
    let delivery = delivery(Occasion::Triggered, vec![summary("x")]);
    let at = "2026-03-01T08:05:00Z".parse().unwrap();
    let links = wharf_oncall::template::Links {
        incident: "http://localhost:8500/i/7".to_owned(),
        acknowledge: "http://127.0.0.1:8500/a".to_owned(),
    };
    let context = wharf_oncall::template::Context::new(1, at, &delivery, links, &jiff::tz::TimeZone::UTC);
    let message = crate::message::Message::new(&context, Default::default());
    let to = contact(json!({ "type": "telegram", "token": "t", "chat": "1" }));
    let body = body(&requests(&to, &message).unwrap()[0]);
    assert_eq!(body.get("reply_markup"), None);
    assert!(body["text"].as_str().unwrap().contains("acknowledge: http://127.0.0.1:8500/a"), "{body}");
}
