//! Signed links: `GET` shows the incident and a button, and only the button's `POST` takes it. What follows links by
//! itself (mail scanners, previews in chats) takes nothing.
//!
//! Whoever has a link may do the one thing it is for; it is no less, and asks for nothing else.

mod page;

use std::sync::LazyLock;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, StatusCode, header};
use sha2::{Digest, Sha256};
use wharf_oncall::{Action, Input};
use wharf_pager::{
    Refusal,
    journal::IncidentRow,
    links::{Acknowledgement, TokenError},
};

use crate::Api;
use page::{Page, STYLE};

/// Nothing but our own style, named by its digest; the form goes here only; nobody may frame it.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/wharf/v1/ack/{token}", get(show).post(take))
}

async fn show(State(api): State<Api>, Path(token): Path<String>) -> Response {
    match read(&api, &token).await {
        Ok((link, row)) => html(StatusCode::OK, &Page::of(&api, &link, &row, "")),
        Err(response) => response,
    }
}

async fn take(State(api): State<Api>, Path(token): Path<String>, form: Bytes) -> Response {
    let calls = is_call(&form);
    let (link, row) = match read(&api, &token).await {
        Ok(read) => read,
        Err(_) if calls => return said("This page is too old. Please open the incident instead."),
        Err(response) => return response,
    };
    let action = Action::Acknowledge { note: "by the link of a page".to_owned() };
    let kept = api.pager.say(Input::Act { incident: link.incident, by: link.user.clone(), action }).await;
    match kept {
        Ok(()) if calls => said("Acknowledged. Thank you."),
        Err(Refusal::Wrong(_)) if calls => said("Somebody else has it already, or it is over."),
        Err(_) if calls => said("It could not be acknowledged. You will be called again."),
        // Loading it again shows how things stand and acts no more. Who was too late sees who was quicker.
        Ok(()) | Err(Refusal::Wrong(_)) => {
            (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/wharf/v1/ack/{token}"))], headers())
                .into_response()
        }
        Err(refusal) => {
            html(StatusCode::SERVICE_UNAVAILABLE, &Page::of(&api, &link, &row, &refusal.to_string()))
        }
    }
}

/// Whether a key was pressed during a call: what Twilio posts names the call
/// (<https://www.twilio.com/docs/voice/twiml/gather>).
fn is_call(form: &[u8]) -> bool {
    form_urlencoded::parse(form).any(|(name, _)| name == "CallSid")
}

/// What whoever is on the telephone hears. Every call is answered so: an error would be read out as one of ours.
fn said(words: &str) -> Response {
    let twiml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say>{words}</Say></Response>");
    (StatusCode::OK, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], headers(), twiml).into_response()
}

/// What the link is for, and how that stands; or the page that says why not.
async fn read(api: &Api, token: &str) -> Result<(Acknowledgement, IncidentRow), Response> {
    let refused = |status, title: &str, text: &str| html(status, &Page::refused(api, title, text));
    let link = api.pager.signer().acknowledgement(token, api.now()).map_err(|error| {
        let (status, title) = match error {
            TokenError::Unknown => (StatusCode::NOT_FOUND, "This link is not known"),
            TokenError::TooOld => (StatusCode::GONE, "This link is too old"),
        };
        refused(status, title, &error.to_string())
    })?;
    // A page tells of what may have become a part of a greater incident since: that is what is taken.
    match api.pager.whole_incident(link.incident).await {
        Ok(Some(row)) => Ok((link, row)),
        Ok(None) => {
            let text = format!("there is no incident #{} any more", link.incident);
            Err(refused(StatusCode::NOT_FOUND, "No such incident", &text))
        }
        Err(error) => {
            let text = format!("{error}; try again in a moment");
            Err(refused(StatusCode::SERVICE_UNAVAILABLE, "Not now", &text))
        }
    }
}

fn html(status: StatusCode, page: &Page) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], headers(), page.html()).into_response()
}

/// The address is a secret: nobody keeps it, and no other site is told it.
fn headers() -> [(HeaderName, &'static str); 5] {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ]
}
