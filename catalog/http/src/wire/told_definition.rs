//! Checks as registrars tell them to the catalog: what they ask is kept and told back, and run by nobody here.
//!
//! Source of the shape: `Definition` of Consul's health checks. Names nobody knows are passed over, as Consul does.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_catalog::{Status, check::ToldDefinition};

use crate::{duration, error::ApiError, fields::Fields};

const TEXTS: [&str; 8] = ["HTTP", "Method", "Body", "TCP", "UDP", "GRPC", "H2PING", "TLSServerName"];
const FLAGS: [&str; 3] = ["TLSSkipVerify", "GRPCUseTLS", "H2PingUseTLS"];
const SPANS: [&str; 3] = ["Interval", "Timeout", "DeregisterCriticalServiceAfter"];

/// Reads `Definition` of a check, as it is told: without what is empty, durations as Go writes them.
pub(crate) fn read(fields: &mut Fields) -> Result<Option<Box<ToldDefinition>>, ApiError> {
    let Some(mut given) = fields.object("Definition")? else { return Ok(None) };
    let mut told = BTreeMap::new();
    for name in TEXTS {
        let text = given.text(name)?;
        if !text.is_empty() {
            told.insert(name.to_owned(), Value::String(text));
        }
    }
    for name in FLAGS {
        if given.flag(name)? {
            told.insert(name.to_owned(), Value::Bool(true));
        }
    }
    for name in SPANS {
        let length = given.duration(name)?;
        if !length.is_zero() {
            let nanoseconds = i64::try_from(length.as_nanos()).unwrap_or(i64::MAX);
            told.insert(name.to_owned(), Value::String(duration::text(nanoseconds)));
        }
    }
    let header = given.texts_map("Header")?;
    if !header.is_empty() {
        told.insert("Header".to_owned(), json!(header));
    }
    Ok((!told.is_empty()).then(|| Box::new(ToldDefinition(told))))
}

/// The `Type` of a check that does not say it itself: what it asks, if it is asked at intervals.
pub(crate) fn label(definition: &Option<Box<ToldDefinition>>) -> &'static str {
    let Some(ToldDefinition(told)) = definition.as_deref() else { return "" };
    let kinds = [("HTTP", "http"), ("TCP", "tcp"), ("UDP", "udp"), ("GRPC", "grpc"), ("H2PING", "h2ping")];
    let asked = kinds.into_iter().find(|(name, _)| told.contains_key(*name));
    asked.filter(|_| told.contains_key("Interval")).map_or("", |(_, label)| label)
}

/// A status as somebody wrote it: a word that is none is told back as it came, and counts as critical.
pub(crate) fn told_status(word: String) -> (Status, Option<String>) {
    match word.parse() {
        Ok(status) => (status, None),
        Err(_) => (Status::Critical, (!word.is_empty()).then_some(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Spelling;

    fn told(definition: &str) -> Result<(Value, &'static str), ApiError> {
        let body = format!(r#"{{"Definition":{definition}}}"#);
        let told = read(&mut Fields::parse(body.as_bytes(), Spelling::AnyCase)?)?;
        let label = label(&told);
        Ok((told.map_or(json!({}), |it| json!(it.0)), label))
    }

    #[test]
    fn what_was_said_is_told_and_what_is_empty_is_not() {
        let (definition, label) = told(
            r#"{"http":"http://x/","Method":"","Interval":10000000000,"Timeout":"90s","Header":{"A":["b"]},
                "TLSSkipVerify":true,"Bogus":1,"DeregisterCriticalServiceAfter":"0s"}"#,
        )
        .unwrap();
        let expected = json!({"HTTP":"http://x/","Interval":"10s","Timeout":"1m30s","Header":{"A":["b"]},
            "TLSSkipVerify":true});
        assert_eq!((definition, label), (expected, "http"));
        assert_eq!(told("{}").unwrap(), (json!({}), ""));
        assert_eq!(told("null").unwrap().1, "");
        assert_eq!(told(r#"{"TCP":"x:1"}"#).unwrap().1, "", "asked how often?");
        assert!(told(r#"{"Interval":"often"}"#).is_err());
    }
}
