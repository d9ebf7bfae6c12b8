//! Reading an expression, and putting it to a record.
#![allow(missing_docs, reason = "criterion's macro writes a function without any")]

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_catalog_filter::{Field, Filter, Record, Shape, Value};

const FIELDS: &[Field] = &[
    Field::new("Service", Shape::Text),
    Field::new("Port", Shape::Number),
    Field::new("Tags", Shape::Texts),
    Field::new("Meta", Shape::Map(&Shape::Text)),
];

const EXPRESSIONS: [(&str, &str); 4] = [
    ("one comparison", r#"Service == "web""#),
    ("a tag", "\"blue\" in Tags"),
    ("several", r#"Service == "web" and ("blue" in Tags or Meta.zone == "a") and not Port == 81"#),
    ("a pattern", r#"Service matches "^w[a-z]+$""#),
];

struct Instance {
    service: &'static str,
    tags: Vec<String>,
    meta: BTreeMap<String, String>,
}

impl Record for Instance {
    fn test(&self, path: &[String], test: &dyn Fn(Value<'_>) -> bool) -> bool {
        match path {
            [field] if field == "Service" => test(Value::Text(self.service)),
            [field] if field == "Port" => test(Value::Number(80)),
            [field] if field == "Tags" => test(Value::Texts(&self.tags)),
            [_, key] => test(self.meta.get(key).map_or(Value::Absent, |value| Value::Text(value))),
            _ => test(Value::Map(&self.meta)),
        }
    }
}

fn filters(criterion: &mut Criterion) {
    let tags = ["green", "blue"].map(str::to_owned).into();
    let meta = BTreeMap::from([("zone".to_owned(), "b".to_owned())]);
    let instance = Instance { service: "web", tags, meta };
    for (what, expression) in EXPRESSIONS {
        criterion.bench_function(&format!("read {what}"), |bencher| {
            bencher.iter(|| Filter::new(black_box(expression), FIELDS).is_ok());
        });
        let Ok(filter) = Filter::new(expression, FIELDS) else { continue };
        criterion.bench_function(&format!("put {what} to a record"), |bencher| {
            bencher.iter(|| filter.wants(black_box(&instance)));
        });
    }
}

criterion_group!(benches, filters);
criterion_main!(benches);
