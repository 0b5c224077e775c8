//! Genuine assertions that lack what AWS asks for, and requests that do not fit theirs.

use pipeline::testing::ACCOUNT;
use serde_json::json;

use super::Federated;
use super::idp::{PROVIDER, SIGN_IN, Says, at, aws, conditions, confirmation, role_arn};

/// AWS's own words for what is missing or wrong in an assertion.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn what_an_assertion_must_say() {
    let town = Federated::new();
    let says = Says::default;
    let role = role_arn();
    let cases: Vec<(Says, &str, &str)> = vec![
        (
            says().without(&aws("RoleSessionName")),
            "InvalidIdentityToken",
            "RoleSessionName is required in AuthnResponse",
        ),
        (
            says().with(&aws("RoleSessionName"), &["Ann Smith"]),
            "InvalidIdentityToken",
            "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}",
        ),
        (
            says().with(&aws("RoleSessionName"), &["ann", "bob"]),
            "InvalidIdentityToken",
            "",
        ),
        (
            says().with(&aws("SourceIdentity"), &["aws:ann"]),
            "InvalidIdentityToken",
            "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"",
        ),
        (
            says().with(
                &aws("PrincipalTag:a"),
                &["<b>".replace('<', "&lt;").replace('>', "&gt;").as_str()],
            ),
            "InvalidIdentityToken",
            "",
        ),
        (
            says().without(&aws("Role")),
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithSAML",
        ),
        (
            says().with(&aws("Role"), &[&format!("{role}2,{PROVIDER}")]),
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithSAML",
        ),
        (
            says().with(&aws("Role"), &[&format!("{role},{PROVIDER}2")]),
            "AccessDenied",
            "",
        ),
        (
            says().with(&aws("Role"), &[&format!(" {role},{PROVIDER}")]),
            "AccessDenied",
            "",
        ),
        (
            Says {
                subject: String::new(),
                ..says()
            },
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithSAML",
        ),
        (
            Says {
                issuer: "https://other.example".to_owned(),
                ..says()
            },
            "InvalidIdentityToken",
            "Issuer not present in specified provider",
        ),
        (
            Says {
                conditions: conditions(&at(-5), &at(300), "urn:other"),
                ..says()
            },
            "InvalidIdentityToken",
            "Response does not contain the required audience",
        ),
        (
            Says {
                conditions: String::new(),
                ..says()
            },
            "InvalidIdentityToken",
            "Response does not contain the required audience",
        ),
        (
            Says {
                confirmation: confirmation("https://other.example/saml", &at(300)),
                ..says()
            },
            "InvalidIdentityToken",
            "The SAML assertion names another recipient than AWS",
        ),
        (
            Says {
                confirmation: String::new(),
                ..says()
            },
            "InvalidIdentityToken",
            "",
        ),
        (
            Says {
                confirmation: confirmation(SIGN_IN, &at(0)),
                ..says()
            },
            "ExpiredTokenException",
            "The SAML assertion has expired",
        ),
        (
            Says {
                conditions: conditions(&at(-5), &at(0), "urn:amazon:webservices"),
                ..says()
            },
            "ExpiredTokenException",
            "The SAML assertion has expired",
        ),
        (
            Says {
                conditions: conditions(&at(90), &at(300), "urn:amazon:webservices"),
                ..says()
            },
            "InvalidIdentityToken",
            "The SAML assertion is not valid yet",
        ),
        (
            Says {
                issued: at(90),
                ..says()
            },
            "InvalidIdentityToken",
            "The SAML assertion is not valid yet",
        ),
        (
            Says {
                issued: at(-300),
                ..says()
            },
            "ExpiredTokenException",
            "Token must be redeemed within 5 minutes of issuance",
        ),
        (
            Says {
                status: "urn:oasis:names:tc:SAML:2.0:status:Responder".to_owned(),
                ..says()
            },
            "IDPRejectedClaim",
            "",
        ),
    ];
    for (says, code, message) in cases {
        let (refused, why) = town.refused(&town.idp.respond(&says));
        assert_eq!(refused, code, "{why}");
        assert!(why == message || message.is_empty(), "{why}");
    }
    let elsewhere = Says {
        destination: "https://other.example/".to_owned(),
        ..says()
    };
    assert_eq!(
        town.refused(&town.idp.respond_whole(&elsewhere)).0,
        "InvalidIdentityToken"
    );
    // A little ahead, in the other order, in a region, for the endpoint's own name: all of that is taken.
    let odd = Says {
        issued: at(30),
        conditions: conditions(&at(30), &at(330), SIGN_IN),
        ..says().with(&aws("Role"), &["x", &format!("{PROVIDER},{role}")])
    };
    town.redeem(&town.idp.respond(&odd)).unwrap();
}

#[test]
fn the_request_names_a_provider_and_a_role_of_one_account() {
    let town = Federated::new();
    let response = town.idp.respond(&Says::default());
    for (member, value, code) in [
        (
            "PrincipalArn",
            PROVIDER.replace("Corp", "Nobody"),
            "InvalidIdentityToken",
        ),
        (
            "PrincipalArn",
            PROVIDER.replace(ACCOUNT, "444455556666"),
            "InvalidIdentityToken",
        ),
        (
            "PrincipalArn",
            "no arn, but long enough".to_owned(),
            "InvalidIdentityToken",
        ),
        (
            "RoleArn",
            role_arn().replace(ACCOUNT, "444455556666"),
            "AccessDenied",
        ),
        ("RoleArn", role_arn().replace("Staff", "Other"), "AccessDenied"),
        ("SAMLAssertion", "%%%%".to_owned(), "InvalidIdentityToken"),
        ("SAMLAssertion", "AAAA".to_owned(), "InvalidIdentityToken"),
    ] {
        let failure = town.redeem_with(&response, &json!({member: value})).unwrap_err();
        assert_eq!(failure.code, code, "{member} {value}: {}", failure.message);
    }
    // A role that the assertion names and that is not there looks like one that does not trust.
    let gone = format!("{},{PROVIDER}", role_arn().replace("Staff", "Gone"));
    let says = Says::default().with(&aws("Role"), &[&gone]);
    let input = json!({"RoleArn": role_arn().replace("Staff", "Gone")});
    let failure = town.redeem_with(&town.idp.respond(&says), &input).unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
    );
}
