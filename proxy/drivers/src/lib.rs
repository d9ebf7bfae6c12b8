//! Drivers for load balancers that other people wrote: nginx, HAProxy and Varnish follow the same routes as
//! the embedded one.
//!
//! Each driver has a pure core, `(routes, what is there, configuration) -> plan`: a new file, commands for the
//! running program, a reload; and a thin edge that carries it out and never leaves less than it found. They
//! know nothing of the catalog: `Routes` go in, and a strange word has no way past [`routes`].
//!
//! Pure: [`config`], [`routes`] (labels -> typed values), [`hold`] (what if we know less than the balancer?),
//! [`pace`] (how often may it reload?), `*/render` (routes -> file), `haproxy/plan`, `varnish/plan`, the
//! parsers of both programs' answers. Edges: [`run()`] (the loop), `haproxy/socket`, `varnish/admin`,
//! [`status`] (how it goes).

mod balancer;
pub mod config;
pub mod duration;
pub mod haproxy;
pub mod hold;
#[cfg(test)]
mod hostile;
pub mod nginx;
pub mod pace;
#[cfg(test)]
mod properties;
pub mod routes;
mod run;
pub mod status;
pub mod varnish;

pub use balancer::DriverError;
pub use config::{Balancers, Haproxy, Nginx, Varnish};
pub use routes::{Candidate, Routes};
pub use run::run;
pub use status::{Condition, Status, Statuses};

/// Runs what blocks (a disk) away from the loop.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DriverError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DriverError::Broken)
}
