use proptest::prelude::*;

use super::*;
use crate::MAX_DEPTH;

fn printed(text: &str) -> String {
    expression(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn refused(text: &str) -> String {
    expression(text).unwrap_err().to_string()
}

#[test]
fn every_way_to_ask_is_read() {
    let cases = [
        ("A==b", r#"A == "b""#),
        ("A == b", r#"A == "b""#),
        ("A!=80", r#"A != "80""#),
        ("A == -1.5", r#"A == "-1.5""#),
        ("A == `x\\y`", r#"A == "x\\y""#),
        (r#"A == "x y""#, r#"A == "x y""#),
        ("x in A", r#""x" in A"#),
        ("x not in A", r#""x" not in A"#),
        ("A contains x", r#""x" in A"#),
        ("A not contains x", r#""x" not in A"#),
        ("A matches `^w\\d`", r#"A matches "^w\\d""#),
        ("A not matches x", r#"A not matches "x""#),
        ("A is empty", "A is empty"),
        ("A is\tnot\r\nempty", "A is not empty"),
        ("A.b_2.C == x", r#"A.b_2.C == "x""#),
        (r#"A["a-b"].c == x"#, r#"A["a-b"].c == "x""#),
        (r#"A["plain"] == x"#, r#"A.plain == "x""#),
        ("A[ `x.y` ] == x", r#"A["x.y"] == "x""#),
        // A value written like a selector is its names, with dots.
        (r#"A == b.c["d-e"]"#, r#"A == "b.c.d-e""#),
        ("notes == x", r#"notes == "x""#),
        ("  (A==b)  ", r#"A == "b""#),
    ];
    for (text, means) in cases {
        assert_eq!(printed(text), means, "{text}");
    }
}

#[test]
fn or_binds_weaker_than_and_and_not_binds_strongest() {
    let cases = [
        ("a==1 or b==2 and c==3", r#"a == "1" or b == "2" and c == "3""#),
        ("(a==1 or b==2) and c==3", r#"(a == "1" or b == "2") and c == "3""#),
        ("not a==1 and b==2", r#"not a == "1" and b == "2""#),
        ("not (a==1 and b==2)", r#"not (a == "1" and b == "2")"#),
        ("not not a==1", r#"a == "1""#),
        ("not (not a==1)", r#"a == "1""#),
        ("a==1 and (b==2 and c==3)", r#"a == "1" and (b == "2" and c == "3")"#),
    ];
    for (text, means) in cases {
        assert_eq!(printed(text), means, "{text}");
    }
    let Expression::Or(parts) = expression("a==1 or b==2 and c==3").unwrap() else { panic!() };
    assert!(matches!(parts.as_slice(), [Expression::Match(_), Expression::And(_)]));
}

/// The first three are recorded from a Consul 1.8.7.
#[test]
fn what_is_wrong_is_told_in_consuls_words() {
    let cases = [
        (r#"Service.ID in ["w1"]"#, r#"1:15 (14): rule "match": Invalid selector"#),
        (
            "NOT Service.Port == 80",
            r#"1:5 (4): no match found, expected: "!=", "==", "contains", "in", "is", "matches", "not" or [ \t\r\n]"#,
        ),
        (
            "Service.Port==80 AND v1 in Service.Tags",
            r#"1:18 (17): no match found, expected: "and", "or", [ \t\r\n] or EOF"#,
        ),
        ("A == ", r#"1:6 (5): no match found, expected: "-", "0", "\"", "`", [ \t\r\n], [1-9] or [a-zA-Z]"#),
        ("A == 1.2.3", r#"1:9 (8): rule "number": Invalid number literal"#),
        (r#"A == "x"#, r#"1:8 (7): rule "string": Unterminated string literal"#),
        (r#"A == "\q""#, r#"1:6 (5): rule "string": invalid syntax"#),
        ("(A == b", r#"1:8 (7): rule "grouping": Unmatched parentheses"#),
        ("A[b] == c", r#"1:3 (2): rule "index": Invalid index"#),
        (r#"A["b" == c"#, r#"1:7 (6): rule "index": Unclosed index expression"#),
    ];
    for (text, why) in cases {
        assert_eq!(refused(text), why, "{text}");
    }
    // Lines and columns: a line break begins its line.
    assert!(refused("\u{e4}").starts_with("1:1 (0): "), "{}", refused("\u{e4}"));
    assert!(refused("A ==\n \u{e4}").starts_with("2:2 (6): "), "{}", refused("A ==\n \u{e4}"));
}

#[test]
fn nonsense_is_refused() {
    let nonsense = [
        "",
        " ",
        "A",
        "A ==",
        "== b",
        "A == b c",
        "A = b",
        "A === b",
        "()",
        "not",
        "A == b or",
        "A == b and",
        "A is",
        "A is not",
        "A in",
        "x in 5",
        "A. == b",
        ".A == b",
        "A == b)",
        "A == 01",
        "A == +1",
        "A == 'b'",
        "A == b || C == d",
        "Aisempty",
        "A isempty",
        "not(A == b)",
        "A == b and(C == d)",
    ];
    for text in nonsense {
        assert!(matches!(expression(text), Err(FilterError::Syntax(_))), "{text}");
    }
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("A == \"{}\"", "x".repeat(MAX_LENGTH));
    assert!(matches!(expression(&long), Err(FilterError::TooLong(_))));
    let nested = |depth: usize| format!("{}A == b{}", "(".repeat(depth), ")".repeat(depth));
    assert!(expression(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(expression(&nested(MAX_DEPTH + 1)), Err(FilterError::TooDeep));
    assert_eq!(expression(&"not ".repeat(2000)), Err(FilterError::TooDeep));
    assert_eq!(expression(&"(".repeat(MAX_LENGTH)), Err(FilterError::TooDeep));
    assert!(matches!(expression(&"(".repeat(MAX_DEPTH)), Err(FilterError::Syntax(_))));
}

#[test]
fn long_chains_are_no_depth() {
    let chain = vec!["Aa==b"; 700].join(" or ");
    let Ok(Expression::Or(parts)) = expression(&chain) else { panic!() };
    assert_eq!(parts.len(), 700);
}

fn question() -> impl Strategy<Value = Expression> {
    let operator = prop_oneof![
        Just(Operator::Equal),
        Just(Operator::NotEqual),
        Just(Operator::In),
        Just(Operator::NotIn),
        Just(Operator::IsEmpty),
        Just(Operator::IsNotEmpty),
        Just(Operator::Matches),
        Just(Operator::NotMatches),
    ];
    let selector = ("[a-zA-Z][a-zA-Z0-9_]{0,5}", prop::collection::vec(".{0,4}", 0..3));
    (selector, operator, ".{0,6}").prop_map(|((first, rest), operator, value)| {
        let asks_nothing = matches!(operator, Operator::IsEmpty | Operator::IsNotEmpty);
        let selector = std::iter::once(first).chain(rest).collect();
        Expression::Match(Match { selector, operator, value: (!asks_nothing).then_some(value) })
    })
}

fn any_expression() -> impl Strategy<Value = Expression> {
    question().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            inner.prop_map(|inner| match inner {
                Expression::Not(inner) => *inner,
                inner => Expression::Not(Box::new(inner)),
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = expression(&text);
    }

    #[test]
    fn no_text_of_the_grammars_own_pieces_panics(pieces in prop::collection::vec(prop::sample::select(vec![
        "A", ".", "[", "]", "\"", "`", "\\", "(", ")", "not", "is", "empty", "in", "and", "or", "==", "!=",
        "contains", "matches", " ", "\n", "0", "1", "-", "x y", "\u{e4}", "\"x\"",
    ]), 0..40)) {
        let text = pieces.concat();
        if let Ok(read) = expression(&text) {
            prop_assert_eq!(expression(&read.to_string()), Ok(read));
        }
    }

    #[test]
    fn what_is_printed_reads_as_the_same(wanted in any_expression()) {
        let text = wanted.to_string();
        prop_assert_eq!(expression(&text), Ok(wanted), "{}", text);
    }
}
