//! URLs as dictionaries, taken apart and put together as Go's `net/url` does.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use wharf_gotemplate::{Entries, Key, Type, Value};

use super::{super::string, Function, TEXT, convert, function};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sprig_urlParse", TEXT, |_, args, _| {
        let text = string(args, 0);
        let parts = Parts::parse(&text).map_err(|reason| format!("unable to parse url: {reason}"))?;
        let entries = parts.entries().map(|(name, value)| (Key::from(name), Value::from(value)));
        Ok(Value::map(Type::DICT, entries.into_iter().collect::<Entries>()))
    }),
    function("sprig_urlJoin", &[Type::DICT], |_, args, _| {
        let part = |name: &str| match &args[0] {
            Value::Map(map) => {
                map.get(name.as_bytes()).map(|value| convert::string(&value)).unwrap_or_default()
            }
            _ => String::new(),
        };
        Ok(Parts {
            scheme: part("scheme"),
            userinfo: part("userinfo"),
            host: part("host"),
            path: part("path"),
            query: part("query"),
            opaque: part("opaque"),
            fragment: part("fragment"),
        }
        .join()
        .into())
    }),
];

/// What Go escapes in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');
/// What it escapes in a fragment.
const FRAGMENT: &AsciiSet = &PATH.remove(b'?').remove(b'!').remove(b'(').remove(b')').remove(b'*');

#[derive(Debug, Default)]
struct Parts {
    scheme: String,
    userinfo: String,
    host: String,
    path: String,
    query: String,
    opaque: String,
    fragment: String,
}

impl Parts {
    fn parse(text: &str) -> Result<Self, String> {
        let shown = || format!("parse {}", super::super::quoted(text.as_bytes()));
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(format!("{}: net/url: invalid control character in URL", shown()));
        }
        let mut parts = Self::default();
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        parts.fragment = decoded(fragment).map_err(|reason| format!("{}: {reason}", shown()))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut parts.query);
        let mut rest = rest;
        if let Some((scheme, after)) = scheme(rest).map_err(|reason| format!("{}: {reason}", shown()))? {
            parts.scheme = scheme.to_lowercase();
            rest = after;
        }
        if !rest.starts_with('/') && !parts.scheme.is_empty() {
            rest.clone_into(&mut parts.opaque);
            return Ok(parts);
        }
        if parts.scheme.is_empty() && rest.split('/').next().is_some_and(|first| first.contains(':')) {
            return Err(format!("{}: first path segment in URL cannot contain colon", shown()));
        }
        let slashes = !parts.scheme.is_empty() || !rest.starts_with("///");
        if let Some(after) = rest.strip_prefix("//").filter(|_| slashes) {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
            user.clone_into(&mut parts.userinfo);
            port(host).map_err(|reason| format!("{}: {reason}", shown()))?;
            parts.host = decoded(host).map_err(|reason| format!("{}: {reason}", shown()))?;
            rest = path;
        }
        parts.path = decoded(rest).map_err(|reason| format!("{}: {reason}", shown()))?;
        Ok(parts)
    }

    fn entries(&self) -> [(&'static str, &str); 8] {
        [
            ("scheme", &self.scheme),
            ("userinfo", &self.userinfo),
            ("host", &self.host),
            ("hostname", hostname(&self.host)),
            ("path", &self.path),
            ("query", &self.query),
            ("opaque", &self.opaque),
            ("fragment", &self.fragment),
        ]
    }

    fn join(&self) -> String {
        let mut url = String::new();
        if !self.scheme.is_empty() {
            url.push_str(&self.scheme);
            url.push(':');
        }
        if self.opaque.is_empty() {
            let authority = !self.host.is_empty() || !self.userinfo.is_empty();
            // `file:///etc` keeps its slashes.
            if authority || !self.scheme.is_empty() && !self.path.is_empty() {
                url.push_str("//");
            }
            if !self.userinfo.is_empty() {
                url.push_str(&self.userinfo);
                url.push('@');
            }
            url.push_str(&self.host);
            let path = utf8_percent_encode(&self.path, PATH).to_string();
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                url.push('/');
            }
            url.push_str(&path);
        } else {
            url.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            url.push('?');
            url.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            url.push('#');
            url.extend(utf8_percent_encode(&self.fragment, FRAGMENT));
        }
        url
    }
}

/// `Ok(None)`: there is none.
fn scheme(text: &str) -> Result<Option<(&str, &str)>, String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok(Some((&text[..at], &text[at + 1..]))),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn decoded(text: &str) -> Result<String, String> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let escape = rest.get(at..at + 3).unwrap_or(&rest[at..]);
        if escape.len() < 3 || !escape[1..].bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("invalid URL escape {}", super::super::quoted(escape.as_bytes())));
        }
        rest = &rest[at + 3..];
    }
    Ok(percent_decode_str(text).decode_utf8_lossy().into_owned())
}

/// Behind the host's last colon stand digits or nothing.
fn port(host: &str) -> Result<(), String> {
    let after = match host.strip_prefix('[') {
        Some(literal) => literal.split_once(']').ok_or("missing ']' in host")?.1,
        None => host.rfind(':').map_or("", |at| &host[at..]),
    };
    let fits = after.is_empty()
        || after.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    if fits {
        return Ok(());
    }
    Err(format!("invalid port {} after host", super::super::quoted(after.as_bytes())))
}

fn hostname(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|literal| literal.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}
