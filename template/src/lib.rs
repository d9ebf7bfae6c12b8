//! Templates: configuration files that follow the catalog, published only when they are good.
//!
//! A template is rendered when something it *read* changed and things have calmed down for a moment; the
//! result is checked by a command of the user's, put in place by an atomic rename, and the program that
//! reads it is told to reload. What fails on the way never replaces a file that works.
//!
//! Pure: [`config`], [`import`] (consul-template's own settings), [`syntax`] (source -> template), [`eval`] (template + catalog -> text + what it
//! read; [`source`] answers its questions), [`guard`] (did the catalog lose everything?), `damping` (who flaps?), [`quiescence`] (when?).
//! Edges: [`render`] (atomic write), [`machine`] (its addresses), [`reload`] (commands, signals), [`mirror`] (a catalog elsewhere), [`run`] (the loop),
//! [`status`] (how it goes).

pub mod config;
mod ctmpl;
mod damping;
pub mod eval;
pub mod explain;
pub mod guard;
mod helpers;
pub mod import;
pub mod machine;
pub mod mirror;
pub mod query;
pub mod quiescence;
pub mod reload;
pub mod run;
pub mod source;
pub mod status;
pub mod syntax;

pub use wharf_publish::destination as render;

pub use config::{Config, ConfigError, OnEmpty, Perms, Source, TemplateConfig, Wait};
pub use mirror::{Mirror, MirrorConfig};
pub use run::{Done, Failure, Feed, Rendered, dry_run, dry_run_once, render_once, run};
pub use status::{Condition, Status, Statuses};

/// The shipped nginx configuration: every service by path `/<service>/` and by `Host: <service>.*`.
///
/// Variables: `listen` (address and port), `prefix` (directory for the pid file, the error log and
/// temporary files, which nginx must be able to write), `workers`, `user`, `access_log`.
pub const NGINX: &str = include_str!("../templates/nginx.conf.hbs");
