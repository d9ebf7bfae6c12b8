//! Installs what is missing, and only that: Debian packages by apt-get, as root or through `sudo -n`.
//!
//! Each need is looked for first; where nothing is missing, no package tool is run at all. What only some journeys
//! want, and skip themselves without, may be missing in the end: see [`clients`].

mod clients;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

pub(crate) use clients::folder as clients_folder;

use crate::process::{find, is_root, limited, output, tail};
use crate::project::Project;

/// What the machine is prepared for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Purpose {
    /// A first look.
    Demo,
    /// All tests, those in a browser included.
    Test,
}

/// One thing a command needs, and the package that brings it.
#[derive(Debug, PartialEq)]
struct Need {
    package: &'static str,
    presence: Presence,
}

/// How to tell that something is there.
#[derive(Debug, PartialEq)]
enum Presence {
    /// A program of this name.
    Program(&'static str),
    /// The package itself: another one has a program of the same name that would not do.
    Package,
    /// A module of Debian's Python, or of the first one in PATH.
    PythonModule(&'static str),
    /// A program, but only where the kernel enforces AppArmor: dockerd then refuses to start containers without it.
    ProgramUnderApparmor(&'static str),
}

/// The Docker engine. A client alone is common and does not count.
const ENGINE: &[Need] = &[
    Need { package: "docker.io", presence: Presence::Program("dockerd") },
    Need { package: "iptables", presence: Presence::Program("iptables") },
    Need { package: "iproute2", presence: Presence::Program("ip") },
    Need { package: "apparmor", presence: Presence::ProgramUnderApparmor("apparmor_parser") },
];

const DEMO: &[Need] = &[
    Need { package: "nginx-light", presence: Presence::Program("nginx") },
    Need { package: "curl", presence: Presence::Program("curl") },
];

const TEST: &[Need] = &[
    Need { package: "nginx-light", presence: Presence::Program("nginx") },
    Need { package: "haproxy", presence: Presence::Program("haproxy") },
    Need { package: "varnish", presence: Presence::Program("varnishd") },
    Need { package: "apache2-bin", presence: Presence::Program("apache2") },
    Need { package: "busybox-static", presence: Presence::Package },
    Need { package: "chromium", presence: Presence::Program("chromium") },
    Need { package: "chromium-driver", presence: Presence::Program("chromedriver") },
    Need { package: "python3-aiosmtpd", presence: Presence::PythonModule("aiosmtpd") },
];

/// `cargo xtask setup`: everything for the purpose.
pub(crate) fn run(project: &Project, purpose: Purpose) -> anyhow::Result<ExitCode> {
    engine(project)?;
    extras(project, purpose)?;
    println!("everything is there");
    Ok(ExitCode::SUCCESS)
}

/// The Docker engine and its client.
pub(crate) fn engine(project: &Project) -> anyhow::Result<()> {
    install(project, &missing(ENGINE.iter(), is_there))?;
    // Newer Debian releases ship the client in a package of its own.
    if find("docker").is_none() {
        install(project, &["docker-cli"])?;
    }
    Ok(())
}

/// What the purpose needs beside the engine.
pub(crate) fn extras(project: &Project, purpose: Purpose) -> anyhow::Result<()> {
    let needs = match purpose {
        Purpose::Demo => DEMO,
        Purpose::Test => TEST,
    };
    install(project, &missing(needs.iter(), is_there))?;
    if purpose == Purpose::Test {
        clients::fetch(project);
    }
    Ok(())
}

/// The packages whose need is not met.
fn missing<'a>(needs: impl Iterator<Item = &'a Need>, is_there: impl Fn(&Need) -> bool) -> Vec<&'static str> {
    needs.filter(|need| !is_there(need)).map(|need| need.package).collect()
}

fn is_there(need: &Need) -> bool {
    match need.presence {
        Presence::Program(program) => find(program).is_some(),
        Presence::Package => is_installed(need.package),
        Presence::PythonModule(module) => ["/usr/bin/python3", "python3"].iter().any(|python| {
            output(Duration::from_secs(20), python, &["-c", &format!("import {module}")]).is_ok()
        }),
        Presence::ProgramUnderApparmor(program) => !apparmor_is_on() || find(program).is_some(),
    }
}

fn is_installed(package: &str) -> bool {
    let arguments = ["--show", "--showformat=${db:Status-Status}", package];
    output(Duration::from_secs(20), "dpkg-query", &arguments).is_ok_and(|status| status == "installed")
}

fn apparmor_is_on() -> bool {
    std::fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.trim() == "Y")
}

/// Installs the packages; the package tool's words go to a log, of which a failure shows the end.
fn install(project: &Project, packages: &[&str]) -> anyhow::Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    let by_hand = format!("sudo apt-get install --no-install-recommends {names}");
    if find("apt-get").is_none() {
        bail!(
            "missing: {names} (names of Debian's packages), and there is no apt-get here to install them; install them by hand"
        );
    }
    if !is_root() && !sudo_works() {
        bail!("missing: {names}, and only root may install them; run `{by_hand}`, then this again");
    }
    println!("installing {names} (this may take a minute)");
    let log = project.state("apt.log");
    // Old lists may still do (a mirror that is down, say), so a failed update is not yet a failure.
    let updated = apt(&log, &["update"]);
    apt(&log, &[&["install", "--yes", "--no-install-recommends"], packages].concat())
        .or_else(|error| updated.and(Err(error)))
        .with_context(|| format!("cannot install {names}; try `{by_hand}`"))
}

fn sudo_works() -> bool {
    output(Duration::from_secs(10), "sudo", &["-n", "true"]).is_ok()
}

fn apt(log: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let limit = Duration::from_secs(1_200);
    let mut command = if is_root() {
        limited(limit, "env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    let status = command
        .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--option", "DPkg::Lock::Timeout=120"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot run `apt-get`")?;
    if !status.success() {
        bail!("`apt-get {}` failed; the end of `{}`:\n{}", arguments.join(" "), log.display(), tail(log, 8));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_docker_client_without_an_engine_does_not_count() {
        let there = |need: &Need| need.presence != Presence::Program("dockerd");
        assert_eq!(missing(ENGINE.iter(), there), ["docker.io"]);
    }

    #[test]
    fn where_everything_is_there_nothing_is_missing() {
        assert!(missing(TEST.iter(), |_| true).is_empty());
    }

    #[test]
    fn a_bare_machine_gets_everything_in_one_go() {
        let packages = missing(TEST.iter(), |_| false);
        assert_eq!(
            packages,
            [
                "nginx-light",
                "haproxy",
                "varnish",
                "apache2-bin",
                "busybox-static",
                "chromium",
                "chromium-driver",
                "python3-aiosmtpd"
            ]
        );
    }

    #[test]
    fn a_package_is_told_from_a_program() {
        assert!(!is_installed("no-such-package-anywhere"));
        assert!(is_there(&Need { package: "none", presence: Presence::Program("sh") }));
        assert!(!is_there(&Need { package: "none", presence: Presence::PythonModule("no_such_module") }));
    }
}
