//! Arithmetic: integers of 64 bits, or floats where the name ends in `f`.

use wharf_gotemplate::{Type, Value};

use super::{
    super::{integer as given, numbers::int64},
    ANY, Call, Function,
    convert::{float, integer},
    function, variadic,
};

const TWO: &[Type] = &[Type::Any, Type::Any];
const SOME: &[Type] = &[Type::Any, Type::Any];

const INT: Call = |_, args, _| Ok(Value::int(integer(&args[0])));

pub(super) const FUNCTIONS: &[Function] = &[
    function("sprig_int", ANY, INT),
    function("sprig_atoi", &[Type::String], INT),
    function("sprig_int64", ANY, |_, args, _| Ok(int64(integer(&args[0])))),
    function("sprig_float64", ANY, |_, args, _| Ok(float(&args[0]).into())),
    function("sprig_toDecimal", ANY, |_, args, _| {
        let text = super::convert::string(&args[0]);
        Ok(int64(i64::from_str_radix(&text, 8).unwrap_or(0)))
    }),
    function("sprig_add1", ANY, |_, args, _| Ok(int64(integer(&args[0]).wrapping_add(1)))),
    variadic("sprig_add", ANY, |_, args, _| Ok(int64(args.iter().map(integer).fold(0, i64::wrapping_add)))),
    function("sprig_sub", TWO, |_, args, _| Ok(int64(integer(&args[0]).wrapping_sub(integer(&args[1]))))),
    variadic("sprig_mul", SOME, |_, args, _| Ok(int64(args.iter().map(integer).fold(1, i64::wrapping_mul)))),
    function("sprig_div", TWO, |_, args, _| whole(args, i64::wrapping_div)),
    function("sprig_mod", TWO, |_, args, _| whole(args, i64::wrapping_rem)),
    variadic("sprig_max", ANY, |_, args, _| Ok(int64(args.iter().map(integer).max().unwrap_or(0)))),
    variadic("sprig_biggest", ANY, |_, args, _| Ok(int64(args.iter().map(integer).max().unwrap_or(0)))),
    variadic("sprig_min", ANY, |_, args, _| Ok(int64(args.iter().map(integer).min().unwrap_or(0)))),
    variadic("sprig_maxf", ANY, |_, args, _| Ok(folded(args, f64::max))),
    variadic("sprig_minf", ANY, |_, args, _| Ok(folded(args, f64::min))),
    function("sprig_add1f", ANY, |_, args, _| Ok((float(&args[0]) + 1.0).into())),
    variadic("sprig_addf", ANY, |_, args, _| Ok(folded(args, |one, other| one + other))),
    variadic("sprig_subf", ANY, |_, args, _| Ok(folded(args, |one, other| one - other))),
    variadic("sprig_mulf", ANY, |_, args, _| Ok(folded(args, |one, other| one * other))),
    variadic("sprig_divf", ANY, |_, args, _| Ok(folded(args, |one, other| one / other))),
    function("sprig_floor", ANY, |_, args, _| Ok(float(&args[0]).floor().into())),
    function("sprig_ceil", ANY, |_, args, _| Ok(float(&args[0]).ceil().into())),
    variadic("sprig_round", &[Type::Any, Type::INT, Type::Any], |_, args, _| {
        let places = i32::try_from(given(args, 1)).unwrap_or(0);
        let half_up = args.get(2).map_or(0.5, float);
        let power = 10_f64.powi(places);
        let scaled = float(&args[0]) * power;
        let part = (scaled - scaled.trunc()).abs();
        let rounded = if part >= half_up { scaled.trunc() + scaled.signum() } else { scaled.trunc() };
        Ok((rounded / power).into())
    }),
];

fn whole(args: &[Value], operation: fn(i64, i64) -> i64) -> Result<Value, String> {
    match integer(&args[1]) {
        0 => Err("runtime error: integer divide by zero".to_owned()),
        divisor => Ok(int64(operation(integer(&args[0]), divisor))),
    }
}

fn folded(args: &[Value], operation: fn(f64, f64) -> f64) -> Value {
    args.iter().map(float).reduce(operation).unwrap_or(0.0).into()
}
