//! Calendars to subscribe to: an address with a token, as calendars can send nothing else.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    response::IntoResponse,
};
use http::header;
use serde::Deserialize;
use wharf_oncall::{calendar, civil};

use crate::{
    Api,
    answer::{Answer, Failure},
    request::Query,
};

const PAST: Duration = Duration::from_secs(31 * 86_400);
const FUTURE: Duration = Duration::from_secs(370 * 86_400);

/// Where the calendar of a `rotation` or a `user` is.
pub(super) fn address(api: &Api, kind: &str, name: &str) -> String {
    let token = api.pager.signer().calendar(kind, name);
    format!("/wharf/v1/oncall/calendar/{kind}/{name}.ics?token={token}")
}

#[derive(Deserialize)]
pub(super) struct Token {
    #[serde(default)]
    token: String,
}

pub(super) async fn feed(
    State(api): State<Api>,
    Path((kind, file)): Path<(String, String)>,
    Query(Token { token }): Query<Token>,
) -> Answer {
    let unknown =
        || Failure::unknown("no such calendar, or another token; copy its address from wharf again");
    let name = file.strip_suffix(".ics").unwrap_or(&file);
    if !api.pager.signer().is_calendar(&kind, name, &token) {
        return Err(unknown());
    }
    let (picture, now) = (api.pager.picture(), api.now());
    let window = (civil::before(now, PAST), civil::after(now, FUTURE));
    let (plan, amendments) = (&picture.plan, &picture.state.amendments);
    let text = match kind.as_str() {
        "rotation" => calendar::of_rotation(plan, amendments, name, window, now),
        "user" => calendar::of_user(plan, amendments, name, window, now),
        _ => None,
    };
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    Ok((headers, text.ok_or_else(unknown)?).into_response())
}
