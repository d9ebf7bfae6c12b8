use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use tokio::time::{sleep, timeout};
use wharf_catalog::{Catalog, Command, Instance, Node, Timestamp, store::Memory};

use super::*;
use crate::{
    Condition, Source, Status,
    config::{Commandline, Reload},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A template with a check that refuses `BAD` and a reload that logs what it loaded, and fails on `STUCK`.
struct Bench {
    directory: tempfile::TempDir,
    catalog: Catalog,
    statuses: Statuses,
    shutdown: CancellationToken,
    task: Option<tokio::task::JoinHandle<Result<Option<ExitStatus>, ConfigError>>>,
}

impl Bench {
    fn new(template: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("site.hbs"), template).unwrap();
        let catalog = Catalog::open(Box::new(Memory), clock()).unwrap();
        Self {
            directory,
            catalog,
            statuses: Statuses::default(),
            shutdown: CancellationToken::new(),
            task: None,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> TemplateConfig {
        let log = format!(
            "cat {{{{destination}}}} >> {log}; echo >> {log}; ! grep -q STUCK {{{{destination}}}}",
            log = self.at("log").display()
        );
        TemplateConfig {
            check: Some(Commandline::Line("echo refused by grep; ! grep -q BAD {{candidate}}".to_owned())),
            reload: Some(Reload::Command(Commandline::Line(log))),
            ..TemplateConfig::new(Source::File(self.at("site.hbs")), self.at("site.conf"))
        }
    }

    fn start(&mut self, template: TemplateConfig) {
        self.statuses = Statuses::default();
        let config = Config { templates: vec![template], ..Config::default() };
        let running =
            run(config, self.catalog.clone(), clock(), self.statuses.clone(), self.shutdown.clone());
        self.task = Some(tokio::spawn(running));
    }

    async fn started(template: &str) -> Self {
        let mut bench = Self::new(template);
        bench.start(bench.config());
        bench
    }

    async fn stop(&mut self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.task.take().unwrap()).await.expect("did not stop").unwrap().unwrap();
        self.shutdown = CancellationToken::new();
    }

    async fn put(&self, service: &str, id: &str) {
        let commands = vec![
            Command::PutNode(Node::new("n", "10.0.0.1")),
            Command::PutInstance(Instance::new("n", id, service)),
        ];
        self.catalog.commit(commands).await.unwrap();
    }

    async fn remove(&self, id: &str) {
        let commands = vec![Command::DeleteInstance("n".into(), id.into())];
        self.catalog.commit(commands).await.unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.at("site.conf")).unwrap_or_default()
    }

    fn reloads(&self) -> Vec<String> {
        fs::read_to_string(self.at("log")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    async fn status(&self, what: &str, holds: impl Fn(&Status) -> bool) -> Status {
        let wait = async {
            loop {
                match self.statuses.of("site.conf").filter(&holds) {
                    Some(status) => return status,
                    None => sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no {what}: {:?}", self.statuses.all()))
    }

    async fn shows(&self, text: &str) {
        self.status(text, |status| {
            self.text() == text
                && status.condition == Condition::Current
                // A reload that is still on its way is made up for by whoever starts next.
                && !self.at(".site.conf.wharf-previous").exists()
                && self.reloads().last().is_some_and(|loaded| loaded == text)
        })
        .await;
    }
}

fn clock() -> Clock {
    Clock::fixed(Timestamp(1_000))
}

const LIST: &str = "{{#each (service \"web\")}}{{id}} {{/each}}";

#[tokio::test]
async fn the_file_follows_the_catalog_and_each_change_is_reloaded_once() {
    let bench = Bench::started(LIST).await;
    bench.status("first render", |status| status.condition == Condition::Current).await;
    bench.put("web", "a").await;
    bench.shows("a ").await;
    bench.put("web", "b").await;
    bench.shows("a b ").await;
    bench.remove("a").await;
    bench.shows("b ").await;
    assert_eq!(bench.reloads(), ["", "a ", "a b ", "b "]);
}

#[tokio::test]
async fn what_a_template_does_not_read_neither_renders_nor_reloads_it() {
    let mut bench = Bench::new(LIST);
    bench.put("web", "a").await;
    bench.start(bench.config());
    bench.shows("a ").await;
    bench.put("db", "db-1").await;
    // The same answer once more: rendered, found equal, left alone.
    bench.put("web", "z").await;
    bench.remove("z").await;
    bench.put("web", "b").await;
    bench.shows("a b ").await;
    bench.remove("b").await;
    bench.shows("a ").await;
    bench.stop().await;
    bench.start(bench.config());
    bench.status("restart", |status| status.condition == Condition::Current).await;
    bench.stop().await;
    let reloads = bench.reloads();
    assert!(reloads.windows(2).all(|pair| pair[0] != pair[1]), "reloaded equal bytes: {reloads:?}");
    assert!(!reloads.iter().any(|text| text.contains("db")));
}

#[tokio::test]
async fn a_burst_of_changes_is_one_reload() {
    let mut bench = Bench::new(LIST);
    bench.put("web", "a").await;
    let mut config = bench.config();
    config.wait = Some("300ms:20s".parse().unwrap());
    bench.start(config);
    bench.shows("a ").await;
    for id in 'b'..='k' {
        bench.put("web", &id.to_string()).await;
    }
    bench.shows("a b c d e f g h i j k ").await;
    assert_eq!(bench.reloads().len(), 2);
}

#[tokio::test]
async fn a_refused_file_leaves_the_last_good_one_and_says_why() {
    let bench = Bench::started(LIST).await;
    bench.put("web", "a").await;
    bench.shows("a ").await;
    bench.put("web", "BAD").await;
    let status = bench.status("failure", |status| status.condition == Condition::Failing).await;
    assert_eq!(bench.text(), "a ");
    assert!(
        status.reason.contains("refused by grep") && status.reason.contains(".site.conf.wharf-candidate"),
        "{status:?}"
    );
    assert_eq!(fs::read_to_string(bench.at(".site.conf.wharf-candidate")).unwrap(), "BAD a ");
    bench.remove("BAD").await;
    bench.put("web", "b").await;
    bench.shows("a b ").await;
    assert!(!bench.reloads().iter().any(|text| text.contains("BAD")));
}

#[tokio::test]
async fn a_failing_reload_puts_the_previous_file_back_and_loads_it() {
    let bench = Bench::started(LIST).await;
    bench.put("web", "a").await;
    bench.shows("a ").await;
    fs::set_permissions(bench.at("site.conf"), fs::Permissions::from_mode(0o640)).unwrap();
    bench.put("web", "STUCK").await;
    let status = bench.status("failure", |status| status.condition == Condition::Failing).await;
    assert!(status.reason.contains("the previous file is back and loaded"), "{status:?}");
    bench.remove("STUCK").await;
    bench.shows("a ").await;
    assert_eq!(fs::metadata(bench.at("site.conf")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(bench.reloads().last().unwrap(), "a ");
    assert!(!bench.at(".site.conf.wharf-previous").exists());
}

#[tokio::test]
async fn a_reload_cut_short_by_a_crash_is_made_up_for() {
    let mut bench = Bench::new(LIST);
    bench.put("web", "a").await;
    // As if killed between the rename and the reload.
    fs::write(bench.at("site.conf"), "a ").unwrap();
    fs::write(bench.at(".site.conf.wharf-previous"), "old ").unwrap();
    bench.start(bench.config());
    bench.shows("a ").await;
    assert_eq!(bench.reloads(), ["a "]);
    assert!(!bench.at(".site.conf.wharf-previous").exists());
}

#[tokio::test]
async fn an_emptied_catalog_keeps_the_file_until_something_is_back() {
    let mut bench = Bench::new(LIST);
    bench.put("web", "a").await;
    bench.start(bench.config());
    bench.shows("a ").await;
    bench.remove("a").await;
    let status = bench.status("hold", |status| status.condition == Condition::Held).await;
    assert!(status.reason.contains("all 1 instances of the last render are gone"), "{status:?}");
    assert_eq!(bench.text(), "a ");
    bench.stop().await;
    // A restart with nothing in the catalog is the same danger.
    bench.start(bench.config());
    bench.status("hold", |status| status.condition == Condition::Held).await;
    assert_eq!(bench.text(), "a ");
    bench.put("web", "b").await;
    bench.shows("b ").await;
}

#[tokio::test]
async fn an_emptied_catalog_is_published_where_that_is_wanted() {
    let mut bench = Bench::new(LIST);
    bench.put("web", "a").await;
    let mut config = bench.config();
    config.on_empty = crate::OnEmpty::Render;
    bench.start(config);
    bench.shows("a ").await;
    bench.remove("a").await;
    bench.shows("").await;
}

#[tokio::test]
async fn an_edited_template_is_taken_up_and_a_broken_one_changes_nothing() {
    let mut bench = Bench::new(LIST);
    bench.put("web", "a").await;
    bench.start(bench.config());
    bench.shows("a ").await;
    fs::write(bench.at("site.hbs"), "\n{{#each (service \"web\")}}").unwrap();
    let status = bench.status("failure", |status| status.condition == Condition::Failing).await;
    assert!(status.reason.contains("site.hbs:2:"), "{status:?}");
    fs::write(bench.at("site.hbs"), "\n\n{{vars.typo}}").unwrap();
    bench.status("other failure", |status| status.reason.contains("site.hbs:3:")).await;
    fs::remove_file(bench.at("site.hbs")).unwrap();
    bench.status("missing file", |status| status.reason.contains("cannot read template")).await;
    assert_eq!(bench.text(), "a ");
    fs::write(bench.at("next"), "web: {{#each (service \"web\")}}{{id}}{{/each}}").unwrap();
    fs::rename(bench.at("next"), bench.at("site.hbs")).unwrap();
    bench.shows("web: a").await;
}

#[tokio::test]
async fn an_included_file_is_followed_also_when_it_is_missing_at_first() {
    let bench = Bench::new("");
    let included = bench.at("motd");
    fs::write(bench.at("site.hbs"), format!("{{{{file \"{}\"}}}}", included.display())).unwrap();
    let mut bench = bench;
    bench.start(bench.config());
    bench.status("failure", |status| status.condition == Condition::Failing).await;
    fs::write(&included, "hello").unwrap();
    bench.shows("hello").await;
    fs::write(&included, "goodbye").unwrap();
    bench.shows("goodbye").await;
}

#[tokio::test]
async fn a_missing_reload_program_ends_nothing() {
    let mut bench = Bench::new(LIST);
    let mut config = bench.config();
    config.reload = Some(Reload::Command(Commandline::of(["/no/such/program"])));
    bench.put("web", "a").await;
    bench.start(config);
    let status = bench.status("failure", |status| status.condition == Condition::Failing).await;
    assert!(status.reason.contains("is it installed"), "{status:?}");
    assert_eq!(bench.text(), "a ", "the first file stays, there is none to go back to");
    // And it is tried again by itself.
    std::os::unix::fs::symlink("/bin/true", bench.at("program")).unwrap();
    bench.stop().await;
    let mut config = bench.config();
    let later = bench.at("later").display().to_string();
    config.reload = Some(Reload::Command(Commandline::of([&later])));
    fs::remove_file(bench.at("site.conf")).unwrap();
    bench.start(config);
    bench.status("failure", |status| status.reason.contains("later")).await;
    fs::rename(bench.at("program"), bench.at("later")).unwrap();
    bench
        .status("recovery", |status| status.condition == Condition::Current && status.last_reload.is_some())
        .await;
}

#[tokio::test]
async fn a_template_that_reads_very_many_services_follows_each_of_them() {
    let mut bench = Bench::new("{{#each (services)}}{{#each (service name=name)}}{{id}} {{/each}}{{/each}}");
    for n in 100..200 {
        bench.put(&format!("s{n}"), &format!("i{n}")).await;
    }
    bench.start(bench.config());
    bench
        .status("render", |status| status.condition == Condition::Current && status.dependencies == 101)
        .await;
    bench.put("s150", "more").await;
    bench.status("change", |_| bench.text().contains("i150 more i151")).await;
}

#[tokio::test]
async fn once_and_dry_do_their_one_thing() {
    let bench = Bench::new(LIST);
    bench.put("web", "a").await;
    let config = Config { templates: vec![bench.config()], ..Config::default() };
    let dry = dry_run(&config, &bench.catalog.snapshot(), clock().now()).unwrap();
    assert_eq!(dry[0].text.as_ref().unwrap(), b"a ");
    assert!(!bench.at("site.conf").exists() && bench.reloads().is_empty());
    for expected in [Done::Published, Done::Unchanged] {
        let once = render_once(&config, bench.catalog.clone(), &clock(), &bench.shutdown).await.unwrap();
        assert_eq!(*once[0].1.as_ref().unwrap(), expected);
    }
    assert_eq!(bench.reloads(), ["a "]);
    let broken = Config {
        templates: vec![TemplateConfig::new(Source::File("/none.hbs".into()), bench.at("x"))],
        ..config
    };
    assert!(matches!(
        dry_run(&broken, &bench.catalog.snapshot(), clock().now()).unwrap()[0].text,
        Err(Failure::Source { .. })
    ));
}
