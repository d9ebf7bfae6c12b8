//! Which catalog, and what proves who we are. Variables are Consul's own.

use std::path::{Path, PathBuf};

use anyhow::Context;
use wharf_catalog_http::client::{Access, Client};

use super::old::OldCatalog;

const DEFAULT: &str = "http://127.0.0.1:8500";

/// What proves who we are.
#[derive(clap::Args)]
pub(super) struct Credentials {
    /// Access token; better given as a variable or in a file, where other users do not see it
    #[arg(long, env = "CONSUL_HTTP_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// File that holds the access token
    #[arg(long, env = "CONSUL_HTTP_TOKEN_FILE", value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Certificates of authorities to trust beside the system's, PEM
    #[arg(long, env = "CONSUL_CACERT", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Our own certificate, PEM
    #[arg(long, env = "CONSUL_CLIENT_CERT", value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, env = "CONSUL_CLIENT_KEY", value_name = "FILE")]
    client_key: Option<PathBuf>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// A client of the catalog that the flags, or an old command line, name.
pub(super) fn client(
    given: Option<&str>,
    old: Option<&OldCatalog>,
    credentials: &Credentials,
) -> anyhow::Result<Client> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let of_old = |name| old.filter(|old| old.tls).and_then(|_| variable(name));
    let cert = credentials.client_cert.clone().or_else(|| of_old("CONSUL_TLSCERT"));
    let key = credentials.client_key.clone().or_else(|| of_old("CONSUL_TLSKEY"));
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some([read(&cert)?, b"\n".to_vec(), read(&key)?].concat()),
        _ => None,
    };
    let token = match &credentials.token_file {
        Some(path) => Some(String::from_utf8(read(path)?).context("the token file holds no text")?),
        None => credentials.token.clone(),
    };
    let url = old.map(|old| old.url.as_str()).filter(|url| !url.is_empty()).or(given).unwrap_or(DEFAULT);
    let access = Access {
        url: with_scheme(url, old.is_some_and(|old| old.tls)),
        token,
        authorities: credentials.ca_file.as_deref().map(read).transpose()?,
        identity,
        ..Access::default()
    };
    Ok(Client::open(&access)?)
}

/// Consul's tools take `host:port` too.
fn with_scheme(url: &str, tls: bool) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let wanted = std::env::var("CONSUL_HTTP_SSL").is_ok_and(|value| ["true", "1"].contains(&value.as_str()));
    if tls || wanted { format!("https://{url}") } else { format!("http://{url}") }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
