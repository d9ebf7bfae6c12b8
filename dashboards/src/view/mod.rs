//! What is shown? Catalog state and history in, plain values out, ready to be serialised.
//!
//! Pure. Times are milliseconds since the Unix epoch, durations milliseconds, shares 0 to 1. Figures are
//! rounded here, once, so that noise nobody can see never counts as a change.

use wharf_catalog::Instance;

mod detail;
mod node;
mod service;
#[cfg(test)]
mod tests;

pub use detail::{CheckRow, InstanceRow, RouteOf, ServicePage, Weights, service_page};
pub use node::{NodeInstance, NodeRow, node_rows};
pub use service::{Bar, Figures, ServiceRow, service_rows};

/// The instance the catalog registers for itself, as Consul does. Clients expect it; nobody operates it.
fn is_catalog_itself(instance: &Instance) -> bool {
    const CATALOG_ITSELF: &str = "consul";
    &*instance.id == CATALOG_ITSELF && &*instance.name == CATALOG_ITSELF
}

/// Rounds a share down to five digits: 1 stays the word for "perfect".
fn share(value: f64) -> f64 {
    floor_to(value, 1e5)
}

/// Rounds a response time to what people can tell apart.
fn millis(value: f64) -> f64 {
    let scale = if value < 10.0 { 100.0 } else { 10.0 };
    (value * scale).round() / scale
}

fn floor_to(value: f64, scale: f64) -> f64 {
    // The nudge keeps 0.29 * 100 = 28.999... from falling to 28.
    (value * scale + 1e-7).floor() / scale
}
