//! Defaults, types, encodings, digests, paths.

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use wharf_gotemplate::{Type, Value};

use super::{
    super::{
        bounded, bytes,
        encode::hex,
        json::{self, Style},
        json_text, string,
    },
    ANY, Call, Function, TEXT, TWO_TEXTS,
    convert::{equal, is_empty},
    function, variadic,
};

const FROM_JSON: Call = |_, args, _| json_text::parse(bytes(args, 0));
const BASE: Call = |_, args, _| Ok(base(&string(args, 0)).into());
const DIR: Call = |_, args, _| {
    let path = string(args, 0);
    Ok(clean(path.rfind('/').map_or("", |at| &path[..=at])).into())
};
const CLEAN: Call = |_, args, _| Ok(clean(&string(args, 0)).into());
const EXT: Call = |_, args, _| {
    let path = string(args, 0);
    let name = path.rsplit('/').next().unwrap_or_default();
    Ok(name.rfind('.').map_or("", |at| &name[at..]).into())
};
const IS_ABS: Call = |_, args, _| Ok(Value::Bool(bytes(args, 0).starts_with(b"/")));
const TO_JSON: Call = |_, args, _| to_json(args, Style { pretty: false, escape_html: true });
const TO_PRETTY_JSON: Call = |_, args, _| to_json(args, Style { pretty: true, escape_html: true });
const TO_RAW_JSON: Call = |_, args, _| to_json(args, Style { pretty: false, escape_html: false });

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("sprig_default", ANY, |_, args, _| match args {
        [] => Err("default: give a default and a value".to_owned()),
        [default] => Ok(default.clone()),
        [default, given, ..] => Ok(if is_empty(given) { default.clone() } else { given.clone() }),
    }),
    function("sprig_empty", ANY, |_, args, _| Ok(Value::Bool(is_empty(&args[0])))),
    variadic("sprig_coalesce", ANY, |_, args, _| {
        Ok(args.iter().find(|arg| !is_empty(arg)).cloned().unwrap_or(Value::Nil))
    }),
    variadic("sprig_all", ANY, |_, args, _| Ok(Value::Bool(!args.iter().any(is_empty)))),
    variadic("sprig_any", ANY, |_, args, _| Ok(Value::Bool(args.iter().any(|arg| !is_empty(arg))))),
    function("sprig_ternary", &[Type::Any, Type::Any, Type::Bool], |_, args, _| {
        Ok(args[usize::from(!args[2].is_true())].clone())
    }),
    function("sprig_fail", TEXT, |_, args, _| Err(string(args, 0))),
    function("sprig_fromJson", TEXT, FROM_JSON),
    function("sprig_mustFromJson", TEXT, FROM_JSON),
    function("sprig_toJson", ANY, TO_JSON),
    function("sprig_mustToJson", ANY, TO_JSON),
    function("sprig_toPrettyJson", ANY, TO_PRETTY_JSON),
    function("sprig_mustToPrettyJson", ANY, TO_PRETTY_JSON),
    function("sprig_toRawJson", ANY, TO_RAW_JSON),
    function("sprig_mustToRawJson", ANY, TO_RAW_JSON),
    function("sprig_kindOf", ANY, |_, args, _| Ok(kind(&args[0]).into())),
    function("sprig_kindIs", &[Type::String, Type::Any], |_, args, _| {
        Ok(Value::Bool(kind(&args[1]) == string(args, 0)))
    }),
    function("sprig_typeOf", ANY, |_, args, _| Ok(args[0].type_name().into())),
    function("sprig_typeIs", &[Type::String, Type::Any], |_, args, _| {
        Ok(Value::Bool(args[1].type_name() == string(args, 0)))
    }),
    function("sprig_typeIsLike", &[Type::String, Type::Any], |_, args, _| {
        let (name, wanted) = (args[1].type_name(), string(args, 0));
        Ok(Value::Bool(name == wanted || name == format!("*{wanted}")))
    }),
    function("sprig_deepEqual", &[Type::Any, Type::Any], |_, args, _| {
        Ok(Value::Bool(equal(&args[0], &args[1], 0)))
    }),
    function("sprig_b64enc", TEXT, |_, args, _| Ok(BASE64_STANDARD.encode(bytes(args, 0)).into())),
    function("sprig_b64dec", TEXT, |_, args, _| match BASE64_STANDARD.decode(bytes(args, 0)) {
        Ok(decoded) => Ok(decoded.into()),
        Err(error) => Ok(error.to_string().into()),
    }),
    function("sprig_b32enc", TEXT, |_, args, _| Ok(base32(bytes(args, 0)).into())),
    function("sprig_b32dec", TEXT, |_, args, _| {
        from_base32(bytes(args, 0)).map(Value::from).ok_or_else(|| "b32dec: illegal base32 data".to_owned())
    }),
    function("sprig_md5sum", TEXT, |_, args, _| Ok(hex(&Md5::digest(bytes(args, 0))).into())),
    function("sprig_sha1sum", TEXT, |_, args, _| Ok(hex(&Sha1::digest(bytes(args, 0))).into())),
    function("sprig_sha256sum", TEXT, |_, args, _| Ok(hex(&Sha256::digest(bytes(args, 0))).into())),
    function("sprig_sha512sum", TEXT, |_, args, _| Ok(hex(&Sha512::digest(bytes(args, 0))).into())),
    function("sprig_adler32sum", TEXT, |_, args, _| Ok(adler32(bytes(args, 0)).to_string().into())),
    function("sprig_base", TEXT, BASE),
    function("sprig_osBase", TEXT, BASE),
    function("sprig_dir", TEXT, DIR),
    function("sprig_osDir", TEXT, DIR),
    function("sprig_clean", TEXT, CLEAN),
    function("sprig_osClean", TEXT, CLEAN),
    function("sprig_ext", TEXT, EXT),
    function("sprig_osExt", TEXT, EXT),
    function("sprig_isAbs", TEXT, IS_ABS),
    function("sprig_osIsAbs", TEXT, IS_ABS),
    function("sprig_expandenv", TEXT, |library, args, _| {
        let text = expanded(&string(args, 0), library.session.surroundings.env);
        bounded(text.len())?;
        Ok(text.into())
    }),
    function("sprig_env", TEXT, |library, args, _| {
        Ok((library.session.surroundings.env)(&string(args, 0)).unwrap_or_default().into())
    }),
    function("sprig_trimall", TWO_TEXTS, |_, args, _| {
        Ok(super::super::text::trim(bytes(args, 1), bytes(args, 0)).into())
    }),
];

fn to_json(args: &[Value], style: Style) -> Result<Value, String> {
    json::encode(&args[0], style).map(Value::from)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil | Value::Invalid => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(kind, _) => match kind {
            wharf_gotemplate::IntKind::Int => "int",
            wharf_gotemplate::IntKind::Int32 => "int32",
            wharf_gotemplate::IntKind::Int64 => "int64",
        },
        Value::Uint(kind, _) => match kind {
            wharf_gotemplate::UintKind::Uint => "uint",
            wharf_gotemplate::UintKind::Uint8 => "uint8",
            wharf_gotemplate::UintKind::Uint64 => "uint64",
        },
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Record(record) if record.by_value() => "struct",
        Value::Record(_) | Value::NilPointer(_) => "ptr",
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Five bytes give eight characters, the last ones padded.
fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0_u8; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(block);
        let used = (chunk.len() * 8).div_ceil(5);
        for index in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * index) & 31).unwrap_or(0);
            out.push(if index < used { char::from(BASE32[digit]) } else { '=' });
        }
    }
    out
}

fn from_base32(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(8) {
        return None;
    }
    let mut out = Vec::new();
    for chunk in text.chunks(8) {
        let digits = chunk.iter().take_while(|byte| **byte != b'=').count();
        if chunk[digits..].iter().any(|byte| *byte != b'=') || ![2, 4, 5, 7, 8].contains(&digits) {
            return None;
        }
        let mut bits = 0_u64;
        for byte in &chunk[..digits] {
            let digit = BASE32.iter().position(|known| known == byte)?;
            bits = bits << 5 | digit as u64;
        }
        bits <<= 5 * (8 - digits);
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + digits * 5 / 8]);
    }
    Some(out)
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    b << 16 | a
}

fn base(path: &str) -> String {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".".to_owned(),
        (_, "") => "/".to_owned(),
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// `$NAME` and `${NAME}` replaced by what the environment says; what it does not say is nothing.
fn expanded(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, used) = shell_name(after);
        if used == 0 {
            out.push('$');
        }
        out.push_str(&env(name).filter(|_| !name.is_empty()).unwrap_or_default());
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}

/// The name that stands behind a `$`, and how many bytes it takes. Braces without a name are dropped.
fn shell_name(text: &str) -> (&str, usize) {
    if let Some(inner) = text.strip_prefix('{') {
        return inner.find('}').map_or(("", 1), |end| (&inner[..end], end + 2));
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || "*#$@!?-".contains(c)) {
        return (&text[..1], 1);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (&text[..end], end)
}

/// The shortest path that means the same.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}
