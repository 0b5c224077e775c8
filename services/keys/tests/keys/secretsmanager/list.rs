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

/// What a call of root's costs, in rows looked at.
fn rows(vault: &Vault, input: &Value) -> (u64, Value) {
    let looked = || {
        let done = vault.here.cloud.gateway.store().statistics();
        done.engine_reads + done.cache_hits
    };
    let before = looked();
    let answer = vault.ok("ListSecrets", input.clone());
    (looked() - before, answer)
}

/// A page costs what it shows, among ten secrets as among ten thousand; a filter looks at a bounded stretch a page.
#[test]
fn a_page_costs_what_it_shows() {
    let vault = Vault::new();
    let make = |from: u32, to: u32| {
        for number in from..to {
            vault.ok(
                "CreateSecret",
                json!({ "Name": format!("s{number:05}"), "Description": "x" }),
            );
        }
    };
    make(0, 20);
    let page = json!({ "MaxResults": 10 });
    let (few, _) = rows(&vault, &page);
    make(20, 10_000);
    for sort in ["created-date", "last-changed-date", "last-accessed-date", "name"] {
        let (many, answer) = rows(&vault, &json!({ "MaxResults": 10, "SortBy": sort }));
        assert_eq!(names(&answer).len(), 10);
        assert!(
            many <= few + 2 && many <= 30,
            "{many} rows by {sort}, {few} of few"
        );
        let behind = json!({ "MaxResults": 10, "SortBy": sort, "NextToken": answer["NextToken"] });
        let (many, answer) = rows(&vault, &behind);
        assert!(many <= few + 2, "{many} rows of the second page by {sort}");
        assert_eq!(names(&answer)[0], "s09989");
    }
    let filters = json!([{ "Key": "name", "Values": ["s00"] }]);
    let (mut token, mut found, mut pages) = (Value::Null, Vec::new(), 0);
    loop {
        let mut input = json!({ "Filters": filters, "MaxResults": 100 });
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let (looked, answer) = rows(&vault, &input);
        assert!(looked <= 2_200, "{looked} rows of a page that finds little");
        found.extend(names(&answer).into_iter().map(str::to_owned));
        pages += 1;
        match answer.get("NextToken") {
            Some(next) => token = next.clone(),
            None => break,
        }
    }
    found.sort();
    assert_eq!(
        found,
        (0..1000)
            .map(|number| format!("s{number:05}"))
            .collect::<Vec<_>>()
    );
    assert!(pages >= 10, "{pages}");
}
