//! A message as each provider wants it: contact and message in, HTTP requests out. One file for each family.
//!
//! Texts get into JSON by serde, into forms and addresses by their encoders, and into markup by `text`; providers'
//! limits are kept here, so that a long text is cut and not refused.

mod alertmanager;
mod chat;
mod events;
mod opsgenie;
mod pagerduty;
mod push;
mod splunk;
mod teams;
mod telegram;
mod twilio;
mod webhook;

use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::Serialize;
use url::Url;
use wharf_oncall::{Secret, config::Contact};

use crate::message::Message;

/// An HTTP request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    /// Any 2xx takes it, whatever the answer's body says.
    pub(crate) answer_unread: bool,
}

/// What is to be sent, in this order; or why it cannot be, without secrets.
pub(crate) fn requests(contact: &Contact, message: &Message<'_>) -> Result<Vec<Request>, String> {
    let one = match contact {
        Contact::Email { .. } => return Err("a mail is no HTTP request".to_owned()),
        Contact::Pagerduty { routing_key, server } => {
            return pagerduty::requests(routing_key, server.as_deref(), message);
        }
        Contact::SplunkOncall { url, routing_key } => return splunk::requests(url, routing_key, message),
        Contact::Opsgenie { api_key, server } => {
            return opsgenie::requests(api_key, server.as_deref(), message);
        }
        Contact::Alertmanager { url } => alertmanager::request(url, message),
        Contact::Webhook { url, secret } => webhook::request(url, secret.as_ref(), message),
        Contact::Slack { url } => chat::slack(url, message),
        Contact::Mattermost { url, channel } => chat::mattermost(url, channel.as_deref(), message),
        Contact::Discord { url } => chat::discord(url, message),
        Contact::Teams { url } => teams::request(url, message),
        Contact::Telegram { token, chat, server } => {
            telegram::request(token, chat, server.as_deref(), message)
        }
        Contact::Ntfy { url, token } => push::ntfy(url, token.as_ref(), message),
        Contact::Pushover { token, user, server } => push::pushover(token, user, server.as_deref(), message),
        Contact::Gotify { server, token } => push::gotify(server, token, message),
        Contact::TwilioSms { account, token, from, to, server } => {
            let line = twilio::Line { account, token, from, to, server: server.as_deref() };
            twilio::sms(&line, message)
        }
        Contact::TwilioVoice { account, token, from, to, server } => {
            let line = twilio::Line { account, token, from, to, server: server.as_deref() };
            twilio::voice(&line, message)
        }
    };
    Ok(vec![one?])
}

impl Request {
    /// A `POST` of JSON.
    fn json(url: Url, body: &impl Serialize) -> Result<Self, String> {
        let body = serde_json::to_vec(body).map_err(|error| format!("cannot be written as JSON: {error}"))?;
        Ok(Self::post(url, "application/json", body))
    }

    /// A `POST` of a form.
    fn form(url: Url, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(url, "application/x-www-form-urlencoded", body.into_bytes())
    }

    fn post(url: Url, kind: &'static str, body: Vec<u8>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Self { method: Method::POST, url, headers, body: Some(body), answer_unread: false }
    }

    /// The same with a header field whose value is a secret.
    fn with_secret(mut self, name: HeaderName, value: &str) -> Result<Self, String> {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| "the token holds what no header field can; copy it anew".to_owned())?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// The same with `Authorization`.
    fn authorized(self, scheme: &str, token: &Secret) -> Result<Self, String> {
        self.with_secret(AUTHORIZATION, &format!("{scheme} {}", token.reveal().trim()))
    }
}

/// An address; in case it is a secret, it is not repeated where it is none.
fn address(url: &str) -> Result<Url, String> {
    Url::parse(url.trim()).map_err(|error| format!("the address cannot be used: {error}"))
}

/// An address below a server's.
fn below(server: &str, path: &[&str]) -> Result<Url, String> {
    let mut url = address(server)?;
    url.path_segments_mut()
        .map_err(|()| "the address cannot be used: it has no path".to_owned())?
        .pop_if_empty()
        .extend(path);
    Ok(url)
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
