//! The routes as a file for nginx to include. Pure; equal routes make equal bytes.
//!
//! Routing is by maps (one look-up whatever the number of services, in any case of letters): the host decides,
//! else the first segment of the path, which is taken off. What is left of the request's target is passed on as
//! it came. Every variable part is a [`ServiceName`], an address or a number.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use crate::{
    config::Nginx,
    routes::{Routes, ServiceName},
};

/// Longer names than this do not fit into nginx's hash buckets as they are by default.
const LONG_NAME: usize = 32;
/// More services than this and nginx wants more room to hash them.
const MANY: usize = 500;

/// The file.
pub fn render(config: &Nginx, routes: &Routes) -> String {
    let mut out = String::with_capacity(4096 + routes.services.len() * 256);
    // Writing into a string does not fail.
    let _ = write(&mut out, config, routes);
    out
}

fn write(out: &mut String, config: &Nginx, routes: &Routes) -> fmt::Result {
    out.push_str(
        "# Written by wharf from the catalog; what is changed here is lost at the next change there.\n",
    );
    hashes(out, routes)?;
    out.push_str(MAPS);
    let names = || routes.services.keys();
    map(
        out,
        "$wharf_name $wharf_by_host",
        true,
        names().flat_map(|n| [(n.to_string(), n), (format!("{n}.*"), n)]),
    )?;
    map(out, "$wharf_segment $wharf_by_path", false, names().map(|n| (n.to_string(), n)))?;
    let serving = routes.services.iter().filter(|(_, route)| route.serving().next().is_some());
    map(
        out,
        "$wharf_service $wharf_upstream",
        false,
        serving.clone().map(|(n, _)| (n.to_string(), format!("wharf-{n}"))),
    )?;
    for (name, route) in serving {
        upstream(out, name, route.serving())?;
    }
    server(out, config)
}

fn hashes(out: &mut String, routes: &Routes) -> fmt::Result {
    if routes.services.keys().any(|name| name.as_str().len() > LONG_NAME) {
        out.push_str("map_hash_bucket_size 512;\n");
    }
    if routes.services.len() > MANY {
        writeln!(out, "map_hash_max_size {};", (routes.services.len() * 8).next_power_of_two())?;
    }
    Ok(())
}

fn map(
    out: &mut String,
    variables: &str,
    hostnames: bool,
    entries: impl Iterator<Item = (String, impl fmt::Display)>,
) -> fmt::Result {
    writeln!(out, "map {variables} {{")?;
    if hostnames {
        out.push_str("    hostnames;\n");
    }
    out.push_str("    default \"\";\n");
    for (key, value) in entries {
        // A name may be one of the map's own words.
        let escape = if KEYWORDS.contains(&key.as_str()) { "\\" } else { "" };
        writeln!(out, "    {escape}{key} {value};")?;
    }
    out.push_str("}\n");
    Ok(())
}

/// What means something else as a map's key; written with a backslash it is a key.
const KEYWORDS: [&str; 4] = ["default", "hostnames", "include", "volatile"];

fn upstream(
    out: &mut String,
    name: &ServiceName,
    servers: impl Iterator<Item = (SocketAddr, u16)>,
) -> fmt::Result {
    writeln!(out, "upstream wharf-{name} {{")?;
    for (address, weight) in servers {
        write!(out, "    server {address}")?;
        if weight > 1 {
            write!(out, " weight={weight}")?;
        }
        // A passive check: one failure, and it is skipped for two seconds.
        out.push_str(" max_fails=1 fail_timeout=2s;\n");
    }
    out.push_str("    keepalive 32;\n}\n");
    Ok(())
}

const MAPS: &str = r#"map $http_upgrade $wharf_connection {
    default upgrade;
    "" "";
}
# An address is no name.
map $host $wharf_name {
    default $host;
    "~^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$" "";
}
map $uri $wharf_segment {
    default "";
    "~^/(?<wharf_first>[^/]+)" $wharf_first;
}
map $wharf_by_host $wharf_service {
    default $wharf_by_host;
    "" $wharf_by_path;
}
# What is wrong with a request that is routed by its path: `climbs` out of the service with dot segments, or is
# `bare` (names the service without the slash that begins its path).
map $wharf_by_host:$request_uri $wharf_fault {
    default "";
    "~*^:[^?]*(/|\\|%2f|%5c)(\.|%2e)(\.|%2e)(/|\\|%2f|%5c|\?|$)" climbs;
    "~^:/[^/?]+(\?|$)" bare;
}
map $wharf_by_host:$request_uri $wharf_target {
    default $request_uri;
    "~^:/[^/?]+(?<wharf_rest>/.*)$" $wharf_rest;
}
map $wharf_by_host:$request_uri $wharf_prefix {
    default "";
    "~^:(?<wharf_taken>/[^/?]+)/" $wharf_taken;
}
map $request_uri $wharf_with_slash {
    default "";
    "~^(?<wharf_path>/[^/?]+)(?<wharf_query>\?.*)?$" $wharf_path/$wharf_query;
}
"#;

fn server(out: &mut String, config: &Nginx) -> fmt::Result {
    out.push_str("server {\n");
    for address in &config.listen {
        writeln!(out, "    listen {address} default_server;")?;
    }
    writeln!(out, "    proxy_connect_timeout {};", milliseconds(config.connect_timeout))?;
    writeln!(out, "    proxy_read_timeout {};", milliseconds(config.response_timeout))?;
    out.push_str(SERVER);
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    // nginx takes 0 as "at once"; for ever is not to be had.
    let most = Duration::from_secs(24 * 3600);
    format!("{}ms", if time.is_zero() { most } else { time.min(most) }.as_millis().max(1))
}

const SERVER: &str = r#"    server_name _;
    server_tokens off;
    default_type text/plain;
    client_max_body_size 0;
    keepalive_requests 100000;
    merge_slashes off;
    # Redirects name no host and port: those the client sees are not always ours.
    absolute_redirect off;
    proxy_http_version 1.1;
    # Another instance is asked when one cannot be reached or does not answer; not for a request that is no
    # longer safe to repeat (POST, PATCH, LOCK once sent).
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 5;
    proxy_redirect off;
    proxy_set_header Host $http_host;
    # Empty keeps connections to the instances open; an upgrade (WebSocket) is passed on.
    proxy_set_header Connection $wharf_connection;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_set_header X-Forwarded-Port $server_port;
    proxy_set_header X-Forwarded-Prefix $wharf_prefix;
    location / {
        if ($wharf_fault = climbs) {
            return 400 "bad request: the path leads out of the service\n";
        }
        if ($wharf_service = "") {
            return 404 "no service matches this host and path\n";
        }
        if ($wharf_fault = bare) {
            return 308 $wharf_with_slash;
        }
        if ($wharf_upstream = "") {
            add_header Retry-After 1 always;
            return 503 "no instance of `$wharf_service` takes traffic\n";
        }
        proxy_pass http://$wharf_upstream$wharf_target;
    }
}
"#;
