//! `/wharf/v1/oncall`: who is on call, by which configuration, and what people change about that.

mod amendments;
mod calendar;
mod config;
mod duty;
mod maintenance;
mod messages;
mod shown;
mod silences;

use axum::{
    Router,
    routing::{delete, get, post, put},
};
use wharf_pager::plan::KINDS;

use crate::Api;

pub(crate) fn routes() -> Router<Api> {
    let routes = Router::new()
        .route("/wharf/v1/oncall/now", get(duty::now))
        .route("/wharf/v1/oncall/who", get(duty::who))
        .route("/wharf/v1/oncall/schedule", get(duty::schedule))
        .route("/wharf/v1/oncall/calendar/{kind}/{file}", get(calendar::feed))
        .route("/wharf/v1/oncall/config", get(config::all))
        .route("/wharf/v1/oncall/check", post(config::check))
        .route("/wharf/v1/oncall/overrides", post(amendments::stand_in))
        .route("/wharf/v1/oncall/swaps", post(amendments::swap))
        .route("/wharf/v1/oncall/amendments/{id}", delete(amendments::remove))
        .route("/wharf/v1/oncall/silences", get(silences::list).post(silences::make))
        .route("/wharf/v1/oncall/silences/{id}", delete(silences::take_back))
        .route("/wharf/v1/oncall/maintenance", get(maintenance::list))
        .route("/wharf/v1/oncall/maintenance/{id}", put(maintenance::make).delete(maintenance::take_back))
        .route("/wharf/v1/oncall/test/{user}", post(messages::test))
        .route("/wharf/v1/oncall/deliveries", get(messages::deliveries));
    KINDS.into_iter().fold(routes, |routes, kind| {
        let make = move |api, name, by, body| config::make(kind, api, name, by, body);
        let remove = move |api, name, by| config::remove(kind, api, name, by);
        routes.route(&format!("/wharf/v1/oncall/{kind}/{{name}}"), put(make).delete(remove))
    })
}
