//! `/v1/catalog/register` and `deregister`: for registrars that look after nodes other than their own.
//!
//! Deviation: the agent's own node keeps its record, whatever somebody registers or deregisters for it, because
//! Consul's agent would put it back at once. A status that is none is told as it came, and counts as critical.

use std::sync::Arc;

use axum::{Router, body::Body, extract::State, response::Response, routing::put};
use wharf_catalog::{
    ApplyError, Check, CheckStatusOnPut, Command, CommitError, Instance, Node, Rejected, State as Snapshot,
};

use crate::{
    Api, body,
    error::ApiError,
    fields::{Fields, Spelling},
    lookup,
    query::Params,
    respond,
    routing::exact,
    wire::{
        definition::{Teller, instance_fault, meta_fault, node_id_fault, read_instance, refuse_namespaces},
        told_definition::{self, told_status},
    },
};

pub(crate) fn routes() -> Router<Api> {
    let router = exact(Router::new(), "/v1/catalog/register", "OPTIONS,PUT", put(register));
    exact(router, "/v1/catalog/deregister", "OPTIONS,PUT", put(deregister))
}

/// What a registration says, before it is known to fit the catalog.
struct Registration {
    datacenter: String,
    node: Node,
    skip_node_update: bool,
    service: Option<Instance>,
    checks: Vec<CheckEntry>,
}

/// A check with the names it goes by.
struct CheckEntry {
    node: String,
    check: Check,
}

async fn register(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    let registration = Registration::read(Fields::parse(&body, Spelling::AnyCase)?)?;
    params.check_datacenter(&api.config, false)?;
    check_datacenter(&registration.datacenter, &api)?;
    let commands = registration.commands(&api.catalog.snapshot(), &api.config.node_name)?;
    api.catalog.commit(commands).await.map_err(in_consuls_words)?;
    Ok(respond::json(params.pretty(), &true))
}

fn in_consuls_words(error: CommitError) -> ApiError {
    match error {
        CommitError::Rejected(Rejected { error: ApplyError::NoInstance { node, .. }, .. }) => {
            refused(&format!("failed inserting check: Missing service registration on node \"{node}\""))
        }
        CommitError::Rejected(Rejected { error: ApplyError::NoNode(_), .. }) => {
            refused("Missing node registration")
        }
        other => other.into(),
    }
}

impl Registration {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let (name, address) = (fields.text("Node")?, fields.text("Address")?);
        let node = Node {
            id: fields.text("ID")?,
            tagged_addresses: fields.text_map("TaggedAddresses")?,
            meta: fields.text_map("NodeMeta")?,
            ..Node::new(name, address)
        };
        let datacenter = fields.text("Datacenter")?;
        let skip_node_update = fields.flag("SkipNodeUpdate")?;
        let service =
            fields.object("Service")?.map(|service| read_service(service, &node.name)).transpose()?;
        let one = fields.object("Check")?;
        let checks = one
            .into_iter()
            .chain(fields.objects("Checks")?)
            .map(|check| read_check(check, &node.name))
            .collect::<Result<_, _>>()?;
        ignore_request_fields(&mut fields)?;
        fields.finish()?;
        Ok(Self { datacenter, node, skip_node_update, service, checks })
    }

    /// One commit for all of it. A node is known by its id or else by its name, and takes the name given.
    fn commands(self, state: &Snapshot, own_node: &Arc<str>) -> Result<Vec<Command>, ApiError> {
        let Self { node, skip_node_update, service, checks, .. } = self;
        if node.name.is_empty() {
            return Err(refused("Must provide node"));
        }
        if node.address.is_empty() && !skip_node_update {
            return Err(refused("Must provide address if SkipNodeUpdate is not set"));
        }
        if let Some(fault) = node_id_fault(&node.id) {
            return Err(refused(&fault));
        }
        let asked = node.name.clone();
        let known = lookup::registered(state, &node);
        let own = known.is_some_and(|known| known.name == *own_node);
        let stays = skip_node_update || own;
        let name = known.filter(|_| stays).map_or_else(|| node.name.clone(), |known| known.name.clone());
        let mut commands = Vec::new();
        if !stays {
            commands.extend(known.map(|known| Command::RenameNode(known.name.clone(), name.clone())));
            commands.push(Command::PutNode(node));
        }
        for CheckEntry { node, .. } in &checks {
            if *node != *asked {
                return Err(refused(&format!("check node \"{node}\" does not match node \"{asked}\"")));
            }
        }
        commands
            .extend(service.map(|service| Command::PutInstance(Instance { node: name.clone(), ..service })));
        commands.extend(checks.into_iter().map(|CheckEntry { check, .. }| {
            let node = name.clone();
            Command::PutCheck(Check { node, ..check }, CheckStatusOnPut::Set)
        }));
        Ok(commands)
    }
}

fn read_service(mut fields: Fields, node: &Arc<str>) -> Result<Instance, ApiError> {
    let (id, name) = (fields.text("ID")?, fields.text("Service")?);
    let instance = read_instance(&mut fields, node, Teller::Registrar)?;
    ignore_request_fields(&mut fields)?;
    fields.finish()?;
    if name.is_empty() {
        let why =
            if id.is_empty() { "Must provide service name" } else { "Must provide service name with ID" };
        return Err(refused(why));
    }
    let id = if id.is_empty() { name.clone() } else { id };
    if let Some(fault) = instance_fault(&instance) {
        return Err(refused(&fault));
    }
    if let Some(fault) = meta_fault(&instance.meta) {
        return Err(refused(&format!(
            "failed inserting service: Invalid Service Meta for node {node} and serviceID {id}: {fault}"
        )));
    }
    Ok(Instance { id: id.into(), name: name.into(), ..instance })
}

fn read_check(mut fields: Fields, node: &Arc<str>) -> Result<CheckEntry, ApiError> {
    let (id, name, on) = (fields.text("CheckID")?, fields.text("Name")?, fields.text("Node")?);
    let (status, service) = (fields.text("Status")?, fields.text("ServiceID")?);
    let id = if id.is_empty() { name.clone() } else { id };
    let (status, odd_status) = told_status(status);
    let definition = told_definition::read(&mut fields)?;
    let type_label = match fields.text("Type")? {
        label if label.is_empty() => told_definition::label(&definition).to_owned(),
        label => label,
    };
    let check = Check {
        status,
        odd_status,
        notes: fields.text("Notes")?,
        output: fields.text("Output")?,
        type_label,
        definition,
        instance: (!service.is_empty()).then(|| service.into()),
        ..Check::new(node.clone(), id, name)
    };
    // Told by the catalog, not to it.
    fields.text("ServiceName")?;
    fields.texts("ServiceTags")?;
    ignore_request_fields(&mut fields)?;
    fields.finish()?;
    if check.id.is_empty() {
        return Err(refused("Must provide a name or id for the check"));
    }
    let node = if on.is_empty() { node.to_string() } else { on };
    Ok(CheckEntry { node, check })
}

/// Fields clients echo from what they read, or send on the way to a namespace there is not.
fn ignore_request_fields(fields: &mut Fields) -> Result<(), ApiError> {
    for name in ["CreateIndex", "ModifyIndex"] {
        fields.integer(name)?;
    }
    fields.text("Token")?;
    refuse_namespaces(fields)
}

/// Removes a service, else a check, else the node.
async fn deregister(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    let mut fields = Fields::parse(&body, Spelling::AnyCase)?;
    let (node, datacenter) = (fields.text("Node")?, fields.text("Datacenter")?);
    let (service, check) = (fields.text("ServiceID")?, fields.text("CheckID")?);
    fields.text("Address")?;
    ignore_request_fields(&mut fields)?;
    fields.finish()?;
    params.check_datacenter(&api.config, false)?;
    check_datacenter(&datacenter, &api)?;
    if node.is_empty() {
        return Err(refused("Must provide node"));
    }
    let state = api.catalog.snapshot();
    let known = lookup::node(&state, &node);
    let node = known.map_or_else(|| node.as_str().into(), |known| known.name.clone());
    let command = match (service.as_str(), check.as_str()) {
        ("", "") if node == api.config.node_name => None,
        ("", "") => Some(Command::DeleteNode(node)),
        ("", check) => Some(Command::DeleteCheck(node, check.into())),
        (service, _) => Some(Command::WithdrawInstance(node, service.into())),
    };
    api.catalog.commit(command.into_iter().collect()).await?;
    Ok(respond::json(params.pretty(), &true))
}

fn check_datacenter(asked: &str, api: &Api) -> Result<(), ApiError> {
    if asked.is_empty() || asked == api.config.datacenter {
        return Ok(());
    }
    Err(ApiError::NoDatacenter { indexed: false })
}

fn refused(text: &str) -> ApiError {
    ApiError::Refused(text.to_owned())
}
