use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const ECHO: Signature = Signature::new(&[Type::String]);
const ADD: Signature = Signature::new(&[Type::INT, Type::Int(IntKind::Int64)]);
const RUN: Signature = Signature::variadic(&[Type::String, Type::Any]);
const ANY: Signature = Signature::variadic(&[Type::Any]);

struct Tools;

impl Functions for Tools {
    fn signature(&self, name: &str) -> Option<Signature> {
        match name {
            "echo" => Some(ECHO),
            "add" => Some(ADD),
            "run" => Some(RUN),
            "list" => Some(ANY),
            "words" => Some(Signature::new(&[Type::STRINGS])),
            "set" => Some(Signature::new(&[Type::DICT, Type::String, Type::Any])),
            "site" | "nosite" => Some(Signature::new(&[])),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: Vec<Value>, engine: &mut Engine<'_>) -> Result<Value, String> {
        match (name, args.as_slice()) {
            ("echo", [Value::String(text)]) if text.is_empty() => Err("nothing to echo".to_owned()),
            ("echo", [text]) => Ok(text.clone()),
            ("add", [Value::Int(_, one), Value::Int(_, other)]) => Ok(Value::int(one + other)),
            ("run", [Value::String(name), rest @ ..]) => {
                let data = rest.first().cloned().unwrap_or_default();
                engine.execute(&name.to_str_lossy(), data).map(Value::from)
            }
            ("list", args) => Ok(Value::list(Type::LIST, args.to_vec())),
            ("words", [words]) => Ok(words.clone()),
            ("set", [map, Value::String(key), value]) => {
                map.insert(Key::String(key.clone()), value.clone())?;
                Ok(map.clone())
            }
            ("site", _) => Ok(Value::record(Site)),
            ("nosite", _) => Ok(Value::NilPointer(&SITE)),
            _ => Err("impossible".to_owned()),
        }
    }
}

#[derive(Debug)]
struct Site;

static SITE: StructType = StructType {
    name: "web.Site",
    fields: &[Field { name: "Name", ty: Type::String }, Field { name: "Tags", ty: Type::Named(&TAGS) }],
    methods: &[],
};
static TAGS: NamedType = NamedType {
    name: "web.Tags",
    underlying: Type::STRINGS,
    methods: &[Method {
        name: "Has",
        signature: ECHO,
        call: |tags, args| match (tags, args) {
            (Value::List(tags), [Value::String(wanted)]) => {
                Ok(Value::Bool(tags.items().iter().any(|tag| matches!(tag, Value::String(t) if t == wanted))))
            }
            _ => Err("no tags".to_owned()),
        },
    }],
};

impl Record for Site {
    fn shape(&self) -> &'static StructType {
        &SITE
    }

    fn field(&self, index: usize) -> Value {
        match index {
            0 => "shop".into(),
            _ => Value::list(Type::Named(&TAGS), vec!["a".into(), "b".into()]),
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn data() -> Value {
    let inner =
        Value::map(Type::DICT, Entries::from([("k".into(), Value::int(7)), ("none".into(), Value::Nil)]));
    let texts = Value::map(Type::TEXTS, Entries::from([("a".into(), "1".into())]));
    let list = Value::strings(["x", "y", "z"]);
    Value::map(
        Type::DICT,
        Entries::from([
            ("m".into(), inner),
            ("t".into(), texts),
            ("l".into(), list),
            ("n".into(), Value::int(3)),
            ("e".into(), Value::strings([""; 0])),
        ]),
    )
}

fn parse(source: &str) -> Result<Template, ParseError> {
    Template::parse(
        source.as_bytes(),
        &Options { missing_key: MissingKey::Zero, ..Options::default() },
        &Tools,
    )
}

fn text(source: &str) -> String {
    let template = parse(source).unwrap();
    String::from_utf8(template.render(data(), &Tools, Limits::default()).unwrap()).unwrap()
}

fn fails(source: &str) -> String {
    match parse(source) {
        Err(error) => error.to_string(),
        Ok(template) => template.render(data(), &Tools, Limits::default()).unwrap_err().to_string(),
    }
}

#[test]
fn text_and_trimming() {
    for (source, expected) in [
        ("", ""),
        ("plain { } text\n", "plain { } text\n"),
        ("a {{- 1 -}} b", "a1b"),
        ("n {{-3}} m {{- -3 -}} o {{ 3 -}} p", "n -3 m-3o 3p"),
        ("a {{- /* c */ -}}  b{{/* d */}}e {{/* f */ -}} \r\n\t g", "abe g"),
        ("{{/* a */}}{{/* b */}} {{- /* c */}}d", "d"),
        ("{{ \"{{\" }} {{ `}}` }}", "{{ }}"),
        ("\u{feff}a\r\n", "\u{feff}a\r\n"),
        ("{{ printf\n\"%d\"\n 7\n}}", "7"),
    ] {
        assert_eq!(text(source), expected, "{source:?}");
    }
}

#[test]
fn constants() {
    assert_eq!(
        text("{{42}} {{-7}} {{0x1F}} {{0b101}} {{1_000}} {{017}} {{'a'}} {{'\\n'}}"),
        "42 -7 31 5 1000 15 97 10"
    );
    assert_eq!(
        text("{{1.5}} {{1e3}} {{.5}} {{1e100}} {{123456789.0}} {{1e21}}"),
        "1.5 1000 0.5 1e+100 1.23456789e+08 1e+21"
    );
    assert_eq!(text("{{ \"t\\there \\u00e9 \\x41\" }} {{ true }} {{ print nil }}"), "t\there é A true <nil>");
    assert_eq!(text("{{ printf \"%T %T %T\" 1e3 1 0x1e }}"), "float64 int int");
    assert!(fails("{{ 99999999999999999999 }}").contains("integer overflow"));
    assert!(fails("{{ 18446744073709551615 }}").contains("overflows int"));
    assert!(fails("{{ 12x }}").contains("bad number syntax"));
    assert!(fails("{{ nil }}").contains("nil is not a command"));
}

#[test]
fn conditions_and_chains() {
    let source = "{{range list 0 1 .n}}{{if eq . 1}}one{{else if eq . 3}}three{{else}}no{{end}} {{end}}";
    assert_eq!(text(source), "no one three ");
    assert_eq!(text("{{with .e}}{{.}}{{else with .m}}{{.k}}{{else}}-{{end}}"), "7");
    assert_eq!(text("{{with .e}}a{{else if .n}}{{.n}}{{end}}{{with .e}}{{else}}{{.n}}{{end}}"), "33");
    assert_eq!(text("{{with $x := 5}}{{$x}}={{.}}{{end}}"), "5=5");
    assert_eq!(
        text("{{and 1 0 2}} {{or 0 \"\" \"c\"}} {{not 0}} {{0 | or 0}} {{and true}}"),
        "0 c true 0 true"
    );
    assert_eq!(text("{{or true (index .e 9)}} {{if and .e (index .e 0)}}x{{end}}"), "true ");
}

#[test]
fn loops() {
    assert_eq!(text("{{range $i, $x := .l}}{{$i}}{{$x}} {{end}}"), "0x 1y 2z ");
    assert_eq!(text("{{range .e}}x{{else}}none {{.n}}{{end}}"), "none 3");
    assert_eq!(text("{{range $k, $v := .t}}{{$k}}={{$v}}{{end}}{{range $v := .l}}{{$v}}{{end}}"), "a=1xyz");
    assert_eq!(
        text("{{range 3}}{{.}}{{end}}{{range $i := .n}}{{$i}}{{end}}{{range 0}}{{else}}-{{end}}"),
        "012012-"
    );
    assert_eq!(text("{{range .l}}{{if eq . \"y\"}}{{continue}}{{end}}{{.}}{{end}}"), "xz");
    assert_eq!(text("{{range .l}}{{with 1}}{{break}}{{end}}{{end}}{{.n}}"), "3", "the dot is back");
    let nested = "{{range $o := .l}}{{range $.l}}{{if eq . \"y\"}}{{break}}{{end}}{{$o}}{{.}} {{end}}{{end}}";
    assert_eq!(text(nested), "xx yx zx ");
    assert_eq!(text("{{$x := 0}}{{range $x = .l}}{{$x}}{{end}}{{$x}}"), "xyzz");
    assert_eq!(text("{{$i := 0}}{{$v := 0}}{{range $i, $v = .l}}{{end}}{{$i}}{{$v}}"), "2z");
    assert_eq!(text("{{range $i, $v := .l}}{{if $i}}{{continue}}{{end}}{{$w := $v}}{{$w}}{{end}}"), "x");
    assert!(fails("{{range \"text\"}}{{end}}").contains("range can't iterate over text"));
    assert!(fails("{{range 1.5}}{{end}}").contains("range can't iterate over 1.5"));
    assert!(fails("{{range $i, $x := 3}}{{end}}").contains("more than one variable"));
}

#[test]
fn variables() {
    assert_eq!(text("{{$a := 1}}{{$b := $a}}{{$a = 5}}{{$a}}{{$b}}"), "51");
    assert_eq!(text("{{$n := \"o\"}}{{if true}}{{$n := \"i\"}}{{$n}}{{end}}{{$n}}"), "io");
    assert_eq!(text("{{$n := \"o\"}}{{if true}}{{$n = \"c\"}}{{end}}{{$n}}{{$.n}}"), "c3");
    assert!(fails("{{if true}}{{$x := 1}}{{end}}{{$x}}").contains("undefined variable \"$x\""));
    assert!(fails("{{$a, $b := 1}}").contains("too many declarations"));
    assert!(fails("{{$x = 1}}").contains("undefined variable: $x"));
}

#[test]
fn fields_of_everything() {
    assert_eq!(
        text("{{.m.k}} {{.m.nope}} {{.m.none}} {{.t.nope}}| {{(site).Name}} {{site.Tags}}"),
        "7 <no value> <no value> | shop [a b]"
    );
    assert_eq!(
        text("{{site.Tags.Has \"b\"}} {{\"c\" | site.Tags.Has}} {{words site.Tags}} {{len site.Tags}}"),
        "true false [a b] 2"
    );
    assert_eq!(
        text("{{site}} {{print site}} {{printf \"%+v %T\" site site}} {{nosite}}"),
        "{shop [a b]} &{shop [a b]} &{Name:shop Tags:[a b]} *web.Site <nil>"
    );
    assert_eq!(text("{{with nosite}}x{{else}}none{{end}} {{$x := .m.nope}}{{$x.deeper}}"), "none <no value>");
    for (source, reason) in [
        ("{{.m.nope.deeper}}", "nil pointer evaluating interface {}.deeper"),
        ("{{nosite.Name}}", "nil pointer evaluating *web.Site.Name"),
        ("{{site.Addr}}", "at <site.Addr>: can't evaluate field Addr in type *web.Site"),
        ("{{nosite.Addr}}", "can't evaluate field Addr"),
        ("{{.n.x}}", "can't evaluate field x in type int"),
        ("{{.m.k 1}}", "k is not a method but has arguments"),
        ("{{site.Name 1}}", "Name has arguments but cannot be invoked as function"),
        ("{{nil.x}}", "unexpected . after term \"nil\""),
        ("{{3 \"x\"}}", "can't give argument to non-function 3"),
    ] {
        assert!(fails(source).contains(reason), "{source}: {}", fails(source));
    }
}

#[test]
fn missing_keys_as_the_option_says() {
    let render = |missing_key| {
        let options = Options { missing_key, ..Options::default() };
        let template = Template::parse(b"{{.t.nope}}|{{index .m \"nope\"}}", &options, &Tools).unwrap();
        template.render(data(), &Tools, Limits::default()).map(|text| String::from_utf8(text).unwrap())
    };
    assert_eq!(render(MissingKey::Invalid).unwrap(), "<no value>|<no value>");
    assert_eq!(render(MissingKey::Zero).unwrap(), "|<no value>");
    assert_eq!(render(MissingKey::Error).unwrap_err().reason, "map has no entry for key \"nope\"");
}

#[test]
fn templates_of_the_source() {
    assert_eq!(text("{{template \"a\" 5}}{{define \"a\"}}got {{.}}{{end}}"), "got 5");
    assert_eq!(text("{{block \"b\" .l}}{{range .}}{{.}}{{end}}{{end}}{{template \"b\"}}."), "xyz.");
    assert_eq!(
        text("{{define \"t\"}}{{range $k, $v := .}}<{{$k}}>{{end}}{{end}}{{template \"t\" .t}}{{.n}}"),
        "<a>3"
    );
    assert_eq!(text("{{define \"x\"}}{{.}}{{end}}{{run \"x\" 1}}{{run \"x\"}}"), "1<no value>");
    assert_eq!(text("{{define \"e\"}} {{end}}{{define \"e\"}}x{{end}}{{template \"e\"}}"), "x");
    assert!(
        fails("{{define \"t\"}}a{{end}}{{define \"t\"}}b{{end}}")
            .contains("multiple definition of template \"t\"")
    );
    assert!(fails("{{template \"nowhere\"}}").contains("template \"nowhere\" not defined"));
    assert!(fails("{{run \"nowhere\"}}").contains("no template \"nowhere\""));
    assert!(fails("{{$c := 1}}{{define \"x\"}}{{$c}}{{end}}").contains("undefined variable \"$c\""));
    assert!(fails("{{if true}}{{define \"x\"}}{{end}}{{end}}").contains("unexpected <define>"));
    assert!(fails("{{define \"x\"}}{{.n.y}}{{end}}{{template \"x\" .}}").contains("in template \"x\""));
}

#[test]
fn functions_check_what_they_are_given() {
    assert_eq!(text("{{echo \"a\"}} {{\"b\" | echo}} {{add 1 2}} {{list 1 \"x\" nil}}"), "a b 3 [1 x <nil>]");
    for (source, reason) in [
        ("{{echo 5}}", "1:8: at <5>: expected string; found 5"),
        ("{{5 | echo}}", "wrong type for value; expected string; got int"),
        ("{{echo .n}}", "wrong type for value; expected string; got int"),
        ("{{add 1 .n}}", "expected int64; got int"),
        ("{{add 1 \"x\"}}", "expected integer; found \"x\""),
        ("{{add 1 1.5}}", "expected integer; found 1.5"),
        ("{{echo}}", "wrong number of args for echo: want 1 got 0"),
        ("{{echo \"a\" \"b\"}}", "wrong number of args for echo: want 1 got 2"),
        ("{{run}}", "wrong number of args for run: want at least 1 got 0"),
        ("{{echo nil}}", "cannot assign nil to string"),
        ("{{echo .m.nope}}", "expected string"),
        ("{{echo \"\"}}", "at <echo \"\">: error calling echo: nothing to echo"),
        ("{{words (list 1)}}", "expected []string; got []interface {}"),
        ("{{frobnicate}}", "function \"frobnicate\" not defined"),
    ] {
        assert!(fails(source).contains(reason), "{source}: {}", fails(source));
    }
    assert_eq!(text("{{1.0 | printf \"%v\"}} {{words nil}} {{list .nope}}"), "1 [] [<nil>]");
}

#[test]
fn builtins() {
    for (source, expected) in [
        (
            "{{eq 1 1}} {{eq 1 2 3 1}} {{eq \"a\" \"b\"}} {{ne 1 2}} {{eq nil nil}} {{eq .m.nope nil}}",
            "true true false true true true",
        ),
        (
            "{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 2 3}} {{lt \"10\" \"9\"}} {{lt 1.5 2.5}}",
            "true true false false true true",
        ),
        (
            "{{len \"é☃\"}} {{len .l}} {{len .t}} {{index \"abc\" 1}} {{index .l 1}} {{index . \"m\" \"k\"}}",
            "5 3 1 98 y 7",
        ),
        ("{{slice \"hello\" 1 3}} {{slice .l 1}} {{slice \"x\"}} {{slice .l 0 1 2}}", "el [y z] x [x]"),
        ("{{html \"<a href='x'>&\"}}", "&lt;a href=&#39;x&#39;&gt;&amp;"),
        ("{{js \"it's <b>\\n = é\\u2028\"}}", "it\\'s \\u003Cb\\u003E\\u000A \\u003D é\\u2028"),
        ("{{urlquery \"a b&c/é~\"}}", "a+b%26c%2F%C3%A9~"),
        ("{{print 1 2 \"x\" 3}}{{println \"a\" 1}}", "1 2x3a 1\n"),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
    for (source, reason) in [
        ("{{eq 1 1.0}}", "error calling eq: incompatible types for comparison"),
        ("{{eq .l .l}}", "uncomparable type []string: [x y z]"),
        ("{{lt true false}}", "invalid type for comparison"),
        ("{{eq 1}}", "missing argument for comparison"),
        ("{{index .l 3}}", "error calling index: slice index out of range: 3"),
        ("{{index .l \"x\"}}", "cannot index slice/array with type string"),
        ("{{index .m 1}}", "value has type int; should be string"),
        ("{{index nil 1}}", "index of untyped nil"),
        ("{{slice .l 2 1}}", "invalid slice index: 2 > 1"),
        ("{{len 3}}", "len of type int"),
        ("{{call .n}}", "non-function"),
        ("{{printf 1}}", "expected string; found 1"),
    ] {
        assert!(fails(source).contains(reason), "{source}: {}", fails(source));
    }
}

#[test]
fn mistakes_have_their_place() {
    for (source, error) in [
        ("a\n{{ if }}x{{ end }}", ":2:7: missing value for if"),
        ("{{ key @ }}", ":1:4: function \"key\" not defined"),
        ("{{ echo @ }}", ":1:9: unexpected \"@\" in operand"),
        ("{{ echo \"x }}\n", ":1:9: unterminated quoted string"),
        ("ok\n{{ echo \"x\"\n", ":2:1: unclosed action"),
        ("{{ range .l }}\n{{ . }}\n", ":1:4: unexpected EOF"),
        ("{{ if true }}a{{ end }}\n{{ end }}", ":2:4: unexpected {{end}}"),
        ("{{ break }}", ":1:4: {{break}} outside {{range}}"),
        ("a{{ /* spaced */ }}b", ":1:5: unexpected \"/\" in"),
        ("{{ (1 }}", ":1:7: unclosed left paren"),
        ("{{ 1) }}", ":1:5: unexpected right paren"),
        ("{{ \"a\" | 1 }}", "non executable command in pipeline stage 2"),
        ("{{/* never", ":1:1: unclosed comment"),
        ("{{ else }}", ":1:4: unexpected {{else}}"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "expected end; found {{else}}"),
        ("{{$x:=1}}{{$x=2}}", "bad character U+003D '='"),
        ("{{ \u{7} }}", "unrecognized character in action: U+0007"),
    ] {
        assert!(fails(source).contains(error), "{source}: {}", fails(source));
    }
}

#[test]
fn delimiters_of_ones_own() {
    let options = Options { left: "[[".into(), right: "]]".into(), ..Options::default() };
    let source = b"{{ x }} [[ index (list 1 2) 1 ]] [[- \" a \" -]] b ]][[/* c */]]";
    let template = Template::parse(source, &options, &Tools).unwrap();
    let text = template.render(Value::Invalid, &Tools, Limits::default()).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "{{ x }} 2 a b ]]");
}

#[test]
fn runaway_templates_end_with_an_error() {
    let endless = "{{define \"again\"}}{{template \"again\" .}}{{end}}{{template \"again\" 1}}";
    assert!(fails(endless).contains("exceeded maximum template depth (100000)"));
    let guarded = "{{define \"again\"}}{{if true}}{{range $.l}}{{template \"again\" $}}{{end}}{{end}}{{end}}{{template \"again\" .}}";
    assert!(fails(guarded).contains("exceeded maximum template depth"));
    assert!(fails("{{define \"x\"}}{{run \"x\"}}{{end}}{{run \"x\"}}").contains("too deep"));
    let limits = Limits { steps: 1000, output: 100, ..Limits::default() };
    let bounded = |source: &str| parse(source).unwrap().render(data(), &Tools, limits).unwrap_err().reason;
    assert!(
        bounded("{{range 1000000}}{{end}}{{range 1000000}}{{$x := .}}{{end}}")
            .contains("more than 1000 steps")
    );
    assert!(bounded("{{range 100}}aaaa{{end}}").contains("more than 100 bytes"));
    assert!(bounded("{{$x := printf \"%100000d\" 1}}").contains("steps"));
    assert!(fails(&"{{if 1}}".repeat(1000)).contains("nested more than"));
    assert!(fails(&format!("{{{{{}", "(".repeat(1000))).contains("parentheses"));
    assert!(
        fails(&format!("{{{{if 1}}}}{}{{{{end}}}}x{{{{", "{{else if 1}}".repeat(10_000)))
            .contains("unclosed action")
    );
}

#[test]
fn the_deepest_nesting_allowed_fits_a_small_stack() {
    let parens = |inner: &str| format!("{}{inner}{}", "(".repeat(50), ")".repeat(50));
    let blocks = |inner: &str| format!("{}{inner}{}", "{{if 1}}".repeat(99), "{{end}}".repeat(99));
    // The parser's deepest, the evaluator's deepest, and templates that execute each other between parentheses.
    let deep = blocks(&format!("{{{{{}}}}}", parens("1")));
    let chain = format!(
        "{{{{define \"x\"}}}}{{{{{}}}}}{{{{end}}}}{{{{define \"y\"}}}}{{{{{}}}}}{{{{end}}}}{{{{{}}}}}",
        parens("run \"y\""),
        "1",
        parens("run \"x\""),
    );
    let endless = "{{define \"x\"}}{{(((((run \"x\")))))}}{{end}}{{run \"x\"}}".to_string();
    let work = move || {
        assert_eq!(text(&deep), "1");
        assert_eq!(text(&chain), "1");
        assert!(fails(&endless).contains("too deep"));
    };
    std::thread::Builder::new().stack_size(1536 << 10).spawn(work).unwrap().join().unwrap();
}

#[test]
fn maps_are_shared_and_never_part_of_themselves() {
    assert_eq!(text("{{$m := .m}}{{$_ := set $m \"new\" 1}}{{.m.new}}"), "1");
    assert!(fails("{{$_ := set .m \"self\" (list .m)}}").contains("part of itself"));
    // Nested deeper than any stack: let go of, and printed, without harm.
    let mut value = Value::int(1);
    for _ in 0..200_000 {
        value = Value::list(Type::LIST, vec![value]);
    }
    assert!(fmt::sprint(&[value.clone()]).len() < 2000);
    drop(value);
}

#[test]
fn text_that_is_no_utf8_passes_through() {
    let template =
        Template::parse(b"Gr\xfc\xdfe {{ \"\xff\" }}{{/* K\xf6ln */}}\xfc", &Options::default(), &Tools)
            .unwrap();
    assert_eq!(template.render(Value::Nil, &Tools, Limits::default()).unwrap(), b"Gr\xfc\xdfe \xff\xfc");
}

#[test]
fn templates_are_shared_between_threads() {
    let template = parse("{{.n}}").unwrap();
    let other = template.clone();
    assert!(Arc::ptr_eq(&template.0, &other.0));
    std::thread::spawn(move || other.render(data(), &Tools, Limits::default()).unwrap()).join().unwrap();
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "\"x\"",
        "template",
        "block",
        "break",
        "continue",
        ".",
        ".l",
        ".m.k",
        "$x",
        ":=",
        "=",
        "|",
        "(",
        ")",
        ",",
        "1",
        "-3",
        "1.5",
        "'a'",
        "nil",
        "true",
        "echo",
        "list",
        "printf",
        "index",
        "eq",
        "/*",
        "*/",
        "text",
        "\n",
        "`",
        "run",
        "and",
        "{{end}}",
        "{{range .l}}",
        "{{if .n}}",
        "é",
        "\"",
        "set",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_source_is_a_template_or_an_error(source in prop_oneof![pieces(), "\\PC{0,60}"]) {
        if let Ok(template) = parse(&source) {
            let limits = Limits { steps: 10_000, output: 1 << 16, ..Limits::default() };
            let _ = template.render(data(), &Tools, limits);
        }
    }

    #[test]
    fn any_bytes_are_a_template_or_an_error(source in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Template::parse(&source, &Options::default(), &Tools);
    }

    #[test]
    fn text_without_actions_is_itself(source in "[^{]{0,80}") {
        prop_assert_eq!(text(&source), source);
    }
}
