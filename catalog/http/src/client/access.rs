//! How a catalog is reached: its address, and what proves who we are. Secrets never reach errors or logs.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{
    Certificate, ClientBuilder, Identity, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};

use super::{Client, ClientError, Result, root_cause};

/// A connection without a word from the other side is asked after this long, and given up three questions later.
const KEEPALIVE: Duration = Duration::from_secs(1);

/// How a catalog is reached. Shown without its secrets.
#[derive(Clone, Default)]
pub struct Access {
    /// `http://host:port`, `https://host:port` or `unix:///path`.
    pub url: String,
    /// Consul's access token, sent as `X-Consul-Token`.
    pub token: Option<String>,
    /// User and password of a proxy in front of the server.
    pub basic: Option<(String, String)>,
    /// Certificates of the authorities to trust instead of the system's, PEM.
    pub authorities: Option<Vec<u8>>,
    /// Our own certificate and its key, PEM.
    pub identity: Option<Vec<u8>>,
    /// Take any certificate of the server's.
    pub skip_verify: bool,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("token", &self.token.as_ref().map(|_| "...")).finish_non_exhaustive()
    }
}

impl Access {
    /// What the server wants to see, and whom we trust. Errors hold no secret.
    fn apply(&self, builder: ClientBuilder) -> std::result::Result<ClientBuilder, String> {
        let mut builder = builder.default_headers(self.headers()?);
        if let Some(pem) = &self.authorities {
            let authorities = Certificate::from_pem_bundle(pem)
                .map_err(|_| "the CA certificates are no PEM certificates".to_owned())?;
            builder = builder.tls_certs_only(authorities);
        }
        if let Some(pem) = &self.identity {
            let identity = Identity::from_pem(pem)
                .map_err(|_| "the client certificate and key are no PEM pair".to_owned())?;
            builder = builder.identity(identity);
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.skip_verify))
    }

    fn headers(&self) -> std::result::Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        if let Some(token) = self.token.as_deref().map(str::trim).filter(|token| !token.is_empty()) {
            headers.insert("x-consul-token", secret(token, "the token")?);
        }
        if let Some((user, password)) = &self.basic {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            headers.insert(AUTHORIZATION, secret(&value, "the user and password")?);
        }
        Ok(headers)
    }
}

fn secret(value: &str, what: &str) -> std::result::Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| format!("{what} must be one line of visible characters"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Client {
    /// A client for that access. Connects on first use.
    pub fn open(access: &Access) -> Result<Self> {
        let wrong = |reason: String| {
            let url = Url::parse(&access.url).map_or_else(|_| redacted(&access.url), |url| shown(&url));
            ClientError::Address { url, reason }
        };
        let url = Url::parse(&access.url).map_err(|error| wrong(error.to_string()))?;
        let socket = (url.scheme() == "unix").then(|| url.path().to_owned());
        let base = match &socket {
            Some(path) if path.len() > 1 => {
                Url::parse("http://localhost").map_err(|e| wrong(e.to_string()))?
            }
            Some(_) => return Err(wrong("it names no socket".to_owned())),
            None if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
                return Err(wrong("it must start with http:// or https://".to_owned()));
            }
            None => url.clone(),
        };
        let mut http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(3))
            .tcp_keepalive(KEEPALIVE)
            .tcp_keepalive_interval(KEEPALIVE)
            .tcp_keepalive_retries(3);
        if let Some(path) = &socket {
            http = http.unix_socket(path.as_str());
        }
        let http = access.apply(http).map_err(wrong)?;
        let http = http.build().map_err(|error| wrong(root_cause(&error)))?;
        let local = socket.is_some() || is_loopback(&base);
        Ok(Self { base, shown: shown(&url), local, http })
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// An address without user and password.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}

/// What cannot be read as an address, without what might be a password in it.
fn redacted(text: &str) -> String {
    text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, rest)| format!("...@{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str) -> Result<Client> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::open(&Access {
            url: url.to_owned(),
            token: Some("very-secret".to_owned()),
            ..Access::default()
        })
    }

    #[test]
    fn no_secret_reaches_an_error_or_a_debug_line() {
        for url in ["ftp://root:hidden@host", "http://root:hidden@", "http://root:hidden@host:99999"] {
            let error = open(url).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
        let client = open("http://root:hidden@127.0.0.1:1").unwrap();
        let access = Access { token: Some("very-secret".to_owned()), ..Access::default() };
        let debugged = format!("{} {access:?} {:?}", client.shown, client.http);
        assert!(!debugged.contains("hidden") && !debugged.contains("very-secret"), "{debugged}");
    }

    #[test]
    fn a_secret_that_cannot_be_sent_is_not_shown_either() {
        let token = Some("se\ncret".to_owned());
        let error = Access { token, ..Access::default() }.headers().unwrap_err();
        assert!(!error.contains("cret") && error.contains("the token"), "{error}");
    }

    #[test]
    fn this_machine_is_loopback_or_a_socket() {
        for (url, local) in [
            ("http://127.0.0.1:8500", true),
            ("https://[::1]:8501", true),
            ("http://localhost", true),
            ("unix:///run/consul.sock", true),
            ("http://10.0.0.1:8500", false),
            ("http://consul:8500", false),
        ] {
            assert_eq!(open(url).unwrap().is_local(), local, "{url}");
        }
        for url in ["unix://", "127.0.0.1:8500", "consul"] {
            assert!(open(url).is_err(), "{url}");
        }
    }
}
