//! What a template says, once it has been read. Displayed, a node is written as Go writes it in errors.

use std::{fmt, sync::Arc};

use crate::{Value, strconv::quote};

/// A name, shared between the tree and the variables of a run.
pub(crate) type Name = Arc<str>;
/// An offset in the source, in bytes.
pub(crate) type Pos = usize;

#[derive(Debug)]
pub(crate) enum Node {
    Text(Arc<[u8]>),
    Action(Pipe),
    /// The first arm whose condition holds, or the last resort.
    Choice(Vec<Arm>, Option<Vec<Self>>),
    Range(Range),
    Template(Call),
    Break,
    Continue,
}

#[derive(Debug)]
pub(crate) struct Arm {
    /// `with`: what the condition gave becomes the dot.
    pub(crate) with: bool,
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
}

#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) pipe: Pipe,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Option<Vec<Node>>,
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) pos: Pos,
    pub(crate) name: Name,
    pub(crate) pipe: Option<Pipe>,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) pos: Pos,
    /// `=` rather than `:=`.
    pub(crate) assigns: bool,
    pub(crate) variables: Vec<Name>,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) pos: Pos,
    pub(crate) args: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) pos: Pos,
    pub(crate) kind: ExprKind,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// As written, and what it means.
    String(String, Value),
    Field(Vec<Name>),
    /// The variable, then fields.
    Variable(Vec<Name>),
    Function(Name),
    Chain(Box<Expr>, Vec<Name>),
    Pipe(Box<Pipe>),
}

/// A constant that may yet become one of several types.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) text: String,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assigns { "=" } else { ":=" })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{command}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, arg) in self.args.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{arg}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Dot => f.write_str("."),
            ExprKind::Nil => f.write_str("nil"),
            ExprKind::Bool(value) => write!(f, "{value}"),
            ExprKind::Number(number) => f.write_str(&number.text),
            ExprKind::String(quoted, _) => f.write_str(quoted),
            ExprKind::Field(names) => write!(f, ".{}", names.join(".")),
            ExprKind::Variable(names) => f.write_str(&names.join(".")),
            ExprKind::Function(name) => f.write_str(name),
            ExprKind::Chain(inner, names) => write!(f, "{inner}.{}", names.join(".")),
            ExprKind::Pipe(pipe) => write!(f, "({pipe})"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(&quote(self.name.as_bytes())).into_owned();
        match &self.pipe {
            None => write!(f, "{{{{template {name}}}}}"),
            Some(pipe) => write!(f, "{{{{template {name} {pipe}}}}}"),
        }
    }
}
