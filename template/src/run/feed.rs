//! Where templates get their answers, and how they hear of new ones: the catalog of this process, or the
//! mirror of one elsewhere.

use std::{collections::HashSet, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use wharf_catalog::{Catalog, Index, InstanceHealth, State, Timestamp, Topic};

use crate::{
    damping::{Dampers, HeldOut},
    eval::{Memo, Reads},
    mirror::{Look, Mirror, Question},
    source::{Lookup, Snapshot, Source},
};

/// With more topics than this, one seat for all changes is cheaper than one for each.
const MAX_SEATS: usize = 64;

/// What templates follow.
#[derive(Debug, Clone)]
pub enum Feed {
    /// The catalog of this process.
    Here {
        /// The catalog.
        catalog: Catalog,
        /// Name of the node this process runs on, if it is one of the catalog's.
        local_node: Option<Arc<str>>,
    },
    /// A catalog elsewhere.
    There(Mirror),
}

impl From<Catalog> for Feed {
    fn from(catalog: Catalog) -> Self {
        Self::Here { catalog, local_node: None }
    }
}

impl From<Mirror> for Feed {
    fn from(mirror: Mirror) -> Self {
        Self::There(mirror)
    }
}

/// What is known at one moment.
#[derive(Debug)]
pub(crate) enum Moment {
    Here { state: Arc<State>, datacenter: Arc<str>, local_node: Option<Arc<str>> },
    There(Box<Look>),
}

/// A source that holds out who flaps, and shares answers.
struct Damped<'a> {
    source: &'a dyn Source,
    held: &'a HeldOut,
    memo: &'a Memo,
}

impl Source for Damped<'_> {
    fn datacenter(&self) -> &str {
        self.source.datacenter()
    }

    fn datacenters(&self) -> Option<Vec<String>> {
        self.source.datacenters()
    }

    fn local_node(&self) -> Option<String> {
        self.source.local_node()
    }

    fn catalog(&self, datacenter: &str, topic: &Topic) -> Lookup<'_> {
        self.source.catalog(datacenter, topic)
    }

    fn held_out(&self, datacenter: &str, found: &InstanceHealth<'_>) -> Option<String> {
        self.held.reason(datacenter, found)
    }

    fn stamp(&self, datacenter: &str, topic: &Topic) -> Option<u64> {
        self.source.stamp(datacenter, topic)
    }

    /// Who is held out depends on what the template asked before: such answers are its own.
    fn memo(&self) -> Option<&Memo> {
        self.held.is_empty().then_some(self.memo)
    }
}

/// What a template depends on, and since when.
#[derive(Debug, Clone, Default)]
pub(super) struct Depends {
    questions: HashSet<Question>,
    /// Changes up to here are rendered or waiting to be.
    pub(super) seen: u64,
}

impl Feed {
    pub(crate) fn now(&self, datacenter: &Arc<str>) -> Moment {
        match self {
            Self::Here { catalog, local_node } => Moment::Here {
                state: catalog.snapshot(),
                datacenter: datacenter.clone(),
                local_node: local_node.clone(),
            },
            Self::There(mirror) => Moment::There(Box::new(Look::new(mirror.view()))),
        }
    }

    /// Waits until it can be asked at all.
    pub(super) async fn ready(&self) {
        match self {
            Self::Here { .. } => {}
            Self::There(mirror) => mirror.ready().await,
        }
    }

    /// What is wrong with the connection to the catalog, if anything is.
    pub(crate) fn outage(&self) -> Option<String> {
        match self {
            Self::Here { .. } => None,
            Self::There(mirror) => mirror
                .outage()
                .map(|outage| format!("{} questions without an answer: {}", outage.questions, outage.error)),
        }
    }

    /// Has what `follower` depends on kept up to date.
    pub(super) fn follow(&self, follower: usize, depends: &Depends) {
        if let Self::There(mirror) = self {
            mirror.follow(follower, &depends.questions);
        }
    }

    /// Waits until one of the answers is younger than what was seen; returns until where it has been.
    pub(super) async fn changed(&self, depends: &Depends) -> u64 {
        match self {
            Self::There(mirror) => mirror.changed(&depends.questions, depends.seen).await,
            Self::Here { catalog, .. } => {
                let topics = depends.questions.iter().filter_map(|question| match question {
                    Question::Topic(_, topic) => Some(topic),
                    Question::Datacenters | Question::Agent => None,
                });
                any_changed(catalog, &topics.collect::<Vec<_>>(), Index(depends.seen)).await.0
            }
        }
    }
}

impl Moment {
    /// As [`Self::with`], without who flaps.
    pub(super) fn damped<R>(&self, held: &HeldOut, memo: &Memo, work: impl FnOnce(&dyn Source) -> R) -> R {
        self.with(|source| work(&Damped { source, held, memo }))
    }

    pub(crate) fn with<R>(&self, work: impl FnOnce(&dyn Source) -> R) -> R {
        match self {
            Self::Here { state, datacenter, local_node } => {
                work(&Snapshot { state, datacenter, local_node: local_node.as_deref() })
            }
            Self::There(look) => work(&**look),
        }
    }

    /// What an evaluation at this moment depends on, which read this.
    pub(super) fn depends(&self, reads: &Reads) -> Depends {
        let own = reads.topics.iter().map(|topic| Question::Topic("".into(), topic.clone()));
        match self {
            // Other datacenters are no business of the catalog of this process.
            Self::Here { state, .. } => Depends { questions: own.collect(), seen: state.index().0 },
            Self::There(look) => {
                let elsewhere = reads.elsewhere.iter();
                let elsewhere =
                    elsewhere.map(|(name, topic)| Question::Topic(name.as_str().into(), topic.clone()));
                let questions = own.chain(elsewhere).chain(look.asked()).collect();
                Depends { questions, seen: look.view.version() }
            }
        }
    }
}

impl Depends {
    /// The services it asks instances of, by datacenter (`""`: our own).
    fn services(&self) -> impl Iterator<Item = (&str, &str)> {
        self.questions.iter().filter_map(|question| match question {
            Question::Topic(datacenter, Topic::Health(service)) => Some((&**datacenter, &**service)),
            _ => None,
        })
    }

    /// Takes note of how these are at `now`; says who of them is held out.
    pub(super) fn observe(&self, dampers: &mut Dampers, now: Timestamp, moment: &Moment) -> HeldOut {
        moment.with(|source| {
            let name = |datacenter: &str| match datacenter {
                "" => source.datacenter().to_owned(),
                other => other.to_owned(),
            };
            let services: Vec<_> = self.services().map(|(datacenter, it)| (name(datacenter), it)).collect();
            for (datacenter, service) in &services {
                if let Lookup::Known(state) = source.catalog(datacenter, &Topic::Health((*service).into())) {
                    dampers.observe(now, datacenter, service, state.service_health(service));
                }
            }
            dampers.held_out(now, services.iter().map(|(datacenter, service)| (&**datacenter, *service)))
        })
    }

    pub(super) fn count(&self) -> usize {
        self.questions.len()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.questions.iter().map(Question::name).collect();
        names.sort();
        names
    }
}

/// Waits until the answer to one of `topics` is younger than `after`; returns the index of then.
async fn any_changed(catalog: &Catalog, topics: &[&Topic], mut after: Index) -> Index {
    let is_key = |topic: &Topic| matches!(topic, Topic::Key(_) | Topic::KeyPrefix(_));
    let many = topics.len() > MAX_SEATS;
    if topics.is_empty() {
        return std::future::pending().await;
    }
    loop {
        let every = topics.iter().copied().filter(|topic| !many || is_key(topic));
        let all = Topic::Catalog;
        let mut changes: FuturesUnordered<_> =
            every.chain(many.then_some(&all)).map(|topic| catalog.changed(topic, after)).collect();
        let Some(state) = changes.next().await else {
            return std::future::pending().await;
        };
        if !many || topics.iter().any(|topic| state.index_of(topic) > after) {
            return state.index();
        }
        after = state.index();
    }
}
