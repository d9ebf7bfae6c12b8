use super::*;

fn request(fields: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::builder().uri("/");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

fn sent_upstream(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let request = request(fields);
    let upgrade = wanted_upgrade(&request);
    let mut headers = request.into_parts().0.headers;
    for_upstream(&mut headers, &Peer::new([192, 0, 2, 7].into()), upgrade, None, false);
    headers
}

#[test]
fn fields_about_the_connection_stay_behind() {
    let headers = sent_upstream(&[
        ("host", "web"),
        ("connection", "close, X-Secret"),
        ("connection", "host, content-length"),
        ("x-secret", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic eA=="),
        ("te", "gzip"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("accept", "*/*"),
        ("content-length", "3"),
    ]);
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let kept =
        ["accept", "content-length", "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    assert_eq!(names, kept);
}

#[test]
fn the_client_is_appended_to_the_forwarded_chain_and_cannot_claim_the_rest() {
    let headers = sent_upstream(&[
        ("host", "web:8080"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-for", "198.51.100.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "bank.example"),
    ]);
    assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
    assert_eq!(headers["x-forwarded-for"], "198.51.100.1, 198.51.100.2, 192.0.2.7");
    assert_eq!(headers["x-forwarded-proto"], "http");
    assert_eq!(headers["x-forwarded-host"], "web:8080");
}

#[test]
fn an_upgrade_is_passed_on_unless_it_would_hide_requests() {
    let websocket = sent_upstream(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
    assert_eq!(
        (&websocket["connection"], &websocket["upgrade"]),
        (&"upgrade".parse().unwrap(), &"websocket".parse().unwrap())
    );
    let h2c = sent_upstream(&[
        ("connection", "Upgrade, HTTP2-Settings"),
        ("upgrade", "h2c"),
        ("http2-settings", "AA"),
    ]);
    assert!(!h2c.contains_key("upgrade") && !h2c.contains_key("http2-settings"));
}

#[test]
fn readiness_for_trailers_is_passed_on() {
    assert_eq!(sent_upstream(&[("te", "gzip, trailers;q=0.5")])["te"], "trailers");
}

#[test]
fn a_request_must_name_one_host() {
    let refused = |fields: &[(&'static str, &'static str)]| normalise(&mut request(fields)).is_err();
    assert!(refused(&[]));
    assert!(refused(&[("host", "a"), ("host", "a")]));
    assert!(refused(&[("host", "a b")]));
    assert!(refused(&[("host", "a/b")]));
    assert!(!refused(&[("host", "[::1]:80")]));
}

#[test]
fn a_transfer_coding_we_cannot_undo_is_refused() {
    for coding in ["gzip, chunked", "identity", "chunked, chunked", "xchunked"] {
        let error = normalise(&mut request(&[("host", "a"), ("transfer-encoding", coding)])).unwrap_err();
        assert!(matches!(error, ProxyError::TransferCoding), "{coding}");
    }
    assert!(normalise(&mut request(&[("host", "a"), ("transfer-encoding", "Chunked")])).is_ok());
}

#[test]
fn an_absolute_target_decides_the_host() {
    let mut request = request(&[("host", "other")]);
    *request.uri_mut() = "http://web.localhost:8080/a?b".parse().unwrap();
    normalise(&mut request).unwrap();
    assert_eq!(request.headers()["host"], "web.localhost:8080");
    assert_eq!(request.uri(), "/a?b");
}
