//! After `101 Switching Protocols`: bytes both ways until one side ends.

use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::{listener::Client, proxy::Inner, upstream::Sender};

/// The two ends of a tunnel that is about to open.
pub(crate) struct Tunnel {
    pub(crate) client: OnUpgrade,
    pub(crate) upstream: OnUpgrade,
    /// Kept, so that the upstream connection is not closed before it is taken over.
    pub(crate) sender: Sender,
}

/// Carries the tunnel in a task of its own, counted as a connection until it ends.
pub(crate) fn open(inner: &Arc<Inner>, client: Arc<Client>, tunnel: Tunnel) {
    let cut = inner.cut.clone();
    inner.tasks.spawn(async move {
        tokio::select! {
            () = cut.cancelled() => {}
            () = carry(tunnel) => {}
        }
        drop(client);
    });
}

async fn carry(tunnel: Tunnel) {
    let (client, upstream) = match tokio::try_join!(tunnel.client, tunnel.upstream) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "tunnel did not open"),
    };
    drop(tunnel.sender);
    let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut upstream).await {
        tracing::debug!(%error, "tunnel broke");
    }
}
