//! Check definitions, in a service's or on their own: read, checked, and turned into domain types.
//!
//! Checks that run commands - on this machine or in a container - are refused unless the settings allow them:
//! whoever may register one may run anything.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use wharf_catalog::{Check, Probe, ProbeKind, Status};
use wharf_catalog_checks::external::{self, External};

use super::definition::refuse_namespaces;
use crate::{Config, error::ApiError, fields::Fields};

/// Shortest time between two runs of a check. Consul has 1 s; failing over fast needs less.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Shortest time a service stays critical before it is deregistered, as in Consul.
pub(super) const MIN_DEREGISTER_AFTER: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, ApiError>;

/// Where a check definition stands: the names of its fields differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a service definition: its id is called `CheckID`.
    InService,
    /// On its own: `ID`, and there is a `ServiceID`.
    Alone,
}

/// A check as registered.
#[derive(Debug)]
pub(crate) struct CheckDefinition {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Instance it is for; empty in a service's own definition and for node checks.
    pub(crate) service: String,
    notes: String,
    status: String,
    probe: Probe,
}

impl CheckDefinition {
    pub(crate) fn read(mut fields: Fields, place: Place) -> Result<Self> {
        let (id, service) = match place {
            Place::InService => {
                // Consul reads it, and takes the service that the check stands in.
                fields.text("ServiceID")?;
                (fields.text("CheckID")?, String::new())
            }
            Place::Alone => (fields.text("ID")?, fields.text("ServiceID")?),
        };
        let (name, notes, status) = (fields.text("Name")?, fields.text("Notes")?, fields.text("Status")?);
        if place == Place::Alone && name.is_empty() {
            return Err(ApiError::bad("Missing check name"));
        }
        let raw = RawProbe::read(&mut fields)?;
        refuse_namespaces(&mut fields)?;
        fields.text("Token")?;
        fields.finish()?;
        let probe = raw.probe().map_err(|why| ApiError::bad(format!("Invalid check: {why}")))?;
        Ok(Self { id, name, service, notes, status, probe })
    }

    /// As a check of `node`, critical unless it says otherwise; `bad_status` is the text for nonsense.
    pub(crate) fn check(self, node: &Arc<str>, bad_status: &str) -> Result<Check> {
        let status = match self.status.as_str() {
            "" => Status::Critical,
            word => word.parse().map_err(|_| ApiError::bad(bad_status))?,
        };
        let label = self.probe.kind.label();
        Ok(Check {
            status,
            notes: self.notes,
            type_label: label.to_owned(),
            probe: Some(self.probe),
            ..Check::new(node.clone(), self.id, self.name)
        })
    }
}

/// Refuses what runs commands, unless the settings allow it. The text is Consul's.
pub(crate) fn refuse_scripts(check: &Check, config: &Config) -> Result<()> {
    let runs = matches!(
        check.probe.as_ref().map(|probe| &probe.kind),
        Some(ProbeKind::Script { .. } | ProbeKind::Docker { .. })
    );
    if runs && !config.enable_script_checks {
        return Err(ApiError::bad(
            "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' to true (wharf: --enable-script-checks)",
        ));
    }
    Ok(())
}

/// The fields that say what is asked, before they are known to fit together.
struct RawProbe {
    http: String,
    method: String,
    header: BTreeMap<String, Vec<String>>,
    body: String,
    tls_skip_verify: bool,
    tcp: String,
    udp: String,
    grpc: String,
    grpc_tls: bool,
    h2ping: String,
    h2ping_tls: bool,
    alias_node: String,
    alias_service: String,
    container: String,
    shell: String,
    args: Vec<String>,
    ttl: Duration,
    interval: Duration,
    timeout: Duration,
    deregister_after: Duration,
    successes: u32,
    failures: u32,
    failures_before_warning: u32,
    output_max_size: usize,
    /// What Consul has no words for; its clients do not look at it.
    wharf: Option<External>,
}

fn output_max_size(fields: &mut Fields) -> Result<usize> {
    let size = fields.integer("OutputMaxSize")?.unwrap_or(0);
    usize::try_from(size).map_err(|_| ApiError::bad("Invalid check: MaxOutputMaxSize must be positive"))
}

impl RawProbe {
    fn read(fields: &mut Fields) -> Result<Self> {
        let (args, script_args) = (fields.texts("Args")?, fields.texts("ScriptArgs")?);
        Ok(Self {
            http: fields.text("HTTP")?,
            method: fields.text("Method")?,
            header: fields.texts_map("Header")?,
            body: fields.text("Body")?,
            tls_skip_verify: fields.flag("TLSSkipVerify")?,
            tcp: fields.text("TCP")?,
            udp: fields.text("UDP")?,
            grpc: fields.text("GRPC")?,
            grpc_tls: fields.flag("GRPCUseTLS")?,
            h2ping: fields.text("H2PING")?,
            // On unless somebody says otherwise, as in Consul.
            h2ping_tls: fields.optional_flag("H2PingUseTLS")?.unwrap_or(true),
            alias_node: fields.text("AliasNode")?,
            alias_service: fields.text("AliasService")?,
            container: fields.text("DockerContainerID")?,
            shell: fields.text("Shell")?,
            args: if args.is_empty() { script_args } else { args },
            ttl: fields.duration("TTL")?,
            interval: fields.duration("Interval")?,
            timeout: fields.duration("Timeout")?,
            deregister_after: fields.duration("DeregisterCriticalServiceAfter")?,
            successes: fields.count("SuccessBeforePassing")?,
            failures: fields.count("FailuresBeforeCritical")?,
            failures_before_warning: fields.count("FailuresBeforeWarning")?,
            output_max_size: output_max_size(fields)?,
            wharf: fields
                .value("Wharf")
                .map(serde_json::from_value)
                .transpose()
                .map_err(|error| ApiError::bad(format!("Invalid check: `Wharf`: {error}")))?,
        })
    }

    /// Is it run at intervals?
    fn is_run(&self) -> bool {
        let asked = [&self.http, &self.tcp, &self.udp, &self.grpc, &self.h2ping];
        let extension = self.wharf.as_ref().and_then(|wharf| wharf.kind().ok().flatten());
        !self.args.is_empty()
            || asked.iter().any(|what| !what.is_empty())
            || extension.is_some_and(|kind| kind.silence().is_none())
    }

    /// Does somebody report with a token?
    fn is_pushed(&self) -> bool {
        self.wharf.as_ref().is_some_and(|wharf| wharf.push.is_some())
    }

    fn is_alias(&self) -> bool {
        !self.alias_node.is_empty() || !self.alias_service.is_empty()
    }

    /// Consul's rules, in its order and words.
    fn check(&self) -> std::result::Result<(), &'static str> {
        let (timed, ttl) = (!self.interval.is_zero(), !self.ttl.is_zero());
        if timed && ttl {
            return Err("Interval and TTL cannot both be specified");
        }
        if self.is_run() && !timed {
            return Err("Interval must be > 0 for Script, HTTP, or TCP checks");
        }
        if self.is_run() && self.is_alias() {
            return Err("Interval cannot be set for Alias checks");
        }
        if self.is_alias() && ttl {
            return Err("TTL must be not be set for Alias checks");
        }
        if !self.is_run() && !self.is_alias() && !self.is_pushed() && !ttl {
            return Err("TTL must be > 0 for TTL checks");
        }
        // A threshold of 0 is one of 1.
        if self.failures_before_warning > self.failures.max(1) {
            return Err("FailuresBeforeWarning can't be higher than FailuresBeforeCritical");
        }
        Ok(())
    }

    fn probe(mut self) -> std::result::Result<Probe, String> {
        self.check()?;
        let wharf = self.wharf.as_ref();
        let extension = wharf.map(External::kind).transpose()?.flatten();
        let expect = wharf.and_then(|wharf| wharf.expect.clone());
        expect.as_ref().map(external::validate).transpose()?;
        let runs = self.is_run();
        let (interval, timeout) = (self.interval, self.timeout);
        let deregister_after =
            (!self.deregister_after.is_zero()).then(|| self.deregister_after.max(MIN_DEREGISTER_AFTER));
        let (successes_before_passing, failures_before_critical) = (self.successes, self.failures);
        let (failures_before_warning, output_max_size) = (self.failures_before_warning, self.output_max_size);
        self.wharf = None;
        let default = Probe::new(extension.map_or_else(|| self.kind(), Ok)?);
        Ok(Probe {
            interval: if runs { interval.max(MIN_INTERVAL) } else { default.interval },
            timeout: if timeout.is_zero() { default.timeout } else { timeout },
            deregister_after,
            successes_before_passing,
            failures_before_critical,
            failures_before_warning,
            // Never more than Consul keeps at most.
            output_max_size: match output_max_size {
                0 => default.output_max_size,
                size => size.min(default.output_max_size),
            },
            expect: expect.map(Box::new),
            ..default
        })
    }

    /// Of several kinds in one definition the first in Consul's order counts.
    fn kind(self) -> std::result::Result<ProbeKind, String> {
        let tls_skip_verify = self.tls_skip_verify;
        if !self.ttl.is_zero() {
            return Ok(ProbeKind::Ttl { ttl: self.ttl });
        }
        if !self.http.is_empty() {
            let absolute = self.http.starts_with("http://") || self.http.starts_with("https://");
            if !absolute || self.http.parse::<http::Uri>().is_err() {
                return Err(format!("`{}` is no http:// or https:// URL", self.http));
            }
            let (url, method, headers, body) = (self.http, self.method, self.header, self.body);
            return Ok(ProbeKind::Http { url, method, headers, body, tls_skip_verify });
        }
        if !self.tcp.is_empty() {
            return Ok(ProbeKind::Tcp { address: self.tcp });
        }
        if !self.udp.is_empty() {
            return Ok(ProbeKind::Udp { address: self.udp });
        }
        if !self.grpc.is_empty() {
            return Ok(ProbeKind::Grpc { target: self.grpc, tls: self.grpc_tls, tls_skip_verify });
        }
        if !self.h2ping.is_empty() {
            return Ok(ProbeKind::H2Ping { address: self.h2ping, tls: self.h2ping_tls, tls_skip_verify });
        }
        if !self.container.is_empty() && !self.args.is_empty() {
            let (container, shell, args) = (self.container, self.shell, self.args);
            return Ok(ProbeKind::Docker { container, shell, args });
        }
        if !self.args.is_empty() {
            return Ok(ProbeKind::Script { args: self.args });
        }
        let given = |text: String| (!text.is_empty()).then(|| Arc::from(text));
        Ok(ProbeKind::Alias { node: given(self.alias_node), service: given(self.alias_service) })
    }
}
