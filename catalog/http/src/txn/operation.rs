//! The operations of a transaction as clients write them: read from the body, not yet checked against
//! anything. Source of the shapes: Consul API, `/v1/txn`.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use wharf_catalog::{Check, Index, Instance, Node};

use crate::{
    error::ApiError,
    fields::{Fields, Spelling, undecodable},
    wire::{
        definition::{Teller, read_instance, refuse_namespaces},
        told_definition::{self, told_status},
    },
};

type Result<T> = std::result::Result<T, ApiError>;

/// One operation; `None` for one that says nothing, which Consul passes over.
pub(super) type Given = Option<Operation>;

/// One operation and its verb.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) verb: String,
    pub(super) subject: Subject,
}

/// What an operation is about.
#[derive(Debug)]
pub(super) enum Subject {
    Key(KeyOperation),
    /// The node as it shall be, and the index it is expected at.
    Node(Node, Index),
    /// The instance as it shall be, and the index it is expected at.
    Service(Instance, Index),
    /// The check as it shall be, and the index it is expected at.
    Check(Box<Check>, Index),
}

/// An operation on a key.
#[derive(Debug)]
pub(super) struct KeyOperation {
    pub(super) key: Arc<str>,
    pub(super) value: Arc<[u8]>,
    pub(super) flags: u64,
    pub(super) index: Index,
    pub(super) session: String,
}

/// Reads the body of a transaction.
pub(super) fn read_all(body: &[u8]) -> Result<Vec<Given>> {
    Fields::parse_list(body, Spelling::AnyCase)?.into_iter().map(read_one).collect()
}

fn read_one(mut fields: Fields) -> Result<Given> {
    let (key, node) = (fields.object("KV")?, fields.object("Node")?);
    let (service, check) = (fields.object("Service")?, fields.object("Check")?);
    fields.finish()?;
    let read = key
        .map(read_key)
        .or_else(|| node.map(read_node))
        .or_else(|| service.map(read_service))
        .or_else(|| check.map(read_check));
    read.transpose()
}

fn read_key(mut fields: Fields) -> Result<Operation> {
    let verb = fields.text("Verb")?;
    let value = STANDARD
        .decode(fields.text("Value")?)
        .map_err(|why| undecodable(&format!("`Value` is no base64: {why}")))?;
    let operation = KeyOperation {
        key: fields.text("Key")?.into(),
        value: value.into(),
        flags: fields.unsigned("Flags")?,
        index: Index(fields.unsigned("Index")?),
        session: fields.text("Session")?,
    };
    refuse_namespaces(&mut fields)?;
    fields.finish()?;
    Ok(Operation { verb, subject: Subject::Key(operation) })
}

fn read_node(mut fields: Fields) -> Result<Operation> {
    let verb = fields.text("Verb")?;
    let mut inner = nested(fields, "Node")?;
    let node = Node {
        id: inner.text("ID")?,
        tagged_addresses: inner.text_map("TaggedAddresses")?,
        meta: inner.text_map("Meta")?,
        ..Node::new(inner.text("Node")?, inner.text("Address")?)
    };
    inner.text("Datacenter")?;
    let index = expected(inner)?;
    Ok(Operation { verb, subject: Subject::Node(node, index) })
}

fn read_service(mut fields: Fields) -> Result<Operation> {
    let (verb, node) = (fields.text("Verb")?, fields.text("Node")?);
    let mut inner = nested(fields, "Service")?;
    let instance = read_instance(&mut inner, &node.into(), Teller::Registrar)?;
    let instance = Instance { id: inner.text("ID")?.into(), name: inner.text("Service")?.into(), ..instance };
    for told in ["ContentHash", "Datacenter"] {
        inner.text(told)?;
    }
    let index = expected(inner)?;
    Ok(Operation { verb, subject: Subject::Service(instance, index) })
}

fn read_check(mut fields: Fields) -> Result<Operation> {
    let verb = fields.text("Verb")?;
    let mut inner = nested(fields, "Check")?;
    let (id, name, service) = (inner.text("CheckID")?, inner.text("Name")?, inner.text("ServiceID")?);
    let (status, odd_status) = told_status(inner.text("Status")?);
    let definition = told_definition::read(&mut inner)?;
    let check = Check {
        status,
        odd_status,
        definition,
        notes: inner.text("Notes")?,
        output: inner.text("Output")?,
        type_label: inner.text("Type")?,
        instance: (!service.is_empty()).then(|| service.into()),
        ..Check::new(inner.text("Node")?, if id.is_empty() { name.clone() } else { id }, name)
    };
    // Told by the catalog, not to it.
    inner.text("ServiceName")?;
    inner.given_texts("ServiceTags")?;
    let index = expected(inner)?;
    Ok(Operation { verb, subject: Subject::Check(Box::new(check), index) })
}

fn nested(mut fields: Fields, name: &str) -> Result<Fields> {
    let inner = match fields.object(name)? {
        Some(inner) => inner,
        None => Fields::parse(b"{}", Spelling::AnyCase)?,
    };
    fields.finish()?;
    Ok(inner)
}

/// The last fields of every record; its `ModifyIndex`.
fn expected(mut fields: Fields) -> Result<Index> {
    let index = Index(fields.unsigned("ModifyIndex")?);
    fields.unsigned("CreateIndex")?;
    refuse_namespaces(&mut fields)?;
    fields.finish()?;
    Ok(index)
}
