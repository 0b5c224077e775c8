//! Service settings.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::cloud::Here;
use crate::ssm::{ok, refused};

const TIER: &str = "/ssm/parameter-store/default-parameter-tier";

#[test]
fn the_default_tier_is_set_used_and_reset() {
    let here = Here::new();
    let shown = ok(&here, "GetServiceSetting", json!({ "SettingId": TIER }))["ServiceSetting"].clone();
    assert_eq!(
        (&shown["SettingValue"], &shown["Status"]),
        (&json!("Standard"), &json!("Default"))
    );
    assert_eq!(
        shown["ARN"],
        json!(format!("arn:aws:ssm:{REGION}:{ACCOUNT}:servicesetting{TIER}"))
    );
    ok(
        &here,
        "UpdateServiceSetting",
        json!({ "SettingId": shown["ARN"], "SettingValue": "Advanced" }),
    );
    let shown = ok(&here, "GetServiceSetting", json!({ "SettingId": TIER }))["ServiceSetting"].clone();
    assert_eq!(
        (&shown["SettingValue"], &shown["Status"]),
        (&json!("Advanced"), &json!("Customized"))
    );
    let made = ok(
        &here,
        "PutParameter",
        json!({ "Name": "/a", "Value": "v", "Type": "String" }),
    );
    assert_eq!(made["Tier"], "Advanced");
    let reset = ok(&here, "ResetServiceSetting", json!({ "SettingId": TIER }));
    assert_eq!(reset["ServiceSetting"]["SettingValue"], "Standard");
    let made = ok(
        &here,
        "PutParameter",
        json!({ "Name": "/b", "Value": "v", "Type": "String" }),
    );
    assert_eq!(made["Tier"], "Standard");
}

#[test]
fn settings_have_names_and_values() {
    let here = Here::new();
    let throughput = "/ssm/parameter-store/high-throughput-enabled";
    ok(
        &here,
        "UpdateServiceSetting",
        json!({ "SettingId": throughput, "SettingValue": "true" }),
    );
    let wrong = json!({ "SettingId": throughput, "SettingValue": "maybe" });
    assert_eq!(
        refused(&here, "UpdateServiceSetting", wrong).0,
        "ValidationException"
    );
    let unknown = json!({ "SettingId": "/ssm/managed-instance/activation-tier" });
    assert_eq!(
        refused(&here, "GetServiceSetting", unknown).0,
        "ServiceSettingNotFound"
    );
}
