//! Resources: whether their ARNs are such as AWS has.
//!
//! Source: Service Authorization Reference, resource types; IAM User Guide, "IAM identifiers", ARNs.

use super::{
    Check, Issue, ResourceType,
    place::Text,
    statement::Statement,
    variable::{MASK, masked},
};
use crate::{
    contain::language::disjoint,
    operator::split_arn,
    pattern::{Case, Pattern, Syntax},
    principal::is_account,
    reference,
};

const PARTITIONS: [&str; 8] = [
    "aws",
    "aws-cn",
    "aws-eusc",
    "aws-iso",
    "aws-iso-b",
    "aws-iso-e",
    "aws-iso-f",
    "aws-us-gov",
];
/// Owners that stand in place of an account: managed policies, origin access identities, marketplace.
const OWNERS: [&str; 4] = ["aws", "cloudfront", "aws-marketplace", "third-party"];

/// AWS's regions, as of 2026-11.
pub(super) const REGIONS: [&str; 46] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

impl Check<'_> {
    pub(super) fn check_resources(&mut self, statement: &Statement<'_>, trust: bool) {
        let Some(resources) = &statement.resources else {
            return;
        };
        if trust {
            self.report(
                Issue::RoleTrustPolicySyntaxErrorResource,
                &[&resources.spot],
                "A trust policy is about the role that it is attached to: remove the resource element.",
            );
            return;
        }
        for resource in &resources.texts {
            self.check_variables(resource);
            if resource.text != "*" {
                self.check_arn(resource);
            }
        }
        self.redundant_resources(resources);
    }

    fn check_arn(&mut self, resource: &Text<'_>) {
        let spot = &resource.spot;
        let fields = split_arn(resource.text);
        if fields.first() != Some(&"arn") {
            self.report(
                Issue::InvalidArnPrefix,
                &[spot],
                "A resource is an ARN, which begins with arn:, or * for all.",
            );
            return;
        }
        let &[_, partition, service, region, account, rest] = fields.as_slice() else {
            let details = format!(
                "An ARN has 6 fields (arn:partition:service:region:account:resource), and this has {}.",
                fields.len()
            );
            self.report(Issue::MissingArnField, &[spot], details);
            return;
        };
        let open = |field: &str| masked(field).contains(['*', '?', MASK]);
        if !open(partition) && !PARTITIONS.contains(&partition) {
            let details = format!(
                "There is no partition {partition} for resources of {service}; there are {}.",
                PARTITIONS.join(", ")
            );
            self.report(Issue::InvalidPartition, &[spot], details);
        }
        if !open(region) && !region.is_empty() && !REGIONS.contains(&region) {
            let details = format!("{region} is no region in which such a resource can be.");
            self.report(Issue::InvalidArnRegion, &[spot], details);
        }
        if !open(account) && !account.is_empty() && !is_account(account) && !OWNERS.contains(&account) {
            let details = format!("{account} is no account: an account id has 12 digits.");
            self.report(Issue::InvalidArnAccount, &[spot], details);
        }
        if open(service) {
            if service.contains(['*', '?']) {
                let details = "A wildcard in the service's name may match services that are not meant: name the service.";
                self.report(Issue::WildcardInServiceName, &[spot], details);
            }
            return;
        }
        if service.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let details = format!("The service {service} is written in small letters in ARNs.");
            self.report(Issue::InvalidArnServiceCase, &[spot], details);
            return;
        }
        self.check_format(resource, service, [region, account, rest]);
        self.check_attachment(resource);
    }

    /// Compares an ARN with the formats of its service.
    fn check_format(&mut self, resource: &Text<'_>, service: &str, [region, account, rest]: [&str; 3]) {
        let spot = &resource.spot;
        let known = reference::resource_types_of(service);
        if known.is_empty() {
            if reference::service(service).is_none() {
                let details = format!("There is no service {service}, which the ARN names.");
                self.report(Issue::InvalidService, &[spot], details);
            }
            return;
        }
        let syntax = Syntax {
            wildcards: true,
            variables: self.variables,
        };
        let written = Pattern::compile(rest, syntax);
        // Of each possible type, whether it has a region and an account.
        let fields: Vec<[bool; 2]> = known
            .iter()
            .filter_map(|held| {
                let mut fields = held.arn.splitn(6, ':').skip(3);
                let (region, account, format) = (fields.next()?, fields.next()?, fields.next()?);
                let format = Pattern::compile(&reference::opened(format), Syntax::WILDCARDS);
                (!disjoint(&format, &written, Case::Sensitive))
                    .then_some([!region.is_empty(), !account.is_empty()])
            })
            .collect();
        if fields.is_empty() {
            let details = format!(
                "No resource of {service} has such an ARN: compare its end with the formats that {service} has."
            );
            self.report(Issue::InvalidArnResource, &[spot], details);
            return;
        }
        let all = |field: usize, wanted: bool| fields.iter().all(|held| held.get(field) == Some(&wanted));
        if region.is_empty() && all(0, true) {
            let details = format!("ARNs of such resources of {service} name a region.");
            self.report(Issue::MissingArnRegion, &[spot], details);
        } else if !region.is_empty() && region != "*" && all(0, false) {
            let details =
                format!("ARNs of such resources of {service} name no region: leave the field empty.");
            self.report(Issue::ArnRegionNotAllowed, &[spot], details);
        }
        if account.is_empty() && all(1, true) {
            let details = format!("The ARN of {rest} names no account: add the 12 digits of its id.");
            self.report(Issue::MissingArnAccount, &[spot], details);
        } else if !account.is_empty() && account != "*" && all(1, false) {
            let details =
                format!("ARNs of such resources of {service} name no account: leave the field empty.");
            self.report(Issue::ArnAccountNotAllowed, &[spot], details);
        }
    }

    /// Whether the policy of this resource can be about the ARN.
    fn check_attachment(&mut self, resource: &Text<'_>) {
        let Some(resource_type) = self.resource_type else {
            return;
        };
        let format = match resource_type {
            ResourceType::S3Bucket => "arn:*:s3:::*",
            ResourceType::S3AccessPoint => "arn:*:s3:*:*:accesspoint/*",
            ResourceType::S3MultiRegionAccessPoint => "arn:*:s3::*:accesspoint/*",
            ResourceType::S3ObjectLambdaAccessPoint => "arn:*:s3-object-lambda:*:*:accesspoint/*",
            ResourceType::DynamoDbTable => "arn:*:dynamodb:*:*:table/*",
            ResourceType::AssumeRolePolicyDocument => return,
        };
        let syntax = Syntax {
            wildcards: true,
            variables: self.variables,
        };
        let format = Pattern::compile(format, Syntax::WILDCARDS);
        if disjoint(&format, &Pattern::compile(resource.text, syntax), Case::Sensitive) {
            let details = format!(
                "A policy of {} cannot be about this resource.",
                resource_type.as_str()
            );
            self.report(Issue::UnsupportedResourceArnInPolicy, &[&resource.spot], details);
        }
    }
}
