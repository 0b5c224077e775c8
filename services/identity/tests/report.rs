//! The credential report, through the pipeline.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::testing::ACCOUNT;
use serde_json::json;

use crate::scene::{READ_ALL, Scene, code};

const HOUR: i64 = 3_600_000;

/// The report's lines by user, each by column.
pub(crate) fn fetched(scene: &Scene) -> BTreeMap<String, BTreeMap<String, String>> {
    let answer = scene.root("GetCredentialReport", json!({}));
    assert_eq!(answer["ReportFormat"], "text/csv");
    let text = STANDARD.decode(answer["Content"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), columns.len(), "{line}");
            let pairs = columns.iter().zip(&cells);
            let row = pairs.map(|(column, cell)| ((*column).to_owned(), (*cell).to_owned()));
            (cells[0].to_owned(), row.collect())
        })
        .collect()
}

pub(crate) fn state(scene: &Scene) -> String {
    scene.root("GenerateCredentialReport", json!({}))["State"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// S3.11: asked for, in progress, complete, and expired after four hours.
#[test]
fn a_report_is_made_later_and_lasts_four_hours() {
    let scene = Scene::new();
    assert_eq!(code(&scene, "GetCredentialReport", json!({})), "ReportNotPresent");
    assert_eq!(state(&scene), "STARTED");
    assert_eq!(state(&scene), "INPROGRESS");
    assert_eq!(code(&scene, "GetCredentialReport", json!({})), "ReportInProgress");
    scene.cloud.advance(2_000);
    assert_eq!(state(&scene), "COMPLETE");
    assert_eq!(fetched(&scene).len(), 1);
    // A report shows the time at which it was made, not that of the request.
    scene.root("CreateUser", json!({"UserName": "late"}));
    scene.cloud.advance(4 * HOUR - 2_000);
    assert_eq!(fetched(&scene).len(), 1);
    scene.cloud.advance(2_000);
    assert_eq!(code(&scene, "GetCredentialReport", json!({})), "ReportExpired");
    assert_eq!(state(&scene), "STARTED");
    scene.cloud.advance(2_000);
    assert_eq!(fetched(&scene).len(), 2);
}

/// S3.11: AWS's columns in AWS's order, with what is true of every credential.
#[test]
fn a_report_tells_the_truth() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    scene.cloud.advance(HOUR);
    scene.root("CreateUser", json!({"UserName": "bob", "Path": "/staff/"}));
    scene.root(
        "CreateLoginProfile",
        json!({"UserName": "bob", "Password": "Start-1234"}),
    );
    scene.root("UpdateAccountPasswordPolicy", json!({"MaxPasswordAge": 90}));
    scene.root("CreateAccessKey", json!({"UserName": "ana"}));
    scene.cloud.advance(HOUR);
    scene.call(&ana, "ListUsers", json!({})).unwrap();
    let first = json!({"UserName": "ana", "AccessKeyId": &*ana.access_key_id, "Status": "Inactive"});
    scene.root("UpdateAccessKey", first);
    state(&scene);
    scene.cloud.advance(2_000);
    let answer = scene.root("GetCredentialReport", json!({}));
    let text = STANDARD.decode(answer["Content"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
         password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,\
         access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,\
         access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,\
         access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,\
         cert_2_active,cert_2_last_rotated,additional_credentials_info"
    );
    assert_eq!(
        lines[1],
        format!(
            "<root_account>,arn:aws:iam::{ACCOUNT}:root,2026-11-22T00:00:00+00:00,not_supported,no_information,\
             not_supported,not_supported,false,true,2026-11-22T00:00:00+00:00,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,\
             false,N/A,false,N/A,N/A"
        )
    );
    assert_eq!(
        lines[2],
        format!(
            "ana,arn:aws:iam::{ACCOUNT}:user/ana,2026-11-22T00:00:00+00:00,false,N/A,N/A,N/A,false,\
             false,2026-11-22T02:00:00+00:00,2026-11-22T02:00:00+00:00,us-east-1,iam,\
             true,2026-11-22T01:00:00+00:00,N/A,N/A,N/A,false,N/A,false,N/A,N/A"
        )
    );
    assert_eq!(
        lines[3],
        format!(
            "bob,arn:aws:iam::{ACCOUNT}:user/staff/bob,2026-11-22T01:00:00+00:00,true,no_information,\
             2026-11-22T01:00:00+00:00,2027-02-20T01:00:00+00:00,false,false,N/A,N/A,N/A,N/A,\
             false,N/A,N/A,N/A,N/A,false,N/A,false,N/A,N/A"
        )
    );
    let rows = fetched(&scene);
    assert_eq!(rows["bob"]["password_next_rotation"], "2027-02-20T01:00:00+00:00");
}
