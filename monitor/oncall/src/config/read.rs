//! From TOML to a [`Plan`], with every mistake and its line rather than the first one.
//!
//! Each entry (a user, a rotation, an override) is read by itself: a mistake in one hides none in another.

use std::{collections::BTreeMap, ops::Range};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use super::{
    Config, Contact, Messages, Plan, Problems, Texts, Zone, check,
    problem::{Complaints, Place},
};

const KEYS: &str = "time_zone, teams, users, receivers, rotations, overrides, swaps, policies, routing, rules, \
                    grouping, dependencies, silences, maintenance, flapping, inbound, smtp, messages";

pub(super) fn plan(text: &str, table: Option<&str>) -> Result<Plan, Problems> {
    let mut complaints = Complaints::default();
    let (root, syntax) = DeTable::parse_recoverable(text);
    for error in syntax {
        complaints.add_span(Place::default(), error.span(), error.message());
    }
    let place = table.map_or_else(Place::default, |table| Place::default().at(table));
    let config = match table.map(|table| root.get_ref().get(table)) {
        None => Reader { complaints: &mut complaints }.config(root.get_ref(), &place),
        Some(None) => Config::default(),
        Some(Some(value)) => match value.get_ref().as_table() {
            Some(inner) => Reader { complaints: &mut complaints }.config(inner, &place),
            None => {
                complaints.add(place.clone(), "is not a table");
                Config::default()
            }
        },
    };
    check::config(&config, &place, &mut complaints);
    complaints.into_result(Some((text, &root)))?;
    Ok(Plan(config))
}

struct Reader<'c> {
    complaints: &'c mut Complaints,
}

impl Reader<'_> {
    fn config(&mut self, table: &DeTable<'_>, place: &Place) -> Config {
        let mut config = Config::default();
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), place.at(key.get_ref().as_ref()));
            match name {
                "time_zone" => config.time_zone = self.item::<Zone>(value, &at).unwrap_or_default(),
                "teams" => config.teams = self.named(value, &at),
                "users" => config.users = self.named(value, &at),
                "receivers" => config.receivers = self.named(value, &at),
                "rotations" => config.rotations = self.named(value, &at),
                "overrides" => config.overrides = self.listed(value, &at),
                "swaps" => config.swaps = self.listed(value, &at),
                "policies" => config.policies = self.named(value, &at),
                "routing" => config.routing = self.item(value, &at).unwrap_or_default(),
                "rules" => config.rules = self.listed(value, &at),
                "grouping" => config.grouping = self.listed(value, &at),
                "dependencies" => config.dependencies = self.listed(value, &at),
                "silences" => config.silences = self.named(value, &at),
                "maintenance" => config.maintenance = self.named(value, &at),
                "flapping" => config.flapping = self.item(value, &at).unwrap_or_default(),
                "inbound" => config.inbound = self.item(value, &at).unwrap_or_default(),
                "smtp" => config.smtp = self.item(value, &at),
                "messages" => config.messages = self.messages(value, &at),
                _ => self.complain(at, Some(key.span()), format!("is not known; what is: {KEYS}")),
            }
        }
        config
    }

    /// Templates for all, and tables of templates for kinds of contact methods.
    fn messages(&mut self, value: &Spanned<DeValue<'_>>, place: &Place) -> Messages {
        let mut messages = Messages::default();
        let Some(table) = value.get_ref().as_table() else {
            self.complain(place.clone(), None, format!("is a table: [{place}]"));
            return messages;
        };
        for (key, value) in table {
            let (name, at) = (key.get_ref().as_ref(), place.at(key.get_ref().as_ref()));
            match name {
                "title" => messages.title = self.item(value, &at),
                "text" => messages.text = self.item(value, &at),
                kind if Contact::KINDS.contains(&kind) => {
                    if let Some(texts) = self.item::<Texts>(value, &at) {
                        messages.kinds.insert(kind.to_owned(), texts);
                    }
                }
                _ => {
                    let kinds = Contact::KINDS.join(", ");
                    let message =
                        format!("is not known; what is: title, text, and a table for each of {kinds}");
                    self.complain(at, Some(key.span()), message);
                }
            }
        }
        messages
    }

    /// A table of entries.
    fn named<T: DeserializeOwned>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
    ) -> BTreeMap<String, T> {
        let Some(table) = value.get_ref().as_table() else {
            self.complain(place.clone(), None, format!("is a table of tables: [{place}.<name>]"));
            return BTreeMap::new();
        };
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if let Some(entry) = self.item(value, &place.at(&name)) {
                entries.insert(name, entry);
            }
        }
        entries
    }

    /// A list of entries.
    fn listed<T: DeserializeOwned>(&mut self, value: &Spanned<DeValue<'_>>, place: &Place) -> Vec<T> {
        let Some(list) = value.get_ref().as_array() else {
            self.complain(place.clone(), None, format!("is a list of tables: [[{place}]]"));
            return Vec::new();
        };
        list.iter().enumerate().filter_map(|(i, value)| self.item(value, &place.at(i))).collect()
    }

    fn item<T: DeserializeOwned>(&mut self, value: &Spanned<DeValue<'_>>, place: &Place) -> Option<T> {
        match T::deserialize(ValueDeserializer::from(value.clone())) {
            Ok(item) => Some(item),
            Err(error) => {
                self.complain(place.clone(), error.span(), error.message().to_owned());
                None
            }
        }
    }

    fn complain(&mut self, place: Place, span: Option<Range<usize>>, message: String) {
        self.complaints.add_span(place, span, message);
    }
}
