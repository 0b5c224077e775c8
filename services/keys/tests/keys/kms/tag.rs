//! Tags.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::cloud::{Here, arn};

#[test]
fn tags_are_set_changed_listed_and_removed() {
    let here = Here::new();
    let created = here.ok(
        "CreateKey",
        json!({ "Tags": [{ "TagKey": "team", "TagValue": "blue" }] }),
    );
    let key = arn(&created);
    here.ok("TagResource", json!({ "KeyId": key, "Tags": [{ "TagKey": "team", "TagValue": "red" }, { "TagKey": "a", "TagValue": "" }] }));
    let listed = here.ok("ListResourceTags", json!({ "KeyId": key }));
    let expected = json!([{ "TagKey": "a", "TagValue": "" }, { "TagKey": "team", "TagValue": "red" }]);
    assert_eq!(listed, json!({ "Tags": expected, "Truncated": false }));
    here.ok("UntagResource", json!({ "KeyId": key, "TagKeys": ["a", "none"] }));
    let listed = here.ok("ListResourceTags", json!({ "KeyId": key }));
    assert_eq!(listed["Tags"], json!([{ "TagKey": "team", "TagValue": "red" }]));
}

#[test]
fn tags_have_rules() {
    let here = Here::new();
    let root = here.root();
    let key = here.key();
    let tag = |name: &str| json!({ "TagKey": name, "TagValue": "x" });
    for tags in [
        json!([tag("aws:x")]),
        json!([tag("AWS:x")]),
        json!([tag("a"), tag("a")]),
    ] {
        assert_eq!(
            here.refused(&root, "CreateKey", json!({ "Tags": tags })).0,
            "TagException"
        );
        assert_eq!(
            here.refused(&root, "TagResource", json!({ "KeyId": key, "Tags": tags }))
                .0,
            "TagException"
        );
    }
    let many = |from: usize, to: usize| {
        json!(
            (from..to)
                .map(|number| tag(&number.to_string()))
                .collect::<Vec<_>>()
        )
    };
    here.ok("TagResource", json!({ "KeyId": key, "Tags": many(0, 50) }));
    let refused = here.refused(
        &root,
        "TagResource",
        json!({ "KeyId": key, "Tags": many(50, 51) }),
    );
    assert_eq!(refused.0, "LimitExceededException");
}

#[test]
fn policies_see_the_tags_of_keys_and_requests() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([
        { "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": { "StringEquals": { "aws:ResourceTag/team": "blue" } } },
        { "Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*" },
        { "Effect": "Allow", "Action": "kms:TagResource", "Resource": "*", "Condition": { "StringEquals": { "aws:RequestTag/team": "blue" } } },
    ]));
    let tagged = |team: &str| json!({ "Tags": [{ "TagKey": "team", "TagValue": team }], "BypassPolicyLockoutSafetyCheck": true });
    let blue = arn(&here.call(&ann, "CreateKey", tagged("blue")).unwrap());
    assert!(here.denied(&ann, "CreateKey", tagged("red")));
    let red = arn(&here.ok("CreateKey", tagged("red")));
    assert!(here.encrypt(&ann, &blue, b"x").is_ok());
    assert!(here.denied(&ann, "Encrypt", json!({ "KeyId": red, "Plaintext": "eA==" })));
}

/// More tags than a key can have are refused before they are judged: they would be condition keys of the decision and its record.
#[test]
fn a_flood_of_tags_is_never_judged() {
    let here = Here::new();
    let nobody = here.user(ACCOUNT, "nobody", &json!([]));
    let flood: Vec<_> = (0..51)
        .map(|number| json!({ "TagKey": number.to_string(), "TagValue": "" }))
        .collect();
    let key = here.key();
    for (operation, input) in [
        ("CreateKey", json!({ "Tags": flood })),
        ("TagResource", json!({ "KeyId": key, "Tags": flood })),
    ] {
        let refused = here.refused(&nobody, operation, input);
        assert_eq!(refused.0, "TagException", "{operation}");
        let record = here.cloud.records(ACCOUNT, REGION).pop().unwrap();
        assert_eq!(
            (record.operation.as_str(), record.judgements.len()),
            (operation, 0)
        );
    }
}
