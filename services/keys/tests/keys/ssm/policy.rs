//! Parameter policies.

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::{Value, json};
use wire::Timestamp;

use crate::cloud::Here;
use crate::ssm::{ok, overwrite, put, refused};

const DAY: i64 = 86_400_000;

fn expiration(days: i64) -> Value {
    let time = Timestamp(BEGINNING + days * DAY).iso8601();
    json!({ "Type": "Expiration", "Version": "1.0", "Attributes": { "Timestamp": time } })
}

fn notice(kind: &str, attribute: &str, days: i64) -> Value {
    json!({ "Type": kind, "Version": "1.0", "Attributes": { attribute: days.to_string(), "Unit": "Days" } })
}

fn guarded(here: &Here, policies: &[Value]) {
    let text = json!(policies).to_string();
    let input = json!({ "Name": "/p", "Value": "v", "Type": "String", "Tier": "Advanced", "Policies": text });
    ok(here, "PutParameter", input);
}

/// The policy actions on record, oldest first.
fn actions(here: &Here) -> Vec<String> {
    let records = here.cloud.records(ACCOUNT, REGION);
    let of_jobs = records
        .iter()
        .filter(|record| record.operation.ends_with("Notification") || record.operation == "Expiration");
    let mut named: Vec<_> = of_jobs
        .map(|record| (record.time, record.operation.clone()))
        .collect();
    named.sort();
    named.into_iter().map(|(_, name)| name).collect()
}

/// S10.7: an expiration deletes the parameter at its time and not before; notifications are told once.
#[test]
fn policies_are_carried_out_by_the_clock() {
    let here = Here::new();
    guarded(
        &here,
        &[
            expiration(30),
            notice("ExpirationNotification", "Before", 5),
            notice("NoChangeNotification", "After", 20),
        ],
    );
    let statuses = |here: &Here| -> Vec<String> {
        let shown = ok(here, "DescribeParameters", json!({}));
        let policies = shown["Parameters"][0]["Policies"].as_array().unwrap().clone();
        policies
            .iter()
            .map(|policy| policy["PolicyStatus"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(statuses(&here), ["Pending", "Pending", "Pending"]);
    here.cloud.advance(19 * DAY);
    assert!(actions(&here).is_empty());
    here.cloud.advance(2 * DAY);
    assert_eq!(actions(&here), ["NoChangeNotification"]);
    assert_eq!(statuses(&here), ["Pending", "Pending", "Finished"]);
    here.cloud.advance(5 * DAY);
    assert_eq!(actions(&here), ["NoChangeNotification", "ExpirationNotification"]);
    ok(&here, "GetParameter", json!({ "Name": "/p" }));
    here.cloud.advance(5 * DAY);
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/p" })).0,
        "ParameterNotFound"
    );
    here.cloud.advance(400 * DAY);
    assert_eq!(
        actions(&here),
        ["NoChangeNotification", "ExpirationNotification", "Expiration"]
    );
}

/// S10.7: an update leaves the expiration as it is, and starts the wait for a change again; `[{}]` takes all policies away.
#[test]
fn an_update_keeps_policies_until_it_brings_others() {
    let here = Here::new();
    guarded(
        &here,
        &[expiration(30), notice("NoChangeNotification", "After", 20)],
    );
    here.cloud.advance(15 * DAY);
    assert_eq!(overwrite(&here, "/p", "2"), 2);
    here.cloud.advance(10 * DAY);
    assert!(actions(&here).is_empty());
    let none = json!({ "Name": "/p", "Value": "3", "Overwrite": true, "Policies": "[{}]" });
    ok(&here, "PutParameter", none);
    here.cloud.advance(100 * DAY);
    assert_eq!(
        ok(&here, "GetParameter", json!({ "Name": "/p" }))["Parameter"]["Value"],
        "3"
    );
    assert!(actions(&here).is_empty());
}

/// A deleted parameter takes its plans along: the next of its name does not expire.
#[test]
fn a_deleted_parameter_leaves_no_plan() {
    let here = Here::new();
    guarded(&here, &[expiration(30)]);
    ok(&here, "DeleteParameter", json!({ "Name": "/p" }));
    put(&here, "/p", "other");
    here.cloud.advance(40 * DAY);
    ok(&here, "GetParameter", json!({ "Name": "/p" }));
}

/// S10.7: the standard tier has no policies; intelligent tiering chooses the advanced one for them.
#[test]
fn policies_take_the_advanced_tier() {
    let here = Here::new();
    let text = json!([expiration(30)]).to_string();
    let of =
        |tier: &str| json!({ "Name": "/q", "Value": "v", "Type": "String", "Tier": tier, "Policies": text });
    assert_eq!(
        refused(&here, "PutParameter", of("Standard")).0,
        "ValidationException"
    );
    assert_eq!(
        ok(&here, "PutParameter", of("Intelligent-Tiering"))["Tier"],
        "Advanced"
    );
}
