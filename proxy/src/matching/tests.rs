use proptest::prelude::*;

use super::*;

fn known(name: &str) -> Option<String> {
    ["web", "web.v2", "api", "127"].contains(&name).then(|| name.to_owned())
}

fn find_known<'a>(host: &str, path: &'a str) -> Match<'a, String> {
    find(Some(host), path, known)
}

fn stripped<'a>(service: &str, prefix: &'a str, rest: &'a str) -> Match<'a, String> {
    Match::Stripped { service: service.to_owned(), prefix, rest }
}

#[test]
fn the_first_path_segment_names_the_service_and_is_taken_off() {
    assert_eq!(find_known("localhost", "/web/a/b?c=/d"), stripped("web", "/web", "/a/b?c=/d"));
    assert_eq!(find_known("localhost", "/WEB/"), stripped("web", "/WEB", "/"));
    assert_eq!(find_known("localhost", "/w%65b//x"), stripped("web", "/w%65b", "//x"));
}

#[test]
fn a_service_without_its_slash_is_redirected_with_its_query() {
    assert_eq!(find_known("localhost", "/web"), Match::Redirect { prefix: "/web", query: "" });
    assert_eq!(find_known("localhost", "/web?a=1"), Match::Redirect { prefix: "/web", query: "?a=1" });
}

#[test]
fn a_host_goes_before_a_path() {
    for host in ["web.localhost", "web", "WEB.example.com:8080", "web.", "web:80"] {
        assert_eq!(find_known(host, "/api/x"), Match::Whole("web".to_owned()), "{host}");
    }
}

#[test]
fn the_longest_name_a_host_begins_with_wins() {
    assert_eq!(find_known("web.v2.localhost", "/"), Match::Whole("web.v2".to_owned()));
    assert_eq!(find_known("web.v3.localhost", "/"), Match::Whole("web".to_owned()));
}

#[test]
fn an_address_is_no_service() {
    for host in ["127.0.0.1:8080", "[::1]:8080", "", ":80"] {
        assert_eq!(find_known(host, "/x"), Match::None, "{host}");
    }
}

#[test]
fn what_nobody_is_called_matches_nothing() {
    for path in ["/", "", "*", "/other/web", "//web/", "/%ff/", "/webx/"] {
        assert_eq!(find_known("localhost", path), Match::None, "{path}");
    }
}

#[test]
fn dot_segments_cannot_lead_out_of_the_service() {
    for path in
        ["/web/../api/", "/web/a/../../api", "/web/%2e%2e/api", "/web/..", "/web/..%2fapi", "/web/.\\..\\api"]
    {
        assert_eq!(find_known("localhost", path), Match::Escapes, "{path}");
    }
    for path in ["/web/a/..", "/web/a..b/", "/web/...", "/web/x?../.."] {
        assert!(matches!(find_known("localhost", path), Match::Stripped { .. }), "{path}");
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_the_rest_is_a_suffix_that_begins_with_a_slash(
        segment in "[a-z.%/]{0,6}", rest in "[/a-z.%?=&\\\\]{0,24}",
    ) {
        let path = format!("/{segment}{rest}");
        match find(None, &path, known) {
            Match::Stripped { prefix, rest, .. } => {
                prop_assert!(rest.starts_with('/'));
                prop_assert_eq!(format!("{prefix}{rest}"), path.clone());
                let query = |whole: &str| whole.split_once('?').map(|(_, query)| query.to_owned());
                prop_assert_eq!(query(rest), query(&path));
            }
            Match::Redirect { prefix, query } => prop_assert_eq!(format!("{prefix}{query}"), path),
            _ => {}
        }
    }

    #[test]
    fn no_stripped_path_climbs_above_its_root(parts in prop::collection::vec("(\\.\\.|\\.|%2e%2E|a|b%2f|)", 0..8)) {
        let path = format!("/web/{}", parts.join("/"));
        if let Match::Stripped { rest, .. } = find(None, &path, known) {
            let plain = rest.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
            let mut depth = 0;
            for part in plain.split('/') {
                depth += match part { "" | "." => 0, ".." => -1, _ => 1 };
                prop_assert!(depth >= 0, "{} climbs out", rest);
            }
        }
    }

    #[test]
    fn any_host_and_path_is_taken_without_a_panic(host in ".{0,40}", path in ".{0,40}") {
        let _ = find(Some(&host), &path, known);
    }
}
