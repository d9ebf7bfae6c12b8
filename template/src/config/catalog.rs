//! Where is the catalog that templates follow, when it is not the one in this process?

use std::{fmt, path::PathBuf, time::Duration};

use serde::Deserialize;

use crate::mirror::MirrorConfig;

/// How to reach a catalog elsewhere. Shown without its secrets.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogConfig {
    /// `host:port`, or a URL; default: the catalog in this process, or `127.0.0.1:8500`.
    pub address: Option<String>,
    /// ACL token.
    pub token: Option<String>,
    /// File that holds the ACL token.
    pub token_file: Option<PathBuf>,
    /// `user:password` for a proxy in front of the catalog.
    pub auth: Option<String>,
    /// Speak TLS, also where the address does not say so?
    pub tls: bool,
    /// Check the server's certificate?
    pub tls_verify: bool,
    /// PEM file of the authorities to trust instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// Directory of such files.
    pub ca_path: Option<PathBuf>,
    /// PEM file of the certificate to show.
    pub cert: Option<PathBuf>,
    /// PEM file of its key; default: the key stands in `cert`.
    pub key: Option<PathBuf>,
    /// Most queries that wait at the server at a time.
    pub connections: usize,
    /// Answers that are behind by up to this are accepted; `0s`: only the leader's.
    #[serde(deserialize_with = "super::duration")]
    pub max_stale: Duration,
    /// Longest delay between attempts while the server is away.
    #[serde(deserialize_with = "super::duration")]
    pub max_backoff: Duration,
}

impl Default for CatalogConfig {
    fn default() -> Self {
        let mirror = MirrorConfig::default();
        Self {
            address: None,
            token: None,
            token_file: None,
            auth: None,
            tls: false,
            tls_verify: true,
            ca_cert: None,
            ca_path: None,
            cert: None,
            key: None,
            connections: mirror.connections,
            max_stale: mirror.max_stale.unwrap_or_default(),
            max_backoff: mirror.max_backoff,
        }
    }
}

impl fmt::Debug for CatalogConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CatalogConfig")
            .field("address", &self.address)
            .field("token", &self.token.as_ref().map(|_| "..."))
            .field("auth", &self.auth.as_ref().map(|_| "..."))
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl CatalogConfig {
    /// The URL to ask.
    pub fn url(&self) -> String {
        let address =
            self.address.as_deref().filter(|address| !address.is_empty()).unwrap_or("127.0.0.1:8500");
        match address.split_once("://") {
            Some(_) => address.to_owned(),
            None if self.tls => format!("https://{address}"),
            None => format!("http://{address}"),
        }
    }

    /// How it is followed.
    pub fn mirror(&self) -> MirrorConfig {
        MirrorConfig {
            connections: self.connections,
            max_stale: Some(self.max_stale).filter(|limit| !limit.is_zero()),
            max_backoff: self.max_backoff,
            ..MirrorConfig::default()
        }
    }
}
