//! nginx: a file it includes, and a reload whenever the file changed.
//!
//! Open-source nginx takes new servers up by a reload only. The file therefore holds nothing that changes
//! without need: the same set of instances makes the same bytes, and the same bytes make no reload. A reload
//! lets old workers finish the requests they have; they take no new ones.

mod render;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use wharf_publish::{Attributes, CommandError, Destination, run_command};

pub use render::render;

use crate::{
    balancer::{Balancer, Done, DriverError},
    blocking,
    config::Nginx,
    routes::Routes,
};

/// Longest run of nginx's checker.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Driver {
    config: Nginx,
    shutdown: CancellationToken,
    /// The file in place is not known to have been taken up.
    owes: bool,
}

impl Driver {
    pub(crate) fn new(config: Nginx, shutdown: CancellationToken) -> Self {
        Self { config, shutdown, owes: false }
    }

    async fn nginx(&self, arguments: &[&str]) -> Result<String, CommandError> {
        let program = self.config.program.display().to_string();
        let argv: Vec<String> =
            std::iter::once(program).chain(arguments.iter().map(|a| (*a).to_owned())).collect();
        run_command(&argv, LIMIT, &self.shutdown).await
    }

    /// Has nginx read the candidate, in surroundings of its own.
    async fn check(&self, destination: &Destination) -> Result<(), DriverError> {
        let candidate = destination.candidate().to_owned();
        let around = around(&candidate);
        let text = surroundings(&candidate);
        let written = around.clone();
        blocking(move || {
            std::fs::write(&written, text)
                .map_err(|source| DriverError::Read { path: written.display().to_string(), source })
        })
        .await??;
        let checked = self.nginx(&["-t", "-q", "-c", &around.display().to_string()]).await;
        let _ = std::fs::remove_file(&around);
        checked.map(|_| ()).map_err(|source| DriverError::Check { candidate, source })
    }

    /// Tells nginx; on its no, the last good file comes back. nginx reads everything itself before it says yes.
    async fn reload(&mut self, destination: &Destination) -> Result<(), DriverError> {
        let main = self.config.main.display().to_string();
        let Err(error) = self.nginx(&["-s", "reload", "-c", &main]).await else {
            self.owes = false;
            return Ok(destination.confirm()?);
        };
        if matches!(error, CommandError::Interrupted(_)) {
            // We are stopping; the next start sees that a reload is owed.
            return Err(DriverError::Reload { reason: error.to_string(), rolled_back: false });
        }
        if self.nginx(&["-t", "-q", "-c", &main]).await.is_ok() {
            // Nothing wrong with the files: nobody is there to read them.
            return Err(DriverError::NotRunning { program: "nginx", reason: error.to_string() });
        }
        let rolled_back = destination.roll_back()?;
        self.owes = false;
        Err(DriverError::Reload { reason: error.to_string(), rolled_back })
    }
}

impl Balancer for Driver {
    const NAME: &'static str = "nginx";

    fn file(&self) -> &Path {
        &self.config.config
    }

    async fn apply(&mut self, routes: &Routes, may_reload: bool) -> Result<Done, DriverError> {
        let (config, routes) = (self.config.clone(), routes.clone());
        let (destination, text, same) = blocking(move || {
            let text = render(&config, &routes);
            let destination = Destination::new(&config.config, &Attributes::default())?;
            let same = destination.current()?.as_deref() == Some(text.as_bytes());
            Ok::<_, DriverError>((destination, text, same))
        })
        .await??;
        let owes = self.owes || destination.owes_reload();
        if same && !owes {
            return Ok(Done::default());
        }
        if !may_reload {
            return Ok(Done { waits: true, ..Done::default() });
        }
        if !same {
            let staged = destination.clone();
            blocking(move || staged.stage(text.as_bytes())).await??;
            self.check(&destination).await?;
            let staged = destination.clone();
            blocking(move || staged.publish(true)).await??;
            self.owes = true;
        }
        self.reload(&destination).await?;
        Ok(Done { reloaded: true, ..Done::default() })
    }
}

fn around(candidate: &Path) -> PathBuf {
    let mut name = candidate.file_name().unwrap_or_default().to_owned();
    name.push(".check");
    candidate.with_file_name(name)
}

/// A main file with nothing in it but the candidate.
fn surroundings(candidate: &Path) -> String {
    let path = candidate.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "pid \"{path}.pid\";\nerror_log stderr;\nevents {{ }}\nhttp {{\n    access_log off;\n    include \"{path}\";\n}}\n"
    )
}
