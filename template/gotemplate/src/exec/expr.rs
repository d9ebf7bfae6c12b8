//! Pipelines, fields and constants.

use super::{At, Exec, MAX_EXPRESSIONS, Run};
use crate::{
    Key, MissingKey, Type, Value,
    ast::{Command, Expr, ExprKind, Name, Number, Pipe},
};

impl<'t> Exec<'_, 't> {
    /// The value of a pipeline; its variables are set.
    pub(super) fn pipe(&mut self, pipe: &'t Pipe) -> Run<Value> {
        self.at = At::Pipe(pipe);
        self.shared.expressions += 1;
        if self.shared.expressions > MAX_EXPRESSIONS {
            return Err(self.error("the expression is nested too deep".to_owned()));
        }
        let mut value = None;
        for command in &pipe.commands {
            let result = self.command(command, value)?;
            // What an interface holds, rather than the interface.
            value = Some(if matches!(result, Value::Nil) { Value::Invalid } else { result });
        }
        let value = value.unwrap_or_default();
        for name in &pipe.variables {
            if !pipe.assigns {
                self.variables.push((name.clone(), value.clone()));
            } else if !self.assign(name, value.clone()) {
                return Err(self.error(format!("undefined variable: {name}")));
            }
        }
        self.shared.expressions -= 1;
        Ok(value)
    }

    fn command(&mut self, command: &'t Command, piped: Option<Value>) -> Run<Value> {
        let Some((first, args)) = command.args.split_first() else {
            return Ok(Value::Invalid);
        };
        match &first.kind {
            ExprKind::Field(names) => {
                let dot = self.dot.clone();
                return self.fields(dot, names, first, args, piped);
            }
            ExprKind::Chain(inner, names) => return self.chain(inner, names, first, args, piped),
            ExprKind::Function(name) => {
                self.at = At::Expr(first);
                return self.function(name, first, At::Command(command), args, piped);
            }
            ExprKind::Variable(names) if names.len() > 1 => {
                let value = self.variable_value(&names[0], first)?;
                return self.fields(value, &names[1..], first, args, piped);
            }
            _ => {}
        }
        self.at = At::Expr(first);
        if !args.is_empty() || piped.is_some() {
            return Err(self.error(format!("can't give argument to non-function {first}")));
        }
        match &first.kind {
            ExprKind::Dot => Ok(self.dot.clone()),
            ExprKind::Nil => Err(self.error("nil is not a command".to_owned())),
            ExprKind::Pipe(pipe) => self.pipe(pipe),
            ExprKind::Variable(names) => self.variable_value(&names[0], first),
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Number(number) => self.constant(number),
            ExprKind::String(_, value) => Ok(value.clone()),
            ExprKind::Field(_) | ExprKind::Chain(..) | ExprKind::Function(_) => Ok(Value::Invalid),
        }
    }

    fn variable_value(&mut self, name: &str, expr: &'t Expr) -> Run<Value> {
        match self.variable(name) {
            Some(value) => Ok(value.clone()),
            None => {
                self.at = At::Expr(expr);
                Err(self.error(format!("undefined variable: {name}")))
            }
        }
    }

    fn chain(
        &mut self,
        inner: &'t Expr,
        names: &'t [Name],
        expr: &'t Expr,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Run<Value> {
        if matches!(inner.kind, ExprKind::Nil) {
            self.at = At::Expr(expr);
            return Err(self.error(format!("indirection through explicit nil in {expr}")));
        }
        let value = self.operand(inner)?;
        self.fields(value, names, expr, args, piped)
    }

    /// An argument whose type does not matter.
    pub(super) fn operand(&mut self, expr: &'t Expr) -> Run<Value> {
        self.at = At::Expr(expr);
        match &expr.kind {
            ExprKind::Dot => Ok(self.dot.clone()),
            ExprKind::Nil => Ok(Value::Nil),
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Number(number) => self.constant(number),
            ExprKind::String(_, value) => Ok(value.clone()),
            ExprKind::Field(names) => {
                let dot = self.dot.clone();
                self.fields(dot, names, expr, &[], None)
            }
            ExprKind::Variable(names) => {
                let value = self.variable_value(&names[0], expr)?;
                self.fields(value, &names[1..], expr, &[], None)
            }
            ExprKind::Function(name) => self.function(name, expr, At::Expr(expr), &[], None),
            ExprKind::Chain(inner, names) => self.chain(inner, names, expr, &[], None),
            ExprKind::Pipe(pipe) => self.pipe(pipe),
        }
    }

    /// A number that nothing asked to be of a certain type.
    fn constant(&self, number: &Number) -> Run<Value> {
        let text = number.text.as_str();
        let hex = text.len() > 2 && text.starts_with('0') && text[1..].starts_with(['x', 'X']);
        let float = !hex && !text.starts_with('\'') && text.contains(['.', 'e', 'E', 'p', 'P']);
        match (number.float, number.int) {
            (Some(value), _) if float => Ok(Value::Float(value)),
            (_, Some(value)) => Ok(Value::int(value)),
            (Some(value), None) if number.uint.is_none() => Ok(Value::Float(value)),
            _ => Err(self.error(format!("{text} overflows int"))),
        }
    }

    /// `.a.b.c` of a value; arguments go to the last.
    fn fields(
        &mut self,
        value: Value,
        names: &'t [Name],
        expr: &'t Expr,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Run<Value> {
        self.at = At::Expr(expr);
        let Some((last, before)) = names.split_last() else {
            return Ok(value);
        };
        let mut value = value;
        for name in before {
            value = self.field(&value, name, expr, &[], None)?;
        }
        self.field(&value, last, expr, args, piped)
    }

    fn field(
        &mut self,
        value: &Value,
        name: &str,
        expr: &'t Expr,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Run<Value> {
        let Some(ty) = value.ty() else {
            return match value {
                Value::Nil => Err(self.error(format!("nil pointer evaluating interface {{}}.{name}"))),
                _ if self.shared.template.missing_key() == MissingKey::Error => {
                    Err(self.error(format!("nil data; no entry for key \"{name}\"")))
                }
                _ => Ok(Value::Invalid),
            };
        };
        if let Some(method) = methods(ty).iter().find(|method| method.name == name) {
            return self.method(value, method, expr, args, piped);
        }
        let has_args = !args.is_empty() || piped.is_some();
        match value {
            Value::Record(record) => {
                if let Some(index) = record.shape().fields.iter().position(|field| field.name == name) {
                    if has_args {
                        let reason = format!("{name} has arguments but cannot be invoked as function");
                        return Err(self.error(reason));
                    }
                    return Ok(record.field(index));
                }
            }
            Value::Map(map) => {
                if let Type::Map(Type::String | Type::Any, _) = map.ty().underlying() {
                    if has_args {
                        return Err(self.error(format!("{name} is not a method but has arguments")));
                    }
                    let found = map.entries().get(&Key::from(name)).cloned();
                    return found.map_or_else(|| self.missing(map.ty(), name), Ok);
                }
            }
            Value::NilPointer(shape) if shape.fields.iter().any(|field| field.name == name) => {
                return Err(self.error(format!("nil pointer evaluating {ty}.{name}")));
            }
            _ => {}
        }
        Err(self.error(format!("can't evaluate field {name} in type {ty}")))
    }
}

fn methods(ty: Type) -> &'static [crate::Method] {
    match ty {
        Type::Pointer(shape) | Type::Struct(shape) => shape.methods,
        Type::Named(named) => named.methods,
        _ => &[],
    }
}
