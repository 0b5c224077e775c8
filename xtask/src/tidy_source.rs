//! Tidy: source files say what they are for, stay small, and have names that say something.

use crate::tidy::{File, Tree};

/// Lines that a file may not pass.
const LINES_MAX: usize = 800;

/// Lines above which a file must be on the list below.
const LINES_GROWN: usize = 600;

/// Files that have passed `LINES_GROWN`, with the lines that they may have. The list and its numbers may only shrink.
const GROWN: &[(&str, usize)] = &[];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] = &[
    "base",
    "common",
    "data",
    "handler_impl",
    "helper",
    "helpers",
    "impl",
    "info",
    "manager",
    "managers",
    "misc",
    "util",
    "utils",
];

fn code(file: &File) -> bool {
    matches!(file.extension(), "rs" | "py")
}

/// Every module begins by saying what it is for.
pub(crate) fn documentation(tree: &Tree) -> Result<Vec<String>, String> {
    let silent = tree.files.iter().filter(|file| code(file)).filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        let begins = match file.extension() {
            "rs" => first.strip_prefix("//!"),
            _ => first.strip_prefix("\"\"\""),
        };
        begins.is_none_or(|words| words.trim().is_empty())
    });
    Ok(silent
        .map(|file| format!("{} does not begin by saying what it is for", file.path))
        .collect())
}

/// No file grows beyond reading.
pub(crate) fn sizes(tree: &Tree) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| code(file) && !file.generated()) {
        let lines = file.text.lines().count();
        let listed = GROWN
            .iter()
            .find(|(path, _)| *path == file.path)
            .map(|(_, lines)| *lines);
        let path = &file.path;
        match listed {
            _ if lines > LINES_MAX => problems.push(format!(
                "{path} has {lines} lines, more than {LINES_MAX}: split it"
            )),
            Some(most) if lines > most => {
                problems.push(format!("{path} grew from {most} to {lines} lines: split it"))
            }
            Some(_) if lines <= LINES_GROWN => {
                problems.push(format!("{path} has only {lines} lines: take it off the list"))
            }
            None if lines > LINES_GROWN => {
                problems.push(format!(
                    "{path} has {lines} lines, more than {LINES_GROWN}: split it by its nouns"
                ));
            }
            _ => {}
        }
    }
    for (path, _) in GROWN {
        if !tree.files.iter().any(|file| file.path == *path) {
            problems.push(format!("{path} is gone: take it off the list"));
        }
    }
    Ok(problems)
}

/// Files and modules are named for what is in them.
pub(crate) fn names(tree: &Tree) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| code(file)) {
        // The one crate whose services are what the word says: S3 and others that keep data.
        let path = file.path.strip_prefix("services/data/").unwrap_or(&file.path);
        let folders = path.split('/').rev().skip(1);
        let named = folders.chain([file.stem()]);
        problems.extend(
            named
                .filter(|name| EMPTY_NAMES.contains(name))
                .map(|name| format!("{}: `{name}` says nothing", file.path)),
        );
        let modules = file
            .text
            .lines()
            .filter(|_| file.extension() == "rs")
            .filter_map(module);
        let empty = modules.filter(|name| EMPTY_NAMES.contains(name));
        problems.extend(empty.map(|name| format!("{}: the module `{name}` says nothing", file.path)));
    }
    Ok(problems)
}

/// The name of the module that a line declares.
fn module(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("mod ")?;
    if !(before.trim().is_empty() || before.trim_start().starts_with("pub")) {
        return None;
    }
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

/// No file knows the machine that it was written on: home folders, this checkout's place, private registries.
pub(crate) fn machine(tree: &Tree) -> Result<Vec<String>, String> {
    let mut marks = vec![
        "/home/".to_owned(),
        "/root/".to_owned(),
        "/Users/".to_owned(),
        "/artifactory".to_owned(),
    ];
    let checkout = tree.root.display().to_string();
    let home = std::env::var("HOME").unwrap_or_default();
    // A short path, such as that of a container's checkout, is an ordinary word of other paths.
    marks.extend(
        [checkout, home]
            .into_iter()
            .filter(|path| path.matches('/').count() > 1),
    );
    let mut problems = Vec::new();
    for file in &tree.files {
        if file.path == "xtask/src/tidy_source.rs" || file.path.starts_with("models/") {
            continue;
        }
        for (number, line) in (1..).zip(file.text.lines()) {
            let found = marks.iter().find(|mark| begins_path(line, mark));
            if let Some(mark) = found {
                problems.push(format!(
                    "{}:{number} names a place of one machine ({mark})",
                    file.path
                ));
            }
        }
    }
    Ok(problems)
}

/// Whether `mark` stands in the line where a path begins, not inside a longer one.
fn begins_path(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        mark.starts_with("/artifactory")
            || before.is_none_or(|c| !c.is_alphanumeric() && !"/.-_}*:…".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(path: &str, text: &str) -> Tree {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Tree {
            root: "/somewhere".into(),
            files: vec![file],
        }
    }

    #[test]
    fn a_silent_module_is_found() {
        assert_eq!(documentation(&tree("a/b.rs", "//! What.\nfn f() {}")), Ok(vec![]));
        assert_eq!(
            documentation(&tree("a/b.rs", "//!\nfn f() {}")).map(|found| found.len()),
            Ok(1)
        );
        assert_eq!(
            documentation(&tree("a/b.py", "import os")).map(|found| found.len()),
            Ok(1)
        );
    }

    #[test]
    fn a_long_file_is_found_unless_a_task_wrote_it() {
        let long = "x\n".repeat(LINES_MAX + 1);
        assert_eq!(sizes(&tree("a/b.rs", &long)).map(|found| found.len()), Ok(1));
        assert_eq!(
            sizes(&tree("a/b.rs", &"x\n".repeat(LINES_GROWN + 1))).map(|found| found.len()),
            Ok(1)
        );
        let generated = format!("//! Generated by `cargo xtask codegen`.\n{long}");
        assert_eq!(sizes(&tree("a/b.rs", &generated)), Ok(vec![]));
    }

    #[test]
    fn empty_names_are_found_in_files_folders_and_modules() {
        for (path, text) in [
            ("a/utils.rs", ""),
            ("common/b.rs", ""),
            ("a/b.rs", "    pub(crate) mod misc {"),
        ] {
            assert_eq!(names(&tree(path, text)).map(|found| found.len()), Ok(1), "{path}");
        }
        assert_eq!(names(&tree("a/b.rs", "mod database; // a mod util")), Ok(vec![]));
    }

    #[test]
    fn a_place_of_one_machine_is_found_but_not_the_middle_of_a_path() {
        let home = format!("{}home/someone/x", "/");
        assert_eq!(
            machine(&tree("a.md", &format!("see {home}"))).map(|found| found.len()),
            Ok(1)
        );
        assert_eq!(
            machine(&tree("a.md", &format!("arn:aws:iam::1:user{home}"))),
            Ok(vec![])
        );
    }
}
