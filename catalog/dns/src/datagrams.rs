//! Answers datagrams without a socket, as [`serve`](crate::serve) answers those it receives: for benchmarks and
//! fuzzing.

use wharf_catalog::State;

use crate::{
    Config, Queries,
    responder::{Responder, Settings, Transport, Verdict},
    wire::Reply,
};

/// What one socket knows. Nobody is asked for what is not ours.
#[derive(Debug)]
pub struct Datagrams {
    responder: Responder,
    reply: Reply,
}

impl Datagrams {
    /// Draws the orders of its answers from `seed`.
    pub fn new(config: Config, queries: Queries, seed: u64) -> Self {
        let settings = Settings::new(config, queries, false);
        Self { responder: Responder::new(settings, seed), reply: Reply::default() }
    }

    /// The reply to this packet as of `state`; `None` if it is to be ignored.
    pub fn reply(&mut self, state: &State, packet: &[u8]) -> Option<&[u8]> {
        match self.responder.respond(state, packet, Transport::Datagram, &mut self.reply) {
            Verdict::Reply => Some(&self.reply.bytes),
            Verdict::Silence | Verdict::Forward | Verdict::Chase(_) => None,
        }
    }
}
