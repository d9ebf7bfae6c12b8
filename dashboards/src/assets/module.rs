//! Which scripts does a script need before it runs?

use std::collections::BTreeSet;

use super::Files;

/// The files that `first` import and those import in turn, `first` themselves left out, in the order in
/// which they are met; what is imported by name, or only when it comes to it, is not among them.
pub(super) fn needed_by(first: &[String]) -> Vec<String> {
    let mut met: BTreeSet<String> = first.iter().cloned().collect();
    let (mut needed, mut at) = (first.to_vec(), 0);
    while let Some(path) = needed.get(at) {
        let script = Files::get(path).map(|file| file.data).unwrap_or_default();
        let found = imports(path, &String::from_utf8_lossy(&script));
        needed.extend(found.into_iter().filter(|import| met.insert(import.clone())));
        at += 1;
    }
    needed.split_off(first.len())
}

/// What `import ... from "./relative.js";` says, on a line of its own as all of ours are.
fn imports(path: &str, script: &str) -> Vec<String> {
    let statements = script.lines().filter(|line| line.starts_with("import "));
    let named = statements.filter_map(|line| line.split('"').nth(1));
    named.filter(|import| import.starts_with('.')).map(|import| resolved(path, import)).collect()
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
    fn imports_are_followed_and_each_is_named_once() {
        let needed = needed_by(&["js/app.js".to_owned(), "js/pages/overview.js".to_owned()]);
        for file in ["js/dom.js", "js/table.js", "js/parts/text.js", "js/parts/toast.js"] {
            assert_eq!(needed.iter().filter(|one| *one == file).count(), 1, "{file}: {needed:?}");
        }
        assert!(!needed.iter().any(|file| file.contains("pages/") || file == "js/app.js"), "{needed:?}");
    }

    #[test]
    fn every_import_is_read_and_leads_to_a_file() {
        for name in Files::iter().filter(|name| name.ends_with(".js")) {
            let data = Files::get(&name).unwrap().data;
            let script = str::from_utf8(&data).unwrap();
            let statements = script.lines().filter(|line| line.trim_start().starts_with("import "));
            assert!(
                statements.clone().all(|line| line.starts_with("import ")),
                "{name}: an import further in"
            );
            assert!(
                statements.clone().all(|line| line.ends_with("\";")),
                "{name}: an import of several lines"
            );
            for import in imports(&name, script) {
                assert!(Files::get(&import).is_some(), "{name} imports {import}");
            }
        }
    }
}
