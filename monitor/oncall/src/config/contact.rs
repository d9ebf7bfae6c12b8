//! Where a person or a room can be reached.

use serde::{Deserialize, Serialize};
use url::Url;

use super::smtp::is_address;
use crate::Secret;

/// A way to reach somebody. What lets whoever knows it in is a [`Secret`], addresses with tokens included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Contact {
    /// A mail over the SMTP server of the settings.
    Email {
        /// To whom.
        address: String,
    },
    /// A `POST` of JSON.
    Webhook {
        /// Where to.
        url: Secret,
        /// Signs the body (HMAC-SHA256).
        secret: Option<Secret>,
    },
    /// An incoming webhook of Slack.
    Slack {
        /// Its address.
        url: Secret,
    },
    /// A channel's webhook of Discord.
    Discord {
        /// Its address.
        url: Secret,
    },
    /// A bot's message of Telegram.
    Telegram {
        /// The bot's token.
        token: Secret,
        /// The chat's number or `@channel`.
        chat: String,
        /// Another server than Telegram's.
        server: Option<String>,
    },
    /// A workflow's webhook of Microsoft Teams.
    Teams {
        /// Its address.
        url: Secret,
    },
    /// An incoming webhook of Mattermost.
    Mattermost {
        /// Its address.
        url: Secret,
        /// Another channel than the webhook's.
        channel: Option<String>,
    },
    /// A topic of ntfy: pushes to phones.
    Ntfy {
        /// Server and topic, `https://ntfy.sh/my-topic`: who knows it can read it.
        url: Secret,
        /// For a topic that is not open.
        token: Option<Secret>,
    },
    /// Pushover.
    Pushover {
        /// The application's token.
        token: Secret,
        /// The user's or the group's key.
        user: Secret,
        /// Another server than Pushover's.
        server: Option<String>,
    },
    /// Gotify.
    Gotify {
        /// The server.
        server: String,
        /// The application's token.
        token: Secret,
    },
    /// The Events API v2 of PagerDuty.
    Pagerduty {
        /// The integration's key.
        routing_key: Secret,
        /// Another server than PagerDuty's.
        server: Option<String>,
    },
    /// The REST endpoint of Splunk On-Call (VictorOps).
    SplunkOncall {
        /// Its address with the integration's key.
        url: Secret,
        /// The routing key.
        routing_key: String,
    },
    /// The alert API of Opsgenie.
    Opsgenie {
        /// The integration's key.
        api_key: Secret,
        /// `https://api.eu.opsgenie.com` for Europe.
        server: Option<String>,
    },
    /// The v2 API of an Alertmanager.
    Alertmanager {
        /// The server; may hold `user:password@`.
        url: Secret,
    },
    /// A text message over Twilio.
    TwilioSms {
        /// The account's identifier.
        account: String,
        /// Its token.
        token: Secret,
        /// The number it comes from, `+34...`.
        from: String,
        /// The number it goes to.
        to: String,
        /// Another server than Twilio's.
        server: Option<String>,
    },
    /// A telephone call over Twilio.
    TwilioVoice {
        /// The account's identifier.
        account: String,
        /// Its token.
        token: Secret,
        /// The number it comes from, `+34...`.
        from: String,
        /// The number it goes to.
        to: String,
        /// Another server than Twilio's.
        server: Option<String>,
    },
}

/// How a contact method reaches people, as far as limits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Costs nothing and rings once.
    Push,
    /// Mail.
    Email,
    /// Text messages.
    Sms,
    /// Telephone calls.
    Voice,
}

impl Contact {
    /// The words for all kinds.
    pub const KINDS: &[&str] = &[
        "email",
        "webhook",
        "slack",
        "discord",
        "telegram",
        "teams",
        "mattermost",
        "ntfy",
        "pushover",
        "gotify",
        "pagerduty",
        "splunk-oncall",
        "opsgenie",
        "alertmanager",
        "twilio-sms",
        "twilio-voice",
    ];

    /// Whether what is told by this kind keeps incidents of its own, which have to be ended there too.
    pub fn keeps_incidents(kind: &str) -> bool {
        ["pagerduty", "splunk-oncall", "opsgenie", "alertmanager"].contains(&kind)
    }

    /// The word for its kind, as the configuration has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Telegram { .. } => "telegram",
            Self::Teams { .. } => "teams",
            Self::Mattermost { .. } => "mattermost",
            Self::Ntfy { .. } => "ntfy",
            Self::Pushover { .. } => "pushover",
            Self::Gotify { .. } => "gotify",
            Self::Pagerduty { .. } => "pagerduty",
            Self::SplunkOncall { .. } => "splunk-oncall",
            Self::Opsgenie { .. } => "opsgenie",
            Self::Alertmanager { .. } => "alertmanager",
            Self::TwilioSms { .. } => "twilio-sms",
            Self::TwilioVoice { .. } => "twilio-voice",
        }
    }

    /// What limits apply.
    pub fn medium(&self) -> Medium {
        match self {
            Self::Email { .. } => Medium::Email,
            Self::TwilioSms { .. } => Medium::Sms,
            Self::TwilioVoice { .. } => Medium::Voice,
            _ => Medium::Push,
        }
    }

    /// All that lets in whoever knows it.
    pub fn secrets(&self) -> Vec<&Secret> {
        match self {
            Self::Email { .. } => Vec::new(),
            Self::Webhook { url, secret } => [url].into_iter().chain(secret).collect(),
            Self::Ntfy { url, token } => [url].into_iter().chain(token).collect(),
            Self::Slack { url }
            | Self::Discord { url }
            | Self::Teams { url }
            | Self::Mattermost { url, .. }
            | Self::SplunkOncall { url, .. }
            | Self::Alertmanager { url } => vec![url],
            Self::Pushover { token, user, .. } => vec![token, user],
            Self::Telegram { token, .. }
            | Self::Gotify { token, .. }
            | Self::TwilioSms { token, .. }
            | Self::TwilioVoice { token, .. } => vec![token],
            Self::Pagerduty { routing_key, .. } => vec![routing_key],
            Self::Opsgenie { api_key, .. } => vec![api_key],
        }
    }

    /// The address it is told, if it is; with its name.
    fn address(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Webhook { url, .. }
            | Self::Slack { url }
            | Self::Discord { url }
            | Self::Teams { url }
            | Self::Mattermost { url, .. }
            | Self::Ntfy { url, .. }
            | Self::SplunkOncall { url, .. }
            | Self::Alertmanager { url } => Some(("url", url.reveal())),
            Self::Gotify { server, .. } => Some(("server", server)),
            Self::Telegram { server, .. }
            | Self::Pushover { server, .. }
            | Self::Pagerduty { server, .. }
            | Self::Opsgenie { server, .. }
            | Self::TwilioSms { server, .. }
            | Self::TwilioVoice { server, .. } => server.as_deref().map(|server| ("server", server)),
            Self::Email { .. } => None,
        }
    }

    /// What is wrong with it, in the words `field: what and the remedy`.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.address().and_then(address_fault).into_iter().collect();
        if self.secrets().iter().any(|secret| secret.reveal().trim().is_empty()) {
            faults.push("an address, a token or a key is empty; copy it from where it was made".to_owned());
        }
        match self {
            Self::TwilioSms { from, to, .. } | Self::TwilioVoice { from, to, .. } => {
                for (field, number) in [("from", from), ("to", to)] {
                    if !is_telephone(number) {
                        faults.push(format!("`{field}` is no telephone number like +34911234567"));
                    }
                }
            }
            Self::Ntfy { url, .. } if !has_topic(url.reveal()) => {
                faults.push("`url` names no topic; write it like https://ntfy.sh/my-topic".to_owned());
            }
            Self::Email { address } if !is_address(address) => {
                faults.push(format!("`address`: `{address}` is no mail address like dana@example.org"));
            }
            _ => {}
        }
        faults
    }
}

/// What is wrong with an address of the web. It may be a secret, and is not repeated.
fn address_fault((field, address): (&'static str, &str)) -> Option<String> {
    if !(address.starts_with("http://") || address.starts_with("https://")) {
        return Some(format!("`{field}` does not begin with http:// or https://"));
    }
    match Url::parse(address) {
        Err(error) => Some(format!("`{field}` is no address: {error}")),
        Ok(url) if field == "server" && (!url.username().is_empty() || url.password().is_some()) => {
            Some("`server` holds a name or a password, and servers are shown; leave them out".to_owned())
        }
        Ok(_) => None,
    }
}

fn has_topic(address: &str) -> bool {
    let topic = |url: Url| url.path_segments()?.next_back().map(|last| !last.is_empty());
    Url::parse(address).ok().and_then(topic) == Some(true)
}

fn is_telephone(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (6..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
