use super::*;
use crate::{Entries, IntKind, Type, UintKind};

fn f(format: &str, args: &[Value]) -> String {
    String::from_utf8(sprintf(format.as_bytes(), args)).unwrap()
}

fn strings() -> Value {
    Value::strings(["a", "b"])
}

fn dict() -> Value {
    let list = Value::list(Type::LIST, vec![Value::Float(2.0), Value::Nil]);
    let entries = [("b".into(), Value::Float(1.0)), ("a".into(), list)];
    Value::map(Type::DICT, Entries::from(entries))
}

#[test]
fn texts() {
    for (format, text, expected) in [
        ("%s", "str", "str"),
        ("%10s", "right", "     right"),
        ("%-10s|", "left", "left      |"),
        ("%.3s", "größe", "grö"),
        ("%6s", "größe", " größe"),
        ("%05s", "ab", "000ab"),
        ("%-05s|", "ab", "ab   |"),
        ("%x", "hi☃", "6869e29883"),
        ("%X", "hi", "6869"),
        ("% x", "abc", "61 62 63"),
        ("%# x", "ab", "0x61 0x62"),
        ("%#x", "ab", "0x6162"),
        ("%.1x", "ab", "61"),
        ("%q", "a \"b\" \n é", r#""a \"b\" \n é""#),
        ("%+q", "é☃", r#""\u00e9\u2603""#),
        ("%#q", "raw", "`raw`"),
        ("%#q", "r`w", "\"r`w\""),
        ("%.2q", "é☃x", "\"é☃\""),
        ("%8q|", "a", "     \"a\"|"),
        ("%v", "x", "x"),
        ("%#v", "x", "\"x\""),
        ("%T", "x", "string"),
        ("%d", "text", "%!d(string=text)"),
        ("%t", "x", "%!t(string=x)"),
    ] {
        assert_eq!(f(format, &[text.into()]), expected, "{format} of {text}");
    }
}

#[test]
fn integers() {
    for (format, number, expected) in [
        ("%d", 42, "42"),
        ("%05d", 42, "00042"),
        ("%5d", -42, "  -42"),
        ("%-5d|", 42, "42   |"),
        ("%+d", 42, "+42"),
        ("% d", 42, " 42"),
        ("%05d", -42, "-0042"),
        ("%+05d", 42, "+0042"),
        ("%.5d", 42, "00042"),
        ("%8.5d", -42, "  -00042"),
        ("%.0d", 0, ""),
        ("%3.0d|", 0, "   |"),
        ("%x", 255, "ff"),
        ("%X", 255, "FF"),
        ("%#x", 255, "0xff"),
        ("%#X", -255, "-0XFF"),
        ("%#08x", 255, "0x000000ff"),
        ("%o", 8, "10"),
        ("%#o", 8, "010"),
        ("%O", 8, "0o10"),
        ("%b", 5, "101"),
        ("%#b", 5, "0b101"),
        ("%c", 9731, "☃"),
        ("%5c", 9731, "    ☃"),
        ("%c", -1, "\u{fffd}"),
        ("%q", 65, "'A'"),
        ("%+q", 9731, r"'\u2603'"),
        ("%q", 10, r"'\n'"),
        ("%U", 9731, "U+2603"),
        ("%#U", 9731, "U+2603 '☃'"),
        ("%v", 7, "7"),
        ("%T", 7, "int"),
        ("%s", 42, "%!s(int=42)"),
        ("%t", 1, "%!t(int=1)"),
        ("%e", 1, "%!e(int=1)"),
        ("%z", 1, "%!z(int=1)"),
    ] {
        assert_eq!(f(format, &[Value::int(number)]), expected, "{format} of {number}");
    }
    assert_eq!(f("%d", &[Value::int(i64::MIN)]), "-9223372036854775808");
    assert_eq!(
        f("%#v %v", &[Value::Uint(UintKind::Uint64, 16), Value::Uint(UintKind::Uint8, 98)]),
        "0x10 98"
    );
    assert_eq!(f("%T", &[Value::Int(IntKind::Int64, 1)]), "int64");
}

#[test]
fn floats() {
    for (format, number, expected) in [
        ("%f", 3.14259, "3.142590"),
        ("%.2f", 3.14259, "3.14"),
        ("%8.3f", 3.14259, "   3.143"),
        ("%08.3f", -3.14259, "-003.143"),
        ("%+.1f", 0.04, "+0.0"),
        ("% .1f", 1.0, " 1.0"),
        ("%-8.2e|", 12345.678, "1.23e+04|"),
        ("%e", 123_456.789, "1.234568e+05"),
        ("%E", 0.0, "0.000000E+00"),
        ("%g", 0.000_012_34, "1.234e-05"),
        ("%g", 100_000_000.0, "1e+08"),
        ("%G", 1e-10, "1E-10"),
        ("%.3g", 1234.5, "1.23e+03"),
        ("%#g", 1.0, "1.00000"),
        ("%#.3x", 1.0, "0x1.000p+00"),
        ("%#.0f", 1.0, "1."),
        ("%v", 1e6, "1e+06"),
        ("%v", 12_345_678.0, "1.2345678e+07"),
        ("%6.1f|", 9.95, "   9.9|"),
        ("%x", 1.5, "0x1.8p+00"),
        ("%b", 1.0, "4503599627370496p-52"),
        ("%d", 1.5, "%!d(float64=1.5)"),
        ("%s", 1.5, "%!s(float64=1.5)"),
        ("%5.1f", f64::INFINITY, " +Inf"),
        ("%05.1f", f64::NEG_INFINITY, " -Inf"),
        ("%v", f64::NAN, "NaN"),
        ("%+v", f64::NAN, "NaN"),
        ("%+f", f64::NAN, "+NaN"),
    ] {
        assert_eq!(f(format, &[Value::Float(number)]), expected, "{format} of {number}");
    }
}

#[test]
fn lists_maps_and_nothing() {
    assert_eq!(f("%v %q %s", &[strings(), strings(), strings()]), "[a b] [\"a\" \"b\"] [a b]");
    assert_eq!(f("%x %d", &[strings(), strings()]), "[61 62] [%!d(string=a) %!d(string=b)]");
    assert_eq!(
        f("%5v|%T|%#v", &[strings(), strings(), strings()]),
        "[    a     b]|[]string|[]string{\"a\", \"b\"}"
    );
    assert_eq!(f("%v", &[dict()]), "map[a:[2 <nil>] b:1]");
    assert_eq!(
        f("%#v", &[dict()]),
        "map[string]interface {}{\"a\":[]interface {}{2, interface {}(nil)}, \"b\":1}"
    );
    assert_eq!(
        f(
            "%v %#v %v",
            &[Value::nil_list(Type::STRINGS), Value::nil_list(Type::STRINGS), Value::nil_map(Type::DICT)]
        ),
        "[] []string(nil) map[]"
    );
    assert_eq!(
        f("%v %s %d %T", &[Value::Nil, Value::Nil, Value::Nil, Value::Nil]),
        "<nil> %!s(<nil>) %!d(<nil>) <nil>"
    );
    assert_eq!(
        f("%t %v %5t|%s", &[true.into(), false.into(), true.into(), true.into()]),
        "true false  true|%!s(bool=true)"
    );
}

#[test]
fn what_is_wrong_with_a_format_stands_in_the_text() {
    let one = [Value::int(1)];
    for (format, args, expected) in [
        ("%d %d", &one[..], "1 %!d(MISSING)"),
        ("%!", &[], "%!!(MISSING)"),
        ("load 100%", &[], "load 100%!(NOVERB)"),
        ("50% done", &[], "50%!d(MISSING)one"),
        ("%%%c", &[Value::int(65)], "%A"),
        ("none", &one, "none%!(EXTRA int=1)"),
        ("%[2]s %[1]s", &["one".into(), "two".into()], "two one"),
        ("%[3]d", &one, "%!d(BADINDEX)"),
        ("%[x]d", &one, "%!d(BADINDEX)"),
        ("%[1]d %d", &one, "1 %!d(MISSING)"),
        ("%*d", &[Value::int(6), Value::int(42)], "    42"),
        ("%-*d|", &[Value::int(4), Value::int(1)], "1   |"),
        ("%*d|", &[Value::int(-4), Value::int(1)], "1   |"),
        ("%*d", &["x".into(), Value::int(1)], "%!(BADWIDTH)1"),
        ("%.*f", &[Value::int(1), Value::Float(0.25)], "0.2"),
        ("%.*d", &["x".into(), Value::int(1)], "%!(BADPREC)1"),
        ("%[2]*[1]d", &[Value::int(7), Value::int(3)], "  7"),
        ("%é", &one, "%!é(int=1)"),
        ("%d", &[Value::int(1), Value::Nil, "x".into()], "1%!(EXTRA <nil>, string=x)"),
    ] {
        assert_eq!(f(format, args), expected, "{format}");
    }
    assert!(f("%2000000d", &one).starts_with("%!"), "a width that large is none");
}

#[test]
fn print_puts_spaces_where_go_does() {
    let print = |args: &[Value]| String::from_utf8(sprint(args)).unwrap();
    assert_eq!(print(&["a".into(), "b".into()]), "ab");
    assert_eq!(print(&[Value::int(1), Value::int(2)]), "1 2");
    assert_eq!(print(&[Value::int(1), "x".into(), Value::int(2)]), "1x2");
    assert_eq!(print(&[true.into(), false.into(), 1.5.into(), Value::Nil]), "true false 1.5 <nil>");
    assert_eq!(sprintln(&["a".into(), Value::int(1)]), b"a 1\n");
    assert_eq!(sprintln(&[]), b"\n");
}

proptest::proptest! {
    #[test]
    fn any_format_gives_a_text(format in "[%a-zA-Z0-9 +#.*\\[\\]-]{0,12}", text in "\\PC{0,5}", number: i64, float: f64) {
        let args = [Value::from(text), Value::int(number), Value::Float(float), Value::Nil, dict(), strings()];
        for first in 0..args.len() {
            sprintf(format.as_bytes(), &args[first..]);
        }
    }
}

/// Found by the fuzzer: wider than what Rust's own formatting takes, narrower than what Go refuses.
#[test]
fn very_wide_and_very_precise() {
    let one = |value: Value| [value];
    let zeros = |count: usize| "0".repeat(count);
    assert_eq!(f("%.66666d", &one(Value::int(-7))), format!("-{}7", zeros(66_665)));
    assert_eq!(f("%066666d", &one(Value::int(7))), format!("{}7", zeros(66_665)));
    assert_eq!(f("%.66666U", &one(Value::int(7))), format!("U+{}7", zeros(66_665)));
    assert_eq!(f("%.66666f", &one(Value::Float(1.5))), format!("1.5{}", zeros(66_665)));
    assert_eq!(f("%.66666e", &one(Value::Float(1.5))), format!("1.5{}e+00", zeros(66_665)));
    assert_eq!(f("%.66666g", &one(Value::Float(1.5))), "1.5");
    assert_eq!(f("%.66666x", &one(Value::Float(1.5))), format!("0x1.8{}p+00", zeros(66_665)));
    assert_eq!(f("%66666d", &one(Value::int(7))).len(), 66_666);
    // The smallest number has 1,074 places, all of which are said.
    let least = f("%.1200f", &one(Value::Float(f64::from_bits(1))));
    assert_eq!((least.len(), least.trim_end_matches('0').len()), (1_202, 1_076));
}
