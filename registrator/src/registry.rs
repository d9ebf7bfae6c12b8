//! The catalog that containers are registered in: this process's own, or another one over HTTP.
//!
//! Both speak the catalog's own language: a [`State`] to compare with, [`Command`]s to carry out. One battery of
//! tests (`tests/registries.rs`) holds for both.

mod embedded;
pub mod remote;

use std::sync::Arc;

use wharf_catalog::{Command, State};

pub use embedded::Embedded;
pub use remote::Remote;

/// A catalog to register containers in.
pub trait Registry: Send + Sync {
    /// What the catalog holds on our node, as far as anybody knows.
    fn snapshot(&self) -> impl Future<Output = Result<Held, RegistryError>> + Send;

    /// Has the catalog carry out `commands`. What it refuses does not keep the rest from happening; an error
    /// means that nothing is known of the rest, and that the next snapshot tells.
    fn commit(
        &self,
        commands: Vec<Command>,
    ) -> impl Future<Output = Result<Vec<Refusal>, RegistryError>> + Send;

    /// Waits until the next snapshot may differ from what the last one and our own commits say.
    fn changed(&self) -> impl Future<Output = ()> + Send;

    /// Does whoever runs its checks run on this machine, where container addresses can be reached?
    fn is_local(&self) -> bool;
}

/// What a catalog holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// At least our node's part of it.
    pub state: Arc<State>,
    /// Others may have changed it since the last snapshot: what that said of anything counts no more.
    pub news: bool,
    /// How often the catalog has been away, and may have lost what stood in it.
    pub absences: u64,
}

/// Something the catalog does not take.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// The instance it is about.
    pub instance: Arc<str>,
    /// In the catalog's words.
    pub reason: String,
}

/// Why the catalog cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nothing can be done but wait, or see to the catalog.
    #[error("{0}")]
    Unavailable(String),
    /// Register somewhere else.
    #[error(
        "node `{0}` has an agent of its own, which removes what others register on it: \
         use `--catalog-mode agent`, or another `--node-name`"
    )]
    HasAgent(String),
}
