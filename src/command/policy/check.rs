//! `ringwork policy check`: the findings of a validation, each with its place in the file and a caret below the line.

use std::path::{Path, PathBuf};

use policy::validate::{Finding, FindingType, Location, PolicyType, ResourceType, validate};
use serde::Serialize;

use super::file;
use super::report;
use crate::error::Error;

/// Longer than any policy that AWS takes, and not so long that a wrong file name hurts.
const BYTES_MAX: u64 = 256 * 1024;
/// Characters of a line that are shown on each side of a finding, since policies are often one long line.
const AROUND: usize = 60;

/// What the files are validated as.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    policy_type: PolicyType,
    resource_type: Option<ResourceType>,
}

#[derive(Serialize)]
struct Told {
    file: String,
    line: usize,
    column: usize,
    finding_type: &'static str,
    issue_code: &'static str,
    details: String,
    learn_more_link: String,
}

pub(super) fn run(files: &[PathBuf], kind: &str, json: bool, sarif: Option<&Path>) -> Result<(), Error> {
    let kind = kind_of(kind)?;
    let mut told = Vec::new();
    for path in files {
        let text = file::text(path, BYTES_MAX)?;
        for finding in validate(&text, kind.policy_type, kind.resource_type) {
            if !json {
                print!("{}", shown(path, &text, &finding));
            }
            told.push((finding.issue.finding_type(), of(path, finding)));
        }
    }
    let counted = |wanted: FindingType| told.iter().filter(|(grave, _)| *grave == wanted).count();
    let (errors, dangers) = (counted(FindingType::Error), counted(FindingType::SecurityWarning));
    let told: Vec<Told> = told.into_iter().map(|(_, told)| told).collect();
    if let Some(path) = sarif {
        report::write(path, &findings_sarif(&told)?)?;
    }
    if json {
        crate::command::print_json(&told)?;
    } else if told.is_empty() {
        println!("no findings in {}", number(files.len(), "file"));
    }
    if errors + dangers > 0 {
        return Err(Error::Unhealthy(format!(
            "{} and {} in {}",
            number(errors, "error"),
            number(dangers, "security warning"),
            number(told.len(), "finding")
        )));
    }
    Ok(())
}

/// So many of a thing, in words: `1 file`, `2 files`.
fn number(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

pub(super) fn kind_of(name: &str) -> Result<Kind, Error> {
    let (policy_type, resource_type) = match name {
        "identity" => (PolicyType::Identity, None),
        "resource" => (PolicyType::Resource, None),
        "trust" => (PolicyType::Resource, Some(ResourceType::AssumeRolePolicyDocument)),
        "service-control" => (PolicyType::ServiceControl, None),
        "resource-control" => (PolicyType::ResourceControl, None),
        other => match ResourceType::ALL.into_iter().find(|held| held.as_str() == other) {
            Some(resource_type) => (PolicyType::Resource, Some(resource_type)),
            None => return Err(Error::Usage(format!("{other} is no kind of policy"))),
        },
    };
    Ok(Kind {
        policy_type,
        resource_type,
    })
}

fn of(path: &Path, finding: Finding) -> Told {
    let start = finding.locations.first().map(|location| location.start);
    Told {
        file: path.display().to_string(),
        line: start.map_or(1, |start| start.line),
        // Editors count columns from 1.
        column: start.map_or(1, |start| start.column + 1),
        finding_type: finding.issue.finding_type().as_str(),
        issue_code: finding.issue.code(),
        learn_more_link: finding.issue.learn_more_link(),
        details: finding.details,
    }
}

/// A finding for people: a line that editors follow, the line of the policy, and a caret.
pub(super) fn shown(path: &Path, text: &str, finding: &Finding) -> String {
    let word = match finding.issue.finding_type() {
        FindingType::Error => "error",
        FindingType::SecurityWarning => "security warning",
        FindingType::Warning => "warning",
        FindingType::Suggestion => "suggestion",
    };
    let Some(place) = finding.locations.first() else {
        return format!(
            "{}: {word} {}: {}\n",
            path.display(),
            finding.issue.code(),
            finding.details
        );
    };
    format!(
        "{}:{}:{}: {word} {}: {}\n{}",
        path.display(),
        place.start.line,
        place.start.column + 1,
        finding.issue.code(),
        finding.details,
        excerpt(text, place)
    )
}

fn excerpt(text: &str, place: &Location) -> String {
    let line: Vec<char> = text
        .lines()
        .nth(place.start.line - 1)
        .unwrap_or_default()
        .chars()
        // A tab has no width of its own to put a caret under.
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    let column = place.start.column.min(line.len());
    let end = if place.end.line == place.start.line {
        place.end.column.min(line.len())
    } else {
        line.len()
    };
    let from = column.saturating_sub(AROUND);
    let to = line.len().min(end.min(column + AROUND) + AROUND);
    let part: String = line.iter().skip(from).take(to.saturating_sub(from)).collect();
    let carets = end.saturating_sub(column).clamp(1, AROUND);
    format!(
        "    {part}\n    {}{}\n",
        " ".repeat(column - from),
        "^".repeat(carets)
    )
}

fn findings_sarif(told: &[Told]) -> Result<String, Error> {
    let results = told.iter().map(|held| report::SarifResult {
        rule: held.issue_code,
        level: match held.finding_type {
            "ERROR" | "SECURITY_WARNING" => "error",
            "WARNING" => "warning",
            _ => "note",
        },
        message: held.details.clone(),
        file: held.file.clone(),
        line: held.line,
        column: held.column,
    });
    report::log(results.collect(), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_shown_with_carets() {
        let text = "{\"Version\": \"2012-10-17\", \"Statement\": {\n  \"Effect\": \"Allow\", \"Action\": \"s3:GetObjects\", \"Resource\": \"*\"}}";
        let findings = validate(text, PolicyType::Identity, None);
        assert_eq!(
            shown(Path::new("p.json"), text, &findings[0]),
            "p.json:2:32: error INVALID_ACTION: The action s3:GetObjects does not exist. Did you mean s3:GetObject?
      \"Effect\": \"Allow\", \"Action\": \"s3:GetObjects\", \"Resource\": \"*\"}}
                                   ^^^^^^^^^^^^^^^\n"
        );
        assert!(kind_of("AWS::S3::Bucket").is_ok() && kind_of("bucket").is_err());
    }
}
