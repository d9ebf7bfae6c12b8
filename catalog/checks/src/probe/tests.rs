//! Probes against real servers on loopback.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;

use wharf_catalog::Expect;

use super::*;

const PATIENT: Duration = Duration::from_secs(10);

/// A server's certificate nobody vouches for, with the protocols it speaks.
pub(super) fn self_signed(protocols: &[&str]) -> rustls::ServerConfig {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

/// A server that answers the n-th connection with the n-th reply (the last one over and over) and shows the
/// requests it got.
async fn server(replies: Vec<String>) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (seen, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for n in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let reply = replies[n.min(replies.len() - 1)].clone();
            tokio::spawn(answer(stream, reply, seen.clone()));
        }
    });
    (address, requests)
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reply: String,
    seen: mpsc::UnboundedSender<String>,
) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let _ = seen.send(String::from_utf8(request).unwrap());
    let _ = stream.write_all(reply.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn reply(status: &str, rest: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{rest}")
}

fn http(url: String) -> ProbeKind {
    ProbeKind::Http {
        url,
        method: String::new(),
        headers: BTreeMap::new(),
        body: String::new(),
        tls_skip_verify: false,
    }
}

async fn ask(kind: &ProbeKind) -> Answer {
    run(&Probe::new(kind.clone()), &Tools::default()).await
}

async fn get(url: String) -> Answer {
    ask(&http(url)).await
}

#[tokio::test]
async fn a_2xx_reply_passes_and_is_told_in_consuls_words() {
    let (address, mut requests) = server(vec![reply("200 OK", "Content-Length: 5\r\n\r\nhello")]).await;
    let answer = get(format!("http://{address}/health?full=1#top")).await;
    assert_eq!(answer.status, Status::Passing);
    assert_eq!(answer.output, format!("HTTP GET http://{address}/health?full=1#top: 200 OK Output: hello"));
    assert!(answer.response_time.is_some());
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(request.starts_with("get /health?full=1 http/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {address}\r\n")) && request.contains("connection: close"));
}

#[tokio::test]
async fn too_many_requests_warns_and_other_statuses_are_critical() {
    for (status, meaning) in [
        ("204 No Content", Status::Passing),
        ("429 Slow Down Please", Status::Warning),
        ("404 Not Found", Status::Critical),
        ("503 Service Unavailable", Status::Critical),
    ] {
        let (address, _requests) = server(vec![reply(status, "Content-Length: 0\r\n\r\n")]).await;
        let answer = get(format!("http://{address}/")).await;
        assert_eq!(answer.status, meaning, "{status}");
        assert!(answer.output.contains(&format!(": {status} Output: ")), "{}", answer.output);
    }
}

#[tokio::test]
async fn method_header_fields_body_and_credentials_are_sent_and_the_password_is_not_shown() {
    let (address, mut requests) = server(vec![reply("200 OK", "Content-Length: 0\r\n\r\n")]).await;
    let kind = ProbeKind::Http {
        url: format!("http://me:s%2Bcret@{address}/"),
        method: "POST".to_owned(),
        headers: BTreeMap::from([
            ("X-Probe".to_owned(), vec!["one".to_owned(), "two".to_owned()]),
            ("Host".to_owned(), vec!["shop.example".to_owned()]),
        ]),
        body: "ping".to_owned(),
        tls_skip_verify: false,
    };
    let answer = ask(&kind).await;
    assert_eq!(answer.status, Status::Passing);
    assert!(answer.output.contains("me:xxxxx@") && !answer.output.contains("cret"), "{}", answer.output);
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(request.starts_with("post / http/1.1"), "{request}");
    for field in ["x-probe: one", "x-probe: two", "host: shop.example", "content-length: 4"] {
        assert!(request.contains(field), "{field} in {request}");
    }
    assert!(request.contains("authorization: basic bwu6cytjcmv0"), "{request}");
}

#[tokio::test]
async fn redirects_are_followed_to_the_end_but_not_for_ever() {
    let found = reply("302 Found", "Location: /next\r\nContent-Length: 0\r\n\r\n");
    let (address, mut requests) = server(vec![found.clone(), reply("200 OK", "\r\nhere")]).await;
    let answer = get(format!("http://{address}/")).await;
    assert_eq!(answer.status, Status::Passing);
    assert!(answer.output.ends_with("200 OK Output: here"), "{}", answer.output);
    requests.recv().await.unwrap();
    assert!(requests.recv().await.unwrap().starts_with("GET /next "));

    let (address, mut requests) = server(vec![found]).await;
    let answer = get(format!("http://{address}/")).await;
    assert_eq!(answer.status, Status::Critical);
    assert_eq!(answer.output, format!("Get \"http://{address}/next\": stopped after 10 redirects"));
    requests.close();
    let mut asked = 0;
    while requests.recv().await.is_some() {
        asked += 1;
    }
    assert_eq!(asked, 10);
}

#[tokio::test]
async fn of_a_long_body_the_end_is_kept() {
    let body = format!("\r\n{}the end", "é".repeat(90_000));
    let (address, _requests) = server(vec![reply("200 OK", &body)]).await;
    let answer = get(format!("http://{address}/")).await;
    let (_, shown) = answer.output.split_once("Output: ").unwrap();
    assert!((4095..=4096).contains(&shown.len()) && shown.ends_with("éthe end"), "{}", shown.len());
    let kind = http(format!("http://{address}/"));
    let short = Probe { output_max_size: 7, ..Probe::new(kind) };
    let answer = run(&short, &Tools::default()).await;
    assert_eq!(answer.output, format!("HTTP GET http://{address}/: 200 OK Output: the end"));
}

#[tokio::test]
async fn a_body_that_never_ends_is_not_read_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
    });
    let patient = Probe { timeout: Duration::from_secs(3600), ..Probe::new(http(url)) };
    let answer = tokio::time::timeout(PATIENT, run(&patient, &Tools::default())).await.expect("an end");
    assert_eq!(answer.status, Status::Passing);
}

#[tokio::test]
async fn garbage_and_silence_are_critical() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1 999999 x\r\n\r\n", "\0\u{1}\u{2}"] {
        let (address, _requests) = server(vec![garbage.to_owned()]).await;
        let answer = get(format!("http://{address}/")).await;
        assert_eq!((answer.status, answer.response_time), (Status::Critical, None), "{garbage:?}");
        assert!(answer.output.starts_with(&format!("Get \"http://{address}/\": ")), "{}", answer.output);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let begun = Instant::now();
    let hasty = Probe { timeout: Duration::from_millis(100), ..Probe::new(http(url.clone())) };
    let answer = run(&hasty, &Tools::default()).await;
    assert!((Duration::from_millis(100)..PATIENT).contains(&begun.elapsed()));
    assert_eq!((answer.status, answer.response_time), (Status::Critical, None));
    assert!(
        answer.output.starts_with(&format!("Get \"{url}\": context deadline exceeded")),
        "{}",
        answer.output
    );
}

#[tokio::test]
async fn nonsense_in_a_definition_is_told_and_never_panics() {
    for (url, word) in [
        ("", "relative URL"),
        ("ftp://127.0.0.1/", "unsupported protocol scheme \"ftp\""),
        ("http://127.0.0.1:99999/", "port"),
        ("http://no-such-host.invalid/", "no such host"),
    ] {
        let answer = get(url.to_owned()).await;
        assert_eq!(answer.status, Status::Critical);
        assert!(answer.output.contains(word), "{url}: {}", answer.output);
    }
}

#[tokio::test]
async fn a_tcp_check_passes_when_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let kind = ProbeKind::Tcp { address: address.clone() };
    let answer = ask(&kind).await;
    assert_eq!(answer.output, format!("TCP connect {address}: Success"));
    assert_eq!(answer.status, Status::Passing);
    drop(listener);
    let answer = ask(&kind).await;
    assert_eq!(answer.output, format!("dial tcp {address}: connect: connection refused"));
    assert_eq!((answer.status, answer.response_time), (Status::Critical, None));
    let nonsense = ProbeKind::Tcp { address: "nonsense".to_owned() };
    assert_eq!(ask(&nonsense).await.status, Status::Critical);
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_only_where_that_was_asked_for() {
    let config = self_signed(&[]);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let (seen, _keep) = mpsc::unbounded_channel();
                answer(stream, reply("200 OK", "Content-Length: 3\r\n\r\ntls"), seen).await;
            }
        }
    });
    let url = format!("https://127.0.0.1:{port}/");
    let strict = get(url.clone()).await;
    assert_eq!(strict.status, Status::Critical);
    assert!(strict.output.contains("certificate"), "{}", strict.output);
    let mut kind = http(url);
    if let ProbeKind::Http { tls_skip_verify, .. } = &mut kind {
        *tls_skip_verify = true;
    }
    let trusting = ask(&kind).await;
    assert_eq!(trusting.status, Status::Passing, "{}", trusting.output);
    // It ends to hold in the year 4096.
    let days = |days| Expect { certificate_warning_days: Some(days), ..Expect::default() };
    assert_eq!(expecting(kind.clone(), days(30)).await.status, Status::Passing);
    let warned = expecting(kind, days(1_000_000)).await;
    assert_eq!(warned.status, Status::Warning);
    assert!(warned.output.starts_with("the certificate ends in "), "{}", warned.output);
}

async fn expecting(kind: ProbeKind, expect: Expect) -> Answer {
    let tools = Tools::default();
    run(&Probe { expect: Some(Box::new(expect)), ..Probe::new(kind) }, &tools).await
}

#[tokio::test]
async fn what_an_answer_has_to_be_is_held_against_it() {
    let body = r#"{"status":"up"}"#;
    let said = format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let (address, _requests) = server(vec![reply("203 Other", &said)]).await;
    let json = |value: &str| Expect {
        status: vec!["203".into()],
        json: [("$.status".to_owned(), value.into())].into(),
        ..Expect::default()
    };
    let url = format!("http://{address}/");
    let right = expecting(http(url.clone()), json("up")).await;
    assert_eq!(right.status, Status::Passing, "{}", right.output);
    assert!(right.output.starts_with("HTTP GET http://"), "{}", right.output);
    let wrong = expecting(http(url), json("down")).await;
    assert_eq!(wrong.status, Status::Critical);
    assert!(wrong.output.starts_with("`$.status` is \"up\", not \"down\". HTTP GET"), "{}", wrong.output);
    assert!(wrong.response_time.is_some(), "it answered, in some time");
}

#[tokio::test]
async fn a_redirect_that_is_expected_is_not_followed() {
    let (address, mut requests) =
        server(vec![reply("302 Found", "Location: /elsewhere\r\nContent-Length: 0\r\n\r\n")]).await;
    let expect = Expect { status: vec!["302".into()], ..Expect::default() };
    let answer = expecting(http(format!("http://{address}/")), expect).await;
    assert_eq!(answer.status, Status::Passing, "{}", answer.output);
    assert!(requests.recv().await.is_some() && requests.try_recv().is_err());
}

#[tokio::test]
async fn a_route_is_asked_of_the_load_balancer_as_a_browser_would() {
    let (address, mut requests) = server(vec![reply("200 OK", "Content-Length: 2\r\n\r\nok")]).await;
    let config = Config { proxy_addr: address.parse().ok(), ..Config::default() };
    let tools = Tools::new(&config, Clock::fixed(wharf_catalog::Timestamp(0)));
    let kind = ProbeKind::Route { host: "atlas.localhost".into(), path: "/maps?x=1".into() };
    let answer = run(&Probe::new(kind.clone()), &tools).await;
    assert_eq!(answer.status, Status::Passing, "{}", answer.output);
    let request = requests.recv().await.unwrap().to_lowercase();
    assert!(
        request.starts_with("get /maps?x=1 ") && request.contains("host: atlas.localhost\r\n"),
        "{request}"
    );
    assert_eq!(ask(&kind).await.status, Status::Critical, "without a load balancer");
}
