//! Maintenance windows and announcements: documents of the catalog, beside what the settings say.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use wharf_catalog::{Document, Timestamp};
use wharf_monitor::maintenance::{DOCUMENTS, Maintenance, Windows};

use super::{Answer, Failure, bad, fresh, is_json};
use crate::{
    Sources,
    status::{ANNOUNCEMENTS, Announcement},
};

pub(super) async fn windows(State(sources): State<Arc<Sources>>) -> Response {
    let (state, now) = (sources.catalog.snapshot(), sources.clock.now());
    let shown = |body: &str| match serde_json::from_str(body) {
        Ok(window) => with_activity(&window, now),
        Err(_) => Value::Null,
    };
    let all: BTreeMap<_, _> =
        state.documents(DOCUMENTS).map(|one| (one.id.clone(), shown(&one.body))).collect();
    let settings: Vec<_> =
        sources.config.maintenance.iter().map(|window| with_activity(window, now)).collect();
    fresh(json!({ "maintenance": all, "settings": settings }))
}

/// As it is written down, and whether it is now.
fn with_activity(window: &Maintenance, now: Timestamp) -> Value {
    let is_active = Windows::new([window]).is_ok_and(|windows| windows.is_any_active(now));
    let mut shown = json!(window);
    shown["active"] = is_active.into();
    shown
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or(Value::Null)
}

pub(super) async fn put_window(
    State(sources): State<Arc<Sources>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    is_json(&headers)?;
    let mut window: Maintenance = serde_json::from_slice(&body).map_err(bad)?;
    if window.name.is_empty() {
        window.name.clone_from(&id);
    }
    if window.from.is_none() && window.every.is_empty() && window.month_days.is_empty() {
        // A pause: from now on.
        window.from =
            jiff::Timestamp::from_millisecond(sources.clock.now().0).ok().map(|now| now.to_string());
    }
    Windows::new([&window]).map_err(bad)?;
    keep(&sources, DOCUMENTS, &id, &json!(window)).await?;
    Ok(fresh(json!({ "id": id, "window": window })))
}

pub(super) async fn delete_window(State(sources): State<Arc<Sources>>, Path(id): Path<String>) -> Answer {
    remove(&sources, DOCUMENTS, &id).await
}

pub(super) async fn announcements(State(sources): State<Arc<Sources>>) -> Response {
    let state = sources.catalog.snapshot();
    let all: BTreeMap<_, _> =
        state.documents(ANNOUNCEMENTS).map(|one| (one.id.clone(), parsed(&one.body))).collect();
    fresh(json!({ "announcements": all, "settings": sources.config.announcements }))
}

pub(super) async fn put_announcement(
    State(sources): State<Arc<Sources>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    is_json(&headers)?;
    let announcement: Announcement = serde_json::from_slice(&body).map_err(bad)?;
    announcement.check().map_err(bad)?;
    keep(&sources, ANNOUNCEMENTS, &id, &json!(announcement)).await?;
    Ok(fresh(json!({ "id": id, "announcement": announcement })))
}

pub(super) async fn delete_announcement(
    State(sources): State<Arc<Sources>>,
    Path(id): Path<String>,
) -> Answer {
    remove(&sources, ANNOUNCEMENTS, &id).await
}

async fn keep(sources: &Sources, kind: &str, id: &str, body: &Value) -> Result<(), Failure> {
    let document = Document::new(kind, id, body.to_string());
    sources.catalog.commit(vec![wharf_catalog::Command::PutDocument(document, None)]).await?;
    Ok(())
}

async fn remove(sources: &Sources, kind: &str, id: &str) -> Answer {
    if sources.catalog.snapshot().document(kind, id).is_none() {
        return Err(Failure(StatusCode::NOT_FOUND, format!("there is no `{id}`")));
    }
    let delete = wharf_catalog::Command::DeleteDocument { kind: kind.into(), id: id.into(), cas: None };
    sources.catalog.commit(vec![delete]).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
