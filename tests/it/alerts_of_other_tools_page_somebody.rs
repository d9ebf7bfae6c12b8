//! Prometheus, Alertmanager and amtool, pointed at wharf with nothing changed but the address; and the bodies that the
//! documentation of PagerDuty, VictorOps and Opsgenie shows.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{Router, extract::State, routing::get};
use serde_json::{Value, json};

use crate::harness::{
    Wharf,
    clients::{Background, program, run},
    containers::copy_with_libraries,
    eventually, free_address,
    phone::Phone,
    until,
};

/// A wharf that pages Dana, and Dana's phone.
async fn of_dana() -> (Wharf, Phone, tempfile::TempDir) {
    let (phone, folder) = (Phone::start().await, tempfile::tempdir().unwrap());
    let file = phone.configuration(folder.path()).display().to_string();
    let flags = ["--docker-host", "unix:///nonexistent/docker.sock", "--oncall-file", &file];
    (Wharf::start(&flags), phone, folder)
}

fn rang_for(phone: &Phone, text: &str) -> bool {
    phone.pages().iter().any(|page| page.whose == "dana" && page.body.to_string().contains(text))
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A command for Debian's Alertmanager, and where it sees what is in `root`. It looks for its templates in one place only:
/// unpacked rather than installed, it is given a root directory in which they are there.
fn installed_or_in(root: &Path, program: &Path) -> (Command, PathBuf) {
    let templates = "usr/share/prometheus/alertmanager";
    let unpacked =
        program.ancestors().nth(3).map(|unpacked| unpacked.join(templates)).filter(|path| path.is_dir());
    let Some(unpacked) = unpacked.filter(|_| !Path::new("/").join(templates).is_dir()) else {
        return (Command::new(program), root.to_owned());
    };
    fs::create_dir_all(root.join(templates)).unwrap();
    let files = fs::read_dir(unpacked).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|end| end == "tmpl")) {
        fs::copy(&file, root.join(templates).join(file.file_name().unwrap())).unwrap();
    }
    copy_with_libraries(program, root, "alertmanager");
    let mut command = Command::new("unshare");
    // Root may change the root directory as it is; everybody else within a namespace of their own.
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.arg(format!("--root={}", root.display())).arg("/alertmanager");
    (command, PathBuf::new())
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// The state of the one incident whose title has the text.
async fn state_of(wharf: &Wharf, text: &str) -> String {
    let list = wharf.json(&format!("/wharf/v1/incidents?state=all&text={text}")).await;
    let incidents = list["incidents"].as_array().unwrap();
    assert!(incidents.len() < 2, "{list:#}");
    incidents.first().map_or_else(String::new, |row| row["state"].as_str().unwrap().to_owned())
}

async fn becomes(wharf: &Wharf, text: &str, state: &str) {
    until(state, async || state_of(wharf, text).await, |now| now == state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn amtool_adds_alerts_and_silences_them_for_a_while() {
    let Some(amtool) = program("amtool") else { return };
    let (wharf, phone, folder) = of_dana().await;
    let address = format!("--alertmanager.url=http://{}", wharf.http);
    let amtool = |arguments: &[&str]| {
        let mut command = Command::new(&amtool);
        command.env("HOME", folder.path()).env_remove("XDG_CONFIG_HOME").arg(&address).args(arguments);
        run(&mut command).unwrap_or_else(|said| panic!("amtool {arguments:?}: {said}"))
    };
    amtool(&["alert", "add", "alertname=Disk", "host=db1", "--annotation=summary=disk is full"]);
    amtool(&["alert", "add", "alertname=Load", "host=db2"]);
    becomes(&wharf, "disk", "triggered").await;
    eventually("Dana is paged", async || rang_for(&phone, "disk is full")).await;
    let all = amtool(&["alert", "query"]);
    assert!(all.contains("Disk") && all.contains("Load") && all.contains("disk is full"), "{all}");
    let found = amtool(&["alert", "query", "host=~db1|db7"]);
    assert!(found.contains("Disk") && !found.contains("Load"), "{found}");

    let id = amtool(&[
        "silence",
        "add",
        "alertname=Disk",
        "--duration=1h",
        "--author=dana",
        "--comment=being moved",
    ]);
    let listed = amtool(&["silence", "query", "alertname=Disk"]);
    assert!(listed.contains(id.trim()) && listed.contains("being moved"), "{listed}");
    let loud = amtool(&["alert", "query"]);
    assert!(loud.contains("Load") && !loud.contains("Disk"), "{loud}");
    assert!(amtool(&["alert", "query", "--silenced"]).contains("Disk"));
    let held = wharf.json("/wharf/v1/incidents?text=disk").await;
    assert!(held["incidents"][0]["held"].as_str().unwrap().contains("dana"), "{held:#}");

    amtool(&["silence", "expire", id.trim()]);
    assert!(!amtool(&["silence", "query"]).contains(id.trim()));
    assert!(amtool(&["alert", "query"]).contains("Disk"));
    assert!(amtool(&["config", "routes", "show"]).contains("default"));
    // An end that lies in the past resolves.
    amtool(&[
        "alert",
        "add",
        "alertname=Disk",
        "host=db1",
        "--end=2026-01-01T00:00:00Z",
        "--start=2025-01-01T00:00:00Z",
    ]);
    becomes(&wharf, "disk", "resolved").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_sends_to_wharf_as_to_an_alertmanager() {
    let Some(prometheus) = program("prometheus") else { return };
    let (wharf, phone, folder) = of_dana().await;
    let broken = Arc::new(AtomicBool::new(true));
    let metrics = |State(broken): State<Arc<AtomicBool>>| async move {
        format!("queue_is_stuck {}\n", u8::from(broken.load(Ordering::Relaxed)))
    };
    let target = serve(Router::new().route("/metrics", get(metrics)).with_state(broken.clone())).await;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!(
        "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }}\n\
         rule_files: ['{}']\nalerting:\n  alertmanagers:\n  - static_configs: [{{ targets: ['{}'] }}]\n\
         scrape_configs:\n- job_name: queue\n  static_configs: [{{ targets: ['{target}'] }}]\n",
        at("rules.yml"),
        wharf.http
    );
    let rules = "groups:\n- name: queue\n  rules:\n  - alert: QueueStuck\n    expr: queue_is_stuck == 1\n    \
                 labels: { severity: critical }\n    annotations: { summary: the queue is stuck }\n";
    fs::write(at("prometheus.yml"), settings).unwrap();
    fs::write(at("rules.yml"), rules).unwrap();
    let _prometheus = Background::start(
        Command::new(prometheus)
            .arg(format!("--config.file={}", at("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", at("data")))
            .arg(format!("--web.listen-address={}", free_address())),
        &folder.path().join("said"),
    );
    becomes(&wharf, "queue", "triggered").await;
    eventually("Dana is paged", async || rang_for(&phone, "the queue is stuck")).await;
    let incident = wharf.json("/wharf/v1/incidents").await["incidents"][0].clone();
    assert_eq!((&incident["source"], &incident["severity"]), (&json!("prometheus"), &json!("CRITICAL")));
    assert_eq!(incident["fields"]["job"], "queue");
    broken.store(false, Ordering::Relaxed);
    becomes(&wharf, "queue", "resolved").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanager_passes_its_alerts_on_to_wharf() {
    let Some(alertmanager) = program("prometheus-alertmanager").or_else(|| program("alertmanager")) else {
        return;
    };
    let (wharf, phone, folder) = of_dana().await;
    let settings = format!(
        "route: {{ receiver: wharf, group_by: [alertname], group_wait: 0s, group_interval: 1s }}\n\
         receivers:\n- name: wharf\n  webhook_configs:\n  - url: http://{}/wharf/v1/inbound/alertmanager\n",
        wharf.http
    );
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("alertmanager.yml"), settings).unwrap();
    let listen = free_address();
    let (mut command, root) = installed_or_in(&root, &alertmanager);
    command
        .arg(format!("--config.file={}/alertmanager.yml", root.display()))
        .arg(format!("--storage.path={}/data", root.display()))
        .arg(format!("--web.listen-address={listen}"))
        .arg("--cluster.listen-address=");
    let _alertmanager = Background::start(&mut command, &folder.path().join("said"));
    let tell = async |ends: Option<&str>| {
        let mut alert = json!({ "labels": { "alertname": "CertificateExpires", "host": "www" },
            "annotations": { "summary": "certificate ends soon" } });
        if let Some(ends) = ends {
            alert["startsAt"] = json!("2025-01-01T00:00:00Z");
            alert["endsAt"] = json!(ends);
        }
        let request = wharf.client.post(format!("http://{listen}/api/v2/alerts")).json(&json!([alert]));
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    };
    eventually("the Alertmanager takes an alert", async || tell(None).await).await;
    becomes(&wharf, "certificate", "triggered").await;
    eventually("Dana is paged", async || rang_for(&phone, "certificate ends soon")).await;
    assert!(tell(Some("2026-01-01T00:00:00Z")).await);
    becomes(&wharf, "certificate", "resolved").await;
}

/// Each service's own words, opened and closed; the examples are those of their documentation.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_pagerduty_victorops_and_opsgenie_are_taken_as_they_are_documented() {
    let (wharf, phone, _folder) = of_dana().await;
    let send = async |path: &str, body: Value, status: u16| {
        let answer = wharf.client.post(wharf.api(path)).json(&body).send().await.unwrap();
        let (told, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(told, status, "{path}: {text}");
    };
    let pagerduty = |action: &str| {
        json!({
            "payload": {
                "summary": "DISK at 99% on machine prod-datapipe03.example.com",
                "timestamp": "2015-07-17T08:42:58.315+0000",
                "severity": "critical",
                "source": "prod-datapipe03.example.com",
                "component": "mysql",
                "group": "prod-datapipe",
                "class": "disk",
                "custom_details": { "free space": "1%", "ping time": "1500ms", "load avg": 0.75 }
            },
            "routing_key": "samplekeyhere",
            "dedup_key": "samplekeyhere",
            "images": [{ "src": "https://www.pagerduty.com/wp-content/uploads/2016/05/pagerduty-logo-green.png",
                "href": "https://example.com/", "alt": "Example text" }],
            "links": [{ "href": "https://example.com/", "text": "Link text" }],
            "event_action": action,
            "client": "Sample Monitoring Service",
            "client_url": "https://monitoring.example.com"
        })
    };
    send("/v2/enqueue", pagerduty("trigger"), 202).await;
    becomes(&wharf, "prod-datapipe03", "triggered").await;
    send("/v2/enqueue", pagerduty("resolve"), 202).await;
    becomes(&wharf, "prod-datapipe03", "resolved").await;

    let victorops = "/integrations/generic/20131114/alert/api-key/routing-key";
    let body = |kind: &str| {
        json!({ "entity_id": "disk space/db01.mycompany.com", "message_type": kind,
            "state_message": "CRITICAL: volume on db01 is 95% full", "monitoring_tool": "nagios",
            "entity_display_name": "Critically low disk space on DB01", "state_start_time": 1_400_000_000 })
    };
    send(victorops, body("CRITICAL"), 200).await;
    becomes(&wharf, "DB01", "triggered").await;
    send(victorops, body("RECOVERY"), 200).await;
    becomes(&wharf, "DB01", "resolved").await;

    let opsgenie = json!({
        "message": "An example alert message",
        "alias": "Life is too short for no alias",
        "description": "Every alert needs a description",
        "responders": [{ "id": "4513b7ea-3b91-438f-b7e4-e3e54af9147c", "type": "team" }, { "name": "NOC", "type": "team" }],
        "visibleTo": [{ "name": "rocket_team", "type": "team" }],
        "actions": ["Restart", "AnExampleAction"],
        "tags": ["OverwriteQuietHours", "Critical"],
        "details": { "key1": "value1", "key2": "value2" },
        "entity": "An example entity",
        "priority": "P1"
    });
    send("/v2/alerts", opsgenie, 202).await;
    becomes(&wharf, "example alert", "triggered").await;
    let close = json!({ "user": "Monitoring Script", "source": "AWS Lambda", "note": "Action executed via Alert API" });
    send("/v2/alerts/Life%20is%20too%20short%20for%20no%20alias/close?identifierType=alias", close, 202)
        .await;
    becomes(&wharf, "example alert", "resolved").await;
    for text in ["prod-datapipe03", "DB01", "example alert"] {
        eventually("Dana was paged", async || rang_for(&phone, text)).await;
    }
}
