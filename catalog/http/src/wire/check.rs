//! Checks: in the catalog, in this agent, and in the agent's local health.

use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};
use wharf_catalog::{Check, Index, check::ToldDefinition};

/// A check as `health/*` and `agent/checks` show it. Consul tells there what registrars said their checks ask,
/// never what an agent's check asks.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckView<'a> {
    node: &'a str,
    #[serde(rename = "CheckID")]
    check_id: &'a str,
    name: &'a str,
    status: &'a str,
    notes: &'a str,
    output: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: Option<&'a [String]>,
    #[serde(rename = "Type")]
    kind: &'a str,
    definition: Told<'a>,
    create_index: Index,
    modify_index: Index,
}

/// What a registrar said it asks, or `{}`.
struct Told<'a>(Option<&'a ToldDefinition>);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(ToldDefinition(told)) => told.serialize(serializer),
            None => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl<'a> CheckView<'a> {
    /// In the catalog.
    pub(crate) fn new(check: &'a Check) -> Self {
        Self {
            node: &check.node,
            check_id: &check.id,
            name: &check.name,
            status: check.status_word(),
            notes: &check.notes,
            output: &check.output,
            service_id: check.instance.as_deref().unwrap_or_default(),
            service_name: &check.service,
            service_tags: Some(&check.service_tags),
            kind: &check.type_label,
            definition: Told(check.definition.as_deref()),
            create_index: check.created,
            modify_index: check.modified,
        }
    }

    /// In this agent, which knows of no indexes.
    pub(crate) fn local(check: &'a Check) -> Self {
        Self { create_index: Index(0), modify_index: Index(0), ..Self::new(check) }
    }

    /// In a transaction's results, which say `null` for no tags.
    pub(crate) fn null_for_no_tags(self) -> Self {
        Self { service_tags: self.service_tags.filter(|tags| !tags.is_empty()), ..self }
    }

    /// For lists of them.
    pub(crate) fn of(check: &'a Arc<Check>) -> Self {
        Self::new(check)
    }
}

/// A check in `agent/health/service`, where Consul writes another shape of the same.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LocalHealthCheckView<'a> {
    node: &'a str,
    #[serde(rename = "CheckID")]
    check_id: &'a str,
    name: &'a str,
    status: &'a str,
    notes: &'a str,
    output: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: Option<&'a [String]>,
    #[serde(rename = "Type")]
    kind: &'a str,
    definition: BlankDefinition,
    create_index: Index,
    modify_index: Index,
}

/// What that shape says instead of a definition.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BlankDefinition {
    interval: &'static str,
    timeout: &'static str,
    deregister_critical_service_after: &'static str,
    #[serde(rename = "HTTP")]
    http: &'static str,
    header: Option<()>,
    method: &'static str,
    body: &'static str,
    #[serde(rename = "TLSSkipVerify")]
    tls_skip_verify: bool,
    #[serde(rename = "TCP")]
    tcp: &'static str,
}

impl<'a> From<&'a Arc<Check>> for LocalHealthCheckView<'a> {
    fn from(check: &'a Arc<Check>) -> Self {
        Self {
            node: &check.node,
            check_id: &check.id,
            name: &check.name,
            status: check.status_word(),
            notes: &check.notes,
            output: &check.output,
            service_id: check.instance.as_deref().unwrap_or_default(),
            service_name: &check.service,
            service_tags: (!check.service_tags.is_empty()).then_some(check.service_tags.as_slice()),
            kind: "",
            definition: BlankDefinition {
                interval: "0s",
                timeout: "0s",
                deregister_critical_service_after: "0s",
                http: "",
                header: None,
                method: "",
                body: "",
                tls_skip_verify: false,
                tcp: "",
            },
            create_index: Index(0),
            modify_index: Index(0),
        }
    }
}
