//! `wharf registrator`: one process follows the containers, another one is the catalog.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::harness::{Containers, Engine, Wharf, eventually, unique, until, wharf::command};

const TOKEN: &str = "5ecre7-70ken";

/// A running `wharf registrator`; killed when dropped.
struct Registrator(Child);

impl Registrator {
    fn start(arguments: &[&str]) -> Self {
        Self(registrator(arguments).stderr(Stdio::piped()).spawn().expect("start wharf registrator"))
    }

    /// Ends it as a power cut would; what it had logged.
    fn kill_nine(mut self) -> String {
        self.0.kill().expect("kill");
        let mut log = String::new();
        self.0.stderr.take().expect("stderr").read_to_string(&mut log).expect("log");
        log
    }
}

impl Drop for Registrator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn registrator(arguments: &[&str]) -> Command {
    let mut command = command(&["registrator"]);
    command.args(arguments).env_remove("CONSUL_HTTP_ADDR").env("CONSUL_HTTP_TOKEN", TOKEN);
    command
}

async fn ids(wharf: &Wharf, service: &str) -> Vec<String> {
    let found = wharf.json(&format!("/v1/catalog/service/{service}")).await;
    let entries = found.as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["ServiceID"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn registrators_own_command_line_works_and_a_kill_nine_leaves_nothing_behind() {
    let (wharf, engine) = (Wharf::without_docker(), Engine::of_this_machine());
    let containers = Containers::on(&engine);
    let (stays, ends) = (unique("stays"), unique("ends"));
    let host = unique("host");
    let uri = format!("consul://{}", wharf.http);
    let line = ["--hostname", &host, "--", "-explicit", "-ip", "127.0.0.1", "-resync=30", &uri];
    let first = Registrator::start(&line);
    let kept = containers.run(&stays, &[], &[]);
    let gone = containers.run(&ends, &[], &[]);
    for service in [&stays, &ends] {
        until("passing", async || wharf.passing(service).await, |passing| *passing == 1).await;
    }
    assert_eq!(ids(&wharf, &stays).await, [format!("{host}:{kept}:80")]);
    let log = first.kill_nine();
    assert!(log.contains("catalog follows the containers") && !log.contains(TOKEN), "{log}");
    containers.tell(&["rm", "-f"], &gone);
    assert_eq!(ids(&wharf, &ends).await.len(), 1, "nobody was there to remove it");
    let _second = Registrator::start(&line);
    eventually("the dead one is gone", async || ids(&wharf, &ends).await.is_empty()).await;
    assert_eq!(ids(&wharf, &stays).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_registered_and_why_and_changes_nothing() {
    let (wharf, engine) = (Wharf::without_docker(), Engine::of_this_machine());
    let containers = Containers::on(&engine);
    let (service, host) = (unique("dry"), unique("host"));
    let name = containers.run(&service, &["SERVICE_80_CHECK_HTTP=/health"], &[]);
    let api = wharf.api("");
    let run = |further: &[&str]| {
        let output =
            registrator(&["--catalog", &api, "--hostname", &host, "--dry-run"]).args(further).output();
        let output = output.expect("run wharf registrator");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let found: Value = serde_json::from_str(&run(&["-o", "json"])).expect("JSON");
    let rows = found["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["container"] == *name).expect("its row");
    assert_eq!((&row["action"], &row["service"]), (&Value::from("add"), &Value::from(service.as_str())));
    assert!(row["because"].as_str().is_some_and(|why| why.starts_with("published on 127.0.0.1:")), "{row}");
    assert!(row["checks"][0].as_str().is_some_and(|check| check.ends_with("/health every 10s")), "{row}");
    let table = run(&[]);
    assert!(table.starts_with("CONTAINER") && table.contains(&format!("{host}:{name}:80")), "{table}");
    assert!(ids(&wharf, &service).await.is_empty());
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is() {
    for (arguments, words) in [
        (&["--", "etcd://127.0.0.1:2379/x"][..], "`etcd://` is not supported"),
        (&["--", "-nonsense", "consul:"], "`-nonsense`"),
        (&["--catalog", "http://127.0.0.1:1", "--retry-attempts", "0"], "does not answer"),
        (&["--catalog", "ftp://127.0.0.1"], "http://"),
        (&["--tags", "{{.Nonsense}}"], ".Nonsense"),
        (&["--ttl", "30s", "--ttl-refresh", "60s"], "--ttl-refresh"),
    ] {
        let output = registrator(arguments).output().expect("run wharf registrator");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains(TOKEN));
    }
}
