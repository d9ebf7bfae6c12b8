//! Does a configuration hold together? Every name it mentions exists, every entry can be what it says.

mod schedule;

use std::{collections::BTreeSet, time::Duration};

pub(super) use self::schedule::{maintenance, substitute, swap};
use super::{
    Config, Contact, Policy, Repeat, Rotation, Target, Unit, User, is_name,
    problem::{Complaints, Place},
};
use crate::{Kind, Matcher, state::MOST_CHANGES};

/// Rounds, or repeated pages, closer together than this are a siren.
const SHORTEST_REPEAT: Duration = Duration::from_secs(60);

pub(super) fn config(config: &Config, place: &Place, complaints: &mut Complaints) {
    let mut check = Check { config, complaints };
    check.names(place);
    check.people(place);
    check.mail(place);
    if let Some(fault) = config.inbound.fault() {
        check.add(place.at("inbound").at("key"), fault);
    }
    config.messages.check(&place.at("messages"), check.complaints);
    check.rotations(place);
    check.policies(place);
    check.routing(place);
    check.matching(place);
    for (i, entry) in config.overrides.iter().enumerate() {
        substitute(config, entry, &place.at("overrides").at(i), check.complaints);
    }
    for (i, entry) in config.swaps.iter().enumerate() {
        swap(config, entry, &place.at("swaps").at(i), check.complaints);
    }
    for (name, window) in &config.maintenance {
        maintenance(config, window, &place.at("maintenance").at(name), check.complaints);
    }
}

fn matchers(matchers: &[Matcher], place: &Place, complaints: &mut Complaints) {
    if matchers.iter().all(Matcher::matches_empty) {
        complaints.add(
            place.at("match"),
            "matches every alert; add a matcher that asks for something, like service=\"web\"",
        );
    }
}

struct Check<'a> {
    config: &'a Config,
    complaints: &'a mut Complaints,
}

impl<'a> Check<'a> {
    fn add(&mut self, place: Place, message: impl Into<String>) {
        self.complaints.add(place, message);
    }

    fn names(&mut self, place: &Place) {
        let unfit = |name: &&String| !is_name(name);
        let config = self.config;
        for (user, entry) in &config.users {
            for name in entry.contacts.keys().filter(unfit) {
                self.name(name, place.at("users").at(user).at("contacts").at(name));
            }
        }
        let kinds: [(&str, Vec<&String>); 7] = [
            ("teams", config.teams.keys().collect()),
            ("users", config.users.keys().collect()),
            ("receivers", config.receivers.keys().collect()),
            ("rotations", config.rotations.keys().collect()),
            ("policies", config.policies.keys().collect()),
            ("silences", config.silences.keys().collect()),
            ("maintenance", config.maintenance.keys().collect()),
        ];
        for (kind, names) in kinds {
            for name in names.into_iter().filter(unfit) {
                self.name(name, place.at(kind).at(name));
            }
        }
    }

    fn name(&mut self, name: &str, place: Place) {
        self.add(place, format!("`{name}` cannot be a name; use up to 64 letters, digits, `.`, `_` or `-`"));
    }

    fn people(&mut self, place: &Place) {
        for (name, team) in &self.config.teams {
            for (i, member) in team.members.iter().enumerate() {
                self.user(member, place.at("teams").at(name).at("members").at(i));
            }
        }
        for (name, receiver) in &self.config.receivers {
            for fault in receiver.faults() {
                self.add(place.at("receivers").at(name), fault);
            }
        }
        for (name, user) in &self.config.users {
            self.paging(user, &place.at("users").at(name));
        }
    }

    fn mail(&mut self, place: &Place) {
        let config = self.config;
        if let Some(smtp) = &config.smtp {
            for (key, fault) in smtp.faults() {
                self.add(place.at("smtp").at(key), fault);
            }
            return;
        }
        // There is one, but it cannot be read.
        if self.complaints.has(&place.at("smtp")) {
            return;
        }
        let remedy = format!("needs a mail server; add [{}] with `server` and `from`", place.at("smtp"));
        let of_users = config.users.iter().flat_map(|(user, entry)| {
            let at = place.at("users").at(user).at("contacts");
            entry.contacts.iter().map(move |(name, contact)| (at.at(name), contact))
        });
        let of_receivers =
            config.receivers.iter().map(|(name, contact)| (place.at("receivers").at(name), contact));
        for (at, contact) in of_users.chain(of_receivers) {
            if matches!(contact, Contact::Email { .. }) {
                self.complaints.add(at, remedy.clone());
            }
        }
    }

    fn paging(&mut self, user: &User, place: &Place) {
        for (name, contact) in &user.contacts {
            for fault in contact.faults() {
                self.add(place.at("contacts").at(name), fault);
            }
        }
        let mut last = Duration::ZERO;
        for (i, step) in user.paging.iter().enumerate() {
            let at = place.at("paging").at(i);
            if !user.contacts.contains_key(&step.contact) {
                let message = format!(
                    "no contact `{}`; add {place}.contacts.{} or correct the name",
                    step.contact, step.contact
                );
                self.add(at.at("contact"), message);
            }
            if step.after < last {
                self.add(at.at("after"), "comes before the step above it; put the steps in order");
            }
            last = step.after;
        }
        if user.page_again < SHORTEST_REPEAT {
            self.add(place.at("page_again"), "is shorter than 1m; nobody wakes up any faster");
        }
    }

    fn rotations(&mut self, place: &Place) {
        for (name, rotation) in &self.config.rotations {
            let place = place.at("rotations").at(name);
            self.team(rotation.team.as_ref(), &place);
            if rotation.members.is_empty() {
                self.add(place.at("members"), "is empty; name at least one user");
            }
            let most = match rotation.every {
                Unit::Hour => 24 * 366,
                Unit::Day => 366,
                Unit::Week => 53,
                Unit::Month => 12,
            };
            if !(1..=most).contains(&rotation.shift_length) {
                self.add(place.at("shift_length"), format!("is not between 1 and {most} (a year)"));
            }
            for (i, member) in rotation.members.iter().enumerate() {
                self.pageable(member, place.at("members").at(i));
            }
        }
    }

    fn policies(&mut self, place: &Place) {
        for (name, policy) in &self.config.policies {
            let at = place.at("policies").at(name);
            self.team(policy.team.as_ref(), &at);
            self.policy(name, policy, &at);
            for (i, receiver) in policy.announce.iter().enumerate() {
                self.receiver(receiver, at.at("announce").at(i));
            }
        }
    }

    fn policy(&mut self, name: &str, policy: &Policy, place: &Place) {
        if policy.steps.iter().all(|step| step.targets.is_empty()) {
            self.add(place.at("steps"), "tells nobody; add a step with targets");
        }
        if policy.repeat != Repeat::Times(0) && policy.repeat_after < SHORTEST_REPEAT {
            self.add(place.at("repeat_after"), "is shorter than 1m; nobody wakes up any faster");
        }
        for (i, step) in policy.steps.iter().enumerate() {
            for (k, target) in step.targets.iter().enumerate() {
                let at = place.at("steps").at(i).at("targets").at(k);
                match target {
                    Target::Rotation(rotation)
                    | Target::NextInRotation(rotation)
                    | Target::PreviousInRotation(rotation) => {
                        self.rotation(rotation, at);
                    }
                    Target::User(user) => self.pageable(user, at),
                    Target::Receiver(receiver) => self.receiver(receiver, at),
                    Target::Policy(other) if other == name => self.add(at, "starts itself; use `repeat`"),
                    Target::Policy(other) => self.policy_exists(other, at),
                }
            }
        }
    }

    fn routing(&mut self, place: &Place) {
        let at = place.at("routing");
        for (key, policy) in &self.config.routing.keys {
            self.policy_exists(policy, at.at("keys").at(key));
        }
        match &self.config.routing.default {
            Some(policy) => self.policy_exists(policy, at.at("default")),
            None if !self.config.policies.is_empty() => {
                self.add(at, "needs `default`: the policy of alerts that nothing else routes");
            }
            None => {}
        }
    }

    fn matching(&mut self, place: &Place) {
        let mut seen = BTreeSet::new();
        for (i, rule) in self.config.rules.iter().enumerate() {
            let at = place.at("rules").at(i);
            if rule.matchers.is_empty() {
                self.add(at.at("match"), "is empty; write [ 'entity=*\"*\"' ] to match everything");
            }
            if !seen.insert(&rule.name) {
                self.add(
                    at.at("name"),
                    format!("`{}` is the name of a rule above; give it another", rule.name),
                );
            }
            for (field, value) in &rule.set {
                if matches!(field.as_str(), "kind" | "message_type") && Kind::parse(value).is_none() {
                    let message = format!("`{value}` is no kind; write CRITICAL, WARNING or INFO");
                    self.add(at.at("set").at(field), message);
                }
            }
            if let Some(key) = rule.route.as_ref().filter(|key| !self.config.routing.keys.contains_key(*key))
            {
                let message = format!("no routing key `{key}`; add it to routing.keys or correct it");
                self.add(at.at("route"), message);
            }
        }
        self.flapping(&place.at("flapping"));
        for (i, grouping) in self.config.grouping.iter().enumerate() {
            if grouping.by.is_empty() {
                self.add(place.at("grouping").at(i).at("by"), "is empty; name the fields alerts must share");
            }
        }
        for (name, silence) in &self.config.silences {
            matchers(&silence.matchers, &place.at("silences").at(name), self.complaints);
        }
    }

    fn flapping(&mut self, place: &Place) {
        let flapping = &self.config.flapping;
        if flapping.changes == 1 || flapping.changes > MOST_CHANGES {
            let message = format!("is not between 2 and {MOST_CHANGES}, or 0 for never");
            self.add(place.at("changes"), message);
        }
        if flapping.within > crate::state::FLAP_MEMORY {
            self.add(place.at("within"), "is longer than a day");
        }
    }

    fn team(&mut self, team: Option<&String>, place: &Place) {
        if let Some(team) = team.filter(|team| !self.config.teams.contains_key(*team)) {
            self.add(place.at("team"), format!("no team `{team}`; add [teams.{team}] or correct the name"));
        }
    }

    fn user(&mut self, user: &str, place: Place) {
        if !self.config.users.contains_key(user) {
            self.add(place, format!("no user `{user}`; add [users.{user}] or correct the name"));
        }
    }

    /// Who may be paged has to say how.
    fn pageable(&mut self, user: &str, place: Place) {
        self.user(user, place.clone());
        if self.config.users.get(user).is_some_and(|user| user.paging.is_empty()) {
            let message =
                format!("user `{user}` cannot be paged; give users.{user} contacts and `paging` steps");
            self.add(place, message);
        }
    }

    fn rotation(&mut self, rotation: &str, place: Place) -> Option<&'a Rotation> {
        let found = self.config.rotations.get(rotation);
        if found.is_none() {
            let message = format!("no rotation `{rotation}`; add [rotations.{rotation}] or correct the name");
            self.add(place, message);
        }
        found
    }

    fn receiver(&mut self, receiver: &str, place: Place) {
        if !self.config.receivers.contains_key(receiver) {
            let message = format!("no receiver `{receiver}`; add [receivers.{receiver}] or correct the name");
            self.add(place, message);
        }
    }

    fn policy_exists(&mut self, policy: &str, place: Place) {
        if !self.config.policies.contains_key(policy) {
            self.add(place, format!("no policy `{policy}`; add [policies.{policy}] or correct the name"));
        }
    }
}
