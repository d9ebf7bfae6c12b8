use std::{collections::HashMap, io};

use proptest::prelude::*;
use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Index, Instance, Node, State, Status, Timestamp, apply::apply,
};

use crate::{
    eval::{Evaluation, Surroundings, evaluate},
    source::{Lookup, Snapshot, Source},
    syntax::{CompileOptions, Syntax, compile},
};

fn fleet() -> State {
    let instance = |node: &str, id: &str, port: u16, tags: &[&str], version: &str| {
        let mut instance = Instance::new(node, id, "web");
        instance.port = port;
        instance.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        instance.meta.insert("version".to_owned(), version.to_owned());
        Command::PutInstance(instance)
    };
    let key = |key: &str, value: &str| Command::SetKey {
        key: key.into(),
        value: value.as_bytes().into(),
        flags: 0,
        cas: None,
    };
    let commands = [
        Command::PutNode(Node::new("n1", "10.0.0.1")),
        Command::PutNode(Node::new("n2", "10.0.0.2")),
        instance("n1", "web-1", 80, &["b", "a"], "7"),
        instance("n2", "web-2", 80, &["b"], "12"),
        instance("n2", "web-3", 81, &[], ""),
        Command::PutCheck(
            Check {
                instance: Some("web-3".into()),
                status: Status::Critical,
                ..Check::new("n2", "service:web-3", "check")
            },
            CheckStatusOnPut::Set,
        ),
        key("app/name", "shop"),
        key("app/limits/cpu", "2"),
        key("app/empty", ""),
    ];
    apply(&State::default(), Index(1), Timestamp(0), &commands).unwrap().state
}

fn over(source: &str, catalog: &dyn Source) -> Evaluation {
    let options = CompileOptions::new(Syntax::Go);
    let compiled = compile(source.as_bytes(), &options).unwrap_or_else(|error| panic!("{source}: {error}"));
    let environment: HashMap<&str, &str> = [("HOME", "/root"), ("EMPTY", "")].into();
    let surroundings = Surroundings {
        vars: &serde_json::Value::Null,
        env: &|name| environment.get(name).map(|value| (*value).to_owned()),
        file: &|path| match path.to_str() {
            Some("motd") => Ok(b"hello".to_vec()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        },
        now: Timestamp(1_750_000_000_123),
        machine: &|| Ok(Default::default()),
        plugin: Some(&|name, args| Ok(format!(" {name} {args:?}\n").into_bytes())),
    };
    evaluate(&compiled, catalog, surroundings)
}

fn rendered(source: &str) -> Evaluation {
    over(source, &Snapshot { state: &fleet(), datacenter: "dc1", local_node: Some("n1") })
}

fn text(source: &str) -> String {
    match rendered(source).text {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) => panic!("{source}: {error}"),
    }
}

fn fails(source: &str) -> String {
    match compile(source.as_bytes(), &CompileOptions::new(Syntax::Go)) {
        Err(error) => error.to_string(),
        Ok(_) => rendered(source).text.unwrap_err().to_string(),
    }
}

/// Template and text, one after the other.
fn all(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(text(source), *expected, "{source}");
    }
}

#[test]
fn texts() {
    all(&[
        (
            r#"{{ "xxabxx" | trim "x" }} {{ trimPrefix "v" "v1" }} {{ "a.conf" | trimSuffix ".conf" }}"#,
            "ab 1 a",
        ),
        (r#"{{ trim "é☃" "☃é-é" }}|{{ trimPrefix "x" "v1" }}|{{ trimSpace " a " }}"#, "-|v1|a"),
        (
            r#"{{ "a=1;b=2;c" | splitToMap ";" "=" | toJSON }} {{ splitToMap ";" "=" " " | toJSON }}"#,
            r#"{"a":"1","b":"2"} {}"#,
        ),
        (r#"{{ toTitle "hello, ǆ ÿ_x" }} {{ toUpper "ᾳß" }} {{ toLower "İΣ" }}"#, "Hello, ǅ Ÿ_x ᾼß iσ"),
        (r#"{{ replaceAll "" "-" "ab" }} {{ split "" "é☃" | join "|" }}"#, "-a-b- é|☃"),
    ]);
}

#[test]
fn numbers() {
    all(&[
        (
            "{{ minimum 3 5 }} {{ maximum 3 5 }} {{ minimum 1.5 2 }} {{ maximum (parseUint \"7\") 3 }}",
            "3 5 1.5 7",
        ),
        (
            "{{ 10 | divide 3 }} {{ modulo -3 7 }} {{ subtract 0.5 1 }} {{ multiply 2 (parseUint \"3\") }}",
            "3 1 0.5 6",
        ),
        ("{{ range loop \"2\" }}{{ . }}{{ end }}{{ range loop (len \"abc\") }}{{ . }}{{ end }}", "01012"),
        ("{{ parseInt \"\" }}{{ parseFloat \"\" }}{{ parseBool \"\" }}{{ parseUint \"\" }}", "00false0"),
        ("{{ add 9223372036854775807 1 }}", "-9223372036854775808"),
    ]);
    assert!(fails("{{ modulo 0 1 }}").contains("integer divide by zero"));
    assert!(fails("{{ minimum \"x\" 1 }}").contains("minimum: unknown type for \"x\" (string)"));
    assert!(fails("{{ loop 1e9 }}").contains("bad argument type"));
    assert!(fails("{{ loop 99999999999 }}").contains("more than"));
}

#[test]
fn lists_and_maps() {
    all(&[
        (
            r#"{{ in (parseJSON "[1,\"x\"]") "x" }} {{ contains "b" "abc" }} {{ in nil 1 }}"#,
            "true true false",
        ),
        (
            r#"{{ explodeMap (parseJSON "{\"a/b\":1,\"a/c\":2,\"d\":3}") | toJSON }}"#,
            r#"{"a":{"b":1,"c":2},"d":3}"#,
        ),
        (
            r#"{{ $a := parseJSON "{\"x\":1,\"m\":{\"p\":1}}" }}{{ $b := parseJSON "{\"x\":2,\"y\":3,\"m\":{\"p\":9,\"q\":2}}" }}{{ mergeMap $a $b | toJSON }} {{ mergeMapWithOverride $a $b | toJSON }}"#,
            r#"{"m":{"p":1,"q":2},"x":1,"y":3} {"m":{"p":9,"q":2},"x":2,"y":3}"#,
        ),
        ("{{ range $p, $l := service \"web|any\" | byPort }}{{ $p }}:{{ len $l }} {{ end }}", "80:2 81:1 "),
        (
            "{{ range $m, $l := service \"web|any\" | byMeta \"version|int\" }}{{ $m }}:{{ len $l }} {{ end }}",
            "00000:1 00007:1 00012:1 ",
        ),
        (
            "{{ range $m, $l := service \"web|any\" | byMeta \"version,zone\" }}{{ $m }} {{ end }}",
            "12__no_zone_ 7__no_zone_ _no_version___no_zone_ ",
        ),
        ("{{ range $t, $l := service \"web\" | byTag }}{{ $t }}:{{ len $l }} {{ end }}", "a:1 b:2 "),
    ]);
    assert!(fails(r#"{{ explodeMap (parseJSON "{\"a\":1,\"a/b\":2}") }}"#).contains("not a map"));
}

#[test]
fn digests_and_encodings() {
    use hmac::{Hmac, KeyInit, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"key").unwrap();
    mac.update(b"message");
    let expected = super::encode::hex(&mac.finalize().into_bytes());
    assert_eq!(text(r#"{{ "key" | hmacSHA256Hex "message" }}"#), expected);
    all(&[
        (r#"{{ sha256Hex "abc" }}"#, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (r#"{{ md5sum "abc" }}"#, "900150983cd24fb0d6963f7d28e17f72"),
        (
            r#"{{ toUnescapedJSON "<&>" }} {{ toUnescapedJSONPretty (parseJSON "{\"a\":\"<\"}") }}"#,
            "\"<&>\" {\n  \"a\": \"<\"\n}",
        ),
        (
            r#"{{ toJSON "\u0008\u007f" }} {{ toJSONPretty (split "," "a") }}"#,
            "\"\\u0008\u{7f}\" [\n  \"a\"\n]",
        ),
        (r#"{{ spew_sprintf "%v" 1 }}{{ spew_dump 1 }}"#, "1"),
        (r#"{{ parseJSON "\"\\ud83d\\ude00 \\ud800\"" }}"#, "😀 \u{fffd}"),
    ]);
    assert_eq!(rendered("{{ spew_dump 1 }}").reads.notes.len(), 1);
    assert!(fails(r#"{{ parseJSON "{\"a\" 1}" }}"#).contains("invalid character '1' after object key"));
    assert!(fails("{{ toTOML 1 }}").contains("top-level values must be"));
}

#[test]
fn yaml_is_read() {
    all(&[
        (r#"{{ parseYAML "a: [1, 2.5, yes, ~]\nb: {c: '1'}\n" }}"#, "map[a:[1 2.5 true <nil>] b:map[c:1]]"),
        (
            r#"{{ with parseYAML "base: &b {p: 1, q: 2}\nown:\n  <<: *b\n  q: 3\n" }}{{ .own.p }}{{ .own.q }}{{ end }}"#,
            "13",
        ),
        (r#"{{ parseYAML "" | toJSON }} {{ parseYAML "- a\n- b" | toJSON }}"#, r#"{} ["a","b"]"#),
        (r#"{{ range $k, $v := parseYAML "1: one\n2: two" }}{{ $k }}={{ $v }} {{ end }}"#, "1=one 2=two "),
        (r#"{{ (parseYAML "big: 0x1F\nocts: 010\nexp: 1e+3\n") }}"#, "map[big:31 exp:1000 octs:8]"),
    ]);
    assert!(fails(r#"{{ parseYAML "a: [" }}"#).contains("yaml"));
    let bomb = format!(
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{}",
        (1..9)
            .map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(",")))
            .collect::<String>()
    );
    let source =
        format!("{{{{ $x := parseYAML {} }}}}{{{{ toJSON $x | len }}}}", super::quoted(bomb.as_bytes()));
    let outcome = rendered(&source).text;
    assert!(outcome.is_err(), "references that multiply end with an error");
}

#[test]
fn yaml_and_toml_are_written() {
    all(&[
        (r#"{{ toYAML "x: y" }} {{ toYAML 1.5 }} {{ toYAML (split "," "a,b") }}"#, "'x: y' 1.5 - a\n- b"),
        (
            r#"{{ parseJSON "{\"a10\":1,\"a9\":[],\"l\":[{\"k\":[1]}],\"e\":\"😀\",\"q\":\"it's: so\",\"n\":\"\\u0001\"}" | toYAML }}"#,
            "a9: []\na10: 1\ne: \"\\U0001F600\"\nl:\n- k:\n  - 1\n\"n\": \"\\x01\"\nq: 'it''s: so'",
        ),
        (
            r#"{{ parseJSON "{\"a\":{\"b\":[{\"c\":1}]},\"n\":null,\"x\":[]}" | toTOML }}"#,
            "x = []\n\n[a]\n\n  [[a.b]]\n    c = 1.0",
        ),
    ]);
}

#[test]
fn regular_expressions_are_gos() {
    all(&[
        (
            r#"{{ regexMatch `^\d+$` "٣" }} {{ regexMatch `^\w+$` "é" }} {{ regexMatch `\bx` "éx" }}"#,
            "false false true",
        ),
        (
            r#"{{ regexMatch `^[[:alpha:]_-]+$` "a-b_c" }} {{ regexMatch `[a[]` "[" }} {{ regexMatch `a{,2}` "a{,2}" }}"#,
            "true true true",
        ),
        (
            r#"{{ regexReplaceAll `\Qa.b\E` "x" "a.b acb" }} {{ regexReplaceAll `(?P<y>\d{4})` "${y}!$z$" "in 2024" }}"#,
            "x acb in 2024!$",
        ),
        (
            r#"{{ regexMatch `x{2}` "xx" }} {{ regexMatch `^\p{Greek}$` "λ" }} {{ regexMatch `[^\d\s]` " 1" }}"#,
            "true true false",
        ),
    ]);
    for pattern in ["(?=x)", "(?<!x)", r"\1", "[a", "*", r"\y", "(?x)a"] {
        assert!(
            fails(&format!("{{{{ regexMatch `{pattern}` \"x\" }}}}")).contains("error parsing regexp"),
            "{pattern}"
        );
    }
}

#[test]
fn the_outside_is_what_the_surroundings_say() {
    all(&[
        (
            r#"{{ env "HOME" }} {{ envOrDefault "NONE" "d" }} {{ envOrDefault "EMPTY" "d" }}| {{ mustEnv "HOME" }}"#,
            "/root d | /root",
        ),
        (r#"{{ file " motd " }} {{ plugin "prog" " a " "" }}"#, "hello prog [\"a\"]"),
        (
            r#"{{ timestamp }} {{ timestamp "unix" }} {{ timestamp "2 Jan 06 3:04PM .000 MST" }}"#,
            "2025-06-15T15:06:40Z 1750000000 15 Jun 25 3:06PM .123 UTC",
        ),
    ]);
    assert!(fails("{{ mustEnv \"EMPTY\" }}").contains("required environment variable EMPTY is empty"));
    assert!(fails("{{ file \"nope\" }}").contains("nope"));
}

#[test]
fn files_written_beside_the_text_are_effects() {
    let evaluation =
        rendered(r#"{{ "cert" | writeToFile "/tmp/x.pem" "root" "" "0600" "append,newline" }}."#);
    assert_eq!(evaluation.text.unwrap(), b".");
    let [file] = &evaluation.writes[..] else { panic!("one file") };
    assert_eq!((file.path.to_str(), file.user.as_str(), file.perms), (Some("/tmp/x.pem"), "root", 0o600));
    assert_eq!((file.content.as_slice(), file.append, file.managed), (&b"cert\n"[..], true, false));
    assert!(fails(r#"{{ writeToFile "/x" "" "" "rw" "c" }}"#).contains("`rw` is no file mode"));
}

#[test]
fn keys_and_what_is_missing() {
    all(&[
        (r#"{{ range tree "app" }}{{ .Key }}={{ .Value }} {{ end }}"#, "empty= limits/cpu=2 name=shop "),
        (
            r#"{{ with keyExistsGet "app/name" }}{{ .Exists }}{{ .Value }}{{ end }}{{ (keyExistsGet "no").Exists }}"#,
            "trueshopfalse",
        ),
        (r#"{{ range safeLs "app" }}{{ .Key }} {{ end }}"#, "empty name "),
        (r#"{{ keyOrDefault "app/empty" "d" }} {{ key "app/name?ns=default" }}"#, "d shop"),
    ]);
    let evaluation =
        rendered(r#"{{ key "no/such" }}{{ safeTree "none" }}{{ if false }}{{ key "not/asked" }}{{ end }}"#);
    assert_eq!(evaluation.missing.len(), 2, "{:?}", evaluation.missing);
    assert!(fails(r#"{{ key "a?peer=other" }}"#).contains("peer=other"));
}

#[test]
fn what_is_not_here_says_why() {
    for (source, word) in [
        ("{{ secret \"a\" }}", "Vault"),
        ("{{ nomadVar \"a\" }}", "Nomad"),
        ("{{ caLeaf \"web\" }}", "mesh"),
        ("{{ frobnicate }}", "not defined"),
    ] {
        assert!(fails(source).contains(word), "{source}: {}", fails(source));
    }
    all(&[(
        "{{ range partitions }}{{ .Name }}{{ end }}{{ len peerings }}{{ len (exportedServices \"x\") }}{{ connect \"web\" }}",
        "default00[]",
    )]);
}

#[test]
fn fields_that_newer_versions_have() {
    all(&[
        (
            "{{ range service \"web\" }}{{ .Weights.Passing }} {{ .NodeDatacenter }} {{ .Tags.Contains \"a\" }} {{ end }}",
            "1 dc1 true 1 dc1 false ",
        ),
        (
            "{{ with index (service \"web\") 0 }}{{ .Weights }} {{ .ServiceTaggedAddresses }}{{ end }}",
            "{1 1} map[]",
        ),
    ]);
}

#[test]
fn sprig_texts() {
    all(&[
        (
            r#"{{ sprig_upper "a" }}{{ sprig_title "ab cd" }}{{ sprig_untitle "Ab Cd" }} {{ sprig_repeat 3 "ab" }}"#,
            "AAb Cdab cd ababab",
        ),
        (
            r#"{{ sprig_substr 1 3 "hello" }} {{ sprig_trunc 2 "hello" }} {{ sprig_trunc -2 "hello" }} {{ sprig_abbrev 5 "hello world" }}"#,
            "el he lo he...",
        ),
        (
            r#"{{ sprig_quote "a" 1 nil }} {{ sprig_squote "b" }} {{ sprig_cat "x" 1 true }} {{ sprig_nospace "a b" }}"#,
            "\"a\" \"1\" 'b' x 1 true ab",
        ),
        (r#"{{ sprig_indent 2 "a\nb" }}|{{ sprig_nindent 1 "c" }}"#, "  a\n  b|\n c"),
        (
            r#"{{ sprig_replace "a" "b" "aa" }} {{ sprig_plural "one" "many" 2 }} {{ sprig_snakecase "HTTPServer v2" }} {{ sprig_kebabcase "FooBar" }} {{ sprig_camelcase "foo_bar" }}"#,
            "bb many http_server_v2 foo-bar FooBar",
        ),
        (
            r#"{{ sprig_contains "b" "abc" }} {{ sprig_hasPrefix "a" "abc" }} {{ sprig_hasSuffix "a" "abc" }} {{ sprig_wrap 5 "aa bb cc" }}"#,
            "true true false aa bb\ncc",
        ),
        (
            r#"{{ sprig_splitList "," "a,b" }} {{ (sprig_split "," "a,b")._1 }} {{ (sprig_splitn "," 2 "a,b,c")._1 }} {{ sprig_join "-" (sprig_list 1 "x") }} {{ sprig_sortAlpha (sprig_list "b" "a") }}"#,
            "[a b] b b,c 1-x [a b]",
        ),
        (
            r#"{{ sprig_regexFind "b+" "abbc" }} {{ sprig_regexFindAll "[a-c]" "abx c" -1 }} {{ sprig_regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W" }} {{ sprig_regexSplit "z+" "pizza" -1 }} {{ sprig_regexQuoteMeta "1.2" }}"#,
            "bb [a b c] -W-xxW- [pi a] 1\\.2",
        ),
        (
            r#"{{ sprig_initials "First Try" }} {{ sprig_swapcase "aB" }} {{ sprig_trimAll "$" "$5$" }}"#,
            "FT Ab 5",
        ),
    ]);
}

#[test]
fn sprig_dates_and_durations() {
    // It is 2025-06-15 15:06:40.123 UTC.
    for (source, expected) in [
        (r#"{{ sprig_date "2006-01-02 15:04" (sprig_dateModify "-1.5h" sprig_now) }}"#, "2025-06-15 13:36"),
        (r#"{{ sprig_now | sprig_date_modify "48h" | sprig_htmlDate }}"#, "2025-06-17"),
        (r#"{{ sprig_now | sprig_mustDateModify "1m1s" | sprig_unixEpoch }}"#, "1750000061"),
        (r#"{{ sprig_dateModify "soon" sprig_now | sprig_htmlDate }}"#, "2025-06-15"),
        (
            r#"{{ sprig_ago 1749990000 }} {{ sprig_ago (sprig_dateModify "-90s" sprig_now) }}"#,
            "2h46m40s 1m30s",
        ),
        (
            r#"{{ sprig_durationRound "2h10m5s" }} {{ sprig_durationRound "2400h10m5s" }} {{ sprig_durationRound "900ms" }}"#,
            "2h 3m 0s",
        ),
        (r#"{{ sprig_durationRound (sprig_toDate "2006-01-02" "2023-06-01") }}"#, "2y"),
        (r#"{{ sprig_duration "95" }}"#, "1m35s"),
        (r#"{{ sprig_toDate "2006-01-02" "2017-12-31" | sprig_date "02/01/2006" }}"#, "31/12/2017"),
        (
            r#"{{ sprig_mustToDate "2006-01-02T15:04:05Z07:00" "2024-02-29T01:02:03+02:00" | sprig_unixEpoch }}"#,
            "1709161323",
        ),
        (r#"{{ (sprig_mustToDate "2006-01-02T15:04:05Z07:00" "2024-02-29T01:02:03Z").Hour }}"#, "1"),
        (
            r#"{{ sprig_toDate "Jan 2, 2006 at 3:04pm" "Feb 3, 2013 at 7:54pm" | sprig_date "2006-01-02 15:04" }}"#,
            "2013-02-03 19:54",
        ),
        (r#"{{ sprig_toDate "2006-01-02" "no date" }}"#, "0001-01-01 00:00:00 +0000 UTC"),
        (r#"{{ sprig_htmlDateInZone 1750000000 "Asia/Tokyo" }}"#, "2025-06-16"),
    ] {
        assert_eq!(text(source), expected, "{source}");
    }
    assert!(fails(r#"{{ sprig_mustDateModify "soon" sprig_now }}"#).contains("invalid duration \"soon\""));
    assert!(fails(r#"{{ sprig_mustToDate "2006" "x" }}"#).contains("cannot parse"));
}

#[test]
fn sprig_urls_are_taken_apart_and_put_together() {
    for (url, parts) in [
        (
            "http://admin:secret@server.com:8080/api%20v1/list?x=1&y=2#top",
            "map[fragment:top host:server.com:8080 hostname:server.com opaque: path:/api v1/list query:x=1&y=2 scheme:http userinfo:admin:secret]",
        ),
        ("mailto:a@b.c", "map[fragment: host: hostname: opaque:a@b.c path: query: scheme:mailto userinfo:]"),
        (
            "/just/a(path)",
            "map[fragment: host: hostname: opaque: path:/just/a(path) query: scheme: userinfo:]",
        ),
        (
            "https://[fd00::1]:443",
            "map[fragment: host:[fd00::1]:443 hostname:fd00::1 opaque: path: query: scheme:https userinfo:]",
        ),
        (
            "file:///etc/hosts",
            "map[fragment: host: hostname: opaque: path:/etc/hosts query: scheme:file userinfo:]",
        ),
    ] {
        assert_eq!(text(&format!("{{{{ sprig_urlParse {url:?} }}}}")), parts);
        let joined = text(&format!("{{{{ sprig_urlParse {url:?} | sprig_urlJoin }}}}"));
        assert_eq!(joined, url.replace("(path)", "%28path%29"));
    }
    assert_eq!(
        text(
            r#"{{ sprig_urlJoin (sprig_dict "fragment" "f" "host" "host:80" "path" "p" "query" "q" "scheme" "http") }}"#
        ),
        "http://host:80/p?q#f"
    );
    for (url, reason) in [
        ("http://a:b/", "invalid port \":b\" after host"),
        (":x", "missing protocol scheme"),
        ("a b:c", "first path segment"),
        ("/%zz", "invalid URL escape \"%zz\""),
    ] {
        assert!(fails(&format!("{{{{ sprig_urlParse {url:?} }}}}")).contains(reason), "{url}");
    }
}

#[test]
fn sprig_environment_paths_and_what_is_refused() {
    assert_eq!(
        text(r#"{{ sprig_expandenv "$HOME/x ${HOME}y $NONE.$ ${} $$ 5$" }}"#),
        "/root/x /rooty .$   5$"
    );
    assert_eq!(
        text(
            r#"{{ sprig_osBase "/a/b.c" }} {{ sprig_osDir "/a/b" }} {{ sprig_osExt "x.y" }} {{ sprig_osIsAbs "/" }} {{ sprig_osClean "/a/../b" }}"#
        ),
        "b.c /a .y true /b"
    );
    assert_eq!(
        text(
            r#"{{ sprig_abbrevboth 5 10 "1234 5678 9123" }} {{ sprig_abbrevboth 0 10 "1234 5678 9123" }} {{ sprig_mustRegexSplit "z+" "pizza" -1 }}"#
        ),
        "...5678... 1234 56... [pi a]"
    );
    for name in ["sprig_uuidv4", "sprig_randAlpha", "sprig_htpasswd"] {
        let options = CompileOptions::new(Syntax::Go);
        let error = compile(format!("{{{{ {name} }}}}").as_bytes(), &options).unwrap_err().to_string();
        assert!(error.contains("every render") && error.contains(name), "{error}");
    }
}

#[test]
fn sprig_lists_and_dictionaries() {
    all(&[
        (
            "{{ $l := sprig_list 1 2 3 }}{{ sprig_first $l }}{{ sprig_last $l }}{{ sprig_rest $l }}{{ sprig_initial $l }}{{ sprig_reverse $l }}",
            "13[2 3][1 2][3 2 1]",
        ),
        (
            "{{ $l := sprig_list 1 2 }}{{ sprig_append $l 3 }}{{ sprig_prepend $l 0 }}{{ sprig_concat $l $l }}{{ $l }}",
            "[1 2 3][0 1 2][1 2 1 2][1 2]",
        ),
        (
            "{{ sprig_uniq (sprig_list 1 1 2) }}{{ sprig_without (sprig_list 1 2) 1 }}{{ sprig_has 2 (sprig_list 1 2) }}{{ sprig_slice (sprig_list 1 2 3) 1 2 }}{{ sprig_chunk 2 (sprig_list 1 2 3) }}",
            "[1 2][2]true[2][[1 2] [3]]",
        ),
        (
            "{{ sprig_compact (sprig_list 0 1 \"\") }}{{ sprig_until 3 }}{{ sprig_untilStep 4 0 -2 }} {{ sprig_seq 3 }} {{ sprig_seq 0 2 4 }}",
            "[1][0 1 2][4 2] 1 2 3 0 2 4",
        ),
        (
            "{{ $d := sprig_dict \"a\" 1 \"b\" 2 }}{{ $_ := sprig_set $d \"c\" 3 }}{{ $_ := sprig_unset $d \"a\" }}{{ $d }}{{ sprig_get $d \"b\" }}{{ sprig_get $d \"z\" }}{{ sprig_hasKey $d \"c\" }}",
            "map[b:2 c:3]2true",
        ),
        (
            "{{ $d := sprig_dict \"a\" 1 \"b\" 2 }}{{ sprig_keys $d }}{{ sprig_values $d }}{{ sprig_pick $d \"a\" }}{{ sprig_omit $d \"a\" }}{{ sprig_pluck \"a\" $d $d }}",
            "[a b][1 2]map[a:1]map[b:2][1 1]",
        ),
        (
            "{{ sprig_merge (sprig_dict \"a\" 1) (sprig_dict \"a\" 2 \"b\" 3) }}{{ sprig_mergeOverwrite (sprig_dict \"a\" 1) (sprig_dict \"a\" 2) }}",
            "map[a:1 b:3]map[a:2]",
        ),
        (
            "{{ $d := sprig_dict \"a\" (sprig_dict \"b\" 1) }}{{ sprig_dig \"a\" \"b\" 0 $d }}{{ sprig_dig \"a\" \"x\" 9 $d }}{{ $c := sprig_deepCopy $d }}{{ $_ := sprig_set $c \"a\" 2 }}{{ $d }}",
            "19map[a:map[b:1]]",
        ),
    ]);
    assert!(fails("{{ $d := sprig_dict }}{{ $_ := sprig_set $d \"self\" $d }}").contains("part of itself"));
    assert!(fails("{{ sprig_until 99999999 }}").contains("more than"));
}

#[test]
fn values_that_multiply_end_with_an_error() {
    let doubling =
        "{{ $d := sprig_dict }}{{ range loop 60 }}{{ $d = sprig_dict \"a\" $d \"b\" $d }}{{ end }}";
    for rest in
        ["{{ $c := sprig_deepCopy $d }}", "{{ $m := sprig_merge $d $d }}", "{{ $m := mergeMap $d $d }}"]
    {
        assert!(fails(&format!("{doubling}{rest}")).contains("more than"), "{rest}");
    }
}

#[test]
fn sprig_numbers_defaults_and_the_rest() {
    all(&[
        (
            "{{ sprig_add 1 2 \"3\" }} {{ sprig_sub 5 2 }} {{ sprig_mul 2 3 }} {{ sprig_div 7 2 }} {{ sprig_mod 7 4 }} {{ sprig_max 1 5 3 }} {{ sprig_min 4 2 }}",
            "6 3 6 3 3 5 2",
        ),
        (
            "{{ sprig_round 3.14159 2 }} {{ sprig_floor 1.7 }} {{ sprig_ceil 1.2 }} {{ sprig_addf 1.5 2 }} {{ sprig_int \"0x10\" }} {{ sprig_atoi \"42\" }} {{ sprig_add1 1 }}",
            "3.14 1 2 3.5 16 42 2",
        ),
        (
            "{{ sprig_default \"d\" \"\" }} {{ \"x\" | sprig_default \"d\" }} {{ sprig_coalesce 0 \"\" \"c\" }} {{ sprig_ternary \"y\" \"n\" true }} {{ sprig_empty 0 }} {{ sprig_all 1 0 }} {{ sprig_any 1 0 }}",
            "d x c y true false true",
        ),
        (
            "{{ sprig_kindOf 1 }} {{ sprig_typeOf \"x\" }} {{ sprig_kindIs \"slice\" (sprig_list) }} {{ sprig_deepEqual (sprig_list 1) (sprig_list 1) }}",
            "int string true true",
        ),
        (
            "{{ sprig_b64enc \"hi\" }} {{ sprig_b64dec \"aGk=\" }} {{ sprig_b32enc \"hi there\" }} {{ sprig_b32dec \"NBUSA5DIMVZGK===\" }}",
            "aGk= hi NBUSA5DIMVZGK=== hi there",
        ),
        (
            "{{ sprig_sha1sum \"abc\" }} {{ sprig_adler32sum \"abc\" }}",
            "a9993e364706816aba3e25717850c26c9cd0d89d 38600999",
        ),
        (
            "{{ sprig_base \"/a/b.c\" }} {{ sprig_dir \"/a/b.c\" }} {{ sprig_clean \"/a/../b/./c\" }} {{ sprig_ext \"/a/b.c\" }} {{ sprig_isAbs \"/a\" }}",
            "b.c /a /b/c .c true",
        ),
        (
            "{{ sprig_date \"2006-01-02\" sprig_now }} {{ sprig_now.Year }} {{ sprig_now }} {{ sprig_htmlDate 0 }} {{ sprig_duration 3661 }}",
            "2025-06-15 2025 2025-06-15 15:06:40.123 +0000 UTC 1970-01-01 1h1m1s",
        ),
        (
            "{{ sprig_toJson (sprig_dict \"a\" \"<\") }} {{ sprig_toRawJson \"<\" }} {{ (sprig_fromJson \"{\\\"a\\\":1}\").a }}",
            "{\"a\":\"\\u003c\"} \"<\" 1",
        ),
    ]);
    assert!(fails("{{ sprig_fail \"no good\" }}").contains("no good"));
    assert!(fails("{{ sprig_div 1 0 }}").contains("divide by zero"));
    assert!(fails("{{ sprig_repeat 99999999999 \"x\" }}").contains("bytes"));
}

/// A mirror that has heard nothing yet.
struct Deaf;

impl Source for Deaf {
    fn datacenter(&self) -> &str {
        ""
    }

    fn datacenters(&self) -> Option<Vec<String>> {
        None
    }

    fn local_node(&self) -> Option<String> {
        None
    }

    fn catalog(&self, _: &str, _: &wharf_catalog::Topic) -> Lookup<'_> {
        Lookup::Pending
    }
}

#[test]
fn what_has_not_been_heard_is_pending_and_not_missing() {
    let source = r#"{{ key "a" }}{{ range service "web" }}x{{ end }}{{ with node }}{{ .Node }}{{ end }}"#;
    let evaluation = over(source, &Deaf);
    assert!(evaluation.pending && evaluation.missing.is_empty());
    assert_eq!(evaluation.reads.topics.len(), 2, "{:?}", evaluation.reads.topics);
}

#[test]
fn a_query_asked_again_is_answered_once() {
    let evaluation = rendered("{{ range loop 100 }}{{ len (service \"web\") }}{{ end }}");
    assert_eq!(evaluation.reads.population.instances.len(), 1);
}

fn calls() -> impl Strategy<Value = String> {
    let mut names: Vec<String> = super::FUNCTIONS.keys().map(|name| (*name).to_owned()).collect();
    names.sort();
    let value = prop::sample::select(vec![
        "1",
        "-3",
        "1.5",
        "\"a\"",
        "\"\"",
        "nil",
        "true",
        "(parseJSON \"[1,\\\"x\\\",null]\")",
        "(sprig_dict \"k\" 1)",
        "(service \"web\")",
        "(tree \"app\")",
        "\"x{2}[\"",
        "sprig_now",
        "(sprig_list)",
        "(split \",\" \"a,b\")",
        "9999999999",
    ]);
    (prop::sample::select(names), prop::collection::vec(value, 0..5))
        .prop_map(|(name, args)| format!("{{{{ {name} {} }}}}", args.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn any_call_gives_a_text_or_an_error(source in calls()) {
        let _ = rendered(&source);
    }
}
