//! Runs a tree. Blocks and templates nest on a stack of our own, so that even 100,000 of them in each other
//! end with an error and not with the process; only expressions use the machine's.

mod call;
mod expr;

use std::{fmt::Display, sync::Arc};

use crate::{
    Functions, Key, Limits, MissingKey, RenderError, Template, Type, Value,
    ast::{Call, Command, Expr, Name, Node, Pipe, Pos, Range},
    fmt::write_out,
};

/// Deepest nesting of expressions, `executeTemplate` included.
const MAX_EXPRESSIONS: usize = 150;
/// How much an `executeTemplate` adds to it.
const EXECUTE_WEIGHT: usize = 6;

type Run<T> = Result<T, RenderError>;

/// What all templates of one rendering share.
pub(crate) struct Shared<'t> {
    pub(crate) template: &'t Template,
    pub(crate) functions: &'t dyn Functions,
    pub(crate) limits: Limits,
    pub(crate) steps: u64,
    pub(crate) expressions: usize,
}

/// One template being run.
pub(crate) struct Exec<'s, 't> {
    shared: &'s mut Shared<'t>,
    out: Vec<u8>,
    /// Those of the templates that called this one come first.
    variables: Vec<(Name, Value)>,
    /// Where the variables of this template begin.
    base: usize,
    dot: Value,
    frames: Vec<Frame<'t>>,
    depth: usize,
    executing: Name,
    /// What an error would be about.
    at: At<'t>,
}

enum Frame<'t> {
    /// Nodes yet to run.
    Body(std::slice::Iter<'t, Node>),
    /// Variables and the dot of the block that ends.
    Block {
        variables: usize,
        dot: Option<Value>,
    },
    Range(Box<Iteration<'t>>),
    /// The caller's view.
    Caller {
        variables: usize,
        base: usize,
        dot: Value,
        executing: Name,
    },
}

struct Iteration<'t> {
    range: &'t Range,
    items: Items,
    /// How many variables there were before and after those of the range.
    before: usize,
    after: usize,
    dot: Value,
}

enum Items {
    List(Arc<crate::List>, usize),
    Entries(std::vec::IntoIter<(Key, Value)>),
    Numbers(crate::IntKind, std::ops::Range<i64>),
}

#[derive(Clone, Copy)]
enum At<'t> {
    Start,
    Expr(&'t Expr),
    Command(&'t Command),
    Pipe(&'t Pipe),
    Call(&'t Call),
}

impl<'t> Shared<'t> {
    /// The text of the template `name` over `data`.
    pub(crate) fn render(&mut self, name: &str, data: Value) -> Run<Vec<u8>> {
        let Some((name, body)) = self.template.trees().get_key_value(name) else {
            return Err(RenderError::plain(format!("no template \"{name}\"")));
        };
        let exec = Exec {
            shared: self,
            out: Vec::new(),
            variables: vec![("$".into(), data.clone())],
            base: 0,
            dot: data,
            frames: vec![Frame::Body(body.iter())],
            depth: 0,
            executing: name.clone(),
            at: At::Start,
        };
        exec.run()
    }
}

impl<'t> Exec<'_, 't> {
    fn run(mut self) -> Run<Vec<u8>> {
        while let Some(frame) = self.frames.last_mut() {
            match frame {
                Frame::Body(nodes) => match nodes.next() {
                    Some(node) => self.node(node)?,
                    None => {
                        self.frames.pop();
                    }
                },
                Frame::Range(_) => self.iterate(),
                Frame::Block { .. } | Frame::Caller { .. } => self.leave(),
            }
        }
        Ok(self.out)
    }

    fn node(&mut self, node: &'t Node) -> Run<()> {
        self.step()?;
        match node {
            Node::Text(text) => self.write(text),
            Node::Action(pipe) => {
                let value = self.pipe(pipe)?;
                if !pipe.variables.is_empty() {
                    return Ok(());
                }
                match &value {
                    Value::String(text) => self.write(text),
                    value => self.write(&write_out(value)),
                }
            }
            Node::Choice(arms, otherwise) => {
                self.frames.push(Frame::Block { variables: self.variables.len(), dot: None });
                for arm in arms {
                    let value = self.pipe(&arm.pipe)?;
                    if value.is_true() {
                        if arm.with {
                            let outer = std::mem::replace(&mut self.dot, value);
                            if let Some(Frame::Block { dot, .. }) = self.frames.last_mut() {
                                *dot = Some(outer);
                            }
                        }
                        self.frames.push(Frame::Body(arm.body.iter()));
                        return Ok(());
                    }
                }
                self.frames.extend(otherwise.iter().map(|body| Frame::Body(body.iter())));
                Ok(())
            }
            Node::Range(range) => self.range(range),
            Node::Template(call) => self.template(call),
            Node::Break => {
                self.unwind();
                self.frames.pop();
                Ok(())
            }
            Node::Continue => {
                self.unwind();
                Ok(())
            }
        }
    }

    fn step(&mut self) -> Run<()> {
        self.charge(1)
    }

    /// Counts work; too much of it ends the run.
    fn charge(&mut self, steps: u64) -> Run<()> {
        self.shared.steps = self.shared.steps.saturating_add(steps);
        let most = self.shared.limits.steps;
        if self.shared.steps > most {
            return Err(self.error(format!("more than {most} steps: does a loop never end?")));
        }
        Ok(())
    }

    fn write(&mut self, text: &[u8]) -> Run<()> {
        let most = self.shared.limits.output;
        if self.out.len() + text.len() > most {
            return Err(self.error(format!("more than {most} bytes of output: split the template")));
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// Back to the loop around, with its dot.
    fn unwind(&mut self) {
        while let Some(frame) = self.frames.last() {
            if let Frame::Range(iteration) = frame {
                self.variables.truncate(iteration.before);
                self.dot = iteration.dot.clone();
                return;
            }
            self.frames.pop();
        }
    }

    fn leave(&mut self) {
        match self.frames.pop() {
            Some(Frame::Block { variables, dot }) => {
                self.variables.truncate(variables);
                if let Some(dot) = dot {
                    self.dot = dot;
                }
            }
            Some(Frame::Caller { variables, base, dot, executing }) => {
                self.variables.truncate(variables);
                (self.base, self.dot, self.executing) = (base, dot, executing);
                self.depth -= 1;
            }
            _ => {}
        }
    }

    fn range(&mut self, range: &'t Range) -> Run<()> {
        let before = self.variables.len();
        let value = self.pipe(&range.pipe)?;
        let items = match value {
            Value::List(list) => (!list.items().is_empty()).then_some(Items::List(list, 0)),
            Value::Map(map) => {
                let entries: Vec<_> = map.entries().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                (!entries.is_empty()).then(|| Items::Entries(entries.into_iter()))
            }
            Value::Int(kind, count) => {
                if range.pipe.variables.len() > 1 {
                    let reason = format!("can't use {count} to iterate over more than one variable");
                    return Err(self.error(reason));
                }
                (count > 0).then_some(Items::Numbers(kind, 0..count))
            }
            Value::Invalid | Value::Nil => None,
            other => {
                let text = String::from_utf8_lossy(&write_out(&other)).into_owned();
                return Err(self.error(format!("range can't iterate over {text}")));
            }
        };
        let Some(items) = items else {
            self.frames.push(Frame::Block { variables: before, dot: None });
            self.frames.extend(range.otherwise.iter().map(|body| Frame::Body(body.iter())));
            return Ok(());
        };
        let (after, dot) = (self.variables.len(), self.dot.clone());
        self.frames.push(Frame::Range(Box::new(Iteration { range, items, before, after, dot })));
        Ok(())
    }

    /// The next round of the loop on top, or its end.
    fn iterate(&mut self) {
        let Some(Frame::Range(iteration)) = self.frames.last_mut() else {
            return;
        };
        let next = match &mut iteration.items {
            Items::List(list, at) => {
                let item = list.items().get(*at).cloned();
                *at += 1;
                let index = i64::try_from(*at - 1).unwrap_or(i64::MAX);
                item.map(|item| (Value::int(index), item))
            }
            Items::Entries(entries) => entries.next().map(|(key, value)| (key.value(), value)),
            Items::Numbers(kind, numbers) => {
                numbers.next().map(|number| (Value::Int(*kind, number), Value::Int(*kind, number)))
            }
        };
        let Some((index, item)) = next else {
            self.variables.truncate(iteration.before);
            self.dot = iteration.dot.clone();
            self.frames.pop();
            return;
        };
        let range = iteration.range;
        if range.pipe.assigns {
            self.variables.truncate(iteration.before);
            // They were assigned the list when the range began, so they exist.
            let names = &range.pipe.variables;
            if let [first, _, ..] = names.as_slice() {
                self.assign(first, index);
            }
            if let Some(last) = names.last() {
                self.assign(last, item.clone());
            }
        } else {
            let after = iteration.after;
            // A break or continue may have dropped them.
            while self.variables.len() < after {
                let place = range.pipe.variables.len() - (after - self.variables.len());
                self.variables.push((range.pipe.variables[place].clone(), Value::Invalid));
            }
            self.variables.truncate(after);
            match range.pipe.variables.len() {
                0 => {}
                1 => self.variables[after - 1].1 = item.clone(),
                _ => {
                    self.variables[after - 1].1 = item.clone();
                    self.variables[after - 2].1 = index;
                }
            }
        }
        self.dot = item;
        self.frames.push(Frame::Body(range.body.iter()));
    }

    fn template(&mut self, call: &'t Call) -> Run<()> {
        self.at = At::Call(call);
        let Some((name, body)) = self.shared.template.trees().get_key_value(&*call.name) else {
            return Err(self.error(format!("template \"{}\" not defined", call.name)));
        };
        let most = self.shared.limits.depth;
        if self.depth >= most {
            return Err(self.error(format!("exceeded maximum template depth ({most})")));
        }
        let data = match &call.pipe {
            Some(pipe) => self.pipe(pipe)?,
            None => Value::Invalid,
        };
        self.depth += 1;
        self.frames.push(Frame::Caller {
            variables: self.variables.len(),
            base: self.base,
            dot: std::mem::replace(&mut self.dot, data.clone()),
            executing: std::mem::replace(&mut self.executing, name.clone()),
        });
        self.base = self.variables.len();
        self.variables.push(("$".into(), data));
        self.frames.push(Frame::Body(body.iter()));
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<&Value> {
        self.variables[self.base..].iter().rev().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    fn assign(&mut self, name: &str, value: Value) -> bool {
        let base = self.base;
        let found = self.variables[base..].iter_mut().rev().find(|(known, _)| **known == *name);
        match found {
            Some((_, place)) => {
                *place = value;
                true
            }
            None => false,
        }
    }

    fn error(&self, reason: String) -> RenderError {
        let (pos, node): (Pos, Option<&dyn Display>) = match self.at {
            At::Start => (0, None),
            At::Expr(expr) => (expr.pos, Some(expr)),
            At::Command(command) => (command.pos, Some(command)),
            At::Pipe(pipe) => (pipe.pos, Some(pipe)),
            At::Call(call) => (call.pos, Some(call)),
        };
        let (line, column) = self.shared.template.position(pos);
        RenderError {
            name: self.shared.template.name().to_owned(),
            line,
            column,
            executing: self.executing.to_string(),
            node: node.map(|node| node.to_string()),
            reason,
        }
    }

    /// Runs one of the templates for its text, on the side.
    fn execute(&mut self, name: &str, data: Value) -> Result<Vec<u8>, String> {
        if !self.shared.template.trees().contains_key(name) {
            let own = self.shared.template.name();
            return Err(format!("template: no template \"{name}\" associated with template \"{own}\""));
        }
        self.shared.expressions += EXECUTE_WEIGHT;
        if self.shared.expressions > MAX_EXPRESSIONS {
            return Err("templates execute each other too deep".to_owned());
        }
        let text = self.shared.render(name, data).map_err(|error| error.to_string());
        self.shared.expressions -= EXECUTE_WEIGHT;
        text
    }

    /// What a function may do while it runs.
    fn engine(&mut self) -> Engine<'_> {
        Engine { execute: Box::new(|name, data| self.execute(name, data)) }
    }

    fn missing(&self, ty: Type, key: &str) -> Run<Value> {
        match self.shared.template.missing_key() {
            MissingKey::Invalid => Ok(Value::Invalid),
            MissingKey::Zero => Ok(ty.element().zero()),
            MissingKey::Error => Err(self.error(format!("map has no entry for key \"{key}\""))),
        }
    }
}

/// The engine, as functions see it while they are called.
pub struct Engine<'e> {
    execute: Box<Execute<'e>>,
}

type Execute<'e> = dyn FnMut(&str, Value) -> Result<Vec<u8>, String> + 'e;

impl Engine<'_> {
    /// No engine: for functions called from elsewhere than a template.
    pub fn none() -> Self {
        Self { execute: Box::new(|name, _| Err(format!("template: no template \"{name}\""))) }
    }

    /// The text of the template `name` of the same source over `data`.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub fn execute(&mut self, name: &str, data: Value) -> Result<Vec<u8>, String> {
        (self.execute)(name, data)
    }
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}
