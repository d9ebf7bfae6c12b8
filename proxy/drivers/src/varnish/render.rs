//! The routes as a program for Varnish (VCL 4.1). Pure; equal routes make equal bytes.
//!
//! Every variable part is a [`ServiceName`], an address, a number or a
//! [`ProbePath`](crate::routes::ProbePath), none of which can end a string. Nothing is cached unless a service's
//! label says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use crate::{
    config::Varnish,
    routes::{Route, Routes, ServiceName},
};

/// The program.
pub fn render(config: &Varnish, routes: &Routes) -> String {
    let mut out = String::with_capacity(4096 + routes.services.len() * 1024);
    // Writing into a string does not fail.
    let _ = write(&mut out, config, routes);
    out
}

/// What a service's backend at `address` is called: the same in every program.
pub(super) fn backend(name: &ServiceName, address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) => format!("{:08x}", u32::from(ip)),
        IpAddr::V6(ip) => format!("{:032x}", u128::from(ip)),
    };
    format!("e_{}__{ip}_{}", symbol(name), address.port())
}

/// The name as a VCL symbol. No two names share one: what a symbol cannot hold is written as its code.
fn symbol(name: &ServiceName) -> String {
    name.as_str().chars().fold(String::new(), |mut symbol, c| {
        match c {
            '.' => symbol.push_str("_2e"),
            '_' => symbol.push_str("_5f"),
            c => symbol.push(c),
        }
        symbol
    })
}

fn write(out: &mut String, config: &Varnish, routes: &Routes) -> fmt::Result {
    out.push_str(HEAD);
    for (name, route) in &routes.services {
        for (address, _) in route.serving() {
            server(out, config, name, route, address)?;
        }
    }
    out.push_str("\nsub vcl_init {\n");
    for (name, route) in &routes.services {
        director(out, name, route)?;
    }
    out.push_str("}\n");
    find(out, routes)?;
    send(out, routes)?;
    out.push_str(BODY);
    cache(out, config, routes)?;
    Ok(())
}

fn server(
    out: &mut String,
    config: &Varnish,
    name: &ServiceName,
    route: &Route,
    address: SocketAddr,
) -> fmt::Result {
    writeln!(out, "backend {} {{", backend(name, address))?;
    writeln!(out, "    .host = \"{}\"; .port = \"{}\";", address.ip(), address.port())?;
    let (connect, answer) = (seconds(config.connect_timeout), seconds(config.response_timeout));
    writeln!(
        out,
        "    .connect_timeout = {connect}; .first_byte_timeout = {answer}; .between_bytes_timeout = {answer};"
    )?;
    if let Some(path) = route.probe.as_ref().filter(|_| !config.probe_interval.is_zero()) {
        let every = seconds(config.probe_interval);
        // Taken for well until the first probes say otherwise: the catalog has looked already.
        writeln!(
            out,
            "    .probe = {{ .url = \"{}\"; .interval = {every}; .timeout = {answer}; .window = 3; .threshold = 2; .initial = 3; }}",
            path.as_str(),
            answer = seconds(config.probe_interval.min(Duration::from_secs(2))),
        )?;
    }
    out.push_str("}\n");
    Ok(())
}

fn director(out: &mut String, name: &ServiceName, route: &Route) -> fmt::Result {
    let weights: BTreeSet<u16> = route.serving().map(|(_, weight)| weight).collect();
    if weights.is_empty() {
        return Ok(());
    }
    let director = format!("d_{}", symbol(name));
    let alike = weights.len() == 1;
    writeln!(out, "    new {director} = directors.{}();", if alike { "round_robin" } else { "random" })?;
    for (address, weight) in route.serving() {
        let weight = if alike { String::new() } else { format!(", {weight}.0") };
        writeln!(out, "    {director}.add_backend({}{weight});", backend(name, address))?;
    }
    Ok(())
}

/// Sets `X-Wharf-Route` to the service that a request is for: by host, the longest name first, else by path.
fn find(out: &mut String, routes: &Routes) -> fmt::Result {
    let mut by_length = BTreeMap::<usize, Vec<&ServiceName>>::new();
    for name in routes.services.keys() {
        by_length.entry(name.segments()).or_default().push(name);
    }
    out.push_str(FIND);
    for (segments, names) in by_length.iter().rev() {
        let more = segments - 1;
        writeln!(out, "    if (!req.http.X-Wharf-Route && req.http.X-Wharf-Host) {{")?;
        writeln!(
            out,
            "        set req.http.X-Wharf-Try = regsub(req.http.X-Wharf-Host, \"^((?:[^.]+\\.){{{more}}}[^.]+).*$\", \"\\1\");"
        )?;
        choose(out, "X-Wharf-Try", names.iter().copied())?;
        out.push_str("    }\n");
    }
    out.push_str(BY_PATH);
    choose(out, "X-Wharf-Try", routes.services.keys())?;
    out.push_str(STRIP);
    Ok(())
}

fn choose<'a>(out: &mut String, header: &str, names: impl Iterator<Item = &'a ServiceName>) -> fmt::Result {
    for (index, name) in names.enumerate() {
        let word = if index == 0 { "        if" } else { " elseif" };
        write!(
            out,
            "{word} (req.http.{header} == \"{name}\") {{ set req.http.X-Wharf-Route = \"{name}\"; }}"
        )?;
    }
    out.push('\n');
    Ok(())
}

/// Sends a request to its service's director, and lets it be looked up in the cache if it may be.
fn send(out: &mut String, routes: &Routes) -> fmt::Result {
    out.push_str("\nsub wharf_send {\n    set req.backend_hint = wharf_none;\n");
    for (index, (name, route)) in routes.services.iter().enumerate() {
        let word = if index == 0 { "    if" } else { " elseif" };
        writeln!(out, "{word} (req.http.X-Wharf-Route == \"{name}\") {{")?;
        let serves = route.serving().next().is_some();
        if serves {
            writeln!(out, "        set req.backend_hint = d_{}.backend();", symbol(name))?;
        }
        match (route.cache, serves) {
            (Some(_), _) => out.push_str("        set req.http.X-Wharf-Cache = \"1\";\n"),
            (None, true) => {}
            (None, false) => out.push_str("        return (synth(503, \"Service Unavailable\"));\n"),
        }
        out.push_str("    }");
    }
    out.push_str("\n}\n");
    Ok(())
}

fn cache(out: &mut String, config: &Varnish, routes: &Routes) -> fmt::Result {
    out.push_str("\nsub vcl_backend_response {\n");
    out.push_str(STALE);
    for (name, route) in &routes.services {
        let (Some(time), true) = (route.cache, route.serving().next().is_some()) else { continue };
        writeln!(out, "    if (bereq.backend == d_{}.backend()) {{", symbol(name))?;
        // What the service says about its own answers comes first.
        out.push_str("        if (beresp.http.Cache-Control !~ \"(?i)(max-age|s-maxage)\\s*=\" && !beresp.http.Expires) {\n");
        // An error is not kept.
        writeln!(
            out,
            "            if (beresp.status < 300 || beresp.status == 301 || beresp.status == 308) {{"
        )?;
        writeln!(
            out,
            "                set beresp.ttl = {}s;\n            }} else {{\n                set beresp.ttl = 0s;\n            }}",
            time.as_secs()
        )?;
        out.push_str("        }\n");
        writeln!(out, "        set beresp.grace = {};", seconds(config.grace))?;
        out.push_str("    }\n");
    }
    out.push_str("}\n");
    Ok(())
}

fn seconds(time: Duration) -> String {
    let most = Duration::from_secs(24 * 3600);
    let time = if time.is_zero() { most } else { time.min(most) };
    format!("{}.{:03}s", time.as_secs(), time.subsec_millis())
}

const HEAD: &str = r#"vcl 4.1;
# Written by wharf from the catalog; what is changed here is lost at the next change there.
import directors;
import std;

backend wharf_none none;
"#;

const FIND: &str = r#"
sub wharf_find {
    unset req.http.X-Wharf-Route;
    unset req.http.X-Wharf-Host;
    unset req.http.X-Wharf-Try;
    unset req.http.X-Wharf-Cache;
    unset req.http.X-Wharf-Location;
    unset req.http.X-Forwarded-Prefix;
    set req.http.X-Wharf-Host = std.tolower(regsub(regsub(req.http.Host, ":[0-9]*$", ""), "\.$", ""));
    # An address is no name.
    if (req.http.X-Wharf-Host ~ "^(\[|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$|$)") {
        unset req.http.X-Wharf-Host;
    }
"#;

const BY_PATH: &str = r#"    if (!req.http.X-Wharf-Route) {
        set req.http.X-Wharf-Try = std.tolower(regsub(req.url, "^/([^/?]*).*$", "\1"));
"#;

const STRIP: &str = r#"        if (!req.http.X-Wharf-Route) {
            return (synth(404, "Not Found"));
        }
        if (req.url ~ "(?i)^[^?]*(/|\\|%2f|%5c)(\.|%2e)(\.|%2e)(/|\\|%2f|%5c|\?|$)") {
            return (synth(400, "Bad Request"));
        }
        if (req.url ~ "^/[^/?]+(\?|$)") {
            set req.http.X-Wharf-Location = regsub(req.url, "^(/[^/?]+)", "\1/");
            return (synth(308, "Permanent Redirect"));
        }
        set req.http.X-Forwarded-Prefix = regsub(req.url, "^(/[^/?]+).*$", "\1");
        set req.url = regsub(req.url, "^/[^/?]+", "");
    }
    unset req.http.X-Wharf-Try;
    unset req.http.X-Wharf-Host;
}
"#;

const BODY: &str = r#"
sub vcl_recv {
    if (req.method == "CONNECT") {
        return (synth(405, "Method Not Allowed"));
    }
    if (req.restarts == 0) {
        call wharf_find;
        set req.http.X-Real-IP = client.ip;
        set req.http.X-Forwarded-Proto = "http";
        set req.http.X-Forwarded-Host = req.http.Host;
        set req.http.X-Forwarded-Port = std.port(server.ip);
    }
    call wharf_send;
    if (req.http.Upgrade ~ "(?i)^websocket$") {
        return (pipe);
    }
    if (!req.http.X-Wharf-Cache) {
        return (pass);
    }
    # Below this, Varnish's own rules: GET and HEAD without cookie and authorization are looked up.
}

sub vcl_pipe {
    set bereq.http.Connection = "upgrade";
    set bereq.http.Upgrade = req.http.Upgrade;
    unset bereq.http.X-Wharf-Route;
    unset bereq.http.X-Wharf-Cache;
}

sub vcl_hash {
    # One path means another thing at another service.
    hash_data(req.http.X-Wharf-Route);
}

sub vcl_backend_fetch {
    unset bereq.http.X-Wharf-Route;
    unset bereq.http.X-Wharf-Cache;
}

sub vcl_backend_error {
    # Another instance is asked, if the request is safe to repeat and holds no body.
    if (bereq.method ~ "^(GET|HEAD|OPTIONS|TRACE)$" && bereq.retries < 4) {
        return (retry);
    }
    set beresp.http.Content-Type = "text/plain; charset=utf-8";
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Retry-After = "1";
    synthetic({"the service could not be reached
"});
    return (deliver);
}

sub vcl_synth {
    set resp.http.Content-Type = "text/plain; charset=utf-8";
    set resp.http.Cache-Control = "no-store";
    if (resp.status == 404) {
        synthetic({"no service matches this host and path
"});
    } elseif (resp.status == 400) {
        synthetic({"bad request: the path leads out of the service
"});
    } elseif (resp.status == 308) {
        set resp.http.Location = req.http.X-Wharf-Location;
        synthetic("");
    } elseif (resp.status == 503) {
        set resp.http.Retry-After = "1";
        synthetic("no instance of `" + req.http.X-Wharf-Route + {"` takes traffic
"});
    } else {
        return (deliver);
    }
    return (deliver);
}
"#;

const STALE: &str = r"    # A failure does not take the place of an answer that was good.
    if (beresp.status >= 500 && bereq.is_bgfetch) {
        return (abandon);
    }
";
