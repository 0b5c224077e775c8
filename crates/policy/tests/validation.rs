//! Every check of the validator: a policy in, codes out; and that what is right is left alone.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

use policy::validate::{Finding, Issue, PathElement, PolicyType, ResourceType, validate};
use std::collections::BTreeSet;

use PolicyType::{Identity, Resource, ResourceControl, ServiceControl};

const CASES: &str = include_str!("validation.txt");

fn codes(text: &str, policy_type: PolicyType, resource_type: Option<ResourceType>) -> Vec<&'static str> {
    let mut codes: Vec<&str> = validate(text, policy_type, resource_type)
        .iter()
        .map(|finding| finding.issue.code())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn kind(name: &str) -> (PolicyType, Option<ResourceType>) {
    match name {
        "identity" => (Identity, None),
        "resource" => (Resource, None),
        "bucket" => (Resource, Some(ResourceType::S3Bucket)),
        "table" => (Resource, Some(ResourceType::DynamoDbTable)),
        "trust" => (Resource, Some(ResourceType::AssumeRolePolicyDocument)),
        "service-control" => (ServiceControl, None),
        "resource-control" => (ResourceControl, None),
        other => panic!("{other}"),
    }
}

/// Checks the cases of a section, where the codes are all that there are.
fn section(name: &str) {
    let section = CASES
        .split("\n= ")
        .find(|section| section.lines().next() == Some(name))
        .unwrap_or_else(|| panic!("no section {name}"));
    let lines: Vec<&str> = section.lines().skip(1).filter(|line| !line.is_empty()).collect();
    let mut wrong = Vec::new();
    for case in lines.chunks(2) {
        let [head, statements] = case else {
            panic!("{case:?}")
        };
        let (name, wanted) = head.split_once(' ').unwrap();
        let wanted: Vec<&str> = wanted.split(' ').filter(|code| *code != "-").collect();
        let (policy_type, resource_type) = kind(name);
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let found = codes(&text, policy_type, resource_type);
        if found != wanted {
            wrong.push(format!("{statements}\n  found {found:?}\n  wanted {wanted:?}"));
        }
    }
    assert!(!lines.is_empty() && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// S2.4: the frame of a document.
#[test]
fn documents_and_statements_have_their_elements() {
    for (text, wanted) in [
        ("{", &["JSON_SYNTAX_ERROR"][..]),
        (
            r#"{"Version":"2012-10-17","Version":"2012-10-17"}"#,
            &["JSON_SYNTAX_ERROR"],
        ),
        ("[]", &["DATA_TYPE_MISMATCH"]),
        (r#"{"Version":"2012-10-17"}"#, &["MISSING_STATEMENT"]),
        (
            r#"{"Version":"2012-10-17","Statement":[]}"#,
            &["MISSING_STATEMENT"],
        ),
        (
            r#"{"Version":"2012-10-17","Statement":"x"}"#,
            &["DATA_TYPE_MISMATCH"],
        ),
        (
            r#"{"Version":2012,"Statement":[]}"#,
            &["DATA_TYPE_MISMATCH", "MISSING_STATEMENT"],
        ),
        (
            r#"{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}"#,
            &["INVALID_VERSION"],
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}"#,
            &["MISSING_VERSION"],
        ),
        (
            r#"{"Version":"2012-10-17","Statements":1,"Statement":{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}}"#,
            &["INVALID_POLICY_ELEMENT"],
        ),
    ] {
        assert_eq!(codes(text, Identity, None), wanted, "{text}");
    }
    section("documents and statements have their elements");
}

/// S2.5: actions exist; the nearest one is told.
#[test]
fn actions_are_looked_up() {
    section("actions are looked up");
    let found = only(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:GetObjects","Resource":"*"}}"#,
    );
    assert!(found.details.contains("s3:GetObject?"), "{}", found.details);
}

/// S2.3: a Sid is unique in its policy.
#[test]
fn repeated_sids_and_statements_are_told() {
    section("repeated sids and statements are told");
}

/// S2.6: resources are ARNs, with wildcards, of formats that AWS has.
#[test]
fn arns_are_compared_with_the_formats_of_their_service() {
    section("arns are compared with the formats of their service");
}

#[test]
fn variables_are_well_formed() {
    section("variables are well formed");
    let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}"}}"#;
    assert_eq!(codes(old, Identity, None), ["VARIABLE_UNSUPPORTED_IN_VERSION"]);
}

#[test]
fn operators_and_keys_go_together() {
    section("operators and keys go together");
}

#[test]
fn values_are_what_the_operator_compares() {
    section("values are what the operator compares");
}

#[test]
fn roles_are_passed_and_created_narrowly() {
    section("roles are passed and created narrowly");
}

#[test]
fn tags_are_tested_where_services_tell_of_them() {
    section("tags are tested where services tell of them");
}

#[test]
fn principals_are_named_as_aws_knows_them() {
    section("principals are named as aws knows them");
}

#[test]
fn resource_policies_are_about_their_resource() {
    section("resource policies are about their resource");
}

#[test]
fn trust_policies_say_who_may_assume_the_role() {
    section("trust policies say who may assume the role");
}

#[test]
fn organization_policies_have_rules_of_their_own() {
    section("organization policies have rules of their own");
}

#[test]
fn sizes_are_those_of_the_quotas() {
    let of = |size: usize| {
        let name = "a".repeat(size);
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny",PRINCIPAL"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/{name}"}}}}"#
        )
    };
    let bucket = Some(ResourceType::S3Bucket);
    for (size, policy_type, resource_type, wanted) in [
        (6200, Identity, None, "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA"),
        (10_300, ServiceControl, None, "POLICY_SIZE_EXCEEDS_SCP_QUOTA"),
        (5200, ResourceControl, None, "POLICY_SIZE_EXCEEDS_RCP_QUOTA"),
        (
            20_500,
            Resource,
            bucket,
            "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA",
        ),
    ] {
        let named = matches!(policy_type, Resource | ResourceControl);
        let principal = if named { r#""Principal":"*","# } else { "" };
        let text = of(size).replace("PRINCIPAL", principal);
        assert_eq!(codes(&text, policy_type, resource_type), [wanted]);
        let text = of(size - 400).replace("PRINCIPAL", principal);
        assert!(codes(&text, policy_type, resource_type).is_empty());
    }
    let users: Vec<String> = (0..50)
        .map(|n| format!(r#""arn:aws:iam::111122223333:user/a-long-name-{n}""#))
        .collect();
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":[{}]}},"Action":"sts:AssumeRole"}}}}"#,
        users.join(",")
    );
    assert_eq!(
        codes(&text, Resource, Some(ResourceType::AssumeRolePolicyDocument)),
        ["POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA"]
    );
}

fn only(text: &str) -> Finding {
    let mut found = validate(text, Identity, None);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// The place of a finding, over several lines and letters that are longer than a byte.
#[test]
fn findings_say_where_they_are() {
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\n    \"Sid\": \"A\", \"Effect\": \"Allow\",\n    \"Action\": [\"s3:GetObject\",\n      \"s3:GetObjects\"],\n    \"Resource\": \"*\"\n  }]\n}";
    let found = only(text);
    let [location] = &found.locations[..] else {
        panic!("{found:?}")
    };
    let value = |name: &str| PathElement::Value(name.to_owned());
    assert_eq!(
        location.path,
        [
            value("Statement"),
            PathElement::Index(0),
            value("Action"),
            PathElement::Index(1)
        ]
    );
    assert_eq!((location.start.line, location.start.column), (6, 6));
    assert_eq!((location.end.line, location.end.column), (6, 21));
    assert_eq!(
        text.get(location.start.offset..location.end.offset),
        Some("\"s3:GetObjects\"")
    );
    assert_eq!(
        found.issue.learn_more_link(),
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html#access-analyzer-reference-policy-checks-error-invalid-action"
    );
    let found = only(
        r#"{"Version":"2012-10-17","Id":"é","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/é/${}"}}"#,
    );
    let [location] = &found.locations[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        location.path,
        [
            value("Statement"),
            value("Resource"),
            PathElement::Substring { start: 17, length: 3 }
        ]
    );
    assert_eq!((location.start.column, location.end.column), (116, 119));
    let found = only("{\n \"a\" 1}");
    assert_eq!(found.issue, Issue::JsonSyntaxError);
    assert_eq!(
        (found.locations[0].start.line, found.locations[0].start.column),
        (2, 5)
    );
}

/// Every code that can be told is told by some test of this file, and every section is read.
#[test]
fn every_issue_has_a_test() {
    let source = [include_str!("validation.rs"), CASES].concat();
    let words: BTreeSet<&str> = source
        .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .collect();
    let untested: Vec<&str> = Issue::ALL
        .iter()
        .map(|issue| issue.code())
        .filter(|code| !words.contains(code))
        .collect();
    assert_eq!(untested, Vec::<&str>::new());
    for name in CASES.lines().filter_map(|line| line.strip_prefix("= ")) {
        assert!(source.contains(&format!("section(\"{name}\")")), "{name}");
    }
}
