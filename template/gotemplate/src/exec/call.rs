//! Calls: are there as many arguments as the function takes, and of its types?

use super::{At, Exec, Run};
use crate::{
    IntKind, Method, Type, Value,
    ast::{Expr, ExprKind},
    builtins,
};

/// Bytes of a result that cost one step.
const BYTES_PER_STEP: usize = 64;

impl<'t> Exec<'_, 't> {
    /// Calls a function. `at` is what an error of the function is about.
    pub(super) fn function(
        &mut self,
        name: &str,
        expr: &'t Expr,
        at: At<'t>,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Run<Value> {
        self.at = At::Expr(expr);
        self.step()?;
        let functions = self.shared.functions;
        if let Some(signature) = functions.signature(name) {
            let args = self.arguments(name, signature.params, signature.variadic, args, piped)?;
            let result = functions.call(name, args, &mut self.engine());
            return self.finish(name, at, result);
        }
        match name {
            "and" => return self.shortcut(name, false, args, piped),
            "or" => return self.shortcut(name, true, args, piped),
            _ => {}
        }
        let Some(arity) = builtins::arity(name) else {
            return Err(self.error(format!("\"{name}\" is not a defined function")));
        };
        self.count(name, arity.least, arity.variadic, args.len(), piped.is_some())?;
        let operands = builtins::takes_operands(name);
        let mut values = Vec::with_capacity(args.len() + 1);
        for (index, arg) in args.iter().enumerate() {
            let ty = builtins::parameter(name, index);
            values.push(if operands { self.operand(arg)? } else { self.argument(arg, ty)? });
        }
        if let Some(piped) = piped {
            let ty = builtins::parameter(name, values.len());
            values.push(if operands { piped } else { self.fitted(piped, ty)? });
        }
        let result = builtins::call(name, &values);
        self.finish(name, at, result)
    }

    fn finish(&mut self, name: &str, at: At<'t>, result: Result<Value, String>) -> Run<Value> {
        match result {
            Ok(value) => {
                let size = match &value {
                    Value::String(text) => text.len() / BYTES_PER_STEP,
                    Value::List(list) => list.items().len() / 2,
                    _ => 0,
                };
                self.charge(size as u64)?;
                Ok(value)
            }
            Err(reason) => {
                self.at = at;
                Err(self.error(format!("error calling {name}: {reason}")))
            }
        }
    }

    /// `and` and `or`: the first argument that decides.
    fn shortcut(&mut self, name: &str, decides: bool, args: &'t [Expr], piped: Option<Value>) -> Run<Value> {
        self.count(name, 1, true, args.len(), piped.is_some())?;
        let mut value = Value::Invalid;
        for arg in args {
            value = self.operand(arg)?;
            if value.is_true() == decides {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    pub(super) fn method(
        &mut self,
        receiver: &Value,
        method: &'static Method,
        expr: &'t Expr,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Run<Value> {
        self.step()?;
        let signature = &method.signature;
        let args = self.arguments(method.name, signature.params, signature.variadic, args, piped)?;
        let result = (method.call)(receiver, &args);
        self.finish(method.name, At::Expr(expr), result)
    }

    fn count(&self, name: &str, least: usize, variadic: bool, args: usize, piped: bool) -> Run<()> {
        let given = args + usize::from(piped);
        if variadic && given < least {
            let reason = format!("wrong number of args for {name}: want at least {least} got {args}");
            return Err(self.error(reason));
        }
        if !variadic && given != least {
            return Err(self.error(format!("wrong number of args for {name}: want {least} got {given}")));
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        name: &str,
        params: &[Type],
        variadic: bool,
        args: &'t [Expr],
        piped: Option<Value>,
    ) -> Run<Vec<Value>> {
        let fixed = params.len() - usize::from(variadic);
        self.count(name, fixed, variadic, args.len(), piped.is_some())?;
        let ty = |index: usize| params.get(index).or(params.last()).copied().unwrap_or(Type::Any);
        let mut values = Vec::with_capacity(args.len() + 1);
        for (index, arg) in args.iter().enumerate() {
            values.push(self.argument(arg, ty(index))?);
        }
        if let Some(piped) = piped {
            values.push(self.fitted(piped, ty(args.len()))?);
        }
        Ok(values)
    }

    /// The value of an argument for a parameter of type `ty`.
    fn argument(&mut self, expr: &'t Expr, ty: Type) -> Run<Value> {
        self.at = At::Expr(expr);
        let expected = |what: &str| format!("expected {what}; found {expr}");
        match &expr.kind {
            ExprKind::Nil if ty.can_be_nil() => Ok(ty.zero()),
            ExprKind::Nil => Err(self.error(format!("cannot assign nil to {ty}"))),
            ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::String(..) => {
                match (&expr.kind, ty.underlying()) {
                    (_, Type::Any) => self.operand(expr),
                    (ExprKind::Bool(value), Type::Bool) => Ok(Value::Bool(*value)),
                    (_, Type::Bool) => Err(self.error(expected("bool"))),
                    (ExprKind::String(_, value), Type::String) => Ok(value.clone()),
                    (_, Type::String) => Err(self.error(expected("string"))),
                    (ExprKind::Number(number), Type::Int(kind)) => match number.int {
                        Some(value) if kind != IntKind::Int32 || i32::try_from(value).is_ok() => {
                            Ok(Value::Int(kind, value))
                        }
                        _ => Err(self.error(expected("integer"))),
                    },
                    (_, Type::Int(_)) => Err(self.error(expected("integer"))),
                    (ExprKind::Number(number), Type::Uint(kind)) => match number.uint {
                        Some(value) => Ok(Value::Uint(kind, value)),
                        None => Err(self.error(expected("unsigned integer"))),
                    },
                    (_, Type::Uint(_)) => Err(self.error(expected("unsigned integer"))),
                    (ExprKind::Number(number), Type::Float64) => match number.float {
                        Some(value) => Ok(Value::Float(value)),
                        None => Err(self.error(expected("float"))),
                    },
                    (_, Type::Float64) => Err(self.error(expected("float"))),
                    _ => Err(self.error(format!("can't handle {expr} for arg of type {ty}"))),
                }
            }
            _ => {
                let value = self.operand(expr)?;
                self.fitted(value, ty)
            }
        }
    }

    /// A value that already has a type, for a parameter of type `ty`.
    fn fitted(&self, value: Value, ty: Type) -> Run<Value> {
        match value.ty() {
            None if ty.can_be_nil() => Ok(ty.zero()),
            None if matches!(value, Value::Invalid) => {
                Err(self.error(format!("invalid value; expected {ty}")))
            }
            None => Err(self.error(format!("wrong type for value; expected {ty}; got interface {{}}"))),
            Some(own) if own.is_assignable_to(ty) => Ok(value),
            Some(own) => Err(self.error(format!("wrong type for value; expected {ty}; got {own}"))),
        }
    }
}
