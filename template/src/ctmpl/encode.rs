//! Values as JSON, YAML and TOML and back; texts as base64 and digests.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use wharf_gotemplate::{Entries, Type, Value, strconv};

use super::{
    Function, bytes, function,
    json::{self, Style},
    json_text, string, toml, variadic, yaml, yaml_text,
};

const TEXT: &[Type] = &[Type::String];
const ANY: &[Type] = &[Type::Any];

pub(super) const FUNCTIONS: &[Function] = &[
    function("base64Encode", TEXT, |_, args, _| Ok(BASE64_STANDARD.encode(bytes(args, 0)).into())),
    function("base64URLEncode", TEXT, |_, args, _| Ok(BASE64_URL_SAFE.encode(bytes(args, 0)).into())),
    function("base64Decode", TEXT, |_, args, _| {
        decode_base64(bytes(args, 0), &alphabet::STANDARD).map_err(|error| format!("base64Decode: {error}"))
    }),
    function("base64URLDecode", TEXT, |_, args, _| {
        decode_base64(bytes(args, 0), &alphabet::URL_SAFE)
            .map_err(|error| format!("base64URLDecode: {error}"))
    }),
    function("sha256Hex", TEXT, |_, args, _| Ok(hex(&Sha256::digest(bytes(args, 0))).into())),
    function("md5sum", TEXT, |_, args, _| Ok(hex(&Md5::digest(bytes(args, 0))).into())),
    function("hmacSHA256Hex", &[Type::String, Type::String], |_, args, _| {
        let mut mac = Hmac::<Sha256>::new_from_slice(bytes(args, 1)).map_err(|error| error.to_string())?;
        mac.update(bytes(args, 0));
        Ok(hex(&mac.finalize().into_bytes()).into())
    }),
    function("toJSON", ANY, |_, args, _| to_json("toJSON", args, false, true)),
    function("toJSONPretty", ANY, |_, args, _| to_json("toJSONPretty", args, true, true)),
    function("toUnescapedJSON", ANY, |_, args, _| to_json("toUnescapedJSON", args, false, false)),
    function("toUnescapedJSONPretty", ANY, |_, args, _| to_json("toUnescapedJSONPretty", args, true, false)),
    function("toYAML", ANY, |_, args, _| {
        let text = yaml::encode(&args[0]).map_err(|error| format!("toYAML: {error}"))?;
        Ok(strconv::trim_space(&text).into())
    }),
    function("toTOML", ANY, |_, args, _| {
        let text = toml::encode(&args[0]).map_err(|error| format!("toTOML: {error}"))?;
        Ok(strconv::trim_space(&text).into())
    }),
    function("parseJSON", TEXT, |_, args, _| match bytes(args, 0) {
        b"" => Ok(Value::map(Type::DICT, Entries::new())),
        text => json_text::parse(text),
    }),
    function("parseYAML", TEXT, |_, args, _| match string(args, 0).as_str() {
        "" => Ok(Value::map(Type::DICT, Entries::new())),
        text => yaml_text::parse(text),
    }),
    variadic("spew_sdump", ANY, |_, args, _| Ok(dump(args).into())),
    variadic("spew_dump", ANY, |library, args, _| {
        library.session.note(dump(args));
        Ok("".into())
    }),
    variadic("spew_sprintf", &[Type::String, Type::Any], |_, args, _| {
        Ok(wharf_gotemplate::fmt::sprintf(bytes(args, 0), &args[1..]).into())
    }),
    variadic("spew_printf", &[Type::String, Type::Any], |library, args, _| {
        let text = wharf_gotemplate::fmt::sprintf(bytes(args, 0), &args[1..]);
        library.session.note(String::from_utf8_lossy(&text).into_owned());
        Ok("".into())
    }),
];

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn to_json(name: &str, args: &[Value], pretty: bool, escape_html: bool) -> Result<Value, String> {
    let text = json::encode(&args[0], Style { pretty, escape_html });
    text.map(Value::from).map_err(|error| format!("{name}: {error}"))
}

/// Line ends in between are of no account, padding is; the place of an error is counted as Go counts it.
fn decode_base64(text: &[u8], alphabet: &alphabet::Alphabet) -> Result<Value, String> {
    let packed: Vec<u8> = text.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let decoded = GeneralPurpose::new(alphabet, config).decode(&packed);
    decoded.map(Value::from).map_err(|_| {
        let known = |byte: &u8| alphabet.as_str().as_bytes().contains(byte);
        let at = match packed.iter().position(|byte| !known(byte)) {
            Some(at) if packed[at] != b'=' => at,
            Some(at) => at + usize::from(at % 4 == 3),
            None => packed.len() - packed.len() % 4,
        };
        format!("illegal base64 data at input byte {at}")
    })
}

/// Values with their types, for people.
fn dump(args: &[Value]) -> String {
    let line = |value: &Value| {
        let text = wharf_gotemplate::fmt::sprintf(b"%+v", std::slice::from_ref(value));
        format!("({}) {}\n", value.type_name(), String::from_utf8_lossy(&text))
    };
    args.iter().map(line).collect()
}
