//! What AWS's reference lists of an action and the tables must know: its condition keys, and the ARNs that its permissions are for.

use std::collections::BTreeSet;

use policy::reference;
use scenarios::sample::Sampler;
use scenarios::world::{World, built};

use crate::exceptions::{Exceptions, Excuse};

/// Condition keys that a table need not declare: of one action, or wherever the reference lists them.
const UNDECLARED: &[Excuse] = &[
    ("sts:RoleAuthorizedByIdp", "AWS documents no claim that sets it"),
    (
        "iam:PermissionsBoundary",
        "set by users and roles themselves, as their resources' condition",
    ),
    (
        "iam:ServiceSpecificCredentialServiceName",
        "set by the credential itself where the request names one",
    ),
    (
        "iam:RoleTemplateARN",
        "role templates are not built, so that no role comes of one",
    ),
    (
        "iam:AssociatedResourceArn",
        "an instance profile is associated with nothing when it gets its role",
    ),
    ("iam:RegisterSecurityKey", SECURITY_KEY),
    ("iam:FIDO-certification", SECURITY_KEY),
    ("iam:FIDO-FIPS-140-2-certification", SECURITY_KEY),
    ("iam:FIDO-FIPS-140-3-certification", SECURITY_KEY),
    ("sts:AssumeRole saml:namequalifier", FEDERATED),
    ("sts:AssumeRole saml:sub", FEDERATED),
    ("sts:AssumeRole saml:sub_type", FEDERATED),
    ("sts:TagSession saml:aud", FEDERATED),
    (
        "sts:TagSession sts:TransitiveTagKeys",
        "federated users' tags are never transitive",
    ),
];
const FEDERATED: &str = "told of the federation that the caller's session came of, not by the request";
const SECURITY_KEY: &str = "security keys are not built; no virtual device has the key";

/// Actions whose ARN is of another form than the reference's types.
const OTHER_RESOURCE: &[Excuse] = &[
    ("iam:ListGroups", LISTED_PATH),
    ("iam:ListRoles", LISTED_PATH),
    ("iam:ListUsers", LISTED_PATH),
    (
        "organizations:CreatePolicy",
        "the policy has no id yet, so that no ARN of its type can be named",
    ),
    ("organizations:DeleteResourcePolicy", NAMED_WHOLLY),
    ("organizations:DescribeResourcePolicy", NAMED_WHOLLY),
];
const NAMED_WHOLLY: &str =
    "asked for on the resource policy's own ARN, though the reference gives another form or none";
const LISTED_PATH: &str = "AWS's refusals name the path that is listed, though the reference gives no type";

/// Keys that say what the pipeline knows of every request, what the resource says of itself, or what an identity provider's token
/// claims: these are named after the provider's host and come with the caller's proof.
fn is_general(key: &str) -> bool {
    let of_provider = key.split_once(':').is_some_and(|(place, _)| place.contains('.'));
    key.starts_with("aws:") || key.contains("ResourceTag/") || of_provider
}

/// Condition keys of the reference are declared by the operation, or left out for a reason. IAM and STS.
#[test]
fn the_condition_keys_of_the_reference_are_declared() {
    let excused = Exceptions::of(UNDECLARED);
    let (mut wrong, mut count) = (BTreeSet::new(), 0);
    let ours = built().filter(|(endpoint, ..)| matches!(endpoint.service, "iam" | "sts"));
    for (endpoint, ..) in ours {
        let accesses = endpoint.also.iter().chain([&endpoint.access]);
        for action in accesses.filter_map(|access| reference::action(access.action)) {
            let of_types = action.resources().flat_map(|resource| {
                let of_type = resource.resource.condition_keys();
                resource.condition_keys().chain(of_type).collect::<Vec<_>>()
            });
            for key in action.condition_keys().chain(of_types).map(|key| key.name) {
                count += 1;
                let label = format!("{} {key}", action.full_name());
                let declared = is_general(key) || endpoint.conditions.contains(&key);
                if !declared && !excused.excuse(key) && !excused.excuse(&label) {
                    wrong.insert(label);
                }
            }
        }
    }
    assert!(count > 200, "the reference lists only {count} keys");
    excused.settle(&wrong.into_iter().collect::<Vec<_>>());
}

/// The ARN that a refusal names is of a type that the reference gives the action, or `*` where it gives none.
#[test]
fn permissions_are_asked_for_resources_of_the_types_of_the_reference() {
    let world = World::furnished();
    let nobody = world.user("nobody", None);
    let excused = Exceptions::of(OTHER_RESOURCE);
    let (mut wrong, mut count) = (Vec::new(), 0);
    let judged = built().filter(|(endpoint, ..)| !endpoint.access.open);
    for (endpoint, service, operation) in judged {
        let Some(action) = reference::action(endpoint.access.action) else {
            continue;
        };
        let input = Sampler {
            existing: &world.existing,
            present: true,
        }
        .input(service, operation);
        let protocol = service.protocols[0];
        let said = world.send(
            protocol,
            world.signed(&nobody, (service, operation, protocol), &input),
        );
        let Some((_, rest)) = said.message.split_once(" on resource: ") else {
            continue;
        };
        count += 1;
        let arn = rest.split(' ').next().unwrap_or_default();
        let types: Vec<_> = action.resources().collect();
        let fits = |resource: &reference::ActionResource| matches(&resource.resource.pattern(), arn);
        // Where no type is required, the action may be asked for everything at once.
        let all = arn == "*" && !types.iter().any(|resource| resource.required);
        let label = format!("{}:{}", service.name, operation.name);
        if !all && !types.iter().any(fits) && !excused.excuse(&label) {
            wrong.push(format!("{label}: {arn}"));
        }
    }
    assert!(count > 150, "only {count} refusals named a resource");
    excused.settle(&wrong);
}

/// Whether a text is of a pattern with `*`.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(head) else {
        return false;
    };
    (0..=text.len())
        .filter_map(|place| text.get(place..))
        .any(|tail| matches(rest, tail))
}
