//! An HTTP check: one request, redirects followed, a connection each. 2xx passes, 429 warns, all else is critical.

mod exchange;
pub(crate) mod expect;
mod redirect;

use std::{collections::BTreeMap, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;
use wharf_catalog::{Expect, Status, Timestamp};

use super::{
    Answer, Limits, Tail, Tls, Tools,
    text::{OUTPUT_LIMIT, capitalized, shorten},
};
use exchange::Reply;

/// Requests made for one run at most, redirects included (Go's limit).
const REQUESTS: usize = 10;

/// What to ask; borrowed from the check's definition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a str,
    pub(super) method: &'a str,
    pub(super) headers: &'a BTreeMap<String, Vec<String>>,
    pub(super) body: &'a str,
    pub(super) tls_skip_verify: bool,
    pub(super) expect: Option<&'a Expect>,
}

/// One request on its way; redirects change it.
#[derive(Debug, Clone)]
struct Hop {
    url: Url,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
    tls_skip_verify: bool,
    /// Keep the beginning of the body, to judge it.
    wants_body: bool,
}

/// Asks our own load balancer at `proxy` for what a browser would.
pub(super) async fn run_route(
    proxy: SocketAddr,
    host: &str,
    path: &str,
    expect: Option<&Expect>,
    limits: Limits,
    tools: &Tools,
) -> Answer {
    // An unspecified address is listened on, nobody is reached there.
    let proxy = match proxy.ip() {
        ip if !ip.is_unspecified() => proxy,
        std::net::IpAddr::V4(_) => (std::net::Ipv4Addr::LOCALHOST, proxy.port()).into(),
        std::net::IpAddr::V6(_) => (std::net::Ipv6Addr::LOCALHOST, proxy.port()).into(),
    };
    let mut headers = BTreeMap::new();
    if !host.is_empty() {
        headers.insert("Host".to_owned(), vec![host.to_owned()]);
    }
    let url = format!("http://{proxy}{path}");
    let ask = Ask { url: &url, method: "", headers: &headers, body: "", tls_skip_verify: false, expect };
    let answer = run(&ask, limits, &tools.tls, tools.clock.now()).await;
    match host {
        "" => answer,
        host => Answer { output: shorten(format!("Host {host}: {}", answer.output), OUTPUT_LIMIT), ..answer },
    }
}

pub(super) async fn run(ask: &Ask<'_>, limits: Limits, tls: &Tls, now: Timestamp) -> Answer {
    let method = if ask.method.is_empty() { "GET" } else { ask.method };
    let mut at = ask.url.to_owned();
    match fetch(ask, method, limits, tls, &mut at).await {
        Ok(reply) => {
            let (status, told) = judge(ask, &reply, now);
            let output = describe(method, ask.url, &reply);
            let output = told.map_or_else(|| output.clone(), |told| format!("{told}. {output}"));
            Answer { status, output, response_time: Some(limits.begun.elapsed()) }
        }
        Err(reason) => {
            let told = format!("{} \"{}\": {reason}", capitalized(method), redacted(&at));
            Answer::critical(shorten(told, OUTPUT_LIMIT))
        }
    }
}

fn judge(ask: &Ask<'_>, reply: &Reply, now: Timestamp) -> (Status, Option<String>) {
    let meaning = meaning(reply.status);
    let Some(expect) = ask.expect else {
        return (meaning, None);
    };
    let (body, certificate_until) = (&reply.beginning[..], reply.certificate_until);
    expect::judge(expect, expect::Seen { status: reply.status, body, certificate_until, now }, meaning)
}

fn meaning(status: StatusCode) -> Status {
    match status {
        status if status.is_success() => Status::Passing,
        StatusCode::TOO_MANY_REQUESTS => Status::Warning,
        _ => Status::Critical,
    }
}

fn describe(method: &str, url: &str, reply: &Reply) -> String {
    let (code, reason) = (reply.status.as_u16(), &reply.reason);
    let body = reply.body.text();
    format!("HTTP {method} {}: {code} {reason} Output: {body}", redacted(url))
}

/// The URL as people may see it: without the password.
fn redacted(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            let _ = parsed.set_password(Some("xxxxx"));
            parsed.into()
        }
        _ => url.to_owned(),
    }
}

/// Asks, follows redirects, and gives the last reply; `at` is where it is, for the error's text.
async fn fetch(
    ask: &Ask<'_>,
    method: &str,
    limits: Limits,
    tls: &Tls,
    at: &mut String,
) -> Result<Reply, String> {
    let mut hop = first_hop(ask, method)?;
    for _ in 0..REQUESTS {
        at.clear();
        at.push_str(hop.url.as_str());
        let reply = exchange::exchange(&hop, limits, tls).await?;
        if ask.expect.is_some_and(|expect| expect::names_status(expect, reply.status)) {
            return Ok(reply);
        }
        match redirect::next(&hop, &reply)? {
            Some(next) => hop = next,
            None => return Ok(reply),
        }
    }
    Err(format!("stopped after {REQUESTS} redirects"))
}

fn first_hop(ask: &Ask<'_>, method: &str) -> Result<Hop, String> {
    let url = Url::parse(ask.url).map_err(|error| error.to_string())?;
    redirect::supported(&url)?;
    Ok(Hop {
        url,
        method: Method::from_bytes(method.as_bytes()).map_err(|_| format!("invalid method {method:?}"))?,
        headers: exchange::header_map(ask.headers)?,
        body: Bytes::copy_from_slice(ask.body.as_bytes()),
        tls_skip_verify: ask.tls_skip_verify,
        wants_body: ask.expect.is_some_and(|expect| expect.body.is_some() || !expect.json.is_empty()),
    })
}
