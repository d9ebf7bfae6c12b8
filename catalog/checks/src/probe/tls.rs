//! Whose certificates are believed. Checks mostly ask services inside the house, whose certificates are signed
//! by the house's own authority: so the machine's trust store counts (as in Consul), not a list compiled in.

use std::sync::{Arc, OnceLock};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio_rustls::TlsConnector;

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The ways to connect; made when first needed, because reading the trust store takes milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tls(Arc<Kinds>);

#[derive(Debug, Default)]
struct Kinds {
    verifying: OnceLock<Pair>,
    trusting: OnceLock<Pair>,
}

/// The same belief, for either protocol.
#[derive(Debug)]
struct Pair {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Tls {
    /// A connector that verifies the server's certificate, or with `skip_verify` takes any.
    pub(super) async fn connector(
        &self,
        skip_verify: bool,
        protocol: Protocol,
    ) -> Result<TlsConnector, String> {
        let (kept, make): (_, fn() -> Result<ClientConfig, Error>) =
            if skip_verify { (&self.0.trusting, trusting) } else { (&self.0.verifying, verifying) };
        if let Some(config) = kept.get() {
            return Ok(config.of(protocol));
        }
        let made = tokio::task::spawn_blocking(make)
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())?;
        Ok(kept.get_or_init(|| Pair::new(made)).of(protocol))
    }
}

impl Pair {
    fn new(http1: ClientConfig) -> Self {
        let mut http2 = http1.clone();
        http2.alpn_protocols = vec![b"h2".to_vec()];
        Self { http1: Arc::new(http1), http2: Arc::new(http2) }
    }

    fn of(&self, protocol: Protocol) -> TlsConnector {
        let config = if protocol == Protocol::Http1 { &self.http1 } else { &self.http2 };
        config.clone().into()
    }
}

/// Whose certificate is expected of `host`: a name or an address, IPv6 in brackets or not.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, String> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|_| format!("invalid server name {host:?}"))
}

/// Why a handshake failed, for who has to do something about it.
pub(super) fn told(error: &std::io::Error) -> String {
    use CertificateError as Wrong;
    let known = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let told = match known {
        Some(Error::InvalidMessage(_)) => "the other side does not speak TLS",
        Some(Error::InvalidCertificate(Wrong::UnknownIssuer)) => {
            "its certificate is signed by an authority that this machine does not trust"
        }
        // What rustls makes of a certificate that is its own authority.
        Some(Error::InvalidCertificate(Wrong::BadSignature | Wrong::Other(_))) => {
            "its certificate is self-signed, or signed by an authority that this machine does not trust"
        }
        _ => return format!("tls: {error}"),
    };
    format!("tls: {told} ({error})")
}

fn verifying() -> Result<ClientConfig, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        tracing::warn!(errors = ?found.errors, "no trusted certificates on this machine: https checks will fail");
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn trusting() -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let anyone = Arc::new(Anyone(provider));
    Ok(builder.dangerous().with_custom_certificate_verifier(anyone).with_no_client_auth())
}

/// Believes every certificate, but still that its owner holds the key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
