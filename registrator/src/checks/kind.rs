//! What does a check ask? The labels that name a kind of check, turned into probes.

use std::{collections::BTreeMap, time::Duration};

use wharf_catalog::ProbeKind;

use super::{Asked, SHORTEST_INTERVAL};
use crate::{
    complaint::Complaint,
    labels::{Label, yes_or_no},
};

/// Longest accepted path of an HTTP check, in bytes.
const LONGEST_PATH: usize = 4096;

impl Asked<'_> {
    /// What to ask, in Registrator's order of precedence.
    pub(super) fn kind(&self, complaints: &mut Vec<Complaint>) -> Option<ProbeKind> {
        if !self.target.config.checks_are_run {
            self.complain_that_nobody_runs_them(complaints);
            return None;
        }
        self.complain_of_connections_to_udp(complaints);
        let kind = self.http("http", complaints);
        let kind = kind.or_else(|| self.http("https", complaints));
        let kind = kind.or_else(|| self.in_container(complaints));
        let kind = kind.or_else(|| self.on_machine(complaints));
        let kind = kind.or_else(|| self.ttl(complaints));
        let kind = kind.or_else(|| self.own("tcp").and_then(|_| self.target.tcp()));
        kind.or_else(|| self.grpc(complaints))
    }

    fn complain_that_nobody_runs_them(&self, complaints: &mut Vec<Complaint>) {
        for label in super::KINDS.iter().filter_map(|kind| self.own(kind)) {
            let problem = "a catalog without an agent runs no checks, left out";
            let remedy = "register with an agent, or let the container's `HEALTHCHECK` say it";
            complaints.push(self.target.complaint(label, problem, remedy));
        }
    }

    /// A label for all ports means the TCP ones; one that names this port means it.
    fn complain_of_connections_to_udp(&self, complaints: &mut Vec<Complaint>) {
        let keys = ["http", "https", "tcp", "grpc"];
        for label in keys.iter().filter_map(|key| self.own(key)).filter(|l| l.of_port && !self.target.tcp) {
            let problem = "a UDP port takes no connections, nothing checks it";
            let remedy = "use `SERVICE_CHECK_TTL` or a `HEALTHCHECK`; for the TCP port of that number only, \
                name it: `SERVICE_53_TCP_CHECK_TCP`";
            complaints.push(self.target.complaint(label, problem, remedy));
        }
    }

    fn http(&self, scheme: &str, complaints: &mut Vec<Complaint>) -> Option<ProbeKind> {
        let label = self.own(scheme).filter(|_| self.target.tcp)?;
        let slash = if label.value.starts_with('/') { "" } else { "/" };
        let url = format!("{scheme}://{}{slash}{}", self.target.registered, label.value);
        if label.value.len() > LONGEST_PATH || url.parse::<http::Uri>().is_err() {
            let problem = "not the path of a URL, ignored";
            complaints.push(self.target.complaint(label, problem, "write a path such as `/health`"));
            return None;
        }
        Some(ProbeKind::Http {
            url,
            method: self.method(scheme, complaints),
            headers: BTreeMap::new(),
            body: String::new(),
            tls_skip_verify: self.flag("tls_skip_verify", complaints),
        })
    }

    fn method(&self, scheme: &str, complaints: &mut Vec<Complaint>) -> String {
        let Some(label) = self.get(&format!("{scheme}_method")) else {
            return String::new();
        };
        let upper = label.value.to_ascii_uppercase();
        if upper.len() > 32 || http::Method::from_bytes(upper.as_bytes()).is_err() {
            let problem = "not an HTTP method, `GET` is used";
            complaints.push(self.target.complaint(label, problem, "write one such as `HEAD`"));
            return String::new();
        }
        upper
    }

    fn in_container(&self, complaints: &mut Vec<Complaint>) -> Option<ProbeKind> {
        let label = self.own("cmd")?;
        self.may_run_commands(label, complaints).then(|| ProbeKind::Docker {
            container: self.target.container.id.clone(),
            shell: String::new(),
            args: by_shell(&label.value),
        })
    }

    fn on_machine(&self, complaints: &mut Vec<Complaint>) -> Option<ProbeKind> {
        let label = self.own("script")?;
        let place = self.target.registered;
        let script = label.value.replace("$SERVICE_IP", &place.host);
        let script = script.replace("$SERVICE_PORT", &place.port.to_string());
        self.may_run_commands(label, complaints).then(|| ProbeKind::Script { args: by_shell(&script) })
    }

    fn may_run_commands(&self, label: &Label, complaints: &mut Vec<Complaint>) -> bool {
        let may = self.target.config.enable_script_checks;
        if !may {
            let problem =
                "checks that run commands are off, another check label or a TCP check is used instead";
            let remedy = "start wharf with `--enable-script-checks` (whoever may set labels may then run \
                commands), or use `SERVICE_CHECK_HTTP`, `SERVICE_CHECK_TCP` or `SERVICE_CHECK_TTL`";
            complaints.push(self.target.complaint(label, problem, remedy));
        }
        may
    }

    fn ttl(&self, complaints: &mut Vec<Complaint>) -> Option<ProbeKind> {
        let ttl: Duration = self.read_duration(self.own("ttl")?, SHORTEST_INTERVAL, complaints)?;
        Some(ProbeKind::Ttl { ttl })
    }

    /// The value may name the service to ask about: `/users.Accounts`.
    fn grpc(&self, complaints: &mut Vec<Complaint>) -> Option<ProbeKind> {
        let label = self.own("grpc").filter(|_| self.target.tcp)?;
        let service = label.value.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let named = service.starts_with('/') && service.len() <= 255 && service.chars().all(plain);
        Some(ProbeKind::Grpc {
            target: format!("{}{}", self.target.registered, if named { service } else { "" }),
            tls: self.flag("grpc_use_tls", complaints),
            tls_skip_verify: self.flag("tls_skip_verify", complaints),
        })
    }

    fn flag(&self, key: &str, complaints: &mut Vec<Complaint>) -> bool {
        let Some(label) = self.get(key) else {
            return false;
        };
        yes_or_no(&label.value).unwrap_or_else(|| {
            let problem = match key {
                "tls_skip_verify" => "neither true nor false, certificates are verified",
                _ => "neither true nor false, taken for false",
            };
            complaints.push(self.target.complaint(label, problem, "write `true` or `false`"));
            false
        })
    }
}

fn by_shell(script: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()]
}
