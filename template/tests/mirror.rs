//! Templates over a catalog elsewhere, reached by HTTP: what they follow, and what becomes of their files when it is
//! away, comes back without its memory, or counts anew.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking, as its body does")]

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{extract::Request, middleware::Next};
use tokio::{
    runtime::Runtime,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Status as Said, Timestamp,
    store::Memory,
};
use wharf_catalog_http::{Answers, Api, Config as Agent, Hooks, agent_node, client::Client, router};
use wharf_template::{
    Condition, Config, Done, Mirror, MirrorConfig, Source, Status, Statuses, TemplateConfig,
    config::{Commandline, Damping, Reload, Target},
    render_once, run,
    syntax::Syntax,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A catalog behind an HTTP server of its own, which can be ended as a whole.
struct Server {
    runtime: Option<Runtime>,
    address: SocketAddr,
    catalog: Catalog,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Server {
    fn start(address: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let catalog = Catalog::open(Box::new(Memory), clock()).unwrap();
        let asked = Arc::<Mutex<BTreeMap<String, usize>>>::default();
        let (serving, counts) = (catalog.clone(), asked.clone());
        let address = address.to_owned();
        let (tell, told) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let config = Arc::new(Agent { node_name: "agent".into(), ..Agent::default() });
            serving.commit(agent_node(&config)).await.unwrap();
            let (outcomes, _) = tokio::sync::mpsc::channel(8);
            let (checks, _) = wharf_catalog_checks::checks(
                serving.clone(),
                clock(),
                outcomes,
                config.node_name.clone(),
                wharf_catalog_checks::Config::default(),
            );
            let (answers, hooks) = (Answers::default(), Hooks::default());
            let api = router(Api { catalog: serving, checks, clock: clock(), config, answers, hooks });
            let site = api.layer(axum::middleware::from_fn(move |request: Request, next: Next| {
                let path = request.uri().path().to_owned();
                *counts.lock().unwrap().entry(path).or_default() += 1;
                next.run(request)
            }));
            let listener = loop {
                // The port of one that was just ended may take a moment.
                match tokio::net::TcpListener::bind(&address).await {
                    Ok(listener) => break listener,
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            };
            tell.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, site).await.unwrap();
        });
        let address = told.recv_timeout(PATIENCE).unwrap();
        Self { runtime: Some(runtime), address, catalog, asked }
    }

    /// Ends it with all its connections and all it knew.
    fn end(mut self) -> String {
        self.runtime.take().unwrap().shutdown_background();
        self.address.to_string()
    }

    async fn put(&self, service: &str, ids: &[&str]) {
        let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
        commands.extend(ids.iter().map(|id| Command::PutInstance(Instance::new("n", *id, service))));
        self.catalog.commit(commands).await.unwrap();
    }

    async fn say(&self, id: &str, status: Said) {
        let check =
            Check { status, instance: Some(id.into()), ..Check::new("n", format!("check-{id}"), "c") };
        let commands = vec![Command::PutCheck(check, CheckStatusOnPut::Set)];
        self.catalog.commit(commands).await.unwrap();
    }

    async fn set(&self, key: &str, value: &str) {
        let (key, value) = (key.into(), value.as_bytes().into());
        self.catalog.commit(vec![Command::SetKey { key, value, flags: 0, cas: None }]).await.unwrap();
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn clock() -> Clock {
    let begun = tokio::time::Instant::now();
    Clock::new(move || Timestamp(1_000_000 + i64::try_from(begun.elapsed().as_millis()).unwrap()))
}

/// Templates that follow a server.
struct Follower {
    folder: tempfile::TempDir,
    statuses: Statuses,
    stop: CancellationToken,
    mirror: Mirror,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Follower {
    fn start(address: SocketAddr, texts: &[&str], edit: impl Fn(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = |(n, text): (usize, &&str)| {
            TemplateConfig::new(Source::Text((*text).to_owned()), folder.path().join(format!("f{n}")))
        };
        let mut config =
            Config { templates: texts.iter().enumerate().map(template).collect(), ..Config::default() };
        edit(&mut config);
        let (statuses, stop, mirror) = (Statuses::default(), CancellationToken::new(), mirror(address));
        tokio::spawn(run(config, mirror.clone(), clock(), statuses.clone(), stop.clone()));
        Self { folder, statuses, stop, mirror }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    async fn status(&self, name: &str, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let wait = async {
            loop {
                match self.statuses.of(name).filter(&holds) {
                    Some(status) => return status,
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        let text = self.text(name);
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| {
            panic!("no {what}: {:#?}, {text}, {:?}", self.statuses.all(), self.mirror.outage())
        })
    }

    async fn shows(&self, name: &str, text: &str) {
        let wait = async {
            while self.text(name) != text {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let told = || {
            format!(
                "`{name}` says {:?}: {:#?}, {:?}",
                self.text(name),
                self.statuses.all(),
                self.mirror.outage()
            )
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never {text:?}; {}", told()))
    }
}

fn mirror(address: SocketAddr) -> Mirror {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::new(&format!("http://{address}")).unwrap();
    Mirror::new(client, MirrorConfig { max_backoff: Duration::from_millis(500), ..MirrorConfig::default() })
}

const LIST: &str = "{{#each (service \"web\")}}{{id}} {{/each}}";

#[tokio::test(flavor = "multi_thread")]
async fn many_templates_ask_each_question_once() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a"]).await;
    let texts = vec![LIST; 30];
    let follower = Follower::start(server.address, &texts, |_| {});
    for n in 0..30 {
        follower.shows(&format!("f{n}"), "a ").await;
    }
    assert_eq!(follower.mirror.followed(), 2, "the agent, and one question for all");
    server.put("web", &["b"]).await;
    for n in 0..30 {
        follower.shows(&format!("f{n}"), "a b ").await;
    }
    // The first answer, the change, and the query that waits now.
    assert!(server.asked("/v1/health/service/web") <= 3, "{:?}", server.asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_answer_leads_to_is_asked_in_turn_and_forgotten_when_it_is_gone() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a"]).await;
    server.put("db", &["d"]).await;
    let text = "{{#each (services)}}{{name}}:{{#each (service name=name)}}{{id}},{{/each}} {{/each}}";
    let follower = Follower::start(server.address, &[text], |_| {});
    follower.status("f0", "all three", |_| follower.text("f0").ends_with(" db:d, web:a, ")).await;
    assert_eq!(follower.mirror.followed(), 5, "the agent, the names, three services");
    server.catalog.commit(vec![Command::DeleteInstance("n".into(), "d".into())]).await.unwrap();
    follower.status("f0", "two", |_| !follower.text("f0").contains("db")).await;
    follower.status("f0", "fewer questions", |_| follower.mirror.followed() == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_stay_while_the_catalog_is_away_and_follow_it_when_it_is_back() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a", "b"]).await;
    let follower = Follower::start(server.address, &[LIST], |_| {});
    follower.shows("f0", "a b ").await;
    let address = server.end();
    follower.status("f0", "outage", |_| follower.mirror.outage().is_some()).await;
    assert_eq!(follower.text("f0"), "a b ");
    let server = Server::start(&address);
    server.put("web", &["b", "c"]).await;
    follower.shows("f0", "b c ").await;
    assert_eq!(follower.mirror.outage(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_lost_its_memory_empties_no_file() {
    let server = Server::start("127.0.0.1:0");
    // A long life: its index is far beyond that of its successor.
    for n in 0..50 {
        server.set("count", &n.to_string()).await;
    }
    server.put("web", &["a", "b"]).await;
    let follower = Follower::start(server.address, &[LIST], |_| {});
    follower.shows("f0", "a b ").await;
    // Somebody waits at it, as always: a catalog that ends is noticed by that.
    follower.status("f0", "a waiting query", |_| server.asked("/v1/health/service/web") >= 2).await;
    let address = server.end();
    let server = Server::start(&address);
    let held = follower.status("f0", "hold", |status| status.condition == Condition::Held).await;
    assert!(held.reason.contains("all 2 instances"), "{held:?}");
    assert_eq!(follower.text("f0"), "a b ");
    server.put("web", &["a", "z"]).await;
    follower.shows("f0", "a z ").await;
    follower.status("f0", "the end of the hold", |status| status.condition == Condition::Current).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_shrinks_too_much_at_once_is_held() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a", "b", "c", "d"]).await;
    let follower = Follower::start(server.address, &[LIST], |config| {
        config.templates[0].max_shrink = Some(wharf_template::config::MaxShrink(0.5));
    });
    follower.shows("f0", "a b c d ").await;
    let remove = |ids: &[&str]| {
        ids.iter().map(|id| Command::DeleteInstance("n".into(), (*id).into())).collect::<Vec<_>>()
    };
    server.catalog.commit(remove(&["a", "b", "c"])).await.unwrap();
    let held = follower.status("f0", "hold", |status| status.condition == Condition::Held).await;
    assert!(held.reason.contains("3 of 4 instances of `web|passing`"), "{held:?}");
    assert_eq!(follower.text("f0"), "a b c d ");
    server.put("web", &["c"]).await;
    follower.shows("f0", "c d ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flapping_instance_is_held_out_and_comes_back_when_it_is_calm() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["steady", "flappy"]).await;
    let follower = Follower::start(server.address, &[LIST], |config| {
        let hold = Duration::from_secs(2);
        config.damping =
            Damping { transitions: 3, within: Duration::from_secs(600), hold, ..Damping::default() };
    });
    follower.shows("f0", "flappy steady ").await;
    for status in [Said::Critical, Said::Passing, Said::Critical] {
        server.say("flappy", status).await;
        let expected = if status == Said::Passing { "flappy steady " } else { "steady " };
        follower.shows("f0", expected).await;
    }
    server.say("flappy", Said::Passing).await;
    let status = follower.status("f0", "flapping", |status| !status.flapping.is_empty()).await;
    assert!(status.flapping[0].contains("flappy on n: it is flapping"), "{status:?}");
    assert_eq!(follower.text("f0"), "steady ");
    follower.shows("f0", "flappy steady ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_become_files_and_go_with_them() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a"]).await;
    server.put("db", &["d"]).await;
    let text = "{{#each (services)}}{{#file name \".conf\"}}of {{name}}{{/file}}{{/each}}";
    let follower = Follower::start(server.address, &[text], |_| {});
    follower
        .status("f0", "files", |_| follower.at("web.conf").exists() && follower.at("db.conf").exists())
        .await;
    server.catalog.commit(vec![Command::DeleteInstance("n".into(), "d".into())]).await.unwrap();
    follower.status("f0", "removal", |_| !follower.at("db.conf").exists()).await;
    assert_eq!(follower.text("web.conf"), "of web");
    server.put("../evil", &["e"]).await;
    let status = follower.status("f0", "refusal", |status| status.condition == Condition::Failing).await;
    assert!(status.reason.contains("only names below"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_files_of_go_templates_have_their_mode_and_go_with_their_service() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a"]).await;
    server.put("db", &["d"]).await;
    let text = "{{ define \"site\" }}of {{ .Name }}{{ end }}{{ range services }}{{ $file := printf \"%s.conf\" .Name }}\
                {{ executeTemplate \"site\" . | writeToFile $file \"\" \"\" \"0640\" \"managed,newline\" }}{{ end }}all";
    let follower =
        Follower::start(server.address, &[text], |config| config.templates[0].syntax = Some(Syntax::Go));
    fs::write(follower.at("own.conf"), "mine").unwrap();
    follower.shows("db.conf", "of db\n").await;
    follower.shows("web.conf", "of web\n").await;
    follower.shows("f0", "all").await;
    let mode = fs::metadata(follower.at("web.conf")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    server.catalog.commit(vec![Command::DeleteInstance("n".into(), "d".into())]).await.unwrap();
    follower.status("f0", "removal", |_| !follower.at("db.conf").exists()).await;
    assert_eq!(
        (follower.text("web.conf").as_str(), follower.text("own.conf").as_str()),
        ("of web\n", "mine")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_named_by_its_number_is_signalled_and_its_absence_takes_the_file_back() {
    let server = Server::start("127.0.0.1:0");
    server.set("a", "one").await;
    let folder = tempfile::tempdir().unwrap();
    let heard = folder.path().join("heard");
    let script = format!(
        "trap 'echo told >> {0}' HUP; echo ready > {0}; while :; do sleep 0.05; done",
        heard.display()
    );
    let mut process = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let said = |wanted: &'static str| {
        let heard = heard.clone();
        let wait = async move {
            while fs::read_to_string(&heard).unwrap_or_default() != wanted {
                sleep(Duration::from_millis(10)).await;
            }
        };
        async move { timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never heard {wanted:?}")) }
    };
    said("ready\n").await;
    let pid = i32::try_from(process.id()).unwrap();
    let follower = Follower::start(server.address, &["{{key \"a\"}}"], |config| {
        config.templates[0].reload = Some(Reload::Signal(Target::Pid("HUP".parse().unwrap(), pid)));
    });
    follower.shows("f0", "one").await;
    said("ready\ntold\n").await;
    server.set("a", "two").await;
    said("ready\ntold\ntold\n").await;
    process.kill().unwrap();
    process.wait().unwrap();
    server.set("a", "three").await;
    let gone =
        |status: &Status| status.condition == Condition::Failing && status.reason.contains("send SIGHUP");
    follower.status("f0", "failure", gone).await;
    follower.shows("f0", "two").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_started_when_all_is_rendered_told_of_changes_and_started_again() {
    let server = Server::start("127.0.0.1:0");
    let follower = Follower::start(server.address, &["{{keyOrDefault \"a\" \"none\"}}"], |config| {
        let log = config.templates[0].destination.with_file_name("log");
        let script = format!(
            "trap 'echo told >> {0}' USR1; echo started $(cat {1}) >> {0}; echo $$ > {0}.pid; while :; do sleep 0.05; done",
            log.display(),
            config.templates[0].destination.display()
        );
        let mut exec = wharf_template::config::Exec::new(Commandline::of(["sh", "-c", &script]));
        exec.reload_signal = Some("USR1".parse().unwrap());
        config.exec = Some(exec);
    });
    follower.shows("log", "started none\n").await;
    server.set("a", "one").await;
    follower.shows("log", "started none\ntold\n").await;
    let pid: i32 = follower.text("log.pid").trim().parse().unwrap();
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    follower.shows("log", "started none\ntold\nstarted one\n").await;
    let pid = follower.text("log.pid").trim().to_owned();
    follower.stop.cancel();
    let gone = async {
        while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the program outlived us");
}

#[tokio::test(flavor = "multi_thread")]
async fn once_waits_for_all_answers_and_reports_what_failed() {
    let server = Server::start("127.0.0.1:0");
    server.put("web", &["a"]).await;
    let folder = tempfile::tempdir().unwrap();
    let template =
        |text: &str, name: &str| TemplateConfig::new(Source::Text(text.to_owned()), folder.path().join(name));
    let mut failing = template(LIST, "reload");
    failing.reload = Some(Reload::Command(Commandline::Line("exit 3".to_owned())));
    let config = Config {
        templates: vec![template(LIST, "good"), template("{{#if", "bad"), failing],
        ..Config::default()
    };
    let (stop, clock) = (CancellationToken::new(), clock());
    let once = render_once(&config, mirror(server.address), &clock, &stop);
    let outcomes: BTreeMap<_, _> = timeout(PATIENCE, once).await.unwrap().unwrap().into_iter().collect();
    assert_eq!(*outcomes["good"].as_ref().unwrap(), Done::Published);
    assert!(outcomes["bad"].is_err() && outcomes["reload"].is_err());
    assert_eq!(fs::read_to_string(folder.path().join("good")).unwrap(), "a ");
    assert!(!folder.path().join("bad").exists());
}
