//! Validation of policies: what is wrong with a document, what is dangerous in it, and what could be written better.
//!
//! Source: IAM User Guide, "IAM policy validation check reference"; facts on actions, keys and ARNs come from
//! [`crate::reference`]. Invariant: any text is validated; what cannot be read is a finding, never a failure.

mod action;
mod condition;
mod control;
mod elements;
mod issue;
mod place;
mod principal;
mod privilege;
mod redundant;
mod resource;
mod statement;
mod tag;
mod trust;
mod value;
mod variable;

pub use issue::{FindingType, Issue};
pub use place::{Location, PathElement, Point};

use crate::json;
use place::{Lines, Spot};
use statement::Statement;

/// What the document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyType {
    /// Attached to users, groups and roles.
    Identity,
    /// Attached to a resource; also a role's trust policy.
    Resource,
    /// An organization's service control policy.
    ServiceControl,
    /// An organization's resource control policy.
    ResourceControl,
}

/// What a resource's policy is attached to, by AWS CloudFormation's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// `AWS::S3::Bucket`
    S3Bucket,
    /// `AWS::S3::AccessPoint`
    S3AccessPoint,
    /// `AWS::S3::MultiRegionAccessPoint`
    S3MultiRegionAccessPoint,
    /// `AWS::S3ObjectLambda::AccessPoint`
    S3ObjectLambdaAccessPoint,
    /// `AWS::IAM::AssumeRolePolicyDocument`
    AssumeRolePolicyDocument,
    /// `AWS::DynamoDB::Table`
    DynamoDbTable,
}

impl ResourceType {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::S3Bucket,
        Self::S3AccessPoint,
        Self::S3MultiRegionAccessPoint,
        Self::S3ObjectLambdaAccessPoint,
        Self::AssumeRolePolicyDocument,
        Self::DynamoDbTable,
    ];

    /// As the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3Bucket => "AWS::S3::Bucket",
            Self::S3AccessPoint => "AWS::S3::AccessPoint",
            Self::S3MultiRegionAccessPoint => "AWS::S3::MultiRegionAccessPoint",
            Self::S3ObjectLambdaAccessPoint => "AWS::S3ObjectLambda::AccessPoint",
            Self::AssumeRolePolicyDocument => "AWS::IAM::AssumeRolePolicyDocument",
            Self::DynamoDbTable => "AWS::DynamoDB::Table",
        }
    }
}

/// One thing that a validation found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is the matter.
    pub issue: Issue,
    /// The same in words, with the names concerned.
    pub details: String,
    /// Where; the first place is the main one.
    pub locations: Vec<Location>,
}

/// Findings beyond this number are left out: a document of that many needs no more.
const FINDINGS_MAX: usize = 1000;
/// Actions of one document whose wildcards are held against the actions of all services; further ones are taken to exist.
const SWEEPS_MAX: usize = 50;

/// Validates a document. Findings come in the order of the document, whole-document ones first.
pub fn validate(text: &str, policy_type: PolicyType, resource_type: Option<ResourceType>) -> Vec<Finding> {
    let mut check = Check {
        text,
        lines: Lines::of(text),
        policy_type,
        resource_type,
        variables: false,
        findings: Vec::new(),
        sweeps: 0,
    };
    match json::read(text) {
        Ok(root) => check.document(&Spot::root(&root)),
        Err(error) => {
            let at = check.lines.point(error.position().offset);
            let details = format!(
                "The document is no JSON at index {}, line {}, column {}: {}.",
                at.offset,
                at.line,
                at.column,
                error.detail().unwrap_or("it cannot be read")
            );
            let location = Location {
                path: Vec::new(),
                start: at,
                end: at,
                span: crate::document::Span {
                    start: error.position().offset,
                    end: error.position().offset,
                },
            };
            check.findings.push(Finding {
                issue: Issue::JsonSyntaxError,
                details,
                locations: vec![location],
            });
        }
    }
    check.findings
}

/// A validation under way.
struct Check<'t> {
    text: &'t str,
    lines: Lines,
    policy_type: PolicyType,
    resource_type: Option<ResourceType>,
    /// Whether the document's version knows variables.
    variables: bool,
    findings: Vec<Finding>,
    /// How many actions were held against those of all services.
    sweeps: usize,
}

impl Check<'_> {
    /// Whether nothing more would be told.
    const fn is_full(&self) -> bool {
        self.findings.len() >= FINDINGS_MAX
    }

    fn report(&mut self, issue: Issue, spots: &[&Spot<'_>], details: impl Into<String>) {
        if !self.is_full() {
            let locations = spots.iter().map(|spot| self.lines.location(spot)).collect();
            self.findings.push(Finding {
                issue,
                details: details.into(),
                locations,
            });
        }
    }

    /// A role's trust policy, said to be one or seen to be one.
    fn is_trust(&self, statements: &[Statement<'_>]) -> bool {
        match self.resource_type {
            Some(resource_type) => resource_type == ResourceType::AssumeRolePolicyDocument,
            None => {
                let trusting = |statement: &Statement<'_>| {
                    statement.resources.is_none()
                        && statement.actions.as_ref().is_some_and(|held| {
                            let actions = &held.texts;
                            !actions.is_empty()
                                && actions.iter().all(|action| starts_folded(action.text, "sts:"))
                        })
                };
                self.policy_type == PolicyType::Resource
                    && !statements.is_empty()
                    && statements.iter().all(trusting)
            }
        }
    }
}

fn starts_folded(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// The nearest of `names` to a misspelled one, if any is near.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const DISTANCE_MAX: usize = 3;
    const LENGTH_MAX: usize = 64;
    let name = name.to_ascii_lowercase();
    if name.len() > LENGTH_MAX {
        return None;
    }
    let alike = names.filter(|held| held.len().abs_diff(name.len()) <= DISTANCE_MAX);
    let near = alike.filter_map(|held| {
        let distance = distance(&name, &held.to_ascii_lowercase());
        (distance <= DISTANCE_MAX && distance < name.len()).then_some((distance, held))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, held)| held)
}

/// How many letters must be changed, added or left out to make one of the other.
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(&two) {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = *cell;
            *cell = changed.min(left + 1).min(diagonal + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of many mistakes is not gone through to its end, and wildcards in services' names are expanded a few times only.
    #[test]
    fn the_work_of_a_validation_is_bounded() {
        let document = |actions: &[String]| {
            let statement = format!(
                r#"{{"Effect": "Allow", "Action": [{}], "Resource": "*"}}"#,
                actions.join(",")
            );
            format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#)
        };
        let wild: Vec<String> = (0..80).map(|n| format!(r#""*:No{n}thing""#)).collect();
        let found = validate(&document(&wild), PolicyType::Identity, None);
        let of = |issue: Issue| found.iter().filter(|finding| finding.issue == issue).count();
        assert_eq!(of(Issue::WildcardInServiceName), 80);
        assert_eq!(of(Issue::InvalidAction), SWEEPS_MAX);
        let wrong: Vec<String> = (0..2000).map(|n| format!(r#""s3:No{n}thing""#)).collect();
        let found = validate(&document(&wrong), PolicyType::Identity, None);
        assert_eq!(found.len(), FINDINGS_MAX);
    }

    #[test]
    fn misspelled_names_are_near_the_right_ones() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(
            nearest("GetObjects", ["GetObject", "PutObject"].into_iter()),
            Some("GetObject")
        );
        assert_eq!(nearest("Xyzzy", ["GetObject"].into_iter()), None);
    }
}
