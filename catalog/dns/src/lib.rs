//! Consul's DNS interface over the catalog: services, nodes and addresses by name.
//!
//! Pure: `config`, `question` (what is asked for), `answer` (what the catalog says to it), `query` (the seam for
//! prepared queries), `spelling` and `reverse` (names without regard to case, and by address), `packet` (what a
//! client sent), `wire` (what goes back, and how much of it), `responder` (all of these for one packet).
//! `datagrams` is that without a socket.
//! Edges: `server` (datagrams), `stream` (connections), `recurse` (others who know more), `sockets`.
//!
//! Invariant: an answer is rendered once for each question and state of what it depends on, and kept as bytes;
//! to answer means to copy them in a fresh order. Each socket has its own; nothing is shared, nothing locked.
//!
//! Where this differs from Consul 1.8.7 on purpose: an answer that does not fit is cut with the TC bit, however
//! small the client's buffer, and is never longer than the client said (Consul cuts without TC, to 3 answers, or
//! not at all); `0a090101.addr.consul` has its A record among the additional ones when another type is asked for,
//! as in later Consuls; names of a service mesh (`connect`, `ingress`) do not exist; beside instances with
//! addresses, one with a host name is left out for every type (a CNAME stands alone, RFC 1034, 3.6.2).

mod answer;
mod config;
mod datagrams;
mod packet;
mod query;
mod question;
mod recurse;
mod responder;
mod reverse;
mod server;
mod sockets;
mod spelling;
mod stream;
mod telemetry;
mod wire;

pub use config::{Config, Soa};
pub use datagrams::Datagrams;
pub use query::{Queries, ServiceQuery};
pub use server::{ServeError, serve};
pub use sockets::{Sockets, bind};
