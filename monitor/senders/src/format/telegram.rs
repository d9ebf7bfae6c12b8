//! Telegram's bots (<https://core.telegram.org/bots/api#sendmessage>): at most 4,096 UTF-16 units, markup not counted.

use serde_json::json;
use url::{Host, Url};
use wharf_oncall::{Secret, template::shorten};

use super::{Request, below};
use crate::{
    message::{Message, Urgency},
    text,
};

const SERVER: &str = "https://api.telegram.org";

pub(super) fn request(
    token: &Secret,
    chat: &str,
    server: Option<&str>,
    message: &Message<'_>,
) -> Result<Request, String> {
    let url = below(server.unwrap_or(SERVER), &[&format!("bot{}", token.reveal().trim()), "sendMessage"])?;
    let links = [("Acknowledge", message.acknowledge()), ("Incident", message.page())];
    let buttons: Vec<_> = links
        .into_iter()
        .filter_map(|(name, link)| Some(json!({ "text": name, "url": link.filter(|link| is_public(link))? })))
        .collect();
    let title = shorten(&message.title, 500);
    let room = 4_096 - title.encode_utf16().count() - 1;
    let details = if buttons.is_empty() { &message.text } else { message.details() };
    let details = text::shorten_utf16(details, room);
    let mut body = json!({
        "chat_id": chat,
        "text": format!("<b>{}</b>\n{}", text::xml_text(&title), text::xml_text(&details)),
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
        "disable_notification": matches!(message.urgency(), Urgency::Acknowledged | Urgency::Resolved),
    });
    if !buttons.is_empty() {
        body["reply_markup"] = json!({ "inline_keyboard": [buttons] });
    }
    Request::json(url, &body)
}

/// Telegram refuses a message one of whose buttons leads to a name that is no domain's, like `localhost`.
fn is_public(link: &str) -> bool {
    let host = Url::parse(link).ok().and_then(|url| url.host().map(|host| host.to_owned()));
    matches!(host, Some(Host::Domain(name)) if name.trim_end_matches('.').contains('.'))
}
