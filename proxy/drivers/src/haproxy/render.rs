//! The routes as HAProxy's configuration, and as the map that routes. Pure; equal input makes equal bytes.
//!
//! Every variable part is a [`ServiceName`](crate::routes::ServiceName), an address or a number; paths from the
//! settings are quoted.

use std::{
    fmt::{self, Write},
    time::Duration,
};

use super::plan::Layout;
use crate::{config::Haproxy, routes::Routes};

/// Where a slot points that never served: nowhere (RFC 5737).
const NOWHERE: &str = "192.0.2.1:9";

/// Files that belong to the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The map that routes.
    pub map: String,
    /// The state that one process hands to the next.
    pub state: String,
}

impl Beside {
    /// Beside the configuration file.
    pub fn of(config: &Haproxy) -> Self {
        let path = config.config.display();
        Self { map: format!("{path}.wharf-map"), state: format!("{path}.wharf-state") }
    }
}

/// The map: `NAME. BACKEND` for each service.
pub fn map(routes: &Routes) -> String {
    routes.services.keys().fold(String::new(), |mut text, name| {
        let _ = writeln!(text, "{name}. wharf-{name}");
        text
    })
}

/// The configuration with these slots; `extra` stands at its end as it is.
pub fn render(config: &Haproxy, layout: &Layout, extra: &str) -> String {
    let mut out = String::with_capacity(4096 + layout.len() * 512);
    // Writing into a string does not fail.
    let _ = write(&mut out, config, layout, extra);
    out
}

fn write(out: &mut String, config: &Haproxy, layout: &Layout, extra: &str) -> fmt::Result {
    let beside = Beside::of(config);
    let map = quoted(&beside.map);
    out.push_str("# Written by wharf from the catalog; what is changed here is lost at the next change there.\nglobal\n");
    if !config.user.is_empty() {
        writeln!(out, "    user {0}\n    group {0}", quoted(&config.user))?;
    }
    writeln!(
        out,
        "    stats socket {} mode 660 level admin expose-fd listeners",
        quoted(&config.socket.display().to_string())
    )?;
    writeln!(out, "    server-state-file {}", quoted(&beside.state))?;
    out.push_str("    hard-stop-after 10m\n\ndefaults\n    mode http\n");
    writeln!(out, "    timeout connect {}", milliseconds(config.connect_timeout))?;
    writeln!(out, "    timeout server {}", milliseconds(config.response_timeout))?;
    out.push_str(DEFAULTS);
    out.push_str("\nfrontend wharf\n");
    for address in &config.listen {
        writeln!(out, "    bind {address}")?;
    }
    out.push_str(&FRONTEND.replace("MAP", &map));
    for (name, slots) in layout {
        writeln!(out, "\nbackend wharf-{name}")?;
        writeln!(
            out,
            "    http-request return status 503 content-type \"text/plain; charset=utf-8\" hdr Retry-After 1 string \"no instance of `{name}` takes traffic\\n\" if {{ nbsrv lt 1 }}"
        )?;
        for (index, slot) in slots.iter().enumerate() {
            write!(out, "    server s{} ", index + 1)?;
            match slot.address {
                Some(address) => write!(out, "{address}")?,
                None => out.push_str(NOWHERE),
            }
            writeln!(out, " weight {}{}", slot.weight, if slot.ready { "" } else { " disabled" })?;
        }
    }
    if !extra.is_empty() {
        write!(out, "\n# From `extra`.\n{}\n", extra.trim_end())?;
    }
    Ok(())
}

/// What of a configuration the running process cannot be told otherwise, the backends aside: those are compared
/// one by one, and a backend that nothing is routed to any more may stay until there is another reason to reload.
pub fn structure(text: &str) -> String {
    let sections = text.split("\n\n").filter(|section| !section.starts_with("backend wharf-"));
    sections.map(str::trim).collect::<Vec<_>>().join("\n\n")
}

fn milliseconds(time: Duration) -> String {
    let most = Duration::from_secs(24 * 24 * 3600);
    format!("{}ms", if time.is_zero() { most } else { time.min(most) }.as_millis().max(1))
}

/// One word, whatever is in it. Newlines have no quoted form; they become spaces, and the path is not found.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

const DEFAULTS: &str = r#"    timeout client 75s
    timeout http-request 75s
    timeout http-keep-alive 75s
    timeout queue 1s
    timeout tunnel 1h
    balance roundrobin
    option http-keep-alive
    option forwardfor
    # Another instance is asked when one cannot be reached or does not answer; not for a request that is no
    # longer safe to repeat.
    option redispatch 1
    retries 4
    retry-on conn-failure empty-response junk-response response-timeout
    load-server-state-from-file global
    http-error status 502 content-type "text/plain; charset=utf-8" string "the service could not be reached\n"
    http-error status 503 content-type "text/plain; charset=utf-8" string "the service could not be reached\n"
    http-error status 504 content-type "text/plain; charset=utf-8" string "the service did not answer in time\n"
"#;

const FRONTEND: &str = r#"    acl wharf_repeatable method GET HEAD OPTIONS TRACE PUT DELETE
    acl wharf_address req.hdr_ip(host) -m found
    acl wharf_by_host var(txn.wharf_host) -m found
    acl wharf_by_path var(txn.wharf_path) -m found
    acl wharf_bare path -m reg ^/[^/]+$
    http-request disable-l7-retry unless wharf_repeatable
    http-request set-var(txn.wharf_host) req.hdr(host),host_only,lower,rtrim(.),concat(.),map_beg(MAP) unless wharf_address
    http-request set-var(txn.wharf_path) path,field(2,/),url_dec,lower,concat(.),map_str(MAP) unless wharf_by_host
    http-request return status 404 content-type "text/plain; charset=utf-8" string "no service matches this host and path\n" unless wharf_by_host or wharf_by_path
    http-request return status 400 content-type "text/plain; charset=utf-8" string "bad request: the path leads out of the service\n" if wharf_by_path { path,url_dec -m reg '[/\\]\.\.([/\\]|$)' }
    http-request redirect code 308 location %[path]/?%[query] if wharf_by_path wharf_bare { query -m found }
    http-request redirect code 308 location %[path]/ if wharf_by_path wharf_bare
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Port %[dst_port]
    http-request del-header X-Forwarded-Prefix
    http-request set-header X-Forwarded-Prefix /%[path,field(2,/)] if wharf_by_path
    http-request replace-path ^/[^/]+(/.*)$ \1 if wharf_by_path
    use_backend %[var(txn.wharf_host)] if wharf_by_host
    use_backend %[var(txn.wharf_path)] if wharf_by_path
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        haproxy::plan::{Actual, plan},
        routes::Candidate,
    };

    fn rendered(ports: &[u16]) -> String {
        let at = |port: &u16| Candidate { service: "web", host: "::1", port: *port, ..Candidate::default() };
        let routes = Routes::new(ports.iter().map(at));
        render(&Haproxy::default(), &plan(&Actual::default(), &routes, 4, "m").layout, "")
    }

    #[test]
    fn backends_are_no_structure_and_all_else_is() {
        assert!(
            rendered(&[81])
                .contains("    server s1 [::1]:81 weight 1\n    server s2 192.0.2.1:9 weight 1 disabled\n")
        );
        assert_eq!(structure(&rendered(&[81])), structure(&rendered(&[82, 83])));
        assert_eq!(structure(&rendered(&[])), structure(&rendered(&[1, 2, 3, 4, 5])));
        let other = Haproxy { slots: 3, response_timeout: Duration::from_secs(1), ..Haproxy::default() };
        assert_ne!(structure(&rendered(&[])), structure(&render(&other, &Layout::new(), "")));
        assert_ne!(
            structure(&rendered(&[])),
            structure(&render(&Haproxy::default(), &Layout::new(), "frontend x"))
        );
    }

    #[test]
    fn a_path_from_the_settings_stays_one_word() {
        assert_eq!(quoted("/a b\"$x\\\n"), "\"/a b\\\"\\$x\\\\ \"");
    }
}
