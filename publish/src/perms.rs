//! Permission bits of a file.

use serde::{Deserialize, Deserializer, de};

/// Permission bits of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Perms(pub u32);

impl<'de> Deserialize<'de> for Perms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mode = u32::from_str_radix(text.trim_start_matches("0o"), 8).ok();
        match mode.filter(|mode| *mode <= 0o7777) {
            Some(mode) => Ok(Self(mode)),
            None => Err(de::Error::custom(format!(
                "`{text}` is no file mode: write octal digits, as in \"0644\""
            ))),
        }
    }
}
