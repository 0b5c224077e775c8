//! Versions and staging labels.

use serde_json::{Value, json};

use super::{Vault, id};

const HOUR: i64 = 3_600_000;

fn put(vault: &Vault, version: &str, stages: &[&str]) -> Value {
    let mut input = json!({ "SecretId": "s", "SecretString": version, "ClientRequestToken": id(version) });
    if !stages.is_empty() {
        input["VersionStages"] = json!(stages);
    }
    vault.ok("PutSecretValue", input)
}

fn stages(vault: &Vault) -> Value {
    vault.ok("DescribeSecret", json!({ "SecretId": "s" }))["VersionIdsToStages"].clone()
}

/// The current version becomes the previous one, and the one before it keeps no label.
#[test]
fn a_new_version_pushes_the_labels_on() {
    let vault = Vault::new();
    vault.secret("s", "1");
    assert_eq!(put(&vault, "2", &[])["VersionStages"], json!(["AWSCURRENT"]));
    put(&vault, "3", &[]);
    assert_eq!(
        stages(&vault),
        json!({ id("2"): ["AWSPREVIOUS"], id("3"): ["AWSCURRENT"] })
    );
    // A version without labels can still be had by its id.
    assert_eq!(vault.text(json!({ "SecretId": "s", "VersionId": id("1") })), "1");
    let all = json!({ "SecretId": "s", "IncludeDeprecated": true });
    assert_eq!(
        vault.ok("ListSecretVersionIds", all)["Versions"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let labelled = vault.ok("ListSecretVersionIds", json!({ "SecretId": "s" }));
    assert_eq!(labelled["Versions"].as_array().unwrap().len(), 2);
}

/// What rotation does: a pending version beside the current one, then the move of `AWSCURRENT`.
#[test]
fn a_pending_version_becomes_current() {
    let vault = Vault::new();
    vault.secret("s", "1");
    put(&vault, "2", &["AWSPENDING"]);
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "1");
    assert_eq!(
        vault.text(json!({ "SecretId": "s", "VersionStage": "AWSPENDING" })),
        "2"
    );
    let moved = json!({ "SecretId": "s", "VersionStage": "AWSCURRENT", "MoveToVersionId": id("2") });
    let (code, message) = vault.refused(&vault.here.root(), "UpdateSecretVersionStage", moved.clone());
    assert_eq!(code, "InvalidParameterException");
    assert!(
        message.starts_with("The parameter RemoveFromVersionId can't be empty."),
        "{message}"
    );
    let mut moved = moved;
    moved["RemoveFromVersionId"] = id("1").into();
    vault.ok("UpdateSecretVersionStage", moved);
    assert_eq!(
        stages(&vault),
        json!({ id("1"): ["AWSPREVIOUS"], id("2"): ["AWSCURRENT"] })
    );
    assert_eq!(
        stages(&vault),
        json!({ id("1"): ["AWSPREVIOUS"], id("2"): ["AWSCURRENT"] })
    );
}

#[test]
fn labels_of_ones_own_move_and_go() {
    let vault = Vault::new();
    vault.secret("s", "1");
    put(&vault, "2", &["blue"]);
    put(&vault, "3", &["blue", "green"]);
    assert_eq!(
        stages(&vault),
        json!({ id("1"): ["AWSCURRENT"], id("3"): ["blue", "green"] })
    );
    let refuse = |input: Value| vault.code("UpdateSecretVersionStage", input);
    let base = |from: Option<&str>, to: Option<&str>, stage: &str| {
        let mut input = json!({ "SecretId": "s", "VersionStage": stage });
        for (name, version) in [("RemoveFromVersionId", from), ("MoveToVersionId", to)] {
            if let Some(version) = version {
                input[name] = id(version).into();
            }
        }
        input
    };
    assert_eq!(refuse(base(Some("1"), None, "blue")), "InvalidParameterException");
    assert_eq!(refuse(base(None, None, "blue")), "InvalidParameterException");
    assert_eq!(
        refuse(base(Some("1"), None, "AWSCURRENT")),
        "InvalidParameterException"
    );
    assert_eq!(refuse(base(None, Some("9"), "blue")), "ResourceNotFoundException");
    vault.ok("UpdateSecretVersionStage", base(None, Some("1"), "red"));
    assert_eq!(vault.text(json!({ "SecretId": "s", "VersionStage": "red" })), "1");
    let both = json!({ "SecretId": "s", "VersionId": id("3"), "VersionStage": "red" });
    assert_eq!(vault.code("GetSecretValue", both), "InvalidRequestException");
}

#[test]
fn a_version_bears_twenty_labels() {
    let vault = Vault::new();
    vault.secret("s", "1");
    for number in 1..20 {
        let input =
            json!({ "SecretId": "s", "VersionStage": format!("l{number}"), "MoveToVersionId": id("1") });
        vault.ok("UpdateSecretVersionStage", input);
    }
    let input = json!({ "SecretId": "s", "VersionStage": "one-more", "MoveToVersionId": id("1") });
    assert_eq!(
        vault.code("UpdateSecretVersionStage", input),
        "LimitExceededException"
    );
}

/// About a hundred versions are kept: those without labels go once they are a day old, and none before.
#[test]
fn old_versions_make_room() {
    let vault = Vault::new();
    vault.secret("s", "1");
    for number in 2..=100 {
        put(&vault, &number.to_string(), &[]);
    }
    let next = json!({ "SecretId": "s", "SecretString": "101", "ClientRequestToken": id("101") });
    assert_eq!(
        vault.code("PutSecretValue", next.clone()),
        "LimitExceededException"
    );
    vault.here.cloud.advance(24 * HOUR);
    vault.ok("PutSecretValue", next);
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "101");
    let gone = vault.ok(
        "ListSecretVersionIds",
        json!({ "SecretId": "s", "IncludeDeprecated": true }),
    );
    assert_eq!(gone["Versions"].as_array().unwrap().len(), 100);
    let mut ids = std::collections::BTreeSet::new();
    let mut input = json!({ "SecretId": "s", "IncludeDeprecated": true, "MaxResults": 30 });
    loop {
        let page = vault.ok("ListSecretVersionIds", input.clone());
        ids.extend(
            page["Versions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|version| version["VersionId"].to_string()),
        );
        let Some(token) = page["NextToken"].as_str() else {
            break;
        };
        input["NextToken"] = token.into();
    }
    assert_eq!(ids.len(), 100);
}
