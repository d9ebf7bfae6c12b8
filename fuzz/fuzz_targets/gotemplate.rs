#![no_main]
//! Any bytes are a template in Go's language or an error with a place, and running one ends.

use libfuzzer_sys::fuzz_target;
use wharf_gotemplate::{Entries, Limits, MissingKey, NoFunctions, Options, Template, Type, Value, fmt};

fuzz_target!(|source: &[u8]| {
    let options = Options { missing_key: MissingKey::Zero, ..Options::default() };
    let list = Value::strings(["a", "b"]);
    let data = Value::map(Type::DICT, Entries::from([("l".into(), list), ("n".into(), Value::int(3))]));
    if let Ok(template) = Template::parse(source, &options, &NoFunctions) {
        let limits = Limits { steps: 20_000, depth: 1_000, output: 1 << 20 };
        let _ = template.render(data.clone(), &NoFunctions, limits);
    }
    fmt::sprintf(source, &[Value::int(-7), Value::from("text"), Value::Float(1.5), Value::Nil, data]);
});
