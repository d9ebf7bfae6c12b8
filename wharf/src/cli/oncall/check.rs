//! `wharf oncall check`: is this configuration right? Asks no wharf.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use jiff::tz::TimeZone;
use wharf_oncall::{Gap, Plan, Schedule, schedule::Amendments};

use super::times;
use crate::cli::output::{Output, complain, json, print};

/// What to check.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CheckArgs {
    /// oncall.toml, or a settings file with a table [oncall]
    file: PathBuf,
    /// Lines for people, JSON for programs
    #[arg(long, short, value_enum, default_value_t)]
    output: Output,
}

/// How far ahead gaps are looked for.
const AHEAD: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

pub(super) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read `{shown}`"))?;
    let is_settings = toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key("oncall"));
    let plan = match Plan::from_toml(&text, is_settings.then_some("oncall")) {
        Ok(plan) => plan,
        Err(problems) => {
            match args.output {
                Output::Json => print(&json(&problems)?)?,
                Output::Table => {
                    for problem in &problems.0 {
                        let line = problem.line.map_or_else(String::new, |line| format!(":{line}"));
                        let place = if problem.place.is_empty() { "" } else { ": " };
                        complain(&format!("{shown}{line}: {}{place}{}", problem.place, problem.message));
                    }
                }
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let gaps = gaps(&plan);
    match args.output {
        Output::Json => print(&json(&Vec::<()>::new())?)?,
        Output::Table => {
            print(&format!(
                "{shown} is right; users: {}, rotations: {}, policies: {}, receivers: {}\n",
                plan.users.len(),
                plan.rotations.len(),
                plan.policies.len(),
                plan.receivers.len()
            ))?;
            gaps.iter().for_each(|gap| complain(gap));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is right and may still not be meant: nobody on duty within the next 30 days.
fn gaps(plan: &Plan) -> Vec<String> {
    let (now, none) = (times::now(), Amendments::default());
    let until = now.timestamp().saturating_add(AHEAD).unwrap_or(jiff::Timestamp::MAX);
    let mut lines = Vec::new();
    for name in plan.rotations.keys() {
        let Some(schedule) = Schedule::of(plan, &none, name) else { continue };
        let zone: &TimeZone = now.time_zone();
        let stretch = |gap: &Gap| {
            format!("from {} until {}", times::local(gap.from, zone), times::local(gap.until, zone))
        };
        let (off, gaps): (Vec<_>, Vec<_>) =
            schedule.gaps(now.timestamp(), until).into_iter().partition(|gap| gap.off_hours);
        if let Some(first) = gaps.first() {
            lines.push(format!(
                "note: rotation `{name}` has {} gaps in the next 30 days, the first {}",
                gaps.len(),
                stretch(first)
            ));
        }
        if let Some(first) = off.first() {
            lines.push(format!(
                "note: rotation `{name}` has nobody outside of its hours, next {}",
                stretch(first)
            ));
        }
    }
    lines
}
