//! What holds for every generated file, whatever the labels say.

use proptest::prelude::*;

use crate::{
    Candidate, Haproxy, Nginx, Routes, Varnish,
    haproxy::{
        plan::{Actual, plan},
        render as haproxy,
    },
    hostile::TEXTS,
    nginx, varnish,
};

/// A candidate that owns its texts.
#[derive(Debug, Clone)]
struct Label {
    service: String,
    host: String,
    port: u16,
    weight: u16,
    out: bool,
    cache: String,
    probe: String,
}

/// A word that is sound, made of anything, or hostile on purpose.
fn text(sound: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![4 => sound, 1 => ".{0,20}", 1 => prop::sample::select(TEXTS).prop_map(str::to_owned)]
}

fn label() -> impl Strategy<Value = Label> {
    let words = (
        text("[a-cA-C_.-]{1,4}"),
        text("10\\.0\\.0\\.[1-4]|fd00::[1-4]"),
        text("[0-9]{1,3}s"),
        text("/[a-z]{1,5}"),
    );
    (words, 0u16..4, any::<u16>(), any::<bool>()).prop_map(
        |((service, host, cache, probe), port, weight, out)| Label {
            service,
            host,
            port,
            weight,
            out,
            cache,
            probe,
        },
    )
}

fn routes<'a>(labels: impl Iterator<Item = &'a Label>) -> Routes {
    Routes::new(labels.map(|label| Candidate {
        service: &label.service,
        node: &label.service,
        id: &label.host,
        host: &label.host,
        port: label.port,
        weight: label.weight,
        out: label.out.then(|| label.probe.clone()),
        unknown: false,
        cache: Some(&label.cache),
        probe: Some(&label.probe),
    }))
}

/// The three files.
fn files(routes: &Routes) -> [String; 3] {
    let layout = plan(&Actual::default(), routes, 4, "map").layout;
    [
        nginx::render(&Nginx::default(), routes),
        haproxy::render(&Haproxy::default(), &layout, ""),
        varnish::render(&Varnish::default(), routes),
    ]
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

proptest! {
    #[test]
    fn a_file_holds_what_the_routes_hold_and_nothing_more(labels in prop::collection::vec(label(), 0..20)) {
        let routes = routes(labels.iter());
        let serving: usize = routes.services.values().map(|route| route.serving().count()).sum();
        let [nginx, haproxy, varnish] = files(&routes);
        prop_assert_eq!(count(&nginx, "\n    server "), serving);
        prop_assert_eq!(count(&nginx, "{"), count(&nginx, "}"));
        prop_assert_eq!(count(&haproxy, "\nbackend "), routes.services.len());
        let ready = haproxy.lines().filter(|line| line.starts_with("    server s") && !line.ends_with(" disabled"));
        prop_assert_eq!(ready.count(), serving);
        prop_assert_eq!(count(&varnish, "\nbackend "), serving + 1);
        prop_assert_eq!(count(&varnish, "{"), count(&varnish, "}"));
        for text in [&nginx, &haproxy, &varnish] {
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
        }
        // A section or directive is one of those we write, however long the names are.
        let sections = ["global", "defaults", "frontend wharf", "backend wharf-", "#", "    "];
        prop_assert!(haproxy.lines().all(|line| line.is_empty() || sections.iter().any(|word| line.starts_with(word))));
    }

    #[test]
    fn what_is_left_out_leaves_no_trace(labels in prop::collection::vec(label(), 0..12)) {
        let all = routes(labels.iter());
        let sound = routes(labels.iter().filter(|label| crate::routes::ServiceName::parse(&label.service).is_some()));
        prop_assert_eq!(files(&all), files(&sound));
    }

    #[test]
    fn the_order_of_registration_changes_no_byte(labels in prop::collection::vec(label(), 0..12)) {
        // What contradicts itself (two instances at one address) is not asked about here.
        let mut places = std::collections::BTreeSet::new();
        let labels: Vec<Label> = labels.into_iter()
            .filter(|label| places.insert((label.service.to_lowercase(), label.host.clone(), label.port)))
            .map(|label| Label { probe: "/p".to_owned(), ..label })
            .collect();
        prop_assert_eq!(files(&routes(labels.iter())), files(&routes(labels.iter().rev())));
    }
}
