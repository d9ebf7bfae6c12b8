//! Tags that the settings give to every service: text, with `{{ }}` that look into the container.
//!
//! Of Go's templates what Registrator's `-tags` is used for: fields (`.ID`, `.Name`, `.Config.Image`,
//! `.Config.Hostname`, `.Config.Labels.NAME`), `index .Config.Labels "NAME"`, quoted text, and the functions
//! `toUpper`, `toLower`, `replace OLD NEW`, alone or after `|`. Anything else is refused by name.

use crate::{container::Container, labels::split_tags};

/// Longest template and longest tag, in bytes.
const LONGEST: (usize, usize) = (4096, 255);

/// The tags of `template` for `container`; or what is wrong with it.
pub fn render(template: &str, container: &Container) -> Result<Vec<String>, String> {
    if template.len() > LONGEST.0 {
        return Err(format!("longer than {} bytes", LONGEST.0));
    }
    let mut tags = split_tags(&expand(template, container)?);
    tags.retain(|tag| tag.len() <= LONGEST.1 && !tag.chars().any(char::is_control));
    Ok(tags)
}

/// Is the template right, whatever the container?
pub fn check(template: &str) -> Result<(), String> {
    render(template, &Container::nameless()).map(drop)
}

fn expand(template: &str, container: &Container) -> Result<String, String> {
    let (mut text, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or("`{{` without `}}`")?;
        text.push_str(before);
        text.push_str(&pipeline(action, container)?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

fn pipeline(action: &str, container: &Container) -> Result<String, String> {
    let words = words(action.trim().trim_matches('-').trim())?;
    let mut value: Option<String> = None;
    for stage in words.split(|word| *word == Word::Pipe) {
        value = Some(self::stage(stage, value, container)?);
    }
    value.ok_or_else(|| "`{{}}` says nothing".to_owned())
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Pipe,
    Name(String),
    Text(String),
}

fn words(action: &str) -> Result<Vec<Word>, String> {
    let (mut words, mut rest) = (Vec::new(), action.trim_start());
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '|' => {
                words.push(Word::Pipe);
                1
            }
            '"' | '`' => {
                let end = rest[1..].find(first).ok_or("a quoted text has no end")?;
                words.push(Word::Text(rest[1..=end].to_owned()));
                end + 2
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "|\"`".contains(c)).unwrap_or(rest.len());
                words.push(Word::Name(rest[..end].to_owned()));
                end
            }
        };
        rest = rest[used..].trim_start();
    }
    Ok(words)
}

fn stage(stage: &[Word], piped: Option<String>, container: &Container) -> Result<String, String> {
    let Some((head, arguments)) = stage.split_first() else {
        return Err("nothing stands beside a `|`".to_owned());
    };
    if let (Word::Name(name), [Word::Name(map), Word::Text(key)], None) = (head, arguments, &piped)
        && name == "index"
        && map == ".Config.Labels"
    {
        return Ok(container.labels.get(key).cloned().unwrap_or_default());
    }
    let values = arguments.iter().map(|word| value(word, container)).collect::<Result<Vec<_>, _>>()?;
    let values: Vec<_> = values.into_iter().chain(piped).collect();
    match (head, values.as_slice()) {
        (head, []) => value(head, container),
        (Word::Name(name), [text]) if name == "toUpper" => Ok(text.to_uppercase()),
        (Word::Name(name), [text]) if name == "toLower" => Ok(text.to_lowercase()),
        (Word::Name(name), [old, new, text]) if name == "replace" && !old.is_empty() => {
            Ok(text.replace(old.as_str(), new))
        }
        _ => Err(format!("`{}` with {} arguments is not understood", spelled(head), values.len())),
    }
}

fn value(word: &Word, container: &Container) -> Result<String, String> {
    let name = match word {
        Word::Text(text) => return Ok(text.clone()),
        other => spelled(other),
    };
    match name {
        ".ID" => Ok(container.id.clone()),
        ".Name" => Ok(format!("/{}", container.name)),
        ".Config.Image" => Ok(container.image.clone()),
        ".Config.Hostname" => Ok(container.hostname.clone()),
        _ => match name.strip_prefix(".Config.Labels.") {
            Some(key) => Ok(container.labels.get(key).cloned().unwrap_or_default()),
            None => Err(format!(
                "`{name}` is not understood: use .ID, .Name, .Config.Image, .Config.Hostname, .Config.Labels.NAME \
                 or index .Config.Labels \"NAME\""
            )),
        },
    }
}

fn spelled(word: &Word) -> &str {
    match word {
        Word::Pipe => "|",
        Word::Name(text) | Word::Text(text) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::tests::container;

    fn rendered(template: &str) -> Result<Vec<String>, String> {
        render(template, &container(&[("com.team", "Blue"), ("zone", "a")]))
    }

    #[test]
    fn plain_tags_stay_and_actions_look_into_the_container() {
        assert_eq!(rendered(r"prod,eu\,west").unwrap(), ["prod", "eu,west"]);
        let template = r#"{{index .Config.Labels "com.team" | toLower}},{{.Config.Labels.zone}},{{.Name}},{{ toUpper "x" }}"#;
        assert_eq!(rendered(template).unwrap(), ["blue", "a", "/app", "X"]);
        assert_eq!(
            rendered(r#"{{replace ":" "-" .Config.Image}}"#).unwrap(),
            ["registry-5000/team/image-1.2"]
        );
        assert!(rendered(r#"{{index .Config.Labels "none"}}"#).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (template, name) in [
            ("{{httpGet \"x\"}}", "httpGet"),
            ("{{.Secret}}", ".Secret"),
            ("{{ .ID", "}}"),
            ("{{\"x}}", "end"),
        ] {
            let reason = rendered(template).unwrap_err();
            assert!(reason.contains(name), "{template}: {reason}");
        }
        assert!(check("{{.Config.Labels.x}}").is_ok());
    }
}
