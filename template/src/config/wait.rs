//! How long is a change left to settle before it is rendered?

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::ConfigError;

/// A change is rendered after `min` without a further one, at the latest `max` after the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Calm needed.
    pub min: Duration,
    /// Longest delay of the first change.
    pub max: Duration,
}

impl Default for Wait {
    fn default() -> Self {
        Self { min: Duration::from_millis(10), max: Duration::from_millis(100) }
    }
}

impl FromStr for Wait {
    type Err = ConfigError;

    /// `min:max`, or `min` alone: then `max` is four times that (as consul-template has it).
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Wait(text.to_owned());
        let parse = |part: &str| humantime::parse_duration(part.trim()).map_err(|_| wrong());
        let (min, max) = match text.split_once(':') {
            Some((min, max)) => (parse(min)?, parse(max)?),
            None => (parse(text)?, parse(text)?.saturating_mul(4)),
        };
        if min > max {
            return Err(wrong());
        }
        Ok(Self { min, max })
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
