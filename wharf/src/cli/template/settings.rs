//! Reads the settings of `wharf template`: files in their order, then the flags.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail};
use wharf_catalog_http::client::{Access, Client};
use wharf_template::{Config, Mirror, config::CatalogConfig, import};

use super::TemplateArgs;
use crate::config;

/// The settings that files and flags make together.
pub(super) fn resolve(args: &TemplateArgs) -> anyhow::Result<Config> {
    let mut settings = Config::default();
    for path in &args.config {
        for file in files(path)? {
            read(&mut settings, &file)?;
        }
    }
    args.lay_over(&mut settings);
    if settings.templates.is_empty() {
        bail!("there is no template: give --template IN:OUT, or --config with some in it");
    }
    settings.validate()?;
    Ok(settings)
}

/// The file itself, or those of a folder by name.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = path.display();
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot list the folder `{shown}`"))?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot list the folder `{shown}`"))?;
    files.retain(|file| file.is_file());
    files.sort();
    Ok(files)
}

fn read(settings: &mut Config, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the settings file `{}`", file.display()))?;
    if file.extension().is_some_and(|extension| extension == "toml") {
        let earlier = std::mem::take(&mut settings.templates);
        *settings = config::template_table(file, &text)?;
        settings.templates.splice(0..0, earlier);
        return Ok(());
    }
    for note in import::apply(settings, file, &text)? {
        tracing::warn!(file = %file.display(), "{note}");
    }
    Ok(())
}

/// The catalog to follow.
pub(super) fn mirror(catalog: &CatalogConfig) -> anyhow::Result<Mirror> {
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let token = match (&catalog.token, &catalog.token_file) {
        (Some(token), _) => Some(token.clone()),
        (None, Some(file)) => Some(String::from_utf8_lossy(&read(file)?).trim().to_owned()),
        (None, None) => None,
    };
    let mut identity = catalog.cert.as_ref().map(read).transpose()?;
    if let (Some(identity), Some(key)) = (&mut identity, &catalog.key) {
        // A file need not end with its last line.
        identity.push(b'\n');
        identity.extend(read(key)?);
    }
    let basic = catalog.auth.as_deref().map(|auth| auth.split_once(':').unwrap_or((auth, "")));
    let access = Access {
        url: catalog.url(),
        token,
        basic: basic.map(|(user, password)| (user.to_owned(), password.to_owned())),
        authorities: authorities(catalog)?,
        identity,
        skip_verify: !catalog.tls_verify,
    };
    let client = Client::open(&access).map_err(|error| anyhow!(error))?;
    Ok(Mirror::new(client, catalog.mirror()))
}

fn authorities(catalog: &CatalogConfig) -> anyhow::Result<Option<Vec<u8>>> {
    let mut paths: Vec<_> = catalog.ca_cert.clone().into_iter().collect();
    if let Some(folder) = &catalog.ca_path {
        paths.extend(files(folder)?);
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let mut all = Vec::new();
    for path in paths {
        all.extend(fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?);
        all.push(b'\n');
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_are_laid_over_each_other_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let template =
            |name| format!("template {{\n source = \"{name}\"\n destination = \"{name}.out\"\n}}\n");
        fs::write(folder.path().join("b.hcl"), format!("max_stale = \"1s\"\n{}", template("b"))).unwrap();
        fs::write(folder.path().join("a.hcl"), format!("max_stale = \"9s\"\n{}", template("a"))).unwrap();
        let mut settings = Config::default();
        for file in files(folder.path()).unwrap() {
            read(&mut settings, &file).unwrap();
        }
        assert_eq!(settings.catalog.max_stale, std::time::Duration::from_secs(1));
        assert_eq!(settings.templates.iter().map(|t| t.label()).collect::<Vec<_>>(), ["a.out", "b.out"]);
    }

    #[test]
    fn wharfs_own_settings_are_read_whole_or_as_their_table() {
        let folder = tempfile::tempdir().unwrap();
        let entry = "source = \"a.hbs\"\ndestination = \"a\"\n";
        for text in [format!("[[template.templates]]\n{entry}"), format!("[[templates]]\n{entry}")] {
            let file = folder.path().join("x.toml");
            fs::write(&file, text).unwrap();
            let mut settings = Config::default();
            read(&mut settings, &file).unwrap();
            assert_eq!(settings.templates.len(), 1);
        }
    }
}
