//! What an alert becomes before anything else sees it: rules, its group, its dependencies, its policy.

use crate::{
    alert::{Alert, Kind},
    config::Plan,
    matchers::all_match,
};

/// An alert after the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruled {
    /// What it became.
    pub alert: Alert,
    /// What the rules did, in words.
    pub applied: Vec<String>,
}

/// Applies the rules, and finds group and dependencies.
pub fn apply(plan: &Plan, alert: Alert) -> Ruled {
    let mut ruled = Ruled { alert, applied: Vec::new() };
    for rule in &plan.rules {
        if !matches(&rule.matchers, &ruled.alert) {
            continue;
        }
        let before = ruled.alert.clone();
        for (field, value) in &rule.set {
            // What cannot be (a kind there is not) leaves the field as it was.
            ruled.alert.set(field, expanded(value, &before));
        }
        for (title, note) in &rule.annotate {
            ruled.alert.notes.insert(title.clone(), expanded(note, &before));
        }
        if let Some(key) = &rule.route {
            ruled.alert.routing_key = Some(key.clone());
        }
        // Somebody who takes it and its end are never lost.
        if rule.mute && ruled.alert.kind.is_problem() {
            ruled.alert.kind = Kind::Info;
        }
        ruled.applied.push(format!("rule `{}`", rule.name));
        if rule.stop {
            break;
        }
    }
    relate(plan, &mut ruled.alert);
    ruled
}

fn relate(plan: &Plan, alert: &mut Alert) {
    let grouping = plan.grouping.iter().find(|grouping| matches(&grouping.matchers, alert));
    if let Some(grouping) = grouping.filter(|_| alert.group.is_none()) {
        let part = |field: &String| format!("{field}={}", alert.field(field).unwrap_or_default());
        alert.group = Some(grouping.by.iter().map(part).collect::<Vec<_>>().join(","));
    }
    for dependency in &plan.dependencies {
        if !matches(&dependency.matchers, alert) {
            continue;
        }
        let parent = expanded(&dependency.on, alert);
        if !parent.is_empty() && parent != alert.entity && !alert.parents.contains(&parent) {
            alert.parents.push(parent);
        }
    }
}

fn matches(matchers: &[crate::Matcher], alert: &Alert) -> bool {
    all_match(matchers, |field| alert.field(field))
}

/// The policy an alert goes to, and why.
pub fn route(plan: &Plan, routing_key: Option<&str>) -> (Option<String>, String) {
    let routing = &plan.routing;
    if let Some(key) = routing_key.filter(|key| !key.is_empty()) {
        if let Some(policy) = routing.keys.get(key) {
            return (Some(policy.clone()), format!("routing key `{key}`"));
        }
        return (routing.default.clone(), format!("routing key `{key}` is not known"));
    }
    (routing.default.clone(), "no routing key".to_owned())
}

/// Fills `{{field}}` in; a field that is not there is empty, what is no placeholder stays.
pub(crate) fn expanded(text: &str, alert: &Alert) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, remaining)) = after.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        filled.push_str(alert.field(name.trim()).unwrap_or_default());
        rest = remaining;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::from_toml(text, None).unwrap()
    }

    fn alert() -> Alert {
        let mut alert = Alert::new("db-7", Kind::Critical);
        alert.fields.insert("host".to_owned(), "h1".to_owned());
        alert
    }

    #[test]
    fn rules_apply_in_order_each_on_what_the_ones_before_left() {
        let plan = plan(
            r#"
            [[rules]]
            name = "name it"
            match = ['entity=*"db-*"']
            set = { title = "database {{entity}} on {{host}}", tier = "data" }
            annotate = { runbook = "https://wiki.example/{{ tier }}/{{entity}}" }
            [[rules]]
            name = "calm"
            match = ['tier="data"', 'host!="h2"']
            set = { message_type = "warning", entity = "" }
            stop = true
            [[rules]]
            name = "never"
            match = ['entity=*"*"']
            mute = true
            "#,
        );
        let Ruled { alert, applied } = apply(&plan, alert());
        assert_eq!(applied, ["rule `name it`", "rule `calm`"]);
        assert_eq!(
            (&*alert.title, alert.kind, &*alert.entity),
            ("database db-7 on h1", Kind::Warning, "db-7")
        );
        assert_eq!(
            alert.notes["runbook"], "https://wiki.example//db-7",
            "a rule sees what was there before it"
        );
    }

    #[test]
    fn a_mute_never_swallows_a_recovery_or_an_acknowledgement() {
        let plan = plan("[[rules]]\nname = \"m\"\nmatch = ['entity=~\".*\"']\nmute = true");
        for (kind, becomes) in [
            (Kind::Critical, Kind::Info),
            (Kind::Warning, Kind::Info),
            (Kind::Recovery, Kind::Recovery),
            (Kind::Acknowledgement, Kind::Acknowledgement),
        ] {
            assert_eq!(apply(&plan, Alert::new("x", kind)).alert.kind, becomes);
        }
    }

    #[test]
    fn groups_and_dependencies_are_found_from_fields() {
        let plan = plan(
            "[[grouping]]\nmatch = ['host=*\"?*\"']\nby = [\"host\", \"rack\"]\n\
             [[dependencies]]\nmatch = ['host=*\"?*\"']\non = \"node:{{host}}\"",
        );
        let alert = apply(&plan, alert()).alert;
        assert_eq!(
            (alert.group.as_deref(), alert.parents),
            (Some("host=h1,rack="), vec!["node:h1".to_owned()])
        );
        assert_eq!(apply(&plan, Alert::new("x", Kind::Critical)).alert.group, None);
    }

    #[test]
    fn braces_that_are_no_placeholder_stay() {
        assert_eq!(expanded("a {{host}} b {{ {c}", &alert()), "a h1 b {{ {c}");
    }
}
