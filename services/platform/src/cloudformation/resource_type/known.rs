//! Which types there are on AWS, of which some are built here, and what a template may ask of them.
//!
//! `known.txt` has a line for each service with the types of its resources, as CloudFormation's public registry of `us-east-1` names
//! them.
//!
//! Invariant: a template whose types or attributes are not built is refused before anything of it is made.

use std::collections::BTreeSet;

use pipeline::Result;
use wire::Fault;

use super::{find, invalid};
use crate::cloudformation::template::Template;
use crate::cloudformation::template::check::every;
use crate::cloudformation::template::function::{Mention, mentions};

const KNOWN: &str = include_str!("known.txt");

/// Whether AWS has such a type.
fn on_aws(kind: &str) -> bool {
    let Some((service, noun)) = kind.strip_prefix("AWS::").and_then(|rest| rest.split_once("::")) else {
        return false;
    };
    let mut lines = KNOWN.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(name, _)| *name == service)
        .is_some_and(|(_, nouns)| nouns.split(' ').any(|known| known == noun))
}

/// Refuses types that do not exist, types that are not built, and attributes that a type does not have.
///
/// # Errors
/// `Template format error: Unrecognized resource types: […]` and its like.
pub(crate) fn expect(template: &Template) -> Result<()> {
    let kinds: BTreeSet<&str> = template
        .resources
        .iter()
        .map(|resource| resource.kind.as_str())
        .collect();
    let absent: Vec<&str> = kinds.into_iter().filter(|kind| find(kind).is_none()).collect();
    let strange: Vec<&str> = absent.iter().copied().filter(|kind| !on_aws(kind)).collect();
    if !strange.is_empty() {
        return Err(invalid(format!(
            "Template format error: Unrecognized resource types: [{}]",
            strange.join(", ")
        )));
    }
    if !absent.is_empty() {
        return Err(invalid(format!(
            "Resource types that are not implemented by this version of Ringwork: [{}]",
            absent.join(", ")
        )));
    }
    let mut refused: Option<Fault> = None;
    for value in every(template) {
        mentions(value, &mut |mention| {
            let Mention::Attribute {
                resource,
                name: Some(name),
                ..
            } = mention
            else {
                return;
            };
            let kind = template
                .resource(resource)
                .and_then(|resource| find(&resource.kind));
            if kind.is_some_and(|kind| !kind.has_attribute(name)) {
                refused.get_or_insert_with(|| {
                    invalid(format!(
                        "Template error: resource {resource} does not support attribute type {name} in Fn::GetAtt"
                    ))
                });
            }
        })?;
    }
    refused.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(resources: &str) -> String {
        let template = Template::read(&format!("Resources:\n{resources}")).ok().unwrap();
        expect(&template).map_or_else(|fault| fault.message, |()| String::new())
    }

    #[test]
    fn types_are_told_apart_by_whether_aws_and_we_have_them() {
        assert_eq!(
            said("  A: {Type: AWS::SSM::Parameter}\n  B: {Type: AWS::KMS::Key}"),
            ""
        );
        assert_eq!(
            said("  A: {Type: AWS::SSM::Paramter}\n  B: {Type: Mine}\n  C: {Type: AWS::EC2::VPC}"),
            "Template format error: Unrecognized resource types: [AWS::SSM::Paramter, Mine]"
        );
        assert_eq!(
            said("  C: {Type: AWS::EC2::VPC}\n  D: {Type: Custom::Thing}"),
            "Resource types that are not implemented by this version of Ringwork: [AWS::EC2::VPC]"
        );
    }

    #[test]
    fn attributes_are_those_of_the_type() {
        let two = |value: &str| {
            said(&format!(
                "  K: {{Type: AWS::KMS::Key}}\n  P: {{Type: AWS::SSM::Parameter, Properties: {{Value: {value}}}}}"
            ))
        };
        assert_eq!(two("!GetAtt K.Arn"), "");
        assert_eq!(
            two("!Sub '${K.Nope}'"),
            "Template error: resource K does not support attribute type Nope in Fn::GetAtt"
        );
    }

    /// Every type that is built is one of AWS's, and no type is built twice.
    #[test]
    fn every_type_here_is_one_of_awss() {
        let mut seen = BTreeSet::new();
        for kind in super::super::TYPES {
            assert!(on_aws(kind.name()) && seen.insert(kind.name()), "{}", kind.name());
            let names: Vec<&str> = kind.properties().iter().map(|property| property.name).collect();
            assert!(names.is_sorted(), "{}", kind.name());
        }
    }
}
