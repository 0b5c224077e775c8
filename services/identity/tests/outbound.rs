//! Outbound federation through the pipeline: an account's own issuer, and the tokens that it makes.

use identity::iam::outbound::{self, PATH};
use identity::sts::web_identity::discovery::{self, Keys};
use identity::sts::web_identity::jwt;
use pipeline::testing::{ACCOUNT, BEGINNING, Caller, Failure};
use serde_json::{Value, json};

use crate::scene::{Scene, document, trust};

const NOW: i64 = BEGINNING / 1000;

fn token(scene: &Scene, caller: &Caller, more: &Value) -> Result<Value, Failure> {
    let mut input = json!({"Audience": ["https://api.example"], "SigningAlgorithm": "ES384"});
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    scene.cloud.call(caller, "sts", "GetWebIdentityToken", input)
}

/// One of the issuer's public pages.
fn page(scene: &Scene, issuer: &str, name: &str) -> Option<String> {
    let path = issuer.split_once(PATH).unwrap().1;
    let path = format!("{path}/.well-known/{name}");
    let read = |call: &mut pipeline::Call<'_>| outbound::page(call, &path);
    scene
        .cloud
        .gateway
        .system("us-east-1", read)
        .map_err(|fault| fault.message)
        .unwrap()
}

#[test]
fn the_feature_is_turned_on_and_off_and_keeps_its_issuer() {
    let scene = Scene::new();
    for operation in [
        "GetOutboundWebIdentityFederationInfo",
        "DisableOutboundWebIdentityFederation",
    ] {
        assert_eq!(scene.refused(operation, json!({})).code, "FeatureDisabled");
    }
    let root = &scene.root;
    let refused = token(&scene, root, &json!({})).unwrap_err();
    assert_eq!(refused.code, "OutboundWebIdentityFederationDisabledException");
    let issuer = scene.root("EnableOutboundWebIdentityFederation", json!({}))["IssuerIdentifier"].clone();
    let again = scene.refused("EnableOutboundWebIdentityFederation", json!({}));
    assert_eq!(again.code, "FeatureEnabled");
    let info = scene.root("GetOutboundWebIdentityFederationInfo", json!({}));
    assert_eq!(
        info,
        json!({"IssuerIdentifier": issuer, "JwtVendingEnabled": true})
    );
    let issuer = issuer.as_str().unwrap();
    assert!(page(&scene, issuer, "jwks.json").is_some());
    scene.root("DisableOutboundWebIdentityFederation", json!({}));
    assert!(token(&scene, root, &json!({})).is_err());
    assert_eq!(page(&scene, issuer, "jwks.json"), None);
    let back = scene.root("EnableOutboundWebIdentityFederation", json!({}));
    assert_eq!(back["IssuerIdentifier"], issuer);
}

#[test]
fn tokens_say_who_asked_and_verify_by_the_issuers_pages() {
    let scene = Scene::new();
    let issuer = scene.root("EnableOutboundWebIdentityFederation", json!({}))["IssuerIdentifier"].clone();
    let issuer = issuer.as_str().unwrap();
    let configuration = page(&scene, issuer, "openid-configuration").unwrap();
    let address = discovery::keys_address(configuration.as_bytes(), issuer).unwrap();
    assert_eq!(address, format!("{issuer}/.well-known/jwks.json"));
    assert_eq!(page(&scene, issuer, "other"), None);
    let keys = page(&scene, issuer, "jwks.json").unwrap();
    let user = scene.user("ann");
    let allow = document(&json!([
        {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*",
         "Condition": {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": "https://api.example"},
                       "NumericLessThanEquals": {"sts:DurationSeconds": "600"}}},
        {"Effect": "Allow", "Action": "sts:TagGetWebIdentityToken", "Resource": "*",
         "Condition": {"StringEquals": {"aws:RequestTag/job": "j1"}}},
    ]));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ann", "PolicyName": "p", "PolicyDocument": allow}),
    );
    for algorithm in ["RS256", "ES384"] {
        let more = json!({"SigningAlgorithm": algorithm, "Tags": [{"Key": "job", "Value": "j1"}]});
        let answer = token(&scene, &user, &more).unwrap();
        let text = answer["WebIdentityToken"].as_str().unwrap();
        let read = jwt::read(text).ok().unwrap();
        let Keys::Found(found) = discovery::keys(keys.as_bytes(), read.algorithm, read.key_id.as_deref())
        else {
            panic!("no key for {algorithm}");
        };
        assert!(read.is_signed_by(&found[0]));
        assert_eq!(
            (read.text("iss"), read.text("aud")),
            (Some(issuer), Some("https://api.example"))
        );
        assert_eq!(
            read.text("sub"),
            Some(format!("arn:aws:iam::{ACCOUNT}:user/ann").as_str())
        );
        assert_eq!(
            (read.seconds("iat"), read.seconds("exp")),
            (Some(NOW), Some(NOW + 300))
        );
        let own = &read.claims["https://sts.amazonaws.com/"];
        assert_eq!(
            (&own["aws_account"], &own["request_tags"]),
            (&json!(ACCOUNT), &json!({"job": "j1"}))
        );
    }
    for more in [
        json!({"Audience": ["https://other.example"]}),
        json!({"DurationSeconds": 601}),
        json!({"Tags": [{"Key": "job", "Value": "j2"}]}),
    ] {
        assert_eq!(token(&scene, &user, &more).unwrap_err().code, "AccessDenied");
    }
    let records = scene.cloud.records(ACCOUNT, pipeline::testing::REGION);
    assert!(!serde_json::to_string(&records).unwrap().contains("eyJ"));
}

#[test]
fn a_token_does_not_outlive_the_session_that_asks() {
    let scene = Scene::new();
    scene.root("EnableOutboundWebIdentityFederation", json!({}));
    let user = scene.user("ann");
    scene.root(
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust("AWS", &user.arn)}),
    );
    let allow = crate::scene::allow("sts:*");
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "R", "PolicyName": "p", "PolicyDocument": allow}),
    );
    let session = scene.assume(&user, "R").unwrap();
    let answer = token(&scene, &session, &json!({"DurationSeconds": 3600})).unwrap();
    let read = jwt::read(answer["WebIdentityToken"].as_str().unwrap())
        .ok()
        .unwrap();
    assert_eq!(
        read.text("sub"),
        Some(format!("arn:aws:iam::{ACCOUNT}:role/R").as_str())
    );
    scene.cloud.advance(1_000);
    let refused = token(&scene, &session, &json!({"DurationSeconds": 3600})).unwrap_err();
    assert_eq!(refused.code, "SessionDurationEscalationException");
}
