//! `agent/service`: register, deregister, read one.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use axum::{body::Body, extract::State, response::Response};
use http::HeaderValue;
use tokio::time::Instant;
use wharf_catalog::{Check, CheckStatusOnPut, Command, Index, Instance, State as Snapshot, Topic};

use super::local;
use crate::{
    Api, body,
    error::ApiError,
    fields::{Fields, Spelling},
    query::Params,
    respond,
    routing::Rest,
    wire::{check_definition, definition::ServiceDefinition, service::AgentServiceView},
};

/// Registers a service with its checks, all or nothing. Checks that exist keep what they last said;
/// with `replace-existing-checks` those not mentioned go.
pub(super) async fn register(
    State(api): State<Api>,
    params: Params,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    let fields = Fields::parse(&body, Spelling::Snake)?;
    let definition = ServiceDefinition::read(fields, &api.config.node_name)?;
    definition.checks.iter().try_for_each(|check| check_definition::refuse_scripts(check, &api.config))?;
    if local::is_own(&definition.instance.id) {
        return Err(ApiError::bad(format!(
            "service id `{}` is this agent's own: use another",
            definition.instance.id
        )));
    }
    let state = api.catalog.snapshot();
    // Consul knows no other way to say yes here.
    let replace = params.first("replace-existing-checks").is_some_and(|it| ["", "true"].contains(&it));
    let commands = commands(&state, definition, replace);
    api.catalog.commit(commands).await?;
    Ok(respond::nothing())
}

fn commands(state: &Snapshot, definition: ServiceDefinition, replace: bool) -> Vec<Command> {
    let ServiceDefinition { instance, checks } = definition;
    let mut commands = Vec::with_capacity(1 + checks.len());
    if replace {
        commands.extend(dropped(state, &instance, &checks));
    }
    commands.push(Command::PutInstance(instance));
    commands.extend(checks.into_iter().map(|check| put_check(state, check)));
    commands
}

/// The instance's checks that are not among `kept`. Maintenance stays, unlike in Consul: to register
/// again must not put what is being drained back into rotation.
fn dropped(state: &Snapshot, instance: &Instance, kept: &[Check]) -> Vec<Command> {
    state
        .checks_of(&instance.node, &instance.id)
        .iter()
        .filter(|check| !check.is_maintenance() && kept.iter().all(|kept| kept.id != check.id))
        .map(|check| Command::DeleteCheck(check.node.clone(), check.id.clone()))
        .collect()
}

/// A check that was there before keeps what it last said, also when it now asks something else: its
/// next run tells.
pub(super) fn put_check(state: &Snapshot, mut check: Check) -> Command {
    if let Some(old) = state.check(&check.node, &check.id) {
        (check.status, check.output) = (old.status, old.output.clone());
    }
    Command::PutCheck(check, CheckStatusOnPut::Keep)
}

/// Removes a service; an unknown one is no error, as Consul up to 1.9 has it.
pub(super) async fn deregister(State(api): State<Api>, Rest(id): Rest) -> Result<Response, ApiError> {
    if id.is_empty() {
        return Err(ApiError::Refused("ServiceID missing".to_owned()));
    }
    if !local::is_own(&id) {
        let delete = Command::WithdrawInstance(api.config.node_name.clone(), id.into());
        api.catalog.commit(vec![delete]).await?;
    }
    Ok(respond::nothing())
}

/// One service; with `hash` it waits until the service looks different.
pub(super) async fn one(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let Rest(id) = rest;
    let (known, wait) = (params.first("hash").unwrap_or_default(), params.wait()?);
    let topic = Topic::Node(api.config.node_name.clone());
    let until = Instant::now() + wait;
    let mut state = api.catalog.snapshot();
    loop {
        let instance = find(&state, &api, &id)?;
        let hash = content_hash(&instance);
        let left = until.saturating_duration_since(Instant::now());
        if known != hash || left.is_zero() {
            return Ok(show(&api, &instance, &hash, params.pretty()));
        }
        let seen: Index = state.index_of(&topic);
        state = api.catalog.changed_within(&topic, seen, left).await;
    }
}

fn find(state: &Snapshot, api: &Api, id: &str) -> Result<Arc<Instance>, ApiError> {
    local::instance(state, api, id)
        .cloned()
        .ok_or_else(|| ApiError::NotFound(format!("unknown service ID: {id}")))
}

/// The same for what looks the same, whatever commit it is from.
fn content_hash(instance: &Instance) -> String {
    let mut hasher = DefaultHasher::new();
    let Instance {
        id,
        name,
        tags,
        address,
        port,
        meta,
        kind,
        enable_tag_override,
        weights,
        tagged_addresses,
        proxy,
        mesh_native,
        odd_port,
        ..
    } = instance;
    (id, name, tags, address, port, meta, kind, enable_tag_override).hash(&mut hasher);
    (weights.passing, weights.warning, odd_port, mesh_native).hash(&mut hasher);
    // Its record is maps and texts throughout, which always have a JSON form.
    serde_json::to_string(proxy).unwrap_or_default().hash(&mut hasher);
    for (label, tagged) in tagged_addresses {
        (label, &tagged.address, tagged.port).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn show(api: &Api, instance: &Instance, hash: &str, pretty: bool) -> Response {
    let mut view = AgentServiceView::new(instance, &api.config.datacenter);
    view.content_hash = Some(hash);
    let mut response = respond::json(pretty, &view);
    if let Ok(hash) = HeaderValue::from_str(hash) {
        respond::set(&mut response, respond::CONTENT_HASH, hash);
    }
    response
}
