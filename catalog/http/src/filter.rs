//! `?filter=`: which records does the client want? The grammar and its errors are `wharf-catalog-filter`;
//! here is where it applies, and how its errors are told.
//!
//! Consul checks a filter before it looks at any record, so that a bad one fails on an empty list too;
//! except on `agent/checks`, where only its grammar is checked first.

mod fields;
mod records;

use wharf_catalog_filter::{Expression, Field, Filter, FilterError, Record};

use crate::{error::ApiError, query::Params};

pub(crate) use fields::{CATALOG_SERVICE, CHECK, ENTRY, NODE, SERVICE};
pub(crate) use records::{CatalogServiceRecord, CheckRecord, EntryRecord, NodeRecord, ServiceRecord};

/// What is left of a list: everything, or what a filter wants.
#[derive(Debug, Default)]
pub(crate) struct Wanted(Option<Filter>);

impl Wanted {
    /// Is it among what the client wants?
    pub(crate) fn has(&self, record: &dyn Record) -> bool {
        self.0.as_ref().is_none_or(|filter| filter.wants(record))
    }

    /// Did the client name a filter at all?
    pub(crate) fn is_filter(&self) -> bool {
        self.0.is_some()
    }
}

impl Params {
    /// What the client wants of an indexed list.
    pub(crate) fn filter(&self, fields: &[Field]) -> Result<Wanted, ApiError> {
        self.wanted(fields).map_err(|error| ApiError::Unreadable(explained(&error)))
    }

    /// What the client wants of an agent's list.
    pub(crate) fn agent_filter(&self, fields: &[Field]) -> Result<Wanted, ApiError> {
        self.wanted(fields).map_err(|error| ApiError::Refused(explained(&error)))
    }

    /// What the client wants of an agent's list that may have nothing in it: `fields` count only when it
    /// has.
    pub(crate) fn late_filter(&self, fields: &[Field], any: bool) -> Result<Wanted, ApiError> {
        let Some(text) = self.filter_text() else {
            return Ok(Wanted::default());
        };
        let expression = Expression::parse(text).map_err(|error| ApiError::Refused(explained(&error)))?;
        if !any {
            return Ok(Wanted::default());
        }
        let filter =
            Filter::compile(expression, fields).map_err(|error| ApiError::Refused(error.to_string()))?;
        Ok(Wanted(Some(filter)))
    }

    /// What the client wants of a list that 1.8.7 does not filter and later versions do: a filter they
    /// would refuse is ignored.
    pub(crate) fn lenient_filter(&self, fields: &[Field]) -> Wanted {
        self.wanted(fields).unwrap_or_default()
    }

    fn wanted(&self, fields: &[Field]) -> Result<Wanted, FilterError> {
        self.filter_text().map(|text| Filter::new(text, fields)).transpose().map(Wanted)
    }

    fn filter_text(&self) -> Option<&str> {
        self.first("filter").filter(|text| !text.is_empty())
    }
}

fn explained(error: &FilterError) -> String {
    format!("Failed to create boolean expression evaluator: {error}")
}
