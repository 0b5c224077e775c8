//! Reports on what an organization's accounts last used of what its service control policies leave.

use pipeline::testing::{ACCOUNT, Caller};
use serde_json::{Value, json};

use super::{OTHER, Organized, root_of, text};
use crate::scene::document;

const DAY: i64 = 86_400_000;

/// A report, once it is made.
fn report(organized: &Organized, path: &str, policy: Option<&str>) -> (Value, Value) {
    let mut input = json!({ "EntityPath": path });
    if let Some(policy) = policy {
        input["OrganizationsPolicyId"] = policy.into();
    }
    let job = organized.scene.root("GenerateOrganizationsAccessReport", input)["JobId"].clone();
    let get = |input: Value| organized.scene.root("GetOrganizationsAccessReport", input);
    assert_eq!(get(json!({ "JobId": job }))["JobStatus"], "IN_PROGRESS");
    organized.scene.cloud.advance(2_000);
    (job.clone(), get(json!({"JobId": job, "MaxItems": 1000})))
}

/// The root user of an account by a key of its own: only who signs is told of.
fn signed(organized: &Organized, account: &str) -> Caller {
    let made = organized
        .scene
        .call(&root_of(account), "CreateAccessKey", json!({}));
    let id = text(&made.unwrap()["AccessKey"]["AccessKeyId"]);
    organized.scene.cloud.caller(&id, None).unwrap()
}

fn service<'a>(report: &'a Value, namespace: &str) -> &'a Value {
    let services = report["AccessDetails"].as_array().unwrap();
    let found = services
        .iter()
        .find(|service| service["ServiceNamespace"] == namespace);
    found.unwrap_or(&Value::Null)
}

/// Organized with service control policies, a unit with one member in it, and one member below the root.
fn grown() -> (Organized, String, String) {
    let organized = Organized::new();
    let unit = organized.unit(&organized.root_id, "Unit");
    let member = organized.member("member@example.com");
    let input =
        json!({"AccountId": member, "SourceParentId": organized.root_id, "DestinationParentId": unit});
    organized.ok("MoveAccount", input);
    organized.invited(OTHER);
    let kind = json!({"RootId": organized.root_id, "PolicyType": "SERVICE_CONTROL_POLICY"});
    organized.ok("EnablePolicyType", kind);
    (organized, unit, member)
}

fn policy(organized: &Organized, statement: &Value) -> String {
    let made = organized.ok(
        "CreatePolicy",
        json!({"Type": "SERVICE_CONTROL_POLICY", "Name": "p", "Description": "d", "Content": document(statement)}),
    );
    text(&made["Policy"]["PolicySummary"]["Id"])
}

#[test]
fn a_report_tells_the_last_account_that_tried_each_service() {
    let (organized, unit, member) = grown();
    let scene = &organized.scene;
    let whole = format!("{}/{}", organized.id, organized.root_id);
    let here = format!("{whole}/{unit}");
    scene
        .call(&signed(&organized, &member), "ListUsers", json!({}))
        .unwrap();
    scene.cloud.advance(120_000);
    scene
        .call(
            &signed(&organized, OTHER),
            "CreateUser",
            json!({"UserName": "ana"}),
        )
        .unwrap();
    let (_, root) = report(&organized, &whole, None);
    assert_eq!(root["JobStatus"], "COMPLETED");
    let iam = service(&root, "iam");
    assert_eq!(iam["EntityPath"], format!("{whole}/{OTHER}"));
    assert_eq!(
        (&iam["TotalAuthenticatedEntities"], &iam["Region"]),
        (&json!(2), &json!("us-east-1"))
    );
    assert_eq!(iam["ServiceName"], "AWS Identity and Access Management");
    assert!(service(&root, "kms")["LastAuthenticatedTime"].is_null());
    let (all, idle) = (
        &root["NumberOfServicesAccessible"],
        &root["NumberOfServicesNotAccessed"],
    );
    assert_eq!(root["AccessDetails"].as_array().unwrap().len(), 456);
    assert!(*all == 456 && idle.as_i64().unwrap() < 456);

    let (_, below) = report(&organized, &here, None);
    assert_eq!(service(&below, "iam")["EntityPath"], format!("{here}/{member}"));
    assert_eq!(service(&below, "iam")["TotalAuthenticatedEntities"], 1);
    let (_, alone) = report(&organized, &format!("{whole}/{OTHER}"), None);
    assert_eq!(service(&alone, "iam")["TotalAuthenticatedEntities"], 1);
    super::call(
        scene,
        &signed(&organized, ACCOUNT),
        "DescribeOrganization",
        json!({}),
    )
    .unwrap();
    // The management account is told of by itself alone.
    let (_, own) = report(&organized, &format!("{whole}/{ACCOUNT}"), None);
    assert_eq!(
        service(&own, "organizations")["EntityPath"],
        format!("{whole}/{ACCOUNT}")
    );
    let (_, again) = report(&organized, &whole, None);
    assert!(service(&again, "organizations")["EntityPath"].is_null());
    scene.cloud.advance(401 * DAY);
    let (_, late) = report(&organized, &here, None);
    assert!(service(&late, "iam")["LastAuthenticatedTime"].is_null());
}

#[test]
fn policies_decide_which_services_and_accounts_are_told_of() {
    let (organized, unit, member) = grown();
    let scene = &organized.scene;
    for account in [member.as_str(), OTHER] {
        scene
            .call(&signed(&organized, account), "ListUsers", json!({}))
            .unwrap();
    }
    let deny = policy(
        &organized,
        &json!([{"Effect": "Deny", "Action": "kms:*", "Resource": "*"}, {"Effect": "Allow", "Action": ["iam:*", "kms:*"], "Resource": "*"}]),
    );
    organized.ok("AttachPolicy", json!({"PolicyId": deny, "TargetId": unit}));
    let whole = format!("{}/{}", organized.id, organized.root_id);
    let (_, below) = report(&organized, &format!("{whole}/{unit}/{member}"), None);
    assert!(service(&below, "kms").is_null() && service(&below, "s3").is_object());
    let (_, above) = report(&organized, &whole, None);
    assert!(service(&above, "kms").is_object());
    let (_, of_policy) = report(&organized, &whole, Some(&deny));
    assert_eq!(of_policy["NumberOfServicesAccessible"], 1);
    let iam = service(&of_policy, "iam");
    assert_eq!(
        (&iam["EntityPath"], &iam["TotalAuthenticatedEntities"]),
        (&json!(format!("{whole}/{unit}/{member}")), &json!(1))
    );
    let (_, elsewhere) = report(&organized, &format!("{whole}/{OTHER}"), Some(&deny));
    assert_eq!(service(&elsewhere, "iam")["TotalAuthenticatedEntities"], 0);
}

#[test]
fn pages_are_sorted_as_asked() {
    let (organized, _, member) = grown();
    let whole = format!("{}/{}", organized.id, organized.root_id);
    organized
        .scene
        .call(&signed(&organized, &member), "ListUsers", json!({}))
        .unwrap();
    let (job, _) = report(&organized, &whole, None);
    for (key, last) in [
        ("SERVICE_NAMESPACE_DESCENDING", "a2c"),
        ("LAST_AUTHENTICATED_TIME_ASCENDING", "iam"),
    ] {
        let (mut names, mut marker) = (Vec::new(), Value::Null);
        loop {
            let input = json!({"JobId": job, "MaxItems": 200, "SortKey": key, "Marker": marker});
            let page = organized.scene.root("GetOrganizationsAccessReport", input);
            for service in page["AccessDetails"].as_array().unwrap() {
                names.push(text(&service["ServiceNamespace"]));
            }
            marker = page["Marker"].clone();
            assert_eq!(page["IsTruncated"], !marker.is_null());
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(names.len(), 456);
        if key.starts_with("SERVICE") {
            assert!(names.iter().rev().is_sorted(), "{last}");
        } else {
            assert_eq!(names.last().map(String::as_str), Some(last));
        }
    }
}

/// What cannot be reported is told by the job, and nobody else reads a report.
#[test]
fn reports_that_cannot_be_made_say_why() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let whole = format!("{}/{}", organized.id, organized.root_id);
    let failure = |path: &str, policy: Option<&str>| {
        let (_, report) = report(&organized, path, policy);
        assert_eq!(report["JobStatus"], "FAILED");
        assert!(report["AccessDetails"].is_null());
        text(&report["ErrorDetails"]["Code"])
    };
    assert_eq!(
        failure(&whole, None),
        "InvalidInput",
        "service control policies are off"
    );
    let kind = json!({"RootId": organized.root_id, "PolicyType": "SERVICE_CONTROL_POLICY"});
    organized.ok("EnablePolicyType", kind);
    for path in [
        format!("{whole}/ou-0000-00000000"),
        format!("{whole}/999999999999"),
        format!("o-0000000000/{}", organized.root_id),
        format!("{whole}/ou-0000-00000000/{OTHER}"),
    ] {
        assert_eq!(failure(&path, None), "NoSuchEntity", "{path}");
    }
    assert_eq!(failure(&whole, Some("p-00000000")), "NoSuchEntity");
    let (job, _) = report(&organized, &whole, None);
    let other = root_of(OTHER);
    let input = json!({ "JobId": job });
    let seen = organized
        .scene
        .call(&other, "GetOrganizationsAccessReport", input.clone());
    assert_eq!(seen.unwrap_err().code, "NoSuchEntity");
    let asked = json!({ "EntityPath": whole });
    let asked = organized
        .scene
        .call(&other, "GenerateOrganizationsAccessReport", asked)
        .unwrap();
    organized.scene.cloud.advance(2_000);
    let told = organized.scene.call(
        &other,
        "GetOrganizationsAccessReport",
        json!({"JobId": asked["JobId"]}),
    );
    assert_eq!(told.unwrap()["ErrorDetails"]["Code"], "AccessDenied");
    organized.scene.cloud.advance(7 * DAY);
    assert_eq!(
        crate::scene::code(&organized.scene, "GetOrganizationsAccessReport", input),
        "NoSuchEntity"
    );
}
