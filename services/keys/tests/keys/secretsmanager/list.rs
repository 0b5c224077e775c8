//! Lists, filters, and many values by one call.

use serde_json::{Value, json};

use super::{Vault, id};

fn names(answer: &Value) -> Vec<&str> {
    let list = answer["SecretList"].as_array().unwrap();
    list.iter()
        .map(|secret| secret["Name"].as_str().unwrap())
        .collect()
}

fn stocked() -> Vault {
    let vault = Vault::new();
    for (name, description, tag) in [
        ("prod/db", "the Database of production", "blue"),
        ("prod/api", "", "green"),
        ("Test/db", "a database for tests", "blue"),
    ] {
        let input = json!({ "Name": name, "Description": description, "SecretString": name, "KmsKeyId": vault.key,
            "ClientRequestToken": id("1"), "Tags": [{ "Key": "Team", "Value": tag }] });
        vault.ok("CreateSecret", input);
        vault.here.cloud.advance(1000);
    }
    vault
}

#[test]
fn a_list_is_filtered() {
    let vault = stocked();
    let filtered = |filters: Value| {
        let answer = vault.ok(
            "ListSecrets",
            json!({ "Filters": filters, "SortBy": "name", "SortOrder": "asc" }),
        );
        names(&answer).join(" ")
    };
    let one = |key: &str, value: &str| filtered(json!([{ "Key": key, "Values": [value] }]));
    assert_eq!(filtered(json!([])), "Test/db prod/api prod/db");
    assert_eq!(one("name", "prod/"), "prod/api prod/db");
    assert_eq!(one("name", "Prod/"), "");
    assert_eq!(one("name", "!prod/"), "Test/db");
    assert_eq!(one("description", "database"), "Test/db prod/db");
    assert_eq!(one("tag-key", "Te"), "Test/db prod/api prod/db");
    assert_eq!(one("tag-key", "te"), "");
    assert_eq!(one("tag-value", "blue"), "Test/db prod/db");
    assert_eq!(one("all", "GREEN"), "prod/api");
    let both =
        json!([{ "Key": "tag-value", "Values": ["blue"] }, { "Key": "name", "Values": ["prod/", "other"] }]);
    assert_eq!(filtered(both), "prod/db");
}

#[test]
fn a_list_is_sorted_and_paged() {
    let vault = stocked();
    assert_eq!(
        names(&vault.ok("ListSecrets", json!({}))),
        ["Test/db", "prod/api", "prod/db"]
    );
    let ascending = vault.ok("ListSecrets", json!({ "SortOrder": "asc" }));
    assert_eq!(names(&ascending), ["prod/db", "prod/api", "Test/db"]);
    let first = vault.ok("ListSecrets", json!({ "MaxResults": 2 }));
    assert_eq!(names(&first), ["Test/db", "prod/api"]);
    let token = first["NextToken"].clone();
    let second = vault.ok("ListSecrets", json!({ "MaxResults": 2, "NextToken": token }));
    assert_eq!(names(&second), ["prod/db"]);
    assert!(second.get("NextToken").is_none());
    let other = json!({ "MaxResults": 2, "NextToken": token, "SortOrder": "asc" });
    assert_eq!(vault.code("ListSecrets", other), "InvalidNextTokenException");
    assert!(!serde_json::to_string(&first).unwrap().contains("SecretString"));
}

/// Each secret is judged by itself: what may not be read is an error of its own.
#[test]
fn a_batch_tells_errors_one_by_one() {
    let vault = stocked();
    let reader = vault.here.user(
        pipeline::testing::ACCOUNT,
        "reader",
        &json!([
            { "Effect": "Allow", "Action": "secretsmanager:BatchGetSecretValue", "Resource": "*" },
            { "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*" },
            { "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": ["arn:aws:secretsmanager:*:*:secret:prod/db-??????", "arn:aws:secretsmanager:*:*:secret:gone"] },
        ]),
    );
    let input = json!({ "SecretIdList": ["prod/db", "prod/api", "gone"] });
    let answer = vault.call(&reader, "BatchGetSecretValue", input).unwrap();
    assert_eq!(answer["SecretValues"].as_array().unwrap().len(), 1);
    assert_eq!(answer["SecretValues"][0]["SecretString"], "prod/db");
    let errors = answer["Errors"].as_array().unwrap();
    let told: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["SecretId"].as_str().unwrap(),
                error["ErrorCode"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("prod/api", "AccessDeniedException"),
            ("gone", "ResourceNotFoundException")
        ]
    );
    let filters = json!({ "Filters": [{ "Key": "name", "Values": ["prod/"] }], "MaxResults": 1 });
    assert_eq!(
        vault.refused(&reader, "BatchGetSecretValue", filters.clone()).0,
        "AccessDeniedException"
    );
    let first = vault.ok("BatchGetSecretValue", filters.clone());
    assert_eq!(first["SecretValues"][0]["Name"], "prod/api");
    let mut next = filters;
    next["NextToken"] = first["NextToken"].clone();
    assert_eq!(
        vault.ok("BatchGetSecretValue", next)["SecretValues"][0]["Name"],
        "prod/db"
    );
    assert_eq!(
        vault.code("BatchGetSecretValue", json!({})),
        "InvalidParameterException"
    );
}
