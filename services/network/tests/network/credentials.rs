//! The credentials of an instance's role, and the profile that gives them.

use network::ec2::credentials;
use network::ec2::instance::PRINCIPAL;
use pipeline::instances::{Delivery, InstanceRef, Profile};
use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::json;

use crate::scene::{Scene, policy};

const MINUTE: i64 = 60 * 1000;

/// What the plane is told when an instance's metadata service asks.
fn profile(scene: &Scene, id: &str, boot: u64, delivery: Delivery) -> Option<Profile> {
    let run = InstanceRef {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        instance_id: id.to_owned(),
        boot,
    };
    let told = scene
        .cloud
        .gateway
        .by_itself(("ec2", PRINCIPAL), (ACCOUNT, REGION), |call| {
            credentials::profile(call, &run, delivery)
        });
    scene.cloud.wait(told).ok().unwrap()
}

/// Whoever has the credentials.
fn caller(scene: &Scene, profile: &Profile) -> Caller {
    let issued = profile.issued.as_ref().ok().unwrap();
    let token = issued.session_token.expose_text().unwrap();
    scene.cloud.caller(&issued.access_key_id, Some(token)).unwrap()
}

fn key(profile: &Profile) -> String {
    profile.issued.as_ref().ok().unwrap().access_key_id.clone()
}

/// S1.13: the credentials of an instance are temporary ones of its role, and what they may do is what the role may.
#[test]
fn an_instance_acts_as_its_role_under_its_own_name() {
    let scene = Scene::new();
    let statement = json!({
        "Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*",
        "Condition": { "NumericGreaterThanEquals": { "ec2:RoleDelivery": "2.0" } },
    });
    let allowed = json!({ "RoleName": "web", "PolicyName": "own", "PolicyDocument": policy(&statement) });
    scene.iam("PutRolePolicy", allowed);
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    let told = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert_eq!(told.arn, format!("arn:aws:iam::{ACCOUNT}:instance-profile/web"));
    assert_eq!(told.role_name.as_deref(), Some("web"));
    let instance = caller(&scene, &told);
    assert_eq!(
        &*instance.arn,
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/web/{id}")
    );
    assert!(scene.call(&instance, "DescribeInstances", &json!({})).is_ok());
    assert_eq!(
        scene.refused_to(&instance, "DescribeImages", &json!({})).0,
        "UnauthorizedOperation"
    );
    // The same role by IMDSv1 is another session, which says so.
    let first = profile(&scene, &id, 1, Delivery::V1).unwrap();
    assert_ne!(key(&first), key(&told));
    let instance = caller(&scene, &first);
    assert_eq!(
        scene.refused_to(&instance, "DescribeInstances", &json!({})).0,
        "UnauthorizedOperation"
    );
    let records = scene.cloud.records(ACCOUNT, REGION);
    let assumed = records.iter().filter(|record| record.operation == "AssumeRole");
    assert_eq!(assumed.count(), 2);
    let deliveries: Vec<_> = records
        .iter()
        .filter(|record| record.operation == "DescribeInstances")
        .filter_map(|record| record.caller.session.as_ref()?.role_delivery.clone())
        .collect();
    assert_eq!(deliveries, ["2.0", "1.0"]);
}

#[test]
fn credentials_name_their_instance_to_policies() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    let own = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{id}");
    let statement = json!({
        "Effect": "Allow", "Action": "ec2:DescribeTags", "Resource": "*",
        "Condition": { "ArnEquals": { "ec2:SourceInstanceARN": own } },
    });
    let allowed = json!({ "RoleName": "web", "PolicyName": "own", "PolicyDocument": policy(&statement) });
    scene.iam("PutRolePolicy", allowed);
    let instance = caller(&scene, &profile(&scene, &id, 1, Delivery::V2).unwrap());
    assert!(scene.call(&instance, "DescribeTags", &json!({})).is_ok());
    let other = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    let instance = caller(&scene, &profile(&scene, &other, 1, Delivery::V2).unwrap());
    assert!(scene.call(&instance, "DescribeTags", &json!({})).is_err());
}

/// S1.13: they are dynamic: new ones come before the old ones expire.
#[test]
fn credentials_are_good_for_six_hours_and_renewed_before_they_expire() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    let first = profile(&scene, &id, 1, Delivery::V2).unwrap();
    let expires = first.issued.as_ref().ok().unwrap().expiration.0;
    assert_eq!(expires - first.last_updated.0, 6 * 60 * MINUTE);
    scene.cloud.advance(5 * 60 * MINUTE + 29 * MINUTE);
    let second = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert_eq!(key(&second), key(&first));
    scene.cloud.advance(MINUTE);
    let third = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert_ne!(key(&third), key(&first));
    // The old ones go on for the rest of their time.
    caller(&scene, &first);
}

#[test]
fn a_role_that_does_not_trust_ec2_gives_no_credentials_and_is_asked_again_later() {
    let scene = Scene::new();
    scene.profile("shut", "lambda.amazonaws.com");
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "shut" } }));
    let told = profile(&scene, &id, 1, Delivery::V2).unwrap();
    let unissued = told.issued.err().unwrap();
    assert_eq!(unissued.code, "AssumeRoleUnauthorizedAccess");
    let trust = policy(&json!({
        "Effect": "Allow", "Principal": { "Service": PRINCIPAL }, "Action": "sts:AssumeRole",
    }));
    scene.iam(
        "UpdateAssumeRolePolicy",
        json!({ "RoleName": "shut", "PolicyDocument": trust }),
    );
    assert!(profile(&scene, &id, 1, Delivery::V2).unwrap().issued.is_err());
    scene.cloud.advance(MINUTE);
    assert!(profile(&scene, &id, 1, Delivery::V2).unwrap().issued.is_ok());
}

#[test]
fn a_profile_can_be_given_replaced_and_taken_while_the_instance_runs() {
    let scene = Scene::new();
    scene.profile("other", "ec2.amazonaws.com");
    let id = scene.launch(&json!({}));
    assert!(profile(&scene, &id, 1, Delivery::V2).is_none());
    let named = |name: &str| json!({ "InstanceId": id, "IamInstanceProfile": { "Name": name } });
    let made = scene.ok("AssociateIamInstanceProfile", &named("web"));
    let association = made["IamInstanceProfileAssociation"]["AssociationId"].clone();
    let first = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert_eq!(first.role_name.as_deref(), Some("web"));
    assert_eq!(
        scene.refused("AssociateIamInstanceProfile", &named("other")).0,
        "IncorrectState"
    );
    let replaced = json!({ "AssociationId": association, "IamInstanceProfile": { "Name": "other" } });
    let made = scene.ok("ReplaceIamInstanceProfileAssociation", &replaced);
    let second = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert_eq!(second.role_name.as_deref(), Some("other"));
    assert_ne!(key(&second), key(&first));
    let listed = scene.ok("DescribeIamInstanceProfileAssociations", &json!({}));
    let listed = listed["IamInstanceProfileAssociations"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["State"]), (1, &json!("associated")));
    let held = made["IamInstanceProfileAssociation"]["AssociationId"].clone();
    assert_ne!(held, association);
    scene.ok(
        "DisassociateIamInstanceProfile",
        &json!({ "AssociationId": held }),
    );
    assert!(profile(&scene, &id, 1, Delivery::V2).is_none());
    let (code, _) = scene.refused(
        "DisassociateIamInstanceProfile",
        &json!({ "AssociationId": held }),
    );
    assert_eq!(code, "InvalidAssociationID.NotFound");
}

#[test]
fn another_run_and_another_role_of_the_name_get_nothing_that_was_kept() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    assert!(profile(&scene, &id, 2, Delivery::V2).is_none());
    let first = profile(&scene, &id, 1, Delivery::V2).unwrap();
    scene.iam(
        "RemoveRoleFromInstanceProfile",
        json!({ "InstanceProfileName": "web", "RoleName": "web" }),
    );
    let told = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert!(told.role_name.is_none() && told.issued.is_err());
    scene.iam("DeleteRole", json!({ "RoleName": "web" }));
    let trust = policy(&json!({
        "Effect": "Allow", "Principal": { "Service": PRINCIPAL }, "Action": "sts:AssumeRole",
    }));
    scene.iam(
        "CreateRole",
        json!({ "RoleName": "web", "AssumeRolePolicyDocument": trust }),
    );
    scene.iam(
        "AddRoleToInstanceProfile",
        json!({ "InstanceProfileName": "web", "RoleName": "web" }),
    );
    let again = profile(&scene, &id, 1, Delivery::V2).unwrap();
    assert_ne!(key(&again), key(&first));
    caller(&scene, &again);
}
