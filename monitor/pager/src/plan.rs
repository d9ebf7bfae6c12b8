//! Files, and what people made by the API, into one plan.
//!
//! A name that a file uses is the file's: the API cannot change it, and if a file takes a name later, the file wins.
//! What the API made and does not go with the files is left out ([`Layers::fit`]).

mod fit;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use wharf_oncall::{
    Config, Plan, Problems,
    config::{Problem, User, is_name},
};

pub use fit::LeftOut;

use crate::{Refusal, journal::Document};

/// Kinds of things that the API makes. A `routing` is a routing key with the policy it goes to; the one named
/// `default` is for all other alerts.
pub const KINDS: [&str; 9] =
    ["teams", "users", "receivers", "rotations", "policies", "routing", "rules", "grouping", "dependencies"];

/// Those of them that have an order: the files' come first, then the API's by name.
pub const ORDERED: [&str; 3] = ["rules", "grouping", "dependencies"];

/// The policy of a new wharf's first alerts, and the routing of all alerts that nothing else routes.
const DEFAULT: &str = "default";

/// Where a piece of configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A file; it is changed there.
    File,
    /// The API.
    Api,
}

/// All that the plan is made of.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// What the files say.
    pub files: Config,
    /// What the API made, by kind and name.
    pub documents: BTreeMap<(String, String), Document>,
    /// What of it is not in force, by kind and name.
    pub left_out: Vec<LeftOut>,
    /// The policy that is the default as long as the one that was made is left out.
    stand_in: Option<String>,
}

impl Layers {
    /// To be [fitted](Self::fit).
    pub fn new(files: Config, documents: BTreeMap<(String, String), Document>) -> Self {
        Self { files, documents, ..Self::default() }
    }

    /// Both together, nothing left out.
    fn plan(&self) -> Result<Plan, Problems> {
        let mut config = self.files.clone();
        for ((kind, name), document) in &self.documents {
            if self.origin(kind, name) != Some(Origin::File) {
                insert(&mut config, kind, name, document.body.as_deref().unwrap_or_default())?;
            }
        }
        // The first policy could not be made otherwise: it and its routing need each other.
        if config.routing.default.is_none() && config.policies.contains_key(DEFAULT) {
            config.routing.default = Some(DEFAULT.to_owned());
        }
        config.routing.default = config.routing.default.or_else(|| self.stand_in.clone());
        Plan::new(config).map_err(|problems| self.by_name(problems))
    }

    /// Whoever made an ordered entry by the API knows it by its name, not by its number.
    fn by_name(&self, mut problems: Problems) -> Problems {
        for problem in &mut problems.0 {
            let Some((kind, rest)) = problem.place.split_once('[') else { continue };
            let Some((number, rest)) = rest.split_once(']') else { continue };
            let in_files = match kind {
                "rules" => self.files.rules.len(),
                "grouping" => self.files.grouping.len(),
                "dependencies" => self.files.dependencies.len(),
                _ => continue,
            };
            let name =
                number.parse::<usize>().ok().and_then(|n| self.made(kind).nth(n.checked_sub(in_files)?));
            if let Some(name) = name {
                problem.place = format!("{kind}.{name}{rest}");
            }
        }
        problems
    }

    /// The names of what the API made of this kind, those left out that a file has too.
    fn made<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        let of_kind = self.documents.keys().filter(move |(of, _)| of == kind);
        of_kind
            .map(|(_, name)| name.as_str())
            .filter(move |name| self.origin(kind, name) == Some(Origin::Api))
    }

    /// Where a name comes from; nothing if there is none.
    pub fn origin(&self, kind: &str, name: &str) -> Option<Origin> {
        let files = &self.files;
        let in_file = match kind {
            "teams" => files.teams.contains_key(name),
            "users" => files.users.contains_key(name),
            "receivers" => files.receivers.contains_key(name),
            "rotations" => files.rotations.contains_key(name),
            "policies" => files.policies.contains_key(name),
            "routing" if name == DEFAULT => files.routing.default.is_some(),
            "routing" => files.routing.keys.contains_key(name),
            "rules" => files.rules.iter().any(|rule| rule.name == name),
            "grouping" => files.grouping.iter().any(|one| one.name.as_deref() == Some(name)),
            "dependencies" => files.dependencies.iter().any(|one| one.name.as_deref() == Some(name)),
            _ => false,
        };
        let by_api =
            || self.documents.contains_key(&(kind.to_owned(), name.to_owned())).then_some(Origin::Api);
        if in_file { Some(Origin::File) } else { by_api() }
    }

    /// With `document` made, changed or removed, if that holds together: it fits, and leaves nothing out that was not
    /// left out before.
    pub(crate) fn with(&self, document: &Document) -> Result<(Self, Plan), Refusal> {
        let (kind, name) = (document.kind.clone(), document.name.clone());
        let mut layers = self.clone();
        match (self.origin(&kind, &name), &document.body) {
            (Some(Origin::File), _) => return Err(Refusal::FromFile { kind, name }),
            (None, None) => return Err(Refusal::NoDocument { kind, name }),
            (_, None) => drop(layers.documents.remove(&(kind, name))),
            (_, Some(_)) => drop(layers.documents.insert((kind, name), document.clone())),
        }
        let (layers, plan) = layers.fit();
        let known = |left: &&LeftOut| {
            !left.is_of(&document.kind, &document.name)
                && self.left_out.iter().any(|before| before.is_of(&left.kind, &left.name))
        };
        let wrong = layers.left_out.iter().filter(|left| !known(left));
        let wrong: Vec<Problem> = wrong.flat_map(|left| left.problems.0.clone()).collect();
        if wrong.is_empty() { Ok((layers, plan)) } else { Err(Refusal::Plan(Problems(wrong))) }
    }
}

/// Where alerts with a routing key go.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    policy: String,
}

/// Its name stands in its address; in the list it has to stand in the entry.
fn named(entry: &mut Value, name: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err("cannot be a name; use up to 64 letters, digits, `.`, `_` or `-`".to_owned());
    }
    let Some(entry) = entry.as_object_mut() else { return Err("is no object".to_owned()) };
    match entry.insert("name".to_owned(), name.into()) {
        Some(other) if other != name => {
            Err(format!("is called {other} inside; leave `name` out or make it the same"))
        }
        _ => Ok(()),
    }
}

fn insert(config: &mut Config, kind: &str, name: &str, body: &str) -> Result<(), Problems> {
    let wrong =
        |message: String| Problems(vec![Problem { line: None, place: format!("{kind}.{name}"), message }]);
    let mut value: Value =
        serde_json::from_str(body).map_err(|error| wrong(format!("is no JSON: {error}")))?;
    if ORDERED.contains(&kind) {
        named(&mut value, name).map_err(wrong)?;
    }
    fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
    let name = name.to_owned();
    match kind {
        "teams" => drop(config.teams.insert(name, read(value).map_err(wrong)?)),
        "users" => drop(config.users.insert(name, read::<User>(value).map_err(wrong)?)),
        "receivers" => drop(config.receivers.insert(name, read(value).map_err(wrong)?)),
        "rotations" => drop(config.rotations.insert(name, read(value).map_err(wrong)?)),
        "policies" => drop(config.policies.insert(name, read(value).map_err(wrong)?)),
        "routing" => {
            let route: Route = read(value).map_err(wrong)?;
            if name == DEFAULT {
                config.routing.default = Some(route.policy);
            } else {
                config.routing.keys.insert(name, route.policy);
            }
        }
        "rules" => config.rules.push(read(value).map_err(wrong)?),
        "grouping" => config.grouping.push(read(value).map_err(wrong)?),
        "dependencies" => config.dependencies.push(read(value).map_err(wrong)?),
        _ => return Err(wrong(format!("cannot be made: use one of {}", KINDS.join(", ")))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn document(kind: &str, name: &str, body: Option<&str>) -> Document {
        Document {
            kind: kind.to_owned(),
            name: name.to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: "lee".to_owned(),
            body: body.map(str::to_owned),
        }
    }

    fn files() -> Layers {
        let text = "[users.dana]\ncontacts.phone = { type = \"ntfy\", url = \"https://n.example/d\" }\npaging = [{ contact = \"phone\" }]";
        Layers::new((*Plan::from_toml(text, None).unwrap()).clone(), BTreeMap::new())
    }

    #[test]
    fn what_the_api_makes_goes_with_what_the_files_say() {
        let made = document("policies", "default", Some(r#"{"steps": [{"targets": [{"user": "dana"}]}]}"#));
        let (layers, plan) = files().with(&made).unwrap();
        assert!(plan.policies.contains_key("default") && plan.users.contains_key("dana"));
        assert_eq!(plan.routing.default.as_deref(), Some("default"), "the first policy needs no routing");
        assert_eq!(layers.origin("policies", "default"), Some(Origin::Api));
        let (layers, plan) =
            layers.with(&document("routing", "db", Some(r#"{"policy": "default"}"#))).unwrap();
        assert_eq!(plan.routing.keys["db"], "default");
        let needed = layers.with(&document("policies", "default", None)).unwrap_err().to_string();
        assert!(needed.contains("routing"), "{needed}");
        let (layers, _) = layers.with(&document("routing", "db", None)).unwrap();
        let (_, plan) = layers.with(&document("policies", "default", None)).unwrap();
        assert!(plan.policies.is_empty());
    }

    #[test]
    fn rules_of_the_api_come_after_those_of_the_files_by_name() {
        let text = "[[rules]]\nname = \"z\"\nmatch = ['a=\"b\"']\nmute = true";
        let files = (*Plan::from_toml(text, None).unwrap()).clone();
        let layers = Layers::new(files, BTreeMap::new());
        let rule = r#"{"match": ["host=*\"lab-*\""], "mute": true}"#;
        let (layers, _) = layers.with(&document("rules", "b", Some(rule))).unwrap();
        let (layers, plan) = layers.with(&document("rules", "a", Some(rule))).unwrap();
        assert_eq!(plan.rules.iter().map(|rule| &*rule.name).collect::<Vec<_>>(), ["z", "a", "b"]);
        let refused = |name: &str, body: &str| layers.with(&document("rules", name, Some(body))).unwrap_err();
        assert!(refused("z", rule).to_string().contains("comes from the configuration file"));
        let nowhere = refused("aa", r#"{"match": ["a=\"b\""], "route": "x"}"#).to_string();
        assert!(nowhere.contains("rules.aa.route: no routing key `x`"), "{nowhere}");
        assert!(refused("a b", rule).to_string().contains("cannot be a name"));
        assert!(refused("c", r#"{"name": "d", "match": ["a=\"b\""]}"#).to_string().contains("inside"));
        let by = r#"{"match": ["rack=*\"?*\""], "by": ["rack"]}"#;
        let (layers, plan) = layers.with(&document("grouping", "rack", Some(by))).unwrap();
        assert_eq!(plan.grouping[0].name.as_deref(), Some("rack"));
        let on = r#"{"match": ["host=*\"?*\""], "on": "node:{{host}}"}"#;
        let (layers, plan) = layers.with(&document("dependencies", "host", Some(on))).unwrap();
        assert_eq!(plan.dependencies.len(), 1);
        let (_, plan) = layers.with(&document("dependencies", "host", None)).unwrap();
        assert!(plan.dependencies.is_empty());
    }

    #[test]
    fn what_is_in_a_file_or_does_not_hold_together_is_refused_and_says_why() {
        let refused = |document: Document| files().with(&document).unwrap_err().to_string();
        assert!(refused(document("users", "dana", Some("{}"))).contains("comes from the configuration file"));
        assert!(refused(document("users", "lee", None)).contains("no users `lee`"));
        let nobody = r#"{"steps": [{"targets": [{"user": "kim"}]}]}"#;
        assert!(refused(document("policies", "night", Some(nobody))).contains("kim"));
        assert!(refused(document("policies", "night", Some("{"))).contains("policies.night: is no JSON"));
        assert!(refused(document("policies", "night", Some(r#"{"stepz": []}"#))).contains("stepz"));
        assert!(refused(document("moods", "good", Some("{}"))).contains("use one of"));
    }
}
