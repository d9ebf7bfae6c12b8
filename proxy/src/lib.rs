//! The embedded load balancer: takes requests in and sends each to a passing instance of its service.
//!
//! The routes come straight from the catalog watch, with no file in between: a commit becomes a new
//! immutable [`RouteTable`], and requests that arrive afterwards see it. An instance that left the
//! table gets no new request; those it has are finished.
//!
//! Pure: [`table`] (which endpoints a service has, and why one is out), [`matching`] (which service a
//! request is for), [`balance`] (whose turn it is), [`ejection`] (who is skipped for a moment),
//! [`retry`] (may this be sent again), [`headers`] (what is passed on).
//! Edges: `upstream` (connections), `forward` (one request through), `exchange` (all
//! its attempts), `tunnel` (after an upgrade), `listener` (the accept loop), [`balancers`] (the external ones
//! that follow the same table).

pub mod balance;
pub mod balancers;
mod body;
pub mod config;
pub mod ejection;
pub mod error;
mod exchange;
mod forward;
pub mod headers;
mod listener;
pub mod matching;
mod measure;
mod proxy;
mod reply;
pub mod retry;
pub mod table;
mod tunnel;
mod upstream;

pub use config::Config;
pub use error::{Fault, ProxyError};
pub use proxy::Proxy;
pub use table::{Endpoint, Out, Rotation, RouteTable, Service};
