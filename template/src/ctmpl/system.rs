//! What lies outside the catalog: environment, files, programs.

use std::path::Path;

use wharf_gotemplate::{Type, Value, strconv};

use super::{Function, bytes, function, sockaddr, string, strings, variadic};
use crate::eval::WriteFile;

const TEXT: &[Type] = &[Type::String];

pub(super) const FUNCTIONS: &[Function] = &[
    function("env", TEXT, |library, args, _| {
        Ok((library.session.surroundings.env)(&string(args, 0)).unwrap_or_default().into())
    }),
    function("mustEnv", TEXT, |library, args, _| {
        let name = string(args, 0);
        let value = (library.session.surroundings.env)(&name).filter(|value| !value.is_empty());
        value.map(Value::from).ok_or_else(|| format!("required environment variable {name} is empty"))
    }),
    function("envOrDefault", &[Type::String, Type::String], |library, args, _| {
        let value = (library.session.surroundings.env)(&string(args, 0));
        Ok(value.map_or_else(|| args[1].clone(), Value::from))
    }),
    function("file", TEXT, |library, args, _| {
        if bytes(args, 0).is_empty() {
            return Ok("".into());
        }
        let path = String::from_utf8_lossy(strconv::trim_space(bytes(args, 0))).into_owned();
        let read = (library.session.surroundings.file)(Path::new(&path));
        read.map(Value::from).map_err(|error| format!("file({path}): {error}"))
    }),
    variadic("plugin", &[Type::String, Type::String], |library, args, _| {
        let name = string(args, 0);
        if name.is_empty() {
            return Ok("".into());
        }
        let Some(run) = library.session.surroundings.plugin else {
            return Err(format!(
                "`{name}` was not run: templates may run programs only with `allow_plugins = true`"
            ));
        };
        let words: Vec<_> = strings(args, 1)
            .iter()
            .map(|word| String::from_utf8_lossy(strconv::trim_space(word.as_bytes())).into_owned())
            .filter(|word| !word.is_empty())
            .collect();
        let printed = run(&name, &words)?;
        Ok(strconv::trim_space(&printed).into())
    }),
    variadic(
        "writeToFile",
        &[Type::String, Type::String, Type::String, Type::String, Type::String],
        |library, args, _| {
            let (flags, content) = match &args[4..] {
                [content] => (String::new(), content),
                [_, content] => (string(args, 4), content),
                _ => return Err("give path, user, group, mode, perhaps flags, and the content".to_owned()),
            };
            let mode = string(args, 3);
            let perms = u32::from_str_radix(&mode, 8)
                .ok()
                .filter(|perms| *perms <= 0o7777)
                .ok_or_else(|| format!("`{mode}` is no file mode: write `0644`"))?;
            let mut content = bytes(std::slice::from_ref(content), 0).to_vec();
            if flags.contains("newline") {
                content.push(b'\n');
            }
            library.session.write(WriteFile {
                path: string(args, 0).into(),
                user: string(args, 1),
                group: string(args, 2),
                perms,
                content,
                append: flags.contains("append"),
                managed: flags.contains("managed"),
            });
            Ok("".into())
        },
    ),
    variadic("sockaddr", TEXT, |library, args, _| {
        let machine = (library.session.surroundings.machine)()
            .map_err(|error| format!("cannot list this machine's addresses: {error}"))?;
        sockaddr::evaluate(&strings(args, 0), &machine)
    }),
];
