//! Registrator's own command line, read as it reads it: Go's flags, then one address.

use std::{net::IpAddr, time::Duration};

use wharf_registrator::Deregister;

/// What an old command line says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Old {
    /// There is one.
    pub(super) is_used: bool,
    pub(super) version: bool,
    pub(super) internal: bool,
    pub(super) explicit: bool,
    pub(super) cleanup: bool,
    pub(super) ip: Option<IpAddr>,
    pub(super) ip_from_label: Option<String>,
    pub(super) tags: Option<String>,
    /// `-ttl` was given.
    pub(super) ttl: bool,
    pub(super) resync: Option<Duration>,
    pub(super) deregister: Option<Deregister>,
    pub(super) retry_attempts: Option<u32>,
    pub(super) retry_interval: Option<Duration>,
    pub(super) catalog: Option<OldCatalog>,
}

/// The address at the end of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OldCatalog {
    /// As we write it; empty where the old tool took Consul's own default.
    pub(super) url: String,
    /// Certificates come from the variables that the old tool read.
    pub(super) tls: bool,
}

const VALUED: [&str; 9] = [
    "ip",
    "useIpFromLabel",
    "tags",
    "ttl",
    "ttl-refresh",
    "resync",
    "deregister",
    "retry-attempts",
    "retry-interval",
];
const PLAIN: [&str; 4] = ["version", "internal", "explicit", "cleanup"];

impl Old {
    /// Reads what stands after `--`; errors name the word.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let mut old = Self { is_used: !words.is_empty(), ..Self::default() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                return old.address(word, words.next());
            };
            let (name, value) =
                flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            if PLAIN.contains(&name) {
                old.plain(name, value)?;
            } else if VALUED.contains(&name) {
                let value = value.map(str::to_owned).or_else(|| words.next().cloned());
                let value = value.ok_or_else(|| format!("`-{name}` needs a value"))?;
                old.valued(name, &value).map_err(|reason| format!("`-{name} {value}`: {reason}"))?;
            } else {
                return Err(format!(
                    "`{word}` is no flag of Registrator's that is known: see docs/registrator.md"
                ));
            }
        }
        if old.is_used && !old.version {
            return Err("Registrator's command line ends with an address such as `consul://localhost:8500`"
                .to_owned());
        }
        Ok(old)
    }

    fn plain(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let on = match value {
            None | Some("true" | "t" | "T" | "TRUE" | "True" | "1") => true,
            Some("false" | "f" | "F" | "FALSE" | "False" | "0") => false,
            Some(other) => return Err(format!("`-{name}={other}`: use true or false")),
        };
        match name {
            "version" => self.version = on,
            "internal" => self.internal = on,
            "explicit" => self.explicit = on,
            _ => self.cleanup = on,
        }
        Ok(())
    }

    fn valued(&mut self, name: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<i64>().map_err(|_| "not a whole number".to_owned());
        let positive = |number: i64| u64::try_from(number).ok().filter(|number| *number > 0);
        match name {
            "ip" => self.ip = Some(value.parse().map_err(|_| "not an IP address".to_owned())?),
            "useIpFromLabel" => self.ip_from_label = Some(value.to_owned()),
            "tags" => self.tags = Some(value.to_owned()),
            "ttl" | "ttl-refresh" => self.ttl |= number()? > 0,
            // 0 turns it off there; here it costs next to nothing and stays.
            "resync" => self.resync = positive(number()?).map(Duration::from_secs),
            "deregister" => self.deregister = Some(super::deregister(value)?),
            // -1: for ever.
            "retry-attempts" => self.retry_attempts = u32::try_from(number()?).ok(),
            _ => self.retry_interval = positive(number()?).map(Duration::from_millis),
        }
        Ok(())
    }

    fn address(mut self, word: &str, further: Option<&String>) -> Result<Self, String> {
        if let Some(further) = further {
            return Err(format!("`{further}` comes after the address: flags stand before it"));
        }
        self.catalog = Some(address(word)?);
        Ok(self)
    }
}

fn address(text: &str) -> Result<OldCatalog, String> {
    let (scheme, rest) = text
        .split_once("://")
        .or_else(|| text.split_once(':'))
        .ok_or_else(|| format!("`{text}` is no address such as `consul://localhost:8500`"))?;
    if rest.contains("prefix=") {
        return Err(format!(
            "`{text}`: attributes in the key-value store (`prefix`) are not supported: they are the service's metadata; leave it out"
        ));
    }
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let url = match scheme {
        "consul" | "consul-tls" if rest.trim_matches('/').is_empty() => String::new(),
        "consul" => format!("http://{rest}"),
        "consul-tls" => format!("https://{rest}"),
        "consul-unix" => format!("unix://{rest}"),
        "consulkv" | "consulkv-unix" | "etcd" | "zookeeper" | "skydns2" => {
            return Err(format!(
                "`{scheme}://` is not supported: wharf registers with Consul's API (`consul://`, `consul-tls://`, `consul-unix://`)"
            ));
        }
        other => {
            return Err(format!(
                "`{other}://` is not known: use `consul://`, `consul-tls://` or `consul-unix://`"
            ));
        }
    };
    Ok(OldCatalog { url, tls: scheme == "consul-tls" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Old, String> {
        Old::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_command_line_from_the_field_is_read_as_registrator_reads_it() {
        let old = parse(
            "-internal --explicit=false -ip 10.0.0.5 -resync=30 -ttl 60 -ttl-refresh 30 -deregister on-success \
             -tags prod,eu -useIpFromLabel my.ip -retry-attempts -1 -retry-interval 500 -cleanup consul://localhost:8500",
        )
        .unwrap();
        assert!(old.internal && !old.explicit && old.cleanup && old.ttl && old.is_used);
        assert_eq!((old.ip, old.resync), ("10.0.0.5".parse().ok(), Some(Duration::from_secs(30))));
        assert_eq!((old.deregister, old.retry_attempts), (Some(Deregister::OnSuccess), None));
        assert_eq!(old.retry_interval, Some(Duration::from_millis(500)));
        assert_eq!((old.tags.as_deref(), old.ip_from_label.as_deref()), (Some("prod,eu"), Some("my.ip")));
        assert_eq!(old.catalog, Some(OldCatalog { url: "http://localhost:8500".to_owned(), tls: false }));
    }

    #[test]
    fn addresses_keep_their_meaning() {
        for (text, url, tls) in [
            ("consul://10.0.0.1:8500", "http://10.0.0.1:8500", false),
            ("consul:", "", false),
            ("consul://", "", false),
            ("consul-tls://consul:8501", "https://consul:8501", true),
            ("consul-unix:///run/consul.sock", "unix:///run/consul.sock", false),
        ] {
            assert_eq!(address(text).unwrap(), OldCatalog { url: url.to_owned(), tls }, "{text}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (line, name) in [
            ("etcd://127.0.0.1:2379", "etcd"),
            ("consul://h:8500/?prefix=a", "prefix"),
            ("-nonsense consul:", "-nonsense"),
            ("-internal", "consul://localhost:8500"),
            ("-resync soon consul:", "soon"),
            ("-deregister maybe consul:", "maybe"),
            ("-ip consul:", "-ip"),
            ("consul: -internal", "-internal"),
            ("localhost", "localhost"),
            ("-tags", "-tags"),
        ] {
            let reason = parse(line).unwrap_err();
            assert!(reason.contains(name), "{line}: {reason}");
        }
        assert_eq!(parse("").unwrap(), Old::default());
        assert!(parse("-version").unwrap().version);
    }
}
