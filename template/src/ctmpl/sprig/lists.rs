//! Lists.

use wharf_gotemplate::{IntKind, Type, Value};

use super::{
    super::{MAX_ITEMS, integer},
    ANY, Call, Function,
    convert::{self, equal, is_empty, items, list},
    function, variadic,
};

const LIST_AND_MORE: &[Type] = &[Type::Any, Type::Any];

const FIRST: Call = |_, args, _| Ok(items("first", &args[0])?.first().cloned().unwrap_or(Value::Nil));
const LAST: Call = |_, args, _| Ok(items("last", &args[0])?.last().cloned().unwrap_or(Value::Nil));
const REST: Call = |_, args, _| Ok(list(items("rest", &args[0])?.iter().skip(1).cloned().collect()));
const INITIAL: Call = |_, args, _| {
    let all = items("initial", &args[0])?;
    Ok(list(all[..all.len().saturating_sub(1)].to_vec()))
};
const APPEND: Call = |_, args, _| {
    let mut all = items("append", &args[0])?.to_vec();
    all.push(args[1].clone());
    bounded(all)
};
const PREPEND: Call = |_, args, _| {
    let mut all = vec![args[1].clone()];
    all.extend_from_slice(items("prepend", &args[0])?);
    bounded(all)
};
const REVERSE: Call = |_, args, _| Ok(list(items("reverse", &args[0])?.iter().rev().cloned().collect()));
const COMPACT: Call = |_, args, _| {
    Ok(list(items("compact", &args[0])?.iter().filter(|item| !is_empty(item)).cloned().collect()))
};
const UNIQ: Call = |_, args, _| {
    let mut kept: Vec<Value> = Vec::new();
    for item in items("uniq", &args[0])? {
        if !kept.iter().any(|known| equal(known, item, 0)) {
            kept.push(item.clone());
        }
    }
    Ok(list(kept))
};
const WITHOUT: Call = |_, args, _| {
    let unwanted = |item: &&Value| !args[1..].iter().any(|omitted| equal(omitted, item, 0));
    Ok(list(items("without", &args[0])?.iter().filter(unwanted).cloned().collect()))
};
const HAS: Call = |_, args, _| match &args[1] {
    Value::Nil => Ok(Value::Bool(false)),
    haystack => Ok(Value::Bool(items("has", haystack)?.iter().any(|item| equal(item, &args[0], 0)))),
};
const SLICE: Call = |_, args, _| {
    let all = items("slice", &args[0])?;
    let bound = |index: usize, default| {
        let given =
            args.get(index).map_or(default, |arg| usize::try_from(convert::integer(arg)).unwrap_or(0));
        if given > all.len() { Err(format!("slice: {given} is past the end of the list")) } else { Ok(given) }
    };
    let (start, end) = (bound(1, 0)?, bound(2, all.len())?);
    if start > end {
        Err(format!("slice: {start} is past {end}"))
    } else {
        Ok(list(all[start..end].to_vec()))
    }
};
const CHUNK: Call = |_, args, _| {
    let size = usize::try_from(integer(args, 0))
        .ok()
        .filter(|size| *size > 0)
        .ok_or("chunk: the size has to be positive")?;
    let chunks = items("chunk", &args[1])?.chunks(size).map(|chunk| list(chunk.to_vec()));
    Ok(Value::list(Type::Slice(&Type::LIST), chunks.collect()))
};

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("sprig_list", ANY, |_, args, _| Ok(list(args.to_vec()))),
    variadic("sprig_tuple", ANY, |_, args, _| Ok(list(args.to_vec()))),
    function("sprig_first", ANY, FIRST),
    function("sprig_mustFirst", ANY, FIRST),
    function("sprig_last", ANY, LAST),
    function("sprig_mustLast", ANY, LAST),
    function("sprig_rest", ANY, REST),
    function("sprig_mustRest", ANY, REST),
    function("sprig_initial", ANY, INITIAL),
    function("sprig_mustInitial", ANY, INITIAL),
    function("sprig_append", LIST_AND_MORE, APPEND),
    function("sprig_mustAppend", LIST_AND_MORE, APPEND),
    function("sprig_push", LIST_AND_MORE, APPEND),
    function("sprig_mustPush", LIST_AND_MORE, APPEND),
    function("sprig_prepend", LIST_AND_MORE, PREPEND),
    function("sprig_mustPrepend", LIST_AND_MORE, PREPEND),
    function("sprig_reverse", ANY, REVERSE),
    function("sprig_mustReverse", ANY, REVERSE),
    function("sprig_compact", ANY, COMPACT),
    function("sprig_mustCompact", ANY, COMPACT),
    function("sprig_uniq", ANY, UNIQ),
    function("sprig_mustUniq", ANY, UNIQ),
    variadic("sprig_without", LIST_AND_MORE, WITHOUT),
    variadic("sprig_mustWithout", LIST_AND_MORE, WITHOUT),
    function("sprig_has", LIST_AND_MORE, HAS),
    function("sprig_mustHas", LIST_AND_MORE, HAS),
    variadic("sprig_slice", LIST_AND_MORE, SLICE),
    variadic("sprig_mustSlice", LIST_AND_MORE, SLICE),
    function("sprig_chunk", &[Type::INT, Type::Any], CHUNK),
    function("sprig_mustChunk", &[Type::INT, Type::Any], CHUNK),
    variadic("sprig_concat", ANY, |_, args, _| {
        let mut all = Vec::new();
        for arg in args {
            all.extend_from_slice(items("concat", arg)?);
        }
        bounded(all)
    }),
    function("sprig_until", &[Type::INT], |_, args, _| {
        let count = integer(args, 0);
        steps(0, count, if count < 0 { -1 } else { 1 })
    }),
    function("sprig_untilStep", &[Type::INT, Type::INT, Type::INT], |_, args, _| {
        steps(integer(args, 0), integer(args, 1), integer(args, 2))
    }),
    variadic("sprig_seq", &[Type::INT], |_, args, _| {
        let numbers: Vec<_> = (0..args.len()).map(|index| integer(args, index)).collect();
        let down = |from: i64, to: i64| if from <= to { 1 } else { -1 };
        let (from, step, to) = match numbers[..] {
            [] => return Ok("".into()),
            [to] => (1, down(1, to), to),
            [from, to] => (from, down(from, to), to),
            [from, step, to] => (from, step, to),
            _ => return Ok("".into()),
        };
        let Value::List(found) = steps(from, to.saturating_add(step.signum()), step)? else {
            return Ok("".into());
        };
        let words: Vec<_> = found.items().iter().map(convert::string).collect();
        Ok(words.join(" ").into())
    }),
];

fn bounded(all: Vec<Value>) -> Result<Value, String> {
    if all.len() > MAX_ITEMS { Err(format!("more than {MAX_ITEMS} items")) } else { Ok(list(all)) }
}

fn steps(from: i64, to: i64, step: i64) -> Result<Value, String> {
    let mut numbers = Vec::new();
    let mut at = from;
    while step > 0 && at < to || step < 0 && at > to {
        if numbers.len() >= MAX_ITEMS {
            return Err(format!("more than {MAX_ITEMS} numbers"));
        }
        numbers.push(Value::Int(IntKind::Int, at));
        at = at.saturating_add(step);
    }
    Ok(Value::list(Type::Slice(&Type::INT), numbers))
}
