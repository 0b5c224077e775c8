//! `cargo xtask authorization-reference FILE`: the actions, resource types and condition keys of all AWS services, in the
//! compact form that `crates/policy` embeds.
//!
//! `FILE` is JSON: prefix → actions, resources, conditions. Invariant: the same file gives the same bytes, so that a rewrite
//! shows only what AWS changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use flate2::{Compression, write::DeflateEncoder};
use serde::Deserialize;

use crate::models::{root, write};

#[derive(Deserialize)]
struct Service {
    actions: BTreeMap<String, Action>,
    resources: BTreeMap<String, ResourceType>,
    /// Key → data type.
    conditions: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Action {
    access: String,
    /// Resource type, whether it must be there, its condition keys, actions that it depends on.
    resources: Vec<(String, bool, Vec<String>, Vec<String>)>,
    conditions: Vec<String>,
}

#[derive(Deserialize)]
struct ResourceType {
    arn: String,
    conditions: Vec<String>,
}

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let [file] = arguments else {
        return Err("authorization-reference takes one file".into());
    };
    let text = fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let services: BTreeMap<String, Service> =
        serde_json::from_slice(&text).map_err(|e| format!("{file}: {e}"))?;
    let (index, blocks) = pack(&services)?;
    let folder = root().join("crates/policy/data");
    write(&folder.join("authorization-reference.tsv"), index.as_bytes())?;
    write(&folder.join("authorization-reference.bin"), &blocks)
}

/// The index, a line a service in byte order: prefix, offset, packed and unpacked length; and the packed blocks.
fn pack(services: &BTreeMap<String, Service>) -> Result<(String, Vec<u8>), String> {
    let (mut index, mut blocks) = (String::new(), Vec::new());
    for (prefix, service) in services {
        let text = unpacked(service).map_err(|e| format!("{prefix}: {e}"))?;
        let start = blocks.len();
        let mut writer = DeflateEncoder::new(&mut blocks, Compression::best());
        writer.write_all(text.as_bytes()).map_err(|e| e.to_string())?;
        writer.finish().map_err(|e| e.to_string())?;
        let _ = writeln!(
            index,
            "{prefix}\t{start}\t{}\t{}",
            blocks.len() - start,
            text.len()
        );
    }
    Ok((index, blocks))
}

/// Three paragraphs: condition keys, resource types, actions. Keys and types are then spoken of by their numbers.
fn unpacked(service: &Service) -> Result<String, String> {
    let mut text = String::new();
    for (key, data_type) in &service.conditions {
        let _ = writeln!(text, "{key}\t{data_type}");
    }
    text.push('\n');
    for (name, resource) in &service.resources {
        let keys = numbers(&resource.conditions, &service.conditions)?;
        let _ = writeln!(text, "{name}\t{}\t{keys}", resource.arn);
    }
    text.push('\n');
    for (name, action) in &service.actions {
        let level = level(&action.access)?;
        let keys = numbers(&action.conditions, &service.conditions)?;
        let mut types = Vec::new();
        for (resource, required, conditions, _) in &action.resources {
            let number = number(resource, &service.resources)?;
            let required = if *required { "!" } else { "" };
            let keys = numbers(conditions, &service.conditions)?;
            let parted = if keys.is_empty() { "" } else { ":" };
            types.push(format!("{number}{required}{parted}{keys}"));
        }
        let _ = writeln!(text, "{name}\t{level}\t{keys}\t{}", types.join(";"));
    }
    Ok(text)
}

fn level(access: &str) -> Result<char, String> {
    Ok(match access {
        "List" => 'L',
        "Read" => 'R',
        "Write" => 'W',
        "Tagging, Write" | "Tagging" => 'T',
        "Permissions management, Write" | "Permissions management" => 'P',
        other => return Err(format!("{other} is not an access level")),
    })
}

fn numbers<V>(names: &[String], held: &BTreeMap<String, V>) -> Result<String, String> {
    let numbers: Result<Vec<String>, String> = names
        .iter()
        .map(|name| Ok(number(name, held)?.to_string()))
        .collect();
    Ok(numbers?.join(" "))
}

fn number<V>(name: &str, held: &BTreeMap<String, V>) -> Result<usize, String> {
    held.keys()
        .position(|key| key == name)
        .ok_or_else(|| format!("{name} is not defined"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_three_paragraphs_that_speak_by_numbers() {
        let service: Service = serde_json::from_value(serde_json::json!({
            "actions": {"Get": {"access": "Read", "resources": [["b", true, ["x:k"], []], ["a", false, [], []]], "conditions": ["x:j", "x:k"]}},
            "resources": {"a": {"arn": "arn:a", "conditions": []}, "b": {"arn": "arn:b", "conditions": ["x:k"]}},
            "conditions": {"x:j": "String", "x:k": "Bool"}
        }))
        .unwrap();
        let wanted = "x:j\tString\nx:k\tBool\n\na\tarn:a\t\nb\tarn:b\t1\n\nGet\tR\t0 1\t1!:1;0\n";
        assert_eq!(unpacked(&service).unwrap(), wanted);
        assert!(level("Other").is_err());
    }
}
