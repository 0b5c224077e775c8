//! Documents as AWS takes and refuses them (S2.1 to S2.7, S2.13; MalformedPolicyDocument messages).
#![expect(
    clippy::unwrap_used,
    reason = "a document that is wrongly taken must fail its test"
)]

use policy::{
    Attached, Context, Effect, Layers, Policy, PolicyKind, Principal, Request, Version, decide, explain,
    suggest,
};
use std::sync::Arc;

fn refusal(text: &str, kind: PolicyKind) -> String {
    Policy::parse(text, kind).unwrap_err().to_string()
}

fn identity(statement: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
}

// S2.1, S2.2, S2.3, S2.4: version, several statements, optional unique Sid, effect.
#[test]
fn the_elements_of_a_document() {
    let text = r#"{"Version":"2012-10-17","Id":"doc","Statement":[
        {"Sid":"One","Effect":"Allow","Action":"ec2:AttachVolume","Resource":"*"},
        {"Effect":"Deny","NotAction":["iam:*"],"NotResource":"arn:aws:s3:::b/*"}]}"#;
    let policy = Policy::parse(text, PolicyKind::Identity).unwrap();
    assert_eq!(
        (policy.version(), policy.id(), policy.text()),
        (Version::V2012, Some("doc"), text)
    );
    let seen: Vec<_> = policy
        .statements()
        .map(|held| (held.sid(), held.effect()))
        .collect();
    assert_eq!(seen, [(Some("One"), Effect::Allow), (None, Effect::Deny)]);
    let span = policy.statements().next().unwrap().span();
    let statement = text.get(span.start..span.end).unwrap();
    assert!(statement.starts_with(r#"{"Sid":"One""#) && statement.ends_with(r#""Resource":"*"}"#));
}

#[test]
fn a_single_statement_needs_no_array_and_an_old_document_no_version() {
    let text = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    assert_eq!(
        Policy::parse(text, PolicyKind::Identity).unwrap().version(),
        Version::V2008
    );
}

// S2.1, S2.3 and the messages of IAM.
#[test]
fn identity_policies_are_refused_in_the_words_of_iam() {
    let allow = |rest: &str| identity(&format!(r#"{{"Effect":"Allow",{rest}}}"#));
    for (text, wanted) in [
        ("".into(), "Syntax errors in policy."),
        ("[]".into(), "Syntax errors in policy."),
        (r#"{"Version":"2012-10-17"}"#.into(), "Syntax errors in policy."),
        (identity("[]"), "Syntax errors in policy."),
        (
            identity(r#"{"Action":"s3:*","Resource":"*"}"#),
            "Syntax errors in policy.",
        ),
        (
            identity(r#"{"Effect":"allow","Action":"s3:*","Resource":"*"}"#),
            "Syntax errors in policy.",
        ),
        (
            allow(r#""Action":"s3:*","Resource":"*","Extra":1"#),
            "Syntax errors in policy.",
        ),
        (
            allow(r#""Action":"s3:*","NotAction":"s3:*","Resource":"*""#),
            "Syntax errors in policy.",
        ),
        (
            allow(r#""Action":"s3:*","Action":"s3:*","Resource":"*""#),
            "Syntax errors in policy.",
        ),
        (allow(r#""Action":7,"Resource":"*""#), "Syntax errors in policy."),
        (
            r#"{"Version":"2012-10-18","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#.into(),
            "Policy document must be version 2012-10-17 or greater.",
        ),
    ] {
        assert_eq!(refusal(&text, PolicyKind::Identity), wanted, "{text}");
    }
}

#[test]
fn elements_of_identity_policies_are_refused_in_the_words_of_iam() {
    let allow = |rest: &str| identity(&format!(r#"{{"Effect":"Allow",{rest}}}"#));
    for (text, wanted) in [
        (
            allow(r#""Action":"s3:*""#),
            "Policy statement must contain resources.",
        ),
        (
            allow(r#""Action":"s3:*","Resource":[]"#),
            "Policy statement must contain resources.",
        ),
        (
            allow(r#""Resource":"*""#),
            "Policy statement must contain actions.",
        ),
        (
            allow(r#""Action":[],"Resource":"*""#),
            "Policy statement must contain actions.",
        ),
        (
            allow(r#""Action":"GetObject","Resource":"*""#),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (
            allow(r#""Action":"s3:Get:Object","Resource":"*""#),
            "Actions/Condition can contain only one colon.",
        ),
        (
            allow(r#""Action":"s_3:Get","Resource":"*""#),
            "Vendor s_3 is not valid",
        ),
        (
            allow(r#""Action":"s3:*","Resource":"bucket""#),
            "Resource bucket must be in ARN format or \"*\".",
        ),
        (
            allow(r#""Principal":"*","Action":"s3:*","Resource":"*""#),
            "Policy document should not specify a principal.",
        ),
        (
            allow(r#""Sid":"a b","Action":"s3:*","Resource":"*""#),
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
             expression [0-9A-Za-z]*",
        ),
        (
            allow(r#""Action":"s3:*","Resource":"*","Condition":{"StringLikes":{"aws:x":"y"}}"#),
            "Invalid Condition type : StringLikes",
        ),
        (
            allow(r#""Action":"s3:*","Resource":"*","Condition":{"NullIfExists":{"aws:x":"true"}}"#),
            "Invalid Condition type : NullIfExists",
        ),
        (
            identity(
                r#"[{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"},
                    {"Sid":"A","Effect":"Deny","Action":"s3:*","Resource":"*"}]"#,
            ),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ] {
        assert_eq!(refusal(&text, PolicyKind::Identity), wanted, "{text}");
    }
}

// S2.3: the sample as printed, without its comma and with comments.
#[test]
fn the_sample_without_comma_is_refused_at_its_place() {
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\n    \"Sid\": \"Stmt1\" // optional\n    \"Effect\": \"Allow\"\n  }]\n}";
    let error = Policy::parse(text, PolicyKind::Identity).unwrap_err();
    assert_eq!(
        error.located(),
        "Syntax errors in policy. line 4, column 20: expected a comma or a closing brace"
    );
}

// S2.13, S2.14: bucket policies contain Principal, and whom it may name.
#[test]
fn resource_policies_name_principals() {
    let statement = |principal: &str| {
        identity(&format!(
            r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b"{principal}}}"#
        ))
    };
    for principal in [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":["123456789012","arn:aws:iam::123456789012:root"]}"#,
        r#"{"AWS":"arn:aws:iam::123456789012:user/division/alice"}"#,
        r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/r/s"}"#,
        r#"{"AWS":"arn:aws:sts::123456789012:federated-user/f"}"#,
        r#"{"AWS":"AIDAEXAMPLE"}"#,
        r#"{"Service":["sns.amazonaws.com"],"Federated":"accounts.google.com"}"#,
        r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbaced"}"#,
    ] {
        let text = statement(&format!(r#","Principal":{principal}"#));
        assert!(Policy::parse(&text, PolicyKind::Resource).is_ok(), "{principal}");
    }
    for (principal, wanted) in [
        (
            r#"{"AWS":"alice"}"#,
            r#"Invalid principal in policy: "AWS":"alice""#,
        ),
        (
            r#"{"AWS":"arn:aws:iam::123456789012:user/*"}"#,
            r#"Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/*""#,
        ),
        (
            r#"{"AWS":"arn:aws:iam::123456789012:group/g"}"#,
            r#"Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:group/g""#,
        ),
        (
            r#"{"Service":"*"}"#,
            r#"Invalid principal in policy: "Service":"*""#,
        ),
        (r#"{"Other":"x"}"#, r#"Invalid principal in policy: "Other":"x""#),
        (r#""alice""#, r#"Invalid principal in policy: "alice""#),
        ("{}", "Syntax errors in policy."),
    ] {
        let text = statement(&format!(r#","Principal":{principal}"#));
        assert_eq!(refusal(&text, PolicyKind::Resource), wanted, "{principal}");
    }
    assert_eq!(
        refusal(&statement(""), PolicyKind::Resource),
        "Missing required field Principal"
    );
    assert_eq!(
        refusal(
            &statement(r#","NotPrincipal":{"AWS":"123456789012"}"#),
            PolicyKind::Resource
        ),
        "Syntax errors in policy."
    );
}

/// A statement of a key policy without what it is about is taken, and has no effect (KMS API Reference, `CreateKey`, `Policy`).
#[test]
fn key_policies_may_have_statements_without_effect() {
    for rest in [r#""Action":"kms:*""#, r#""Resource":"*""#, r#""Sid":"x""#] {
        let statement = identity(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"*"}},{rest}}}"#
        ));
        assert!(Policy::parse(&statement, PolicyKind::Key).is_ok(), "{statement}");
        assert!(
            refusal(&statement, PolicyKind::Resource).starts_with("Missing required field"),
            "{statement}"
        );
    }
    let nobody = identity(r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#);
    assert_eq!(
        refusal(&nobody, PolicyKind::Key),
        "Missing required field Principal"
    );
}

#[test]
fn trust_policies_have_no_resource_and_only_sts_actions() {
    let statement = |rest: &str| {
        identity(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"*"}},{rest}}}"#
        ))
    };
    assert!(
        Policy::parse(
            &statement(r#""Action":["sts:AssumeRole","sts:TagSession"]"#),
            PolicyKind::Trust
        )
        .is_ok()
    );
    for (rest, wanted) in [
        (
            r#""Action":"sts:AssumeRole","Resource":"*""#,
            "Has prohibited field Resource",
        ),
        (
            r#""Action":"sts:AssumeRole","NotResource":"*""#,
            "Has prohibited field NotResource",
        ),
        (
            r#""Action":"s3:GetObject""#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (r#""Sid":"x""#, "Missing required field Action"),
    ] {
        assert_eq!(refusal(&statement(rest), PolicyKind::Trust), wanted);
    }
    let deny = r#"{"Effect":"Deny","NotPrincipal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}"#;
    assert_eq!(
        refusal(&identity(deny), PolicyKind::Trust),
        "Has prohibited field NotPrincipal"
    );
}

// S2.17: the organization's policy types have rules of their own.
#[test]
fn organization_policies_are_restricted() {
    let wanted = "The provided policy document does not meet the requirements of the specified policy type.";
    let scp = identity(r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}"#);
    assert_eq!(refusal(&scp, PolicyKind::ServiceControl), wanted);
    // Since 2025 an Allow may have conditions, ARNs, NotAction and NotResource; the version must be written.
    let allow = r#"{"Effect":"Allow","NotAction":"iam:*Key","Resource":"arn:aws:s3:::a","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#;
    assert!(Policy::parse(&identity(allow), PolicyKind::ServiceControl).is_ok());
    let deny = r#"{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::a"}"#;
    assert!(Policy::parse(&identity(deny), PolicyKind::ServiceControl).is_ok());
    let unversioned = format!(r#"{{"Statement":[{deny}]}}"#);
    assert_eq!(refusal(&unversioned, PolicyKind::ServiceControl), wanted);
    let full = identity(r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#);
    assert!(Policy::parse(&full, PolicyKind::ResourceControl).is_ok());
    for statement in [
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}"#,
        r#"{"Effect":"Deny","Principal":"*","NotAction":"s3:*","Resource":"*"}"#,
        r#"{"Effect":"Deny","Principal":{"AWS":"123456789012"},"Action":"s3:*","Resource":"*"}"#,
        r#"{"Effect":"Deny","NotPrincipal":"*","Action":"s3:*","Resource":"*"}"#,
        r#"{"Effect":"Deny","Principal":"*","Action":["s3:*","*"],"Resource":"*"}"#,
    ] {
        assert_eq!(
            refusal(&identity(statement), PolicyKind::ResourceControl),
            wanted,
            "{statement}"
        );
    }
}

// "Grammar of the IAM JSON policy language", notes on resource_string.
#[test]
fn incomplete_arns_are_completed_except_in_session_policies() {
    let text = identity(r#"{"Effect":"Allow","Action":"sqs:*","Resource":"arn:aws:sqs"}"#);
    assert!(Policy::parse(&text, PolicyKind::Identity).is_ok());
    assert_eq!(
        refusal(&text, PolicyKind::Session),
        "Resource arn:aws:sqs must be in ARN format or \"*\"."
    );
}

proptest::proptest! {
    // Whatever a valid document holds, deciding, explaining and suggesting answer.
    #[test]
    fn odd_documents_are_judged(resource in ".*", key in ".*", value in ".*", asked in ".*") {
        let statement = serde_json::json!({
            "Sid": value, "Effect": "Allow", "Principal": "*", "Action": "s3:*",
            "Resource": format!("arn:{resource}"),
            "Condition": {"StringLike": {format!("a:{key}"): value}, "DateEquals": {"a:d": value}},
        });
        let document = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]});
        let text = serde_json::to_string_pretty(&document).unwrap();
        let policy = Policy::parse(&text, PolicyKind::Resource).unwrap();
        let attached = Attached::new(Arc::new(policy), asked.clone());
        let context = Context::new().with(format!("a:{key}"), asked.clone()).with("a:d", asked.clone());
        let principal = Principal::Service { name: asked.clone() };
        let (action, resource) = (format!("s3:{asked}"), format!("arn:{asked}"));
        let request = Request {
            principal: &principal,
            action: &action,
            resource: &resource,
            resource_account: None,
            context: &context,
        };
        let layers = Layers { resource: Some(&attached), ..Layers::default() };
        let derivation = explain(&request, &layers);
        proptest::prop_assert_eq!(derivation.decision, decide(&request, &layers));
        proptest::prop_assert!(derivation.to_string().contains("resource-based policy"));
        let suggestion = suggest(&request, &layers);
        proptest::prop_assert!(suggestion.is_none() || !derivation.decision.allowed);
    }

    // Whatever the bytes, the parser answers; it is fuzzed by the same call.
    #[test]
    fn any_text_is_parsed_or_refused(text in "[\\[\\]{}\",:A-Za-z0-9*$ \\\\]{0,200}") {
        let _ = Policy::parse(&text, PolicyKind::Identity);
        let _ = Policy::parse(&text, PolicyKind::Resource);
    }
}
