//! `[smtp]`: the server that mails go out by.

use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use super::when;
use crate::Secret;

/// Somebody waits for the next contact method while a mail server thinks.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// The server that mails go out by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name, which is the one its certificate has to have.
    pub server: String,
    /// Without it, what is usual for `tls`: 587, 465 or 25.
    pub port: Option<u16>,
    /// How the connection is kept private.
    #[serde(default)]
    pub tls: SmtpTls,
    /// Who logs in.
    pub username: Option<String>,
    /// With what.
    pub password: Option<Secret>,
    /// The sender: `wharf@example.org` or `Wharf <wharf@example.org>`.
    pub from: String,
    /// How long one attempt may take.
    #[serde(default = "timeout", with = "when::duration")]
    pub timeout: Duration,
    /// PEM file with authorities to believe beside the machine's.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// Becomes private with `STARTTLS`, or is given up.
    #[default]
    Starttls,
    /// Private from the first byte.
    Tls,
    /// Not at all.
    None,
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

impl Smtp {
    /// The port, written or usual.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            SmtpTls::Starttls => 587,
            SmtpTls::Tls => 465,
            SmtpTls::None => 25,
        })
    }

    /// The sender's name and address.
    pub fn sender(&self) -> (Option<&str>, &str) {
        let named = self.from.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<'));
        match named {
            Some((name, address)) => {
                let name = name.trim().trim_matches('"');
                ((!name.is_empty()).then_some(name), address.trim())
            }
            None => (None, self.from.trim()),
        }
    }

    /// What is wrong with it: the key, and what and the remedy.
    pub(crate) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut add = |key, message: &str| faults.push((key, message.to_owned()));
        if self.server.is_empty() || self.server.contains(|c: char| c.is_whitespace() || c == '/' || c == '@')
        {
            add("server", "is no name of a server like mail.example.org");
        } else if self.server.contains(':') && self.server.parse::<IpAddr>().is_err() {
            add("server", "holds a port; write it as `port`");
        }
        match (&self.username, &self.password) {
            (Some(_), None) => add("username", "needs `password` beside it"),
            (None, Some(_)) => add("password", "needs `username` beside it"),
            (Some(_), Some(_)) if self.tls == SmtpTls::None && !self.is_local() => add(
                "tls",
                "would send the password in the clear; write \"starttls\" or \"tls\", or leave username and password out",
            ),
            _ => {}
        }
        if !is_address(self.sender().1) {
            add("from", "is no sender like `wharf@example.org` or `Wharf <wharf@example.org>`");
        }
        if self.timeout.is_zero() || self.timeout > LONGEST_TIMEOUT {
            add("timeout", "is more than nothing and at most 1m");
        }
        if self.ca_file.as_ref().is_some_and(|file| !file.is_absolute()) {
            add("ca_file", "is no absolute path; begin it with /");
        }
        faults
    }

    fn is_local(&self) -> bool {
        let address = self.server.parse::<IpAddr>();
        self.server == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// Whether it is what mail programs take for an address, and nothing but an address.
pub(super) fn is_address(address: &str) -> bool {
    let bare = Options::default().without_display_text();
    EmailAddress::parse_with_options(address, bare).is_ok() && EmailAddress::from_str(address).is_ok()
}
