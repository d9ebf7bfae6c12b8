//! Numbers: reading them, and arithmetic in which the last argument is the left operand.

use wharf_gotemplate::{IntKind, Type, UintKind, Value, strconv};

use super::{Function, bytes, function, quoted, string};

const ONE: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::Any, Type::Any];

pub(super) const FUNCTIONS: &[Function] = &[
    function("parseBool", ONE, |_, args, _| parse_bool(bytes(args, 0)).map(Value::Bool)),
    function("parseFloat", ONE, |_, args, _| {
        parse(bytes(args, 0), "ParseFloat", strconv::parse_float)
            .map(|value| Value::Float(value.unwrap_or(0.0)))
    }),
    function("parseInt", ONE, |_, args, _| {
        parse(bytes(args, 0), "ParseInt", |text| strconv::parse_int(text, 10))
            .map(|value| int64(value.unwrap_or(0)))
    }),
    function("parseUint", ONE, |_, args, _| {
        let parsed = parse(bytes(args, 0), "ParseUint", |text| strconv::parse_uint(text, 10))?;
        Ok(uint64(parsed.unwrap_or(0)))
    }),
    function("add", TWO, |_, args, _| arithmetic("add", args)),
    function("subtract", TWO, |_, args, _| arithmetic("subtract", args)),
    function("multiply", TWO, |_, args, _| arithmetic("multiply", args)),
    function("divide", TWO, |_, args, _| arithmetic("divide", args)),
    function("modulo", TWO, |_, args, _| arithmetic("modulo", args)),
    function("minimum", TWO, |_, args, _| extreme("minimum", args)),
    function("maximum", TWO, |_, args, _| extreme("maximum", args)),
];

pub(super) fn int64(value: i64) -> Value {
    Value::Int(IntKind::Int64, value)
}

fn uint64(value: u64) -> Value {
    Value::Uint(UintKind::Uint64, value)
}

fn parse<T>(
    text: &[u8],
    function: &str,
    parse: impl Fn(&str) -> Result<T, strconv::NumberError>,
) -> Result<Option<T>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    // parseInt tells of ParseInt.
    let name = format!("p{}", &function[1..]);
    let lossy = String::from_utf8_lossy(text);
    parse(&lossy).map(Some).map_err(|error| format!("{name}: {}", error.of(function, text)))
}

pub(super) fn parse_bool(text: &[u8]) -> Result<bool, String> {
    match text {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(true),
        b"" | b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(false),
        other => Err(format!("parseBool: {}", strconv::NumberError::Syntax.of("ParseBool", other))),
    }
}

/// A number as arithmetic sees it.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Uint(u64),
    Float(f64),
}

impl Number {
    fn of(function: &str, value: &Value) -> Result<Self, String> {
        match value {
            Value::Int(_, value) => Ok(Self::Int(*value)),
            Value::Uint(_, value) => Ok(Self::Uint(*value)),
            Value::Float(value) => Ok(Self::Float(*value)),
            Value::String(text) => Err(format!("{function}: unknown type for {} (string)", quoted(text))),
            other => {
                let shown = string(&[wharf_gotemplate::fmt::sprint(std::slice::from_ref(other)).into()], 0);
                Err(format!("{function}: unknown type for {shown} ({})", other.type_name()))
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
    fn float(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Uint(value) => value as f64,
            Self::Float(value) => value,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Int(value) => int64(value),
            Self::Uint(value) => uint64(value),
            Self::Float(value) => Value::Float(value),
        }
    }
}

/// Both operands as they are computed with: the left one is the last argument.
fn operands(function: &str, args: &[Value]) -> Result<(Number, Number), String> {
    let [right, left, ..] = args else {
        return Err(format!("{function}: wrong number of arguments"));
    };
    let left = Number::of(function, left)?;
    Ok((left, Number::of(function, right)?))
}

#[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
fn arithmetic(function: &str, args: &[Value]) -> Result<Value, String> {
    let (left, right) = operands(function, args)?;
    if let (Number::Uint(left), Number::Uint(right)) = (left, right) {
        return whole(
            function,
            left,
            right,
            u64::wrapping_add,
            u64::wrapping_sub,
            u64::wrapping_mul,
            u64::checked_div,
            u64::checked_rem,
        )
        .map(uint64);
    }
    let int = |number| match number {
        Number::Int(value) => Some(value),
        Number::Uint(value) => Some(value as i64),
        Number::Float(_) => None,
    };
    if let (Some(left), Some(right)) = (int(left), int(right)) {
        let divide = |left: i64, right: i64| (right != 0).then(|| left.wrapping_div(right));
        let modulo = |left: i64, right: i64| (right != 0).then(|| left.wrapping_rem(right));
        return whole(
            function,
            left,
            right,
            i64::wrapping_add,
            i64::wrapping_sub,
            i64::wrapping_mul,
            divide,
            modulo,
        )
        .map(int64);
    }
    let (one, other) = (left.float(), right.float());
    Ok(Value::Float(match function {
        "add" => one + other,
        "subtract" => one - other,
        "multiply" => one * other,
        "divide" => one / other,
        _ => {
            let value = match left {
                Number::Float(value) => value,
                _ => right.float(),
            };
            return Err(format!("modulo: unknown type for %!q(float64={value}) (float64)"));
        }
    }))
}

#[expect(clippy::too_many_arguments, reason = "one operation for each of five functions")]
fn whole<T>(
    function: &str,
    left: T,
    right: T,
    add: impl Fn(T, T) -> T,
    subtract: impl Fn(T, T) -> T,
    multiply: impl Fn(T, T) -> T,
    divide: impl Fn(T, T) -> Option<T>,
    modulo: impl Fn(T, T) -> Option<T>,
) -> Result<T, String> {
    match function {
        "add" => Some(add(left, right)),
        "subtract" => Some(subtract(left, right)),
        "multiply" => Some(multiply(left, right)),
        "divide" => divide(left, right),
        _ => modulo(left, right),
    }
    .ok_or_else(|| "runtime error: integer divide by zero".to_owned())
}

#[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
fn extreme(function: &str, args: &[Value]) -> Result<Value, String> {
    let (left, right) = operands(function, args)?;
    let order = match (left, right) {
        (Number::Int(left), Number::Int(right)) => left.partial_cmp(&right),
        (Number::Uint(left), Number::Uint(right)) => left.partial_cmp(&right),
        (Number::Int(left), Number::Uint(right)) => left.partial_cmp(&(right as i64)),
        (Number::Uint(left), Number::Int(right)) => (left as i64).partial_cmp(&right),
        (left, right) => left.float().partial_cmp(&right.float()),
    };
    let wanted = if function == "minimum" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
    Ok(if order == Some(wanted) { left.value() } else { right.value() })
}
