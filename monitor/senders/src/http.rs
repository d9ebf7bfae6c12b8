//! The edge: sends requests, reads the beginning of the answers.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::{
    Client, Response,
    header::{DATE, HeaderName, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::sync::Semaphore;

use crate::{Again, Failure, Receipt, SendersError, answer::Answer, format::Request};

/// How long an attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// So many requests go to one server at a time: more connections would not carry more, and many servers refuse them.
const AT_ONCE: usize = 32;
/// So much of an answer is read.
const ANSWER: usize = 4096;
/// So long it is waited for behind the status.
const PATIENCE: Duration = Duration::from_secs(2);

/// An HTTP client that follows nobody anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    timeout: Duration,
    /// What each server takes at a time, by its origin; no more entries than contact methods.
    servers: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

impl Http {
    pub(crate) fn new() -> Result<Self, SendersError> {
        let refused = |error: &dyn Error| SendersError::Http(causes(error));
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(&error))?
            .with_root_certificates(roots())
            .with_no_client_auth();
        let client = Client::builder()
            .redirect(Policy::none())
            .user_agent("wharf")
            .tls_backend_preconfigured(tls)
            .build()
            .map_err(|error| refused(&error.without_url()))?;
        Ok(Self { client, timeout: TIMEOUT, servers: Arc::default() })
    }

    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The requests of one message, in their order; the first that fails is the last. All within the time of
    /// one attempt.
    pub(crate) async fn send(&self, requests: Vec<Request>) -> Result<Receipt, Failure> {
        let all = async {
            let mut receipt = Receipt { answer: "nothing to tell there".to_owned() };
            for request in requests {
                receipt = self.one(request).await?;
            }
            Ok(receipt)
        };
        let late = |_| Err(Failure::soon(format!("no answer within {} s", self.timeout.as_secs_f64())));
        tokio::time::timeout(self.timeout, all).await.unwrap_or_else(late)
    }

    async fn one(&self, request: Request) -> Result<Receipt, Failure> {
        let server = self.server(request.url.origin().ascii_serialization());
        let _turn = server.acquire().await;
        let unread = request.answer_unread;
        let mut sent = self.client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        match sent.send().await {
            Ok(response) => Answer { unread, ..read(response).await }.outcome(),
            Err(error) => Err(failure(error)),
        }
    }

    fn server(&self, origin: String) -> Arc<Semaphore> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        servers.entry(origin).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
    }
}

async fn read(mut response: Response) -> Answer {
    let header = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let mut answer = Answer {
        status: response.status().as_u16(),
        retry_after: header(RETRY_AFTER),
        date: header(DATE),
        location: response.headers().contains_key(LOCATION),
        ..Answer::default()
    };
    let mut body = Vec::new();
    let beginning = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ANSWER {
                break;
            }
        }
    };
    // A body that is cut off, or never comes, changes nothing about what the status says.
    let _ = tokio::time::timeout(PATIENCE, beginning).await;
    body.truncate(ANSWER);
    answer.body = String::from_utf8_lossy(&body).into_owned();
    answer
}

fn failure(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let hopeless = error.is_builder() || is_untrusted(&error);
    let again = if hopeless { Again::Never } else { Again::Soon };
    Failure { reason: causes(&error), again }
}

/// Whether the other side is not who it should be, which waiting does not mend.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        // An I/O error hands out the cause of what it wraps, and not what it wraps.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        next = wrapped.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source());
    }
    false
}

/// An error with what lies behind it, each thing said once: reqwest's own text hides the system's.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The machine's authorities: providers' certificates and the house's own alike.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
