//! The helpers of Handlebars: what a template can ask and do. Pure; what they read is recorded in the session.

mod catalog;
mod nginx;
mod shared;
mod text;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError,
    RenderErrorReason, Renderable, ScopedJson, StringOutput,
};
use serde_json::Value;

use crate::{
    ctmpl::Library,
    eval::{MAX_OUTPUT, Session, WriteFile},
};

type Call = fn(&Session<'_>, &Arguments<'_, '_>) -> Result<Value, String>;

const FUNCTIONS: &[(&str, Call)] = &[
    ("services", catalog::services),
    ("service", catalog::service),
    ("nodes", catalog::nodes),
    ("node", catalog::node),
    ("key", catalog::key),
    ("keyOrDefault", catalog::key_or_default),
    ("keyExists", catalog::key_exists),
    ("env", text::env),
    ("file", text::file),
    ("contains", text::contains),
    ("join", text::join),
    ("toLower", text::to_lower),
    ("toUpper", text::to_upper),
    ("replaceAll", text::replace_all),
    ("toJSON", text::to_json),
    ("note", text::note),
    ("nginxServices", nginx::services),
    ("nginxName", nginx::name),
    ("nginxQuote", nginx::quote),
];

/// Helpers that put a list into groups.
const GROUPINGS: &[&str] = &["byTag", "byPort", "byMeta"];

/// Every helper of ours.
fn helpers() -> impl Iterator<Item = (&'static str, What)> {
    let own = FUNCTIONS.iter().map(|(name, call)| (*name, What::Own(*call)));
    let shared = shared::SHARED.iter().map(|(name, function, order)| (*name, What::Shared(function, *order)));
    let scratch = shared::SCRATCH.iter().map(|(name, method)| (*name, What::Scratch(method)));
    own.chain(shared).chain(scratch).chain(GROUPINGS.iter().map(|name| (*name, What::Grouping(name))))
}

/// Is there a helper of this name among ours?
pub(crate) fn exists(name: &str) -> bool {
    helpers().any(|(known, _)| known == name)
}

/// Makes all helpers known to `engine`.
pub(crate) fn register<'a>(engine: &mut Handlebars<'a>, session: &'a Session<'a>, library: &'a Library<'a>) {
    for (name, what) in helpers() {
        engine.register_helper(name, Box::new(Function { session, library, what }));
    }
}

/// What a helper does.
#[derive(Clone, Copy)]
enum What {
    /// Something of our own.
    Own(Call),
    /// A function of consul-template's.
    Shared(&'static str, shared::Order),
    /// A method of its `scratch`.
    Scratch(&'static str),
    Grouping(&'static str),
}

struct Function<'a> {
    session: &'a Session<'a>,
    library: &'a Library<'a>,
    what: What,
}

impl Function<'_> {
    fn value(&self, helper: &Helper<'_>) -> Result<Value, RenderError> {
        let arguments = Arguments { helper };
        match self.what {
            What::Own(call) => call(self.session, &arguments),
            What::Shared(function, order) => shared::call(self.library, function, order, &arguments),
            What::Scratch(method) => shared::scratch(self.library, method, &arguments),
            What::Grouping(by) => shared::grouped(by, &arguments),
        }
        .map_err(|reason| RenderErrorReason::Other(format!("`{}`: {reason}", helper.name())).into())
    }
}

impl HelperDef for Function<'_> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        self.value(helper).map(ScopedJson::Derived)
    }

    /// Inline the value is written; as a block it chooses between the body and `{{else}}`.
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        use handlebars::JsonTruthy;
        if !helper.is_block() && helper.params().is_empty() && helper.hash().is_empty() {
            // `{{node}}` of an instance: a field of the current object goes before a helper of its name.
            let field = render.evaluate(context, &format!("this.{}", helper.name()));
            if let Ok(field @ (ScopedJson::Context(..) | ScopedJson::Derived(_))) = field {
                return Plain(field.as_json().clone()).call(helper, engine, context, render, out);
            }
        }
        if helper.is_block() && helper.name() == "file" {
            return self.write_file(helper, engine, context, render);
        }
        let value = self.value(helper)?;
        if helper.is_block() {
            let branch = if value.is_truthy(false) { helper.template() } else { helper.inverse() };
            return branch.map_or(Ok(()), |body| body.render(engine, context, render, out));
        }
        match value {
            Value::Object(_) => Err(RenderErrorReason::Other(format!(
                "`{}` gives an object: name a field of it, or use `toJSON`",
                helper.name()
            ))
            .into()),
            value => Plain(value).call(helper, engine, context, render, out),
        }
    }
}

impl Function<'_> {
    /// `{{#file name ".conf"}}...{{/file}}`: the body becomes a file of that name beside the destination.
    fn write_file<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        engine: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
    ) -> HelperResult {
        let refuse = |reason: String| RenderErrorReason::Other(format!("`file`: {reason}"));
        let arguments = Arguments { helper };
        let parts = (0..arguments.count().max(1)).map(|index| arguments.text(index));
        let name = parts.collect::<Result<String, _>>().map_err(refuse)?;
        let mut content = StringOutput::new();
        if let Some(body) = helper.template() {
            body.render(engine, context, render, &mut content)?;
        }
        let content = content.into_string().map_err(|error| refuse(error.to_string()))?.into_bytes();
        if content.len() > MAX_OUTPUT {
            return Err(refuse(format!("more than {MAX_OUTPUT} bytes of output: split the template")).into());
        }
        self.session.write(WriteFile {
            path: name.into(),
            user: String::new(),
            group: String::new(),
            perms: 0,
            content,
            append: false,
            managed: true,
        });
        Ok(())
    }
}

/// Has the engine write a value, with the indentation of the partial it stands in.
struct Plain(Value);

impl HelperDef for Plain {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        _: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived(self.0.clone()))
    }
}

/// What a helper was called with.
pub(crate) struct Arguments<'h, 'rc> {
    helper: &'h Helper<'rc>,
}

impl<'h> Arguments<'h, '_> {
    /// Argument `index`, which has to exist.
    fn value(&self, index: usize) -> Result<&'h Value, String> {
        let param = self.helper.param(index).ok_or_else(|| format!("argument {} is missing", index + 1))?;
        match param.relative_path() {
            Some(path) if param.is_value_missing() => {
                Err(format!("no variable `{path}`: check the spelling, or set it under `vars`"))
            }
            _ => Ok(param.value()),
        }
    }

    fn optional(&self, index: usize) -> Result<Option<&'h Value>, String> {
        (index < self.helper.params().len()).then(|| self.value(index)).transpose()
    }

    /// Argument `index` as text; numbers and booleans are written out.
    fn text(&self, index: usize) -> Result<String, String> {
        match self.value(index)? {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            other => Err(format!("argument {} is {}, not text", index + 1, kind(other))),
        }
    }

    /// The named argument `name` as text.
    fn named(&self, name: &str) -> Result<Option<String>, String> {
        match self.helper.hash_get(name).map(|value| value.value()) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(format!("`{name}` is {}, not text", kind(other))),
        }
    }

    fn count(&self) -> usize {
        self.helper.params().len()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
