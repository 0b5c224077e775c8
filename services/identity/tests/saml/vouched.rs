//! What a genuine assertion gives, and what its provider, its role and its time keep it from.

use pipeline::identity::IdentityType;
use pipeline::testing::{ACCOUNT, BEGINNING};
use serde_json::{Value, json};

use super::idp::{ENTITY, Idp, PROVIDER, SIGN_IN, Says, at, aws, metadata, name_id, role_arn};
use super::{Federated, trust_policy};
use crate::scene::{allow, document};
use crate::sessions::{caller_of, role, sts};

/// Whole seconds that a session lasts, from the time that stands still.
fn seconds(answer: &Value) -> f64 {
    (answer["Credentials"]["Expiration"].as_f64().unwrap() - (BEGINNING / 1000) as f64).round()
}

/// S1.26, S4.2, S6.1, S6.2, S6.4: somebody without an identity in AWS gets a session of the role that trusts the provider, whichever
/// of response and assertion is signed, and has what the role has.
#[test]
fn an_assertion_gives_a_session_of_the_role() {
    for idp in [Idp::rsa(), Idp::ecdsa()] {
        let town = Federated::of(idp);
        let says = Says::default();
        let answer = town.redeem(&town.idp.respond(&says)).unwrap();
        assert_eq!(answer["Subject"], "ann@corp.example");
        assert_eq!(answer["SubjectType"], "persistent");
        assert_eq!(answer["Issuer"], ENTITY);
        assert_eq!(answer["Audience"], SIGN_IN);
        assert_eq!(
            answer["AssumedRoleUser"]["Arn"],
            format!("arn:aws:sts::{ACCOUNT}:assumed-role/Staff/ann")
        );
        assert_eq!(seconds(&answer), 3600.0);
        let ann = caller_of(&town.scene, &answer).unwrap();
        assert!(town.scene.call(&ann, "ListUsers", json!({})).is_ok());
        assert_eq!(
            town.scene
                .call(&ann, "CreateUser", json!({"UserName": "x"}))
                .unwrap_err()
                .code,
            "AccessDenied"
        );
        let whole = Says {
            id: "_a2".to_owned(),
            ..says
        };
        assert!(town.redeem(&town.idp.respond_whole(&whole)).is_ok());
        let both = Says {
            id: "_a3".to_owned(),
            ..whole
        };
        let inner = town.idp.signed(&both.id, &both.assertion());
        assert!(
            town.redeem(&town.idp.signed("_r1", &both.response(&inner)))
                .is_ok()
        );
    }
}

/// The hash that API_AssumeRoleWithSAML describes, of issuer, account and provider.
#[test]
fn the_name_qualifier_is_as_documented() {
    let town = Federated::new();
    let answer = town.redeem(&town.idp.respond(&Says::default())).unwrap();
    let text = format!("{ENTITY}{ACCOUNT}/Corp.AD");
    let digest = crypto::digest::sha1(text.as_bytes());
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(digest);
    assert_eq!(answer["NameQualifier"], expected);
    let records = town.scene.cloud.records(ACCOUNT, "us-east-1");
    let all = town.scene.cloud.records(ACCOUNT, pipeline::testing::REGION);
    let record = records
        .iter()
        .chain(&all)
        .find(|record| record.operation == "AssumeRoleWithSAML")
        .unwrap();
    assert_eq!(record.caller.kind, IdentityType::SamlUser);
    assert_eq!(record.caller.principal_id, format!("{expected}:ann@corp.example"));
    assert_eq!(record.caller.user_name.as_deref(), Some("ann@corp.example"));
    assert_eq!(record.caller.arn, PROVIDER);
    // The assertion is as good as a password while it lasts.
    let shown = serde_json::to_string(record).unwrap();
    assert!(shown.contains("Staff") && !shown.contains("PHNhbWxw"), "{shown}");
}

/// S6.4: the role's trust policy judges, by the provider's name and by what the assertion says.
#[test]
fn the_trust_policy_judges_what_the_assertion_says() {
    let town = Federated::new();
    let mut count = 0;
    let mut redeem = |says: Says| {
        count += 1;
        let says = Says {
            id: format!("_t{count}"),
            ..says
        };
        town.redeem(&town.idp.respond(&says))
    };
    let allows = |condition: Value| town.trust(&trust_policy(&json!("sts:AssumeRoleWithSAML"), &condition));
    let says = Says::default()
        .with("urn:oid:1.3.6.1.4.1.5923.1.1.1.1", &["staff", "member"])
        .with("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", &["ann@corp"])
        .with(
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            &["ann@mail"],
        );
    for (condition, goes) in [
        (
            json!({"StringEquals": {"saml:iss": ENTITY, "saml:sub": "ann@corp.example", "saml:sub_type": "persistent", "saml:aud": SIGN_IN}}),
            true,
        ),
        (
            json!({"StringEquals": {"saml:doc": format!("{ACCOUNT}/Corp.AD"), "sts:RoleSessionName": "ann"}}),
            true,
        ),
        (
            json!({"ForAllValues:StringEquals": {"saml:edupersonaffiliation": ["staff", "member"]}, "StringEquals": {"saml:edupersonprincipalname": "ann@corp"}}),
            true,
        ),
        (
            json!({"ForAnyValue:StringEquals": {"saml:mail": "ann@mail"}, "ArnEquals": {"aws:FederatedProvider": PROVIDER}}),
            true,
        ),
        (
            json!({"ForAllValues:StringEquals": {"saml:edupersonaffiliation": ["staff"]}}),
            false,
        ),
        (json!({"StringEquals": {"saml:sub": "bob"}}), false),
        (json!({"StringEquals": {"saml:sub_type": "transient"}}), false),
        (json!({"Null": {"aws:username": "false"}}), false),
    ] {
        allows(condition.clone());
        let answer = redeem(says.clone());
        assert_eq!(answer.is_ok(), goes, "{condition}: {answer:?}");
        if let Err(failure) = answer {
            assert_eq!(
                (failure.code.as_str(), failure.message.as_str()),
                ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML")
            );
        }
    }
    let other = PROVIDER.replace("Corp", "Other");
    let text = document(
        &json!({"Effect": "Allow", "Principal": {"Federated": other}, "Action": "sts:AssumeRoleWithSAML"}),
    );
    town.trust(&text);
    assert_eq!(redeem(says).unwrap_err().code, "AccessDenied");
}

/// Session tags and the source identity come from the provider, and the trust policy must allow each.
#[test]
fn tags_and_source_identity_need_their_own_permission() {
    let town = Federated::new();
    let says = Says::default()
        .with(&aws("PrincipalTag:Team"), &["red"])
        .with(&aws("TransitiveTagKeys"), &["Team"])
        .with(&aws("SourceIdentity"), &["ann.smith"]);
    let answer = town.redeem(&town.idp.respond(&says)).unwrap();
    assert_eq!(answer["SourceIdentity"], "ann.smith");
    assert!(answer["PackedPolicySize"].as_i64().unwrap() > 0);
    let ann = caller_of(&town.scene, &answer).unwrap();
    assert_eq!(ann.tags.to_vec(), [("Team".to_owned(), "red".to_owned())]);
    let session = ann.session.as_deref().unwrap();
    assert_eq!(session.transitive_tag_keys, ["Team"]);
    assert_eq!(session.federated_provider.as_deref(), Some(PROVIDER));
    let mut count = 0;
    for (actions, goes) in [
        (
            json!([
                "sts:AssumeRoleWithSAML",
                "sts:TagSession",
                "sts:SetSourceIdentity"
            ]),
            true,
        ),
        (json!(["sts:AssumeRoleWithSAML", "sts:TagSession"]), false),
        (json!(["sts:AssumeRoleWithSAML", "sts:SetSourceIdentity"]), false),
        (json!("sts:TagSession"), false),
    ] {
        count += 1;
        town.trust(&trust_policy(
            &actions,
            &json!({"StringEquals": {"aws:RequestTag/Team": "red", "sts:SourceIdentity": "ann.smith"}}),
        ));
        let says = Says {
            id: format!("_t{count}"),
            ..says.clone()
        };
        assert_eq!(town.redeem(&town.idp.respond(&says)).is_ok(), goes, "{actions}");
    }
}

/// S4.7: an hour unless told, within the role's limit, and no longer than the provider says.
#[test]
fn the_shortest_bound_ends_the_session() {
    let town = Federated::new();
    town.scene.root(
        "UpdateRole",
        json!({"RoleName": "Staff", "MaxSessionDuration": 7200}),
    );
    let mut count = 0;
    let mut lasts = |says: Says, more: Value| {
        count += 1;
        let says = Says {
            id: format!("_t{count}"),
            ..says
        };
        town.redeem_with(&town.idp.respond(&says), &more)
    };
    let hours = |n: i64| format!(r#" SessionNotOnOrAfter="{}""#, at(n * 3600));
    let plain = Says::default();
    assert_eq!(
        seconds(&lasts(plain.clone(), json!({"DurationSeconds": 7200})).unwrap()),
        7200.0
    );
    let failure = lasts(plain.clone(), json!({"DurationSeconds": 7201})).unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    );
    let two = Says {
        session: hours(2),
        ..plain.clone()
    };
    assert_eq!(seconds(&lasts(two.clone(), json!({})).unwrap()), 3600.0);
    let minutes = Says {
        session: format!(r#" SessionNotOnOrAfter="{}""#, at(600)),
        ..plain.clone()
    };
    assert_eq!(seconds(&lasts(minutes, json!({})).unwrap()), 600.0);
    let short = two.with(&aws("SessionDuration"), &["1800"]);
    assert_eq!(
        seconds(&lasts(short.clone(), json!({"DurationSeconds": 7200})).unwrap()),
        1800.0
    );
    assert_eq!(
        seconds(&lasts(short, json!({"DurationSeconds": 900})).unwrap()),
        900.0
    );
    let over = Says {
        session: hours(-1),
        ..plain.clone()
    };
    assert_eq!(lasts(over, json!({})).unwrap_err().code, "ExpiredTokenException");
    let odd = plain.with(&aws("SessionDuration"), &["60"]);
    assert_eq!(lasts(odd, json!({})).unwrap_err().code, "InvalidIdentityToken");
}

/// A session policy narrows as it does for every role.
#[test]
fn a_session_policy_narrows() {
    let town = Federated::new();
    let more = json!({"Policy": allow("iam:GetUser")});
    let answer = town
        .redeem_with(&town.idp.respond(&Says::default()), &more)
        .unwrap();
    let ann = caller_of(&town.scene, &answer).unwrap();
    assert_eq!(
        town.scene.call(&ann, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let says = Says {
        id: "_b".to_owned(),
        ..Says::default()
    };
    let failure = town
        .redeem_with(&town.idp.respond(&says), &json!({"Policy": "{}"}))
        .unwrap_err();
    assert_eq!(failure.code, "MalformedPolicyDocument");
}

/// An assertion is good for each of its roles once, and one whose provider allows one use, once.
#[test]
fn an_assertion_is_redeemed_once_for_a_role() {
    let town = Federated::new();
    let trusted = trust_policy(&json!("sts:AssumeRoleWithSAML"), &json!({}));
    let second = role(&town.scene, "Second", &trusted);
    let pairs = [
        format!("{},{PROVIDER}", role_arn()),
        format!("{second},{PROVIDER}"),
    ];
    let says = Says::default().with(&aws("Role"), &[&pairs[0], &pairs[1]]);
    let response = town.idp.respond(&says);
    assert!(town.redeem(&response).is_ok());
    assert_eq!(
        town.refused(&response),
        (
            "InvalidIdentityToken".to_owned(),
            "The SAML assertion was redeemed already".to_owned()
        )
    );
    assert!(town.redeem_with(&response, &json!({"RoleArn": second})).is_ok());
    assert!(town.redeem_with(&response, &json!({"RoleArn": second})).is_err());
    let once = Says {
        id: "_once".to_owned(),
        conditions: says.conditions.replace(
            "</saml:Conditions>",
            "<saml:OneTimeUse></saml:OneTimeUse></saml:Conditions>",
        ),
        ..says
    };
    let response = town.idp.respond(&once);
    assert!(town.redeem(&response).is_ok());
    assert!(town.redeem_with(&response, &json!({"RoleArn": second})).is_err());
    // What failed was not spent, and time ends what is left.
    let late = town.idp.respond(&Says {
        id: "_late".to_owned(),
        ..Says::default()
    });
    assert!(
        town.redeem_with(&late, &json!({"DurationSeconds": 43_200}))
            .is_err()
    );
    assert!(town.redeem(&late).is_ok());
    let last = town.idp.respond(&Says {
        id: "_last".to_owned(),
        ..Says::default()
    });
    town.scene.cloud.advance(300_000);
    assert_eq!(town.refused(&last).0, "ExpiredTokenException");
}

/// New metadata brings new keys, and takes the old ones away; with the provider or its validity all of it ends.
#[test]
fn keys_go_with_the_metadata() {
    let town = Federated::new();
    let next = Idp::rsa();
    let named = |n: i64| Says {
        id: format!("_k{n}"),
        ..Says::default()
    };
    assert_eq!(
        town.refused(&next.respond(&named(1))),
        (
            "InvalidIdentityToken".to_owned(),
            "Response signature invalid".to_owned()
        )
    );
    let update = |text: String| {
        town.scene.root(
            "UpdateSAMLProvider",
            json!({"SAMLProviderArn": PROVIDER, "SAMLMetadataDocument": text}),
        )
    };
    use base64::Engine as _;
    let certificate = |idp: &Idp| base64::engine::general_purpose::STANDARD.encode(idp.certificate.der());
    update(metadata(
        ENTITY,
        "",
        &[&certificate(&town.idp), &certificate(&next)],
    ));
    assert!(
        town.redeem(&next.respond(&named(2))).is_ok() && town.redeem(&town.idp.respond(&named(3))).is_ok()
    );
    update(next.metadata());
    assert!(town.redeem(&next.respond(&named(4))).is_ok());
    assert_eq!(
        town.refused(&town.idp.respond(&named(5))).1,
        "Response signature invalid"
    );
    update(metadata(
        ENTITY,
        &format!(r#" validUntil="{}""#, at(0)),
        &[&certificate(&next)],
    ));
    assert_eq!(town.refused(&next.respond(&named(6))).0, "ExpiredTokenException");
    town.scene
        .root("DeleteSAMLProvider", json!({"SAMLProviderArn": PROVIDER}));
    assert_eq!(
        town.refused(&next.respond(&named(7))).1,
        "Specified provider doesn't exist"
    );
}

/// A name with a comment in it is read whole, as it was signed.
#[test]
fn a_comment_does_not_cut_a_name() {
    let town = Federated::new();
    let says = Says {
        subject: name_id("ann@corp.example.evil.example"),
        ..Says::default()
    };
    let response = town
        .idp
        .respond(&says)
        .replace("ann@corp.example.evil", "ann@corp.example<!-- x -->.evil");
    assert_eq!(
        town.redeem(&response).unwrap()["Subject"],
        "ann@corp.example.evil.example"
    );
    assert!(sts(&town.scene, &town.scene.root, "GetCallerIdentity", json!({})).is_ok());
}
