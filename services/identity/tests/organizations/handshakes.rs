//! Invitations: sent, accepted, declined, canceled, forgotten.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use super::{DAY, OTHER, Organized, call, root_of, stranger, text};

const THIRD: &str = "333344445555";

fn id(id: &str) -> Value {
    json!({"HandshakeId": id})
}

#[test]
fn an_invitation_tells_who_asks_whom() {
    let organized = Organized::new();
    stranger(&organized.scene, OTHER);
    let sent = organized.ok(
        "InviteAccountToOrganization",
        json!({"Target": {"Id": OTHER, "Type": "ACCOUNT"}, "Notes": "Come in.", "Tags": [{"Key": "a", "Value": "b"}]}),
    )["Handshake"]
        .clone();
    let handshake = text(&sent["Id"]);
    assert_eq!(
        sent["Arn"],
        format!(
            "arn:aws:organizations::{ACCOUNT}:handshake/{}/invite/{handshake}",
            organized.id
        )
    );
    assert_eq!(
        (&sent["State"], &sent["Action"]),
        (&json!("OPEN"), &json!("INVITE"))
    );
    assert_eq!(
        sent["Parties"],
        json!([{"Id": organized.id, "Type": "ORGANIZATION"}, {"Id": OTHER, "Type": "ACCOUNT"}])
    );
    assert_eq!(
        sent["Resources"][2],
        json!({"Type": "NOTES", "Value": "Come in."})
    );
    let requested = sent["RequestedTimestamp"].as_f64().unwrap();
    assert_eq!(
        sent["ExpirationTimestamp"].as_f64().unwrap() - requested,
        15.0 * 86_400.0
    );
    let seen = organized.as_root_of(OTHER, "ListHandshakesForAccount", json!({}));
    assert_eq!(seen.unwrap()["Handshakes"], json!([sent]));
    let listed = organized.ok("ListHandshakesForOrganization", json!({}));
    assert_eq!(listed["Handshakes"], json!([sent]));
    let own = organized.ok("ListHandshakesForAccount", json!({}));
    assert_eq!(
        own["Handshakes"],
        json!([]),
        "what the account sent it is not asked"
    );
    organized
        .as_root_of(OTHER, "AcceptHandshake", id(&handshake))
        .unwrap();
    let shown = organized.account(OTHER);
    assert_eq!(shown["JoinedMethod"], "INVITED");
    let tags = organized.ok("ListTagsForResource", json!({"ResourceId": OTHER}));
    assert_eq!(tags["Tags"], json!([{"Key": "a", "Value": "b"}]));
    let again = organized.as_root_of(OTHER, "AcceptHandshake", id(&handshake));
    assert_eq!(again.unwrap_err().code, "HandshakeAlreadyInStateException");
}

#[test]
fn each_party_has_its_own_answers() {
    let organized = Organized::new();
    stranger(&organized.scene, OTHER);
    stranger(&organized.scene, THIRD);
    let first = organized.invite(OTHER);
    for operation in ["AcceptHandshake", "DeclineHandshake"] {
        assert_eq!(organized.refused(operation, id(&first)), "AccessDeniedException");
    }
    let theirs = |account: &str, operation: &str, handshake: &str| {
        organized.as_root_of(account, operation, id(handshake))
    };
    assert_eq!(
        theirs(OTHER, "CancelHandshake", &first).unwrap_err().code,
        "AccessDeniedException"
    );
    assert_eq!(
        theirs(THIRD, "AcceptHandshake", &first).unwrap_err().code,
        "HandshakeNotFoundException"
    );
    let declined = theirs(OTHER, "DeclineHandshake", &first).unwrap();
    assert_eq!(declined["Handshake"]["State"], "DECLINED");
    assert_eq!(
        theirs(OTHER, "AcceptHandshake", &first).unwrap_err().code,
        "InvalidHandshakeTransitionException"
    );
    let second = organized.invite(OTHER);
    let canceled = organized.ok("CancelHandshake", id(&second));
    assert_eq!(canceled["Handshake"]["State"], "CANCELED");
    let shown = theirs(OTHER, "DescribeHandshake", &second).unwrap();
    assert_eq!(shown["Handshake"]["State"], "CANCELED");
    assert_eq!(
        theirs(OTHER, "AcceptHandshake", &second).unwrap_err().code,
        "InvalidHandshakeTransitionException"
    );
    assert_eq!(
        organized
            .as_root_of(OTHER, "DescribeOrganization", json!({}))
            .unwrap_err()
            .code,
        "AWSOrganizationsNotInUseException"
    );
}

#[test]
fn an_invitation_expires_and_is_forgotten() {
    let organized = Organized::new();
    stranger(&organized.scene, OTHER);
    let sent = organized.invite(OTHER);
    organized.scene.cloud.advance(15 * DAY - 1000);
    let state = || {
        let shown = organized.as_root_of(OTHER, "DescribeHandshake", id(&sent));
        shown.map(|shown| text(&shown["Handshake"]["State"]))
    };
    assert_eq!(state().unwrap(), "OPEN");
    organized.scene.cloud.advance(1000);
    assert_eq!(state().unwrap(), "EXPIRED");
    let late = organized.as_root_of(OTHER, "AcceptHandshake", id(&sent));
    assert_eq!(late.unwrap_err().code, "InvalidHandshakeTransitionException");
    organized.scene.cloud.advance(30 * DAY);
    assert_eq!(state().unwrap_err().code, "HandshakeNotFoundException");
    let listed = organized.ok("ListHandshakesForOrganization", json!({}));
    assert_eq!(listed["Handshakes"], json!([]));
    organized.invite(OTHER);
}

#[test]
fn invitations_that_make_no_sense_are_refused() {
    let organized = Organized::new();
    stranger(&organized.scene, OTHER);
    let invite = |kind: &str, id: &str| json!({"Target": {"Id": id, "Type": kind}});
    for (input, code) in [
        (invite("ORGANIZATION", "o-abcdefghij"), "InvalidInputException"),
        (invite("ACCOUNT", THIRD), "InvalidInputException"),
        (invite("EMAIL", "nobody@example.com"), "InvalidInputException"),
        (
            invite("ACCOUNT", ACCOUNT),
            "HandshakeConstraintViolationException",
        ),
    ] {
        assert_eq!(organized.refused("InviteAccountToOrganization", input), code);
    }
    let address = format!("root@{OTHER}.ringwork.invalid");
    let sent = organized.ok("InviteAccountToOrganization", invite("EMAIL", &address));
    assert_eq!(
        sent["Handshake"]["Parties"][1],
        json!({"Id": address, "Type": "EMAIL"})
    );
    assert_eq!(
        organized.refused("InviteAccountToOrganization", invite("ACCOUNT", OTHER)),
        "DuplicateHandshakeException"
    );
    let accepted = organized.as_root_of(OTHER, "AcceptHandshake", id(&text(&sent["Handshake"]["Id"])));
    assert!(accepted.is_ok());
    assert_eq!(
        organized.refused("InviteAccountToOrganization", invite("ACCOUNT", OTHER)),
        "HandshakeConstraintViolationException"
    );
}

/// An invitation takes a place of the quota while it stands.
#[test]
fn open_invitations_count_among_the_accounts() {
    let organized = Organized::new();
    for index in 0..8 {
        organized.member(&format!("m{index}@example.com"));
    }
    stranger(&organized.scene, OTHER);
    stranger(&organized.scene, THIRD);
    let sent = organized.invite(OTHER);
    let third = json!({"Target": {"Id": THIRD, "Type": "ACCOUNT"}});
    assert_eq!(
        organized.refused("InviteAccountToOrganization", third.clone()),
        "HandshakeConstraintViolationException"
    );
    organized.ok("CancelHandshake", id(&sent));
    organized.ok("InviteAccountToOrganization", third);
}

/// An account joins another organization without an account of its own in between.
#[test]
fn an_account_moves_straight_from_one_organization_to_another() {
    let organized = Organized::new();
    organized.invited(OTHER);
    stranger(&organized.scene, THIRD);
    let third = root_of(THIRD);
    let made = call(&organized.scene, &third, "CreateOrganization", json!({})).unwrap();
    let target = json!({"Target": {"Id": OTHER, "Type": "ACCOUNT"}});
    let sent = call(&organized.scene, &third, "InviteAccountToOrganization", target).unwrap();
    let accept = id(&text(&sent["Handshake"]["Id"]));
    organized.scene.cloud.advance(1000);
    organized.as_root_of(OTHER, "AcceptHandshake", accept).unwrap();
    let now = organized
        .as_root_of(OTHER, "DescribeOrganization", json!({}))
        .unwrap();
    assert_eq!(now["Organization"]["Id"], made["Organization"]["Id"]);
    assert_eq!(
        organized.refused("DescribeAccount", json!({"AccountId": OTHER})),
        "AccountNotFoundException"
    );
    organized.scene.cloud.advance(0);
    let events = organized.events(ACCOUNT);
    assert_eq!(events.last().unwrap(), "AccountDepartedOrganization");
    assert_eq!(
        organized.events(THIRD).last().unwrap(),
        "AccountJoinedOrganization"
    );
}

#[test]
fn handshakes_are_listed_by_kind() {
    let organized = Organized::new();
    stranger(&organized.scene, OTHER);
    organized.invite(OTHER);
    let listed = |filter: Value| {
        let answer = organized.ok("ListHandshakesForOrganization", json!({ "Filter": filter }));
        answer["Handshakes"].as_array().unwrap().len()
    };
    assert_eq!(listed(json!({"ActionType": "INVITE"})), 1);
    assert_eq!(listed(json!({"ActionType": "ENABLE_ALL_FEATURES"})), 0);
    let both = json!({"Filter": {"ActionType": "INVITE", "ParentHandshakeId": "h-00000000"}});
    assert_eq!(
        organized.refused("ListHandshakesForOrganization", both),
        "InvalidInputException"
    );
}

/// Twenty a day, those that were accepted not counted; the next day it is well again.
#[test]
fn an_organization_sends_twenty_invitations_a_day() {
    let organized = Organized::new();
    organized.invited(OTHER);
    stranger(&organized.scene, THIRD);
    let mut sent = String::new();
    for _ in 0..20 {
        sent = organized.invite(THIRD);
        organized.ok("CancelHandshake", id(&sent));
    }
    let third = json!({"Target": {"Id": THIRD, "Type": "ACCOUNT"}});
    let failure = call(
        &organized.scene,
        &organized.scene.root,
        "InviteAccountToOrganization",
        third,
    );
    let failure = failure.unwrap_err();
    assert_eq!(failure.code, "HandshakeConstraintViolationException");
    assert!(failure.message.contains("one day"), "{}", failure.message);
    organized.scene.cloud.advance(DAY);
    organized.invite(THIRD);
    assert_eq!(
        organized.ok("DescribeHandshake", id(&sent))["Handshake"]["State"],
        "CANCELED"
    );
}
