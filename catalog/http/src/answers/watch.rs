//! Waiting for a change of what was asked before, with nothing in hand but what it takes to wait.
//!
//! A fleet's watchers wait nearly all the time, and there are many of them: a [`Watch`] holds no request,
//! no headers and no buffer. That is sound because an answer that is kept follows from its question and
//! its topic's index alone (see [`super::Answers`]): the headers of whoever asks do not matter.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::{Method, Request, Uri};
use wharf_catalog::{Catalog, Index, Topic};

use super::{Answers, Query};
use crate::{blocking, query::Params};

/// A blocking read that waits.
#[derive(Debug)]
pub struct Watch {
    question: Arc<str>,
    topic: Topic,
    after: Index,
    wait: Duration,
}

impl Answers {
    /// What a request has to wait for, if it is a blocking read of something that was asked before and its
    /// parameters are right. Any other request has to take the long way.
    pub fn watch<B>(&self, request: &Request<B>) -> Option<Watch> {
        let uri = request.uri();
        let query = uri.query().filter(|query| query.contains("index="))?;
        if request.method() != Method::GET {
            return None;
        }
        let question = Query::new(uri.path(), query, None)?.text;
        let slot = self.generations().find(&question).filter(|slot| slot.answer.get().is_some())?;
        let (after, wait) = Params::parse(query).patience()?;
        (after > Index(0)).then(|| Watch { question, topic: slot.topic.clone(), after, wait })
    }
}

impl Watch {
    /// Waits, and gives the answer if somebody has it by then.
    ///
    /// # Errors
    /// The request to ask instead, if nobody has: it asks the same, and does not wait again.
    pub async fn answered(self, answers: &Answers, catalog: &Catalog) -> Result<Response, Request<Body>> {
        catalog.changed_within(&self.topic, self.after, blocking::jittered(self.wait)).await;
        let request = request(&self.question);
        answers.at_hand(catalog, &request).ok_or(request)
    }
}

/// The question is what came in as a request line, without some of its parameters: still a proper one.
fn request(question: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = question.parse().unwrap_or_else(|_| Uri::from_static("/"));
    request
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;
    use crate::respond;

    fn asking(uri: &str) -> Request<()> {
        Request::get(uri).body(()).unwrap()
    }

    fn asked_before(question: &str) -> Answers {
        let (answers, (path, query)) = (Answers::default(), question.split_once('?').unwrap());
        let query = Query::new(path, query, None).unwrap();
        answers.answer(&query, &Topic::Nodes, Index(5), || respond::text(StatusCode::OK, "yes"));
        answers
    }

    #[test]
    fn a_blocking_read_of_what_was_asked_before_only_waits() {
        let answers = asked_before("/v1/x?passing");
        let watch = answers.watch(&asking("/v1/x?index=5&passing&wait=10s")).unwrap();
        assert_eq!((&*watch.question, watch.after), ("/v1/x?passing", Index(5)));
        assert_eq!((watch.topic, watch.wait), (Topic::Nodes, Duration::from_secs(10)));
        assert_eq!(request("/v1/x?passing").uri(), "/v1/x?passing");
    }

    #[test]
    fn what_is_wrong_or_new_or_does_not_wait_goes_the_long_way() {
        let answers = asked_before("/v1/x?passing");
        let wrong = ["index=x", "index=-1", "index=5&wait=soon", "index=0", "index=", "stale"];
        for query in wrong {
            assert!(answers.watch(&asking(&format!("/v1/x?passing&{query}"))).is_none(), "{query}");
        }
        assert!(answers.watch(&asking("/v1/y?passing&index=5")).is_none(), "never asked before");
        let write = Request::put("/v1/x?passing&index=5").body(()).unwrap();
        assert!(answers.watch(&write).is_none());
    }
}
