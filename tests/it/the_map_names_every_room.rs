//! ARCHITECTURE.md is the picture of this code: it names every member of the workspace.

#[test]
fn every_workspace_member_stands_in_the_picture() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |name: &str| std::fs::read_to_string(format!("{root}/{name}")).unwrap();
    let (manifest, map): (toml::Table, _) =
        (toml::from_str(&read("Cargo.toml")).unwrap(), read("ARCHITECTURE.md"));
    for member in manifest["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        assert!(map.contains(member), "ARCHITECTURE.md does not name `{member}`");
    }
}
