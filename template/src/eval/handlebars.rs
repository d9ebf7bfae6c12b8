//! Evaluates a Handlebars template.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, Template, WriteOutput,
};

use super::{EvalError, MAX_OUTPUT, Session};
use crate::{
    ctmpl::Library,
    helpers,
    syntax::handlebars::{ENTER, LEAVE},
};

/// Deepest nesting of blocks and partials while evaluating.
const MAX_DEPTH: usize = 64;
/// Most block bodies entered in one evaluation.
const MAX_STEPS: u64 = if cfg!(test) { 50_000 } else { 2_000_000 };

#[derive(Default)]
struct Bounds {
    depth: AtomicUsize,
    steps: AtomicU64,
}

/// The text of `template`.
pub(crate) fn text(session: &Session<'_>, template: &Template) -> Result<Vec<u8>, EvalError> {
    let bounds = Bounds::default();
    let library = Library::new(session);
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(handlebars::no_escape);
    engine.unregister_helper("log");
    engine.register_helper(ENTER, Box::new(Enter(&bounds)));
    engine.register_helper(LEAVE, Box::new(Leave(&bounds)));
    helpers::register(&mut engine, session, &library);
    let mut bytes = Bounded(Vec::new());
    let context = Context::from(serde_json::json!({ "vars": session.surroundings.vars }));
    // Not registered under a name: the engine would take a copy for every render.
    let mut render = RenderContext::new(None);
    template
        .render(&engine, &context, &mut render, &mut WriteOutput::new(&mut bytes))
        .map_err(|error| eval_error(&error))?;
    Ok(bytes.0)
}

struct Enter<'a>(&'a Bounds);

impl HelperDef for Enter<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        if self.0.depth.fetch_add(1, Ordering::Relaxed) >= MAX_DEPTH {
            return refuse(format!("more than {MAX_DEPTH} blocks deep: does a partial include itself?"));
        }
        if self.0.steps.fetch_add(1, Ordering::Relaxed) >= MAX_STEPS {
            return refuse(format!("more than {MAX_STEPS} steps: are too many loops nested?"));
        }
        Ok(())
    }
}

struct Leave<'a>(&'a Bounds);

impl HelperDef for Leave<'_> {
    fn call<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        self.0.depth.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

fn refuse(reason: String) -> HelperResult {
    Err(RenderErrorReason::Other(reason).into())
}

fn eval_error(error: &RenderError) -> EvalError {
    let reason = match error.reason() {
        RenderErrorReason::MissingVariable(Some(name)) => {
            format!("no variable `{name}`: check the spelling, or set it under `vars`")
        }
        RenderErrorReason::MissingVariable(None) => "a variable is missing: check the spelling".to_owned(),
        RenderErrorReason::ParamNotFoundForIndex(helper, index) => {
            format!("`{helper}` lacks argument {}, or the variable given does not exist", index + 1)
        }
        RenderErrorReason::IOError(error) => error.to_string(),
        other => other.to_string(),
    };
    EvalError { line: error.line_no.unwrap_or(1), column: error.column_no, reason }
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!(
                "more than {MAX_OUTPUT} bytes of output: split the template"
            )));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
