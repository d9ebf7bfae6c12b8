//! The configuration file is read again when it is changed; a broken edit leaves the last good one in force.

use std::{path::PathBuf, time::Duration};

use metrics::counter;
use notify::{Event, RecursiveMode, Watcher as _};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{desk::Command, run::Source};

/// Between two looks: what a network mount does not tell is seen then, and an editor that writes twice is read once.
const LOOK: Duration = Duration::from_secs(2);
/// An edit is over when nothing has happened for so long.
const CALM: Duration = Duration::from_millis(100);

/// Until `shutdown`.
pub(crate) async fn follow(
    source: Source,
    mut text: String,
    desk: mpsc::WeakUnboundedSender<Command>,
    shutdown: CancellationToken,
) {
    let (told, mut edits) = mpsc::unbounded_channel();
    let _watcher = watcher(&source.path, told);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(()) = edits.recv() => {
                sleep(CALM).await;
                while edits.try_recv().is_ok() {}
            }
            () = sleep(LOOK) => {}
        }
        let path = source.path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        // One that is away for a moment (an editor that replaces it) is not an empty one.
        let Ok(Ok(now)) = read else { continue };
        if now == text {
            continue;
        }
        text = now;
        match source.parse(&text) {
            Ok(plan) => {
                let Some(desk) = desk.upgrade() else { return };
                let _ = desk.send(Command::Files(Box::new((*plan).clone())));
            }
            Err(error) => {
                counter!("wharf_pager_configurations_refused_total").increment(1);
                tracing::error!(%error, "the on-call configuration was changed and is wrong: the last good one stays");
            }
        }
    }
}

fn watcher(path: &std::path::Path, told: mpsc::UnboundedSender<()>) -> Option<notify::RecommendedWatcher> {
    let path: PathBuf = std::path::absolute(path).ok()?;
    let directory = path.parent()?.to_owned();
    let ours = move |event: &Event| {
        !event.kind.is_access() && (event.paths.is_empty() || event.paths.contains(&path))
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.as_ref().is_ok_and(&ours) {
            let _ = told.send(());
        }
    })
    .ok()?;
    watcher.watch(&directory, RecursiveMode::NonRecursive).ok()?;
    Some(watcher)
}
