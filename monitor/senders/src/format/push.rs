//! Pushes to phones: ntfy, Pushover, Gotify.

use reqwest::header::HeaderName;
use serde_json::json;
use wharf_oncall::{Secret, template::shorten};

use super::{Request, address, below};
use crate::{
    message::{Message, Urgency},
    text,
};

/// ntfy (<https://docs.ntfy.sh/publish/#publish-as-json>): as JSON to the server itself, which spares titles the
/// encodings of header fields. At most 4,096 bytes of text; the button acknowledges by itself.
pub(super) fn ntfy(url: &Secret, token: Option<&Secret>, message: &Message<'_>) -> Result<Request, String> {
    let mut server = address(url.reveal())?;
    let topic = server.path_segments().and_then(|mut path| path.next_back()).unwrap_or_default().to_owned();
    let topic = percent_encoding::percent_decode_str(&topic).decode_utf8_lossy().into_owned();
    if let Ok(mut path) = server.path_segments_mut() {
        path.pop();
    }
    server.set_query(None);
    server.set_fragment(None);
    let (priority, tag) = match message.urgency() {
        Urgency::Critical => (5, "rotating_light"),
        Urgency::Warning => (4, "warning"),
        Urgency::Acknowledged => (2, "eyes"),
        Urgency::Resolved => (3, "white_check_mark"),
        Urgency::Test => (3, "bell"),
    };
    let mut body = json!({
        "topic": topic,
        "title": shorten(&message.title, 250),
        "message": text::shorten_bytes(message.details(), 4_000),
        "priority": priority,
        "tags": [tag],
    });
    if let Some(page) = message.page() {
        body["click"] = json!(page);
    }
    if let Some(link) = message.acknowledge() {
        let button =
            json!({ "action": "http", "label": "Acknowledge", "url": link, "method": "POST", "clear": true });
        body["actions"] = json!([button]);
    }
    let request = Request::json(server, &body)?;
    match token {
        Some(token) => request.authorized("Bearer", token),
        None => Ok(request),
    }
}

/// Pushover (<https://pushover.net/api>): at most 250 characters of title, 1,024 of text, 512 of an address.
/// Never with its own repeating emergency priority: who is paged again, and when, is decided here.
pub(super) fn pushover(
    token: &Secret,
    user: &Secret,
    server: Option<&str>,
    message: &Message<'_>,
) -> Result<Request, String> {
    let url = below(server.unwrap_or("https://api.pushover.net"), &["1", "messages.json"])?;
    let priority = match message.urgency() {
        Urgency::Critical => "1",
        Urgency::Warning | Urgency::Test => "0",
        Urgency::Acknowledged | Urgency::Resolved => "-1",
    };
    let (title, body) = (shorten(&message.title, 250), shorten(message.details(), 1_024));
    let timestamp = message.context.at.as_second().to_string();
    let mut fields = vec![
        ("token", token.reveal().trim()),
        ("user", user.reveal().trim()),
        ("title", &title),
        ("message", &body),
        ("priority", priority),
        ("timestamp", &timestamp),
    ];
    let links = [("Acknowledge", message.acknowledge()), ("Incident", message.page())];
    let link =
        links.into_iter().find_map(|(name, link)| Some((name, link.filter(|link| link.len() <= 512)?)));
    if let Some((name, link)) = link {
        fields.extend([("url", link), ("url_title", name)]);
    }
    Ok(Request::form(url, &fields))
}

/// Gotify (<https://gotify.net/docs/msgextras>): 8 and more rings aloud, 4 and more sounds.
pub(super) fn gotify(server: &str, token: &Secret, message: &Message<'_>) -> Result<Request, String> {
    let priority = match message.urgency() {
        Urgency::Critical => 8,
        Urgency::Warning | Urgency::Test => 5,
        Urgency::Acknowledged | Urgency::Resolved => 2,
    };
    // Its messages have no buttons, but links in them can be followed.
    let mut body = json!({
        "title": message.title,
        "message": message.text,
        "priority": priority,
        "extras": { "client::display": { "contentType": "text/plain" } },
    });
    if let Some(page) = message.page() {
        body["extras"]["client::notification"] = json!({ "click": { "url": page } });
    }
    Request::json(below(server, &["message"])?, &body)?
        .with_secret(HeaderName::from_static("x-gotify-key"), token.reveal().trim())
}
