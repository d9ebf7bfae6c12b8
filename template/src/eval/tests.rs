use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use wharf_catalog::{Check, CheckStatusOnPut, Command, Index, Instance, Node, State, Status, apply::apply};

use super::*;
use crate::{
    source::Snapshot,
    syntax::{CompileOptions, compile},
};

fn instance(node: &str, id: &str, name: &str, port: u16, tags: &[&str]) -> Command {
    let mut instance = Instance::new(node, id, name);
    instance.port = port;
    instance.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Command::PutInstance(instance)
}

fn check(node: &str, id: &str, status: Status) -> Command {
    let check =
        Check { instance: Some(id.into()), status, ..Check::new(node, format!("service:{id}"), "check") };
    Command::PutCheck(check, CheckStatusOnPut::Set)
}

fn state(commands: &[Command]) -> State {
    apply(&State::default(), Index(1), Timestamp(0), commands).unwrap().state
}

fn fleet() -> State {
    state(&[
        Command::PutNode(Node::new("n2", "10.0.0.2")),
        Command::PutNode(Node::new("n1", "10.0.0.1")),
        instance("n2", "web-a", "web", 80, &["v2", "blue"]),
        instance("n1", "web-c", "web", 82, &["v1"]),
        instance("n1", "web-b", "web", 81, &["v2"]),
        instance("n1", "db", "db", 5432, &[]),
        check("n1", "web-c", Status::Critical),
        Command::PutCheck(
            Check::maintenance(&"n1".into(), &"db".into(), "draining: SIGTERM"),
            CheckStatusOnPut::Set,
        ),
        Command::SetKey { key: "app/colour".into(), value: Arc::from(&b"blue"[..]), flags: 0, cas: None },
    ])
}

fn evaluate_with(source: &str, state: &State, vars: &Value) -> Evaluation {
    let surroundings = Surroundings {
        vars,
        env: &|name| (name == "HOME").then(|| "/root".to_owned()),
        file: &|path| match path.to_str() {
            Some("/etc/motd") => Ok(b"hello".to_vec()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        },
        now: Timestamp(0),
        machine: &|| Ok(Default::default()),
        plugin: None,
    };
    let source = compile(source.as_bytes(), &CompileOptions::default()).unwrap();
    evaluate(&source, &Snapshot { state, datacenter: "dc1", local_node: None }, surroundings)
}

fn evaluate_text(source: &str, state: &State) -> Evaluation {
    evaluate_with(source, state, &json!({ "x": "<&\">", "list": ["a", "b"] }))
}

fn text(source: &str) -> String {
    String::from_utf8(evaluate_text(source, &fleet()).text.unwrap()).unwrap()
}

fn reason(source: &str) -> String {
    evaluate_text(source, &fleet()).text.unwrap_err().to_string()
}

#[test]
fn instances_come_sorted_by_node_and_id_and_passing_ones_only() {
    let list =
        "{{#each (service \"web\")}}{{node}}/{{id}} {{address}}:{{port}} {{join tags \"+\"}};{{/each}}";
    assert_eq!(text(list), "n1/web-b 10.0.0.1:81 v2;n2/web-a 10.0.0.2:80 v2+blue;");
    let all = "{{#each (service \"web|any\")}}{{id}}={{status}} {{/each}}";
    assert_eq!(text(all), "web-b=passing web-c=critical web-a=passing ");
}

#[test]
fn a_query_selects_by_tag_health_and_datacenter() {
    let ids = |query: &str| text(&format!("{{{{#each (service {query})}}}}{{{{id}}}} {{{{/each}}}}"));
    assert_eq!(ids("\"blue.web@dc1~_agent\""), "web-a ");
    assert_eq!(ids("\"v1.web\""), "");
    assert_eq!(ids("\"v1.web|critical\""), "web-c ");
    assert_eq!(ids("\"db|maintenance\""), "db ");
    assert_eq!(ids("name=\"web\" tag=\"v1\" filter=\"any\""), "web-c ");
    assert!(reason("{{#each (service \"web@dc9\")}}{{/each}}").contains("no datacenter `dc9`"));
    assert!(reason("{{#each (service \"web|fine\")}}{{/each}}").contains("unknown filter `fine`"));
}

#[test]
fn services_nodes_and_one_node_are_there() {
    assert_eq!(text("{{#each (services)}}{{name}}[{{join tags}}] {{/each}}"), "db[] web[blue,v1,v2] ");
    assert_eq!(text("{{#each (nodes)}}{{name}}={{address}} {{/each}}"), "n1=10.0.0.1 n2=10.0.0.2 ");
    let one = "{{#with (node \"n1\")}}{{node.address}}:{{#each services}} {{name}}/{{id}}{{/each}}{{/with}}";
    assert_eq!(text(one), "10.0.0.1: db/db web/web-b web/web-c");
    assert_eq!(text("{{#if (node \"n9\")}}yes{{else}}no{{/if}}"), "no");
}

#[test]
fn keys_are_read_with_and_without_a_default() {
    assert_eq!(text("{{key \"app/colour\"}} {{keyOrDefault \"app/size\" 7}}"), "blue 7");
    assert_eq!(text("{{keyExists \"app/colour\"}} {{keyExists \"/app/none\"}}"), "true false");
    assert!(reason("\n{{key \"app/size\"}}").starts_with("line 2:1: `key`: no key `app/size`"));
}

#[test]
fn texts_lists_and_surroundings() {
    assert_eq!(
        text("{{toUpper \"web\"}} {{toLower \"WEB\"}} {{replaceAll \"a-b-c\" \"-\" \"_\"}}"),
        "WEB web a_b_c"
    );
    assert_eq!(
        text("{{contains vars.list \"b\"}} {{contains \"haystack\" \"st\"}} {{contains vars \"y\"}}"),
        "true true false"
    );
    assert_eq!(
        text("{{env \"HOME\"}}{{env \"NONE\"}} {{file \"/etc/motd\"}} {{toJSON vars.list}}"),
        r#"/root hello ["a","b"]"#
    );
    assert_eq!(text("{{#contains vars.list \"z\"}}in{{else}}out{{/contains}}"), "out");
    assert_eq!(text("{{vars.x}}"), "<&\">", "escaped");
    assert!(reason("{{file \"/secret\"}}").contains("cannot read `/secret`"));
}

#[test]
fn an_unknown_variable_is_an_error_wherever_it_stands() {
    for source in [
        "{{vars.typo}}",
        "{{toUpper vars.typo}}",
        "{{#each vars.typo}}x{{/each}}",
        "{{#if (eq vars.typo 1)}}{{/if}}",
    ] {
        let reason = reason(&format!("one\ntwo\n{source}"));
        assert!(
            reason.starts_with("line 3:") && (reason.contains("typo") || reason.contains("does not exist")),
            "{reason}"
        );
    }
}

#[test]
fn what_was_read_is_known_also_when_it_fails() {
    let reads = evaluate_text("{{#each (service \"web\")}}{{/each}}{{key \"a/b\"}}{{nope}}", &fleet()).reads;
    let expected = [Topic::Health("web".into()), Topic::Key("a/b".into())];
    assert_eq!(reads.topics, expected.into_iter().collect());
    let listing = "{{#each (services)}}{{#each (service name=name)}}{{id}}{{/each}}{{/each}}";
    let reads = evaluate_text(listing, &fleet()).reads;
    let expected = [Topic::Services, Topic::Health("web".into()), Topic::Health("db".into())];
    assert_eq!(reads.topics, expected.into_iter().collect());
    assert_eq!((reads.population.services, reads.population.instances.values().sum()), (Some(2), 2));
}

#[test]
fn runaway_templates_end_with_an_error() {
    let recursion =
        "{{#*inline \"a\"}}{{#if true}}{{> b}}{{/if}}{{/inline}}{{#*inline \"b\"}}{{> a}}{{/inline}}{{> a}}";
    assert!(reason(recursion).contains("does a partial include itself?"));
    let dynamic = "{{#*inline \"a\"}}{{> (lookup @root.vars \"name\")}}{{/inline}}{{> a}}";
    let evaluation = evaluate_with(dynamic, &fleet(), &json!({ "name": "a" }));
    assert!(evaluation.text.is_err());

    let list = json!({ "list": vec![0; 1000] });
    let idle = format!("{}{}", "{{#each @root.vars.list}}".repeat(5), "{{/each}}".repeat(5));
    let error = evaluate_with(&idle, &fleet(), &list).text.unwrap_err();
    assert!(error.reason.contains("too many loops"), "{error}");

    let huge = json!({ "list": vec![0; 1000], "text": "x".repeat(100_000) });
    let source = "{{#each vars.list}}{{@root.vars.text}}{{/each}}";
    let error = evaluate_with(source, &fleet(), &huge).text.unwrap_err();
    assert!(error.reason.contains("bytes of output"), "{error}");
    let doubling = "{{replaceAll (replaceAll @root.vars.text \"x\" @root.vars.text) \"x\" @root.vars.text}}";
    assert!(evaluate_with(doubling, &fleet(), &huge).text.is_err());
}

#[test]
fn partials_and_deep_blocks_work_within_the_bounds() {
    let source = "{{#*inline \"server\"}}\nserver {{address}};\n{{/inline}}\n{{#each (service \"web\")}}\n  {{> server}}\n{{/each}}\n";
    assert_eq!(text(source), "  server 10.0.0.1;\n  server 10.0.0.2;\n");
    let deep = format!("{}x{}", "{{#if true}}".repeat(48), "{{/if}}".repeat(48));
    assert_eq!(text(&deep), "x");
}

#[test]
fn the_shipped_nginx_template_leaves_strangers_out_and_says_so() {
    let evil = "x/ { } } server { listen 1; location /";
    let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
    for name in [evil, "a\nb", "$host", "~^", "..", "consul", "good", "Good"] {
        commands.push(instance("n", name, name, 80, &[]));
    }
    let mut named = Instance::new("n", "named", "good");
    (named.address, named.port) = ("evil.example; }".to_owned(), 80);
    commands.push(Command::PutInstance(named));
    let vars = json!({ "listen": "127.0.0.1:1", "prefix": "/tmp/x", "workers": "1", "user": "", "access_log": "off" });
    let evaluation = evaluate_with(crate::NGINX, &state(&commands), &vars);
    let text = String::from_utf8(evaluation.text.unwrap()).unwrap();
    assert!(
        !text.contains("listen 1;") && !text.contains("evil.example") && !text.contains("consul"),
        "{text}"
    );
    assert!(text.contains("location /good/ {") && text.contains("upstream wharf-~good {"));
    assert_eq!(text.matches("good.* ").count(), 1, "one host route for two names that differ in case");
    assert_eq!(evaluation.reads.notes.len(), 7, "{:?}", evaluation.reads.notes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn hostile_names_and_addresses_never_change_the_shape_of_the_nginx_file(name in "\\PC{1,12}", address in "\\PC{1,12}") {
        let mut stranger = Instance::new("n", "i", name.as_str());
        (stranger.address, stranger.port) = (address, 80);
        let state = state(&[Command::PutNode(Node::new("n", "10.0.0.1")), Command::PutInstance(stranger)]);
        let vars = json!({ "listen": "127.0.0.1:1", "prefix": "/p", "workers": "1", "user": "", "access_log": "off" });
        let evaluation = evaluate_with(crate::NGINX, &state, &vars);
        let text = String::from_utf8(evaluation.text.unwrap()).unwrap();
        prop_assert_eq!(text.matches('{').count(), text.matches('}').count());
        let left_out = evaluation.reads.notes.iter().any(|note| note.starts_with("service"));
        let without = evaluate_with(crate::NGINX, &State::default(), &vars).text.unwrap();
        let without = without.iter().filter(|byte| **byte == b'{').count();
        let expected = if left_out { without } else { without + 2 };
        let upstreams = text.matches("upstream wharf-").count();
        prop_assert_eq!(text.matches('{').count(), expected + upstreams);
    }

    #[test]
    fn equal_catalogs_give_equal_bytes_whatever_the_order_they_grew_in(order in Just((0..8).collect::<Vec<u16>>()).prop_shuffle()) {
        let grow = |order: &[u16]| {
            let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
            commands.extend(order.iter().map(|i| instance("n", &format!("i{i}"), &format!("s{}", i % 3), *i, &[])));
            state(&commands)
        };
        let source = "{{#each (services)}}{{name}}{{#each (service name=name)}} {{toJSON this}}{{/each}}\n{{/each}}";
        let sorted: Vec<u16> = (0..8).collect();
        prop_assert_eq!(evaluate_text(source, &grow(&order)).text, evaluate_text(source, &grow(&sorted)).text);
    }
}

#[test]
fn consul_templates_functions_are_helpers_with_the_subject_first() {
    for (source, expected) in [
        (
            "{{trimPrefix \"v1\" \"v\"}} {{regexReplaceAll \"a-b\" \"-\" \"+\"}} {{join (split \"a,b\" \",\") \"|\"}}",
            "1 a+b a|b",
        ),
        (
            "{{subtract 5 2}} {{divide 7 2}} {{add 1 (len vars.list)}} {{maximum 3 4}} {{parseInt \"7\"}}",
            "3 3 3 4 7",
        ),
        (
            "{{#each (ls \"app\")}}{{key}}={{value}} {{/each}}{{#each (tree \"app\")}}{{path}}{{/each}}",
            "colour=blue app/colour",
        ),
        (
            "{{#with (explode (tree \"app\"))}}{{colour}}{{/with}} {{toYAML (parseJSON \"{\\\"a\\\":[1]}\")}}",
            "blue a:\n- 1",
        ),
        ("{{scratchSet \"n\" 1}}{{scratchSet \"n\" (add (scratchGet \"n\") 1)}}{{scratchGet \"n\"}}", "2"),
        (
            "{{#each (byTag (service \"web\"))}}{{@key}}:{{len this}} {{/each}}{{#each (loop 2)}}{{this}}{{/each}}",
            "blue:1 v2:2 01",
        ),
        (
            "{{#if (containsAny vars.list (split \"b,z\" \",\"))}}some{{/if}} {{indent \"a\" 2}} {{sha256Hex \"\"}}",
            "some   a e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            "{{envOrDefault \"NONE\" \"d\"}} {{timestamp \"2006\"}} {{toTitle \"ab\"}} {{datacenters}}",
            "d 1970 Ab [dc1]",
        ),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
    assert!(reason("{{trimPrefix \"a\"}}").contains("takes 2 arguments, not 1"));
    assert!(reason("{{mustEnv \"NONE\"}}").contains("required environment variable NONE is empty"));
}

mod shared {
    use wharf_catalog::{InstanceHealth, Topic};

    use super::*;
    use crate::{
        eval::Memo,
        source::{Lookup, Source},
        syntax::Syntax,
    };

    /// A catalog whose answers are shared.
    struct Sharing<'a>(Snapshot<'a>, &'a Memo);

    impl Source for Sharing<'_> {
        fn datacenter(&self) -> &str {
            self.0.datacenter()
        }

        fn datacenters(&self) -> Option<Vec<String>> {
            self.0.datacenters()
        }

        fn local_node(&self) -> Option<String> {
            self.0.local_node()
        }

        fn catalog(&self, datacenter: &str, topic: &Topic) -> Lookup<'_> {
            self.0.catalog(datacenter, topic)
        }

        fn held_out(&self, datacenter: &str, found: &InstanceHealth<'_>) -> Option<String> {
            self.0.held_out(datacenter, found)
        }

        fn stamp(&self, datacenter: &str, topic: &Topic) -> Option<u64> {
            self.0.stamp(datacenter, topic)
        }

        fn memo(&self) -> Option<&Memo> {
            Some(self.1)
        }
    }

    const SOURCES: [(Syntax, &str); 4] = [
        (Syntax::Handlebars, r#"{{#each (service "web|any")}}{{id}} {{status}} {{/each}}"#),
        (Syntax::Go, r#"{{range service "web|any"}}{{.ID}} {{.Status}} {{end}}"#),
        (Syntax::Handlebars, r#"first {{#each (service "web|any")}}{{address}}{{/each}}"#),
        (Syntax::Go, r#"{{service "web|any" | len}} of {{range service "web|any"}}{{.Name}}{{end}}"#),
    ];

    fn evaluate_over(syntax: Syntax, text: &str, source: &dyn Source) -> Evaluation {
        let compiled = compile(text.as_bytes(), &CompileOptions::new(syntax)).unwrap();
        let surroundings = Surroundings {
            vars: &Value::Null,
            env: &|_| None,
            file: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
            now: Timestamp(0),
            machine: &|| Ok(Default::default()),
            plugin: None,
        };
        evaluate(&compiled, source, surroundings)
    }

    /// Evaluates 500 templates in both languages; each says and depends on what it would alone.
    fn all(state: &State, memo: &Memo) {
        let snapshot = Snapshot { state, datacenter: "dc1", local_node: None };
        for n in 0..500 {
            let (syntax, text) = SOURCES[n % SOURCES.len()];
            let alone = evaluate_over(syntax, text, &snapshot);
            let together = evaluate_over(syntax, text, &Sharing(snapshot, memo));
            assert_eq!(together.text, alone.text);
            assert!(!alone.text.unwrap().is_empty());
            assert_eq!(together.reads.topics, alone.reads.topics);
            assert_eq!(together.reads.population, alone.reads.population);
        }
    }

    #[test]
    fn a_query_is_looked_up_once_however_many_templates_of_either_language_ask_it() {
        let (memo, state) = (Memo::default(), fleet());
        all(&state, &memo);
        assert_eq!(memo.lookups(), 1);
    }

    #[test]
    fn a_shared_answer_holds_until_its_own_topic_changes() {
        let (memo, state) = (Memo::default(), fleet());
        all(&state, &memo);
        let then = |state: &State, command| {
            apply(state, state.index().next(), Timestamp(1), &[command]).unwrap().state
        };
        let other = then(&state, Command::PutInstance(Instance::new("n1", "other", "unrelated")));
        all(&other, &memo);
        assert_eq!(memo.lookups(), 1, "another service is another topic");
        let more = then(&other, Command::PutInstance(Instance::new("n1", "one-more", "web")));
        all(&more, &memo);
        assert_eq!(memo.lookups(), 2);
    }

    #[test]
    fn templates_that_ask_at_the_same_time_wait_for_one_of_them() {
        let (memo, state) = (Memo::default(), fleet());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| all(&state, &memo));
            }
        });
        assert_eq!(memo.lookups(), 1);
    }
}
