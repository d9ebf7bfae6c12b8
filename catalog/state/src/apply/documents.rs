//! Commands on documents.

use super::*;

impl Draft {
    pub(super) fn put_document(&mut self, wanted: &Document, cas: Option<Index>) -> Result<(), ApplyError> {
        let Document { kind, id, session, .. } = wanted;
        self.expect_document(kind, id, cas)?;
        if let Some(session) = session.as_ref().filter(|session| self.state.session(session).is_none()) {
            return Err(ApplyError::NoSession(session.clone()));
        }
        let old = self.state.document(kind, id);
        let created = old.map_or(self.index, |old| old.created);
        let modified = old.map_or(self.index, |old| old.modified);
        let mut document = Document { created, modified, ..wanted.clone() };
        if old.is_none_or(|old| **old != document) {
            document.modified = self.index;
            self.push(Change::PutDocument(Arc::new(document)));
        }
        Ok(())
    }

    pub(super) fn delete_document(
        &mut self,
        kind: &Arc<str>,
        id: &Arc<str>,
        cas: Option<Index>,
    ) -> Result<(), ApplyError> {
        self.expect_document(kind, id, cas)?;
        if self.state.document(kind, id).is_some() {
            self.push(Change::DeleteDocument(kind.clone(), id.clone()));
        }
        Ok(())
    }

    /// What belongs to a session goes with it.
    pub(super) fn delete_documents_of(&mut self, session: &str) {
        let gone: Vec<_> = self.state.documents_of(session).cloned().collect();
        for document in gone {
            self.push(Change::DeleteDocument(document.kind.clone(), document.id.clone()));
        }
    }

    fn expect_document(&self, kind: &Arc<str>, id: &Arc<str>, cas: Option<Index>) -> Result<(), ApplyError> {
        let modified = self.state.document(kind, id).map_or(Index(0), |document| document.modified);
        match cas {
            Some(expected) if expected != modified => {
                Err(ApplyError::DocumentChanged { kind: kind.clone(), id: id.clone() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(body: &str, cas: Option<u64>) -> Command {
        Command::PutDocument(Document::new("query", "q1", body), cas.map(Index))
    }

    fn commit(state: &State, commands: &[Command]) -> Result<Applied, Rejected> {
        apply(state, state.index().next(), Timestamp(5), commands)
    }

    #[test]
    fn a_document_keeps_when_it_was_created_and_tells_when_it_changed() {
        let one = commit(&State::default(), &[put("a", Some(0))]).unwrap();
        let two = commit(&one.state, &[put("b", Some(1))]).unwrap();
        let document = two.state.document("query", "q1").unwrap();
        assert_eq!((&*document.body, document.created, document.modified), ("b", Index(1), Index(2)));
        assert!(two.topics.contains(&Topic::Documents("query".into())));
        assert!(two.topics.contains(&Topic::Document("query".into(), "q1".into())));
        assert!(commit(&two.state, &[put("b", None)]).unwrap().changes.is_empty());
    }

    #[test]
    fn a_document_somebody_else_changed_is_left_alone() {
        let one = commit(&State::default(), &[put("a", None)]).unwrap();
        assert!(commit(&one.state, &[put("b", Some(0))]).is_err());
        assert!(commit(&one.state, &[put("b", Some(7))]).is_err());
        let delete = Command::DeleteDocument { kind: "query".into(), id: "q1".into(), cas: Some(Index(9)) };
        assert!(commit(&one.state, &[delete]).is_err());
    }

    #[test]
    fn a_document_goes_with_its_session() {
        let session = Session::new("s1", "n");
        let document = Document { session: Some("s1".into()), ..Document::new("query", "q1", "a") };
        let orphan = Command::PutDocument(document.clone(), None);
        assert!(commit(&State::default(), std::slice::from_ref(&orphan)).is_err());
        let commands = [Command::PutNode(Node::new("n", "10.0.0.1")), Command::PutSession(session), orphan];
        let one = commit(&State::default(), &commands).unwrap();
        let two = commit(&one.state, &[Command::EndSession("s1".into())]).unwrap();
        assert!(two.state.document("query", "q1").is_none());
    }
}
