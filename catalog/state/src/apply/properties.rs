//! Whatever is asked of the catalog, in whatever order, these hold.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{Behavior, Commit};

fn name() -> impl Strategy<Value = Arc<str>> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(Arc::<str>::from)
}

fn cas() -> impl Strategy<Value = Option<Index>> {
    prop::option::weighted(0.3, (0..12u64).prop_map(Index))
}

fn value() -> impl Strategy<Value = Arc<[u8]>> {
    (0..3u8).prop_map(|value| Arc::from([value]))
}

/// Anything on a few names, so that commands meet.
pub(crate) fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![5 => on_the_fleet(), 4 => on_keys(), 3 => on_sessions(), 2 => on_documents_and_records()]
}

fn on_the_fleet() -> impl Strategy<Value = Command> {
    let status = prop::sample::select(vec![Status::Passing, Status::Warning, Status::Critical]);
    let tags = prop::collection::vec(prop::sample::select(vec!["x".to_owned(), "y".to_owned()]), 0..2);
    prop_oneof![
        (name(), 0..3u8).prop_map(|(n, ip)| Command::PutNode(Node::new(n, format!("10.0.0.{ip}")))),
        (name(), name(), name(), tags)
            .prop_map(|(n, i, s, tags)| Command::PutInstance(Instance { tags, ..Instance::new(n, i, s) })),
        (name(), name(), prop::option::of(name()), any::<bool>()).prop_map(|(n, c, i, keep)| {
            let on_put = if keep { CheckStatusOnPut::Keep } else { CheckStatusOnPut::Set };
            Command::PutCheck(Check { instance: i, status: Status::Passing, ..Check::new(n, c, "c") }, on_put)
        }),
        (name(), name(), status).prop_map(|(node, check, status)| {
            Command::SetCheckStatus { node, check, status, output: String::new() }
        }),
        name().prop_map(Command::DeleteNode),
        (name(), name()).prop_map(|(n, i)| Command::DeleteInstance(n, i)),
        (name(), name()).prop_map(|(n, i)| Command::WithdrawInstance(n, i)),
        (name(), name()).prop_map(|(n, c)| Command::DeleteCheck(n, c)),
        (name(), name()).prop_map(|(from, to)| Command::RenameNode(from, to)),
        (name(), name(), 0..100_000i64).prop_map(|(n, c, at)| Command::RenewCheck(n, c, Timestamp(at))),
    ]
}

fn on_keys() -> impl Strategy<Value = Command> {
    prop_oneof![
        (name(), value(), cas()).prop_map(|(key, value, cas)| Command::SetKey { key, value, flags: 0, cas }),
        (name(), cas()).prop_map(|(key, cas)| Command::DeleteKey { key, cas }),
        name().prop_map(Command::DeleteKeysUnder),
        (name(), value(), name()).prop_map(|(key, value, session)| Command::AcquireKey {
            key,
            value,
            flags: 0,
            session
        }),
        (name(), value(), name()).prop_map(|(key, value, session)| Command::ReleaseKey {
            key,
            value,
            flags: 0,
            session
        }),
        (name(), (0..12u64)).prop_map(|(key, index)| Command::ExpectIndex(key, Index(index))),
        name().prop_map(Command::ExpectAbsent),
        (name(), name()).prop_map(|(key, session)| Command::ExpectSession(key, session)),
        name().prop_map(Command::ReadKey),
        name().prop_map(Command::ReadKeysUnder),
    ]
}

fn on_sessions() -> impl Strategy<Value = Command> {
    let session =
        (name(), name(), prop::option::of(name()), prop::option::of(1..20u64), any::<bool>(), 0..20u64);
    prop_oneof![
        session.prop_map(|(id, node, check, ttl, delete, delay)| {
            Command::PutSession(Session {
                node_checks: check.into_iter().collect(),
                ttl: ttl.map(Duration::from_secs),
                behavior: if delete { Behavior::Delete } else { Behavior::Release },
                lock_delay: Duration::from_secs(delay),
                ..Session::new(id, node)
            })
        }),
        name().prop_map(Command::EndSession),
        name().prop_map(Command::ExpireSession),
        name().prop_map(Command::RenewSession),
    ]
}

fn on_documents_and_records() -> impl Strategy<Value = Command> {
    let document = (name(), name(), name(), prop::option::of(name()));
    prop_oneof![
        (document, cas()).prop_map(|((kind, id, body, session), cas)| {
            Command::PutDocument(Document { session, ..Document::new(kind, id, body) }, cas)
        }),
        (name(), name(), cas()).prop_map(|(kind, id, cas)| Command::DeleteDocument { kind, id, cas }),
        (any_record(), prop::option::of((0..12u64).prop_map(Index)))
            .prop_map(|(record, expected)| Command::ExpectRecord(record, expected)),
        any_record().prop_map(Command::ReadRecord),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        name().prop_map(Record::Node),
        (name(), name()).prop_map(|(node, id)| Record::Instance(node, id)),
        (name(), name()).prop_map(|(node, id)| Record::Check(node, id)),
    ]
}

/// What happens next, and how many milliseconds after the last.
#[derive(Debug, Clone)]
enum Step {
    Commit(u32, Vec<Command>),
    /// What stood so many commits ago stands again.
    Restore(u32, usize),
}

fn any_history(longest: usize) -> impl Strategy<Value = Vec<Step>> {
    let commit = (0..9_000u32, prop::collection::vec(any_command(), 1..4));
    let step = prop_oneof![
        15 => commit.prop_map(|(later, commands)| Step::Commit(later, commands)),
        1 => (0..9_000u32, 0..10usize).prop_map(|(later, back)| Step::Restore(later, back)),
    ];
    prop::collection::vec(step, 0..longest)
}

/// One after the other; `see` is shown each commit that happened, with the state before it.
fn live(
    history: Vec<Step>,
    mut see: impl FnMut(&State, Timestamp, &Applied) -> Result<(), TestCaseError>,
) -> Result<State, TestCaseError> {
    let (mut states, mut now) = (vec![State::restored(Index::FIRST, [])], Timestamp(0));
    for step in history {
        let state = states[states.len() - 1].clone();
        let (later, commands) = match step {
            Step::Commit(later, commands) => (later, commands),
            Step::Restore(later, back) => {
                let records = states[states.len().saturating_sub(back + 1)].standing();
                (later, vec![Command::Restore(Arc::new(records))])
            }
        };
        now = now.after(Duration::from_millis(later.into()));
        let Ok(applied) = apply(&state, state.index().next(), now, &commands) else { continue };
        prop_assert_eq!(applied.replies.len(), commands.len());
        see(&state, now, &applied)?;
        states.push(applied.state);
    }
    Ok(states.pop().unwrap_or_default())
}

/// Every topic on the few names there are.
fn topics() -> Vec<Topic> {
    let names = || ["a", "b", "c"].into_iter().map(Arc::<str>::from);
    let mut topics =
        vec![Topic::Catalog, Topic::Nodes, Topic::Services, Topic::Checks, Topic::Sessions, Topic::Leases];
    for of in [
        Topic::Node,
        Topic::NodeChecks,
        Topic::Service,
        Topic::Health,
        Topic::ServiceChecks,
        Topic::Session,
        Topic::NodeSessions,
        Topic::Documents,
        Topic::Key,
        Topic::KeyPrefix,
    ] {
        topics.extend(names().map(of));
    }
    topics.push(Topic::KeyPrefix("".into()));
    topics.extend(names().flat_map(|kind| names().map(move |id| Topic::Document(kind.clone(), id))));
    topics
}

/// What somebody who asks for `topic` is told.
fn told(state: &State, topic: &Topic) -> String {
    fn all<T: std::fmt::Debug>(records: impl Iterator<Item = T>) -> String {
        format!("{:?}", records.collect::<Vec<_>>())
    }
    let of_service = |name: &Arc<str>| {
        all(state.service(name).map(|instance| (instance.clone(), state.node(&instance.node))))
    };
    match topic {
        Topic::Catalog => all(state.nodes()) + &all(state.instances()) + &all(state.checks()),
        Topic::Nodes => all(state.nodes()),
        Topic::Node(node) => format!("{:?}", state.node(node)) + &all(state.instances_on(node)),
        Topic::NodeChecks(node) => all(state.checks_on(node)),
        Topic::Services => {
            let tags = |name| state.service(name).map(|instance| &instance.tags).collect::<Vec<_>>();
            all(state.service_names().map(|name| (name, tags(name))))
        }
        Topic::Service(name) => of_service(name),
        Topic::Health(name) => {
            let checks = state.service_health(name).map(|health| all(health.checks()));
            of_service(name) + &all(checks)
        }
        Topic::ServiceChecks(name) => {
            all(state.checks().filter(|check| check.instance.is_some() && check.service == *name))
        }
        Topic::Checks => all(state.checks()),
        Topic::Sessions => all(state.sessions()),
        Topic::Session(id) => format!("{:?}", state.session(id)),
        Topic::NodeSessions(node) => all(state.sessions().filter(|session| session.node == *node)),
        Topic::Documents(kind) => all(state.documents(kind)),
        Topic::Document(kind, id) => format!("{:?}", state.document(kind, id)),
        Topic::Leases => all(state.leases()),
        Topic::Key(key) => format!("{:?}", state.kv(key)),
        Topic::KeyPrefix(prefix) => all(state.keys_under(prefix)),
    }
}

fn every_reference_stands(state: &State) -> Result<(), TestCaseError> {
    for instance in state.instances() {
        prop_assert!(state.node(&instance.node).is_some());
    }
    for check in state.checks() {
        prop_assert!(state.node(&check.node).is_some());
        let instance = check.instance.as_ref().map(|id| state.instance(&check.node, id));
        prop_assert!(instance.is_none_or(|found| found.is_some_and(|i| i.name == check.service)));
    }
    for name in state.service_names() {
        prop_assert!(state.service(name).count() > 0);
        prop_assert_eq!(state.service(name).count(), state.service_health(name).count());
    }
    Ok(())
}

fn sessions_and_locks_hold(state: &State) -> Result<(), TestCaseError> {
    for entry in state.keys_under("") {
        prop_assert!(entry.session.as_ref().is_none_or(|id| state.session(id).is_some()), "held by nobody");
    }
    for session in state.sessions() {
        prop_assert!(state.node(&session.node).is_some());
        prop_assert_eq!(session.ttl.is_some(), state.lease(&session.id).is_some(), "{:?}", session);
        let held = state.held_by(&session.id).count();
        prop_assert_eq!(
            held,
            state.keys_under("").filter(|e| e.session.as_ref() == Some(&session.id)).count()
        );
        for check in &session.node_checks {
            prop_assert!(state.check(&session.node, check).is_some_and(|c| c.status != Status::Critical));
        }
    }
    for kind in ["a", "b", "c"] {
        for document in state.documents(kind) {
            prop_assert!(document.session.as_ref().is_none_or(|id| state.session(id).is_some()));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn an_index_never_falls_and_moves_whenever_the_answer_does(history in any_history(30)) {
        live(history, |before, _, applied| {
            let after = &applied.state;
            let moved = u64::from(!applied.changes.is_empty());
            prop_assert_eq!(after.index(), Index(before.index().0 + moved));
            for topic in topics() {
                let (old, new) = (before.index_of(&topic), after.index_of(&topic));
                prop_assert!(new >= old, "{topic:?} went back");
                prop_assert!(new == old || new == after.index(), "{topic:?} moved to {new}");
                if told(before, &topic) != told(after, &topic) {
                    prop_assert_eq!(new, after.index(), "{:?} changed unnoticed", topic);
                    let woken = applied.topics.contains(&topic) || match &topic {
                        Topic::KeyPrefix(prefix) => applied.topics.iter()
                            .any(|topic| matches!(topic, Topic::Key(key) if key.starts_with(&**prefix))),
                        _ => false,
                    };
                    prop_assert!(woken, "{topic:?} changed and nobody was woken");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_changes_alone_move_another_state_to_the_same_place(history in any_history(30)) {
        let mut follower = State::restored(Index::FIRST, []);
        live(history, |_, now, applied| {
            if !applied.changes.is_empty() {
                let commit = Commit { index: applied.state.index(), changes: applied.changes.clone() };
                let kept: Commit = serde_json::from_str(&serde_json::to_string(&commit).unwrap()).unwrap();
                let mut woken = Vec::new();
                follower.advance(&kept, &mut woken);
                prop_assert_eq!(&woken, &applied.topics);
            }
            let state = &applied.state;
            prop_assert_eq!(follower.index(), state.index());
            prop_assert_eq!(follower.standing(), state.standing());
            for topic in topics() {
                prop_assert_eq!(follower.index_of(&topic), state.index_of(&topic), "{:?}", topic);
                prop_assert_eq!(told(&follower, &topic), told(state, &topic));
            }
            for one in ["a", "b", "c"] {
                prop_assert_eq!(follower.lock_delayed(one, now), state.lock_delayed(one, now));
                for other in ["a", "b", "c"] {
                    prop_assert_eq!(follower.departure(one, other), state.departure(one, other));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn what_was_kept_is_what_stood(history in any_history(40)) {
        let state = live(history, |_, _, _| Ok(()))?;
        let restored = State::restored(state.index(), state.standing());
        prop_assert_eq!(restored.standing(), state.standing());
        for topic in topics() {
            prop_assert_eq!(told(&restored, &topic), told(&state, &topic));
            prop_assert!(restored.index_of(&topic) >= state.index_of(&topic), "{topic:?} went back");
        }
        for session in state.sessions() {
            prop_assert_eq!(restored.held_by(&session.id).count(), state.held_by(&session.id).count());
        }
    }

    #[test]
    fn references_stand_and_locks_hold_after_every_commit(history in any_history(40)) {
        live(history, |_, _, applied| {
            every_reference_stands(&applied.state)?;
            sessions_and_locks_hold(&applied.state)
        })?;
    }

    #[test]
    fn a_held_key_changes_hands_only_when_its_holder_lets_go_or_is_gone(history in any_history(40)) {
        live(history, |before, now, applied| {
            let ended = |id: &Arc<str>| applied.changes.contains(&Change::DeleteSession(id.clone()));
            for held in before.keys_under("") {
                let Some(holder) = &held.session else { continue };
                let later = applied.state.kv(&held.key).and_then(|entry| entry.session.clone());
                let let_go = |change: &Change| match change {
                    Change::PutKey(entry) => entry.key == held.key && entry.session.is_none(),
                    Change::DeleteKey(key, _) => *key == held.key,
                    _ => false,
                };
                if later.as_ref() != Some(holder) {
                    prop_assert!(ended(holder) || applied.changes.iter().any(let_go), "{held:?} to {later:?}");
                }
                let delay = before.session(holder).map_or(Duration::ZERO, |session| session.lock_delay);
                let lost = |change: &Change| matches!(change, Change::DelayLock { key, .. } if *key == held.key);
                if applied.changes.iter().any(lost) && !delay.is_zero() {
                    let until = now.after(delay);
                    prop_assert!(applied.state.lock_delayed(&held.key, until.before(Duration::from_millis(1))));
                    prop_assert!(!applied.state.lock_delayed(&held.key, now.after(Duration::from_secs(60))));
                }
            }
            Ok(())
        })?;
    }
}
