//! `cargo xtask checklist`: which line of docs/checklist.md is shown by which test.
//!
//! Invariant: only test code counts; a number in a description of code shows nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use crate::tidy::{File, Tree};

/// A line's number: section and place in it, so that S2.10 comes after S2.9.
type Number = (u32, u32);

/// Runs the task: `--missing` prints the lines alone that no test shows.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let missing_alone = match arguments {
        [] => false,
        [flag] if flag == "--missing" => true,
        _ => return Err("checklist takes only --missing".into()),
    };
    let tree = Tree::read()?;
    let lines = lines(tree.file("docs/checklist.md")?);
    let shown = shown(&tree);
    let sections: BTreeSet<u32> = lines.keys().map(|(section, _)| *section).collect();
    let mut out = String::new();
    let mut count = 0;
    for (number, text) in &lines {
        let tests = shown.get(number);
        count += usize::from(tests.is_some());
        let name = spelled(*number);
        match tests {
            None => out.push_str(&format!("{name:8} not shown: {text}\n")),
            Some(_) if missing_alone => {}
            Some(tests) => {
                let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
                out.push_str(&format!("{name:8} {}\n", tests.join("\n         ")));
            }
        }
    }
    out.push_str(&format!("{count} of {} lines are shown by tests\n", lines.len()));
    std::io::stdout()
        .write_all(out.as_bytes())
        .map_err(|error| error.to_string())?;
    let unknown: Vec<String> = shown
        .iter()
        .filter(|(number, _)| sections.contains(&number.0) && !lines.contains_key(number))
        .map(|(number, tests)| {
            format!(
                "{} ({})",
                spelled(*number),
                tests.iter().cloned().collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "tests cite lines that are not there: {}",
            unknown.join("; ")
        ))
    }
}

fn spelled((section, line): Number) -> String {
    format!("S{section}.{line}")
}

/// The checklist: `- S2.3 text`.
fn lines(text: &str) -> BTreeMap<Number, &str> {
    text.lines()
        .filter_map(|line| {
            let (number, text) = line.strip_prefix("- ")?.split_once(' ')?;
            Some((*numbers(number).first()?, text))
        })
        .collect()
}

/// Every number in a line of text.
fn numbers(text: &str) -> Vec<Number> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices('S') {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            continue;
        }
        let rest = text.get(at + 1..).unwrap_or_default();
        let Some((section, rest)) = rest.split_once('.') else {
            continue;
        };
        let line = rest
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        if let (Ok(section), Ok(line)) = (section.parse(), line.parse()) {
            found.push((section, line));
        }
    }
    found
}

/// The tests that cite each number: `file: name`.
fn shown(tree: &Tree) -> BTreeMap<Number, BTreeSet<String>> {
    let mut shown: BTreeMap<Number, BTreeSet<String>> = BTreeMap::new();
    for file in &tree.files {
        let lines: Vec<&str> = file.text.lines().collect();
        for at in test_lines(file, &lines) {
            let Some(line) = lines.get(at) else { continue };
            for number in numbers(line) {
                let name = test_of(&lines, at).unwrap_or("(file)");
                shown
                    .entry(number)
                    .or_default()
                    .insert(format!("{}: {name}", file.path));
            }
        }
    }
    shown
}

/// Which lines of a file are test code.
fn test_lines(file: &File, lines: &[&str]) -> std::ops::Range<usize> {
    let whole = file.path.contains("/tests/") || file.path.starts_with("tests/") || file.stem() == "tests";
    match file.extension() {
        "rs" if whole => 0..lines.len(),
        "rs" => {
            let start = lines.iter().position(|line| line.trim() == "#[cfg(test)]");
            start.unwrap_or(lines.len())..lines.len()
        }
        "py" | "txt" if whole => 0..lines.len(),
        _ => 0..0,
    }
}

/// The name of the test that the citation in a line belongs to: a comment before a function means that function, anything
/// else the function that it stands in.
fn test_of<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    let before = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("//") || line.starts_with('#') || line.starts_with('@')
    };
    let rest = lines.get(at..)?;
    let after = rest
        .iter()
        .position(|line| !before(line))
        .and_then(|skipped| function(rest.get(skipped)?));
    if let Some(name) = after {
        return Some(name);
    }
    lines.get(..=at)?.iter().rev().find_map(|line| function(line))
}

/// The function or class whose definition begins in a line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let keywords = ["fn ", "async fn ", "pub fn ", "pub(crate) fn ", "def ", "class "];
    let rest = keywords.iter().find_map(|keyword| line.strip_prefix(keyword))?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Tree {
        let file = File {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Tree {
            root: ".".into(),
            files: vec![file],
        }
    }

    fn of(tree: &Tree) -> Vec<(Number, String)> {
        shown(tree)
            .into_iter()
            .flat_map(|(number, tests)| tests.into_iter().map(move |test| (number, test)))
            .collect()
    }

    #[test]
    fn numbers_are_read_and_words_are_not() {
        let checked = format!("{}, {} and MS2.3 XS1.1 S x.1", spelled((2, 10)), spelled((12, 3)));
        assert_eq!(numbers(&checked), [(2, 10), (12, 3)]);
    }

    #[test]
    fn a_comment_belongs_to_the_function_after_it_and_a_body_to_its_own() {
        let cited = [spelled((2, 1)), spelled((2, 2))];
        let text = format!(
            "/// {}: said\n#[test]\nfn first() {{\n    // inside, {}\n    let x = 1;\n}}\n",
            cited[0], cited[1]
        );
        let found = of(&file("crates/a/tests/b.rs", &text));
        assert_eq!(found[0], ((2, 1), "crates/a/tests/b.rs: first".to_owned()));
        assert_eq!(found[1], ((2, 2), "crates/a/tests/b.rs: first".to_owned()));
    }

    #[test]
    fn only_test_code_counts() {
        let text = format!(
            "/// {}\nfn real() {{}}\n#[cfg(test)]\nmod tests {{\n    // {}\n    fn shows() {{}}\n}}\n",
            spelled((8, 1)),
            spelled((8, 2))
        );
        assert_eq!(
            of(&file("crates/a/src/b.rs", &text)),
            [((8, 2), "crates/a/src/b.rs: shows".to_owned())]
        );
    }
}
