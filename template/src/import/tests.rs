use std::time::Duration;

use super::*;
use crate::{Perms, Source, config::*};

fn read(text: &str) -> Config {
    let mut config = Config::default();
    apply(&mut config, Path::new("old.hcl"), text).unwrap();
    config
}

fn refused(text: &str) -> String {
    apply(&mut Config::default(), Path::new("old.hcl"), text).unwrap_err().to_string()
}

const EVERYTHING: &str = r#"
// This is a comment.
consul {
  address = "10.0.0.1:8500"
  token   = "abcd1234"
  auth { enabled = true  username = "u"  password = "p" }
  retry { attempts = 12  backoff = "250ms"  max_backoff = "1m" }
  ssl { enabled = true  verify = false  ca_cert = "/etc/ca.pem" }
}
reload_signal = "SIGUSR1"
kill_signal   = "SIGINT"
max_stale     = "10m"
log_level     = "warn"
pid_file      = "/run/ct.pid"
wait { min = "5s"  max = "10s" }
vault { enabled = false  address = "https://vault" }
syslog { enabled = false }
deduplicate { enabled = false }
exec {
  command       = "/usr/bin/app"
  splay         = "5s"
  env { pristine = false  custom = ["PATH=$PATH:/etc"]  whitelist = ["CONSUL_*"] }
  reload_signal = ""
  kill_timeout  = "2s"
}
template {
  source               = "/etc/haproxy.ctmpl"
  destination          = "/etc/haproxy.cfg"
  command              = "restart service foo"
  command_timeout      = "60s"
  error_on_missing_key = true
  perms                = 0600
  backup               = true
  left_delimiter       = "<%"
  right_delimiter      = "%>"
  wait { min = "2s"  max = "10s" }
}
template {
  contents = <<EOF
{{ key "a" }}
EOF
  destination = "/tmp/a"
  command = ["sh", "-c", "true"]
}
"#;

#[test]
fn the_documented_configuration_is_taken_over() {
    let config = read(EVERYTHING);
    assert_eq!(config.catalog.url(), "https://10.0.0.1:8500");
    assert_eq!(
        (config.catalog.token.as_deref(), config.catalog.auth.as_deref()),
        (Some("abcd1234"), Some("u:p"))
    );
    assert_eq!((config.catalog.tls_verify, config.catalog.max_stale), (false, Duration::from_secs(600)));
    assert_eq!(config.wait.max, Duration::from_secs(10));
    assert_eq!(config.process.reload_signal.unwrap().to_string(), "SIGUSR1");
    let exec = config.exec.as_ref().unwrap();
    assert_eq!((exec.splay, exec.reload_signal), (Duration::from_secs(5), None));
    assert_eq!(exec.env.allowlist, ["CONSUL_*"]);
    let [file, text] = &config.templates[..] else { panic!("{:?}", config.templates) };
    assert_eq!(file.source, Source::File("/etc/haproxy.ctmpl".into()));
    assert_eq!((file.perms, file.backup), (Some(Perms(0o600)), true));
    assert_eq!(file.left_delimiter.as_deref(), Some("<%"));
    assert_eq!(file.reload, Some(Reload::Command(Commandline::Line("restart service foo".to_owned()))));
    assert_eq!(text.source, Source::Text("{{ key \"a\" }}\n".to_owned()));
    assert_eq!(text.reload, Some(Reload::Command(Commandline::of(["sh", "-c", "true"]))));
    config.validate().unwrap();
}

#[test]
fn old_spellings_and_json_are_taken_over() {
    let config = read("consul = \"127.0.0.1:1\"\ntoken = \"t\"\nretry = \"10s\"\nwait = \"1s:2s\"\n");
    assert_eq!(
        (config.catalog.address.as_deref(), config.wait.min),
        (Some("127.0.0.1:1"), Duration::from_secs(1))
    );
    let config = read(
        r#"{"consul": {"address": "c:1"}, "template": [
            {"source": "a.ctmpl", "destination": "a", "perms": "0640"}, {"source": "b.hbs", "destination": "b"}]}"#,
    );
    assert_eq!(config.templates[0].perms, Some(Perms(0o640)));
    assert_eq!(config.templates[1].syntax, Some(crate::syntax::Syntax::Handlebars));
}

#[test]
fn what_cannot_be_had_is_named_with_its_place() {
    for (text, place, words) in [
        ("vault {\n address = \"x\"\n}", "old.hcl:1:1", "`vault` is not supported"),
        ("\n  syslog { enabled = true }", "old.hcl:2:3", "`syslog`"),
        ("consul {\n  adress = \"x\"\n}", "old.hcl:2:3", "no setting `adress`"),
        (
            "template {\n source = \"a\"\n destination = \"b\"\n function_denylist = [\"plugin\"]\n}",
            "old.hcl:4:2",
            "`function_denylist`",
        ),
        ("template { source = \"a\" }", "old.hcl:1:12", "no `destination`"),
        ("template { destination = \"a\" }", "old.hcl:1:12", "neither"),
        ("max_stale = 10", "old.hcl:1:13", "\"30s\""),
        ("kill_signal = \"SIGFOO\"", "old.hcl:1:15", "no signal"),
        ("template \"x\" {}", "old.hcl:1:1", "no label"),
    ] {
        let error = refused(text);
        assert!(error.starts_with(place) && error.contains(words), "{error}");
    }
}

#[test]
fn settings_that_mean_less_here_are_told() {
    let mut config = Config::default();
    let notes = apply(&mut config, Path::new("x"), "consul { retry { attempts = 3 } }").unwrap();
    assert!(notes[0].contains("line 1") && notes[0].contains("attempts"), "{notes:?}");
}
