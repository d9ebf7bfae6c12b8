//! What templates of messages can do beside showing values.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, JsonRender, RenderContext, RenderError, RenderErrorReason,
    ScopedJson, html_escape, no_escape,
};
use jiff::{Timestamp, fmt::strtime, tz::TimeZone};

/// All helpers: the engine's own, and those below.
pub(super) const NAMES: &[&str] = &[
    "if", "unless", "each", "with", "lookup", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not",
    "len", "time", "upper", "lower", "truncate",
];

/// An engine that knows them; `strict` about values that are not there.
pub(super) fn engine(strict: bool) -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(strict);
    engine.register_escape_fn(no_escape);
    // It would write what alerts say to wherever the process logs.
    engine.unregister_helper("log");
    engine.unregister_helper("raw");
    engine.register_helper("time", Box::new(Text(time)));
    engine.register_helper("upper", Box::new(Text(|helper, _| Ok(text(helper, 0).to_uppercase()))));
    engine.register_helper("lower", Box::new(Text(|helper, _| Ok(text(helper, 0).to_lowercase()))));
    engine.register_helper("truncate", Box::new(Text(truncate)));
    engine
}

/// The same, for HTML.
pub(super) fn html_engine() -> Handlebars<'static> {
    let mut engine = engine(false);
    engine.register_escape_fn(html_escape);
    engine
}

/// A helper that gives a text. The engine escapes it as it would a value.
struct Text(fn(&Helper<'_>, &Context) -> Result<String, RenderError>);

impl HelperDef for Text {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        Ok(ScopedJson::Derived((self.0)(helper, context)?.into()))
    }
}

fn text(helper: &Helper<'_>, index: usize) -> String {
    helper.param(index).map(|value| value.value().render()).unwrap_or_default()
}

fn refused(reason: String) -> RenderError {
    RenderErrorReason::Other(reason).into()
}

/// `{{time started}}`, `{{time started "%H:%M"}}`: in the reader's zone.
fn time(helper: &Helper<'_>, context: &Context) -> Result<String, RenderError> {
    let moment = text(helper, 0);
    let moment: Timestamp = moment.parse().map_err(|_| refused(format!("`{moment}` is no moment")))?;
    let zone = context.data()["zone"].as_str().and_then(|zone| TimeZone::get(zone).ok());
    let format = helper.param(1).map_or_else(|| "%Y-%m-%d %H:%M:%S %Z".to_owned(), |_| text(helper, 1));
    strtime::format(&format, &moment.to_zoned(zone.unwrap_or(TimeZone::UTC)))
        .map_err(|error| refused(format!("`{format}` formats no time: {error}")))
}

/// `{{truncate message 100}}`: at most so many characters.
fn truncate(helper: &Helper<'_>, _: &Context) -> Result<String, RenderError> {
    let most = helper.param(1).and_then(|most| usize::try_from(most.value().as_u64()?).ok());
    let most = most.ok_or_else(|| refused("`truncate` needs a number of characters".to_owned()))?;
    Ok(super::shorten(&text(helper, 0), most))
}
