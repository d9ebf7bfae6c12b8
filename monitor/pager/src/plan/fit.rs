//! What the API made and does not go with the files any more: left out of the plan, kept in the journal.
//!
//! A file may take away what something made by the API needs. That must not keep wharf from starting, nor the rest from
//! paging: what does not fit is left out, then what needs that, until the plan holds together. The files alone always do.

use metrics::gauge;
use wharf_oncall::{Plan, Problems, config::Problem};

use super::{DEFAULT, Layers};

/// One thing the API made that is not in force, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// `users`, `rotations`, ...
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What is wrong with it, and what to do about that.
    pub problems: Problems,
    /// What is done in its place meanwhile, if anything.
    pub instead: Option<String>,
}

impl LeftOut {
    /// Whether both are about the same thing.
    pub(super) fn is_of(&self, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name == name
    }
}

impl Layers {
    /// Says loudly what is left out.
    pub(crate) fn warn(&self) {
        gauge!("wharf_pager_configuration_left_out").set(self.left_out.len() as f64);
        for LeftOut { kind, name, problems, instead } in &self.left_out {
            tracing::error!(
                %kind, %name, %problems, instead = instead.as_deref(),
                "made by the API and does not go with the on-call configuration file: left out, and kept in the journal; \
                 give the file what it needs, or change or remove it by the API or on the setup page"
            );
        }
    }

    /// The plan of all that fits, with what does not in [`left_out`](Self::left_out).
    pub fn fit(mut self) -> (Self, Plan) {
        let mut rest = Self::new(self.files.clone(), self.documents.clone());
        let mut left_out = Vec::new();
        let plan = loop {
            match rest.plan() {
                Ok(plan) => break plan,
                Err(problems) => rest.leave_out(problems, &mut left_out),
            }
            if rest.documents.is_empty() && rest.stand_in.is_none() {
                break Plan::new(self.files.clone()).unwrap_or_default();
            }
        };
        left_out.sort_by(|a: &LeftOut, b| (&a.kind, &a.name).cmp(&(&b.kind, &b.name)));
        (self.left_out, self.stand_in) = (left_out, rest.stand_in);
        (self, plan)
    }

    /// Takes out what the problems are about; a problem of nothing in particular is everybody's.
    fn leave_out(&mut self, problems: Problems, left_out: &mut Vec<LeftOut>) {
        let before = self.documents.len();
        // All are blamed before any is gone: several problems may be about one.
        let blamed: Vec<_> = problems.0.iter().map(|problem| self.blamed(&problem.place)).collect();
        for (problem, (kind, name)) in
            problems.0.iter().zip(blamed).filter_map(|(problem, blamed)| Some((problem, blamed?)))
        {
            note(left_out, &kind, &name, problem.clone());
            self.documents.remove(&(kind, name));
        }
        if self.documents.len() < before {
            return;
        }
        let no_default = problems.0.iter().all(|problem| problem.place == "routing");
        if let Some(policy) = self.any_policy().filter(|_| no_default && self.stand_in.is_none()) {
            // Alerts have to page somebody even so.
            let instead = format!("alerts that nothing else routes go to policy `{policy}`");
            problems.0.iter().for_each(|problem| note(left_out, "routing", DEFAULT, problem.clone()));
            if let Some(default) = left_out.iter_mut().find(|left| left.is_of("routing", DEFAULT)) {
                default.instead = Some(instead);
            }
            self.stand_in = Some(policy);
            return;
        }
        self.stand_in = None;
        for ((kind, name), _) in std::mem::take(&mut self.documents) {
            for problem in &problems.0 {
                note(left_out, &kind, &name, problem.clone());
            }
        }
    }

    /// What the API made that a place is in: `rotations.nights.members[0]` is in the rotation `nights`.
    fn blamed(&self, place: &str) -> Option<(String, String)> {
        let inside = |(kind, name): &&(String, String)| {
            let at = match (kind.as_str(), name.as_str()) {
                ("routing", DEFAULT) => "routing.default".to_owned(),
                ("routing", key) => format!("routing.keys.{key}"),
                _ => format!("{kind}.{name}"),
            };
            place.strip_prefix(&at).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        // Names may have dots: `web.eu` is not in `web`.
        self.documents.keys().filter(inside).max_by_key(|(_, name)| name.len()).cloned()
    }

    /// A policy that alerts can go to while none is the default.
    fn any_policy(&self) -> Option<String> {
        let made = self.documents.keys().filter(|(kind, _)| kind == "policies").map(|(_, name)| name);
        self.files.policies.keys().chain(made).min().cloned()
    }
}

fn note(left_out: &mut Vec<LeftOut>, kind: &str, name: &str, problem: Problem) {
    match left_out.iter_mut().find(|left| left.is_of(kind, name)) {
        Some(left) => left.problems.0.push(problem),
        None => left_out.push(LeftOut {
            kind: kind.to_owned(),
            name: name.to_owned(),
            problems: Problems(vec![problem]),
            instead: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Refusal, plan::tests::document};

    const DANA: &str = "[users.dana]\ncontacts.phone = { type = \"ntfy\", url = \"https://n.example/d\" }\npaging = [{ contact = \"phone\" }]\n";

    fn layers(text: &str, made: &[(&str, &str, &str)]) -> Layers {
        let files = (*Plan::from_toml(text, None).unwrap()).clone();
        let key = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        let documents: BTreeMap<_, _> =
            made.iter().map(|(k, n, body)| (key(k, n), document(k, n, Some(body)))).collect();
        Layers { files, documents, ..Layers::default() }
    }

    fn names(layers: &Layers) -> Vec<String> {
        layers.left_out.iter().map(|left| format!("{}.{}", left.kind, left.name)).collect()
    }

    const TURNS: &str = r#"{"start": "2026-01-05T09:00", "every": "week", "members": ["max"]}"#;
    const TO_DANA: &str = r#"{"steps": [{"targets": [{"user": "dana"}]}]}"#;
    const TO_MX: &str = r#"{"steps": [{"targets": [{"rotation": "mx"}]}]}"#;
    const RULE: &str = r#"{"match": ["a=\"b\""], "route": "mx"}"#;

    /// The file had a user `max`, of whom a rotation, a policy, a key and a rule made by the API live.
    fn without_max() -> Layers {
        layers(
            DANA,
            &[
                ("rotations", "mx", TURNS),
                ("policies", "mx", TO_MX),
                ("policies", "default", TO_DANA),
                ("routing", "mx", r#"{"policy": "mx"}"#),
                ("rules", "mx", RULE),
                ("teams", "mx.eu", r#"{"members": ["dana"]}"#),
            ],
        )
    }

    #[test]
    fn what_a_file_took_the_ground_from_is_left_out_with_what_needs_it_and_the_rest_stays() {
        let (fitted, plan) = without_max().fit();
        assert_eq!(names(&fitted), ["policies.mx", "rotations.mx", "routing.mx", "rules.mx"]);
        let why = fitted.left_out[1].problems.to_string();
        assert_eq!(why, "rotations.mx.members[0]: no user `max`; add [users.max] or correct the name");
        assert_eq!(plan.policies.keys().collect::<Vec<_>>(), ["default"]);
        assert!(plan.teams.contains_key("mx.eu"));
        assert_eq!(fitted.documents.len(), 6, "nothing is forgotten");
        let (again, _) = layers(&format!("{DANA}{}", DANA.replace("dana", "max")), &[]).fit();
        let (back, plan) = Layers { files: again.files, ..fitted }.fit();
        assert!(back.left_out.is_empty() && plan.rules.len() == 1, "it comes back with what it needs");
    }

    #[test]
    fn all_that_is_wrong_with_one_thing_is_told_and_blamed_on_no_other() {
        let two = r#"{"members": ["max", "kim"]}"#;
        let (fitted, plan) =
            layers(DANA, &[("teams", "web", r#"{"members": ["dana"]}"#), ("teams", "web.eu", two)]).fit();
        assert_eq!(
            (names(&fitted), fitted.left_out[0].problems.0.len()),
            (vec!["teams.web.eu".to_owned()], 2)
        );
        assert!(plan.teams.contains_key("web"));
    }

    #[test]
    fn a_document_nobody_can_read_any_more_is_left_out_too() {
        let (fitted, plan) = layers(DANA, &[("users", "kim", "{"), ("moods", "good", "{}")]).fit();
        assert_eq!(names(&fitted), ["moods.good", "users.kim"]);
        assert!(plan.users.contains_key("dana"));
    }

    #[test]
    fn without_a_default_policy_alerts_still_page_somebody() {
        let made = [("policies", "night", TO_DANA), ("policies", "mx", TO_MX), ("rotations", "mx", TURNS)];
        let (fitted, plan) =
            layers(DANA, &[&made[..], &[("routing", "default", r#"{"policy": "mx"}"#)]].concat()).fit();
        assert_eq!(names(&fitted), ["policies.mx", "rotations.mx", "routing.default"]);
        assert_eq!(plan.routing.default.as_deref(), Some("night"));
        let default = &fitted.left_out[2];
        assert!(default.problems.to_string().contains("no policy `mx`"), "{default:?}");
        assert!(default.instead.as_ref().unwrap().contains("go to policy `night`"), "{default:?}");
        let (same, _) = fitted.with(&document("policies", "day", Some(TO_DANA))).unwrap();
        assert_eq!(same.left_out.len(), 3);
    }

    #[test]
    fn while_something_is_left_out_the_rest_can_be_changed_and_it_can_be_mended_or_removed() {
        let (fitted, _) = without_max().fit();
        let (other, plan) = fitted.with(&document("teams", "web", Some(r#"{"members": ["dana"]}"#))).unwrap();
        assert!(plan.teams.contains_key("web") && other.left_out == fitted.left_out);
        let Err(Refusal::Plan(same)) = fitted.with(&document("rotations", "mx", Some(TURNS))) else {
            panic!("it is still wrong")
        };
        assert!(same.to_string().contains("no user `max`"), "{same}");
        assert!(fitted.with(&document("users", "dana", None)).is_err());
        let mended = TURNS.replace("max", "dana");
        let (mended, plan) = fitted.with(&document("rotations", "mx", Some(&mended))).unwrap();
        assert!(mended.left_out.is_empty() && plan.rules.len() == 1);
        let (removed, _) = fitted.with(&document("rotations", "mx", None)).unwrap();
        assert_eq!(names(&removed), ["policies.mx", "routing.mx", "rules.mx"]);
    }
}
