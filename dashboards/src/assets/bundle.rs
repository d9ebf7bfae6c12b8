//! Our scripts as the browser gets them: few files, since a file costs a browser more than what is in it.
//!
//! The frame, which every page has, brings what it needs and what more than one of the others do; each of those
//! (the pages, the palette) brings what nobody else needs. All keep their own addresses. Within a bundle a script
//! is the body of a function that gives what the script exports, and `modules`, which the frame exports, keeps
//! that by the script's path. What is taken from others (`from "preact"`) the browser imports.
//!
//! Scripts are read by lines, which the tests hold them to: an import is one line, and what is exported is a
//! function or a constant that says so where it begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{Files, pack};

/// The script of every page.
const FRAME: &str = "js/app.js";

/// Which scripts come together.
#[derive(Debug)]
pub(super) struct Bundles {
    /// What the frame brings, each after what it needs.
    frame: Vec<String>,
}

impl Bundles {
    /// Those of the embedded files.
    pub(super) fn embedded() -> Self {
        let scripts = scripts();
        let needed: BTreeSet<&String> =
            scripts.values().flat_map(|one| &one.needs).map(|(_, from)| from).collect();
        let others = scripts.keys().filter(|path| *path != FRAME && !needed.contains(path));
        let mut wanted = BTreeMap::<&str, usize>::new();
        for entry in others {
            let mut all = Vec::new();
            in_order(&scripts, entry, &[], &mut all);
            all.into_iter().for_each(|module| *wanted.entry(&module.path).or_default() += 1);
        }
        let mut frame = Vec::new();
        for (shared, _) in wanted.into_iter().filter(|(_, entries)| *entries > 1) {
            in_order(&scripts, shared, &[], &mut frame);
        }
        in_order(&scripts, FRAME, &[], &mut frame);
        Self { frame: frame.into_iter().map(|module| module.path.clone()).collect() }
    }

    /// What comes for the script at `path`.
    pub(super) fn of(&self, path: &str) -> String {
        let (scripts, mut modules) = (scripts(), Vec::new());
        let registry = if path == FRAME {
            modules.extend(self.frame.iter().filter_map(|path| scripts.get(path)));
            "export const modules = {};\n".to_owned()
        } else {
            in_order(&scripts, path, &self.frame, &mut modules);
            let up = "../".repeat(path.matches('/').count().saturating_sub(1));
            format!("import {{ modules }} from \"{}app.js\";\n", if up.is_empty() { "./" } else { &up })
        };
        let mut text = imports(&modules);
        text.push_str(&registry);
        modules.iter().for_each(|module| module.write(&mut text));
        if let Some(entry) = modules.last().filter(|module| !module.exports.is_empty()) {
            let _ = writeln!(text, "export const {{ {} }} = modules[\"{path}\"];", entry.exports.join(", "));
        }
        text
    }
}

/// One script, taken apart.
#[derive(Debug, Default)]
struct Module {
    path: String,
    /// Names of what others made, each with whose it is: `{ signal }`, `@preact/signals`.
    taken: Vec<(String, String)>,
    /// Names of its own for what other scripts export, and their paths.
    needs: Vec<(String, String)>,
    exports: Vec<String>,
    body: String,
}

impl Module {
    fn read(path: &str) -> Self {
        let script = Files::get(path).map(|file| file.data).unwrap_or_default();
        let script = pack::without_comments(&String::from_utf8_lossy(&script));
        let mut module = Self { path: path.to_owned(), ..Self::default() };
        for line in script.lines() {
            let import = line.strip_prefix("import ").and_then(|rest| rest.strip_suffix("\";"));
            match import.and_then(|import| import.split_once(" from \"")) {
                Some((names, from)) if from.starts_with('.') => {
                    module.needs.push((names.replace(" as ", ": "), resolved(path, from)));
                }
                Some((names, from)) => module.taken.push((names.to_owned(), from.to_owned())),
                None => module.line(line),
            }
        }
        module
    }

    fn line(&mut self, line: &str) {
        let exported = line.strip_prefix("export ");
        if let Some(name) = exported.and_then(declared) {
            self.exports.push(name.to_owned());
        }
        self.body.push_str(exported.unwrap_or(line));
        self.body.push('\n');
    }

    fn write(&self, text: &mut String) {
        // Writing to memory does not fail.
        let _ = writeln!(text, "modules[\"{}\"] = (() => {{", self.path);
        for (names, from) in &self.needs {
            let _ = writeln!(text, "const {names} = modules[\"{from}\"];");
        }
        let _ = writeln!(text, "{}return {{ {} }};\n}})();", self.body, self.exports.join(", "));
    }
}

/// All of ours, by path.
fn scripts() -> BTreeMap<String, Module> {
    let names = Files::iter().filter(|name| name.starts_with("js/"));
    names.map(|name| (name.to_string(), Module::read(&name))).collect()
}

/// Adds the script at `path` after all that it needs, each once; those `there` are not asked for.
fn in_order<'a>(
    scripts: &'a BTreeMap<String, Module>,
    path: &str,
    there: &[String],
    modules: &mut Vec<&'a Module>,
) {
    if there.iter().any(|known| known == path) || modules.iter().any(|known| known.path == path) {
        return;
    }
    let Some(module) = scripts.get(path) else { return };
    for (_, needed) in &module.needs {
        in_order(scripts, needed, there, modules);
    }
    modules.push(module);
}

/// Imports of what the modules take from others, each name once.
fn imports(modules: &[&Module]) -> String {
    let mut taken = BTreeMap::<&str, (BTreeSet<&str>, BTreeSet<&str>)>::new();
    for (names, from) in modules.iter().flat_map(|module| &module.taken) {
        let (named, whole) = taken.entry(from).or_default();
        match names.strip_prefix("{ ").and_then(|names| names.strip_suffix(" }")) {
            Some(names) => named.extend(names.split(", ")),
            None => drop(whole.insert(names)),
        }
    }
    let mut text = String::new();
    for (from, (named, whole)) in taken {
        let named = (!named.is_empty())
            .then(|| format!("{{ {} }}", named.into_iter().collect::<Vec<_>>().join(", ")));
        for names in whole.into_iter().map(str::to_owned).chain(named) {
            let _ = writeln!(text, "import {names} from \"{from}\";");
        }
    }
    text
}

/// The name in `function name(`, `async function name(` and `const name =`.
fn declared(statement: &str) -> Option<&str> {
    let statement = statement.strip_prefix("async ").unwrap_or(statement);
    let rest = statement.strip_prefix("function ").or_else(|| statement.strip_prefix("const "))?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$'))?;
    (end > 0).then(|| &rest[..end])
}

fn resolved(from: &str, import: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_comes_once_after_what_it_needs() {
        let bundles = Bundles::embedded();
        let [frame, page] = [FRAME, "js/pages/overview.js"].map(|path| bundles.of(path));
        let place = |text: &str, path: &str| text.find(&format!("modules[\"{path}\"] = "));
        assert!(place(&frame, "js/dom.js") < place(&frame, FRAME));
        assert!(place(&frame, "js/pages/overview.js").is_none(), "that comes when it is wanted");
        assert!(frame.contains("import(\"./pages/overview.js\")"));
        assert!(place(&page, "js/dom.js").is_none(), "there already");
        assert!(page.contains("import { modules } from \"../app.js\";"));
        assert!(page.ends_with("export const { Overview } = modules[\"js/pages/overview.js\"];\n"));
        assert!(bundles.of("js/palette.js").contains("import { modules } from \"./app.js\";"));
        let lazy = frame.split("import(\"./").skip(1).map(|rest| rest.split('"').next().unwrap());
        let all: String = lazy.map(|path| bundles.of(&format!("js/{path}"))).chain([frame.clone()]).collect();
        for script in scripts().into_values() {
            let places = all.matches(&format!("modules[\"{}\"] = ", script.path)).count();
            assert_eq!(places, 1, "{} comes {places} times", script.path);
        }
    }

    #[test]
    fn what_is_taken_from_others_has_one_name_in_a_bundle() {
        let bundles = Bundles::embedded();
        for script in scripts().into_values() {
            let text = bundles.of(&script.path);
            let imports = text.lines().filter_map(|line| line.strip_prefix("import "));
            let names = imports.flat_map(|import| import.split(" from ").next().unwrap().split(", "));
            let mut names: Vec<_> = names.map(|name| name.trim_matches(['{', '}', ' '])).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}: {names:?}", script.path);
        }
    }

    #[test]
    fn scripts_are_written_so_that_they_can_be_read_by_lines() {
        for name in Files::iter().filter(|name| name.starts_with("js/")) {
            let data = Files::get(&name).unwrap().data;
            for (at, line) in str::from_utf8(&data).unwrap().lines().enumerate() {
                let (place, text) = (format!("{name}:{}", at + 1), line.trim_start());
                if text.starts_with("import ") || text.starts_with("export ") {
                    assert!(line.starts_with(text), "{place}: not at its line's begin");
                }
                if line.starts_with("import ") {
                    assert!(
                        line.contains(" from \"") && line.ends_with("\";"),
                        "{place}: not one whole line"
                    );
                }
                if let Some(statement) = line.strip_prefix("export ") {
                    assert!(declared(statement).is_some(), "{place}: no function and no constant");
                }
            }
        }
    }

    #[test]
    fn every_import_leads_to_what_is_exported() {
        let scripts = scripts();
        let exports: BTreeMap<_, _> =
            scripts.values().map(|module| (&module.path, &module.exports)).collect();
        for module in scripts.values() {
            for (names, from) in &module.needs {
                let given = exports.get(from).unwrap_or_else(|| panic!("{} imports {from}", module.path));
                for name in names.trim_matches(['{', '}', ' ']).split(", ") {
                    let name = name.split(": ").next().unwrap().to_owned();
                    assert!(given.contains(&name), "{}: {from} exports no {name}", module.path);
                }
            }
        }
    }

    #[test]
    fn no_script_needs_itself_in_the_end() {
        let scripts = scripts();
        let mut reached: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for module in scripts.values() {
            reached.insert(&module.path, module.needs.iter().map(|(_, from)| from).collect());
        }
        for _ in &scripts {
            let before = reached.clone();
            for found in reached.values_mut() {
                let further: Vec<_> = found.iter().filter_map(|path| before.get(path)).flatten().collect();
                found.extend(further);
            }
        }
        for (path, found) in reached {
            assert!(!found.contains(path), "{path} is in a circle");
        }
    }
}
