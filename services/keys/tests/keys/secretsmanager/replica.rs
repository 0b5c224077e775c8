//! Secrets in several regions.

use pipeline::testing::{ACCOUNT, Failure, REGION};
use serde_json::{Value, json};

use super::{Vault, id};

const PARIS: &str = "eu-west-3";
const LONDON: &str = "eu-west-2";

impl Vault {
    fn there(&self, region: &str, operation: &str, input: Value) -> Result<Value, Failure> {
        let cloud = &self.here.cloud;
        cloud.call_in(region, &self.here.root(), "secretsmanager", operation, input)
    }

    fn text_there(&self, region: &str) -> String {
        let shown = self
            .there(region, "GetSecretValue", json!({ "SecretId": "s" }))
            .unwrap();
        shown["SecretString"].as_str().unwrap().to_owned()
    }

    fn status(&self) -> Value {
        self.ok("DescribeSecret", json!({ "SecretId": "s" }))["ReplicationStatus"].clone()
    }
}

fn replicate(regions: &[&str]) -> Value {
    let regions: Vec<Value> = regions.iter().map(|region| json!({ "Region": region })).collect();
    json!({ "SecretId": "s", "AddReplicaRegions": regions })
}

/// A creation that comes again is answered as before, with the replicas that it made.
#[test]
fn a_creation_with_replicas_is_answered_alike_again() {
    let vault = Vault::new();
    let create = json!({ "Name": "s", "SecretString": "one", "ClientRequestToken": id("1"),
        "AddReplicaRegions": [{ "Region": PARIS }] });
    let first = vault.ok("CreateSecret", create.clone());
    assert_eq!(first["ReplicationStatus"][0]["Region"], PARIS);
    assert_eq!(vault.ok("CreateSecret", create), first);
}

/// A replica has the primary's name, suffix, values, tags and policy, and follows every change; nobody else changes it.
#[test]
fn a_replica_follows_its_primary() {
    let vault = Vault::new();
    let arn = vault.secret("s", "one");
    let made = vault.ok("ReplicateSecretToRegions", replicate(&[PARIS]));
    assert_eq!(
        made["ReplicationStatus"],
        json!([{ "Region": PARIS, "KmsKeyId": "alias/aws/secretsmanager", "Status": "InSync",
            "StatusMessage": "Replication succeeded" }])
    );
    assert_eq!(vault.text_there(PARIS), "one");
    let shown = vault
        .there(PARIS, "DescribeSecret", json!({ "SecretId": "s" }))
        .unwrap();
    assert_eq!(shown["ARN"], arn.replace(REGION, PARIS));
    assert_eq!(shown["PrimaryRegion"], REGION);
    assert_eq!(shown.get("KmsKeyId"), None);
    let put = json!({ "SecretId": "s", "SecretString": "two", "ClientRequestToken": id("2") });
    vault.ok("PutSecretValue", put.clone());
    vault.ok(
        "TagResource",
        json!({ "SecretId": "s", "Tags": [{ "Key": "a", "Value": "b" }] }),
    );
    assert_eq!(vault.text_there(PARIS), "two");
    let shown = vault
        .there(PARIS, "DescribeSecret", json!({ "SecretId": "s" }))
        .unwrap();
    assert_eq!(shown["Tags"], json!([{ "Key": "a", "Value": "b" }]));
    assert_eq!(
        shown["VersionIdsToStages"],
        json!({ id("1"): ["AWSPREVIOUS"], id("2"): ["AWSCURRENT"] })
    );
    for (operation, more) in [
        (
            "PutSecretValue",
            json!({ "SecretString": "x", "ClientRequestToken": id("3") }),
        ),
        (
            "UpdateSecret",
            json!({ "Description": "x", "ClientRequestToken": id("3") }),
        ),
        ("TagResource", json!({ "Tags": [{ "Key": "a", "Value": "c" }] })),
        ("DeleteSecret", json!({})),
        ("CancelRotateSecret", json!({})),
        (
            "ReplicateSecretToRegions",
            json!({ "AddReplicaRegions": [{ "Region": LONDON }] }),
        ),
    ] {
        let mut input = more;
        input["SecretId"] = "s".into();
        let failure = vault.there(PARIS, operation, input).unwrap_err();
        assert_eq!(failure.code, "InvalidParameterException", "{operation}");
        assert!(
            failure
                .message
                .starts_with("Operation not permitted on a replica secret.")
        );
    }
    let (code, message) = vault.refused(&vault.here.root(), "DeleteSecret", json!({ "SecretId": "s" }));
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(
        message,
        "You can't delete secret s that still has replica regions [eu-west-3]"
    );
    let told: Vec<_> = vault
        .here
        .cloud
        .records(ACCOUNT, REGION)
        .into_iter()
        .map(|record| record.operation)
        .collect();
    assert!(told.contains(&"ReplicationSucceeded".to_owned()));
}

#[test]
fn a_replica_is_removed_or_stands_alone() {
    let vault = Vault::new();
    let arn = vault.secret("s", "one");
    vault.ok("ReplicateSecretToRegions", replicate(&[PARIS, LONDON]));
    let removed = json!({ "SecretId": "s", "RemoveReplicaRegions": [PARIS] });
    let left = vault.ok("RemoveRegionsFromReplication", removed);
    assert_eq!(left["ReplicationStatus"][0]["Region"], LONDON);
    let gone = vault
        .there(PARIS, "DescribeSecret", json!({ "SecretId": "s" }))
        .unwrap_err();
    assert_eq!(gone.code, "ResourceNotFoundException");
    // The primary's ARN names the replica to its own region.
    let stopped = vault
        .there(LONDON, "StopReplicationToReplica", json!({ "SecretId": arn }))
        .unwrap();
    assert_eq!(stopped["ARN"], arn.replace(REGION, LONDON));
    assert_eq!(vault.status(), Value::Null);
    let put = json!({ "SecretId": "s", "SecretString": "own", "ClientRequestToken": id("2") });
    vault.there(LONDON, "PutSecretValue", put).unwrap();
    assert_eq!(vault.text_there(LONDON), "own");
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "one");
    let again = vault
        .there(LONDON, "StopReplicationToReplica", json!({ "SecretId": "s" }))
        .unwrap_err();
    assert_eq!(again.code, "ResourceNotFoundException");
    vault.ok(
        "DeleteSecret",
        json!({ "SecretId": "s", "ForceDeleteWithoutRecovery": true }),
    );
}

/// A name that is taken fails the copy, not the call; told to, the copy takes the name over.
#[test]
fn a_name_that_is_taken_fails_the_copy() {
    let vault = Vault::new();
    let other = json!({ "Name": "s", "SecretString": "other", "ClientRequestToken": id("9") });
    vault.there(PARIS, "CreateSecret", other).unwrap();
    let made = json!({ "Name": "s", "SecretString": "one", "ClientRequestToken": id("1"),
        "AddReplicaRegions": [{ "Region": PARIS }] });
    let made = vault.ok("CreateSecret", made);
    let status = &made["ReplicationStatus"][0];
    assert_eq!(status["Status"], "Failed");
    assert_eq!(
        status["StatusMessage"],
        "Replication failed: Secret name s already exists in region eu-west-3."
    );
    assert_eq!(vault.text_there(PARIS), "other");
    let mut forced = replicate(&[PARIS]);
    forced["ForceOverwriteReplicaSecret"] = true.into();
    vault.ok("ReplicateSecretToRegions", forced);
    assert_eq!(vault.status()[0]["Status"], "InSync");
    assert_eq!(vault.text_there(PARIS), "one");
    for (region, code) in [
        (PARIS, "InvalidParameterException"),
        (REGION, "InvalidParameterException"),
    ] {
        assert_eq!(vault.code("ReplicateSecretToRegions", replicate(&[region])), code);
    }
}

/// The copy is encrypted under a key of its region in the name of whoever changed the primary; without that key the copy stays
/// behind until a change by somebody who may use it.
#[test]
fn the_key_of_the_region_decides() {
    let vault = Vault::new();
    vault.secret("s", "one");
    let root = vault.here.root();
    let key = vault
        .here
        .cloud
        .call_in(PARIS, &root, "kms", "CreateKey", json!({}))
        .unwrap();
    let key = key["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let mut input = replicate(&[]);
    input["AddReplicaRegions"] = json!([{ "Region": PARIS, "KmsKeyId": key }]);
    vault.ok("ReplicateSecretToRegions", input);
    assert_eq!(vault.status()[0]["KmsKeyId"], key);
    assert_eq!(vault.text_there(PARIS), "one");
    let here_only = json!([{ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" },
        { "Effect": "Allow", "Action": "kms:*", "Resource": vault.key }]);
    let ann = vault.here.user(ACCOUNT, "ann", &here_only);
    let put = json!({ "SecretId": "s", "SecretString": "two", "ClientRequestToken": id("2") });
    vault.call(&ann, "PutSecretValue", put).unwrap();
    assert_eq!(vault.status()[0]["Status"], "Failed");
    assert_eq!(
        vault.status()[0]["StatusMessage"],
        "Replication failed: Access to KMS is not allowed"
    );
    assert_eq!(vault.text_there(PARIS), "one");
    vault.ok(
        "UpdateSecret",
        json!({ "SecretId": "s", "Description": "d", "ClientRequestToken": id("3") }),
    );
    assert_eq!(vault.status()[0]["Status"], "InSync");
    assert_eq!(vault.text_there(PARIS), "two");
}

/// What stands in a replica's way is removed only for a copy that is made: one that its key refuses leaves it as it was.
#[test]
fn a_copy_that_fails_overwrites_nothing() {
    let vault = Vault::new();
    let other = json!({ "Name": "s", "SecretString": "other", "ClientRequestToken": id("9") });
    vault.there(PARIS, "CreateSecret", other).unwrap();
    vault.secret("s", "one");
    let mut forced = replicate(&[PARIS]);
    forced["ForceOverwriteReplicaSecret"] = true.into();
    let here_only = json!([{ "Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*" },
        { "Effect": "Allow", "Action": "kms:*", "Resource": vault.key }]);
    let ann = vault.here.user(ACCOUNT, "ann", &here_only);
    let mut lacking = forced.clone();
    let nowhere = format!("arn:aws:kms:{PARIS}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000");
    lacking["AddReplicaRegions"][0]["KmsKeyId"] = nowhere.into();
    vault.call(&ann, "ReplicateSecretToRegions", lacking).unwrap();
    assert_eq!(vault.status()[0]["Status"], "Failed");
    assert_eq!(vault.text_there(PARIS), "other");
    vault.ok("ReplicateSecretToRegions", forced);
    assert_eq!(vault.status()[0]["Status"], "InSync");
    assert_eq!(vault.text_there(PARIS), "one");
}
