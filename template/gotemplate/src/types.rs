//! Which Go type would this value have? Decides what `%T` prints, which arguments a function takes, and
//! what a missing entry of a map reads as.

use std::fmt;

use crate::Value;

/// A Go type.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// `interface {}`.
    Any,
    /// `bool`.
    Bool,
    /// A signed integer.
    Int(IntKind),
    /// An unsigned integer.
    Uint(UintKind),
    /// `float64`.
    Float64,
    /// `string`.
    String,
    /// A list of one type.
    Slice(&'static Self),
    /// A map from one type to another.
    Map(&'static Self, &'static Self),
    /// A struct by value.
    Struct(&'static StructType),
    /// A pointer to a struct.
    Pointer(&'static StructType),
    /// A type with a name of its own.
    Named(&'static NamedType),
}

/// Width of a signed integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IntKind {
    /// `int`, 64 bits here.
    Int,
    /// `int32`, also a rune.
    Int32,
    /// `int64`.
    Int64,
}

/// Width of an unsigned integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UintKind {
    /// `uint`, 64 bits here.
    Uint,
    /// `uint8`, also a byte.
    Uint8,
    /// `uint64`.
    Uint64,
}

/// A struct: its name, its fields in order and what can be called on it.
#[derive(Debug)]
pub struct StructType {
    /// With its package: `dependency.KeyPair`.
    pub name: &'static str,
    /// In the order of the declaration.
    pub fields: &'static [Field],
    /// What can be called on it.
    pub methods: &'static [Method],
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
}

/// A list or map with a name and methods.
#[derive(Debug)]
pub struct NamedType {
    /// With its package.
    pub name: &'static str,
    /// What it is.
    pub underlying: Type,
    /// What can be called on it.
    pub methods: &'static [Method],
}

/// Something that can be called on a value.
#[derive(Debug)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub signature: Signature,
    /// What it does, to the receiver.
    pub call: fn(&Value, &[Value]) -> Result<Value, String>,
}

/// What a function takes.
#[derive(Debug, Clone, Copy)]
pub struct Signature {
    /// The types of its parameters; of a variadic one, the last is the type of each further argument.
    pub params: &'static [Type],
    /// May the last parameter be given any number of times?
    pub variadic: bool,
}

impl Signature {
    /// A function of a fixed number of parameters.
    pub const fn new(params: &'static [Type]) -> Self {
        Self { params, variadic: false }
    }

    /// A function whose last parameter repeats.
    pub const fn variadic(params: &'static [Type]) -> Self {
        Self { params, variadic: true }
    }
}

impl Type {
    /// `int`.
    pub const INT: Self = Self::Int(IntKind::Int);
    /// `int64`.
    pub const INT64: Self = Self::Int(IntKind::Int64);
    /// `uint64`.
    pub const UINT64: Self = Self::Uint(UintKind::Uint64);
    /// `[]string`.
    pub const STRINGS: Self = Self::Slice(&Self::String);
    /// `[]interface {}`.
    pub const LIST: Self = Self::Slice(&Self::Any);
    /// `map[string]interface {}`.
    pub const DICT: Self = Self::Map(&Self::String, &Self::Any);
    /// `map[string]string`.
    pub const TEXTS: Self = Self::Map(&Self::String, &Self::String);

    /// Can a variable of `target` hold a value of this type?
    pub fn is_assignable_to(self, target: Self) -> bool {
        match (self, target) {
            (_, Self::Any) => true,
            (Self::Named(one), Self::Named(other)) => std::ptr::eq(one, other),
            (Self::Named(one), other) => one.underlying == other,
            (one, Self::Named(other)) => one == other.underlying,
            (one, other) => one == other,
        }
    }

    /// The type below the name.
    #[must_use]
    pub fn underlying(self) -> Self {
        match self {
            Self::Named(named) => named.underlying,
            other => other,
        }
    }

    /// The type of what a list or map holds.
    pub fn element(self) -> Self {
        match self.underlying() {
            Self::Slice(element) | Self::Map(_, element) => *element,
            _ => Self::Any,
        }
    }

    /// May a variable of this type hold nothing?
    pub(crate) fn can_be_nil(self) -> bool {
        matches!(self.underlying(), Self::Any | Self::Slice(_) | Self::Map(..) | Self::Pointer(_))
    }

    /// What a variable of this type holds before anything is assigned.
    pub fn zero(self) -> Value {
        match self.underlying() {
            Self::Any | Self::Struct(_) | Self::Named(_) => Value::Nil,
            Self::Bool => Value::Bool(false),
            Self::Int(kind) => Value::Int(kind, 0),
            Self::Uint(kind) => Value::Uint(kind, 0),
            Self::Float64 => Value::Float(0.0),
            Self::String => Value::from(""),
            Self::Slice(_) => Value::nil_list(self),
            Self::Map(..) => Value::nil_map(self),
            Self::Pointer(to) => Value::NilPointer(to),
        }
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, Self::Any)
            | (Self::Bool, Self::Bool)
            | (Self::Float64, Self::Float64)
            | (Self::String, Self::String) => true,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Uint(one), Self::Uint(other)) => one == other,
            (Self::Slice(one), Self::Slice(other)) => one == other,
            (Self::Map(key, one), Self::Map(other_key, other)) => key == other_key && one == other,
            (Self::Struct(one), Self::Struct(other)) | (Self::Pointer(one), Self::Pointer(other)) => {
                std::ptr::eq(*one, *other)
            }
            (Self::Named(one), Self::Named(other)) => std::ptr::eq(*one, *other),
            _ => false,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("interface {}"),
            Self::Bool => f.write_str("bool"),
            Self::Int(IntKind::Int) => f.write_str("int"),
            Self::Int(IntKind::Int32) => f.write_str("int32"),
            Self::Int(IntKind::Int64) => f.write_str("int64"),
            Self::Uint(UintKind::Uint) => f.write_str("uint"),
            Self::Uint(UintKind::Uint8) => f.write_str("uint8"),
            Self::Uint(UintKind::Uint64) => f.write_str("uint64"),
            Self::Float64 => f.write_str("float64"),
            Self::String => f.write_str("string"),
            Self::Slice(element) => write!(f, "[]{element}"),
            Self::Map(key, element) => write!(f, "map[{key}]{element}"),
            Self::Struct(shape) => f.write_str(shape.name),
            Self::Pointer(to) => write!(f, "*{}", to.name),
            Self::Named(named) => f.write_str(named.name),
        }
    }
}
