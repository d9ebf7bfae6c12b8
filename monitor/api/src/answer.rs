//! What is answered: JSON that nobody keeps, and errors as `{"error": "..."}` with whose fault they are.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use wharf_monitor::HistoryError;
use wharf_oncall::{ApplyError, Problems};
use wharf_pager::{PagerError, Refusal};

/// Why there is no answer: a status, a text, and what a form can show beside its fields.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    problems: Option<Problems>,
}

pub(crate) type Answer = Result<Response, Failure>;

impl Failure {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), problems: None }
    }

    /// The request is wrong.
    pub(crate) fn bad(text: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text.to_string())
    }

    /// There is no such thing.
    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// Somebody was quicker, or it is changed elsewhere.
    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, text)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(error = %self.text, "on-call request not answered");
        }
        let mut body = json!({ "error": self.text });
        if let Some(Problems(problems)) = self.problems {
            body["problems"] = problems.iter().map(problem).collect();
        }
        (self.status, fresh(body)).into_response()
    }
}

/// A problem as the API shows it.
pub(crate) fn problem(problem: &wharf_oncall::config::Problem) -> Value {
    let (what, remedy) = match problem.message.split_once("; ") {
        Some((what, remedy)) => (what, Some(remedy)),
        None => (problem.message.as_str(), None),
    };
    json!({ "line": problem.line, "place": problem.place, "problem": what, "remedy": remedy })
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self { problems: Some(problems.clone()), ..Self::bad(problems) }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Wrong(ApplyError::NoIncident(_) | ApplyError::Unknown { .. })
            | Refusal::NoDocument { .. } => Self::unknown(text),
            Refusal::Wrong(ApplyError::Acknowledged { .. } | ApplyError::ReadOnly { .. })
            | Refusal::FromFile { .. } => Self::conflict(text),
            Refusal::Wrong(ApplyError::TooOften { .. }) => Self::new(StatusCode::TOO_MANY_REQUESTS, text),
            Refusal::Wrong(ApplyError::Wrong(problems)) | Refusal::Plan(problems) => problems.into(),
            Refusal::Wrong(ApplyError::Past { .. } | ApplyError::Unpageable(_) | ApplyError::MatchesAll) => {
                Self::bad(text)
            }
            Refusal::NotKept(_) | Refusal::Stopped => Self::new(StatusCode::SERVICE_UNAVAILABLE, text),
        }
    }
}

impl From<PagerError> for Failure {
    fn from(error: PagerError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let status = match error {
            HistoryError::Question(_) => StatusCode::BAD_REQUEST,
            HistoryError::Read(_) | HistoryError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

/// JSON that is to be asked for again.
pub(crate) fn fresh(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

pub(crate) async fn wrong_method(method: Method) -> Failure {
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{method} is not for this path; see docs/oncall-api.md"),
    )
}
