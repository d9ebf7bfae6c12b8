//! Varnish: programs (VCL) loaded and used through its command line, backends marked sick at once.
//!
//! A program is loaded under a name made of its bytes, so that nothing is loaded twice; loading compiles it, and
//! that is its check: one that Varnish refuses changes nothing. The file holds what Varnish last took, for it to
//! start with. Programs that are no longer used are discarded.

mod admin;
pub mod plan;
mod render;

use std::{path::Path, time::Duration};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wharf_publish::{Attributes, Destination, run_command};

pub use render::render;

use self::{
    admin::Admin,
    plan::{Loaded, Plan, plan},
};
use crate::{
    balancer::{Balancer, Done, DriverError},
    blocking,
    config::Varnish,
    routes::Routes,
};

/// Our programs' names begin so.
const PREFIX: &str = "wharf-";
/// Longest run of the checker.
const LIMIT: Duration = Duration::from_secs(120);
/// The running program is looked up again after this long: somebody else may have spoken to Varnish.
const TRUSTED: Duration = Duration::from_secs(4);

pub(crate) struct Driver {
    config: Varnish,
    shutdown: CancellationToken,
    admin: Option<Admin>,
    /// The program that runs, if we loaded it, and when that was last seen to be so.
    loaded: Option<(Loaded, Instant)>,
    /// What we wrote last.
    written: Option<String>,
}

impl Driver {
    pub(crate) fn new(config: Varnish, shutdown: CancellationToken) -> Self {
        Self { config, shutdown, admin: None, loaded: None, written: None }
    }

    async fn admin(&mut self) -> Result<&mut Admin, DriverError> {
        if self.admin.is_none() {
            self.admin = Some(Admin::connect(&self.config.admin, &self.config.secret).await?);
            // It may be another process than before.
            self.loaded = None;
        }
        self.admin.as_mut().ok_or(DriverError::Broken)
    }

    async fn say(&mut self, command: &str) -> Result<String, DriverError> {
        let said = self.admin().await?.say(command).await;
        if matches!(said, Err(DriverError::Unreachable { .. })) {
            self.admin = None;
        }
        said
    }

    /// Forgets the program that runs if it is not the one we think.
    async fn look(&mut self) -> Result<(), DriverError> {
        self.admin().await?;
        let Some((loaded, at)) = self.loaded.take() else { return Ok(()) };
        if at.elapsed() < TRUSTED {
            self.loaded = Some((loaded, at));
            return Ok(());
        }
        let listed = self.say("vcl.list").await?;
        if active(&listed) == Some(loaded.name.as_str()) {
            self.loaded = Some((loaded, Instant::now()));
        }
        Ok(())
    }

    /// Marks backends of the running program; gives how many.
    async fn mark(&mut self, plan: &Plan) -> Result<u64, DriverError> {
        let Some((mut loaded, at)) = self.loaded.take() else { return Ok(0) };
        for (backends, health) in [(&plan.well, "auto"), (&plan.sick, "sick")] {
            for backend in backends {
                // Should one be refused, nothing is known any more and a program is loaded.
                self.say(&format!("backend.set_health {}.{backend} {health}", loaded.name)).await?;
            }
        }
        loaded.sick.extend(plan.sick.iter().cloned());
        loaded.sick.retain(|backend| !plan.well.contains(backend));
        self.loaded = Some((loaded, at));
        Ok(u64::try_from(plan.sick.len() + plan.well.len()).unwrap_or(u64::MAX))
    }

    /// Compiles and uses the program; those before it go when their last request has been answered.
    async fn load(&mut self, text: &str, routes: &Routes) -> Result<(), DriverError> {
        let name = format!("{PREFIX}{}", fingerprint(text));
        let listed = self.say("vcl.list").await?;
        let known = programs(&listed).any(|(state, known)| state != "discarded" && known == name);
        let end = format!("end-of-{name}");
        let load = if known {
            // Marks of an earlier time may still be on it.
            format!("backend.set_health {name}.* auto")
        } else {
            format!("vcl.inline {name} << {end}\n{text}\n{end}")
        };
        self.say(&load).await?;
        self.say(&format!("vcl.use {name}")).await?;
        self.loaded = Some((Loaded::new(name.clone(), routes), Instant::now()));
        let old: Vec<String> = programs(&listed)
            .filter(|(state, known)| *state != "discarded" && *known != name && known.starts_with(PREFIX))
            .map(|(_, known)| known.to_owned())
            .collect();
        for program in old {
            self.say(&format!("vcl.discard {program}")).await?;
        }
        Ok(())
    }

    /// Keeps the program for Varnish to start with. `check`: nobody has compiled it yet.
    async fn write(&mut self, text: String, check: bool) -> Result<(), DriverError> {
        if self.written.as_ref() == Some(&text) {
            return Ok(());
        }
        let (path, bytes) = (self.config.config.clone(), text.clone());
        let staged = blocking(move || {
            let destination = Destination::new(&path, &Attributes::default())?;
            if destination.current()?.as_deref() == Some(bytes.as_bytes()) {
                return Ok(None);
            }
            destination.stage(bytes.as_bytes())?;
            Ok::<_, DriverError>(Some(destination))
        })
        .await??;
        if let Some(destination) = staged {
            if check {
                self.check(&destination).await?;
            }
            blocking(move || destination.publish(false)).await??;
        }
        self.written = Some(text);
        Ok(())
    }

    async fn check(&self, destination: &Destination) -> Result<(), DriverError> {
        let candidate = destination.candidate().to_owned();
        let program = self.config.program.display().to_string();
        let argv = [program, "-C".to_owned(), "-f".to_owned(), candidate.display().to_string()];
        let checked = run_command(&argv, LIMIT, &self.shutdown).await;
        checked.map(|_| ()).map_err(|source| DriverError::Check { candidate, source })
    }

    async fn follow(&mut self, routes: &Routes, may_reload: bool) -> Result<Done, DriverError> {
        self.look().await?;
        let plan = plan(self.loaded.as_ref().map(|(loaded, _)| loaded), routes, &self.config);
        let commands = self.mark(&plan).await?;
        if plan.load && !may_reload {
            return Ok(Done { commands, waits: true, ..Done::default() });
        }
        if plan.load {
            self.load(&plan.text, routes).await?;
        }
        self.write(plan.text, false).await?;
        Ok(Done { commands, reloaded: plan.load, ..Done::default() })
    }
}

impl Balancer for Driver {
    const NAME: &'static str = "varnish";

    fn file(&self) -> &Path {
        &self.config.config
    }

    async fn apply(&mut self, routes: &Routes, may_reload: bool) -> Result<Done, DriverError> {
        let followed = self.follow(routes, may_reload).await;
        if let Err(DriverError::Unreachable { .. }) = &followed {
            self.admin = None;
            // Nobody is there to compile it: checked by hand, it waits for Varnish to start.
            self.write(render(&self.config, routes), true).await?;
        }
        followed
    }
}

/// Twelve bytes of its SHA-256, in hexadecimal.
fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// State and name of each program in `vcl.list`.
fn programs(listed: &str) -> impl Iterator<Item = (&str, &str)> {
    listed.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // A label ends in `-> NAME`, a program in its name or `(n labels)`.
        Some((*words.first()?, *words.get(4)?))
    })
}

fn active(listed: &str) -> Option<&str> {
    programs(listed).find(|(state, _)| *state == "active").map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_programs_is_read() {
        let listed = "active      auto    warm         2    x1\navailable   auto    cold         0    wharf-ab (1 label)\n\n";
        assert_eq!(programs(listed).collect::<Vec<_>>(), [("active", "x1"), ("available", "wharf-ab")]);
        assert_eq!(active(listed), Some("x1"));
    }
}
