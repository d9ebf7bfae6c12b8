//! The sprig library, as consul-template has it: the same functions under names that begin with `sprig_`.
//!
//! What is random (`randAlpha`, `uuidv4`, `shuffle`, keys and certificates) is not here: a file would change
//! with every render. What follows the order of a Go map is sorted.

mod convert;
mod date;
mod dicts;
mod lists;
mod math;
mod misc;
mod strings;
mod url;

use super::{Call, Function, function, variadic};
use wharf_gotemplate::Type;

const ANY: &[Type] = &[Type::Any];
const TEXT: &[Type] = &[Type::String];
const TWO_TEXTS: &[Type] = &[Type::String, Type::String];

/// All of them.
pub(super) fn functions() -> impl Iterator<Item = &'static Function> {
    let tables = [
        strings::FUNCTIONS,
        lists::FUNCTIONS,
        dicts::FUNCTIONS,
        math::FUNCTIONS,
        misc::FUNCTIONS,
        date::FUNCTIONS,
        url::FUNCTIONS,
    ];
    tables.into_iter().flatten()
}
