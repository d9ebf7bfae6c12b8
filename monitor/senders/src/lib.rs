//! Carries a message to a contact method, once: what is done about a failure is the pager's business.
//!
//! Pure: `message` (what is said, for this kind of contact), `format` (contact and message to HTTP requests, a file
//! for each provider), `mail` (the same for mails), `text` (what keeps texts in their fields), `answer` (what an
//! answer means), `redact` (what keeps secrets out of it). Edges: `http`, `smtp`.
//!
//! No secret reaches a [`Receipt`], a [`Failure`], a [`SendersError`], or a log.

mod answer;
#[cfg(test)]
mod fixture;
mod format;
mod http;
mod mail;
mod message;
mod redact;
mod smtp;
mod text;

use std::{path::PathBuf, time::Duration};

use wharf_oncall::{
    Plan,
    config::Contact,
    template::{Context, Templates},
};

use self::{message::Message, redact::Redaction};

/// Settings beside the contacts: the mail server, the templates, the HTTP client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Senders {
    http: http::Http,
    mail: Option<smtp::MailServer>,
    templates: Templates,
}

/// Taken by whoever carries it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Short, without secrets: `202`, `250 queued as 12AB`, the provider's number for it.
    pub answer: String,
}

/// Not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why, in one line, without secrets.
    pub reason: String,
    /// Whether another attempt may do better.
    pub again: Again,
}

/// Whether another attempt may do better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would come to the same: the next contact method is due.
    Never,
    /// After the usual wait.
    Soon,
    /// Not before this has passed: the other side said so. An hour at most.
    After(Duration),
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SendersError {
    /// The HTTP client cannot be made.
    #[error("no HTTP client can be made: {0}")]
    Http(String),
    /// The file does not hold what it should.
    #[error("smtp.ca_file: cannot use `{}`: {reason}", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The mail server cannot be used as configured.
    #[error("smtp: {0}")]
    Smtp(String),
}

impl Senders {
    /// Made of a plan, and anew at each reload of it. Reads trusted certificates from the disk.
    pub fn new(plan: &Plan) -> Result<Self, SendersError> {
        Ok(Self {
            http: http::Http::new()?,
            mail: plan.smtp.as_ref().map(smtp::MailServer::new).transpose()?,
            templates: Templates::new(&plan.messages),
        })
    }

    /// The same, with another limit than 10 s for requests over HTTP.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.http = self.http.with_timeout(timeout);
        self
    }

    /// One attempt, over within 10 s (a mail: within `smtp.timeout`).
    ///
    /// Dropping the future gives the attempt up; whether it came through is then unknown.
    pub async fn send(&self, contact: &Contact, context: &Context<'_>) -> Result<Receipt, Failure> {
        let message = Message::new(context, self.templates.render(contact.kind(), context));
        let outcome = match contact {
            Contact::Email { address } => match &self.mail {
                Some(server) => server.send(address, &message).await,
                None => {
                    Err(Failure::never("there is no mail server; add [smtp] to the on-call configuration"))
                }
            },
            other => match format::requests(other, &message) {
                Ok(requests) => self.http.send(requests).await,
                Err(reason) => Err(Failure::never(reason)),
            },
        };
        let redaction = Redaction::new(contact);
        outcome
            .map_err(|failure| Failure { reason: redaction.apply(&failure.reason), ..failure })
            .map(|receipt| Receipt { answer: redaction.apply(&receipt.answer) })
    }
}

impl Failure {
    fn never(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: Again::Never }
    }

    fn soon(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), again: Again::Soon }
    }
}
