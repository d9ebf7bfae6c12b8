//! Which stretch of the past? The few that pages and commands offer.

use std::{str::FromStr, time::Duration};

use wharf_catalog::Timestamp;
use wharf_monitor::Window;

/// A stretch of the past that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WindowName {
    /// `1h`
    Hour,
    /// `24h`
    #[default]
    Day,
    /// `7d`
    Week,
    /// `30d`
    Month,
}

/// Nobody offers this one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown window `{0}`: use `1h`, `24h`, `7d` or `30d`")]
pub struct UnknownWindow(pub String);

impl WindowName {
    /// How it is written in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Its two ends.
    pub fn ending(self, now: Timestamp) -> Window {
        Window::last(self.length(), now)
    }

    fn length(self) -> Duration {
        const HOUR: u64 = 3600;
        Duration::from_secs(match self {
            Self::Hour => HOUR,
            Self::Day => 24 * HOUR,
            Self::Week => 7 * 24 * HOUR,
            Self::Month => 30 * 24 * HOUR,
        })
    }
}

impl FromStr for WindowName {
    type Err = UnknownWindow;

    fn from_str(text: &str) -> Result<Self, UnknownWindow> {
        [Self::Hour, Self::Day, Self::Week, Self::Month]
            .into_iter()
            .find(|window| window.as_str() == text)
            .ok_or_else(|| UnknownWindow(text.to_owned()))
    }
}
