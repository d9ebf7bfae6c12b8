//! The router as a browser sees it: files, policy, JSON and the live stream, over a real catalog and monitor.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, BodyDataStream},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::StreamExt;
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store::Memory};
use wharf_dashboards::{Config, Sources, router};
use wharf_monitor::{Monitor, Storage};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const PATIENCE: Duration = Duration::from_secs(60);

struct Pages {
    router: Router,
    catalog: Catalog,
    shutdown: CancellationToken,
}

impl Pages {
    async fn open() -> Self {
        let clock = Clock::fixed(NOW);
        let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
        let (_outcomes, outcomes) = mpsc::channel(16);
        let (monitor, history) = Monitor::open(
            wharf_monitor::Config::default(),
            Storage::Memory,
            catalog.clone(),
            clock.clone(),
            outcomes,
        )
        .unwrap();
        let shutdown = CancellationToken::new();
        tokio::spawn(monitor.run(shutdown.clone()));
        let sources = Sources {
            catalog: catalog.clone(),
            history,
            proxy: None,
            pager: None,
            clock,
            config: Config::default(),
        };
        let pages = Self { router: router(sources, shutdown.clone()), catalog, shutdown };
        let node = Command::PutNode(Node::new("pier-1", "10.0.0.1"));
        pages.catalog.commit(vec![node]).await.unwrap();
        pages
    }

    async fn add(&self, service: &str) {
        let instance = Instance::new("pier-1", format!("{service}-1"), service);
        self.catalog.commit(vec![Command::PutInstance(instance)]).await.unwrap();
    }

    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn json(&self, path: &str) -> (StatusCode, Value) {
        let response = self.get(path).await;
        let status = response.status();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json", "{path}");
        (status, serde_json::from_str(&text(response).await).unwrap())
    }

    async fn live(&self, last: Option<&str>) -> Events {
        let mut request = Request::get("/ui/api/live");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = self.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events { body: response.into_body().into_data_stream(), unread: String::new() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

struct Events {
    body: BodyDataStream,
    unread: String,
}

#[derive(Debug)]
struct Event {
    name: String,
    id: String,
    data: Value,
}

impl Event {
    fn speaks_of(&self, service: &str) -> bool {
        let rows = [&self.data["services"], &self.data["changed"]];
        rows.into_iter().filter_map(Value::as_array).flatten().any(|row| row["name"] == service)
    }
}

impl Events {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                    return Some(Event {
                        name,
                        id: field("id: ").unwrap_or_default(),
                        data: serde_json::from_str(&data).unwrap(),
                    });
                }
            }
            let bytes = timeout(PATIENCE, self.body.next()).await.expect("an event in time")?.unwrap();
            self.unread.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Reads on until an event speaks of `service`.
    async fn until(&mut self, service: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.speaks_of(service) {
                return event;
            }
        }
    }
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Every `href="..."` and `src="..."` of the page, and the import map's addresses.
fn references(index: &str) -> BTreeSet<String> {
    let base = index.split_once("<base href=\"").unwrap().1.split_once('"').unwrap().0;
    let quoted = index.split('"').map(str::to_owned);
    let files = quoted.filter(|text| {
        [".js", ".mjs", ".css", ".svg"].iter().any(|ext| text.ends_with(ext)) && !text.contains(' ')
    });
    files.map(|file| format!("{base}{}", file.trim_start_matches("./"))).collect()
}

/// Relative imports of a script at `path`, resolved.
fn imports(path: &str, script: &str) -> Vec<String> {
    let folder = path.rsplit_once('/').unwrap().0;
    let relative = script.split('"').filter(|text| text.starts_with("./") || text.starts_with("../"));
    relative
        .map(|import| {
            let (mut folder, mut rest) = (folder, import);
            while let Some(up) = rest.strip_prefix("../") {
                (folder, rest) = (folder.rsplit_once('/').unwrap().0, up);
            }
            format!("{folder}/{}", rest.trim_start_matches("./"))
        })
        .collect()
}

#[tokio::test]
async fn everything_the_page_refers_to_is_served_with_its_type_for_ever() {
    let pages = Pages::open().await;
    let index = text(pages.get("/ui/").await).await;
    let mut wanted: Vec<_> = references(&index).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = wanted.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let response = pages.get(&path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let kind = match path.rsplit_once('.').unwrap().1 {
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "text/javascript; charset=utf-8",
        };
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_TYPE], kind, "{path}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "{path}");
        let body = text(response).await;
        if path.contains("/js/") {
            wanted.extend(imports(&path, &body));
        }
    }
    for page in
        ["overview", "services", "service", "incidents", "incident", "oncall", "calendar", "events", "nodes"]
    {
        assert!(seen.iter().any(|path| path.ends_with(&format!("/pages/{page}.js"))), "{page}");
    }
}

/// A script and all it imports, first and foremost or when it comes to it.
async fn closure(pages: &Pages, first: Vec<String>, until: &str) -> BTreeMap<String, usize> {
    let (mut wanted, mut sizes) = (first, BTreeMap::new());
    while let Some(path) = wanted.pop() {
        if sizes.contains_key(&path) || !(path.ends_with(".js") || path.ends_with(".mjs")) {
            continue;
        }
        let request = Request::get(&path).header(header::ACCEPT_ENCODING, "br, gzip;q=0.9");
        let response = pages.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip", "{path}");
        sizes.insert(path.clone(), response.into_body().collect().await.unwrap().to_bytes().len());
        let script = text(pages.get(&path).await).await;
        let here = imports(&path, &script).into_iter();
        wanted.extend(here.filter(|import| !import.contains("/pages/") || import.ends_with(until)));
    }
    sizes
}

#[tokio::test]
async fn no_page_needs_more_than_60_kb_of_scripts() {
    const MOST: usize = 60_000;
    let pages = Pages::open().await;
    let frame = text(pages.get("/ui/nowhere").await).await;
    let (base, mut all) = (references(&frame), BTreeMap::new());
    let scripts = closure(&pages, base.iter().cloned().collect(), "/pages/").await;
    assert!(scripts.keys().all(|path| !path.contains("/pages/")), "the frame waits for no page");
    let app = base.iter().find(|path| path.ends_with("/js/app.js")).unwrap();
    let named = imports(app, &text(pages.get(app).await).await);
    for page in named.iter().filter(|path| path.contains("/pages/")) {
        let scripts = closure(&pages, base.iter().cloned().chain([page.clone()]).collect(), page).await;
        let size: usize = scripts.values().sum();
        assert!(size <= MOST, "{page} needs {size} bytes: {scripts:#?}");
        all.extend(scripts);
    }
    assert!(all.len() > 20, "all pages together: {}", all.len());
    let mut together = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for path in all.keys() {
        together.write_all(text(pages.get(path).await).await.as_bytes()).unwrap();
    }
    let size = together.finish().unwrap().len();
    assert!(size <= MOST, "all scripts together: {size} bytes");
}

#[tokio::test]
async fn a_page_names_all_its_scripts_so_that_none_is_found_late() {
    let pages = Pages::open().await;
    for (path, page) in [
        ("/ui/", "overview"),
        ("/ui/services", "services"),
        ("/ui/services/web", "service"),
        ("/ui/services/web/web-1", "instance"),
        ("/ui/incidents", "incidents"),
        ("/ui/incidents/7", "incident"),
        ("/ui/outages", "outages"),
        ("/ui/events", "events"),
        ("/ui/nodes", "nodes"),
        ("/ui/oncall", "oncall"),
        ("/ui/oncall/calendar", "calendar"),
        ("/ui/oncall/who", "who"),
        ("/ui/oncall/silences", "silences"),
        ("/ui/oncall/deliveries", "deliveries"),
        ("/ui/oncall/setup", "setup"),
    ] {
        let document = text(pages.get(path).await).await;
        let named = references(&document);
        let page = format!("/pages/{page}.js");
        assert!(named.iter().any(|script| script.ends_with(&page)), "{path} names its page");
        for script in named.iter().filter(|name| name.ends_with(".js")) {
            let text = text(pages.get(script).await).await;
            let first: String = text.lines().filter(|line| line.starts_with("import ")).collect();
            let late: Vec<_> =
                imports(script, &first).into_iter().filter(|one| !named.contains(one)).collect();
            assert!(late.is_empty(), "{path}: {script} brings {late:?}");
        }
    }
}

#[tokio::test]
async fn a_page_comes_packed_to_who_takes_that() {
    let pages = Pages::open().await;
    let request = Request::get("/ui/services").header(header::ACCEPT_ENCODING, "gzip");
    let response = pages.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let plain = pages.get("/ui/services").await;
    assert_ne!(response.headers()[header::ETAG], plain.headers()[header::ETAG], "two texts, two tags");
    let packed = response.into_body().collect().await.unwrap().to_bytes();
    let mut document = String::new();
    flate2::read::GzDecoder::new(&*packed).read_to_string(&mut document).unwrap();
    assert_eq!(document, text(plain).await);
}

#[tokio::test]
async fn the_head_that_comes_first_has_the_links_of_the_one_that_follows() {
    let pages = Pages::open().await;
    let index = text(pages.get("/ui/").await).await;
    let script = text(pages.get("/ui/assets/any/js/app.js").await).await;
    let nav = index.split_once("<nav").unwrap().1.split_once("</nav>").unwrap().0;
    let links: Vec<_> = nav.split("<a href=\"").skip(1).collect();
    assert_eq!(links.len(), 6);
    for link in links {
        let (url, label) = link.split_once("\">").unwrap();
        let label = label.split_once("</a>").unwrap().0;
        assert!(script.contains(&format!("\"{url}\", \"{label}\"")), "{url} {label}");
    }
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let pages = Pages::open().await;
    let index = text(pages.get("/ui/").await).await;
    let asset = references(&index).into_iter().next().unwrap();
    for path in ["/ui/", "/ui/services/web", &asset] {
        let etag = pages.get(path).await.headers()[header::ETAG].clone();
        assert!(etag.to_str().unwrap().starts_with('"'), "strong");
        let again = |tags: String| {
            Request::get(path).header(header::IF_NONE_MATCH, tags).body(Body::empty()).unwrap()
        };
        let known = pages.ask(again(format!("\"other\", {}", etag.to_str().unwrap()))).await;
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(known.headers()[header::ETAG], etag);
        assert_eq!(text(known).await, "");
        let other = pages.ask(again("\"other\"".to_owned())).await;
        assert_eq!(other.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_file_asked_for_by_an_older_page_is_served_but_not_kept() {
    let pages = Pages::open().await;
    let response = pages.get("/ui/assets/0000/wharf.css").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
}

#[tokio::test]
async fn only_our_own_files_may_run() {
    let pages = Pages::open().await;
    let response = pages.get("/ui/").await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let index = text(response).await;
    let inline = ["<script>", "<script type=\"importmap\">", "<style>"];
    for (at, start) in inline.into_iter().enumerate() {
        let end = if start.starts_with("<style") { "</style>" } else { "</script>" };
        let [_, rest] = index.split(start).collect::<Vec<_>>()[..] else { panic!("one {start}") };
        let hash = STANDARD.encode(Sha256::digest(rest.split_once(end).unwrap().0));
        assert!(policy.contains(&format!("'sha256-{hash}'")), "{at}: {start} is not named in {policy}");
    }
    let scripts = index.split("<script").skip(1).filter(|script| !script.contains("src="));
    assert_eq!(scripts.count() + index.matches("<style").count(), inline.len(), "nothing else is inline");
    assert!(!index.contains("style="), "no inline style");
}

#[tokio::test]
async fn unknown_pages_files_and_answers_are_404_and_the_front_door_leads_in() {
    let pages = Pages::open().await;
    for path in [
        "/ui/nowhere",
        "/ui/services/",
        "/ui/services/a/",
        "/ui/services/a/b/c",
        "/ui/incidents/seven",
        "/ui/oncall/nowhere",
        "/ui/assets/x/none.js",
        "/ui/assets/x/vendor/VENDOR.md",
    ] {
        assert_eq!(pages.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let again = Request::get("/ui/nowhere").header(header::IF_NONE_MATCH, "*");
    let again = pages.ask(again.body(Body::empty()).unwrap()).await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    assert!(text(again).await.contains("</html>"), "somebody may read it");
    let (status, body) = pages.json("/ui/api/nowhere").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body["error"].is_string());
    for path in ["/", "/ui"] {
        let response = pages.get(path).await;
        assert!(response.status().is_redirection());
        assert_eq!(response.headers()[header::LOCATION], "/ui/");
    }
}

#[tokio::test]
async fn errors_are_json_with_the_status_that_fits() {
    let pages = Pages::open().await;
    let (status, body) = pages.json("/ui/api/services?window=2d").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(body["error"], "unknown window `2d`: use `1h`, `24h`, `7d` or `30d`");
    let (status, body) = pages.json("/ui/api/services/nobody").await;
    assert_eq!((status, body["error"].as_str().unwrap()), (StatusCode::NOT_FOUND, "no service `nobody`"));
    let (status, _) = pages.json("/ui/api/services/%ff").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let post = pages.ask(Request::post("/ui/api/services").body(Body::empty()).unwrap()).await;
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(text(post).await.contains("\"error\""));
}

#[tokio::test]
async fn hostile_names_are_found_by_their_escaped_address_and_come_back_as_they_are() {
    let pages = Pages::open().await;
    let hostile = [
        ("<img src=x onerror=alert(1)>", "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"),
        ("a/b", "a%2Fb"),
        ("\"quo'ted\\\n", "%22quo'ted%5C%0A"),
        ("käse?x=1#y", "k%C3%A4se%3Fx%3D1%23y"),
    ];
    for (name, _) in hostile {
        pages.add(name).await;
    }
    for (name, escaped) in hostile {
        let (status, body) = pages.json(&format!("/ui/api/services/{escaped}?window=1h")).await;
        assert_eq!((status, body["row"]["name"].as_str()), (StatusCode::OK, Some(name)));
        assert_eq!(body["instances"][0]["id"], format!("{name}-1"));
        let page = pages.get(&format!("/ui/services/{escaped}")).await;
        assert_eq!(page.status(), StatusCode::OK, "{name}");
        let instance = pages.get(&format!("/ui/services/{escaped}/{escaped}-1?node=pier-1")).await;
        assert_eq!(instance.status(), StatusCode::OK, "{name}");
        assert!(!text(page).await.contains(name), "the page is the same for every service");
    }
    let (_, body) = pages.json("/ui/api/services").await;
    assert_eq!(body["services"].as_array().unwrap().len(), hostile.len());
}

#[tokio::test]
async fn nodes_and_incidents_are_listed() {
    let pages = Pages::open().await;
    pages.add("web").await;
    let (_, body) = pages.json("/ui/api/nodes").await;
    assert_eq!(body["nodes"][0]["name"], "pier-1");
    assert_eq!(body["nodes"][0]["instances"][0]["service"], "web");
    let (_, body) = pages.json("/ui/api/incidents").await;
    assert_eq!(body["incidents"], serde_json::json!([]));
}

#[tokio::test]
async fn the_stream_begins_with_everything_and_goes_on_with_what_changed() {
    let pages = Pages::open().await;
    pages.add("web").await;
    let mut events = pages.live(None).await;
    let first = events.next().await.unwrap();
    assert_eq!(first.name, "snapshot");
    assert_eq!(first.data["services"][0]["name"], "web");
    assert!(!first.id.is_empty());
    pages.add("api").await;
    let update = events.until("api").await;
    assert_eq!(update.name, "update");
    assert_ne!(update.id, first.id);
}

#[tokio::test]
async fn who_comes_back_where_the_board_still_stands_is_not_sent_it_again() {
    let pages = Pages::open().await;
    pages.add("web").await;
    let mut watching = pages.live(None).await;
    let mut last = watching.next().await.unwrap();
    let mut returned = loop {
        let mut events = pages.live(Some(&last.id)).await;
        let event = events.next().await.unwrap();
        match event.name.as_str() {
            // The monitor had more to say in between: take that, and come back once more.
            "snapshot" => last = event,
            name => {
                assert_eq!(name, "beat");
                break events;
            }
        }
    };
    pages.add("api").await;
    assert_eq!(returned.until("api").await.name, "update");
    let mut stale = pages.live(Some("123-1")).await;
    assert_eq!(stale.next().await.unwrap().name, "snapshot");
}

#[tokio::test(start_paused = true)]
async fn a_stream_left_alone_shows_signs_of_life() {
    let pages = Pages::open().await;
    let mut events = pages.live(None).await;
    while events.next().await.unwrap().name != "beat" {}
}

#[tokio::test]
async fn shutdown_ends_every_stream() {
    let pages = Pages::open().await;
    let mut events = pages.live(None).await;
    events.next().await.unwrap();
    pages.shutdown.cancel();
    while events.next().await.is_some() {}
}
