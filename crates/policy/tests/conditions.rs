//! Condition operators by the tables of IAM's "Condition operators", "Single-valued vs. multivalued context keys" and
//! "Variables and tags" (S2.7).

mod scene;

use policy::Context;
use scene::{Scene, alice};

/// Whether a statement with the condition matches a request with these keys.
fn holds(condition: &str, keys: &[(&'static str, &[&str])]) -> bool {
    let statement = format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{condition}}}"#);
    let mut scene = Scene::identity(&[&statement]);
    let mut context = Context::new();
    for (key, values) in keys {
        match values {
            [only] => context.insert(*key, (*only).to_owned()),
            many => context.insert_many(*key, many.iter().map(|value| (*value).to_owned())),
        }
    }
    scene.context = context;
    scene.allows(&alice(), "s3:GetObject", "arn:aws:s3:::b/k")
}

#[test]
fn string_operators() {
    let job = r#"{"StringEquals":{"aws:PrincipalTag/job":"admin"}}"#;
    assert!(holds(job, &[("aws:PrincipalTag/job", &["admin"])]));
    assert!(!holds(job, &[("aws:PrincipalTag/job", &["dev-ops"])]));
    assert!(!holds(job, &[("aws:PrincipalTag/job", &["Admin"])]));
    assert!(!holds(job, &[]));
    assert!(holds(
        r#"{"StringEquals":{"AWS:principaltag/JOB":"admin"}}"#,
        &[("aws:PrincipalTag/job", &["admin"])]
    ));
    // Wildcards are for the Like operators.
    assert!(!holds(
        r#"{"StringEquals":{"aws:x":"a*"}}"#,
        &[("aws:x", &["ab"])]
    ));
    assert!(holds(
        r#"{"StringLike":{"aws:x":["z","a*c?"]}}"#,
        &[("aws:x", &["abbcd"])]
    ));
    assert!(holds(
        r#"{"StringEqualsIgnoreCase":{"aws:x":"ADMIN"}}"#,
        &[("aws:x", &["admin"])]
    ));
    assert!(!holds(
        r#"{"StringNotEqualsIgnoreCase":{"aws:x":"ADMIN"}}"#,
        &[("aws:x", &["admin"])]
    ));
    assert!(!holds(
        r#"{"StringNotLike":{"aws:x":"a*"}}"#,
        &[("aws:x", &["admin"])]
    ));
}

// "If the policy condition requires that the key is not matched … and the key is not present, the condition is true."
#[test]
fn negated_operators_hold_without_the_key_and_for_none_of_the_values() {
    let not = r#"{"StringNotEquals":{"aws:x":["a","b"]}}"#;
    assert!(holds(not, &[]));
    assert!(holds(not, &[("aws:x", &["c"])]));
    assert!(!holds(not, &[("aws:x", &["b"])]));
    assert!(!holds(not, &[("aws:x", &["c", "a"])]));
    for condition in [
        r#"{"NumericNotEquals":{"aws:x":"1"}}"#,
        r#"{"DateNotEquals":{"aws:x":"2020-01-01"}}"#,
        r#"{"NotIpAddress":{"aws:x":"10.0.0.0/8"}}"#,
        r#"{"ArnNotLike":{"aws:x":"arn:aws:s3:::*"}}"#,
    ] {
        assert!(holds(condition, &[]), "{condition}");
    }
}

#[test]
fn all_operators_and_all_keys_must_hold() {
    let both = r#"{"StringEquals":{"aws:x":"1","aws:y":"2"},"Bool":{"aws:z":true}}"#;
    assert!(holds(
        both,
        &[("aws:x", &["1"]), ("aws:y", &["2"]), ("aws:z", &["true"])]
    ));
    assert!(!holds(
        both,
        &[("aws:x", &["1"]), ("aws:y", &["2"]), ("aws:z", &["false"])]
    ));
    assert!(!holds(both, &[("aws:x", &["1"]), ("aws:z", &["true"])]));
}

#[test]
fn numeric_operators() {
    let keys = |value: &'static str| [("s3:max-keys", [value])];
    for (operator, wanted, value, outcome) in [
        ("NumericEquals", "10", "10.0", true),
        ("NumericEquals", "10", "11", false),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9.5", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "-3", "-2", true),
        ("NumericGreaterThanEquals", "10", "9", false),
        ("NumericEquals", "9007199254740993", "9007199254740992", false),
        ("NumericEquals", "ten", "ten", false),
        ("NumericLessThan", "10", "", false),
    ] {
        let condition = format!(r#"{{"{operator}":{{"s3:max-keys":"{wanted}"}}}}"#);
        let [(key, values)] = keys(value);
        assert_eq!(
            holds(&condition, &[(key, &values)]),
            outcome,
            "{operator} {wanted} {value}"
        );
    }
    assert!(holds(
        r#"{"NumericLessThanEquals":{"s3:max-keys":10}}"#,
        &[("s3:max-keys", &["7"])]
    ));
}

#[test]
fn date_operators_take_iso_and_epoch() {
    for (operator, wanted, value, outcome) in [
        (
            "DateGreaterThan",
            "2020-01-01T00:00:01Z",
            "2020-01-01T00:00:02Z",
            true,
        ),
        (
            "DateGreaterThan",
            "2020-01-01T00:00:01Z",
            "2019-12-31T23:59:59Z",
            false,
        ),
        ("DateLessThan", "1577836801", "2020-01-01T00:00:00Z", true),
        ("DateEquals", "2020-01-01", "1577836800", true),
        (
            "DateLessThanEquals",
            "2020-01-01T01:00:00+01:00",
            "2020-01-01T00:00:00Z",
            true,
        ),
        ("DateGreaterThanEquals", "tomorrow", "2020-01-01T00:00:00Z", false),
        ("DateNotEquals", "2020-01-01", "2020-01-02", true),
    ] {
        let condition = format!(r#"{{"{operator}":{{"aws:CurrentTime":"{wanted}"}}}}"#);
        assert_eq!(
            holds(&condition, &[("aws:CurrentTime", &[value])]),
            outcome,
            "{operator} {wanted}"
        );
    }
}

#[test]
fn boolean_binary_and_null() {
    let insecure = r#"{"Bool":{"aws:SecureTransport":"false"}}"#;
    assert!(holds(insecure, &[("aws:SecureTransport", &["false"])]));
    assert!(!holds(insecure, &[("aws:SecureTransport", &["true"])]));
    assert!(!holds(insecure, &[]));
    assert!(holds(
        r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#,
        &[]
    ));

    let binary = r#"{"BinaryEquals":{"x:key":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#;
    assert!(holds(binary, &[("x:key", &["QmluYXJ5VmFsdWVJbkJhc2U2NA=="])]));
    assert!(!holds(binary, &[("x:key", &["ASIAIOSFODNN7EXAMPLE"])]));
    assert!(!holds(binary, &[]));

    let temporary = r#"{"Null":{"aws:TokenIssueTime":"false"}}"#;
    assert!(holds(
        temporary,
        &[("aws:TokenIssueTime", &["2020-01-01T00:00:00Z"])]
    ));
    assert!(!holds(temporary, &[]));
    assert!(holds(r#"{"Null":{"aws:TokenIssueTime":true}}"#, &[]));
}

#[test]
fn addresses() {
    let office = r#"{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}}"#;
    assert!(holds(office, &[("aws:SourceIp", &["203.0.113.1"])]));
    assert!(holds(office, &[("aws:SourceIp", &["2001:db8:1234:5678::9"])]));
    assert!(!holds(office, &[("aws:SourceIp", &["198.51.100.1"])]));
    assert!(!holds(office, &[]));
    let elsewhere = r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#;
    assert!(holds(
        elsewhere,
        &[("aws:SourceIp", &["cloudformation.amazonaws.com"])]
    ));
    assert!(!holds(elsewhere, &[("aws:SourceIp", &["203.0.113.1"])]));
}

#[test]
fn arns_are_compared_part_by_part() {
    let topic = r#"{"ArnEquals":{"aws:SourceArn":"arn:aws:sns:us-west-2:123456789012:TOPIC-ID"}}"#;
    assert!(holds(
        topic,
        &[("aws:SourceArn", &["arn:aws:sns:us-west-2:123456789012:TOPIC-ID"])]
    ));
    assert!(!holds(
        topic,
        &[("aws:SourceArn", &["arn:aws:sns:us-west-2:777788889999:TOPIC-ID"])]
    ));
    assert!(!holds(topic, &[]));
    // A wildcard stays within its part, other than in StringLike.
    let spanning = "arn:aws:sns:us-east-1:1:a:b";
    assert!(!holds(
        r#"{"ArnLike":{"aws:SourceArn":"arn:aws:*:b"}}"#,
        &[("aws:SourceArn", &[spanning])]
    ));
    assert!(holds(
        r#"{"StringLike":{"aws:SourceArn":"arn:aws:*:b"}}"#,
        &[("aws:SourceArn", &[spanning])]
    ));
    assert!(holds(
        r#"{"ArnLike":{"aws:SourceArn":"arn:aws:*:*:*:a:?"}}"#,
        &[("aws:SourceArn", &[spanning])]
    ));
    assert!(!holds(
        r#"{"ArnNotEquals":{"aws:SourceArn":"arn:*:sns:*:*:*"}}"#,
        &[("aws:SourceArn", &[spanning])]
    ));
}

#[test]
fn if_exists_is_true_without_the_key() {
    let kinds = r#"{"StringLikeIfExists":{"ec2:InstanceType":["t1.*","t2.*","m3.*"]}}"#;
    assert!(holds(kinds, &[("ec2:InstanceType", &["t1.micro"])]));
    assert!(!holds(kinds, &[("ec2:InstanceType", &["m2.micro"])]));
    assert!(holds(kinds, &[]));
    assert!(holds(
        r#"{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}"#,
        &[]
    ));
}

#[test]
fn set_qualifiers() {
    let all = r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["environment","cost-center"]}}"#;
    assert!(holds(all, &[("aws:TagKeys", &["environment", "cost-center"])]));
    assert!(!holds(all, &[("aws:TagKeys", &["environment", "dept"])]));
    assert!(holds(all, &[]));
    let strict =
        r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["environment"]},"Null":{"aws:TagKeys":"false"}}"#;
    assert!(!holds(strict, &[]));
    let any = r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["environment","cost-center"]}}"#;
    assert!(holds(any, &[("aws:TagKeys", &["environment", "dept"])]));
    assert!(!holds(any, &[("aws:TagKeys", &["dept"])]));
    assert!(!holds(any, &[]));
    let none = r#"{"ForAllValues:StringNotLike":{"aws:ResourceOrgPaths":["o-a/r/ou-media/*"]}}"#;
    assert!(holds(none, &[("aws:ResourceOrgPaths", &["o-a/r/ou-sports/"])]));
    assert!(!holds(
        none,
        &[("aws:ResourceOrgPaths", &["o-a/r/ou-sports/", "o-a/r/ou-media/x"])]
    ));
    let some = r#"{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}}"#;
    assert!(holds(some, &[("aws:TagKeys", &["a", "b"])]));
    assert!(!holds(some, &[("aws:TagKeys", &["a", "a"])]));
    assert!(!holds(some, &[]));
    let arns = r#"{"ForAllValues:ArnLike":{"logs:LogGeneratingResourceArns":"arn:aws:cloudfront::123456789012:distribution/*"}}"#;
    assert!(holds(
        arns,
        &[(
            "logs:LogGeneratingResourceArns",
            &["arn:aws:cloudfront::123456789012:distribution/x"]
        )]
    ));
    assert!(!holds(
        arns,
        &[(
            "logs:LogGeneratingResourceArns",
            &["arn:aws:cloudfront::777788889999:distribution/x"]
        )]
    ));
}

#[test]
fn variables_in_conditions() {
    let home = r#"{"StringLike":{"s3:prefix":["","home/","home/${aws:username}/"]}}"#;
    assert!(holds(
        home,
        &[("s3:prefix", &["home/martha/"]), ("aws:username", &["martha"])]
    ));
    assert!(!holds(
        home,
        &[("s3:prefix", &["home/nikki/"]), ("aws:username", &["martha"])]
    ));
    assert!(!holds(home, &[("s3:prefix", &["home/martha/"])]));
    assert!(holds(home, &[("s3:prefix", &["home/"])]));
    // A value is never a pattern.
    assert!(!holds(
        home,
        &[("s3:prefix", &["home/nikki/"]), ("aws:username", &["*"])]
    ));
    // A multivalued key is no variable.
    assert!(!holds(
        home,
        &[("s3:prefix", &["home/a/"]), ("aws:username", &["a", "b"])]
    ));
    let team = r#"{"StringNotEquals":{"s3:ExistingObjectTag/Team":"${aws:PrincipalTag/Team}"}}"#;
    assert!(holds(team, &[("s3:ExistingObjectTag/Team", &["blue"])]));
    assert!(!holds(
        team,
        &[
            ("s3:ExistingObjectTag/Team", &["blue"]),
            ("aws:PrincipalTag/Team", &["blue"])
        ]
    ));
    assert!(holds(
        r#"{"StringEquals":{"aws:x":"${*}"}}"#,
        &[("aws:x", &["*"])]
    ));
    let arn = r#"{"ArnLike":{"aws:SourceArn":"arn:aws:iam::*:user/${aws:username}"}}"#;
    assert!(holds(
        arn,
        &[
            ("aws:SourceArn", &["arn:aws:iam::1:user/m"]),
            ("aws:username", &["m"])
        ]
    ));
}
