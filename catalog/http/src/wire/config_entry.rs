//! Configuration entries: read from what clients send, into the form in which they are told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    error::ApiError,
    fields::{Fields, Spelling},
};

/// Kinds Consul knows and only a mesh could carry out.
const OF_A_MESH: [&str; 13] = [
    "service-router",
    "service-splitter",
    "service-resolver",
    "ingress-gateway",
    "terminating-gateway",
    "service-intentions",
    "mesh",
    "exported-services",
    "api-gateway",
    "http-route",
    "tcp-route",
    "inline-certificate",
    "jwt-provider",
];

type Result<T> = std::result::Result<T, ApiError>;

/// An entry, ready to be kept.
#[derive(Debug)]
pub(crate) struct ConfigEntry {
    kind: &'static str,
    name: String,
    /// As it is told, but for its indexes.
    pub(crate) body: Value,
}

impl ConfigEntry {
    /// `kind/name`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

/// Is there such a kind (of which there may be no entries here)?
pub(crate) fn check_kind(kind: &str) -> Result<()> {
    if ["service-defaults", "proxy-defaults"].contains(&kind) || OF_A_MESH.contains(&kind) {
        return Ok(());
    }
    Err(ApiError::Refused(format!("invalid config entry kind: {kind}")))
}

/// Reads what `PUT config` gets.
pub(crate) fn read(body: &[u8]) -> Result<ConfigEntry> {
    let mut fields = Fields::parse(body, Spelling::Snake).map_err(undecodable)?;
    let kind = fields.text("Kind").map_err(undecodable)?;
    let (entry, fields) = match kind.as_str() {
        "" => Err(bad("Payload does not contain a kind/Kind key at the top level")),
        "service-defaults" => service_defaults(fields),
        "proxy-defaults" => proxy_defaults(fields),
        mesh if OF_A_MESH.contains(&mesh) => Err(bad(&format!(
            "config entries of kind {mesh} are for a service mesh, and there is none here: use service-defaults or proxy-defaults"
        ))),
        other => Err(bad(&format!("invalid config entry kind: {other}"))),
    }?;
    if let Some(name) = fields.unread() {
        return Err(bad(&format!("1 error occurred:\n\t* invalid config key \"{name}\"")));
    }
    if entry.name.is_empty() {
        return Err(ApiError::Refused("serviceName is required".to_owned()));
    }
    Ok(entry)
}

fn service_defaults(mut fields: Fields) -> Result<(ConfigEntry, Fields)> {
    let name = fields.text("Name").map_err(undecodable)?;
    let mut body = head("service-defaults", &name);
    let protocol = fields.text("Protocol").map_err(undecodable)?.to_lowercase();
    body.insert("Protocol".to_owned(), protocol.into());
    common(&mut fields, &mut body)?;
    let sni = fields.text("ExternalSNI").map_err(undecodable)?;
    if !sni.is_empty() {
        body.insert("ExternalSNI".to_owned(), sni.into());
    }
    Ok((ConfigEntry { kind: "service-defaults", name, body: Value::Object(body) }, fields))
}

/// There is one, called `global`, whatever the client calls it.
fn proxy_defaults(mut fields: Fields) -> Result<(ConfigEntry, Fields)> {
    fields.text("Name").map_err(undecodable)?;
    let name = "global".to_owned();
    let mut body = head("proxy-defaults", &name);
    let config = fields.values("Config").map_err(undecodable)?;
    body.insert("Config".to_owned(), config.map_or(Value::Null, |config| json!(config)));
    common(&mut fields, &mut body)?;
    Ok((ConfigEntry { kind: "proxy-defaults", name, body: Value::Object(body) }, fields))
}

fn head(kind: &str, name: &str) -> Map<String, Value> {
    Map::from_iter([("Kind".to_owned(), kind.into()), ("Name".to_owned(), name.into())])
}

fn common(fields: &mut Fields, body: &mut Map<String, Value>) -> Result<()> {
    let mut gateway = Map::new();
    if let Some(mut asked) = fields.object("MeshGateway").map_err(undecodable)? {
        let mode = asked.text("Mode").map_err(undecodable)?;
        if !mode.is_empty() {
            gateway.insert("Mode".to_owned(), mode.into());
        }
    }
    body.insert("MeshGateway".to_owned(), gateway.into());
    let mut expose: BTreeMap<String, Value> =
        fields.values("Expose").map_err(undecodable)?.unwrap_or_default();
    complete_paths(&mut expose);
    body.insert("Expose".to_owned(), json!(expose));
    let meta = fields.text_map("Meta").map_err(undecodable)?;
    if !meta.is_empty() {
        body.insert("Meta".to_owned(), json!(meta));
    }
    let namespace = fields.text("Namespace").map_err(undecodable)?;
    if !namespace.is_empty() && namespace != "default" {
        return Err(bad(&format!("invalid namespace `{namespace}`: only `default` exists")));
    }
    for told in ["CreateIndex", "ModifyIndex"] {
        fields.integer(told).map_err(undecodable)?;
    }
    Ok(())
}

/// Consul tells of every exposed path whether it is a check's.
fn complete_paths(expose: &mut BTreeMap<String, Value>) {
    let lists = expose.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("Paths"));
    for path in lists.filter_map(|(_, paths)| paths.as_array_mut()).flatten().filter_map(Value::as_object_mut)
    {
        path.entry("ParsedFromCheck").or_insert(Value::Bool(false));
    }
}

fn bad(why: &str) -> ApiError {
    ApiError::bad(format!("Bad request: Request decoding failed: {why}"))
}

fn undecodable(error: ApiError) -> ApiError {
    let text = error.to_string();
    bad(text.strip_prefix("Request decode failed: ").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_defaults_are_told_with_every_field_consul_tells() {
        let entry = read(
            br#"{"kind":"service-defaults","Name":"web","protocol":"HTTP","mesh_gateway":{"mode":"local"}}"#,
        )
        .unwrap();
        assert_eq!(entry.id(), "service-defaults/web");
        let told = json!({"Kind":"service-defaults","Name":"web","Protocol":"http",
            "MeshGateway":{"Mode":"local"},"Expose":{}});
        assert_eq!(entry.body, told);
    }

    #[test]
    fn proxy_defaults_are_global_and_keep_their_settings_as_written() {
        let entry = read(br#"{"Kind":"proxy-defaults","Name":"x","Config":{"max_Conn":1}}"#).unwrap();
        assert_eq!(entry.id(), "proxy-defaults/global");
        assert_eq!(entry.body["Config"]["max_Conn"], 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, part) in [
            ("{}", "does not contain a kind/Kind key"),
            ("", "EOF"),
            (r#"{"Kind":"bogus"}"#, "invalid config entry kind: bogus"),
            (r#"{"Kind":"service-router","Name":"x"}"#, "service mesh"),
            (r#"{"Kind":"service-defaults"}"#, "serviceName is required"),
            (r#"{"Kind":"service-defaults","Name":"x","Zap":1}"#, r#"invalid config key "Zap""#),
        ] {
            let error = read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{body}: {error}");
        }
    }
}
