//! What can be set. Durations are written as people say them: `1500ms`, `30s`, `7d`.

use std::{fmt, time::Duration};

use serde::Deserialize;

use crate::maintenance::Maintenance;

/// How the monitor judges, how long it remembers and whom it tells.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// An answer slower than this is not responsive.
    #[serde(with = "humane")]
    pub max_response_time: Duration,
    /// A service is up while at least this many of its instances pass (0 counts as 1). Services may say something
    /// else of themselves (meta `min_healthy`), and those that are outside need one.
    pub min_healthy: usize,
    /// How long a new instance may be critical before it counts as down (then: since it was registered).
    #[serde(with = "humane")]
    pub starting_grace: Duration,
    /// How long a service whose last instance died counts as down before it is forgotten.
    #[serde(with = "humane")]
    pub forget_after: Duration,
    /// Address of a service's page for notifications; `{service}` stands for its name. Empty: none is sent.
    pub service_url: String,
    /// When services are meant to be out.
    pub maintenance: Vec<Maintenance>,
    /// Whom to tell of incidents.
    pub webhooks: Vec<WebhookConfig>,
    /// How hard to try to tell them.
    pub delivery: DeliveryConfig,
    /// How long to remember.
    pub retention: Retention,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_response_time: Duration::from_millis(1500),
            min_healthy: 1,
            starting_grace: Duration::from_secs(30),
            forget_after: Duration::from_secs(3600),
            service_url: String::new(),
            maintenance: Vec::new(),
            webhooks: Vec::new(),
            delivery: DeliveryConfig::default(),
            retention: Retention::default(),
        }
    }
}

/// One receiver of notifications.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to POST, `http://` or `https://`.
    pub url: String,
    /// Signs the body (HMAC-SHA256) so that the receiver knows it is from us.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// A secret: never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn reveal(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// How hard to try to deliver a notification.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// A receiver that has not answered after this long has failed.
    #[serde(with = "humane")]
    pub timeout: Duration,
    /// Attempts before a notification is given up.
    pub attempts: u32,
    /// Wait after the first failure; doubles with every further one.
    #[serde(with = "humane")]
    pub first_backoff: Duration,
    /// Longest wait between two attempts.
    #[serde(with = "humane")]
    pub max_backoff: Duration,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            attempts: 24,
            first_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(600),
        }
    }
}

/// How long to remember what.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Single check runs (in memory: two hours at most).
    #[serde(with = "humane")]
    pub samples: Duration,
    /// Check runs by the minute.
    #[serde(with = "humane")]
    pub minutes: Duration,
    /// Check runs by the hour, state intervals and incidents; not set: for ever.
    #[serde(with = "humane_option")]
    pub hours: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            samples: Duration::from_secs(7 * 86_400),
            minutes: Duration::from_secs(90 * 86_400),
            hours: None,
        }
    }
}

mod humane {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format!("`{text}` is not a duration like `30s`: {error}")))
    }
}

mod humane_option {
    use std::time::Duration;

    use serde::Deserializer;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        super::humane::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_say_them() {
        let config: Config =
            serde_json::from_str(r#"{"max_response_time":"2s","retention":{"hours":"400d"}}"#).unwrap();
        assert_eq!(config.max_response_time, Duration::from_secs(2));
        assert_eq!(config.retention.hours, Some(Duration::from_secs(400 * 86_400)));
        assert_eq!(config.min_healthy, 1);
    }

    #[test]
    fn an_unknown_key_and_a_bare_number_are_refused_by_name() {
        let unknown = serde_json::from_str::<Config>(r#"{"max_respons_time":"2s"}"#).unwrap_err();
        assert!(unknown.to_string().contains("max_respons_time"), "{unknown}");
        let bare = serde_json::from_str::<Config>(r#"{"forget_after":"soon"}"#).unwrap_err();
        assert!(bare.to_string().contains("`soon`"), "{bare}");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let webhook =
            WebhookConfig { url: "http://127.0.0.1/".to_owned(), secret: Some(Secret::new("hunter2")) };
        assert!(!format!("{webhook:?}").contains("hunter2"));
    }
}
