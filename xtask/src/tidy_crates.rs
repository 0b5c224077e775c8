//! Tidy: crates may depend only downward, and on nothing whose licence, source or name we do not want.
//!
//! Invariant: the tables of ARCHITECTURE.md are the configuration, so the document cannot rot.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tidy::Tree;
use crate::tidy_licence::permissive;

/// One cryptographic library and one TLS: these would be a second.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring", "rustables"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// One line of a manifest.
struct Dependency {
    name: String,
    /// It is a member too.
    ours: bool,
    /// Its tests alone use it.
    tests: bool,
}

/// A member of the workspace, as its manifest says.
struct Member {
    name: String,
    manifest: String,
    /// What it depends on, of every kind.
    dependencies: Vec<Dependency>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn cargo(tree: &Tree, arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(&tree.root)
        .output();
    let output = output.map_err(|error| format!("cargo: {error}"))?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|error| error.to_string());
    }
    Err(format!(
        "cargo {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    ))
}

fn members(tree: &Tree) -> Result<Vec<Member>, String> {
    let metadata = cargo(tree, &["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let members = list(&metadata, "packages").iter().map(|package| Member {
        name: text(package, "name").to_owned(),
        manifest: text(package, "manifest_path").to_owned(),
        dependencies: list(package, "dependencies")
            .iter()
            .map(|dependency| Dependency {
                name: text(dependency, "name").to_owned(),
                ours: dependency.get("path").is_some_and(Value::is_string),
                tests: text(dependency, "kind") == "dev",
            })
            .collect(),
    });
    Ok(members.collect())
}

/// The rows of the table below a heading of ARCHITECTURE.md, by their first cell; the table's head is left out.
fn table(tree: &Tree, heading: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let text = tree.file("ARCHITECTURE.md")?;
    let (_, section) = text
        .split_once(&format!("\n## {heading}\n"))
        .ok_or_else(|| format!("ARCHITECTURE.md has no section {heading}"))?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let rows = section
        .lines()
        .filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    let mut table = BTreeMap::new();
    for row in rows.skip(2) {
        let mut cells = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned());
        let Some(name) = cells.next() else { continue };
        if table.insert(name.clone(), cells.collect()).is_some() {
            return Err(format!("ARCHITECTURE.md, {heading}: {name} is there twice"));
        }
    }
    if table.is_empty() {
        return Err(format!("ARCHITECTURE.md, {heading}: the table is missing"));
    }
    Ok(table)
}

/// After a crate's name: the tests alone may use it.
const IN_TESTS: &str = " (tests)";

/// What a row of the crate table allows.
fn cells(row: &[String]) -> impl Iterator<Item = &str> {
    row.first()
        .into_iter()
        .flat_map(|cell| cell.split(','))
        .map(str::trim)
}

/// Dependencies between crates against the crate table.
pub(crate) fn directions(tree: &Tree) -> Result<Vec<String>, String> {
    let table = table(tree, "The crates")?;
    let members = members(tree)?;
    let mut problems = Vec::new();
    for member in &members {
        let Some(row) = table.get(&member.name) else {
            problems.push(format!(
                "ARCHITECTURE.md has no row for the crate {}",
                member.name
            ));
            continue;
        };
        let may: BTreeSet<&str> = cells(row).collect();
        for dependency in member.dependencies.iter().filter(|dependency| dependency.ours) {
            let in_tests = format!("{}{IN_TESTS}", dependency.name);
            let allowed =
                may.contains(dependency.name.as_str()) || dependency.tests && may.contains(in_tests.as_str());
            if !allowed {
                let name = &dependency.name;
                problems.push(format!(
                    "{} may not use {name} (the crate table of ARCHITECTURE.md)",
                    member.name
                ));
            }
        }
    }
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    for (name, row) in &table {
        if !names.contains(name.as_str()) {
            problems.push(format!(
                "ARCHITECTURE.md names the crate {name}, which is not there"
            ));
        }
        let used = cells(row).map(|cell| cell.strip_suffix(IN_TESTS).unwrap_or(cell));
        for used in used.filter(|used| *used != "–" && !names.contains(used)) {
            problems.push(format!(
                "ARCHITECTURE.md lets {name} use {used}, which is not there"
            ));
        }
    }
    problems.extend(cycle(&table));
    Ok(problems)
}

/// The table itself must let arrows run one way only.
fn cycle(table: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let mut open: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, row) in table {
        open.insert(
            name,
            cells(row).filter(|used| table.contains_key(*used)).collect(),
        );
    }
    loop {
        let done: BTreeSet<&str> = open
            .iter()
            .filter(|(_, may)| may.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if done.is_empty() {
            break;
        }
        open.retain(|name, _| !done.contains(name));
        for may in open.values_mut() {
            may.retain(|used| !done.contains(used));
        }
    }
    let names: Vec<&str> = open.keys().copied().collect();
    (!names.is_empty()).then(|| {
        format!(
            "the crate table lets arrows run in a circle through {}",
            names.join(", ")
        )
    })
}

/// Every manifest takes the workspace's lints.
pub(crate) fn lints(tree: &Tree) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for member in members(tree)? {
        let text = std::fs::read_to_string(&member.manifest)
            .map_err(|error| format!("{}: {error}", member.manifest))?;
        let inherits = text
            .split("[lints]")
            .nth(1)
            .and_then(|rest| rest.trim_start().lines().next());
        if inherits.map(|line| line.replace(' ', "")) != Some("workspace=true".to_owned()) {
            problems.push(format!(
                "the manifest of {} lacks `[lints] workspace = true`",
                member.name
            ));
        }
    }
    Ok(problems)
}

/// Every direct dependency has its row, with its licence and its reason, and every row its dependency.
pub(crate) fn explained(tree: &Tree) -> Result<Vec<String>, String> {
    let table = table(tree, "Dependencies")?;
    let licences: BTreeMap<String, String> = packages(tree)?
        .into_iter()
        .map(|package| (package.name, package.licence))
        .collect();
    let members = members(tree)?;
    let direct = members
        .iter()
        .flat_map(|member| &member.dependencies)
        .filter(|dependency| !dependency.ours);
    let direct: BTreeSet<&str> = direct.map(|dependency| dependency.name.as_str()).collect();
    let mut problems = Vec::new();
    for name in &direct {
        let Some(row) = table.get(*name) else {
            problems.push(format!("ARCHITECTURE.md, Dependencies: {name} has no row"));
            continue;
        };
        let stated = row.first().map(String::as_str).unwrap_or_default();
        if let Some(licence) = licences.get(*name).filter(|licence| *licence != stated) {
            problems.push(format!(
                "ARCHITECTURE.md, Dependencies: {name} is under `{licence}`, not `{stated}`"
            ));
        }
        if row.iter().filter(|cell| !cell.is_empty()).count() < 3 {
            problems.push(format!(
                "ARCHITECTURE.md, Dependencies: {name} needs its licence, use and reason"
            ));
        }
    }
    let gone = table.keys().filter(|name| !direct.contains(name.as_str()));
    problems.extend(gone.map(|name| format!("ARCHITECTURE.md, Dependencies: nothing uses {name} any more")));
    Ok(problems)
}

/// A crate of the tree that is built.
struct Package {
    name: String,
    licence: String,
}

/// All crates that any member's build or tests reach on this platform.
fn packages(tree: &Tree) -> Result<Vec<Package>, String> {
    let arguments = [
        "tree",
        "--workspace",
        "--locked",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p}\t{l}",
    ];
    let printed = cargo(tree, &arguments)?;
    let lines: BTreeSet<&str> = printed
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    Ok(lines
        .into_iter()
        .filter_map(|line| line.split_once('\t'))
        .map(|(package, licence)| Package {
            name: package.split(' ').next().unwrap_or_default().to_owned(),
            licence: licence.to_owned(),
        })
        .collect())
}

/// The whole dependency tree: permissive, from crates.io, and without the crates that we do not want.
pub(crate) fn licences(tree: &Tree) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for package in packages(tree)? {
        if BANNED.contains(&package.name.as_str()) {
            problems.push(format!(
                "the crate {} is banned: `cargo tree --invert {}` says who uses it",
                package.name, package.name
            ));
        }
        if !permissive(&package.licence) {
            problems.push(format!(
                "the licence of {}, `{}`, is not one that we take",
                package.name, package.licence
            ));
        }
    }
    let sources = tree
        .file("Cargo.lock")?
        .lines()
        .filter_map(|line| line.strip_prefix("source = "));
    let foreign: BTreeSet<&str> = sources
        .map(|source| source.trim_matches('"'))
        .filter(|source| *source != CRATES_IO)
        .collect();
    problems.extend(
        foreign
            .into_iter()
            .map(|source| format!("Cargo.lock takes crates from {source}, not from crates.io")),
    );
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_in_the_table_is_found() {
        let row = |may: &str| vec![may.to_owned()];
        let mut table = BTreeMap::from([
            ("a".to_owned(), row("–")),
            ("b".to_owned(), row("a")),
            ("c".to_owned(), row("a, b")),
        ]);
        assert_eq!(cycle(&table), None);
        table.insert("a".to_owned(), row("c"));
        assert!(cycle(&table).is_some_and(|problem| problem.contains("a, b, c")));
    }
}
