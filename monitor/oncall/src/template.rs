//! What a message says: the data that templates are rendered with, and the texts where there is no template.
//!
//! A [`Context`] is plain data, with the links only the edge can sign; [`Templates`] are what the configuration makes
//! of it (`{{title}}`, `{{#each incidents}}`). The edge sends the result.

mod helpers;
mod render;
mod syntax;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use crate::{
    event::Summary,
    state::{Delivery, Occasion, To},
};

pub use self::render::{Rendered, Templates};
pub(crate) use self::syntax::check;

/// Addresses only the edge knows; empty where there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    /// The incident's page.
    pub incident: String,
    /// Acknowledges, after a question: signed, for this user and incident alone.
    pub acknowledge: String,
}

/// All that a template may show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Context<'d> {
    /// The message's number, the same at every attempt.
    pub delivery: u64,
    /// When it was decided on, the same at every attempt.
    pub at: Timestamp,
    /// The zone whoever gets it reads times in: `Europe/Madrid`.
    pub zone: String,
    /// `triggered`, `acknowledged`, `resolved` or `test`.
    pub occasion: Occasion,
    /// To whom: a user's key, or a receiver's.
    pub to: &'d str,
    /// Why it is sent: `step 2, no ack after 5m`.
    pub reason: &'d str,
    /// One line that says it all.
    pub title: String,
    /// A few lines that do, links included.
    pub text: String,
    /// The same without the links, for where there are buttons.
    pub details: String,
    /// The incidents; of a large bundle the first ones.
    pub incidents: &'d [Summary],
    /// How many incidents more there are.
    pub more: usize,
    /// Where to go.
    pub links: Links,
}

impl<'d> Context<'d> {
    /// What there is to say about a delivery that was decided on at `at`, with its times in `zone`.
    pub fn new(delivery: u64, at: Timestamp, what: &'d Delivery, links: Links, zone: &TimeZone) -> Self {
        let to = match &what.to {
            To::User { user, .. } => user,
            To::Receiver { receiver } => receiver,
        };
        let details = details(what, zone);
        Self {
            delivery,
            at,
            zone: zone.iana_name().unwrap_or("UTC").to_owned(),
            occasion: what.occasion,
            to,
            reason: &what.reason,
            title: title(what),
            text: with_links(&details, &links),
            details,
            incidents: &what.about,
            more: what.incidents.len().saturating_sub(what.about.len()),
            links,
        }
    }
}

/// At most `most` characters of a text; where some are missing, the last one is an ellipsis.
pub fn shorten(text: &str, most: usize) -> String {
    if text.char_indices().nth(most).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// One line that says it all.
pub fn title(what: &Delivery) -> String {
    match (&what.about[..], what.occasion) {
        (_, Occasion::Test) => "wharf: this is a test".to_owned(),
        ([only], occasion) if what.incidents.len() == 1 => {
            let word = match occasion {
                Occasion::Resolved => "RESOLVED",
                Occasion::Acknowledged => "ACKNOWLEDGED",
                _ => &only.severity,
            };
            format!("[{word}] #{} {}", only.incident, only.title)
        }
        _ => format!("{} incidents", what.incidents.len()),
    }
}

fn details(what: &Delivery, zone: &TimeZone) -> String {
    let mut lines = Vec::new();
    for about in &what.about {
        if what.incidents.len() > 1 {
            lines.push(format!("[{}] #{} {}", about.severity, about.incident, about.title));
            continue;
        }
        if !about.message.is_empty() && about.message != about.title {
            lines.push(about.message.clone());
        }
        if about.symptoms > 1 {
            let more = about.symptoms.saturating_sub(about.entities.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            lines.push(format!("{} entities: {}{more}", about.symptoms, about.entities.join(", ")));
        }
        lines
            .push(format!("since {}", about.started.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z")));
        lines.extend(about.notes.iter().map(|(title, note)| format!("{title}: {note}")));
    }
    let more = what.incidents.len().saturating_sub(what.about.len());
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines.push(what.reason.clone());
    lines.join("\n")
}

fn with_links(details: &str, links: &Links) -> String {
    let mut lines = vec![details.to_owned()];
    for (name, link) in [("incident", &links.incident), ("acknowledge", &links.acknowledge)] {
        if !link.is_empty() {
            lines.push(format!("{name}: {link}"));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Alert, Engine, Input, Kind, Plan, State, engine::Effect};

    #[test]
    fn the_text_without_a_template_says_what_since_when_why_and_where() {
        let plan = "[receivers.room]\ntype = \"slack\"\nurl = \"https://s.example\"\n[policies.p]\n\
                    steps = [{ targets = [{ receiver = \"room\" }] }]\n[routing]\ndefault = \"p\"";
        let plan = Plan::from_toml(plan, None).unwrap();
        let mut engine = Engine::new(plan.into(), State::default());
        let mut alert = Alert::new("service:web", Kind::Critical);
        alert.title = "web is down".to_owned();
        alert.message = "0 of 2 instances pass".to_owned();
        alert.notes.insert("runbook".to_owned(), "https://wiki.example/web".to_owned());
        let now = "2026-03-01T08:00:00Z".parse().unwrap();
        let records = engine.apply(now, Input::Alert(Box::new(alert))).unwrap();
        let Some(Effect::Send { delivery, what }) = records.iter().find_map(Effect::of) else {
            panic!("{records:?}")
        };
        let links = Links { incident: "http://w/i/1".to_owned(), acknowledge: String::new() };
        let context = Context::new(delivery, now, &what, links, &TimeZone::get("Europe/Madrid").unwrap());
        assert_eq!(context.title, "[CRITICAL] #1 web is down");
        assert_eq!(
            context.text,
            "0 of 2 instances pass\nsince 2026-03-01 09:00:00 CET\nrunbook: https://wiki.example/web\nstep 1\n\
             incident: http://w/i/1"
        );
        assert_eq!(serde_json::to_value(&context).unwrap()["incidents"][0]["entity"], "service:web");
    }

    fn delivery() -> Delivery {
        let about = |incident, title: &str| Summary {
            incident,
            state: "triggered".to_owned(),
            entity: "service:web".to_owned(),
            severity: "CRITICAL".to_owned(),
            title: title.to_owned(),
            message: String::new(),
            source: String::new(),
            routing_key: None,
            started: "2026-07-01T08:00:00Z".parse().unwrap(),
            symptoms: 1,
            entities: Vec::new(),
            fields: BTreeMap::from([("rack".to_owned(), "r7".to_owned())]),
            notes: BTreeMap::new(),
        };
        Delivery {
            to: To::Receiver { receiver: "room".to_owned() },
            occasion: Occasion::Triggered,
            incidents: vec![1],
            reason: "step 1".to_owned(),
            about: vec![about(1, "<b>web</b> & db")],
            step: None,
            metered: false,
        }
    }

    fn rendered(messages: &str, kind: &str) -> Rendered {
        let plan = Plan::from_toml(messages, None).unwrap();
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let delivery = delivery();
        let at = "2026-07-01T08:00:30Z".parse().unwrap();
        let context = Context::new(7, at, &delivery, Links::default(), &zone);
        Templates::new(&plan.messages).render(kind, &context)
    }

    #[test]
    fn a_template_for_a_kind_beats_the_one_for_all() {
        let messages = "[messages]\ntitle = \"all\"\ntext = \"all\"\n[messages.slack]\ntitle = \"slack\"";
        let slack = rendered(messages, "slack");
        assert_eq!((slack.title.as_deref(), slack.text.as_deref()), (Some("slack"), Some("all")));
        assert_eq!(rendered(messages, "ntfy").title.as_deref(), Some("all"));
        assert_eq!(rendered("", "ntfy"), Rendered::default());
    }

    #[test]
    fn plain_text_is_not_escaped_and_html_is() {
        let template = "{{#each incidents}}{{title}} {{upper title}} {{truncate (lower title) 4}}{{/each}}";
        let messages = format!("[messages.email]\ntext = \"{template}\"\nhtml = \"{template}\"");
        let mail = rendered(&messages, "email");
        assert_eq!(mail.text.as_deref(), Some("<b>web</b> & db <B>WEB</B> & DB <b>…"));
        assert_eq!(
            mail.html.as_deref(),
            Some("&lt;b&gt;web&lt;/b&gt; &amp; db &lt;B&gt;WEB&lt;/B&gt; &amp; DB &lt;b&gt;…")
        );
    }

    #[test]
    fn times_are_the_readers_and_what_an_alert_lacks_is_empty() {
        let template = "{{#each incidents}}{{time started '%H:%M'}} {{fields.rack}}{{fields.row}}.{{/each}}";
        let text = rendered(&format!("[messages]\ntext = \"{template}\""), "ntfy").text;
        assert_eq!(text.as_deref(), Some("10:00 r7."));
    }

    #[test]
    fn a_template_that_fails_leaves_a_note_and_the_usual_text() {
        let template = "{{#each incidents}}{{truncate title (len entities)}}{{time fields.row}}{{/each}}";
        let failed = rendered(&format!("[messages]\ntext = \"{template}\""), "ntfy");
        assert_eq!(failed.text, None);
        assert_eq!(failed.notes.len(), 1);
        assert!(failed.notes[0].starts_with("(the template messages.text failed: "), "{:?}", failed.notes);
    }
}
