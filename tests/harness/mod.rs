//! What the journeys stand on: a real `wharf dev`, real containers, and waiting for conditions.
//!
//! Everything started here is ended when its value is dropped, by pid or by name of its own.

pub mod balancer;
pub mod browser;
pub mod clients;
pub mod containers;
pub mod dns;
pub mod load;
pub mod phone;
pub mod wait;
pub mod wharf;

pub use balancer::free_address;
pub use containers::{Containers, Engine};
pub use wait::{eventually, until};
pub use wharf::Wharf;

/// A name nobody else on this machine uses: `<stem>-<pid>-<n>`.
pub fn unique(stem: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
