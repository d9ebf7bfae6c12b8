//! Programs and libraries made for Consul, as people have them, with nothing changed but the address.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};

use crate::harness::{
    Wharf,
    clients::{Background, consul, content, node_modules_with, program, python_with, run, text},
    eventually, until,
};

#[test]
fn py_consul_finds_what_its_documentation_promises() {
    let Some(python) = python_with("py-consul==1.8.0") else { return };
    content(Command::new(python), "py_consul.py", &Wharf::without_docker());
}

#[test]
fn node_consul_finds_what_its_documentation_promises() {
    let (Some(node), Some(modules)) = (program("node"), node_modules_with("consul@2.0.1")) else { return };
    let mut node = Command::new(node);
    node.env("NODE_PATH", modules);
    content(node, "node_consul.js", &Wharf::without_docker());
}

/// Addresses of what vmagent scrapes now.
async fn targets(wharf: &Wharf, vmagent: SocketAddr) -> Vec<String> {
    let Ok(answer) = wharf.client.get(format!("http://{vmagent}/api/v1/targets")).send().await else {
        return vec!["vmagent does not listen yet".to_owned()];
    };
    let answer: Value = answer.json().await.unwrap_or_default();
    let active = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
    let told = |target: &Value| {
        let (labels, found) = (&target["labels"], &target["discoveredLabels"]);
        format!("{} {} {}", labels["service"], found["__address__"], found["__meta_consul_dc"])
            .replace('"', "")
    };
    let mut told: Vec<_> = active.iter().map(told).collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn vmagent_scrapes_what_comes_and_forgets_what_goes() {
    let Some(vmagent) = program("vmagent") else { return };
    let (wharf, folder) = (Wharf::without_docker(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!(
        "scrape_configs:\n- job_name: fleet\n  scrape_interval: 1h\n  consul_sd_configs:\n  - server: {}\n    tags: [metrics]\n  \
         relabel_configs:\n  - source_labels: [__meta_consul_service]\n    target_label: service\n",
        wharf.http
    );
    fs::write(at("settings.yml"), settings).unwrap();
    let listen = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    let _vmagent = Background::start(
        Command::new(vmagent)
            .arg(format!("-httpListenAddr={listen}"))
            .arg(format!("-promscrape.config={}", at("settings.yml")))
            .arg(format!("-remoteWrite.tmpDataPath={}", at("data")))
            .args(["-remoteWrite.url=http://127.0.0.1:1/", "-promscrape.consulSDCheckInterval=100ms"]),
        &folder.path().join("said"),
    );
    let scrapes = async |wanted: &[&str]| {
        until("vmagent's targets", async || targets(&wharf, listen).await, |now| now == wanted).await;
    };
    let add = async |id: &str, port: u16, tags: &[&str]| {
        let body = json!({"Name": "web", "ID": id, "Address": "127.0.0.1", "Port": port, "Tags": tags});
        assert_eq!(wharf.put("/v1/agent/service/register", &body).await.0, 200);
    };
    scrapes(&[]).await;
    add("web-1", 1, &["metrics"]).await;
    scrapes(&["web 127.0.0.1:1 dc1"]).await;
    // The one without the tag comes first, so that it had its chance to be seen with the other.
    add("web-2", 2, &["quiet"]).await;
    add("web-3", 3, &["metrics", "v2"]).await;
    scrapes(&["web 127.0.0.1:1 dc1", "web 127.0.0.1:3 dc1"]).await;
    for (id, left) in [("web-1", &["web 127.0.0.1:3 dc1"][..]), ("web-3", &[])] {
        assert_eq!(wharf.put(&format!("/v1/agent/service/deregister/{id}"), &json!({})).await.0, 200);
        scrapes(left).await;
    }
}

/// The `consul` command line, told where wharf is.
struct Consul {
    program: PathBuf,
    address: String,
    folder: tempfile::TempDir,
}

impl Consul {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let consuls = std::env::vars_os().map(|(name, _)| name);
        for name in consuls.filter(|name| name.to_string_lossy().starts_with("CONSUL_")) {
            command.env_remove(name);
        }
        command.env("CONSUL_HTTP_ADDR", &self.address).current_dir(self.folder.path()).args(arguments);
        command
    }

    fn run(&self, line: &str) -> Result<String, String> {
        run(&mut self.command(&line.split(' ').collect::<Vec<_>>()))
    }

    fn ok(&self, line: &str) -> String {
        self.run(line).unwrap_or_else(|said| panic!("consul {line}: {said}"))
    }

    fn says(&self, line: &str, part: &str) {
        let said = self.ok(line);
        assert!(said.contains(part), "consul {line}: {said}");
    }

    /// Starts a command; what it says goes to a file.
    fn start(&self, arguments: &[&str]) -> (Background, PathBuf) {
        let said = self.folder.path().join(format!("{}.said", arguments[0]));
        (Background::start(&mut self.command(arguments), &said), said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_consul_command_line_works_on_this_catalog() {
    let Some(program) = consul() else { return };
    let wharf = Wharf::without_docker();
    let folder = tempfile::tempdir().unwrap();
    let consul = Consul { program, address: wharf.http.to_string(), folder };
    let at = |name: &str| consul.folder.path().join(name);

    consul.says("members", "alive");
    consul.says("operator raft list-peers", "leader");
    consul.says("catalog datacenters", "dc1");
    consul.ok("services register -name=web -port=8080 -tag=v1");
    consul.says("catalog services -tags", "v1");
    consul.says("catalog nodes -service=web", "127.0.0.1");
    consul.ok("maint -enable -service=web -reason=upgrade");
    consul.says("maint", "upgrade");
    assert_eq!(wharf.passing("web").await, 0);
    consul.ok("maint -disable -service=web");
    consul.ok("services deregister -id=web");
    assert!(!consul.ok("catalog services").contains("web"));

    consul.says("kv put app/a one", "Success");
    assert_eq!(consul.ok("kv get app/a"), "one\n");
    assert!(consul.run("kv put -cas -modify-index=1 app/a two").is_err());
    assert_eq!(consul.ok("kv get -keys app/"), "app/a\n");
    consul.says("kv export app/", "b25l");

    // A watch tells what is there, then what it changed to.
    let (_watch, said) = consul.start(&["watch", "-type=key", "-key=app/a", "cat"]);
    eventually("the watch tells the value", async || text(&said).contains("b25l")).await;
    consul.ok("kv put app/a three");
    eventually("the watch tells the change", async || text(&said).contains("dGhyZWU=")).await;
    consul.says("event -name=deploy v3", "Event ID");
    consul.says("watch -type=event -name=deploy", "djM=");

    // While one holds a lock, another goes without; then it is free again.
    let waits = "touch held; for i in $(seq 1 1200); do [ -e gate ] && exit 0; sleep 0.05; done; exit 1";
    let (mut holder, words) = consul.start(&["lock", "locks/one", waits]);
    eventually("the lock is held", async || at("held").exists()).await;
    assert!(consul.run("lock -try=100ms locks/one true").is_err());
    fs::write(at("gate"), "").unwrap();
    holder.succeeds(&words).await;
    consul.ok("lock -try=10s locks/one true");

    consul.says("snapshot save state.snap", "Saved and verified snapshot");
    consul.says("snapshot inspect state.snap", "Index");
    consul.ok("kv delete -recurse app/");
    assert!(consul.run("kv get app/a").is_err());
    consul.says("snapshot restore state.snap", "Restored snapshot");
    assert_eq!(consul.ok("kv get app/a"), "three\n");
}
