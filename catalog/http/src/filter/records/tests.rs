use wharf_catalog::State;
use wharf_catalog_filter::{Expression, Field, Filter, Match, Operator};

use super::*;
use crate::filter::fields::{CATALOG_SERVICE, CHECK, ENTRY, NODE, SERVICE};

/// Every selector there is, with a question its field takes; map keys are `k`.
fn selectors(fields: &[Field]) -> Vec<(Vec<String>, Shape)> {
    fields
        .iter()
        .flat_map(|field| {
            let below = match field.shape {
                Shape::Record(fields) | Shape::List(fields) => selectors(fields),
                Shape::Map(Shape::Record(fields)) => prefixed("k", selectors(fields)),
                Shape::Map(values) => vec![(vec!["k".to_owned()], *values)],
                _ => Vec::new(),
            };
            let mut all = prefixed(field.name, below);
            if !matches!(field.shape, Shape::Record(_)) {
                all.push((vec![field.name.to_owned()], field.shape));
            }
            all
        })
        .collect()
}

fn prefixed(name: &str, selectors: Vec<(Vec<String>, Shape)>) -> Vec<(Vec<String>, Shape)> {
    selectors.into_iter().map(|(path, shape)| ([vec![name.to_owned()], path].concat(), shape)).collect()
}

/// Asks `record` for each of `fields` and tells the fields that gave a value of another shape, or none.
fn unanswered(fields: &[Field], record: &dyn Record) -> Vec<String> {
    let fits = |path: &[String], shape: Shape| {
        record.test(path, &|value| {
            matches!(
                (value, shape),
                (Value::Text(_), Shape::Text)
                    | (Value::Number(_), Shape::Number)
                    | (Value::Flag(_), Shape::Flag)
                    | (Value::Texts(_), Shape::Texts)
                    | (Value::Map(_), Shape::Map(_))
                    | (Value::List { .. }, Shape::List(_))
            )
        })
    };
    let all = selectors(fields).into_iter().filter(|(path, shape)| !fits(path, *shape));
    all.map(|(path, _)| path.join(".")).collect()
}

fn node_and_instance() -> (Node, Instance) {
    let mut node = Node::new("n", "10.0.0.1");
    node.meta.insert("k".into(), "node's".into());
    node.tagged_addresses.insert("k".into(), "10.0.0.2".into());
    let mut instance = Instance::new("n", "id", "web");
    (instance.port, instance.weights.passing, instance.weights.warning) = (80, 5, 2);
    instance.meta.insert("k".into(), "instance's".into());
    let tagged = TaggedAddress { address: "10.0.0.3".into(), port: 81 };
    instance.tagged_addresses.insert("k".into(), tagged);
    (node, instance)
}

#[test]
fn every_field_answers_in_its_shape() {
    let (node, instance) = node_and_instance();
    let check = Check::new("n", "c", "a check");
    // Nothing here has upstreams or exposed paths, and of none there is nothing to ask.
    let mesh = |path: &String| path.contains("Proxy.Upstreams.") || path.contains("Proxy.Expose.Paths.");
    let service = unanswered(SERVICE, &ServiceRecord(&instance));
    assert!(service.iter().all(mesh), "{service:?}");
    let record = CatalogServiceRecord(NodeRecord(&node, "dc1"), &instance);
    let catalog_service = unanswered(CATALOG_SERVICE, &record);
    assert!(catalog_service.iter().all(mesh), "{catalog_service:?}");
    assert_eq!(unanswered(NODE, &NodeRecord(&node, "dc1")), Vec::<String>::new());
    assert_eq!(unanswered(CHECK, &CheckRecord(&check)), Vec::<String>::new());
}

fn entry_state() -> State {
    use wharf_catalog::Change;
    let (node, instance) = node_and_instance();
    let mut check = Check::new("n", "c", "a check");
    (check.instance, check.service) = (Some("id".into()), "web".into());
    let held =
        [Change::PutNode(node.into()), Change::PutInstance(instance.into()), Change::PutCheck(check.into())];
    State::restored(wharf_catalog::Index(1), held)
}

#[test]
fn an_entry_answers_for_its_node_its_instance_and_any_of_its_checks() {
    let state = entry_state();
    let health = state.instance_health("n", "id").unwrap();
    let record = EntryRecord(&health, "dc1");
    let mesh = |path: &String| path.contains("Proxy.Upstreams.") || path.contains("Proxy.Expose.Paths.");
    let left = unanswered(ENTRY, &record);
    assert!(left.iter().all(mesh), "{left:?}");
    let asks = |text: &str| Filter::new(text, ENTRY).unwrap().wants(&record);
    for yes in [
        r#"Node.Meta.k == "node's""#,
        r#"Service.Meta.k == "instance's""#,
        "Node.TaggedAddresses.k == `10.0.0.2`",
        "Service.TaggedAddresses.k.Address == `10.0.0.3`",
        "Service.TaggedAddresses.k.Port == 81",
        "Service.Weights.Passing == 5 and Service.Weights.Warning == 2",
        "Checks.Status == critical and Checks is not empty",
        "Service.Proxy.Upstreams is empty and Service.Connect.Native == false",
        r#"Service.Proxy.MeshGateway.Mode == "" and Service.Proxy.LocalServicePort == 0"#,
        "Node.Datacenter == dc1",
    ] {
        assert!(asks(yes), "{yes}");
        assert!(!asks(&format!("not ({yes})")), "not ({yes})");
    }
}

#[test]
fn every_selector_is_written_as_it_is_read() {
    for (selector, shape) in selectors(ENTRY) {
        let (operator, value) = match shape {
            Shape::Texts | Shape::Map(_) | Shape::List(_) => (Operator::IsEmpty, None),
            _ => (Operator::Equal, Some("1".to_owned())),
        };
        let text = Expression::Match(Match { selector, operator, value }).to_string();
        assert!(Filter::new(&text, ENTRY).is_ok(), "{text}");
    }
}
