//! Is it a template that can be rendered whatever happens? Source -> what is wrong with it, in words.
//!
//! Names and helpers are looked for here, in every branch: what is misspelt is told when the configuration is
//! read, not at night when the branch is taken.

use handlebars::{
    Template,
    template::{HelperTemplate, Parameter, TemplateElement},
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use super::{Context, Links, helpers};
use crate::{
    event::Summary,
    state::{Delivery, Occasion, To},
};

/// Deepest nesting of blocks and brackets: the parser is recursive.
const MAX_NESTING: usize = 32;
/// Loops in loops multiply.
const MAX_LOOPS: usize = 3;
/// Longest source in bytes.
const MAX_SOURCE: usize = 64 * 1024;

/// What is wrong with a template, if anything.
pub(crate) fn check(source: &str) -> Result<(), String> {
    if source.len() > MAX_SOURCE {
        return Err(format!("is longer than {} KiB; shorten it", MAX_SOURCE / 1024));
    }
    if nesting(source) > MAX_NESTING {
        return Err(format!("is nested more than {MAX_NESTING} deep; flatten it"));
    }
    let template = Template::compile(source).map_err(|error| {
        let line = error.pos().map_or(1, |(line, _)| line);
        told(line, error.reason().to_string().trim())
    })?;
    walk(&template, 0)?;
    let engine = helpers::engine(true);
    for occasion in [Occasion::Triggered, Occasion::Acknowledged, Occasion::Resolved, Occasion::Test] {
        engine.render_template(source, &sample(source, occasion)).map_err(|error| {
            let reason = error.reason().to_string();
            told(error.line_no.unwrap_or(1), &reason.replace("in strict mode", "").trim().replace('"', "`"))
        })?;
    }
    Ok(())
}

fn told(line: usize, reason: &str) -> String {
    format!("line {line} of the template: {reason}; docs/oncall.md lists names and helpers")
}

/// An upper bound of how deep anything is nested, found without the parser.
fn nesting(source: &str) -> usize {
    let (mut blocks, mut deepest) = (0_usize, 0);
    let mut rest = source;
    while let Some((_, behind)) = rest.split_once("{{") {
        let end = if behind.trim_start_matches('~').starts_with("!--") { "--}}" } else { "}}" };
        let (tag, next) = behind.split_once(end).unwrap_or((behind, ""));
        let word = tag.trim_start_matches(['{', '~', ' ']);
        if word.starts_with(['#', '^']) || word.starts_with("else") {
            blocks += 1;
        } else if word.starts_with('/') {
            // The branches of an else-if chain close with one tag: that only makes the bound higher.
            blocks = blocks.saturating_sub(1);
        }
        deepest = deepest.max(blocks + tag.matches(['(', '[']).count());
        rest = next;
    }
    deepest
}

fn walk(template: &Template, loops: usize) -> Result<(), String> {
    for (index, element) in template.elements.iter().enumerate() {
        let line = template.mapping.get(index).map_or(1, |mapping| mapping.0);
        let unknown = |name: String| {
            told(line, &format!("no helper `{name}`; there are: {}", helpers::NAMES.join(", ")))
        };
        match element {
            TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                let called = !helper.params.is_empty() || !helper.hash.is_empty();
                call(helper, called).map_err(unknown)?;
            }
            TemplateElement::HelperBlock(helper) => {
                call(helper, true).map_err(unknown)?;
                let loops = loops + usize::from(helper.name.as_name() == Some("each"));
                if loops > MAX_LOOPS {
                    return Err(told(
                        line,
                        &format!("`each` is nested more than {MAX_LOOPS} deep; flatten it"),
                    ));
                }
                for body in [&helper.template, &helper.inverse].into_iter().flatten() {
                    walk(body, loops)?;
                }
            }
            TemplateElement::DecoratorBlock(_)
            | TemplateElement::DecoratorExpression(_)
            | TemplateElement::PartialBlock(_)
            | TemplateElement::PartialExpression(_) => {
                return Err(told(line, "there are no partials here; write it out"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn call(helper: &HelperTemplate, called: bool) -> Result<(), String> {
    if let Some(name) = helper.name.as_name().filter(|_| called)
        && !helpers::NAMES.contains(&name)
    {
        return Err(name.to_owned());
    }
    helper.params.iter().chain(helper.hash.values()).chain([&helper.name]).try_for_each(|parameter| {
        match parameter {
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(helper) => call(helper, true),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    })
}

/// A message that has everything a message may have: each word of the template counts as a field and a note, whose
/// value every helper takes.
fn sample(source: &str, occasion: Occasion) -> Value {
    let words = source.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-' || c == '@'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let some = || words.iter().map(|word| ((*word).to_owned(), Timestamp::UNIX_EPOCH.to_string())).collect();
    let summary = |incident| Summary {
        incident,
        state: occasion.to_string(),
        entity: "service:web".to_owned(),
        severity: if incident == 1 { "CRITICAL" } else { "WARNING" }.to_owned(),
        title: "web is down".to_owned(),
        message: "0 of 2 instances pass".to_owned(),
        source: "wharf".to_owned(),
        routing_key: Some("web".to_owned()),
        started: Timestamp::UNIX_EPOCH,
        symptoms: 2,
        entities: vec!["service:web".to_owned(), "node:a".to_owned()],
        fields: some(),
        notes: some(),
    };
    let delivery = Delivery {
        to: To::User { user: "dana".to_owned(), contact: "mail".to_owned(), kind: "email".to_owned() },
        occasion,
        incidents: (1..=16).collect(),
        reason: "step 1".to_owned(),
        about: (1..=8).map(summary).collect(),
        step: None,
        metered: false,
    };
    let links = Links { incident: "https://w/1".to_owned(), acknowledge: "https://w/ack".to_owned() };
    let context = Context::new(1, Timestamp::UNIX_EPOCH, &delivery, links, &TimeZone::UTC);
    serde_json::to_value(&context).unwrap_or_else(|_| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_as_people_write_them_are_fine() {
        for source in [
            "",
            "no tags, but :( :( {",
            "{{!-- {{#if}} --}}{{title}}",
            "{{#if (and (eq occasion 'test') links.acknowledge)}}a{{else if more}}b{{else}}c{{/if}}",
            "{{#each incidents}}{{#each entities}}{{this}}{{#unless @last}}, {{/unless}}{{/each}}{{/each}}",
            "{{#with incidents.[0]}}{{lookup fields 'no-such-field'}}{{{message}}}{{/with}}",
            "{{time at}} {{reason}} {{to}} {{details}} {{delivery}} {{zone}}",
        ] {
            assert_eq!(check(source), Ok(()), "{source}");
        }
    }

    #[test]
    fn what_would_exhaust_the_parser_or_the_night_is_refused() {
        let deep =
            |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
        for source in [
            deep("{{#if title}}", "{{/if}}", 5_000),
            format!("{{{{upper {}}}}}", deep("(", ")", 5_000)),
            deep("{{#each incidents}}", "{{/each}}", 4),
            "x".repeat(100_000),
            "{{".repeat(30_000),
        ] {
            let refused = check(&source).unwrap_err();
            assert!(refused.len() < 400, "{refused}");
        }
    }
}
