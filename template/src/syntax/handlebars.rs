//! Is it a template? Source text -> something that can be evaluated safely, or where it is wrong.
//!
//! The engine itself puts no bounds on what it is given, so they are put here: nesting is measured before
//! the (recursive) parser sees the source, and the body of every block is bracketed with two hidden
//! helpers that count depth and steps while it is evaluated. Unknown helpers are found here already, not
//! only when the branch they stand in is taken.

use handlebars::{
    Template, TemplateError,
    template::{DecoratorTemplate, HelperTemplate, Parameter, TemplateElement},
};

#[cfg(test)]
use super::MAX_SOURCE;
use super::SyntaxError;
use crate::helpers;

/// Deepest nesting of blocks (each branch of an else-if chain counts), and of brackets in one tag.
const MAX_NESTING: usize = 48;

/// Hidden helpers around every block body; no identifier of the syntax can spell them by accident.
pub(crate) const ENTER: &str = "wharf-enter-block";
pub(crate) const LEAVE: &str = "wharf-leave-block";

/// Helpers and blocks the engine brings along.
const BUILT_IN: &[&str] = &[
    "if", "unless", "each", "with", "lookup", "raw", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or",
    "not", "len",
];

/// Reads `source`.
pub(crate) fn compile(source: &str) -> Result<Template, SyntaxError> {
    measure_nesting(source)?;
    let mut template = Template::compile(source).map_err(|error| syntax_error(&error))?;
    check_helpers(&template)?;
    let [enter, leave] = [ENTER, LEAVE].map(|name| Template::compile(&format!("{{{{{name}}}}}")));
    let (Ok(enter), Ok(leave)) = (enter, leave) else {
        return Err(SyntaxError::at(1, "the engine refuses its own brackets"));
    };
    bracket(&mut template, &enter, &leave);
    Ok(template)
}

fn syntax_error(error: &TemplateError) -> SyntaxError {
    let line = error.pos().map_or(1, |(line, _)| line);
    SyntaxError { line, column: error.pos().map(|(_, column)| column), reason: error.reason().to_string() }
}

/// Walks over the tags of `source` without understanding them.
fn measure_nesting(source: &str) -> Result<(), SyntaxError> {
    let mut open_blocks: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(found) = source[at..].find("{{") {
        let start = at + found;
        let (tag, end) = tag_at(source, start);
        let word = tag.trim_start_matches(['{', '~']).trim_start();
        if word.starts_with('#') {
            open_blocks.push(1);
            depth += 1;
        } else if word.starts_with("else") || word.starts_with('^') {
            if let Some(branches) = open_blocks.last_mut() {
                *branches += 1;
                depth += 1;
            }
        } else if word.starts_with('/') {
            depth -= open_blocks.pop().unwrap_or(0);
        }
        if depth > MAX_NESTING || brackets(tag) > MAX_NESTING {
            let line = source[..start].matches('\n').count() + 1;
            let reason = format!("nested more than {MAX_NESTING} deep: split it into partials");
            return Err(SyntaxError::at(line, reason));
        }
        at = end;
    }
    Ok(())
}

/// The inside of the tag that starts at `start`, and where it ends.
fn tag_at(source: &str, start: usize) -> (&str, usize) {
    let rest = &source[start + 2..];
    let body = rest.trim_start_matches('~');
    if body.starts_with('!') {
        let closing = if body.starts_with("!--") { "--}}" } else { "}}" };
        let end = rest.find(closing).map_or(source.len(), |found| start + 2 + found + closing.len());
        return ("", end);
    }
    let mut quote = None;
    for (offset, c) in rest.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '}') if rest[offset..].starts_with("}}") => {
                return (&rest[..offset], start + 2 + offset + 2);
            }
            _ => {}
        }
    }
    (rest, source.len())
}

fn brackets(tag: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in tag.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn check_helpers(template: &Template) -> Result<(), SyntaxError> {
    for (index, element) in template.elements.iter().enumerate() {
        let line = template.mapping.get(index).map_or(1, |mapping| mapping.0);
        let unknown = |name: &str| SyntaxError::at(line, format!("no helper `{name}`: check the spelling"));
        match element {
            TemplateElement::Expression(helper) | TemplateElement::HtmlExpression(helper) => {
                let called = !helper.params.is_empty() || !helper.hash.is_empty();
                check_call(helper, called).map_err(|name| unknown(&name))?;
            }
            TemplateElement::HelperBlock(helper) => {
                check_call(helper, true).map_err(|name| unknown(&name))?;
                for body in [&helper.template, &helper.inverse].into_iter().flatten() {
                    check_helpers(body)?;
                }
            }
            TemplateElement::DecoratorBlock(block)
            | TemplateElement::DecoratorExpression(block)
            | TemplateElement::PartialBlock(block)
            | TemplateElement::PartialExpression(block) => check_decorator(block, unknown)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_decorator(
    block: &DecoratorTemplate,
    unknown: impl Fn(&str) -> SyntaxError,
) -> Result<(), SyntaxError> {
    let parameters = block.params.iter().chain(block.hash.values()).chain([&block.name]);
    for parameter in parameters {
        check_parameter(parameter).map_err(|name| unknown(&name))?;
    }
    block.template.as_ref().map_or(Ok(()), check_helpers)
}

fn check_call(helper: &HelperTemplate, called: bool) -> Result<(), String> {
    check_parameter(&helper.name)?;
    if let Some(name) = helper.name.as_name().filter(|_| called)
        && !BUILT_IN.contains(&name)
        && !helpers::exists(name)
    {
        return Err(name.to_owned());
    }
    helper.params.iter().chain(helper.hash.values()).try_for_each(check_parameter)
}

fn check_parameter(parameter: &Parameter) -> Result<(), String> {
    match parameter {
        Parameter::Subexpression(inner) => match inner.as_element() {
            TemplateElement::Expression(helper) => check_call(helper, true),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

fn bracket(template: &mut Template, enter: &Template, leave: &Template) {
    for element in &mut template.elements {
        let (body, inverse) = match element {
            TemplateElement::HelperBlock(helper) => (&mut helper.template, helper.inverse.as_mut()),
            TemplateElement::DecoratorBlock(block) | TemplateElement::PartialBlock(block) => {
                (&mut block.template, None)
            }
            _ => continue,
        };
        for body in body.iter_mut().chain(inverse) {
            bracket(body, enter, leave);
            body.elements.splice(0..0, enter.elements.iter().cloned());
            body.elements.extend(leave.elements.iter().cloned());
            if let Some(first) = body.mapping.first().cloned() {
                body.mapping.insert(0, first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(source: &str) -> (usize, String) {
        let error = compile(source).unwrap_err();
        (error.line, error.reason)
    }

    #[test]
    fn a_syntax_error_has_its_line() {
        assert_eq!(reason("one\ntwo\n{{#if x}}\nno end").0, 4);
        assert_eq!(reason("one\n{{#if x}}{{/each}}").0, 2);
    }

    #[test]
    fn an_unknown_helper_is_found_in_a_branch_never_taken() {
        let (line, reason) = reason("a\n{{#if false}}\n{{#each (servces)}}x{{/each}}\n{{/if}}");
        assert_eq!((line, reason.as_str()), (3, "no helper `servces`: check the spelling"));
        assert_eq!(compile("{{shout vars.x}}").unwrap_err().line, 1);
    }

    #[test]
    fn absurd_nesting_is_refused_before_the_parser_sees_it() {
        for source in [
            "{{#if a}}".repeat(100_000),
            format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if b}}".repeat(50_000)),
            format!("{{{{join {}", "(".repeat(100_000)),
            format!("{{{{join {}", "[".repeat(100_000)),
        ] {
            assert!(reason(&source[..source.len().min(MAX_SOURCE)]).1.contains("deep"));
        }
    }

    #[test]
    fn the_deepest_nesting_allowed_is_parsed() {
        let source = format!("{}{}", "{{#if a}}".repeat(MAX_NESTING), "{{/if}}".repeat(MAX_NESTING));
        compile(&source).unwrap();
        compile(&"{{#if a}}{{/if}}{{!-- {{#if --}}".repeat(1000)).unwrap();
    }

    #[test]
    fn a_source_of_any_bytes_gives_a_template_or_an_error() {
        for source in [
            "{{",
            "}}",
            "{{}}",
            "{{{",
            "{{/if}}",
            "{{else}}",
            "{{!",
            "{{{{raw}}}}",
            "\\{{",
            "{{> }}",
            "{{\"",
            "é{{é",
        ] {
            let _ = compile(source);
        }
    }
}
