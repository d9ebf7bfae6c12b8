//! Signed addresses: whoever has one may do the one thing it is for, and nobody can make one up.
//!
//! A token is `<what>.<signature>`, both in URL-safe base64: what it is for, in the clear, and the HMAC-SHA256 of that
//! under a secret of this journal.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;

/// How long a link acknowledges.
const GOOD_FOR: Duration = Duration::from_secs(7 * 86_400);

/// Signs, and knows its own again.
#[derive(Clone)]
pub struct Signer(Vec<u8>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a link acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who takes it.
    #[serde(rename = "u")]
    pub user: String,
    /// Which incident.
    #[serde(rename = "i")]
    pub incident: u64,
    /// Seconds since the Unix epoch until which the link is good.
    #[serde(rename = "e")]
    pub until: i64,
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Copy the address whole.
    #[error("this link was not made by this wharf, or was cut off")]
    Unknown,
    /// Go to the incident's page.
    #[error("this link is too old: open the incident's page instead")]
    TooOld,
}

impl Signer {
    /// Signs with `secret`.
    pub fn new(secret: Vec<u8>) -> Self {
        Self(secret)
    }

    /// A token with which `user` takes `incident`.
    pub fn acknowledge(&self, user: &str, incident: u64, now: Timestamp) -> String {
        let until = now.as_second().saturating_add_unsigned(GOOD_FOR.as_secs());
        self.token("ack", &Acknowledgement { user: user.to_owned(), incident, until })
    }

    /// What such a token says.
    pub fn acknowledgement(&self, token: &str, now: Timestamp) -> Result<Acknowledgement, TokenError> {
        let found: Acknowledgement = self.read("ack", token)?;
        if found.until < now.as_second() { Err(TokenError::TooOld) } else { Ok(found) }
    }

    /// A token for the calendar of a `rotation` or a `user`; it is always the same one.
    pub fn calendar(&self, kind: &str, name: &str) -> String {
        URL_SAFE_NO_PAD
            .encode(self.mac(format!("calendar\0{kind}\0{name}").as_bytes()).finalize().into_bytes())
    }

    /// Whether a token is the calendar's.
    pub fn is_calendar(&self, kind: &str, name: &str, token: &str) -> bool {
        let text = format!("calendar\0{kind}\0{name}");
        URL_SAFE_NO_PAD
            .decode(token)
            .is_ok_and(|given| self.mac(text.as_bytes()).verify_slice(&given).is_ok())
    }

    fn token(&self, purpose: &str, what: &impl Serialize) -> String {
        let body = serde_json::to_vec(what).unwrap_or_default();
        let signature = self.signature(purpose, &body);
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(body),
            URL_SAFE_NO_PAD.encode(signature.finalize().into_bytes())
        )
    }

    fn read<T: DeserializeOwned>(&self, purpose: &str, token: &str) -> Result<T, TokenError> {
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Unknown);
        let (body, signature) = token.split_once('.').ok_or(TokenError::Unknown)?;
        let (body, signature) = (decode(body)?, decode(signature)?);
        self.signature(purpose, &body).verify_slice(&signature).map_err(|_| TokenError::Unknown)?;
        serde_json::from_slice(&body).map_err(|_| TokenError::Unknown)
    }

    fn signature(&self, purpose: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac(purpose.as_bytes());
        mac.update(b"\0");
        mac.update(body);
        mac
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length");
        mac.update(text);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_link_is_for_one_user_one_incident_and_a_week() {
        let signer = Signer::new(b"secret".to_vec());
        let token = signer.acknowledge("dana", 7, at(1_000));
        let found = signer.acknowledgement(&token, at(2_000)).unwrap();
        assert_eq!((found.user.as_str(), found.incident), ("dana", 7));
        assert_eq!(signer.acknowledgement(&token, at(1_000 + 8 * 86_400)), Err(TokenError::TooOld));
    }

    #[test]
    fn what_another_secret_signed_or_somebody_changed_is_not_known() {
        let (ours, theirs) = (Signer::new(b"ours".to_vec()), Signer::new(b"theirs".to_vec()));
        let token = theirs.acknowledge("dana", 7, at(0));
        assert_eq!(ours.acknowledgement(&token, at(0)), Err(TokenError::Unknown));
        let (body, signature) = token.split_once('.').unwrap();
        let other = theirs.acknowledge("dana", 8, at(0));
        let forged = format!("{}.{signature}", other.split_once('.').unwrap().0);
        assert_eq!(theirs.acknowledgement(&forged, at(0)), Err(TokenError::Unknown));
        for cut in [body, "", ".", "a.b", "ä.ö"] {
            assert_eq!(theirs.acknowledgement(cut, at(0)), Err(TokenError::Unknown), "{cut}");
        }
    }

    #[test]
    fn a_calendar_has_one_address_that_opens_no_other() {
        let signer = Signer::new(b"secret".to_vec());
        let token = signer.calendar("rotation", "primary");
        assert_eq!(token, signer.calendar("rotation", "primary"));
        assert!(signer.is_calendar("rotation", "primary", &token));
        assert!(!signer.is_calendar("user", "primary", &token));
        assert!(!signer.is_calendar("rotation", "other", &token));
    }
}
