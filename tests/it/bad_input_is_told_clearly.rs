//! Bad input gets one clear line that names the thing and the remedy; nothing panics, nothing is lost.

use serde_json::json;

use crate::harness::{Containers, Engine, Wharf, unique, until, wharf::run};

#[test]
fn an_unknown_key_in_the_settings_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wharf.toml");
    std::fs::write(&path, "http_addr = \"127.0.0.1:0\"\nprxy_addr = \"127.0.0.1:0\"\n").unwrap();
    let (code, _, stderr) = run(&["dev", "--config", &path.display().to_string()]);
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(
        stderr.contains("line 2") && stderr.contains("`prxy_addr`") && stderr.contains("`proxy_addr`"),
        "{stderr}"
    );
}

#[test]
fn a_missing_settings_file_is_named() {
    let (code, _, stderr) = run(&["dev", "--config", "/nonexistent/wharf.toml"]);
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains("/nonexistent/wharf.toml"), "{stderr}");
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    let (code, _, stderr) = run(&["dev", "--http-addr", free, "--dns-addr", free, "--proxy-addr", &address]);
    assert_eq!((code, stderr.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains(&address) && stderr.contains("--proxy-addr"), "{stderr}");
}

#[tokio::test]
async fn a_malformed_registration_changes_nothing_and_says_what_is_wrong() {
    let wharf = Wharf::without_docker();
    let index = wharf.json("/v1/catalog/services").await;
    let raw = async |body: &str| {
        let put = wharf.client.put(wharf.api("/v1/agent/service/register")).body(body.to_owned());
        let answer = put.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let deep = "[".repeat(100_000);
    let bad = [
        "{\"Name\": ",
        "[]",
        "\u{0}",
        "{\"Name\": \"x\", \"Port\": \"eighty\"}",
        "{\"Name\": \"x\", \"Prot\": 1}",
        &deep,
    ];
    for body in bad {
        let (status, text) = raw(body).await;
        assert_eq!(status, 400, "{body:.40}: {text}");
        assert!(!text.trim().is_empty() && text.len() < 2_000, "{body:.40}: {text}");
    }
    assert_eq!(wharf.json("/v1/catalog/services").await, index);
    let (status, _) = wharf.put("/v1/agent/service/register", &json!({"Name": "fine"})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn an_absurd_label_is_told_once_and_the_container_works_all_the_same() {
    let engine = Engine::of_this_machine();
    let wharf = Wharf::start(&["--docker-host", &engine.host()]);
    let (containers, service) = (Containers::on(&engine), unique("absurd"));
    let labels = ["SERVICE_80_CHECK_INTERVAL=soon", "SERVICE_99999_NAME=nowhere", "SERVICE_80_CHECK_HTTP=/"];
    let name = containers.run(&service, &labels, &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let told = wharf.logged("CHECK_INTERVAL");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains(&name) && told[0].contains("soon"), "{told:#?}");
    assert!(wharf.logged("panicked").is_empty());
}
