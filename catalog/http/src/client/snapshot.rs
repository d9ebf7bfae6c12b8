//! Snapshots of the whole catalog, from afar.

use std::time::Duration;

use super::{Client, Result};

/// A large catalog takes its time to be packed and sent.
const PATIENCE: Duration = Duration::from_secs(600);

impl Client {
    /// The whole catalog as it is now, as an archive that [`Self::restore_snapshot`] takes.
    pub async fn save_snapshot(&self) -> Result<Vec<u8>> {
        let response = self.get(self.url("/v1/snapshot", None)?, PATIENCE).await?;
        Ok(response.bytes().await.map_err(|error| self.unreachable(&error))?.into())
    }

    /// Puts what is in the archive in the place of everything that stands.
    pub async fn restore_snapshot(&self, packed: Vec<u8>) -> Result<()> {
        let url = self.url("/v1/snapshot", None)?;
        let request = self.http.put(url.clone()).timeout(PATIENCE).body(packed);
        self.answer(url, request).await.map(drop)
    }
}
