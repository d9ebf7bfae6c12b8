//! The drivers before the real programs: nginx, HAProxy and Varnish as Debian ships them.

#![expect(unreachable_pub, reason = "the harness is a module here, its `pub` says what tests may use")]
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a broken test has to be loud")]

#[path = "../../../../tests/harness/balancer.rs"]
#[allow(dead_code, reason = "the journeys use more of it")]
mod balancer;
#[path = "../../src/hostile.rs"]
mod hostile;
mod stage;

mod caching;
mod files;
mod following;
mod labels;
mod routing;
