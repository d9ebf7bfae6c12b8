//! The status page, as somebody outside sees it: what is up, what is down, nothing about how it is made.

use serde_json::json;

use crate::harness::{Wharf, browser::Browser, eventually, unique, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_sees_what_is_up_and_what_is_down_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("wharf.toml");
    let page = "[[pages.status_pages]]\ntag = \"public\"\ntitle = \"Acme status\"\n";
    std::fs::write(&settings, page).unwrap();
    let flags = ["--docker-host", "unix:///nonexistent/docker.sock", "--config"];
    let wharf = Wharf::start(&[&flags[..], &[&settings.display().to_string()]].concat());
    let (shop, hidden) = (unique("shop"), unique("hidden"));
    for (name, tag) in [(&shop, "public"), (&hidden, "internal")] {
        let check = json!({ "TTL": "10m", "Status": "passing" });
        let service = json!({ "Name": name, "Tags": [tag], "Port": 8000, "Check": check });
        assert_eq!(wharf.put("/v1/agent/service/register", &service).await.0, 200);
    }
    // One rendering is kept for a while: it is first asked for when the monitor has seen the shop.
    let about = format!("/ui/api/services/{shop}");
    let up = async || wharf.json(&about).await["row"]["state"] == "up";
    eventually("the monitor has seen it", up).await;

    let browser = Browser::open(360).await;
    let seen = async || {
        // Browsers may keep it for a while, too: each look is a first one.
        browser.go(&wharf.api(&format!("/status/public?{}", unique("look")))).await;
        let text = browser.script("return document.title + document.body.innerText", &[]).await;
        text.as_str().unwrap_or_default().to_lowercase()
    };
    let text = until("the shop is up", seen, |text| text.contains(&shop) && !text.contains("down")).await;
    assert!(text.contains("acme status"), "{text}");
    let failing = json!({ "Status": "critical", "Output": "dial tcp 127.0.0.1:8000: connection refused" });
    let (status, told) = wharf.put(&format!("/v1/agent/check/update/service:{shop}"), &failing).await;
    assert_eq!(status, 200, "{told}");
    let text = until("the shop is down", seen, |text| text.contains("down")).await;
    assert!(text.contains(&shop) && !text.contains(&hidden), "{text}");
    assert!(!text.contains("127.0.0.1") && !text.contains("refused"), "no addresses, no reasons: {text}");
    let scripts = browser.script("return document.scripts.length", &[]).await;
    assert_eq!(scripts, serde_json::Value::from(0));
    let wider = browser.script("return document.documentElement.scrollWidth > window.innerWidth", &[]).await;
    assert_eq!(wider, serde_json::Value::Bool(false), "wider than a phone");
}
