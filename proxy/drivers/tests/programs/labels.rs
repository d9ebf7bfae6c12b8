//! No label breaks out of a generated file; the programs themselves are asked.

use std::{path::Path, process::Command};

use wharf_proxy_drivers::{
    Candidate, Haproxy, Nginx, Routes, Varnish,
    haproxy::{
        plan::{Actual, plan},
        render as haproxy,
    },
    nginx, varnish,
};

use crate::hostile::TEXTS;

/// Every text in every place a label can get to, beside honest services of all kinds.
fn routes() -> Routes {
    let long = "x".repeat(128);
    let longer = format!("{}.b_2", "y-1".repeat(41));
    let honest = |service, port| Candidate {
        service,
        node: "n",
        id: "i",
        host: "10.0.0.1",
        port,
        weight: 3,
        ..Candidate::default()
    };
    let mut candidates = vec![
        honest("web", 1),
        honest("default", 2),
        honest("hostnames", 3),
        honest("include", 4),
        honest("volatile", 5),
        honest("1", 6),
        honest("0.9", 7),
        honest("a_b", 8),
        honest("a.b", 9),
        honest("a-b", 10),
        honest(&long, 11),
        honest(&longer, 12),
        honest("-", 13),
        honest("_", 14),
        honest("none", 15),
        honest("backend", 16),
        Candidate { host: "fd00::1", weight: 1, ..honest("web", 17) },
        Candidate { cache: Some("60s"), probe: Some("/health?a=%20&b=~"), ..honest("cached", 18) },
        Candidate { out: Some("critical".to_owned()), cache: Some("1m"), ..honest("idle-cached", 19) },
        Candidate { out: Some("critical".to_owned()), ..honest("idle", 20) },
    ];
    for text in TEXTS {
        candidates.push(honest(text, 21));
        candidates.push(Candidate {
            node: text,
            id: text,
            host: text,
            cache: Some(text),
            probe: Some(text),
            out: Some((*text).to_owned()),
            ..honest("web", 22)
        });
        candidates.push(Candidate {
            node: text,
            id: text,
            cache: Some(text),
            probe: Some(text),
            ..honest("odd", 23)
        });
    }
    Routes::new(candidates)
}

fn refused_none(text: &str) {
    for hostile in
        TEXTS.iter().filter(|text| text.len() > 3 && text.contains([';', '{', '\n', '"', '%', '`']))
    {
        assert!(!text.contains(hostile), "{hostile:?} got into the file");
    }
}

fn accepted(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output =
        output.unwrap_or_else(|error| panic!("no {program} ({error}): `cargo xtask test` installs it"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {words}");
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn nginx_takes_the_file_whatever_the_labels_say() {
    let (folder, routes) = (tempfile::tempdir().unwrap(), routes());
    let text = nginx::render(&Nginx::default(), &routes);
    refused_none(&text);
    let file =
        written(folder.path(), "wharf.conf", &text.replace("0.0.0.0:80 default", "127.0.0.1:1 default"));
    let main = format!(
        "pid {0}/pid; error_log stderr; events {{ }} http {{ access_log off; include {file}; }}",
        folder.path().display()
    );
    accepted("/usr/sbin/nginx", &["-t", "-q", "-c", &written(folder.path(), "main.conf", &main)]);
}

#[test]
fn haproxy_takes_the_file_whatever_the_labels_say() {
    let (folder, routes) = (tempfile::tempdir().unwrap(), routes());
    let config = Haproxy { config: folder.path().join("wharf.cfg"), ..Haproxy::default() };
    let beside = haproxy::Beside::of(&config);
    let layout = plan(&Actual::default(), &routes, config.slots, &beside.map).layout;
    let (text, map) = (haproxy::render(&config, &layout, ""), haproxy::map(&routes));
    refused_none(&text);
    refused_none(&map);
    std::fs::write(&beside.map, map).unwrap();
    std::fs::write(&beside.state, "1\n").unwrap();
    accepted("/usr/sbin/haproxy", &["-c", "-q", "-f", &written(folder.path(), "wharf.cfg", &text)]);
}

#[test]
fn varnish_takes_the_file_whatever_the_labels_say() {
    let (folder, routes) = (tempfile::tempdir().unwrap(), routes());
    let text = varnish::render(&Varnish::default(), &routes);
    refused_none(&text);
    let file = written(folder.path(), "wharf.vcl", &text);
    let work = folder.path().join("work").display().to_string();
    accepted("/usr/sbin/varnishd", &["-C", "-j", "none", "-n", &work, "-f", &file]);
}
