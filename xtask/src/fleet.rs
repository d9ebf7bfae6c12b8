//! The demo's fleet: a dozen named services, as containers with nothing but labels, or as plain processes that
//! register themselves. Dropping a fleet takes all of it down.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;

use crate::image;
use crate::process::{Background, bound_to_us, output};
use crate::project::Project;
use crate::server::Addresses;
use crate::wait::Interrupt;

/// The label by which our containers are known.
const LABEL: &str = "wharf.demo";

const DOCKER: Duration = Duration::from_secs(60);

/// How many containers are started at the same time.
const AT_ONCE: usize = 4;

/// One service of the fleet.
pub(crate) struct Member {
    /// The service's name.
    pub(crate) name: &'static str,
    instances: usize,
    /// How long its work takes, so that the response times on the pages differ.
    delay: &'static str,
    labels: &'static [(&'static str, &'static str)],
}

const fn member(name: &'static str, instances: usize, delay: &'static str) -> Member {
    Member { name, instances, delay, labels: &[] }
}

impl Member {
    const fn labelled(self, labels: &'static [(&'static str, &'static str)]) -> Self {
        Self { labels, ..self }
    }
}

/// The services, most with a name and nothing else.
pub(crate) const MEMBERS: &[Member] = &[
    member("atlas-service", 3, "2ms").labelled(&[("SERVICE_TAGS", "maps,public")]),
    member("authz-service", 2, "1ms"),
    member("billing-service", 1, "12ms"),
    member("completions-tile-service", 2, "25ms"),
    member("entitlements-service", 1, "3ms"),
    member("exports-service", 1, "80ms").labelled(&[("SERVICE_TAGS", "batch")]),
    member("feature-gates-service", 2, "1ms")
        .labelled(&[("SERVICE_80_CHECK_HTTP", "/health"), ("SERVICE_80_CHECK_INTERVAL", "2s")]),
    member("identity-service", 2, "4ms"),
    member("license-generator-service", 1, "15ms"),
    member("mailer-service", 1, "8ms"),
    member("papi-service", 3, "6ms").labelled(&[("SERVICE_TAGS", "public")]),
    member("thumbnails-service", 1, "40ms"),
];

/// A running fleet.
pub(crate) enum Fleet {
    /// Containers; found again by their label.
    Containers,
    /// Processes, each with the service it plays.
    Processes(Vec<(&'static str, Background)>),
}

impl Fleet {
    /// Starts every instance as a container, a few at a time.
    pub(crate) fn containers(interrupt: &Interrupt) -> anyhow::Result<Self> {
        let instances =
            MEMBERS.iter().flat_map(|member| (1..=member.instances).map(move |number| (member, number)));
        let queue = Mutex::new(instances);
        let fleet = Self::Containers;
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    scope.spawn(|| {
                        while let Some((member, number)) =
                            queue.lock().ok().and_then(|mut queue| queue.next())
                        {
                            let started = interrupt.check().and_then(|()| run_container(member, number));
                            if started.is_err() {
                                // The others need not go on either.
                                queue.lock().iter_mut().for_each(|queue| queue.by_ref().for_each(drop));
                                return started;
                            }
                        }
                        anyhow::Ok(())
                    })
                })
                .collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Ok(())))
        })?;
        Ok(fleet)
    }

    /// Starts every instance as a process that registers itself.
    pub(crate) fn processes(project: &Project, binary: &Path, addresses: Addresses) -> anyhow::Result<Self> {
        let mut processes = Vec::new();
        for member in MEMBERS {
            for number in 1..=member.instances {
                let mut command = bound_to_us(binary);
                command
                    .args(["echo", "--listen", "127.0.0.1:0", "--name", member.name, "--delay", member.delay])
                    .args(["--register", &format!("http://{}", addresses.http)]);
                let log = project.state("demo").join(format!("{}-{number}.log", member.name));
                processes.push((member.name, Background::start(command, &log, Duration::from_secs(5))?));
            }
        }
        Ok(Self::Processes(processes))
    }

    /// A command that kills one instance of several.
    pub(crate) fn kill_command(&self) -> String {
        self.killing("atlas-service")
    }

    /// A command that kills the only instance of a service.
    pub(crate) fn outage_command(&self) -> String {
        self.killing("billing-service")
    }

    fn killing(&self, service: &str) -> String {
        match self {
            Self::Containers => format!("docker kill {}", container_name(service, 1)),
            Self::Processes(processes) => {
                let found = processes.iter().find(|(name, _)| *name == service);
                found.map(|(_, process)| format!("kill -9 {}", process.id())).unwrap_or_default()
            }
        }
    }

    /// A command that brings both back, where there is one.
    pub(crate) fn revive_command(&self) -> Option<String> {
        let names = ["atlas-service", "billing-service"].map(|service| container_name(service, 1));
        matches!(self, Self::Containers).then(|| format!("docker start {}", names.join(" ")))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        match self {
            Self::Containers => {
                if let Err(error) = remove_containers() {
                    eprintln!("warning: {error:#}; `docker ps -a --filter label={LABEL}` lists what is left");
                }
            }
            // All are asked first, so that the waits overlap.
            Self::Processes(processes) => processes.iter_mut().for_each(|(_, process)| process.ask_to_end()),
        }
    }
}

/// How many instances the whole fleet has.
pub(crate) fn instances() -> usize {
    MEMBERS.iter().map(|member| member.instances).sum()
}

/// Removes every container of a demo, running or not, this one's or an earlier one's; returns how many.
pub(crate) fn remove_containers() -> anyhow::Result<usize> {
    let filter = format!("label={LABEL}");
    let list = output(DOCKER, "docker", &["ps", "--all", "--quiet", "--filter", &filter])?;
    let ids: Vec<&str> = list.split_whitespace().collect();
    if !ids.is_empty() {
        let arguments = [&["rm", "--force", "--volumes"], ids.as_slice()].concat();
        output(DOCKER, "docker", &arguments).context("cannot remove the demo's containers")?;
    }
    Ok(ids.len())
}

fn container_name(service: &str, number: usize) -> String {
    format!("demo-{service}-{number}")
}

fn run_container(member: &Member, number: usize) -> anyhow::Result<()> {
    let arguments = container_arguments(member, number);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    output(DOCKER, "docker", &arguments).map(drop)
}

fn container_arguments(member: &Member, number: usize) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["run", "--detach", "--publish", "127.0.0.1::80"].map(str::to_owned).into();
    arguments.push(format!("--name={}", container_name(member.name, number)));
    arguments.push(format!("--hostname={}-{number}", member.name));
    arguments.push(format!("--label={LABEL}=1"));
    arguments.push(format!("--label=SERVICE_NAME={}", member.name));
    arguments.extend(member.labels.iter().map(|(key, value)| format!("--label={key}={value}")));
    let program = [image::NAME, "/wharf", "echo", "--listen", "0.0.0.0:80", "--name", member.name];
    arguments.extend(program.map(str::to_owned));
    arguments.extend(["--delay".to_owned(), member.delay.to_owned()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_a_dozen_services_with_names_of_their_own() {
        let mut names: Vec<&str> = MEMBERS.iter().map(|member| member.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 12);
        assert!(instances() > names.len(), "some have several instances");
    }

    #[test]
    fn most_members_carry_a_service_name_and_nothing_else() {
        let plain = MEMBERS.iter().find(|member| member.name == "authz-service").unwrap();
        let labels: Vec<String> =
            container_arguments(plain, 1).into_iter().filter(|word| word.starts_with("--label")).collect();
        assert_eq!(labels, ["--label=wharf.demo=1", "--label=SERVICE_NAME=authz-service"]);
    }

    #[test]
    fn instances_of_one_service_are_told_apart() {
        let atlas = &MEMBERS[0];
        assert_ne!(container_arguments(atlas, 1), container_arguments(atlas, 2));
    }
}
