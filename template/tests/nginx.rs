//! The shipped nginx template drives a real nginx: same routes, no request to an instance that left, and a
//! broken template changes nothing.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking, as its body does")]

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command as Process},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store::Memory};
use wharf_template::{
    Condition, Config, NGINX, Source, Statuses, TemplateConfig,
    config::{Commandline, Reload},
    run,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Real nginx under a running template loop.
struct Stage {
    directory: tempfile::TempDir,
    listen: SocketAddr,
    catalog: Catalog,
    statuses: Statuses,
    nginx: Child,
    shutdown: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let _ = Process::new(nginx())
            .args(["-s", "stop", "-c"])
            .arg(self.directory.path().join("nginx.conf"))
            .output();
        let deadline = std::iter::repeat_n((), 200);
        for () in deadline {
            if matches!(self.nginx.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

fn nginx() -> PathBuf {
    let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    let found = places.iter().map(PathBuf::from).find(|place| place.exists());
    found.expect("nginx is not installed: run `cargo xtask test`, which installs what the tests need")
}

impl Stage {
    async fn set(edit: impl FnOnce(&Path, &mut TemplateConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let catalog = Catalog::open(Box::new(Memory), Clock::fixed(Timestamp(1))).unwrap();
        let file = directory.path().join("nginx.conf");
        let mut template = TemplateConfig::nginx(&file);
        let program = nginx().display().to_string();
        template.check = Some(Commandline::of([&program, "-t", "-q", "-c", "{{candidate}}"]));
        let reload = Commandline::of([&program, "-s", "reload", "-c", "{{destination}}"]);
        template.reload = Some(Reload::Command(reload));
        template.vars.insert("listen".to_owned(), listen.to_string().into());
        template.vars.insert("workers".to_owned(), "1".into());
        if fs::metadata(directory.path()).is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == 0) {
            template.vars.insert("user".to_owned(), "root".into());
        }
        edit(directory.path(), &mut template);
        let (statuses, shutdown) = (Statuses::default(), CancellationToken::new());
        let config = Config { templates: vec![template], ..Config::default() };
        tokio::spawn(run(
            config,
            catalog.clone(),
            Clock::fixed(Timestamp(1)),
            statuses.clone(),
            shutdown.clone(),
        ));
        until("first file", async || file.exists()).await;
        let nginx = Process::new(nginx()).arg("-c").arg(&file).args(["-g", "daemon off;"]).spawn().unwrap();
        until("listening nginx", async || TcpStream::connect(listen).await.is_ok()).await;
        let stage = Self { directory, listen, catalog, statuses, nginx, shutdown };
        until("first reload", async || stage.condition() == Condition::Current).await;
        stage
    }

    fn condition(&self) -> Condition {
        self.statuses.of("nginx.conf").unwrap().condition
    }

    async fn put(&self, service: &str, id: &str, address: SocketAddr) {
        let mut instance = Instance::new("n", id, service);
        (instance.address, instance.port) = (address.ip().to_string(), address.port());
        let commands = vec![Command::PutNode(Node::new("n", "127.0.0.1")), Command::PutInstance(instance)];
        self.catalog.commit(commands).await.unwrap();
    }

    /// Status line and headers with the body, of a request on a connection of its own.
    async fn get(&self, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.listen).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }

    /// Asks until an answer holds `what`: workers from before a reload answer for a moment longer.
    async fn answers(&self, host: &str, path: &str, what: &str) -> String {
        let asking = async {
            loop {
                let answer = self.get(host, path).await;
                if answer.contains(what) {
                    return answer;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{host}{path} never answered `{what}`"))
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}

/// A server that answers every request with its name and the request's head.
async fn backend(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, name));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, name: &str) {
    let (mut head, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        head.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if head.ends_with("\r\n\r\n") {
            let body = format!("I am {name}\n{head}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            head.clear();
        }
    }
}

#[tokio::test]
async fn nginx_serves_the_catalog_by_path_and_by_host_and_follows_it() {
    let stage = Stage::set(|_, _| {}).await;
    assert!(stage.get("localhost", "/atlas/").await.starts_with("HTTP/1.1 404"));
    let (one, two) = (backend("one").await, backend("two").await);
    stage.put("atlas", "one", one).await;
    let answer = stage.answers("localhost", "/atlas/x/y?q=1", "I am one").await;
    for part in [
        "GET /x/y?q=1 HTTP/1.1",
        "X-Forwarded-Prefix: /atlas",
        "X-Real-IP: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "Host: localhost",
    ] {
        assert!(answer.contains(part), "no `{part}` in {answer}");
    }
    assert!(
        !answer.to_lowercase().contains("connection: close\r\nx-real"),
        "connections are not kept: {answer}"
    );
    let by_host = stage.answers("atlas.example.com", "/atlas/z", "I am one").await;
    assert!(
        by_host.contains("GET /atlas/z HTTP/1.1") && by_host.contains("Host: atlas.example.com"),
        "{by_host}"
    );
    let redirect = stage.answers("localhost", "/atlas?a=b", "308").await;
    assert!(redirect.starts_with("HTTP/1.1 308") && redirect.contains("Location: /atlas/?a=b"), "{redirect}");
    let unknown = stage.get("localhost", "/nobody/").await;
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("no such service here"), "{unknown}");

    stage.put("atlas", "two", two).await;
    stage.answers("localhost", "/atlas/", "I am two").await;
    let node = std::sync::Arc::<str>::from("n");
    let drain = wharf_catalog::Check::maintenance(&node, &"one".into(), "draining: test");
    let begun = Instant::now();
    let commands = vec![Command::PutCheck(drain, wharf_catalog::CheckStatusOnPut::Set)];
    stage.catalog.commit(commands).await.unwrap();
    let file = stage.directory.path().join("nginx.conf");
    let leaving = format!("server {one} ");
    until("file without the instance", async || !fs::read_to_string(&file).unwrap().contains(&leaving)).await;
    let published = begun.elapsed();
    // Old workers may still answer a moment: two instances take turns, so a run of one is decisive.
    until("all requests on one instance", async || {
        for _ in 0..20 {
            if !stage.get("localhost", "/atlas/").await.contains("I am two") {
                return false;
            }
        }
        true
    })
    .await;
    println!("drain: published after {published:?}, in effect after {:?} at the latest", begun.elapsed());

    stage.put("other", "other", backend("other").await).await;
    let node = std::sync::Arc::<str>::from("n");
    let drain = wharf_catalog::Check::maintenance(&node, &"two".into(), "draining: test");
    let commands = vec![Command::PutCheck(drain, wharf_catalog::CheckStatusOnPut::Set)];
    stage.catalog.commit(commands).await.unwrap();
    let answer = stage.answers("localhost", "/atlas/", "service atlas has no passing instance").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    stage.answers("atlas.example.com", "/", "HTTP/1.1 503").await;
}

#[tokio::test]
async fn strangers_in_the_catalog_do_not_keep_nginx_from_the_rest() {
    let stage = Stage::set(|_, _| {}).await;
    let address = backend("good").await;
    let long = "x".repeat(128);
    for name in ["a; } server { listen 1; }", "\"", "~(", "$a", "..", "*.a", "default", "Good", &long] {
        stage.put(name, name, address).await;
    }
    let mut stranger = Instance::new("n", "stranger", "good");
    (stranger.address, stranger.port) = ("does-not-resolve.invalid".to_owned(), 80);
    stage.catalog.commit(vec![Command::PutInstance(stranger)]).await.unwrap();
    stage.put("good", "good", address).await;
    stage.answers("localhost", "/good/", "I am good").await;
    stage.answers("localhost", "/Good/", "I am good").await;
    stage.answers("localhost", &format!("/{long}/"), "I am good").await;
    assert_eq!(stage.condition(), Condition::Current);
    assert!(stage.statuses.of("nginx.conf").unwrap().notes.len() >= 7);
}

#[tokio::test]
async fn a_reload_that_nginx_refuses_puts_the_previous_file_back() {
    let stage = Stage::set(|directory, template| {
        let source = directory.join("nginx.hbs");
        fs::write(&source, NGINX).unwrap();
        template.vars.insert("prefix".to_owned(), directory.display().to_string().into());
        template.vars.insert("access_log".to_owned(), "off".into());
        template.vars.entry("user".to_owned()).or_insert_with(|| "".into());
        (template.source, template.check) = (Source::File(source), None);
    })
    .await;
    stage.put("atlas", "one", backend("one").await).await;
    stage.answers("localhost", "/atlas/", "I am one").await;
    let (source, file) =
        (stage.directory.path().join("nginx.hbs"), stage.directory.path().join("nginx.conf"));
    let good = fs::read(&file).unwrap();
    fs::write(&source, NGINX.replace("proxy_pass", "proxy_pas")).unwrap();
    until("rollback", async || stage.condition() == Condition::Failing).await;
    let status = stage.statuses.of("nginx.conf").unwrap();
    assert!(status.reason.contains("the previous file is back and loaded"), "{status:?}");
    assert!(status.reason.contains("proxy_pas"), "nginx's own words are missing: {status:?}");
    assert_eq!(fs::read(&file).unwrap(), good);
    stage.answers("localhost", "/atlas/", "I am one").await;
    fs::write(&source, NGINX).unwrap();
    until("recovery", async || stage.condition() == Condition::Current).await;
}

#[tokio::test]
async fn a_broken_template_never_replaces_a_good_nginx_configuration() {
    let stage = Stage::set(|directory, template| {
        let source = directory.join("nginx.hbs");
        fs::write(&source, NGINX).unwrap();
        let prefix = directory.display().to_string();
        for (name, value) in [("prefix", prefix.as_str()), ("access_log", "off")] {
            template.vars.insert(name.to_owned(), value.into());
        }
        template.vars.entry("user".to_owned()).or_insert_with(|| "".into());
        template.source = Source::File(source);
    })
    .await;
    stage.put("atlas", "one", backend("one").await).await;
    stage.answers("localhost", "/atlas/", "I am one").await;
    let (source, file) =
        (stage.directory.path().join("nginx.hbs"), stage.directory.path().join("nginx.conf"));
    let good = fs::read(&file).unwrap();
    for broken in [
        NGINX.replace("{{/each}}", ""),
        NGINX.replace("proxy_pass", "proxy_pas"),
        NGINX.replace("vars.listen", "vars.lissen"),
    ] {
        let before = stage.statuses.of("nginx.conf").unwrap().last_error;
        fs::write(&source, broken).unwrap();
        until("another failure", async || {
            let status = stage.statuses.of("nginx.conf").unwrap();
            status.condition == Condition::Failing && status.last_error != before
        })
        .await;
        assert_eq!(fs::read(&file).unwrap(), good, "a good file was replaced");
        stage.answers("localhost", "/atlas/", "I am one").await;
    }
    fs::write(&source, NGINX).unwrap();
    until("recovery", async || stage.condition() == Condition::Current).await;
}
