use super::*;

fn quoted(text: &str) -> String {
    String::from_utf8(quote(text.as_bytes())).unwrap()
}

#[test]
fn texts_are_quoted_as_go_does() {
    assert_eq!(quoted("a \"b\" \\ \n\t\u{1}\u{7f}"), r#""a \"b\" \\ \n\t\x01\x7f""#);
    assert_eq!(quoted("\u{200b}\u{a0}\u{2028}😀é"), "\"\\u200b\\u00a0\\u2028😀é\"");
    assert_eq!(quote(b"\xff\xfe\x00A"), br#""\xff\xfe\x00A""#);
    assert_eq!(quote_with("é☃😀".as_bytes(), b'"', true), br#""\u00e9\u2603\U0001f600""#);
}

#[test]
fn quoted_texts_are_read_as_go_does() {
    assert_eq!(unquote(br#""tab\t \u00e9 \x41 \101 \\""#).unwrap(), "tab\t é A A \\".as_bytes());
    assert_eq!(unquote(b"`raw \\n`").unwrap(), b"raw \\n");
    for wrong in [&br#""\'""#[..], br#""\x4""#, br#""\ud800""#, br#""\400""#, br#""\q""#] {
        assert_eq!(unquote(wrong), None, "{}", String::from_utf8_lossy(wrong));
    }
    assert_eq!(unquote_char("'世'".as_bytes()), Some(19990));
    assert_eq!(unquote_char(b"'ab'"), None);
}

#[test]
fn whole_numbers_follow_their_prefix() {
    for (text, value) in
        [("42", 42), ("-7", -7), ("0x1F", 31), ("0o17", 15), ("0b101", 5), ("1_000", 1000), ("017", 15)]
    {
        assert_eq!(parse_int(text, 0), Ok(value), "{text}");
    }
    for wrong in ["", "_1", "1_", "1__0", "0x", "08", "1e3", " 1"] {
        assert_eq!(parse_int(wrong, 0), Err(NumberError::Syntax), "{wrong}");
    }
    assert_eq!(parse_int("9223372036854775808", 10), Err(NumberError::Range));
    assert_eq!(parse_int("-9223372036854775808", 10), Ok(i64::MIN));
    assert_eq!(parse_uint("18446744073709551615", 10), Ok(u64::MAX));
    assert_eq!(parse_int("1_0", 10), Err(NumberError::Syntax));
}

#[test]
fn floats_are_written_as_go_does() {
    let general = |value| format_float(value, b'g', None);
    for (value, text) in [
        (1e6, "1e+06"),
        (100_000.0, "100000"),
        (1e21, "1e+21"),
        (1e-4, "0.0001"),
        (1e-5, "1e-05"),
        (123_456_789.0, "1.23456789e+08"),
        (0.1 + 0.2, "0.30000000000000004"),
        (0.0, "0"),
        (-0.0, "-0"),
        (1234.5, "1234.5"),
    ] {
        assert_eq!(general(value), text);
    }
    for (value, precision, text) in
        [(1234.5, 3, "1.23e+03"), (0.000_123_45, 3, "0.000123"), (100.0, 3, "100"), (1e6, 10, "1000000")]
    {
        assert_eq!(format_float(value, b'g', Some(precision)), text);
    }
    for (value, text) in [(0.5, "0"), (1.5, "2"), (2.5, "2"), (3.5, "4")] {
        assert_eq!(format_float(value, b'f', Some(0)), text, "ties go to even");
    }
    assert_eq!(format_float(2.675, b'f', Some(2)), "2.67");
    assert_eq!(format_float(12345.678, b'e', Some(2)), "1.23e+04");
    assert_eq!(format_float(f64::INFINITY, b'f', None), "+Inf");
}

#[test]
fn floats_are_read_as_go_does() {
    assert_eq!(parse_float("0x1p-2"), Ok(0.25));
    assert_eq!(parse_float("-.5"), Ok(-0.5));
    assert_eq!(parse_float("1e400"), Err(NumberError::Range));
    assert!(parse_float("nan").unwrap().is_nan());
    for wrong in ["", "pi", "1.2.3", "e5", "1e", "0x1", " 1", "infinit"] {
        assert_eq!(parse_float(wrong), Err(NumberError::Syntax), "{wrong}");
    }
}

#[test]
fn space_is_trimmed_whatever_the_bytes() {
    assert_eq!(trim_space("\u{a0}\u{2003}x\u{3000}\u{85}".as_bytes()), b"x");
    assert_eq!(trim_space(b" \xff "), b"\xff");
    assert_eq!(trim_space(b"\x80\x80"), b"\x80\x80");
    assert_eq!(trim_space(b"  "), b"");
}
