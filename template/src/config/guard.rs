//! What is not believed at once: a catalog that lost everything, an instance that flaps.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// What to do when everything a template lists has gone from the catalog at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnEmpty {
    /// Keep the last file until something is there again: more likely the catalog lost its memory.
    #[default]
    Keep,
    /// Publish the empty file.
    Render,
}

/// Largest share that may go at once: above 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxShrink(pub f64);

impl<'de> Deserialize<'de> for MaxShrink {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let share = text.trim().strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok());
        match share.filter(|percent| *percent > 0.0 && *percent <= 100.0) {
            Some(percent) => Ok(Self(percent / 100.0)),
            None => Err(de::Error::custom(format!(
                "`{text}` is no share: write a percentage above 0, as in \"50%\""
            ))),
        }
    }
}

/// When an instance that comes and goes is held out, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Damping {
    /// Changes between in and out after which an instance is held out; 0: never.
    pub transitions: usize,
    /// The time in which that many are too many.
    #[serde(deserialize_with = "super::duration")]
    pub within: Duration,
    /// How long it is held out the first time; doubled each time it starts over.
    #[serde(deserialize_with = "super::duration")]
    pub hold: Duration,
    /// The longest it is held out at a time.
    #[serde(deserialize_with = "super::duration")]
    pub max_hold: Duration,
}

impl Default for Damping {
    fn default() -> Self {
        Self {
            transitions: 6,
            within: Duration::from_secs(60),
            hold: Duration::from_secs(10),
            max_hold: Duration::from_secs(300),
        }
    }
}
