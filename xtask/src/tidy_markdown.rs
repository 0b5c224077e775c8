//! Tidy: what Markdown files point at is there.

use std::path::Path;

use crate::tidy::Tree;

/// Where a path in code style begins if it means a file of this repository.
const TOPS: &[&str] = &[
    ".ci/",
    ".cargo/",
    "benches/",
    "crates/",
    "docs/",
    "fuzz/",
    "models/",
    "services/",
    "src/",
    "tests/",
    "xtask/",
];

/// Every local link and every path in code style exists.
pub(crate) fn links(tree: &Tree) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for file in tree.files.iter().filter(|file| file.extension() == "md") {
        let folder = tree
            .root
            .join(Path::new(&file.path).parent().unwrap_or(Path::new("")));
        for (number, line) in prose(&file.text) {
            for target in targets(line) {
                let (path, _) = target.split_once('#').unwrap_or((target, ""));
                if !path.is_empty() && !folder.join(path).exists() {
                    problems.push(format!(
                        "{}:{number} links to {path}, which is not there",
                        file.path
                    ));
                }
            }
            for path in code_paths(line) {
                if !tree.root.join(path).exists() {
                    problems.push(format!("{}:{number} names {path}, which is not there", file.path));
                }
            }
        }
    }
    Ok(problems)
}

/// The lines outside fenced and indented code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// The targets of a line's links into this repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let starts = line.split("](").skip(1);
    let targets = starts.filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// Paths in code style that can be checked: from the root, without placeholders.
fn code_paths(line: &str) -> impl Iterator<Item = &str> {
    let spans = line.split('`').skip(1).step_by(2);
    spans.filter(|span| {
        TOPS.iter().any(|top| span.starts_with(top)) && !span.contains(|c: char| " <>*{}…$:!".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_paths_are_read_outside_code_blocks() {
        let text = "see [a](docs/a.md#part) and `src/main.rs`\n```\n[b](docs/b.md)\n```\n    [c](c.md)\n";
        let lines: Vec<&str> = prose(text).map(|(_, line)| line).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(targets(lines[0]).collect::<Vec<_>>(), ["docs/a.md#part"]);
        assert_eq!(code_paths(lines[0]).collect::<Vec<_>>(), ["src/main.rs"]);
        assert_eq!(
            code_paths("`services/*/src` `src/<name>.rs` `other/x`").count(),
            0
        );
        assert_eq!(targets("[x](https://example.com/a)").count(), 0);
    }
}
