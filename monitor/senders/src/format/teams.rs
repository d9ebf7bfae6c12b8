//! Microsoft Teams: an Adaptive Card for a workflow's webhook
//! (<https://learn.microsoft.com/power-automate/create-adaptive-cards>). At most 28 KB.

use serde_json::{Value, json};
use wharf_oncall::{Secret, template::shorten};

use super::{Request, address};
use crate::message::{Message, Urgency};

/// With all escapes of JSON it stays below what Teams takes.
const TEXT: usize = 4_000;

pub(super) fn request(url: &Secret, message: &Message<'_>) -> Result<Request, String> {
    let color = match message.urgency() {
        Urgency::Critical => "Attention",
        Urgency::Warning => "Warning",
        Urgency::Acknowledged => "Accent",
        Urgency::Resolved => "Good",
        Urgency::Test => "Default",
    };
    let title = json!({ "type": "TextRun", "text": message.title, "weight": "Bolder", "size": "Large", "color": color });
    let text = shorten(message.details(), TEXT);
    // Text blocks are Markdown, text runs are not; a run has no line ends.
    let lines = text.lines().map(|line| json!({ "type": "TextRun", "text": line }));
    let body: Vec<Value> = std::iter::once(title)
        .chain(lines)
        .map(|run| json!({ "type": "RichTextBlock", "inlines": [run], "spacing": "Small" }))
        .collect();
    let action = |title: &str, url: Option<&str>| {
        url.map(|url| json!({ "type": "Action.OpenUrl", "title": title, "url": url }))
    };
    let actions = [action("Acknowledge", message.acknowledge()), action("Incident", message.page())];
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions.into_iter().flatten().collect::<Vec<_>>(),
        "fallbackText": message.title,
        "msteams": { "width": "Full" },
    });
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card });
    Request::json(address(url.reveal())?, &json!({ "type": "message", "attachments": [attachment] }))
}
