//! The store that forgets: for `wharf dev` without `--data-dir`, and for tests.

use super::{Standing, Store, StoreError, expected};
use crate::{Commit, Index};

/// Keeps nothing, for one writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory;

impl Store for Memory {
    fn load(&mut self) -> Result<Standing, StoreError> {
        Ok(Standing { index: Index::FIRST, records: Vec::new() })
    }

    fn commit(&mut self, _after: Index, proposed: &[Commit]) -> Result<Vec<Index>, StoreError> {
        Ok(expected(proposed))
    }

    fn since(&mut self, _after: Index) -> Result<Option<Vec<Commit>>, StoreError> {
        Ok(Some(Vec::new()))
    }
}
