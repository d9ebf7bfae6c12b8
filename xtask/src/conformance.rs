//! `cargo xtask conformance`: a fresh wharf against recorded answers of the API it stands in for. A gate: what
//! differs has to stand in `docs/consul-deviations.toml`, and what stands there has to differ.

mod deviations;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cli::ConformanceOptions;
use crate::process::{find, limited, output};
use crate::project::Project;
use crate::server::{Addresses, Server};
use crate::wait::Interrupt;
use deviations::{Deviations, verdicts};

const LIMIT: Duration = Duration::from_secs(900);
const DEVIATIONS: &str = "docs/consul-deviations.toml";

/// Runs the comparison where the recordings are at hand.
pub(crate) fn run(
    project: &Project,
    options: &ConformanceOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    let Some(folder) = recordings(project) else {
        println!("conformance: skipped, no recordings at WHARF_CONFORMANCE or ../shared/conformance");
        return Ok(ExitCode::SUCCESS);
    };
    if find("python3").is_none() {
        println!("conformance: skipped, the comparison needs python3");
        return Ok(ExitCode::SUCCESS);
    }
    let listed = std::fs::read_to_string(project.root().join(DEVIATIONS))
        .with_context(|| format!("cannot read `{DEVIATIONS}`"))?;
    let deviations = Deviations::parse(&listed).with_context(|| format!("cannot use `{DEVIATIONS}`"))?;
    let wharf = start(project, interrupt)?;
    let scenarios = scenarios(&folder, &wharf, options, interrupt)?;
    let mut reports = vec![("http", scenarios)];
    if options.only.is_none() {
        // One after the other: each empties the server first.
        reports.extend(dns(project, &folder, &wharf)?.map(|report| ("dns", report)));
        reports.extend(command_line(&folder, &wharf)?.map(|report| ("cli", report)));
    }
    interrupt.check()?;
    let file = project.state("conformance.txt");
    let all: String = reports.iter().map(|(_, report)| report.as_str()).collect();
    std::fs::write(&file, &all).with_context(|| format!("cannot write `{}`", file.display()))?;
    if options.only.is_some() {
        print!("{all}");
    }
    let families = families(&reports[0].1);
    if families.is_empty() {
        bail!("the comparison compared nothing; {}", wharf.last_words());
    }
    print!("{}", summary(&families));
    for (table, report) in &reports[1..] {
        let (same, all) = (verdicts(report).filter(|(same, _)| *same).count(), verdicts(report).count());
        println!("conformance: {same} of {all} rows of the {table} table answer as recorded");
    }
    println!("what differs: {}", file.display());
    let faults: Vec<_> =
        reports.iter().flat_map(|(table, report)| deviations.faults(table, report)).collect();
    if faults.is_empty() {
        println!("conformance: everything that differs is listed in {DEVIATIONS}");
        return Ok(ExitCode::SUCCESS);
    }
    faults.iter().for_each(|fault| println!("  {fault}"));
    println!("conformance: mend it, or say in {DEVIATIONS} why it is meant");
    Ok(ExitCode::FAILURE)
}

fn recordings(project: &Project) -> Option<PathBuf> {
    let folder = match std::env::var_os("WHARF_CONFORMANCE") {
        Some(folder) => PathBuf::from(folder),
        None => project.root().join("../shared/conformance"),
    };
    folder.join("consul/diff.py").is_file().then(|| folder.join("consul"))
}

/// A wharf set up as the recorded Consul was.
fn start(project: &Project, interrupt: &Interrupt) -> anyhow::Result<Server> {
    let binary = project.build_wharf(false)?;
    let settings = project.state("conformance.toml");
    // The recorded Consul answered warning instances in DNS, too.
    std::fs::write(&settings, "[dns]\nonly_passing = false\n")
        .with_context(|| format!("cannot write `{}`", settings.display()))?;
    let settings = settings.to_string_lossy();
    let settings: &str = &settings;
    // The recordings know no containers, so whatever runs on this machine must not appear. Lists are in the order of
    // names, and the recorded node stood there among those of the scenarios.
    let flags = [
        &["--node-name", "recorded", "--docker-host", "unix:///nonexistent/docker.sock"][..],
        &["--enable-script-checks", "--dns-alt-domain", "althost", "--config", settings],
    ];
    Server::start(&project.state("conformance"), &binary, Addresses::any_free()?, &flags.concat(), interrupt)
}

fn scenarios(
    folder: &Path,
    wharf: &Server,
    options: &ConformanceOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    let mut command = limited(LIMIT, "python3");
    command.arg(folder.join("diff.py")).arg("check").arg(format!("http://{}", wharf.addresses().http));
    if let Some(only) = &options.only {
        command.args(["--only", only]);
    } else if !options.slow {
        // They wait out time-outs of minutes.
        command.arg("--no-slow");
    }
    let report = report(command, "python3 diff.py")?;
    interrupt.check()?;
    if !report.contains("scenarios:") {
        bail!("the comparison broke off: {report}");
    }
    Ok(report)
}

/// The DNS table, by a Python that has dnspython; in an environment of our own where it can be had.
fn dns(project: &Project, folder: &Path, wharf: &Server) -> anyhow::Result<Option<String>> {
    let home = project.state("conformance-python");
    let python = home.join("bin/python");
    let has = |python: &Path| {
        output(Duration::from_secs(60), &python.to_string_lossy(), &["-c", "import dns.message"]).is_ok()
    };
    if !has(&python) {
        let made = output(Duration::from_secs(120), "python3", &["-m", "venv", &home.to_string_lossy()]);
        let pip = ["-m", "pip", "install", "--quiet", "dnspython"];
        let installed = made.and_then(|_| output(Duration::from_secs(120), &python.to_string_lossy(), &pip));
        if installed.is_err() || !has(&python) {
            println!("conformance: DNS table skipped, dnspython cannot be had");
            return Ok(None);
        }
    }
    let mut command = limited(LIMIT, &python.to_string_lossy());
    command.arg(folder.join("lib/dns_table.py")).arg("check");
    command.args([wharf.addresses().http.to_string(), wharf.addresses().dns.to_string()]);
    report(command, "dns_table.py").map(Some)
}

/// The command-line table, where the real program is.
fn command_line(folder: &Path, wharf: &Server) -> anyhow::Result<Option<String>> {
    let given = std::env::var_os("CONSUL_BIN").map(PathBuf::from).filter(|program| program.is_file());
    let Some(program) = given.or_else(|| find("consul")) else {
        println!("conformance: command-line table skipped, no `consul` at CONSUL_BIN or in the path");
        return Ok(None);
    };
    let mut command = limited(LIMIT, "python3");
    command.arg(folder.join("lib/cli_table.py")).arg(wharf.addresses().http.to_string());
    command.env("CONSUL_BIN", program);
    report(command, "cli_table.py").map(Some)
}

/// What a comparison reports. It exits with 1 when anything differs, which is no failure to run.
fn report(mut command: Command, what: &str) -> anyhow::Result<String> {
    // The recordings' folder is not ours to write to.
    let Output { status, stdout, stderr } = command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{what}`"))?;
    match status.code() {
        Some(0 | 1) => Ok(String::from_utf8_lossy(&stdout).into_owned()),
        None | Some(124) => {
            bail!("`{what}` took longer than {} s; try a part with `--only`", LIMIT.as_secs())
        }
        _ => bail!("`{what}` ended with {status}: {}", String::from_utf8_lossy(&stderr).trim()),
    }
}

/// How the scenarios of one family fared.
#[derive(Debug, Default, PartialEq)]
struct Family {
    same: usize,
    differing: usize,
}

/// Counts by the part of a scenario's name before its dot.
fn families(report: &str) -> BTreeMap<&str, Family> {
    let mut families: BTreeMap<&str, Family> = BTreeMap::new();
    for (same, scenario) in verdicts(report) {
        let name = scenario.split_once('.').map_or(scenario, |(family, _)| family);
        let family = families.entry(name).or_default();
        match same {
            true => family.same += 1,
            false => family.differing += 1,
        }
    }
    families
}

fn summary(families: &BTreeMap<&str, Family>) -> String {
    let same: usize = families.values().map(|family| family.same).sum();
    let all: usize = families.values().map(|family| family.same + family.differing).sum();
    let lines = families.iter().map(|(name, family)| {
        format!("  {name:<12} {:>3} of {:>3}\n", family.same, family.same + family.differing)
    });
    let lines: String = lines.collect();
    format!("conformance: {same} of {all} scenarios answer as recorded\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "PASS kv.put\nFAIL kv.list\n    step 1 GET /v1/kv: status 404\nPASS agent.self\n\
        SKIP acl.root\nscenarios: 2 pass, 1 fail, 1 skipped; requests: 9, of which 1 differ\n";

    #[test]
    fn scenarios_are_counted_by_family() {
        let families = families(REPORT);
        assert_eq!(families["kv"], Family { same: 1, differing: 1 });
        assert_eq!(families["agent"], Family { same: 1, differing: 0 });
        assert!(!families.contains_key("acl"), "skipped ones do not count");
    }

    #[test]
    fn the_summary_says_how_many_of_how_many() {
        let text = summary(&families(REPORT));
        assert!(text.starts_with("conformance: 2 of 3 scenarios"), "{text}");
    }
}
