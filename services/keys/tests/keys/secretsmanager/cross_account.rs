//! Secrets that follow those of another account.

use std::sync::Arc;

use pipeline::Identity;
use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::{Value, json};

use super::{Vault, id};
use crate::cloud::{OTHER, allow, policy};

/// What it takes to associate a replica and to keep it in step.
const ALL: [&str; 6] = [
    "secretsmanager:AssociateCrossAccountReplica",
    "secretsmanager:GetSecretValue",
    "secretsmanager:AcceptCrossAccountReplication",
    "secretsmanager:PutSecretValue",
    "kms:Decrypt",
    "kms:Encrypt",
];

/// A primary `s` of `ACCOUNT`, and its replica `copy` in `OTHER`, whose key lets ann encrypt.
struct Pair {
    vault: Vault,
    /// The root user of the replica's account.
    other: Caller,
    /// A user of the primary's account who may do all that it takes, and make values.
    ann: Caller,
    primary: String,
    replica: String,
    /// The replica's key.
    key: String,
}

impl Pair {
    fn new() -> Self {
        Self::with(&ALL, true)
    }

    /// With these permissions for ann, and with or without those of the replica's key.
    fn with(actions: &[&str], encrypts: bool) -> Self {
        let vault = Vault::new();
        let primary = vault.secret("s", "one");
        let statements = json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" },
            { "Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": "*" }]);
        let ann = vault.here.user(ACCOUNT, "ann", &statements);
        let other: Caller = Arc::new(Identity::root(OTHER));
        let mut statements = vec![json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": format!("arn:aws:iam::{OTHER}:root") } })];
        if encrypts {
            statements.push(allow(&ann, &["kms:Encrypt"]));
        }
        let asked = json!({ "Policy": policy(&statements) });
        let key = vault.here.cloud.call(&other, "kms", "CreateKey", asked).unwrap();
        let key = key["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
        let asked = json!({ "Name": "copy", "KmsKeyId": key, "CrossAccountPrimaryARN": primary });
        let made = vault.call(&other, "CreateSecret", asked).unwrap();
        let replica = made["ARN"].as_str().unwrap().to_owned();
        Self {
            vault,
            other,
            ann,
            primary,
            replica,
            key,
        }
    }

    /// Of the replica's account.
    fn there(&self, operation: &str, mut input: Value) -> Value {
        input["SecretId"] = "copy".into();
        self.vault.call(&self.other, operation, input).unwrap()
    }

    /// A refusal in the replica's account.
    fn code_there(&self, operation: &str, mut input: Value) -> String {
        input["SecretId"] = "copy".into();
        self.vault.refused(&self.other, operation, input).0
    }

    fn tie(&self) -> Value {
        json!({ "SecretId": "s", "CrossAccountReplicaARN": self.replica, "ReplicaRestriction": "NoRestriction" })
    }

    fn associate(&self) -> Value {
        self.vault
            .call(&self.ann, "AssociateCrossAccountReplica", self.tie())
            .unwrap()
    }

    fn put(&self, caller: &Caller, value: &str) {
        let input = json!({ "SecretId": "s", "SecretString": value, "ClientRequestToken": id(value) });
        self.vault.call(caller, "PutSecretValue", input).unwrap();
    }

    fn text_there(&self) -> Value {
        self.there("GetSecretValue", json!({}))["SecretString"].clone()
    }

    /// The states that both sides tell: the replica's, and the primary's.
    fn states(&self) -> (Value, Value) {
        let shown = self
            .vault
            .ok("DescribeSecret", json!({ "SecretId": self.primary }));
        let there = self.there("DescribeSecret", json!({}));
        (
            there["CrossAccountPrimary"]["ReplicationStatus"].clone(),
            shown["CrossAccountReplicas"][0]["ReplicationStatus"].clone(),
        )
    }
}

/// The replica waits without a value, then has the primary's values and labels under its own key, and follows every change; all else
/// is its account's.
#[test]
fn a_replica_of_another_account_follows() {
    let pair = Pair::new();
    assert_eq!(pair.states(), (json!("Pending"), Value::Null));
    assert_eq!(
        pair.code_there("GetSecretValue", json!({})),
        "ResourceNotFoundException"
    );
    assert_eq!(
        pair.associate(),
        json!({ "ARN": pair.primary, "CrossAccountReplicaARN": pair.replica, "ReplicationStatus": "InSync" })
    );
    assert_eq!(pair.states(), (json!("InSync"), json!("InSync")));
    let shown = pair.there("DescribeSecret", json!({}));
    assert_eq!(
        shown["CrossAccountPrimary"],
        json!({ "PrimarySecretARN": pair.primary, "ReplicationStatus": "InSync" })
    );
    assert_eq!(shown["KmsKeyId"], pair.key.as_str());
    assert_eq!(pair.text_there(), "one");
    pair.put(&pair.ann, "two");
    assert_eq!(pair.text_there(), "two");
    let labels = json!({ id("1"): ["AWSPREVIOUS"], id("two"): ["AWSCURRENT"] });
    assert_eq!(
        pair.there("DescribeSecret", json!({}))["VersionIdsToStages"],
        labels
    );
    let back = json!({ "SecretId": "s", "VersionStage": "AWSCURRENT", "RemoveFromVersionId": id("two"),
        "MoveToVersionId": id("1") });
    pair.vault.ok("UpdateSecretVersionStage", back);
    assert_eq!(pair.text_there(), "one");
    pair.vault.ok(
        "TagResource",
        json!({ "SecretId": "s", "Tags": [{ "Key": "a", "Value": "b" }] }),
    );
    assert_eq!(
        pair.there("DescribeSecret", json!({})).get("Tags"),
        None,
        "the replica's tags are its own"
    );
    let told = pair.vault.here.cloud.records(OTHER, REGION);
    assert!(
        told.iter()
            .any(|record| record.operation == "AssociateCrossAccountReplica")
    );
}

/// Values are the primary's to change; tags, policies and the key are the replica's account's.
#[test]
fn a_replica_keeps_what_is_its_own() {
    let pair = Pair::new();
    pair.associate();
    let token = id("x");
    for (operation, input) in [
        (
            "PutSecretValue",
            json!({ "SecretString": "x", "ClientRequestToken": token }),
        ),
        (
            "UpdateSecret",
            json!({ "SecretString": "x", "ClientRequestToken": token }),
        ),
        ("UpdateSecret", json!({ "KmsKeyId": "alias/aws/secretsmanager" })),
        (
            "UpdateSecretVersionStage",
            json!({ "VersionStage": "x", "MoveToVersionId": id("1") }),
        ),
        ("RotateSecret", json!({ "ClientRequestToken": token })),
        ("CancelRotateSecret", json!({})),
        (
            "ReplicateSecretToRegions",
            json!({ "AddReplicaRegions": [{ "Region": "eu-west-3" }] }),
        ),
    ] {
        assert_eq!(
            pair.code_there(operation, input),
            "InvalidParameterException",
            "{operation}"
        );
    }
    pair.there(
        "TagResource",
        json!({ "Tags": [{ "Key": "team", "Value": "red" }] }),
    );
    pair.there("UpdateSecret", json!({ "Description": "a copy" }));
    let bob = pair.vault.here.user(OTHER, "bob", &json!([]));
    let text = policy(&[allow(&bob, &["secretsmanager:DescribeSecret"])]);
    pair.there("PutResourcePolicy", json!({ "ResourcePolicy": text }));
    let shown = pair
        .vault
        .call(&bob, "DescribeSecret", json!({ "SecretId": "copy" }))
        .unwrap();
    assert_eq!(shown["Description"], "a copy");
    // With a policy beside it, the one of the replication still lets the primary's account in.
    pair.associate();
    assert_eq!(
        pair.there("ListResourcePolicies", json!({})),
        json!({ "ResourcePolicies": [{ "PolicyName": "default" }, { "PolicyName": "cross-account-replication" }] })
    );
    let first = pair.there("ListResourcePolicies", json!({ "MaxResults": 1 }));
    assert_eq!(first["ResourcePolicies"], json!([{ "PolicyName": "default" }]));
    let next = json!({ "MaxResults": 1, "NextToken": first["NextToken"] });
    assert_eq!(
        pair.there("ListResourcePolicies", next),
        json!({ "ResourcePolicies": [{ "PolicyName": "cross-account-replication" }] })
    );
    let shown = pair.there(
        "GetResourcePolicy",
        json!({ "PolicyName": "cross-account-replication" }),
    );
    let text = shown["ResourcePolicy"].as_str().unwrap();
    assert!(text.contains("secretsmanager:AcceptCrossAccountReplication") && text.contains(ACCOUNT));
    let named = json!({ "PolicyName": "cross-account-replication", "ResourcePolicy": text });
    assert_eq!(
        pair.code_there("PutResourcePolicy", named),
        "InvalidParameterException"
    );
}

/// Whoever associates needs every permission; without one nothing is changed on either side.
#[test]
fn every_grant_is_needed_to_associate() {
    let needed = ALL.iter().filter(|action| !action.ends_with("PutSecretValue"));
    for missing in needed.chain(&["the replica's key"]) {
        let actions: Vec<&str> = ALL.into_iter().filter(|action| action != missing).collect();
        let pair = Pair::with(&actions, *missing != "the replica's key");
        let (code, _) = pair
            .vault
            .refused(&pair.ann, "AssociateCrossAccountReplica", pair.tie());
        assert_eq!(code, "AccessDeniedException", "without {missing}");
        assert_eq!(
            pair.states(),
            (json!("Pending"), Value::Null),
            "without {missing}"
        );
    }
    // The replica's account can take its word back.
    let pair = Pair::new();
    let mut deny = allow(&pair.ann, &["secretsmanager:AcceptCrossAccountReplication"]);
    deny["Effect"] = "Deny".into();
    let alone = json!({ "Version": "2012-10-17", "Statement": deny }).to_string();
    pair.there("PutResourcePolicy", json!({ "ResourcePolicy": alone }));
    let (code, message) = pair
        .vault
        .refused(&pair.ann, "AssociateCrossAccountReplica", pair.tie());
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.contains("with an explicit deny in a resource-based policy"),
        "{message}"
    );
}

/// A primary without a value is associated too, by one who may use the replica's key alone.
#[test]
fn a_primary_without_a_value_asks_for_the_key_all_the_same() {
    for encrypts in [true, false] {
        let pair = Pair::with(&ALL, encrypts);
        let empty = json!({ "Name": "empty", "KmsKeyId": pair.vault.key });
        let empty = pair.vault.ok("CreateSecret", empty)["ARN"].clone();
        let asked = json!({ "Name": "copy2", "KmsKeyId": pair.key, "CrossAccountPrimaryARN": empty });
        let copy = pair.vault.call(&pair.other, "CreateSecret", asked).unwrap()["ARN"].clone();
        let tie = json!({ "SecretId": empty, "CrossAccountReplicaARN": copy, "ReplicaRestriction": "NoRestriction" });
        let tied = pair.vault.call(&pair.ann, "AssociateCrossAccountReplica", tie);
        if encrypts {
            assert_eq!(tied.unwrap()["ReplicationStatus"], "InSync");
        } else {
            assert_eq!(tied.unwrap_err().code, "AccessDeniedException");
        }
    }
}

/// A change by one who may not encrypt for the replica is the primary's alone; both sides tell why, until it is repaired.
#[test]
fn what_could_not_be_copied_is_told_and_repaired() {
    let pair = Pair::new();
    pair.associate();
    let bob = pair.vault.user("bob", &["secretsmanager:*"]);
    pair.put(&bob, "two");
    assert_eq!(pair.states(), (json!("Failed"), json!("Failed")));
    let shown = pair.there("DescribeSecret", json!({}));
    assert_eq!(
        shown["CrossAccountPrimary"]["StatusMessage"],
        "Replication failed: Access to KMS is not allowed"
    );
    assert_eq!(pair.text_there(), "one");
    pair.associate();
    assert_eq!(pair.states(), (json!("InSync"), json!("InSync")));
    assert_eq!(pair.text_there(), "two");
    pair.put(&bob, "three");
    pair.put(&pair.ann, "four");
    assert_eq!(pair.text_there(), "four");
    let before = pair.there("GetSecretValue", json!({ "VersionStage": "AWSPREVIOUS" }));
    assert_eq!(before["SecretString"], "three");
}

/// Neither secret goes before its own side has stopped; a detached replica stays as it was until it stands alone.
#[test]
fn either_side_stops() {
    let pair = Pair::new();
    pair.associate();
    assert_eq!(
        pair.vault.code("DeleteSecret", json!({ "SecretId": "s" })),
        "InvalidRequestException"
    );
    assert_eq!(
        pair.code_there("DeleteSecret", json!({})),
        "InvalidRequestException"
    );
    let untie = json!({ "SecretId": "s", "CrossAccountReplicaARN": pair.replica });
    assert_eq!(
        pair.vault.ok("DisassociateCrossAccountReplica", untie.clone()),
        json!({ "ARN": pair.primary, "CrossAccountReplicaARN": pair.replica })
    );
    assert_eq!(
        pair.vault.code("DisassociateCrossAccountReplica", untie.clone()),
        "ResourceNotFoundException"
    );
    assert_eq!(pair.states(), (json!("Detached"), Value::Null));
    pair.put(&pair.ann, "two");
    assert_eq!(pair.text_there(), "one");
    let put = json!({ "SecretString": "own", "ClientRequestToken": id("own") });
    assert_eq!(
        pair.code_there("PutSecretValue", put.clone()),
        "InvalidParameterException"
    );
    assert_eq!(
        pair.there("StopReplicationToReplica", json!({})),
        json!({ "ARN": pair.replica })
    );
    assert_eq!(
        pair.there("ListResourcePolicies", json!({})),
        json!({ "ResourcePolicies": [] })
    );
    pair.there("PutSecretValue", put);
    assert_eq!(pair.text_there(), "own");
    let (code, _) = pair
        .vault
        .refused(&pair.ann, "AssociateCrossAccountReplica", pair.tie());
    assert_eq!(code, "AccessDeniedException", "it is no replica any more");
    pair.there("DeleteSecret", json!({}));
    pair.vault.ok("DeleteSecret", json!({ "SecretId": "s" }));
}

/// The replica's account stops first: the primary learns of it, and goes once it has stopped too.
#[test]
fn a_primary_learns_that_its_replica_has_stopped() {
    let pair = Pair::new();
    pair.associate();
    let stopper = pair.vault.here.user(
        OTHER,
        "stopper",
        &json!([{ "Effect": "Allow", "Action": "secretsmanager:StopReplicationToReplica", "Resource": "*" }]),
    );
    let stop = json!({ "SecretId": "copy" });
    let (code, message) = pair
        .vault
        .refused(&stopper, "StopReplicationToReplica", stop.clone());
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.contains("secretsmanager:DeleteResourcePolicy"),
        "{message}"
    );
    // Of the permission to delete policies, that for the one of the replication is enough.
    let narrow = |name: &str, policy: &str| {
        let condition = json!({ "StringEquals": { "secretsmanager:PolicyName": policy } });
        let statements = json!([
            { "Effect": "Allow", "Action": "secretsmanager:StopReplicationToReplica", "Resource": "*" },
            { "Effect": "Allow", "Action": "secretsmanager:DeleteResourcePolicy", "Resource": "*", "Condition": condition },
        ]);
        pair.vault.here.user(OTHER, name, &statements)
    };
    let wrong = narrow("wrong", "default");
    assert_eq!(
        pair.vault
            .refused(&wrong, "StopReplicationToReplica", stop.clone())
            .0,
        "AccessDeniedException"
    );
    let right = narrow("right", "cross-account-replication");
    assert_eq!(
        pair.vault.refused(&right, "DeleteResourcePolicy", stop.clone()).0,
        "AccessDeniedException"
    );
    pair.vault.call(&right, "StopReplicationToReplica", stop).unwrap();
    assert_eq!(pair.states(), (Value::Null, json!("Detached")));
    pair.put(&pair.ann, "two");
    assert_eq!(pair.text_there(), "one");
    assert_eq!(
        pair.vault.code("DeleteSecret", json!({ "SecretId": "s" })),
        "InvalidRequestException"
    );
    let untie = json!({ "SecretId": "s", "CrossAccountReplicaARN": pair.replica });
    pair.vault.ok("DisassociateCrossAccountReplica", untie);
    pair.vault.ok("DeleteSecret", json!({ "SecretId": "s" }));
}

/// One replica, of one organization unless told otherwise, made for this primary.
#[test]
fn only_the_replica_that_was_made_for_it_is_associated() {
    let pair = Pair::new();
    let mut same = pair.tie();
    same.as_object_mut().unwrap().remove("ReplicaRestriction");
    let refused = |input: &Value| {
        pair.vault
            .refused(&pair.ann, "AssociateCrossAccountReplica", input.clone())
    };
    let (code, message) = refused(&same);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("the same organization"), "{message}");
    pair.vault.here.organize(&[ACCOUNT]);
    assert_eq!(refused(&same).0, "InvalidRequestException");
    pair.vault.here.organize(&[ACCOUNT, OTHER]);
    pair.vault
        .call(&pair.ann, "AssociateCrossAccountReplica", same)
        .unwrap();
    let another = json!({ "Name": "copy2", "KmsKeyId": pair.key, "CrossAccountPrimaryARN": pair.primary });
    let another = pair.vault.call(&pair.other, "CreateSecret", another).unwrap();
    let mut second = pair.tie();
    second["CrossAccountReplicaARN"] = another["ARN"].clone();
    assert_eq!(refused(&second).0, "LimitExceededException");
    pair.vault.secret("t", "one");
    let mut foreign = pair.tie();
    foreign["SecretId"] = "t".into();
    let (code, message) = refused(&foreign);
    assert_eq!(code, "InvalidRequestException");
    assert!(message.contains("was not created as"), "{message}");
    for (from, to) in [(REGION, "eu-west-3"), (OTHER, ACCOUNT), (":secret:", ":vault:")] {
        let mut wrong = pair.tie();
        wrong["CrossAccountReplicaARN"] = pair.replica.replace(from, to).into();
        assert_eq!(refused(&wrong).0, "InvalidParameterException", "{to}");
    }
    // A secret that is not there looks like one that is closed.
    let mut missing = foreign;
    missing["CrossAccountReplicaARN"] = format!("{}x", pair.replica).into();
    assert_eq!(refused(&missing).0, "AccessDeniedException");
}

/// A replica is made of its primary's ARN and a key of its account's own, by one who may give it its policy.
#[test]
fn a_replica_is_made_for_a_primary_elsewhere() {
    let pair = Pair::new();
    let asked = json!({ "Name": "new", "KmsKeyId": pair.key, "CrossAccountPrimaryARN": pair.primary });
    for (member, value) in [
        ("SecretString", json!("x")),
        ("SecretBinary", json!("eA==")),
        ("Description", json!("x")),
        ("AddReplicaRegions", json!([{ "Region": "eu-west-3" }])),
        ("Type", json!("x")),
        ("KmsKeyId", json!("alias/aws/secretsmanager")),
        (
            "CrossAccountPrimaryARN",
            json!(pair.primary.replace(REGION, "eu-west-3")),
        ),
        ("CrossAccountPrimaryARN", json!(pair.replica)),
    ] {
        let mut wrong = asked.clone();
        wrong[member] = value;
        assert_eq!(
            pair.vault.refused(&pair.other, "CreateSecret", wrong).0,
            "InvalidParameterException",
            "{member}"
        );
    }
    let mut keyless = asked.clone();
    keyless.as_object_mut().unwrap().remove("KmsKeyId");
    assert_eq!(
        pair.vault.refused(&pair.other, "CreateSecret", keyless).0,
        "InvalidParameterException"
    );
    let maker = pair.vault.here.user(
        OTHER,
        "maker",
        &json!([{ "Effect": "Allow", "Action": "secretsmanager:CreateSecret", "Resource": "*" }]),
    );
    let (code, message) = pair.vault.refused(&maker, "CreateSecret", asked.clone());
    assert_eq!(code, "AccessDeniedException");
    assert!(message.contains("secretsmanager:PutResourcePolicy"), "{message}");
    pair.vault.call(&pair.other, "CreateSecret", asked).unwrap();
}

/// A primary has replicas in other regions beside it, which know nothing of the one in another account.
#[test]
fn a_copy_in_another_region_is_no_primary() {
    const PARIS: &str = "eu-west-3";
    let pair = Pair::new();
    pair.associate();
    let regions = json!({ "SecretId": "s", "AddReplicaRegions": [{ "Region": PARIS }] });
    pair.vault.ok("ReplicateSecretToRegions", regions);
    let cloud = &pair.vault.here.cloud;
    let asked = json!({ "SecretId": "s" });
    let shown = cloud
        .call_in(
            PARIS,
            &pair.vault.here.root(),
            "secretsmanager",
            "DescribeSecret",
            asked,
        )
        .unwrap();
    assert_eq!(
        (&shown["PrimaryRegion"], shown.get("CrossAccountReplicas")),
        (&json!(REGION), None)
    );
    pair.put(&pair.ann, "two");
    assert_eq!(pair.text_there(), "two");
    assert_eq!(pair.states(), (json!("InSync"), json!("InSync")));
}
