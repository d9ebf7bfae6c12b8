use std::collections::BTreeMap;

use super::*;

const ADDRESS: &[Field] = &[Field::new("Host", Shape::Text), Field::new("Port", Shape::Number)];
const FIELDS: &[Field] = &[
    Field::new("Name", Shape::Text),
    Field::new("Port", Shape::Number),
    Field::new("Alive", Shape::Flag),
    Field::new("Tags", Shape::Texts),
    Field::new("Meta", Shape::Map(&Shape::Text)),
    Field::new("Checks", Shape::List(&[Field::new("Status", Shape::Text)])),
    Field::new("Main", Shape::Record(ADDRESS)),
    Field::new("Further", Shape::Map(&Shape::Record(ADDRESS))),
];

/// A record with one field of every shape.
struct Thing {
    name: &'static str,
    tags: Vec<String>,
    meta: BTreeMap<String, String>,
    checks: Vec<&'static str>,
    further: BTreeMap<String, i64>,
}

impl Record for Thing {
    fn test(&self, path: &[String], test: &dyn Fn(Value<'_>) -> bool) -> bool {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["Name"] => test(Value::Text(self.name)),
            ["Port"] => test(Value::Number(80)),
            ["Alive"] => test(Value::Flag(true)),
            ["Tags"] => test(Value::Texts(&self.tags)),
            ["Meta"] => test(Value::Map(&self.meta)),
            ["Meta", key] => test(self.meta.get(*key).map_or(Value::Absent, |value| Value::Text(value))),
            ["Checks"] => test(Value::List { is_empty: self.checks.is_empty() }),
            ["Checks", "Status"] => self.checks.iter().any(|status| test(Value::Text(status))),
            ["Main", "Port"] => test(Value::Number(-1)),
            ["Further"] => test(Value::Map(&self.further)),
            ["Further", key, "Port"] => {
                test(self.further.get(*key).map_or(Value::Absent, |port| Value::Number(*port)))
            }
            other => panic!("no field {other:?}"),
        }
    }
}

fn full() -> Thing {
    Thing {
        name: "web-1",
        tags: vec!["v1".to_owned(), "blue".to_owned()],
        meta: BTreeMap::from([("a-b".to_owned(), "x".to_owned())]),
        checks: vec!["passing", "critical"],
        further: BTreeMap::from([("lan".to_owned(), 8080)]),
    }
}

fn bare() -> Thing {
    Thing { name: "", tags: vec![], meta: BTreeMap::new(), checks: vec![], further: BTreeMap::new() }
}

fn wants(text: &str, thing: &Thing) -> bool {
    Filter::new(text, FIELDS).unwrap_or_else(|error| panic!("{text}: {error}")).wants(thing)
}

#[test]
fn every_question_is_answered_on_every_shape_that_takes_it() {
    // Question, on a record with everything, on a bare one.
    let cases = [
        (r#"Name == "web-1""#, true, false),
        (r#"Name != "web-1""#, false, true),
        (r#""eb-" in Name"#, true, false),
        (r#""eb-" not in Name"#, false, true),
        ("Name contains web", true, false),
        ("Name not contains web", false, true),
        ("Name matches `^web-\\d$`", true, false),
        ("Name not matches `^web-\\d$`", false, true),
        ("Name matches eb", true, false),
        ("Port == 80", true, true),
        ("Port == \"0x50\"", true, true),
        ("Port != 80", false, false),
        ("Main.Port == -1", true, true),
        ("Alive == true", true, true),
        ("Alive == 1", true, true),
        ("Alive != F", true, true),
        ("v1 in Tags", true, false),
        ("v in Tags", false, false),
        ("v1 not in Tags", false, true),
        ("Tags contains blue", true, false),
        ("Tags is empty", false, true),
        ("Tags is not empty", true, false),
        (r#""a-b" in Meta"#, true, false),
        (r#""a-b" not in Meta"#, false, true),
        ("Meta is empty", false, true),
        ("Meta is not empty", true, false),
        (r#"Meta["a-b"] == x"#, true, false),
        // Of what is not there, only the opposite is true.
        (r#"Meta["a-b"] != x"#, false, true),
        (r#"Meta["a-b"] != y"#, true, true),
        (r#"Meta["a-b"] matches x"#, true, false),
        (r#"Meta["a-b"] not matches x"#, false, true),
        (r#"Meta["a-b"] contains x"#, true, false),
        (r#"Meta["a-b"] not contains x"#, false, true),
        ("Further.lan.Port == 8080", true, false),
        ("Further.lan.Port != 8080", false, true),
        ("lan in Further", true, false),
        ("Checks is empty", false, true),
        ("Checks is not empty", true, false),
        // Of a list, one is enough, and of none is nothing true.
        ("Checks.Status == critical", true, false),
        ("Checks.Status != critical", true, false),
        ("not Checks.Status == critical", false, true),
        ("Port == 80 and v1 in Tags", true, false),
        ("Port == 81 or v1 in Tags", true, false),
        ("not (Port == 81 or v1 in Tags)", false, true),
    ];
    for (text, on_full, on_bare) in cases {
        assert_eq!(wants(text, &full()), on_full, "{text} on the full one");
        assert_eq!(wants(text, &bare()), on_bare, "{text} on the bare one");
    }
}

#[test]
fn a_question_that_does_not_fit_is_refused_in_consuls_words() {
    let cases = [
        ("Bogus == 1", r#"Selector "Bogus" is not valid"#),
        ("Main.Bogus.x == 1", r#"Selector "Main.Bogus" is not valid"#),
        ("Name.x == 1", r#"Selector "Name.x" is not valid"#),
        ("Meta.a.b == 1", r#"Selector "Meta.a.b" is not valid"#),
        ("Main == 1", r#"Invalid match operator "Equal" for selector "Main""#),
        ("Name is empty", r#"Invalid match operator "Is Empty" for selector "Name""#),
        ("Tags == x", r#"Invalid match operator "Equal" for selector "Tags""#),
        ("Port matches x", r#"Invalid match operator "Matches" for selector "Port""#),
        ("Checks contains x", r#"Invalid match operator "In" for selector "Checks""#),
        ("1 not in Port", r#"Invalid match operator "Not In" for selector "Port""#),
        (
            "Port == abc",
            r#"Failed to coerce value "abc" for selector "Port": strconv.ParseInt: parsing "abc": invalid syntax"#,
        ),
        (
            "Alive == yes",
            r#"Failed to coerce value "yes" for selector "Alive": strconv.ParseBool: parsing "yes": invalid syntax"#,
        ),
    ];
    for (text, why) in cases {
        assert_eq!(Filter::new(text, FIELDS).unwrap_err().to_string(), why, "{text}");
    }
}

#[test]
fn patterns_are_bounded_in_form_size_and_number() {
    let refused = |text: &str| Filter::new(text, FIELDS).unwrap_err().to_string();
    let open = refused("Name matches `(`");
    assert!(open.starts_with("Failed to compile regular expression \"(\": error parsing regexp: "), "{open}");
    assert!(!open.contains('\n'), "{open}");
    refused("Name matches `(\\w{100}){100}{100}`");
    let many = |count: usize| vec!["Name matches x"; count].join(" or ");
    assert!(Filter::new(&many(MAX_PATTERNS), FIELDS).is_ok());
    assert_eq!(Filter::new(&many(MAX_PATTERNS + 1), FIELDS).unwrap_err(), FilterError::TooManyPatterns);
}
