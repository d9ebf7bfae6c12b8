//! The edge: hands mails to the server of the settings.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
        response::Response,
    },
};
use tokio::sync::Semaphore;
use wharf_oncall::config::{Smtp, SmtpTls};

use crate::{
    Failure, Receipt, SendersError,
    http::{causes, is_untrusted},
    mail,
    message::Message,
    redact::Redaction,
};

/// Mail servers take few connections of one client at a time.
const CONNECTIONS: usize = 8;

/// A mail server, a connection for each mail: people are mailed once a minute at most.
#[derive(Clone)]
pub(crate) struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
    secrets: Arc<Redaction>,
    connections: Arc<Semaphore>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailServer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl MailServer {
    pub(crate) fn new(smtp: &Smtp) -> Result<Self, SendersError> {
        let (name, address) = smtp.sender();
        let address = address.parse().map_err(|error| SendersError::Smtp(format!("`from`: {error}")))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.server)
            .port(smtp.port())
            .timeout(Some(smtp.timeout))
            .tls(match smtp.tls {
                SmtpTls::Starttls => Tls::Required(parameters(smtp)?),
                SmtpTls::Tls => Tls::Wrapper(parameters(smtp)?),
                SmtpTls::None => Tls::None,
            });
        let mut secrets = Vec::new();
        if let (Some(username), Some(password)) = (&smtp.username, &smtp.password) {
            let password = password.reveal();
            builder = builder.credentials(Credentials::new(username.clone(), password.to_owned()));
            // As it goes over the wire, too.
            let spoken =
                [password.to_owned(), format!("\0{username}\0{password}")].map(|word| STANDARD.encode(word));
            secrets.push(password.to_owned());
            secrets.extend(spoken);
        }
        Ok(Self {
            transport: builder.build(),
            from: Mailbox::new(name.map(str::to_owned), address),
            timeout: smtp.timeout,
            secrets: Arc::new(Redaction::of(secrets)),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    pub(crate) async fn send(&self, to: &str, message: &Message<'_>) -> Result<Receipt, Failure> {
        let mail = mail::compose(&self.from, to, message).map_err(Failure::never)?;
        let attempt = async {
            let _connection = self.connections.acquire().await;
            self.transport.send(mail).await
        };
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(response)) => Ok(Receipt { answer: self.secrets.apply(&answer(&response)) }),
            Ok(Err(error)) => {
                let failure = failure(&error);
                Err(Failure { reason: self.secrets.apply(&failure.reason), ..failure })
            }
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                Err(Failure::soon(format!("the mail server took no mail within {seconds} s")))
            }
        }
    }
}

fn answer(response: &Response) -> String {
    let words: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), words.join(" "))
}

/// 5xx would come to the same again, 4xx (RFC 5321, section 4.2.1) and all that happens on the way would not.
fn failure(error: &Error) -> Failure {
    let reason = causes(error);
    if error.is_permanent() || error.is_client() || is_untrusted(error) {
        Failure::never(reason)
    } else {
        Failure::soon(reason)
    }
}

fn parameters(smtp: &Smtp) -> Result<TlsParameters, SendersError> {
    let mut builder = TlsParameters::builder(smtp.server.clone());
    if let Some(path) = &smtp.ca_file {
        let refused = |reason: String| SendersError::CaFile { path: path.clone(), reason };
        let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let certificates: Vec<_> = rustls::pki_types::pem::PemObject::pem_slice_iter(&pem)
            .collect::<Result<Vec<rustls::pki_types::CertificateDer<'_>>, _>>()
            .map_err(|error| refused(error.to_string()))?;
        if certificates.is_empty() {
            return Err(refused("it holds no certificate in PEM".to_owned()));
        }
        for certificate in certificates {
            let certificate =
                Certificate::from_der(certificate.to_vec()).map_err(|error| refused(causes(&error)))?;
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| SendersError::Smtp(causes(&error)))
}
