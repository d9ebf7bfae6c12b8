//! What `/metrics` says of templates: renders, skips, failed checks, and how long reloads take.
//!
//! A file of its own: the recorder belongs to the whole process.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking, as its body does")]

use std::{fs, time::Duration};

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Timestamp, store::Memory};
use wharf_template::{
    Config, Source, Statuses, TemplateConfig,
    config::{Commandline, Reload},
    run,
};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn renders_skips_failed_checks_and_reload_times_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let shown = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::fixed(Timestamp(1));
    let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
    let file = folder.path().join("site");
    let source = "{{#if (keyExists \"a\")}}{{/if}}{{keyOrDefault \"b\" \"none\"}}";
    let template = TemplateConfig {
        check: Some(Commandline::Line("! grep -q BAD {{candidate}}".to_owned())),
        reload: Some(Reload::Command(Commandline::of(["true"]))),
        ..TemplateConfig::new(Source::Text(source.to_owned()), file.clone())
    };
    let config = Config { templates: vec![template], ..Config::default() };
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(config, catalog.clone(), clock, Statuses::default(), stop.clone()));
    let counted = async |name: &str, labels: &str, least: u64| {
        let value = || {
            let text = shown.render();
            let is_it = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(labels);
            let line = text.lines().find(is_it)?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        let wait = async {
            while value().is_none_or(|value| value < least as f64) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("{name} is {:?}:\n{}", value(), shown.render()));
        value().unwrap()
    };
    let set = async |key: &str, value: &[u8]| {
        let command = Command::SetKey { key: key.into(), value: value.into(), flags: 0, cas: None };
        catalog.commit(vec![command]).await.unwrap();
    };
    let template = "template=\"site\"";
    counted("wharf_template_reloads_total", "result=\"ok\"", 1).await;
    let renders = counted("wharf_template_renders_total", template, 1).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "none");
    assert_eq!(counted("wharf_template_render_seconds_count", template, 1).await, renders);
    assert!(counted("wharf_template_reload_seconds_sum", template, 0).await > 0.0);
    // Read, and it makes no difference.
    set("a", b"1").await;
    counted("wharf_template_skips_total", template, 1).await;
    assert_eq!(counted("wharf_template_reloads_total", "result=\"ok\"", 1).await, 1.0);
    set("b", b"BAD").await;
    counted("wharf_template_checks_failed_total", template, 1).await;
    counted("wharf_template_errors_total", "kind=\"check\"", 1).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "none");
    set("b", b"good").await;
    counted("wharf_template_reloads_total", "result=\"ok\"", 2).await;
    assert_eq!(counted("wharf_template_reload_seconds_count", template, 2).await, 2.0);
    stop.cancel();
    running.await.unwrap().unwrap();
}
