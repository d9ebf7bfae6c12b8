//! What to try when dockerd does not start: the known pitfalls of small machines, read off its own log.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::process::{find, output};
use crate::project::Project;

/// Which way out of which pitfall an attempt takes. Only those that the log asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Attempt {
    firewall: Firewall,
    copy_layers: bool,
}

/// How dockerd meets the kernel's packet filter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Firewall {
    /// As the machine is set up.
    #[default]
    Default,
    /// By `iptables-legacy`: some kernels lack nf_tables, Debian's default.
    Legacy,
    /// Not at all: published ports then go through docker's own proxy process, which loopback traffic does anyway.
    None,
}

impl Attempt {
    /// The next attempt after one whose log is given; `None` when nothing known is left to try.
    pub(super) fn next(self, log: &str) -> Option<Self> {
        // The fatal line is the last word; warnings before it name subsystems that do work.
        let cause = log.lines().rfind(|line| line.contains("failed to start daemon")).unwrap_or(log);
        if cause.contains("iptables") || cause.contains("network controller") {
            let firewall = match self.firewall {
                Firewall::Default => Firewall::Legacy,
                Firewall::Legacy => Firewall::None,
                Firewall::None => return None,
            };
            return Some(Self { firewall, ..self });
        }
        let storage = ["graphdriver", "overlay", "storage driver", "storage-driver"];
        let is_storage = storage.iter().any(|word| cause.contains(word));
        (is_storage && !self.copy_layers).then_some(Self { copy_layers: true, ..self })
    }

    /// The flags of dockerd for this attempt.
    pub(super) fn flags(self) -> Vec<&'static str> {
        let mut flags = Vec::new();
        if self.firewall == Firewall::None {
            flags.extend(["--iptables=false", "--ip6tables=false"]);
        }
        if self.copy_layers {
            flags.push("--storage-driver=vfs");
        }
        flags
    }

    /// The PATH of dockerd for this attempt: one in which `iptables` is the legacy program, where that is wanted.
    pub(super) fn path(self, project: &Project, path: &str) -> anyhow::Result<String> {
        if self.firewall != Firewall::Legacy {
            return Ok(path.to_owned());
        }
        let folder = project.state("iptables-legacy");
        fs::create_dir_all(&folder)?;
        for name in ["iptables", "ip6tables"] {
            let link = folder.join(name);
            let _ = fs::remove_file(&link);
            if let Some(program) = find(&format!("{name}-legacy")) {
                std::os::unix::fs::symlink(program, link).context("cannot link the legacy iptables")?;
            }
        }
        Ok(format!("{}:{path}", folder.display()))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let firewall = match self.firewall {
            Firewall::Default => None,
            Firewall::Legacy => Some("with iptables-legacy"),
            Firewall::None => Some("without iptables"),
        };
        let storage = self.copy_layers.then_some("with the vfs storage driver");
        let parts: Vec<&str> = firewall.into_iter().chain(storage).collect();
        formatter.write_str(&parts.join(" and "))
    }
}

/// One `mount` command: file system type, options and where.
#[derive(Debug, PartialEq)]
struct Mount {
    kind: &'static str,
    options: String,
    at: PathBuf,
}

/// Mounts control groups where the machine has none mounted (containers and tiny virtual machines often do not),
/// without which dockerd does not start.
pub(super) fn mount_cgroups() -> anyhow::Result<()> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read `/proc/mounts`")?;
    let groups = fs::read_to_string("/proc/cgroups").unwrap_or_default();
    for mount in cgroup_plan(&mounts, &groups) {
        // Under a tmpfs of ours the folders can be made; /sys/fs/cgroup itself is the kernel's.
        let _ = fs::create_dir(&mount.at);
        let at = mount.at.to_string_lossy();
        output(Duration::from_secs(10), "mount", &["-t", mount.kind, "-o", &mount.options, mount.kind, &at])
            .with_context(|| format!("cannot mount control groups at `{at}`, which Docker needs"))?;
    }
    Ok(())
}

/// What is to be mounted, from `/proc/mounts` and `/proc/cgroups`: nothing where something is; the unified hierarchy
/// where no controller is bound to an old one; else the old hierarchies.
fn cgroup_plan(mounts: &str, groups: &str) -> Vec<Mount> {
    let is_mounted = mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        fields.next().is_some_and(|at| at.starts_with("/sys/fs/cgroup"))
            && fields.next().is_some_and(|kind| kind.starts_with("cgroup"))
    });
    if is_mounted {
        return Vec::new();
    }
    let root = Path::new("/sys/fs/cgroup");
    let controllers: Vec<(&str, &str)> = groups
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields.len() == 4 && fields[3] == "1").then(|| (fields[0], fields[1]))
        })
        .collect();
    if controllers.iter().all(|(_, hierarchy)| *hierarchy == "0") {
        return vec![Mount { kind: "cgroup2", options: "rw".into(), at: root.into() }];
    }
    let tmpfs = Mount { kind: "tmpfs", options: "mode=755".into(), at: root.into() };
    let bound = controllers.iter().filter(|(_, hierarchy)| *hierarchy != "0");
    let old =
        bound.map(|(name, _)| Mount { kind: "cgroup", options: (*name).to_owned(), at: root.join(name) });
    std::iter::once(tmpfs).chain(old).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFT: &str = "level=warning msg=\"overlay metacopy is on\"\n\
        failed to start daemon: Error initializing network controller: error obtaining controller instance: \
        failed to create NAT chain DOCKER: iptables failed: iptables -t nat -N DOCKER: iptables v1.8.9 (nf_tables)";

    #[test]
    fn a_firewall_that_does_not_work_is_replaced_then_left_out() {
        let legacy = Attempt::default().next(NFT).unwrap();
        assert_eq!(legacy.to_string(), "with iptables-legacy");
        let without = legacy.next(NFT).unwrap();
        assert_eq!(without.flags(), ["--iptables=false", "--ip6tables=false"]);
        assert_eq!(without.next(NFT), None, "nothing known is left");
    }

    #[test]
    fn a_storage_driver_that_does_not_work_is_replaced_once() {
        let log = "failed to start daemon: error initializing graphdriver: driver not supported";
        let attempt = Attempt::default().next(log).unwrap();
        assert_eq!(attempt.flags(), ["--storage-driver=vfs"]);
        assert_eq!(attempt.next(log), None);
    }

    #[test]
    fn remedies_add_up() {
        let log = "failed to start daemon: error initializing graphdriver: overlay2";
        let attempt = Attempt::default().next(NFT).and_then(|attempt| attempt.next(log)).unwrap();
        assert_eq!(attempt.to_string(), "with iptables-legacy and with the vfs storage driver");
    }

    #[test]
    fn an_unknown_cause_has_no_remedy() {
        assert_eq!(Attempt::default().next("failed to start daemon: pid file found"), None);
    }

    #[test]
    fn mounted_groups_are_left_alone() {
        let old = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n";
        assert_eq!(cgroup_plan(old, "cpu\t2\t1\t1\n"), []);
        assert_eq!(cgroup_plan("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", ""), []);
    }

    #[test]
    fn the_unified_hierarchy_is_mounted_where_nothing_is_bound() {
        let plan = cgroup_plan("proc /proc proc rw 0 0\n", "#subsys_name\thierarchy\ncpu\t0\t1\t1\n");
        assert_eq!(plan.len(), 1);
        assert_eq!(plan[0].kind, "cgroup2");
    }

    #[test]
    fn old_hierarchies_are_mounted_where_controllers_are_bound_to_them() {
        let plan = cgroup_plan("", "cpu\t2\t1\t1\nmemory\t4\t1\t1\nnet_cls\t0\t1\t1\nrdma\t5\t1\t0\n");
        let at: Vec<_> = plan.iter().map(|mount| mount.at.to_str().unwrap()).collect();
        assert_eq!(at, ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory"]);
    }
}
