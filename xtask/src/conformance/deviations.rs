//! Which differences are meant? Pure: (what is listed, what was found) -> what is wrong with it.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

/// Differences that are meant, by table and name.
#[derive(Debug, Default)]
pub(crate) struct Deviations(BTreeMap<(String, String), bool>);

impl Deviations {
    /// Reads `docs/consul-deviations.toml`.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let file: toml::Table = toml::from_str(text).context("not TOML")?;
        let mut listed = BTreeMap::new();
        for entry in file.get("deviation").and_then(toml::Value::as_array).into_iter().flatten() {
            let field = |name: &str| {
                let text = entry.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
                if text.is_empty() {
                    bail!("a deviation without a `{name}`: {entry:?}");
                }
                Ok(text)
            };
            let (key, _) = ((field("table")?, field("name")?), field("reason")?);
            let timing = entry.get("timing").and_then(toml::Value::as_bool).unwrap_or(false);
            if listed.insert(key, timing).is_some() {
                bail!("listed twice: {entry:?}");
            }
        }
        Ok(Self(listed))
    }

    /// What a report of `table` holds that is not as listed, one line for each.
    pub(crate) fn faults(&self, table: &str, report: &str) -> Vec<String> {
        let listed = |name: &str| self.0.get(&(table.to_owned(), name.to_owned())).copied();
        verdicts(report)
            .filter_map(|(same, name)| match (same, listed(name)) {
                (false, None) => Some(format!("{table} {name}: differs, and is not listed")),
                (true, Some(false)) => Some(format!("{table} {name}: listed, and no longer differs")),
                _ => None,
            })
            .collect()
    }
}

/// `PASS name` and `FAIL name :: why` lines: the same?, and the name.
pub(crate) fn verdicts(report: &str) -> impl Iterator<Item = (bool, &str)> {
    report.lines().filter_map(|line| {
        let (verdict @ ("PASS" | "FAIL"), rest) = line.split_once(' ')? else { return None };
        let name = rest.split_once(" :: ").map_or(rest, |(name, _)| name);
        Some((verdict == "PASS", name.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = r#"
        [[deviation]]
        table = "http"
        name = "kv.list"
        reason = "because"
        [[deviation]]
        table = "http"
        name = "check.run"
        reason = "who is faster"
        timing = true
    "#;

    #[test]
    fn an_unlisted_difference_and_one_that_is_gone_are_faults() {
        let deviations = Deviations::parse(LISTED).unwrap();
        let faults = |report: &str| deviations.faults("http", report);
        assert!(faults("PASS kv.put\nFAIL kv.list\nPASS check.run\nFAIL check.run\n").is_empty());
        assert_eq!(faults("FAIL kv.put :: status\n"), ["http kv.put: differs, and is not listed"]);
        assert_eq!(faults("PASS kv.list\n"), ["http kv.list: listed, and no longer differs"]);
        assert_eq!(deviations.faults("dns", "FAIL kv.list\n").len(), 1, "of another table");
    }

    #[test]
    fn a_deviation_without_a_reason_or_twice_is_refused() {
        assert!(Deviations::parse("[[deviation]]\ntable = \"dns\"\nname = \"x\"\n").is_err());
        assert!(Deviations::parse(&format!("{LISTED}{LISTED}")).is_err());
    }
}
