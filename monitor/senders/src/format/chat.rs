//! Rooms: Slack and Mattermost, which took over its format, and Discord.

use serde_json::{Value, json};
use wharf_oncall::{Secret, template::shorten};

use super::{Request, address};
use crate::{
    message::{Message, Urgency},
    text,
};

/// An incoming webhook of Slack. Attachments are the form whose buttons need no application behind the webhook
/// (<https://docs.slack.dev/legacy/legacy-messaging/legacy-message-buttons/>).
pub(super) fn slack(url: &Secret, message: &Message<'_>) -> Result<Request, String> {
    let mut actions = Vec::new();
    if let Some(link) = message.acknowledge() {
        actions.push(json!({ "type": "button", "text": "Acknowledge", "url": link, "style": "primary" }));
    }
    if let Some(link) = message.page() {
        actions.push(json!({ "type": "button", "text": "Incident", "url": link }));
    }
    let mut attachment = json!({
        "fallback": text::slack(&message.title),
        "color": format!("#{:06x}", color(message.urgency())),
        "title": text::slack(&message.title),
        "text": text::slack(&shorten(message.details(), 3_000)),
        // Asterisks of an alert are no bold type.
        "mrkdwn_in": [],
        "footer": "wharf",
        "ts": message.context.at.as_second(),
    });
    if !actions.is_empty() {
        attachment["actions"] = json!(actions);
    }
    if let Some(page) = message.page() {
        attachment["title_link"] = json!(page);
    }
    Request::json(address(url.reveal())?, &json!({ "attachments": [attachment] }))
}

/// An incoming webhook of Mattermost
/// (<https://developers.mattermost.com/integrate/reference/message-attachments/>): texts are Markdown.
pub(super) fn mattermost(
    url: &Secret,
    channel: Option<&str>,
    message: &Message<'_>,
) -> Result<Request, String> {
    let mut attachment = json!({
        "fallback": text::markdown(&message.title),
        "color": format!("#{:06x}", color(message.urgency())),
        "title": text::markdown(&message.title),
        "text": with_links(&text::markdown(&shorten(message.details(), 3_000)), message),
    });
    if let Some(page) = message.page() {
        attachment["title_link"] = json!(page);
    }
    let mut body = json!({ "attachments": [attachment] });
    if let Some(channel) = channel {
        body["channel"] = json!(channel);
    }
    Request::json(address(url.reveal())?, &body)
}

/// A channel's webhook of Discord (<https://docs.discord.com/developers/resources/webhook#execute-webhook>): at most
/// 2,000 characters of content and 4,096 of description.
pub(super) fn discord(url: &Secret, message: &Message<'_>) -> Result<Request, String> {
    let mut url = address(url.reveal())?;
    // Answers with the message, or with what is wrong with it.
    if !url.query_pairs().any(|(key, _)| key == "wait") {
        url.query_pairs_mut().append_pair("wait", "true");
    }
    let links = with_links("", message);
    let details =
        shorten(&text::markdown(message.details()), 4_096_usize.saturating_sub(links.chars().count() + 1));
    let embed: Value = json!({
        "description": with_links(&details, message),
        "color": color(message.urgency()),
        "timestamp": message.context.at,
        "footer": { "text": "wharf" },
    });
    let content = shorten(&format!("**{}**", text::markdown(&message.title)), 2_000);
    let body = json!({ "content": content, "embeds": [embed], "allowed_mentions": { "parse": [] } });
    Request::json(url, &body)
}

/// Links to act by, in Markdown, on a line of their own.
fn with_links(markdown: &str, message: &Message<'_>) -> String {
    let link = |name: &str, link: Option<&str>| {
        let link = link?.replace('(', "%28").replace(')', "%29").replace(char::is_whitespace, "%20");
        Some(format!("[{name}]({link})"))
    };
    let links = [link("Acknowledge", message.acknowledge()), link("Incident", message.page())];
    let links: Vec<String> = links.into_iter().flatten().collect();
    let lines = [markdown.to_owned(), links.join(" · ")];
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn color(urgency: Urgency) -> u32 {
    match urgency {
        Urgency::Critical => 0xd1_24_2f,
        Urgency::Warning => 0xd9_7a_00,
        Urgency::Acknowledged => 0x09_69_da,
        Urgency::Resolved => 0x1a_7f_37,
        Urgency::Test => 0x6e_77_81,
    }
}
