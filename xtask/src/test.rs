//! `cargo xtask test`: everything the tests need, then all tests, and the runner's closing line last.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};

use anyhow::Context;

use crate::docker;
use crate::process::system_path;
use crate::project::Project;
use crate::setup::{self, Purpose};
use crate::wait::Interrupt;

/// Runs the tests; the exit code is the runner's.
pub(crate) fn run(
    project: &Project,
    filter: Option<&str>,
    interrupt: &Interrupt,
) -> anyhow::Result<ExitCode> {
    setup::engine(project)?;
    setup::extras(project, Purpose::Test)?;
    let _engine = docker::ensure(project, interrupt)?;
    let has_nextest =
        succeeds(project.cargo(&["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()));
    // Doc tests go first: neither runner ends with them then, and most crates have none.
    if filter.is_none()
        && !succeeds(&mut with_path(project, project.cargo(&["test", "--workspace", "--doc", "--quiet"])))
    {
        return Ok(ExitCode::FAILURE);
    }
    interrupt.check()?;
    let outcome = if has_nextest { nextest(project, filter) } else { cargo_test(project, filter) };
    interrupt.check()?;
    outcome
}

/// Tests start system programs (nginx, dockerd, ip), which a plain user's PATH lacks, and clients we unpacked.
fn with_path(project: &Project, mut command: Command) -> Command {
    command.env("PATH", format!("{}:{}", system_path(), setup::clients_folder(project).display()));
    command
}

fn succeeds(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}

fn nextest(project: &Project, filter: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut command = with_path(project, project.cargo(&["nextest", "run", "--workspace", "--no-fail-fast"]));
    let status = command.args(filter).status().context("cannot run `cargo nextest`")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Cargo's own runner closes every test program with a line of its own, the last often of a program without tests;
/// the sum of them all is said at the end.
fn cargo_test(project: &Project, filter: Option<&str>) -> anyhow::Result<ExitCode> {
    let arguments = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    let mut command = with_path(project, project.cargo(&arguments));
    let mut child = command.args(filter).stdout(Stdio::piped()).spawn().context("cannot run `cargo test`")?;
    let mut total = Tally::default();
    for line in BufReader::new(child.stdout.take().context("`cargo test` has no stdout")?).lines() {
        let line = line?;
        println!("{line}");
        if let Some(tally) = Tally::read(&line) {
            total = total.plus(tally);
        }
    }
    let status = child.wait()?;
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Counts of one test program, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// Reads `test result: ok. 12 passed; 0 failed; 1 ignored; ...`.
    fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what: &str| {
            let part = counts.split(';').find_map(|part| part.trim().strip_suffix(what))?;
            part.trim().parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_closing_lines_are_added_up() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        let bad =
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s";
        let total = Tally::read(ok).unwrap().plus(Tally::read(bad).unwrap());
        assert_eq!(total, Tally { passed: 14, failed: 1, skipped: 1 });
    }

    #[test]
    fn other_lines_are_not_counted() {
        assert_eq!(Tally::read("test tests::it_works ... ok"), None);
        assert_eq!(Tally::read("test result: ok."), None);
    }
}
