//! `/v1/txn`: several operations on keys, nodes, services and checks, all or none, in one commit.
//!
//! `operation` reads them, `plan` says what they ask of the catalog; here they are carried out: by the
//! catalog's writer, or, when nothing is to be written, on a snapshot.

mod operation;
mod plan;

use axum::{Router, body::Body, extract::State, response::Response, routing::put};
use http::{HeaderValue, StatusCode};
use wharf_catalog::{CommitError, Rejected, Reply, apply::apply};

use crate::{
    Api, body,
    error::ApiError,
    query::Params,
    respond,
    routing::exact,
    wire::txn::{OperationError, READ_META, ResultView, TxnView},
};
use operation::{Given, Subject};
use plan::{Plan, Step, Tells};

/// Most operations in one transaction.
const MOST: usize = 64;

pub(crate) fn routes() -> Router<Api> {
    exact(Router::new(), "/v1/txn", "OPTIONS,PUT", put(transact))
}

async fn transact(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.txn_max_body_size).await?;
    let operations = operation::read_all(&body).map_err(in_consuls_words)?;
    check_limits(&operations, api.config.kv_max_value_size)?;
    let plan = plan::plan(&api.catalog.snapshot(), &api.config.node_name, &operations);
    // Refuses contradictions; what is asked for makes no difference: there is one server.
    let as_read = if plan.writes {
        params.check_datacenter(&api.config, false)
    } else {
        params.kv_read(&api.config).map(drop)
    };
    as_read?;
    let Plan { steps, refused, impossible, writes } = plan;
    let outcome = match () {
        () if !refused.is_empty() => Err(refused),
        () if !impossible.is_empty() => Err(with_the_rest(&api, &operations, &steps, impossible)),
        () if writes => write(&api, &operations, &steps).await?,
        () => attempt(&api, &operations, &steps),
    };
    Ok(answer(&api, &params, writes, &steps, outcome))
}

/// Consul begins otherwise here.
fn in_consuls_words(error: ApiError) -> ApiError {
    match error {
        ApiError::BadRequest(text) => match text.strip_prefix("Request decode failed: ") {
            Some(why) => ApiError::BadRequest(format!("Failed to parse body: {why}")),
            None => ApiError::BadRequest(text),
        },
        other => other,
    }
}

fn check_limits(operations: &[Given], value_limit: usize) -> Result<(), ApiError> {
    let count = operations.len();
    if count > MOST {
        return Err(ApiError::TooLarge(format!(
            "Transaction contains too many operations ({count} > {MOST})"
        )));
    }
    for operation in operations.iter().flatten() {
        let Subject::Key(key) = &operation.subject else { continue };
        let (name, size) = (&key.key, key.value.len());
        if size > value_limit {
            return Err(ApiError::TooLarge(format!(
                "Value for key {name:?} is too large ({size} > {value_limit} bytes)"
            )));
        }
    }
    Ok(())
}

/// The replies to every step, or why some failed.
type Outcome = Result<Vec<Reply>, Vec<OperationError>>;

async fn write(api: &Api, operations: &[Given], steps: &[Step]) -> Result<Outcome, ApiError> {
    let commands = steps.iter().map(|step| step.command.clone()).collect();
    let refused = match api.catalog.commit(commands).await {
        Ok(committed) => return Ok(Ok(committed.replies)),
        Err(CommitError::Rejected(why)) => why,
        Err(error) => return Err(error.into()),
    };
    // The writer stops at the first failure; trying again on a snapshot finds the others, and may not
    // find that one if somebody was quick.
    let errors = attempt(api, operations, steps).err();
    Ok(Err(errors.unwrap_or_else(|| step_error(operations, steps, &refused).into_iter().collect())))
}

/// Tries every operation on a snapshot, as if those that fail were not there. Nothing is kept.
fn attempt(api: &Api, operations: &[Given], steps: &[Step]) -> Outcome {
    let mut state = api.catalog.snapshot().as_ref().clone();
    let (index, now) = (state.index().next(), api.clock.now());
    let (mut replies, mut errors) = (Vec::new(), Vec::new());
    for steps in steps.chunk_by(|one, next| one.operation == next.operation) {
        let commands: Vec<_> = steps.iter().map(|step| step.command.clone()).collect();
        match apply(&state, index, now, &commands) {
            Ok(applied) => {
                state = applied.state;
                replies.extend(applied.replies);
            }
            Err(why) => errors.extend(step_error(operations, steps, &why)),
        }
    }
    if errors.is_empty() { Ok(replies) } else { Err(errors) }
}

/// An operation that cannot be done does not hide what is wrong with the others.
fn with_the_rest(
    api: &Api,
    operations: &[Given],
    steps: &[Step],
    mut impossible: Vec<OperationError>,
) -> Vec<OperationError> {
    impossible.extend(attempt(api, operations, steps).err().into_iter().flatten());
    impossible.sort();
    impossible
}

fn step_error(operations: &[Given], steps: &[Step], why: &Rejected) -> Option<OperationError> {
    let op_index = steps.get(why.at)?.operation;
    let operation = operations.get(op_index)?.as_ref()?;
    Some(OperationError { op_index, what: operation.why(&why.error) })
}

fn answer(api: &Api, params: &Params, writes: bool, steps: &[Step], outcome: Outcome) -> Response {
    let read = (!writes).then_some(READ_META);
    let mut response = match outcome {
        Ok(replies) => {
            let told = steps.iter().zip(&replies).filter(|(step, _)| step.tells != Tells::Nothing);
            let results = told.flat_map(|(step, reply)| {
                ResultView::all(reply, step.tells == Tells::Everything, &api.config.datacenter)
            });
            let view = TxnView { results: Some(results.collect()), errors: None, read };
            respond::json(params.pretty(), &view)
        }
        Err(errors) => {
            let view = TxnView { results: None, errors: Some(errors), read };
            respond::json_with(StatusCode::CONFLICT, params.pretty(), &view)
        }
    };
    if !writes {
        respond::set(&mut response, respond::KNOWN_LEADER, HeaderValue::from_static("true"));
        respond::set(&mut response, respond::LAST_CONTACT, HeaderValue::from_static("0"));
    }
    response
}
