//! `/v1/status`: who leads? There is one server, and it does.

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{Api, error::ApiError, query::Params, respond, routing::exact};

pub(crate) fn routes() -> Router<Api> {
    let router = exact(Router::new(), "/v1/status/leader", "OPTIONS,GET", get(leader));
    exact(router, "/v1/status/peers", "OPTIONS,GET", get(peers))
}

async fn leader(State(api): State<Api>, params: Params) -> Response {
    local(&api, &params, |params| respond::json(params.pretty(), &api.config.server_address()))
}

async fn peers(State(api): State<Api>, params: Params) -> Response {
    local(&api, &params, |params| respond::json(params.pretty(), &[api.config.server_address()]))
}

fn local(api: &Api, params: &Params, answer: impl FnOnce(&Params) -> Response) -> Response {
    match params.check_local(&api.config) {
        Ok(()) => answer(params),
        Err(error) => ApiError::into_response(error),
    }
}
