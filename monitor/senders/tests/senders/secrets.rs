use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wharf_oncall::{Secret, config::Contact};

use crate::{
    fixture::contacts,
    http::{Asked, nobody, server, untrusted},
    send, senders, triggered,
};

/// All that no log may have: the secrets, and what of them goes over the wire in another spelling.
fn leaks(text: &str) -> bool {
    let logins = ["AC1:hush-sms", "AC1:hush-voice", "bob:hush-password"].map(|login| STANDARD.encode(login));
    text.contains("hush") || logins.iter().any(|login| text.contains(login))
}

async fn hushed(origin: &str) {
    let senders = senders("").with_timeout(Duration::from_secs(5));
    hushed_by(&senders, origin).await;
}

async fn hushed_by(senders: &wharf_senders::Senders, origin: &str) {
    for contact in contacts(origin) {
        let failure = send(senders, &contact, &triggered("x")).await.unwrap_err();
        assert!(!leaks(&format!("{failure:?}")), "{}: {failure:?}", contact.kind());
        assert!(!failure.reason.is_empty() && failure.reason.chars().count() <= 300);
    }
}

/// All a server knows of a request, in as many ways as servers tell it.
fn echoed(asked: &Asked, status: StatusCode, how: fn(String) -> Response) -> Response {
    let headers: Vec<String> =
        asked.headers.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    let all = format!("{} {} {}", asked.path, asked.body, headers.join(" "));
    (status, how(all)).into_response()
}

#[tokio::test]
async fn a_server_that_repeats_the_request_does_not_get_secrets_into_reasons() {
    let ways: [fn(String) -> Response; 4] = [
        |all| all.chars().take(200).collect::<String>().into_response(),
        |all| format!("Cannot POST {}", all.split(' ').next().unwrap()).into_response(),
        |all| axum::Json(json!({ "message": all })).into_response(),
        |all| axum::Json(json!({ "errors": [all.split(' ').next_back(), all] })).into_response(),
    ];
    for way in ways {
        for status in [StatusCode::BAD_REQUEST, StatusCode::BAD_GATEWAY] {
            let (address, log) = server(move |asked| echoed(asked, status, way)).await;
            hushed(&format!("http://{address}")).await;
            assert!(log.lock().unwrap().iter().any(|asked| leaks(&format!("{asked:?}"))), "they were sent");
        }
    }
}

#[tokio::test]
async fn receipts_are_as_silent_as_failures() {
    let (address, _) =
        server(|asked| echoed(asked, StatusCode::OK, |all| axum::Json(json!({ "id": all })).into_response()))
            .await;
    let senders = senders("");
    for contact in contacts(&format!("http://{address}")) {
        let receipt = send(&senders, &contact, &triggered("x")).await.unwrap();
        assert!(!leaks(&receipt.answer), "{}: {receipt:?}", contact.kind());
    }
}

#[tokio::test]
async fn failures_on_the_way_have_no_secrets_either() {
    hushed(&format!("http://{}", nobody().await)).await;
    hushed(&format!("https://localhost:{}", untrusted().await.port())).await;
    hushed("http://no-such-host.invalid").await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", silent.local_addr().unwrap());
    hushed_by(&senders("").with_timeout(Duration::from_millis(50)), &origin).await;
}

#[tokio::test]
async fn a_server_that_speaks_no_http_learns_nothing_that_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = vec![0; 512];
            let length = stream.read(&mut heard).await.unwrap_or_default();
            let _ = stream.write_all(&heard[..length]).await;
        }
    });
    hushed(&origin).await;
}

#[tokio::test]
async fn what_cannot_be_sent_at_all_is_not_shown() {
    let broken = [
        Contact::Slack { url: Secret::new("http://hush:99999/hush") },
        Contact::Webhook { url: Secret::new("hush"), secret: None },
        Contact::Ntfy { url: Secret::new("mailto:hush"), token: None },
        Contact::Gotify { server: "http://127.0.0.1".to_owned(), token: Secret::new("hush\nhush") },
        Contact::Telegram {
            token: Secret::new("hush"),
            chat: "1".to_owned(),
            server: Some("data:x".to_owned()),
        },
    ];
    let senders = senders("").with_timeout(Duration::from_secs(5));
    for contact in broken {
        let failure = send(&senders, &contact, &triggered("x")).await.unwrap_err();
        assert!(!leaks(&format!("{failure:?}")), "{failure:?}");
    }
    let shown = format!("{senders:?}");
    assert!(!leaks(&shown), "{shown}");
}
