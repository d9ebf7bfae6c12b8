//! `wharf dev` and `wharf server`: one process with every part in it. Opens sockets and files, connects the parts, stops them.
//!
//! Nothing is decided here. Sockets are bound before anything else happens, so that a taken port is told
//! before a database is touched; shutting down runs the other way: stop taking requests, finish, close.

mod serving;
mod sockets;

use std::{
    fs::DirBuilder, net::SocketAddr, os::unix::fs::DirBuilderExt, path::Path, sync::Arc, time::Duration,
};

use anyhow::{Context, anyhow, bail};
use axum::{Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wharf_catalog::{Catalog, Clock, Outcome, State, Store, prepared, store};
use wharf_monitor::{History, Monitor, Storage};
use wharf_pager::{Oncall, Pager};

use crate::{clock, config::Settings, telemetry};
use sockets::Sockets;

/// Outcomes on their way to the monitor; past this many, they are dropped and counted.
const OUTCOMES: usize = 65_536;
/// Every part but the load balancer, which has a setting of its own, gets this long to finish once we are
/// told to stop. Requests to the API that wait for a change (up to ten minutes) hold nothing up after that.
const GRACE: Duration = Duration::from_secs(5);

/// What parts that keep to their own time get on top of it.
const SLACK: Duration = Duration::from_secs(1);

/// Runs until SIGINT or SIGTERM, or until a part fails; a second signal cuts the goodbye short.
pub(crate) async fn serve(mut settings: Settings) -> anyhow::Result<()> {
    settings.template.validate().context("the settings' [template] table is wrong")?;
    if let Some(table) = settings.template.only_alone() {
        bail!(
            "the settings' table [template.{table}] is for `wharf template`: `wharf dev` follows its own catalog"
        );
    }
    settings.pages.validate().map_err(|why| anyhow!("the settings' [pages] table is wrong: {why}"))?;
    let (grace, mut signals) = (GRACE.max(settings.proxy.shutdown_timeout) + SLACK, Signals::listen()?);
    let sockets = Sockets::bind(&settings).await?;
    let (http, dns, proxy_addr) = sockets.addresses()?;
    settings.checks.proxy_addr = Some(proxy_addr);
    let metrics = telemetry::metrics()?;
    let clock = clock::system();
    let catalog = open_catalog(settings.data_dir.as_deref(), clock.clone())?;
    let (outcomes, observed) = mpsc::channel(OUTCOMES);
    let (mut monitor, history) = open_monitor(&settings, http, &catalog, &clock, observed)?;
    let (oncall, pager) = open_pager(&settings, http, &catalog, &clock, &mut monitor)?;
    let stop = CancellationToken::new();
    let mut parts = JoinSet::new();

    let answers = wharf_catalog_http::Answers::default();
    let at_hand = serving::AtHand { answers: answers.clone(), catalog: catalog.clone() };
    let hooks = hooks(&stop, &metrics);
    let api = consul_api(&settings, &catalog, (answers, hooks), &clock, outcomes, &mut parts, &stop).await?;
    let proxy = wharf_proxy::Proxy::new(settings.proxy.clone(), catalog.clone());
    let oncall_api = wharf_oncall_api::router(wharf_oncall_api::Sources {
        pager: pager.clone(),
        history: history.clone(),
        clock: clock.clone(),
    });
    let pages = wharf_dashboards::router(
        wharf_dashboards::Sources {
            catalog: catalog.clone(),
            history,
            pager: Some(pager),
            proxy: Some(proxy.clone()),
            clock: clock.clone(),
            config: pages_config(&settings, http, proxy_addr),
        },
        stop.clone(),
    );
    let balancers = wharf_proxy_drivers::Statuses::default();
    let statuses = wharf_template::Statuses::default();
    let told = templates_page(catalog.clone(), settings.template.datacenter.clone(), statuses.clone());
    let site = api
        .merge(pages)
        .merge(metrics_page(metrics.clone()))
        .merge(told)
        .merge(balancers_page(balancers.clone()))
        .merge(oncall_api);

    parts.spawn(telemetry::upkeep(metrics, stop.clone()));
    parts.spawn(monitor.run(stop.clone()));
    parts.spawn(oncall.run(stop.clone()));
    parts.spawn(names(catalog.clone(), settings.dns, sockets.dns, stop.clone()));
    parts.spawn(wharf_catalog::expiry::run(catalog.clone(), clock.clone(), stop.clone()));
    parts.spawn(templates(settings.template, catalog.clone(), clock.clone(), statuses, stop.clone()));
    let registry = wharf_registrator::Embedded::new(catalog, &settings.registrator.node);
    parts.spawn(wharf_registrator::run(settings.registrator, registry, clock.clone(), stop.clone()));
    let (followed, follow_stop, follow_clock) = (proxy.clone(), stop.clone(), clock.clone());
    parts.spawn(async move {
        wharf_proxy::balancers::follow(&followed, follow_clock, balancers, follow_stop).await;
    });
    let proxy_stop = stop.clone();
    parts.spawn(async move { proxy.run(vec![sockets.proxy], proxy_stop).await });
    parts.spawn(serving::serve(sockets.http, site, at_hand, stop.clone()));
    info!(%http, %dns, proxy = %proxy_addr, "wharf is ready");

    let failed = tokio::select! {
        () = signals.next() => None,
        error = failure(&mut parts) => Some(error),
    };
    stop.cancel();
    tokio::select! {
        () = finish(parts, grace) => {}
        () = signals.next() => warn!("told to stop again: stopped before everything had finished"),
    }
    failed.map_or(Ok(()), |error| Err(anyhow!("a part of wharf failed, see the log: {error}")))
}

/// Registers this node and starts the checks; gives the API over both.
async fn consul_api(
    settings: &Settings,
    catalog: &Catalog,
    (answers, hooks): (wharf_catalog_http::Answers, wharf_catalog_http::Hooks),
    clock: &Clock,
    outcomes: mpsc::Sender<Outcome>,
    parts: &mut JoinSet<()>,
    stop: &CancellationToken,
) -> anyhow::Result<Router> {
    let node: Arc<str> = settings.node_name.as_str().into();
    let config = Arc::new(wharf_catalog_http::Config {
        node_name: node.clone(),
        node_id: node_id(settings.data_dir.as_deref())?,
        advertise_addr: settings.advertise_addr,
        datacenter: settings.datacenter.clone(),
        enable_script_checks: settings.checks.enable_script_checks,
        indent: settings.data_dir.is_none(),
        ..wharf_catalog_http::Config::default()
    });
    catalog.commit(wharf_catalog_http::agent_node(&config)).await.context("cannot register this node")?;
    let externals = wharf_catalog_checks::external::reconcile(&catalog.snapshot(), &settings.external)?;
    catalog.commit(externals).await.context("cannot register the settings' external services")?;
    let (checks, runner) =
        wharf_catalog_checks::checks(catalog.clone(), clock.clone(), outcomes, node, settings.checks.clone());
    parts.spawn(runner.run(stop.clone()));
    let (catalog, clock) = (catalog.clone(), clock.clone());
    let api = wharf_catalog_http::Api { catalog, checks, clock, config, hooks, answers };
    Ok(wharf_catalog_http::router(api.clone()).merge(wharf_catalog_http::external_router(api)))
}

/// What the API may have done: stop the process, tell its metrics.
fn hooks(stop: &CancellationToken, metrics: &PrometheusHandle) -> wharf_catalog_http::Hooks {
    let metrics = metrics.clone();
    wharf_catalog_http::Hooks {
        stop: Some(stop.clone()),
        metrics: Some(wharf_catalog_http::MetricsText::new(move || metrics.render())),
    }
}

fn open_catalog(data_dir: Option<&Path>, clock: Clock) -> anyhow::Result<Catalog> {
    let store: Box<dyn Store> = match data_dir {
        None => Box::new(store::Memory),
        Some(folder) => {
            // Keys and webhook addresses stand in there: nobody else's business.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(|| format!("cannot create the data directory `{}`", folder.display()))?;
            Box::new(store::Sqlite::open(&folder.join("catalog.db"))?)
        }
    };
    Ok(Catalog::open(store, clock)?)
}

fn open_monitor(
    settings: &Settings,
    http: SocketAddr,
    catalog: &Catalog,
    clock: &Clock,
    outcomes: mpsc::Receiver<Outcome>,
) -> anyhow::Result<(Monitor, History)> {
    let storage = match &settings.data_dir {
        None => Storage::Memory,
        Some(folder) => Storage::File(folder.join("monitor.db")),
    };
    let mut config = settings.monitor.clone();
    if config.service_url.is_empty() {
        config.service_url = format!("http://{http}/ui/services/{{service}}");
    }
    Ok(Monitor::open(config, storage, catalog.clone(), clock.clone(), outcomes)?)
}

fn open_pager(
    settings: &Settings,
    http: SocketAddr,
    catalog: &Catalog,
    clock: &Clock,
    monitor: &mut Monitor,
) -> anyhow::Result<(Oncall, Pager)> {
    let storage = match &settings.data_dir {
        None => Storage::Memory,
        Some(folder) => Storage::File(folder.join("oncall.db")),
    };
    let url = settings.public_url.clone().unwrap_or_else(|| format!("http://{http}"));
    let config = wharf_pager::Config { source: settings.oncall.clone(), url };
    let (open, incidents) = monitor.incidents();
    let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let parts = wharf_pager::Parts {
        storage,
        catalog: catalog.clone(),
        clock: clock.clone(),
        open,
        incidents,
        random: random.iter().flat_map(uuid::Uuid::as_bytes).copied().collect(),
    };
    Ok(Oncall::open(config, parts)?)
}

/// A past from elsewhere is taken where nobody but this machine can bring one, or the settings say so.
fn pages_config(settings: &Settings, http: SocketAddr, proxy: SocketAddr) -> wharf_dashboards::Config {
    wharf_dashboards::Config {
        proxy_addr: Some(proxy),
        import: settings.pages.import || http.ip().is_loopback(),
        maintenance: settings.monitor.maintenance.clone(),
        ..settings.pages.clone()
    }
}

/// The node's UUID: made once, then kept beside the catalog. One that a crash left unwritten is made anew.
fn node_id(data_dir: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = data_dir.map(|folder| folder.join("node-id")) else {
        return Ok(uuid::Uuid::new_v4().to_string());
    };
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if let Ok(id) = kept.trim().parse::<uuid::Uuid>() {
        return Ok(id.to_string());
    }
    let fresh = uuid::Uuid::new_v4().to_string();
    std::fs::write(&path, &fresh).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(fresh)
}

async fn names(
    catalog: Catalog,
    config: wharf_catalog_dns::Config,
    sockets: wharf_catalog_dns::Sockets,
    stop: CancellationToken,
) {
    let queries = wharf_catalog_dns::Queries::new(prepared_query);
    if let Err(error) = wharf_catalog_dns::serve(catalog, config, queries, sockets, stop).await {
        warn!(%error, "DNS ended");
    }
}

async fn templates(
    config: wharf_template::Config,
    catalog: Catalog,
    clock: Clock,
    statuses: wharf_template::Statuses,
    stop: CancellationToken,
) {
    if let Err(error) = wharf_template::run(config, catalog, clock, statuses, stop).await {
        warn!(%error, "templates are not rendered");
    }
}

/// What a prepared query means in DNS. One for mesh proxies finds nothing here.
fn prepared_query(state: &State, name: &str) -> Option<wharf_catalog_dns::ServiceQuery> {
    let query = prepared::resolve(state, name).ok()?;
    let question = query.service;
    (!question.connect).then(|| wharf_catalog_dns::ServiceQuery {
        service: question.service,
        tags: question.tags.unwrap_or_default(),
        only_passing: question.only_passing,
        node_meta: question.node_meta.unwrap_or_default(),
        service_meta: question.service_meta.unwrap_or_default(),
        ttl: humantime::parse_duration(&query.dns.ttl).ok(),
    })
}

/// How the external balancers do, and which instances each uses and why.
fn balancers_page(statuses: wharf_proxy_drivers::Statuses) -> Router {
    let answer = move || async move { axum::Json(serde_json::json!({ "balancers": statuses.all() })) };
    Router::new().route("/wharf/v1/balancers", get(answer))
}

/// How the templates do, for `wharf template explain`.
fn templates_page(catalog: Catalog, datacenter: String, statuses: wharf_template::Statuses) -> Router {
    let feed = wharf_template::Feed::from(catalog);
    let explain =
        move || async move { axum::Json(wharf_template::explain::all(&feed, &datacenter, &statuses)) };
    Router::new().route("/wharf/v1/templates", get(explain))
}

fn metrics_page(metrics: PrometheusHandle) -> Router {
    let text = [("content-type", "text/plain; version=0.0.4; charset=utf-8")];
    Router::new().route("/metrics", get(move || async move { (text, metrics.render()) }))
}

/// The signals that ask us to end.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on they no longer end the process by themselves.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Waits for a part that panicked. Half a wharf would go on saying what is no longer true; a supervisor
/// starts a whole one. Parts that have nothing to do may end early.
async fn failure(parts: &mut JoinSet<()>) -> JoinError {
    while let Some(ended) = parts.join_next().await {
        if let Err(error) = ended {
            return error;
        }
    }
    std::future::pending().await
}

async fn finish(mut parts: JoinSet<()>, grace: Duration) {
    let all = async {
        while let Some(ended) = parts.join_next().await {
            if let Err(error) = ended {
                error!(%error, "a part failed while it stopped");
            }
        }
    };
    if tokio::time::timeout(grace, all).await.is_err() {
        warn!(unfinished = parts.len(), "stopped before everything had finished");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_id_is_kept_and_a_half_written_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let id = || node_id(Some(folder.path())).unwrap();
        let first = id();
        assert_eq!(id(), first);
        std::fs::write(folder.path().join("node-id"), "").unwrap();
        assert_ne!(id(), "");
    }

    #[tokio::test]
    async fn a_part_that_fails_is_noticed_and_one_that_is_done_is_not() {
        let mut parts = JoinSet::new();
        parts.spawn(async {});
        parts.spawn(async { panic!("broken") });
        assert!(failure(&mut parts).await.is_panic());
    }
}
