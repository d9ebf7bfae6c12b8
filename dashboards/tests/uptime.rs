//! The past for scripts, badges, public pages, maintenance and imports, over a real catalog and monitor.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, OutcomeSender, Status, Timestamp,
    store::Memory,
};
use wharf_dashboards::{Config, Sources, StatusPage, router};
use wharf_monitor::{History, Monitor, ServiceState, Storage};

const NOW: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;
const HOSTILE: &str = "<script>alert(1)</script>";

struct Site {
    router: Router,
    catalog: Catalog,
    history: History,
    _outcomes: OutcomeSender,
    _stop: DropGuard,
}

impl Site {
    async fn open() -> Self {
        let clock = Clock::fixed(Timestamp(NOW));
        let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
        let (sender, outcomes) = mpsc::channel(16);
        let config = wharf_monitor::Config::default();
        let (monitor, history) =
            Monitor::open(config, Storage::Memory, catalog.clone(), clock.clone(), outcomes).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(monitor.run(stop.clone()));
        let page = StatusPage { tag: "public".into(), title: String::new(), names: Default::default() };
        let config = Config { import: true, status_pages: vec![page], ..Config::default() };
        let sources = Sources {
            catalog: catalog.clone(),
            history: history.clone(),
            proxy: None,
            pager: None,
            clock,
            config,
        };
        let router = router(sources, stop.clone());
        catalog.commit(vec![Command::PutNode(Node::new("n", "10.1.2.3"))]).await.unwrap();
        Self { router, catalog, history, _outcomes: sender, _stop: stop.drop_guard() }
    }

    /// A service with a passing check that prints what nobody outside may see.
    async fn add(&self, service: &str) {
        let mut instance = Instance::new("n", service, service);
        instance.tags = vec!["public".to_owned()];
        let check = Check {
            instance: Some(service.into()),
            status: Status::Passing,
            output: "secret output".to_owned(),
            ..Check::new("n", format!("c-{service}"), "c")
        };
        let put = vec![Command::PutInstance(instance), Command::PutCheck(check, CheckStatusOnPut::Set)];
        self.catalog.commit(put).await.unwrap();
        self.until(service, ServiceState::Up).await;
    }

    /// Its check fails, and the outage is written down.
    async fn fail(&self, service: &str) {
        let check = Check {
            instance: Some(service.into()),
            status: Status::Critical,
            ..Check::new("n", format!("c-{service}"), "c")
        };
        self.catalog.commit(vec![Command::PutCheck(check, CheckStatusOnPut::Set)]).await.unwrap();
        let mut changes = self.history.changes();
        let wait = async {
            while self.history.incidents(10).await.unwrap().iter().all(|one| one.service != service) {
                changes.changed().await.unwrap();
            }
        };
        timeout(Duration::from_secs(60), wait).await.expect("the outage in time");
    }

    async fn until(&self, service: &str, state: ServiceState) {
        let mut changes = self.history.changes();
        let wait = async {
            loop {
                changes.mark_unchanged();
                let current = self.history.current(vec![service.to_owned()]).await.unwrap();
                if current.iter().any(|(_, now, _)| *now == state) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(Duration::from_secs(60), wait).await.expect("the state in time");
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> String {
        let (status, _, body) = self.ask("GET", path, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }
}

fn past(service: &str) -> Value {
    let day = 24 * HOUR;
    let tests: Vec<_> =
        (0..96).map(|n| json!([NOW - day + n * HOUR / 4, n % 4 != 0, 10.0 + n as f64])).collect();
    json!({
        "service": service, "label": "demo",
        "intervals": [
            { "from": NOW - 2 * day, "to": NOW - 6 * HOUR, "state": "up" },
            { "from": NOW - 6 * HOUR, "to": NOW - 3 * HOUR, "state": "down", "reason": "=1+1" },
            { "from": NOW - 3 * HOUR, "to": NOW, "state": "up" },
        ],
        "tests": tests,
    })
}

#[tokio::test]
async fn an_imported_past_is_told_by_the_hour_as_json_and_csv_and_stays_marked() {
    let site = Site::open().await;
    site.add("web").await;
    let (status, _, told) = site.ask("POST", "/wharf/v1/uptime/import", Some(past("web"))).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(
        serde_json::from_str::<Value>(&told).unwrap(),
        json!({ "intervals": 3, "tests": 96, "until": NOW })
    );

    let answer = site.json("/wharf/v1/uptime/web?from=24h&per=hour").await;
    let web = &answer["services"][0];
    assert_eq!(web["total"]["availability"], json!(21.0 / 24.0));
    assert_eq!((&web["total"]["tests"], &web["total"]["outages"]), (&json!(96), &json!(1)));
    assert_eq!(web["total"]["downtime_ms"], json!(3 * HOUR));
    assert_eq!(web["periods"].as_array().unwrap().len(), 24);
    assert_eq!(
        (&web["imported"][0]["label"], &web["intervals"][0]["imported"]),
        (&json!("demo"), &json!(true))
    );

    let csv = site.get("/wharf/v1/uptime?from=24h&per=day&format=csv").await;
    assert!(csv.starts_with("service,from,to,availability") && csv.contains("\r\nweb,"), "{csv}");
    let states = site.get("/wharf/v1/uptime/web?from=24h&format=csv&what=intervals").await;
    assert!(states.contains(",down,'=1+1,true"), "a reason is never a formula: {states}");
    assert!(site.get("/wharf/v1/outages?format=csv").await.starts_with("id,service,state"));
}

#[tokio::test]
async fn single_tests_are_told_as_an_import_takes_them() {
    let site = Site::open().await;
    for service in ["import", "elsewhere"] {
        site.add(service).await;
    }
    site.ask("POST", "/wharf/v1/uptime/import", Some(past("import"))).await;
    // In memory, single tests are kept for two hours.
    let answer = site.json("/wharf/v1/uptime/import?from=48h&what=tests").await;
    let last = past("")["tests"].as_array().unwrap()[88..].to_vec();
    assert_eq!(answer["tests"], Value::Array(last), "a service may be called so");
    let again = json!({ "service": "elsewhere", "label": "copy", "intervals": past("")["intervals"], "tests": answer["tests"] });
    let (status, _, told) = site.ask("POST", "/wharf/v1/uptime/import", Some(again)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert!(told.contains("\"tests\":8"), "{told}");
    let csv = site.get("/wharf/v1/uptime?service=import&from=48h&what=tests&format=csv").await;
    assert!(csv.starts_with("service,at,up,response_time_ms\r\nimport,"), "{csv}");
    assert_eq!(csv.lines().count(), 9);
    let (status, _, told) = site.ask("GET", "/wharf/v1/uptime?what=tests", None).await;
    assert!(status == StatusCode::BAD_REQUEST && told.contains("`service`"), "{told}");
    assert_eq!(site.ask("GET", "/wharf/v1/uptime/nope?what=tests", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn outages_are_those_that_were_asked_for() {
    let site = Site::open().await;
    site.add("web").await;
    site.fail("web").await;
    let count = async |query: &str| {
        site.json(&format!("/wharf/v1/outages{query}")).await["outages"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 1);
    assert_eq!(count("?service=web&from=1h").await, 1);
    for none in ["?service=api", "?tag=nobody", "?from=3h&to=2h"] {
        assert_eq!(count(none).await, 0, "{none}");
    }
}

#[tokio::test]
async fn questions_that_make_no_sense_are_told_so() {
    let site = Site::open().await;
    for (path, status) in [
        ("/wharf/v1/uptime?per=week", StatusCode::BAD_REQUEST),
        ("/wharf/v1/uptime?from=1000d&per=hour", StatusCode::BAD_REQUEST),
        ("/wharf/v1/uptime/nope", StatusCode::NOT_FOUND),
        ("/status/private", StatusCode::NOT_FOUND),
        ("/wharf/v1/badge/nope/other.svg", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(site.ask("GET", path, None).await.0, status, "{path}");
    }
    let request = Request::post("/wharf/v1/uptime/import").header("content-type", "text/plain");
    let response = site.router.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "what any page may send");
}

#[tokio::test]
async fn the_public_page_says_how_it_is_and_nothing_of_how_it_is_made() {
    let site = Site::open().await;
    site.add(HOSTILE).await;
    site.ask("POST", "/wharf/v1/uptime/import", Some(past(HOSTILE))).await;
    let announcement = json!({ "title": "Saturday", "text": "Expect <b>interruptions</b>." });
    assert_eq!(site.ask("PUT", "/wharf/v1/announcements/a", Some(announcement)).await.0, StatusCode::OK);
    let (status, headers, page) = site.ask("GET", "/status/public", None).await;
    assert_eq!((status, &headers["cache-control"]), (StatusCode::OK, &"public, max-age=15".parse().unwrap()));
    assert!(page.contains("All services are up") && page.contains("Saturday"), "{page}");
    for inside in ["10.1.2.3", "secret output", "=1+1", "<b>", HOSTILE, "c-"] {
        assert!(!page.contains(inside), "`{inside}` is nobody's business: {page}");
    }
    assert!(page.contains("for 3 hours"), "the outage is told: {page}");
    let delete = site.ask("DELETE", "/wharf/v1/announcements/a", None).await;
    assert_eq!(delete.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn badges_are_images_of_the_state_and_hostile_names_stay_text() {
    let site = Site::open().await;
    site.add("web").await;
    site.ask("POST", "/wharf/v1/uptime/import", Some(past("web"))).await;
    let (_, headers, state) = site.ask("GET", "/wharf/v1/badge/web/state.svg", None).await;
    assert_eq!(headers["content-type"], "image/svg+xml; charset=utf-8");
    assert!(state.contains("web: up"), "{state}");
    assert!(site.get("/wharf/v1/badge/web/availability.svg?window=24h").await.contains("87.5%"));
    assert!(site.get("/wharf/v1/badge/web/response.svg").await.contains(" ms"));
    let (status, _, unknown) = site.ask("GET", "/wharf/v1/badge/%3Cscript%3E/state.svg", None).await;
    assert_eq!((status, unknown.contains("<script")), (StatusCode::NOT_FOUND, false));
}

#[tokio::test]
async fn a_pause_over_the_api_pauses_until_it_is_removed() {
    let site = Site::open().await;
    site.add("web").await;
    let pause = json!({ "name": "new disk", "services": ["web"] });
    let (status, _, told) = site.ask("PUT", "/wharf/v1/maintenance/p", Some(pause)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    site.until("web", ServiceState::Paused).await;
    let shown = site.json("/wharf/v1/maintenance").await;
    let pause = &shown["maintenance"]["p"];
    assert_eq!((&pause["name"], &pause["active"]), (&json!("new disk"), &json!(true)));
    let wrong = json!({ "every": ["someday"], "at": "01:00", "length": "1h" });
    assert_eq!(site.ask("PUT", "/wharf/v1/maintenance/w", Some(wrong)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(site.ask("DELETE", "/wharf/v1/maintenance/p", None).await.0, StatusCode::NO_CONTENT);
    site.until("web", ServiceState::Up).await;
}
