//! From consolidated billing to all features.

use serde_json::json;

use super::{OTHER, Organized, text};

#[test]
fn billing_alone_takes_much_away() {
    let organized = Organized::with(json!({"FeatureSet": "CONSOLIDATED_BILLING"}));
    let root = organized.ok("ListRoots", json!({}))["Roots"][0].clone();
    assert_eq!(root["PolicyTypes"], json!([]));
    organized.invited(OTHER);
    for (operation, input) in [
        ("CloseAccount", json!({"AccountId": OTHER})),
        (
            "EnableAWSServiceAccess",
            json!({"ServicePrincipal": "config.amazonaws.com"}),
        ),
        ("PutResourcePolicy", json!({"Content": "{}"})),
    ] {
        assert_eq!(
            organized.refused(operation, input),
            "ConstraintViolationException",
            "{operation}"
        );
    }
}

#[test]
fn every_invited_member_and_the_management_account_consent() {
    let organized = Organized::with(json!({"FeatureSet": "CONSOLIDATED_BILLING"}));
    organized.invited(OTHER);
    organized.member("made@example.com");
    let whole = organized.ok("EnableAllFeatures", json!({}))["Handshake"].clone();
    assert_eq!(
        (&whole["State"], &whole["Action"]),
        (&json!("REQUESTED"), &json!("ENABLE_ALL_FEATURES"))
    );
    assert_eq!(
        organized.refused("EnableAllFeatures", json!({})),
        "HandshakeConstraintViolationException"
    );
    let filter = json!({"Filter": {"ParentHandshakeId": whole["Id"]}});
    let parts = organized.ok("ListHandshakesForOrganization", filter.clone())["Handshakes"].clone();
    assert_eq!(
        parts.as_array().unwrap().len(),
        1,
        "those who were made here are not asked"
    );
    let asked = organized.as_root_of(
        OTHER,
        "ListHandshakesForAccount",
        json!({"Filter": {"ActionType": "ENABLE_ALL_FEATURES"}}),
    );
    let asked = text(&asked.unwrap()["Handshakes"][0]["Id"]);
    organized
        .as_root_of(OTHER, "AcceptHandshake", json!({"HandshakeId": asked}))
        .unwrap();
    let features = || organized.ok("DescribeOrganization", json!({}))["Organization"]["FeatureSet"].clone();
    assert_eq!(features(), "CONSOLIDATED_BILLING");
    let last = organized.ok("ListHandshakesForAccount", json!({}))["Handshakes"][0].clone();
    assert_eq!(last["Action"], "APPROVE_ALL_FEATURES");
    organized.ok("AcceptHandshake", json!({"HandshakeId": last["Id"]}));
    assert_eq!(features(), "ALL");
    let whole = organized.ok("DescribeHandshake", json!({"HandshakeId": whole["Id"]}));
    assert_eq!(whole["Handshake"]["State"], "ACCEPTED");
    assert_eq!(
        organized.refused("EnableAllFeatures", json!({})),
        "HandshakeConstraintViolationException"
    );
}

#[test]
fn a_request_that_is_taken_back_takes_its_questions_with_it() {
    let organized = Organized::with(json!({"FeatureSet": "CONSOLIDATED_BILLING"}));
    organized.invited(OTHER);
    let whole = organized.ok("EnableAllFeatures", json!({}))["Handshake"]["Id"].clone();
    let invite = json!({"Target": {"Id": "333344445555", "Type": "ACCOUNT"}});
    super::stranger(&organized.scene, "333344445555");
    assert_eq!(
        organized.refused("InviteAccountToOrganization", invite.clone()),
        "HandshakeConstraintViolationException"
    );
    organized.ok("CancelHandshake", json!({"HandshakeId": whole}));
    let asked = organized.as_root_of(
        OTHER,
        "ListHandshakesForAccount",
        json!({"Filter": {"ActionType": "ENABLE_ALL_FEATURES"}}),
    );
    assert_eq!(asked.unwrap()["Handshakes"][0]["State"], "CANCELED");
    organized.ok("InviteAccountToOrganization", invite);
}
