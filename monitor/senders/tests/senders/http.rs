use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;
use wharf_senders::Again;

use crate::{
    fixture::{contact, contacts},
    send, senders, triggered,
};

/// What a server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) type Log = Arc<Mutex<Vec<Asked>>>;

/// A server that remembers what it was asked, and answers what `answer` says.
pub(crate) async fn server<A>(answer: A) -> (SocketAddr, Log)
where
    A: Fn(&Asked) -> Response + Clone + Send + Sync + 'static,
{
    let log = Log::default();
    let kept = log.clone();
    let router = Router::new().fallback(move |request: Request| {
        let (kept, answer) = (kept.clone(), answer.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let asked = Asked { path: head.uri.to_string(), headers: head.headers, body };
            kept.lock().unwrap().push(asked.clone());
            answer(&asked)
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, log)
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn told(status: StatusCode, headers: &'static [(&str, &str)]) -> (String, Again) {
    let (address, log) =
        server(move |_| (status, axum::response::AppendHeaders(headers.to_vec())).into_response()).await;
    let slack = contact(json!({ "type": "slack", "url": format!("http://{address}/services/T0/secret") }));
    let failure = send(&senders(""), &slack, &triggered("web is down")).await.unwrap_err();
    assert_eq!(log.lock().unwrap().len(), 1, "one attempt");
    (failure.reason, failure.again)
}

#[tokio::test]
async fn every_kind_of_contact_is_told_at_its_address() {
    let (address, log) = server(|_| (StatusCode::OK, "ok").into_response()).await;
    let server = format!("http://{address}");
    let senders = senders("");
    for contact in contacts(&server) {
        let receipt = send(&senders, &contact, &triggered("web is down")).await.unwrap();
        assert_eq!(receipt.answer, "200", "{}", contact.kind());
    }
    let log = log.lock().unwrap().clone();
    let paths: Vec<&str> = log.iter().map(|asked| asked.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/hush-hook",
            "/services/hush-slack",
            "/api/webhooks/1/hush-discord?wait=true",
            "/bothush-telegram/sendMessage",
            "/workflows/hush-teams?sig=hush-sig%26x",
            "/hooks/hush-mattermost",
            "/",
            "/1/messages.json",
            "/message",
            "/v2/enqueue",
            "/alert/hush-victorops/db",
            "/v2/alerts",
            "/api/v2/alerts",
            "/2010-04-01/Accounts/AC1/Messages.json",
            "/2010-04-01/Accounts/AC1/Calls.json",
        ]
    );
    let alertmanager = &log[12].headers;
    assert_eq!(alertmanager["authorization"], "Basic Ym9iOmh1c2gtcGFzc3dvcmQ=", "from the address");
    assert!(log.iter().all(|asked| asked.headers["user-agent"] == "wharf" && !asked.body.is_empty()));
}

#[tokio::test]
async fn a_webhooks_body_can_be_verified() {
    use hmac::{Hmac, KeyInit, Mac};
    let (address, log) = server(|_| StatusCode::NO_CONTENT.into_response()).await;
    let hook =
        contact(json!({ "type": "webhook", "url": format!("http://{address}/"), "secret": "hunter2" }));
    assert_eq!(send(&senders(""), &hook, &triggered("ünïcode")).await.unwrap().answer, "204");
    let asked = log.lock().unwrap()[0].clone();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"hunter2").unwrap();
    mac.update(asked.body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(asked.headers["x-wharf-signature"], format!("sha256={hex}"));
    assert_eq!(
        (&asked.headers["x-wharf-delivery"], &asked.headers["x-wharf-event"]),
        (&"12".parse().unwrap(), &"incident.triggered".parse().unwrap())
    );
}

#[tokio::test]
async fn what_the_other_side_says_decides_whether_to_try_again() {
    assert_eq!(told(StatusCode::NOT_FOUND, &[]).await, ("404 Not Found".to_owned(), Again::Never));
    assert_eq!(told(StatusCode::INTERNAL_SERVER_ERROR, &[]).await.1, Again::Soon);
    assert_eq!(told(StatusCode::TOO_MANY_REQUESTS, &[]).await.1, Again::Soon);
    let patience = told(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "17")]).await;
    assert_eq!(patience, ("429 Too Many Requests".to_owned(), Again::After(Duration::from_secs(17))));
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let (elsewhere, log) = server(|_| StatusCode::OK.into_response()).await;
    let location = format!("http://{elsewhere}/");
    for status in [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::FOUND,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ] {
        let location = location.clone();
        let (address, _) = server(move |_| (status, [("location", location.clone())]).into_response()).await;
        let to =
            contact(json!({ "type": "opsgenie", "api_key": "k", "server": format!("http://{address}") }));
        let failure = send(&senders(""), &to, &triggered("x")).await.unwrap_err();
        assert!(failure.reason.contains("a redirect, which is not followed"), "{failure:?}");
        assert_eq!(failure.again, Again::Never);
    }
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let to = contact(json!({ "type": "slack", "url": format!("http://{}/x", nobody().await) }));
    let failure = send(&senders(""), &to, &triggered("x")).await.unwrap_err();
    assert!(failure.reason.contains("Connection refused"), "{failure:?}");
    assert_eq!(failure.again, Again::Soon);
}

#[tokio::test]
async fn a_server_that_takes_the_request_and_says_nothing_costs_no_more_than_the_limit() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to =
        contact(json!({ "type": "slack", "url": format!("http://{}/x", listener.local_addr().unwrap()) }));
    let senders = senders("").with_timeout(Duration::from_millis(200));
    let failure = send(&senders, &to, &triggered("x")).await.unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.again), ("no answer within 0.2 s", Again::Soon));
}

#[tokio::test]
async fn an_answer_without_end_costs_no_more_than_its_beginning() {
    let (address, _) = server(|_| {
        let endless =
            futures_util::stream::iter(std::iter::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1024))));
        (StatusCode::BAD_GATEWAY, axum::body::Body::from_stream(endless)).into_response()
    })
    .await;
    let to = contact(json!({ "type": "slack", "url": format!("http://{address}/x") }));
    let failure = send(&senders(""), &to, &triggered("x")).await.unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.again), ("502 Bad Gateway", Again::Soon));
}

#[tokio::test]
async fn a_message_is_taken_though_the_words_behind_the_status_never_come() {
    let (address, _) = server(|_| {
        let never = futures_util::stream::pending::<std::io::Result<String>>();
        (StatusCode::ACCEPTED, axum::body::Body::from_stream(never)).into_response()
    })
    .await;
    let to = contact(json!({ "type": "slack", "url": format!("http://{address}/x") }));
    assert_eq!(send(&senders(""), &to, &triggered("x")).await.unwrap().answer, "202");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_the_end_of_it() {
    let address = untrusted().await;
    let to = contact(json!({ "type": "slack", "url": format!("https://localhost:{}/x", address.port()) }));
    let failure = send(&senders(""), &to, &triggered("x")).await.unwrap_err();
    assert!(failure.reason.contains("invalid peer certificate"), "{failure:?}");
    assert_eq!(failure.again, Again::Never);
}

/// A server with a certificate that it signed itself.
pub(crate) async fn untrusted() -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    address
}

#[tokio::test]
async fn templates_of_the_configuration_are_what_goes_out_and_a_broken_one_stops_nothing() {
    let (address, log) = server(|_| StatusCode::OK.into_response()).await;
    let plan = "[messages]\ntitle = \"{{upper title}}\"\n[messages.gotify]\ntext = \"{{#each incidents}}{{time fields.rack}}{{/each}}\"";
    let senders = senders(plan);
    let gotify = contact(json!({ "type": "gotify", "server": format!("http://{address}"), "token": "t" }));
    send(&senders, &gotify, &triggered("web is down")).await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&log.lock().unwrap()[0].body).unwrap();
    assert_eq!(body["title"], "[CRITICAL] #7 WEB IS DOWN");
    let text = body["message"].as_str().unwrap();
    assert!(text.starts_with("0 of 2 instances pass\nsince "), "{text}");
    assert!(text.ends_with("(the template messages.gotify.text failed: `r7` is no moment)"), "{text}");
}
