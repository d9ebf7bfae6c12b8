//! Any labels (one `KEY=VALUE` a line): wired without panic, ids apart, complaints short, nothing outside the
//! bounds that a catalog sets.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use wharf_registrator::{
    Config,
    container::{Container, Network, Published, RunState},
    registration::wire,
};

fuzz_target!(|text: &str| {
    let labels: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let published = |port| vec![Published { address: None, port }];
    let container = Container {
        id: "0123456789ab".to_owned(),
        name: "app".to_owned(),
        image: "image:1".to_owned(),
        labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ports: [("80/tcp", 8080), ("53/udp", 53), ("53/tcp", 54)]
            .into_iter()
            .filter_map(|(port, at)| Some((port.parse().ok()?, published(at))))
            .collect(),
        network: Network::Own(std::net::Ipv4Addr::new(172, 17, 0, 2).into()),
        state: RunState::Running,
        ..Container::nameless()
    };
    let wiring = wire(&Config { enable_script_checks: true, ..Config::default() }, true, &container);
    let ids: BTreeSet<_> = wiring.registrations.iter().map(|r| &r.instance.id).collect();
    assert_eq!(ids.len(), wiring.registrations.len());
    for registration in &wiring.registrations {
        assert!(registration.instance.meta.len() <= 64);
        assert!(!registration.instance.name.is_empty());
        assert!(registration.checks.iter().all(|check| check.instance.as_ref() == Some(&registration.instance.id)));
    }
    assert!(wiring.complaints.iter().all(|complaint| complaint.to_string().len() < 2000));
});
