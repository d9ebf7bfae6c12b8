//! UDP, gRPC and HTTP/2 probes against real servers on loopback.

use std::{sync::Arc, time::Duration};

use ::http::{HeaderMap, HeaderValue, Request, Response};
use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};
use tokio_rustls::TlsAcceptor;

use super::{tests::self_signed, *};

async fn ask(kind: ProbeKind) -> Answer {
    run(&Probe { timeout: Duration::from_secs(10), ..Probe::new(kind) }, &Tools::default()).await
}

async fn ask_hastily(kind: ProbeKind) -> Answer {
    run(&Probe { timeout: Duration::from_millis(100), ..Probe::new(kind) }, &Tools::default()).await
}

fn udp(socket: &UdpSocket) -> ProbeKind {
    ProbeKind::Udp { address: socket.local_addr().unwrap().to_string() }
}

fn grpc(target: String) -> ProbeKind {
    ProbeKind::Grpc { target, tls: false, tls_skip_verify: false }
}

fn h2_ping(address: &str) -> ProbeKind {
    ProbeKind::H2Ping { address: address.to_owned(), tls: false, tls_skip_verify: false }
}

#[tokio::test]
async fn a_udp_port_that_answers_or_keeps_silent_passes_and_one_that_is_closed_is_critical() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let kind = udp(&server);
    let ProbeKind::Udp { address } = &kind else { unreachable!() };
    let success = format!("UDP connect {address}: Success");

    let silent = ask_hastily(kind.clone()).await;
    assert_eq!((silent.status, silent.response_time), (Status::Passing, None));
    assert_eq!(silent.output, success);
    let (_, _asked) = server.recv_from(&mut [0; 8]).await.unwrap();

    let answering = async {
        let (length, from) = server.recv_from(&mut [0; 8]).await.unwrap();
        server.send_to(b"pong", from).await.unwrap();
        length
    };
    let (answer, length) = tokio::join!(ask(kind.clone()), answering);
    assert_eq!((answer.status, length), (Status::Passing, 0));
    assert!(answer.response_time.is_some());

    drop(server);
    let refused = ask(kind.clone()).await;
    assert_eq!((refused.status, refused.response_time), (Status::Critical, None));
    assert!(refused.output.ends_with("read: connection refused"), "{}", refused.output);
}

#[tokio::test]
async fn a_udp_check_waits_no_longer_for_a_refusal_than_one_can_take() {
    let server = UdpSocket::bind("[::1]:0").await.unwrap();
    let probe = Probe { timeout: Duration::from_secs(3600), ..Probe::new(udp(&server)) };
    let tools = Tools::default();
    let answer = tokio::time::timeout(Duration::from_secs(20), run(&probe, &tools)).await.unwrap();
    assert_eq!(answer.status, Status::Passing, "{}", answer.output);
}

/// A health server that speaks HTTP/2 on `stream`; it knows service `web` (SERVING), `db` (NOT_SERVING) and
/// itself, and is silent about `slow`.
async fn serve_health<S: AsyncRead + AsyncWrite + Unpin>(stream: S) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    let mut kept = Vec::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        kept.push(tokio::spawn(answer_health(request, respond)));
    }
}

async fn answer_health(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
) -> Option<()> {
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    assert_eq!(
        (&request.headers()["content-type"], &request.headers()["te"]),
        (&HeaderValue::from_static("application/grpc"), &HeaderValue::from_static("trailers"),)
    );
    let asked = request.into_body().data().await?.ok()?;
    let service = asked.get(7..).unwrap_or_default();
    let head = Response::builder().header("content-type", "application/grpc");
    let status = match service {
        b"" | b"web" => 1_u8,
        b"db" => 2,
        b"slow" => return std::future::pending().await,
        _ => {
            let refusal = head.header("grpc-status", "5").header("grpc-message", "unknown service %22x%22");
            respond.send_response(refusal.body(()).ok()?, true).ok()?;
            return Some(());
        }
    };
    let mut body = respond.send_response(head.body(()).ok()?, false).ok()?;
    body.send_data(Bytes::from(vec![0, 0, 0, 0, 2, 8, status]), false).ok()?;
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    body.send_trailers(trailers).ok()
}

async fn health_server(tls: bool) -> String {
    let acceptor = TlsAcceptor::from(Arc::new(self_signed(&["h2"])));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if !tls {
                    serve_health(stream).await;
                } else if let Ok(stream) = acceptor.accept(stream).await {
                    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                    serve_health(stream).await;
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_grpc_server_is_as_healthy_as_it_says() {
    let address = health_server(false).await;
    let answer = ask(grpc(address.clone())).await;
    assert_eq!(answer.output, format!("gRPC check {address}: success"));
    assert_eq!(answer.status, Status::Passing);
    assert!(answer.response_time.is_some());
    for (service, status, output) in [
        ("web", Status::Passing, format!("gRPC check {address}/web: success")),
        ("db", Status::Critical, "gRPC application didn't report service healthy".to_owned()),
        ("x", Status::Critical, "rpc error: code = NotFound desc = unknown service \"x\"".to_owned()),
    ] {
        let answer = ask(grpc(format!("{address}/{service}"))).await;
        assert_eq!((answer.status, answer.output), (status, output));
    }
}

#[tokio::test]
async fn a_grpc_server_that_is_slow_absent_or_something_else_is_critical() {
    let address = health_server(false).await;
    let slow = ask_hastily(grpc(format!("{address}/slow"))).await;
    assert_eq!(slow.output, "rpc error: code = DeadlineExceeded desc = context deadline exceeded");
    let absent = ask(grpc("127.0.0.1:1/svc".to_owned())).await;
    assert_eq!(
        absent.output,
        "rpc error: code = Unavailable desc = connection error: desc = \"transport: dial tcp 127.0.0.1:1: \
         connect: connection refused\""
    );
    let (http1, _stop) = http1_server().await;
    for target in [http1, "nonsense".to_owned(), String::new(), "a b:1/x".to_owned()] {
        let answer = ask(grpc(target.clone())).await;
        assert_eq!((answer.status, answer.response_time), (Status::Critical, None), "{target}");
        assert!(answer.output.starts_with("rpc error: code = Unavailable"), "{}", answer.output);
    }
}

/// Answers everything in HTTP/1.
async fn http1_server() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    (address, serving)
}

#[tokio::test]
async fn grpc_and_pings_over_tls_believe_a_certificate_only_where_that_was_asked_for() {
    let address = health_server(true).await;
    for (skip, status) in [(false, Status::Critical), (true, Status::Passing)] {
        let kind = ProbeKind::Grpc { target: format!("{address}/web"), tls: true, tls_skip_verify: skip };
        let answer = ask(kind).await;
        assert_eq!(answer.status, status, "{}", answer.output);
        let kind = ProbeKind::H2Ping { address: address.clone(), tls: true, tls_skip_verify: skip };
        let answer = ask(kind).await;
        assert_eq!(answer.status, status, "{}", answer.output);
        assert_eq!(answer.output.contains("this machine does not trust"), !skip, "{}", answer.output);
    }
    let (plain, _stop) = http1_server().await;
    let answer = ask(ProbeKind::H2Ping { address: plain, tls: true, tls_skip_verify: true }).await;
    assert!(answer.output.contains("does not speak TLS"), "{}", answer.output);
}

#[tokio::test]
async fn an_http2_server_answers_pings_and_nobody_else_does() {
    let address = health_server(false).await;
    let answer = ask(h2_ping(&address)).await;
    assert_eq!((answer.status, &*answer.output), (Status::Passing, "HTTP2 ping was successful"));
    assert!(answer.response_time.is_some());

    let (http1, _stop) = http1_server().await;
    let answer = ask(h2_ping(&http1)).await;
    assert!(answer.output.starts_with("HTTP2 ping failed: "), "{}", answer.output);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let answer = ask_hastily(h2_ping(&silent.local_addr().unwrap().to_string())).await;
    assert_eq!(answer.output, "HTTP2 ping failed: context deadline exceeded");
    let answer = ask(h2_ping("127.0.0.1:1")).await;
    assert_eq!(
        answer.output,
        "Failed to dial to 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"
    );
    assert_eq!((answer.status, answer.response_time), (Status::Critical, None));
}
