//! Keys.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};
use wharf_catalog::{Index, KvEntry};

/// A key with its value in base64, `null` when it is empty.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KeyView<'a> {
    lock_index: u64,
    key: &'a str,
    flags: u64,
    value: Option<Base64<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    create_index: Index,
    modify_index: Index,
}

impl<'a> From<&'a KvEntry> for KeyView<'a> {
    fn from(entry: &'a KvEntry) -> Self {
        Self {
            lock_index: entry.lock_index,
            key: &entry.key,
            flags: entry.flags,
            value: (!entry.value.is_empty()).then_some(Base64(&entry.value)),
            session: entry.session.as_deref(),
            create_index: entry.created,
            modify_index: entry.modified,
        }
    }
}

impl KeyView<'_> {
    /// Without its value: what a transaction tells of a key it wrote or looked at.
    pub(crate) fn bare(self) -> Self {
        Self { value: None, ..self }
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}
