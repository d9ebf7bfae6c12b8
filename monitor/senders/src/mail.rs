//! A message as a mail: plain, and HTML beside it. Header fields are lettre's work, so nothing breaks out of them.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message as Mail,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};

use crate::{
    message::{Message, Urgency},
    text::{xml_attribute, xml_text},
};

/// The mail, or why there can be none.
pub(crate) fn compose(from: &Mailbox, to: &str, message: &Message<'_>) -> Result<Mail, String> {
    let to: Address = to.parse().map_err(|error| format!("`{to}` is no mail address: {error}"))?;
    let context = message.context;
    let domain = from.email.domain();
    // The same at every attempt: a mail program shows one that came twice once.
    let id = format!("<{}.{}.wharf@{domain}>", context.delivery, context.at.as_millisecond());
    let mut mail = Mail::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(message.title.clone())
        .message_id(Some(id))
        .date(moment(context.at.as_second()))
        // Holiday notes stay at home (RFC 3834).
        .header(Field::<AutoSubmitted>::new("auto-generated"));
    if let [only] = context.incidents
        && context.more == 0
    {
        // All about one incident is one conversation.
        mail = mail.references(format!("<incident.{}.{}.wharf@{domain}>", only.incident, hash(&only.entity)));
    }
    if matches!(message.urgency(), Urgency::Critical) {
        mail = mail.header(Field::<Priority>::new("1"));
    }
    let html = match (&message.html, message.own_text) {
        (Some(html), _) => Some(html.clone()),
        (None, true) => None,
        (None, false) => Some(usual_html(message)),
    };
    let mail = match html {
        Some(html) => mail.multipart(MultiPart::alternative_plain_html(message.text.clone(), html)),
        None => mail.header(lettre::message::header::ContentType::TEXT_PLAIN).body(message.text.clone()),
    };
    mail.map_err(|error| format!("no mail can be made of it: {error}"))
}

fn moment(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// An entity as a word that may stand in a message id.
fn hash(entity: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(entity.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The usual text, with its links as buttons; styles stand in the elements, as mail programs want it.
fn usual_html(message: &Message<'_>) -> String {
    let color = match message.urgency() {
        Urgency::Critical => "#d1242f",
        Urgency::Warning => "#b35900",
        Urgency::Acknowledged => "#0969da",
        Urgency::Resolved => "#1a7f37",
        Urgency::Test => "#57606a",
    };
    let button = |name: &str, link: Option<&str>, style: &str| {
        link.map(|link| format!("<a href=\"{}\" style=\"{style}\">{name}</a> ", xml_attribute(link)))
            .unwrap_or_default()
    };
    let shape = "display:inline-block;padding:8px 16px;border-radius:6px;text-decoration:none;";
    let (filled, hollow) = (
        format!("{shape}background:{color};color:#ffffff"),
        format!("{shape}border:1px solid #57606a;color:inherit"),
    );
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body style=\"font-family:sans-serif;line-height:1.5\">\
         <div style=\"border-left:4px solid {color};padding-left:12px\">\
         <h1 style=\"font-size:18px;margin:0;color:{color}\">{title}</h1>\
         <p style=\"white-space:pre-line\">{details}</p><p>{acknowledge}{page}</p></div></body></html>\n",
        title = xml_text(&message.title),
        details = xml_text(message.details()),
        acknowledge = button("Acknowledge", message.acknowledge(), &filled),
        page = button("Incident", message.page(), &hollow),
    )
}

/// A header field that lettre does not know.
#[derive(Debug, Clone)]
struct Field<N>(String, std::marker::PhantomData<N>);

trait Named {
    const NAME: &'static str;
}

#[derive(Debug, Clone)]
struct AutoSubmitted;

#[derive(Debug, Clone)]
struct Priority;

impl Named for AutoSubmitted {
    const NAME: &'static str = "Auto-Submitted";
}

impl Named for Priority {
    const NAME: &'static str = "X-Priority";
}

impl<N> Field<N> {
    fn new(value: &str) -> Self {
        Self(value.to_owned(), std::marker::PhantomData)
    }
}

impl<N: Named + Clone> Header for Field<N> {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str(N::NAME)
    }

    fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self::new(value))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}
