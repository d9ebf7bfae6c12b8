//! Twilio's texts (<https://www.twilio.com/docs/messaging/api/message-resource>) and calls
//! (<https://www.twilio.com/docs/voice/api/call-resource>, <https://www.twilio.com/docs/voice/twiml>).

use reqwest::header::AUTHORIZATION;
use wharf_oncall::{Secret, state::Occasion, template::shorten};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Request, below};
use crate::{message::Message, text};

const SERVER: &str = "https://api.twilio.com";
/// Longest text in characters.
const SMS: usize = 1_600;
/// Nobody listens any longer; escaped for XML it stays below the 4,000 characters of a `Twiml`.
const SPOKEN: usize = 500;
/// So many incidents of a bundle are named.
const NAMED: usize = 5;

/// Between two telephones.
pub(super) struct Line<'c> {
    pub(super) account: &'c str,
    pub(super) token: &'c Secret,
    pub(super) from: &'c str,
    pub(super) to: &'c str,
    pub(super) server: Option<&'c str>,
}

impl Line<'_> {
    fn request(&self, resource: &str, fields: &[(&str, &str)]) -> Result<Request, String> {
        let server = self.server.unwrap_or(SERVER);
        let url = below(server, &["2010-04-01", "Accounts", self.account, resource])?;
        let mut all = vec![("To", self.to), ("From", self.from)];
        all.extend(fields);
        let login = STANDARD.encode(format!("{}:{}", self.account, self.token.reveal().trim()));
        Request::form(url, &all).with_secret(AUTHORIZATION, &format!("Basic {login}"))
    }
}

/// A text message: short, with the link that acknowledges. Twilio replaces what would make it a dearer one
/// (typographic quotes and the like).
pub(super) fn sms(line: &Line<'_>, message: &Message<'_>) -> Result<Request, String> {
    let body = if message.own_text { message.text.clone() } else { brief(message) };
    line.request("Messages.json", &[("Body", &shorten(&body, SMS)), ("SmartEncoded", "true")])
}

fn brief(message: &Message<'_>) -> String {
    let incidents = message.context.incidents;
    let mut lines = vec![shorten(&message.title, 300)];
    if incidents.len() > 1 {
        let named = incidents.iter().take(NAMED);
        lines.extend(named.map(|incident| {
            format!("#{} {}", incident.incident, shorten(&text::line(&incident.title), 100))
        }));
    }
    lines.extend(message.acknowledge().or_else(|| message.page()).map(str::to_owned));
    // A link that is cut off is none: the lines before it are short enough.
    lines.join("\n")
}

/// A call: said twice; any key acknowledges, by a `POST` to the signed link.
pub(super) fn voice(line: &Line<'_>, message: &Message<'_>) -> Result<Request, String> {
    let words = if message.own_text { message.text.clone() } else { spoken(message) };
    let words = text::xml_text(&shorten(&text::line(&words), SPOKEN).replace(['\u{fffe}', '\u{ffff}'], " "));
    let twiml = match message.acknowledge() {
        Some(link) => format!(
            "<Response><Gather numDigits=\"1\" timeout=\"10\" method=\"POST\" action=\"{}\"><Say loop=\"2\">{words} \
             Press any key to acknowledge.</Say></Gather></Response>",
            text::xml_attribute(link)
        ),
        None => format!("<Response><Say loop=\"2\">{words}</Say></Response>"),
    };
    line.request("Calls.json", &[("Twiml", &twiml)])
}

fn spoken(message: &Message<'_>) -> String {
    let context = message.context;
    match context.incidents {
        _ if context.occasion == Occasion::Test => "This is a test message from wharf.".to_owned(),
        [only] if context.more == 0 => {
            let word = match context.occasion {
                Occasion::Triggered => only.severity.to_lowercase(),
                other => other.to_string(),
            };
            format!(
                "Message from wharf. {word}. Incident {}: {}. {}.",
                only.incident, only.title, context.reason
            )
        }
        several => {
            let count = several.len() + context.more;
            let titles: Vec<String> =
                several.iter().take(NAMED).map(|incident| text::line(&incident.title)).collect();
            format!("Message from wharf. {count} incidents: {}.", titles.join(". "))
        }
    }
}
