//! Templates as people have them for HAProxy, nginx, Varnish, Apache and Prometheus, over a catalog as it comes:
//! names with dashes and underscores, IPv6, a service that nobody serves. The real programs take what comes out.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking, as its body does")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command as Process,
};

use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Index, Instance, Node, State, Status, Timestamp, apply::apply,
};
use wharf_template::{
    eval::{Surroundings, evaluate},
    source::Snapshot,
    syntax::{CompileOptions, Syntax, compile},
};

fn fleet() -> State {
    let instance = |node: &str, id: &str, service: &str, address: &str, tags: &[&str]| {
        let mut instance = Instance::new(node, id, service);
        (instance.address, instance.port) = (address.to_owned(), 8080);
        instance.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        instance
    };
    let mut shop = instance("Node-1", "shop-front:1", "shop-front", "10.1.0.1", &["http", "metrics"]);
    shop.meta.insert("hosts".to_owned(), "shop.example.org,www.example.org".to_owned());
    shop.meta.insert("maxconn".to_owned(), "64".to_owned());
    let set = |key: &str, value: &str| Command::SetKey {
        key: key.into(),
        value: value.as_bytes().into(),
        flags: 0,
        cas: None,
    };
    let commands = [
        Command::PutNode(Node::new("Node-1", "10.1.0.1")),
        Command::PutNode(Node::new("node-2", "fd00::2")),
        Command::PutInstance(shop),
        Command::PutInstance(instance(
            "node-2",
            "shop-front-2",
            "shop-front",
            "fd00::2",
            &["http", "canary"],
        )),
        Command::PutInstance(instance("node-2", "static_site", "static_site", "10.1.0.2", &["http"])),
        Command::PutInstance(instance("Node-1", "gone", "gone", "10.1.0.3", &["http", "metrics"])),
        Command::PutInstance(instance("Node-1", "pg-1", "postgres", "10.1.0.4", &["tcp-15432", "metrics"])),
        Command::PutInstance(instance("node-2", "pg-2", "postgres", "10.1.0.5", &["tcp-15432"])),
        Command::PutCheck(
            Check {
                status: Status::Critical,
                instance: Some("gone".into()),
                ..Check::new("Node-1", "service:gone", "down")
            },
            CheckStatusOnPut::Set,
        ),
        set("haproxy/maxconn", "4096"),
        set("haproxy/timeouts/connect", "2s"),
        set("haproxy/timeouts/client", "30s"),
        set("haproxy/timeouts/server", "30s"),
        set("haproxy/check/shop-front", "/health"),
        set("nginx/redirects/shop-front", r#"{"/old": "/new", "/a": "https://example.org/b"}"#),
    ];
    apply(&State::default(), Index(1), Timestamp(0), &commands).unwrap().state
}

/// The template's text, in a file of its own.
fn rendered(name: &str, source: &str) -> (tempfile::TempDir, PathBuf, String) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    let env = |name: &str| match name {
        "FOLDER" => Some(place.clone()),
        "HTTP_PORT" => Some("18080".to_owned()),
        "MODULES" => Some("/usr/lib/apache2/modules".to_owned()),
        _ => None,
    };
    let surroundings = Surroundings {
        vars: &serde_json::Value::Null,
        env: &env,
        file: &|_| Err(io::ErrorKind::NotFound.into()),
        now: Timestamp(1_750_000_000_123),
        machine: &|| Ok(Default::default()),
        plugin: None,
    };
    let compiled = compile(source.as_bytes(), &CompileOptions::new(Syntax::Go)).unwrap();
    let state = fleet();
    let answers = Snapshot { state: &state, datacenter: "dc1", local_node: Some("Node-1") };
    let evaluation = evaluate(&compiled, &answers, surroundings);
    assert!(evaluation.missing.is_empty() && !evaluation.pending);
    let text = String::from_utf8(evaluation.text.unwrap()).unwrap();
    let file = folder.path().join(name);
    fs::write(&file, &text).unwrap();
    (folder, file, text)
}

/// Has a program look at a file; says on stderr when there is no such program.
fn accepts(program: &str, arguments: &[&str], file: &Path, text: &str) -> bool {
    // The first two are not in everybody's `PATH`.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from).into_iter();
    let mut places = places.chain(std::env::split_paths(&path)).map(|place| place.join(program));
    let Some(found) = places.find(|path| path.exists()) else {
        return false;
    };
    let output = Process::new(found).args(arguments).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} says {said}\nof\n{text}");
    true
}

fn must_accept(program: &str, arguments: &[&str], file: &Path, text: &str) {
    let asked = accepts(program, arguments, file, text);
    assert!(asked, "{program} is not installed: run `cargo xtask test`, which installs what the tests need");
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests is to know what was not tested")]
fn may_accept(program: &str, arguments: &[&str], file: &Path, text: &str) {
    if !accepts(program, arguments, file, text) {
        eprintln!("skipped: {program} is not installed");
    }
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|given| given.trim() == *line), "no line `{line}` in\n{text}");
    }
}

#[test]
fn haproxy_takes_its_file() {
    let (_folder, file, text) = rendered("haproxy.cfg", include_str!("realistic/haproxy.ctmpl"));
    has(
        &text,
        &[
            "maxconn 4096",
            "timeout connect 2s",
            "acl is_shop_front hdr_beg(host) -i shop-front.",
            "option httpchk GET /health",
            "server node-2-shop-front-2 [fd00::2]:8080 check weight 16 maxconn 32",
            "server node-1-shop-front:1 10.1.0.1:8080 check weight 10 maxconn 64",
            "http-request deny deny_status 503 # nobody of gone is there",
            "bind 127.0.0.1:15432",
            "server postgres2 10.1.0.5:8080 backup",
        ],
    );
    must_accept("haproxy", &["-c", "-q", "-f"], &file, &text);
}

#[test]
fn nginx_takes_its_file() {
    let (_folder, file, text) = rendered("nginx.conf", include_str!("realistic/nginx.ctmpl"));
    has(
        &text,
        &[
            "upstream static-site {",
            "server [fd00::2]:8080 max_fails=3 fail_timeout=10s weight=1;",
            "server_name shop.example.org www.example.org;",
            "location = /old { return 301 /new; }",
            "server 127.0.0.1:65535 down; # nobody there",
        ],
    );
    must_accept("nginx", &["-t", "-q", "-c"], &file, &text);
}

#[test]
fn varnish_takes_its_file() {
    let (folder, file, text) = rendered("site.vcl", include_str!("realistic/varnish.ctmpl"));
    has(&text, &["new shop_front = directors.round_robin();", "set beresp.grace = 1h;"]);
    let work = folder.path().join("work").display().to_string();
    must_accept("varnishd", &["-n", &work, "-C", "-f"], &file, &text);
}

#[test]
fn apache_takes_its_file() {
    let (_folder, file, text) = rendered("apache.conf", include_str!("realistic/apache.ctmpl"));
    has(
        &text,
        &[
            r#"<Proxy "balancer://shop-front">"#,
            r#"BalancerMember "http://[fd00::2]:8080" route=2 loadfactor=1"#,
            "ServerName static_site.example.org",
        ],
    );
    must_accept("apache2", &["-t", "-f"], &file, &text);
}

#[test]
fn prometheus_takes_its_file() {
    let (_folder, file, text) = rendered("prometheus.yml", include_str!("realistic/prometheus.ctmpl"));
    has(
        &text,
        &[
            r#"external_labels: {"datacenter":"dc1","kind":"test"}"#,
            r#"- job_name: "postgres""#,
            r#"- targets: ["[fd00::2]:8080"]"#,
            r#"labels: { "instance_id": "shop-front:1", "hosts": "shop.example.org,www.example.org", "maxconn": "64" }"#,
        ],
    );
    may_accept("promtool", &["check", "config"], &file, &text);
}
