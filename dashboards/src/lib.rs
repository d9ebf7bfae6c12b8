//! The pages under `/ui/`: what do people see, and how does it stay true while they look?
//!
//! Pure: [`view`] (catalog state and history -> what is shown), `live::event` (two boards -> what changed), `badge`,
//! `csv`, `status::page`.
//! Edges: `assets` (embedded files), `api` (JSON), `live` (one shared computation, one event stream a viewer),
//! `uptime` (the past for scripts), `status` (public pages).
//! Nothing here decides or remembers: it reads, and hands what it is given to the catalog and the monitor.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock};
use wharf_monitor::History;
use wharf_pager::Pager;
use wharf_proxy::Proxy;

mod api;
mod assets;
mod badge;
mod csv;
mod live;
mod memo;
mod oncall;
mod status;
mod uptime;
pub mod view;
mod window;

pub use status::{Announcement, StatusPage};
pub use window::{UnknownWindow, WindowName};

/// Where the pages get everything they show.
#[derive(Debug, Clone)]
pub struct Sources {
    /// What exists now.
    pub catalog: Catalog,
    /// How it has been.
    pub history: History,
    /// Where requests go now, if this process balances them.
    pub proxy: Option<Proxy>,
    /// Incidents and pages, if this process deals with them.
    pub pager: Option<Pager>,
    /// What time it is.
    pub clock: Clock,
    /// What can be set.
    pub config: Config,
}

/// What can be set about the pages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the load balancer answers, for links to services; not set: no links. An unspecified address
    /// (`0.0.0.0`) means the host the page was opened on.
    #[serde(skip)]
    pub proxy_addr: Option<SocketAddr>,
    /// Take a past from elsewhere at `POST /wharf/v1/uptime/import`.
    pub import: bool,
    /// Public pages, each at `/status/<tag>`.
    pub status_pages: Vec<StatusPage>,
    /// What is announced on them.
    pub announcements: Vec<Announcement>,
    /// The settings' maintenance windows, to be listed beside those of the API.
    #[serde(skip)]
    pub maintenance: Vec<wharf_monitor::maintenance::Maintenance>,
}

impl Config {
    /// The first mistake in it.
    pub fn validate(&self) -> Result<(), String> {
        self.announcements.iter().try_for_each(Announcement::check)
    }
}

/// Serves `/ui` and everything under it, and sends `/` there. Has to be called within a tokio runtime;
/// event streams end and the shared computation stops with `shutdown`.
pub fn router(sources: Sources, shutdown: CancellationToken) -> Router {
    let assets = Arc::new(assets::Assets::embedded());
    let hub = live::Hub::start(sources.clone(), assets.version().to_owned(), shutdown.clone());
    Router::new()
        .merge(uptime::router(sources.clone()))
        .merge(status::router(sources.clone()))
        .nest("/ui/api", api::router(sources).merge(live::router(hub, shutdown)))
        .merge(assets::router(assets))
        .layer(axum::middleware::map_response(assets::guarded))
}
