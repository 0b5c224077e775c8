//! Roles for the bearers of identity tokens: who gets in, who does not, and what the record says.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pipeline::identity::{Identity, IdentityType};
use pipeline::outside::Unreached;
use pipeline::testing::{ACCOUNT, BEGINNING, Caller, Failure};
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::scene::{Scene, allow, document};

const URL: &str = "id.example/realm";
const NOW: i64 = BEGINNING / 1000;

fn provider() -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{URL}")
}

fn trusting(condition: &Value) -> String {
    document(&json!([
        {"Effect": "Allow", "Principal": {"Federated": provider()}, "Action": "sts:AssumeRoleWithWebIdentity",
         "Condition": condition},
    ]))
}

/// A role `Web` for ann, of the provider whose client is `app`.
fn furnished() -> (Scene, Issuer) {
    let issuer = Issuer::new(&format!("https://{URL}"));
    let scene = Scene::reaching(&issuer);
    scene.root(
        "CreateOpenIDConnectProvider",
        json!({"Url": format!("https://{URL}"), "ClientIDList": ["app"], "ThumbprintList": ["a".repeat(40)]}),
    );
    let condition = json!({"StringEquals": {format!("{URL}:aud"): "app", format!("{URL}:sub"): "ann"}});
    scene.root(
        "CreateRole",
        json!({"RoleName": "Web", "AssumeRolePolicyDocument": trusting(&condition)}),
    );
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "Web", "PolicyName": "p", "PolicyDocument": allow("iam:ListUsers")}),
    );
    (scene, issuer)
}

/// The claims of ann's token.
fn claims() -> Value {
    json!({"iss": format!("https://{URL}"), "sub": "ann", "aud": "app", "iat": NOW, "exp": NOW + 600})
}

fn but(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

fn without(member: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(member);
    claims
}

/// Nobody: what the pipeline makes of a call without a signature.
fn nobody() -> Caller {
    Arc::new(Identity::root(ACCOUNT))
}

fn assume(scene: &Scene, token: &str) -> Result<Value, Failure> {
    assume_with(scene, token, json!({}))
}

fn assume_with(scene: &Scene, token: &str, more: Value) -> Result<Value, Failure> {
    let mut input = json!({
        "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/Web"), "RoleSessionName": "session", "WebIdentityToken": token,
    });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    scene
        .cloud
        .call(&nobody(), "sts", "AssumeRoleWithWebIdentity", input)
}

fn refusal(scene: &Scene, token: &str) -> (String, String) {
    let failure = assume(scene, token).unwrap_err();
    (failure.code, failure.message)
}

fn session(scene: &Scene, answer: &Value) -> Caller {
    let text = |name: &str| answer["Credentials"][name].as_str().unwrap();
    scene
        .cloud
        .caller(text("AccessKeyId"), Some(text("SessionToken")))
        .unwrap()
}

/// S4.2, S4.5, S6.1, S6.4: somebody without credentials of an IAM user gets those of a role that trusts the provider.
#[test]
fn a_token_opens_the_role_that_trusts_its_issuer() {
    let (scene, issuer) = furnished();
    for key in ["rsa", "ec"] {
        let answer = assume(&scene, &issuer.sign(key, &claims())).unwrap();
        assert_eq!(answer["SubjectFromWebIdentityToken"], "ann");
        assert_eq!(answer["Audience"], "app");
        assert_eq!(answer["Provider"], json!(provider()));
        assert_eq!(
            answer["AssumedRoleUser"]["Arn"],
            json!(format!("arn:aws:sts::{ACCOUNT}:assumed-role/Web/session"))
        );
        let caller = session(&scene, &answer);
        assert!(scene.call(&caller, "ListUsers", json!({})).is_ok());
        assert_eq!(
            scene.call(&caller, "ListRoles", json!({})).unwrap_err().code,
            "AccessDenied"
        );
    }
    // The configuration and the keys once; then they are at hand.
    assert_eq!(issuer.fetches(), 2);
}

/// S6.4: the trust policy decides, by what the token says.
#[test]
fn the_trust_policy_judges_the_claims() {
    let (scene, issuer) = furnished();
    let denied = (
        "AccessDenied".to_owned(),
        "Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned(),
    );
    assert_eq!(
        refusal(&scene, &issuer.sign("ec", &but("sub", "bob".into()))),
        denied
    );
    let missing = scene.cloud.call(
        &nobody(),
        "sts",
        "AssumeRoleWithWebIdentity",
        json!({
            "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/Nobody"), "RoleSessionName": "session",
            "WebIdentityToken": issuer.sign("ec", &claims()),
        }),
    );
    assert_eq!(missing.unwrap_err().message, denied.1);
    let any = json!({"ForAnyValue:StringEquals": {format!("{URL}:amr"): "mfa"},
        "StringEquals": {format!("{URL}:email"): "ann@example.com", "sts:RoleSessionName": "session"}});
    scene.root(
        "UpdateAssumeRolePolicy",
        json!({"RoleName": "Web", "PolicyDocument": trusting(&any)}),
    );
    assert_eq!(refusal(&scene, &issuer.sign("ec", &claims())), denied);
    let mut shown = but("amr", json!(["pwd", "mfa"]));
    shown["email"] = "ann@example.com".into();
    assert!(assume(&scene, &issuer.sign("ec", &shown)).is_ok());
}

#[test]
fn tokens_of_others_and_for_others_are_refused() {
    let (scene, issuer) = furnished();
    let stranger = Issuer::new(&format!("https://{URL}"));
    let cases = [
        (
            issuer.sign("ec", &but("aud", "other".into())),
            "Incorrect token audience",
        ),
        (
            issuer.sign("ec", &but("aud", json!(["x", "y"]))),
            "Incorrect token audience",
        ),
        (
            issuer.sign("ec", &but("azp", "other".into())),
            "Incorrect token audience",
        ),
        (
            issuer.sign("ec", &without("aud")),
            "Missing a required claim: aud",
        ),
        (
            issuer.sign("ec", &without("exp")),
            "Missing a required claim: exp",
        ),
        (
            issuer.sign("ec", &without("iat")),
            "Missing a required claim: iat",
        ),
        (
            issuer.sign("ec", &without("sub")),
            "Missing a required claim: sub",
        ),
        (
            issuer.sign("ec", &without("iss")),
            "Missing a required claim: iss",
        ),
        (
            issuer.sign("ec", &but("exp", (NOW as f64 + 0.5).into())),
            "Missing a required claim: exp",
        ),
        (
            issuer.sign("ec", &but("nbf", (NOW + 301).into())),
            "The ID Token is not valid yet",
        ),
        (
            issuer.sign("ec", &but("iss", "https://id.example".into())),
            "No OpenIDConnect provider found in your account for https://id.example",
        ),
        (
            issuer.sign("ec", &but("iss", format!("http://{URL}").into())),
            "No OpenIDConnect provider found in your account for http://id.example/realm",
        ),
        (
            stranger.sign("ec", &claims()),
            "The ID Token's signature is not valid",
        ),
    ];
    for (token, message) in cases {
        assert_eq!(
            refusal(&scene, &token),
            ("InvalidIdentityToken".to_owned(), message.to_owned())
        );
    }
    let several = issuer.sign("ec", &but("aud", json!(["x", "app"])));
    assert!(assume(&scene, &several).is_ok());
}

#[test]
fn a_token_is_good_until_it_expires_by_the_wall() {
    let (scene, issuer) = furnished();
    let token = issuer.sign("ec", &claims());
    scene.cloud.advance(599_000);
    assert!(assume(&scene, &token).is_ok());
    scene.cloud.advance(1_000);
    let (code, message) = refusal(&scene, &token);
    assert_eq!(code, "ExpiredTokenException");
    let (now, expires) = (NOW + 600, NOW + 600);
    assert_eq!(
        message,
        format!("Token expired: current date/time {now} must be before the expiration date/time{expires}")
    );
}

/// RFC 8725, section 2: no algorithm, a shared secret made of the public key, another key's kind, extensions nobody understands,
/// changed claims under an old signature.
#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let (scene, issuer) = furnished();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims()));
    let signed = format!(
        "{}.{}",
        part(&json!({"alg": "HS256", "kid": "rsa"})),
        part(&claims())
    );
    let tag = crypto::digest::hmac_sha256(&issuer.public(), signed.as_bytes());
    let confused = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    let good = issuer.sign("rsa", &claims());
    let (start, signature) = good.rsplit_once('.').unwrap();
    let header = start.split_once('.').unwrap().0;
    let changed = format!("{header}.{}.{signature}", part(&but("sub", "root".into())));
    let own_key =
        json!({"alg": "ES256", "kid": "mine", "jwk": {"kty": "EC"}, "jku": "https://evil.example/keys"});
    let cases = [
        unsigned,
        confused,
        changed,
        issuer.sign_with("ec", &json!({"alg": "RS256", "kid": "ec"}), &claims()),
        issuer.sign_with("rsa", &json!({"alg": "ES256", "kid": "rsa"}), &claims()),
        issuer.sign_with("rsa", &json!({"alg": "RS512", "kid": "rsa"}), &claims()),
        issuer.sign_with("rsa", &json!({"alg": "PS256", "kid": "rsa"}), &claims()),
        issuer.sign_with(
            "rsa",
            &json!({"alg": "RS256", "kid": "rsa", "crit": ["exp"]}),
            &claims(),
        ),
        issuer.sign_with("ec", &own_key, &claims()),
        format!("{start}."),
        format!("{good}a"),
        "x.y.z".to_owned(),
        "Atza|access".to_owned(),
    ];
    for token in cases {
        let (code, message) = refusal(&scene, &token);
        assert_eq!(code, "InvalidIdentityToken", "{message}");
    }
    let header = json!({"alg": "RS256"});
    assert!(assume(&scene, &issuer.sign_with("rsa", &header, &claims())).is_ok());
}

#[test]
fn rotated_keys_are_fetched_at_most_once_a_minute() {
    let (scene, issuer) = furnished();
    assert!(assume(&scene, &issuer.sign("ec", &claims())).is_ok());
    let before = issuer.fetches();
    let unknown = issuer.sign("ec-2", &claims());
    for _ in 0..3 {
        let (code, message) = refusal(&scene, &unknown);
        assert_eq!(code, "InvalidIdentityToken");
        assert!(
            message.starts_with("Couldn't retrieve verification key"),
            "{message}"
        );
    }
    // The keys are less than a minute old.
    assert_eq!(issuer.fetches(), before);
    issuer.serve_keys(&["ec-2"]);
    scene.cloud.advance(60_000);
    assert!(assume(&scene, &unknown).is_ok());
    assert_eq!(issuer.fetches(), before + 1);
    // The old key is gone with the old set.
    let (code, _) = refusal(&scene, &issuer.sign("ec", &claims()));
    assert_eq!(code, "InvalidIdentityToken");
}

#[test]
fn a_provider_that_is_not_there_or_not_believed_vouches_for_nobody() {
    for (unreached, code) in [
        (Unreached::Silent, "IDPCommunicationError"),
        (Unreached::Untrusted, "InvalidIdentityToken"),
        (Unreached::Status(302), "InvalidIdentityToken"),
        (Unreached::TooLong, "InvalidIdentityToken"),
    ] {
        let (scene, issuer) = furnished();
        issuer.fail(unreached);
        assert_eq!(refusal(&scene, &issuer.sign("ec", &claims())).0, code);
        // A failure is believed for ten seconds, so that nobody has a silent place asked again and again.
        issuer.serve_keys(&["ec"]);
        assert_eq!(refusal(&scene, &issuer.sign("ec", &claims())).0, code);
        scene.cloud.advance(10_000);
        assert!(assume(&scene, &issuer.sign("ec", &claims())).is_ok());
    }
    let (scene, issuer) = furnished();
    issuer.serve(
        &format!("https://{URL}/.well-known/openid-configuration"),
        &json!({"issuer": "https://evil.example", "jwks_uri": "https://evil.example/keys"}),
    );
    assert_eq!(
        refusal(&scene, &issuer.sign("ec", &claims())).0,
        "InvalidIdentityToken"
    );
}

#[test]
fn the_token_brings_tags_and_a_source_identity_if_the_role_lets_it() {
    let (scene, issuer) = furnished();
    let mut tagged = but(
        "https://aws.amazon.com/tags",
        json!({"principal_tags": {"Team": ["blue"]}, "transitive_tag_keys": ["Team"]}),
    );
    tagged["https://aws.amazon.com/source_identity"] = "ann@example.com".into();
    let token = issuer.sign("ec", &tagged);
    let (code, message) = refusal(&scene, &token);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("AccessDenied", "Not authorized to perform sts:TagSession")
    );
    let trust = document(&json!([
        {"Effect": "Allow", "Principal": {"Federated": provider()},
         "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
         "Condition": {"StringEquals": {"aws:RequestTag/Team": "blue", "sts:SourceIdentity": "ann@example.com"}}},
    ]));
    scene.root(
        "UpdateAssumeRolePolicy",
        json!({"RoleName": "Web", "PolicyDocument": trust}),
    );
    let answer = assume(&scene, &token).unwrap();
    assert_eq!(answer["SourceIdentity"], "ann@example.com");
    let caller = session(&scene, &answer);
    let held = caller.session.as_ref().unwrap();
    assert_eq!(held.transitive_tag_keys, ["Team"]);
    assert_eq!(held.federated_provider.as_deref(), Some(provider().as_str()));
    assert!(caller.tags.contains(&("Team".to_owned(), "blue".to_owned())));
}

/// IAM User Guide, "Available in session": the subject and the audience go on with the session, and so does the provider.
#[test]
fn policies_of_the_session_see_who_came() {
    let (scene, issuer) = furnished();
    let own = |subject: &str| {
        document(
            &json!({"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*", "Condition": {"StringEquals": {
            format!("{URL}:sub"): subject, format!("{URL}:aud"): "app", "aws:FederatedProvider": provider()}}}),
        )
    };
    let caller = session(&scene, &assume(&scene, &issuer.sign("ec", &claims())).unwrap());
    for (subject, allowed) in [("ann", true), ("bob", false)] {
        scene.root(
            "PutRolePolicy",
            json!({"RoleName": "Web", "PolicyName": "p", "PolicyDocument": own(subject)}),
        );
        assert_eq!(scene.call(&caller, "ListUsers", json!({})).is_ok(), allowed);
    }
}

#[test]
fn sessions_are_narrowed_and_bounded_as_other_sessions_of_roles() {
    let (scene, issuer) = furnished();
    let token = issuer.sign("ec", &claims());
    let more = json!({"DurationSeconds": 3601});
    assert_eq!(
        assume_with(&scene, &token, more).unwrap_err().code,
        "ValidationError"
    );
    let more = json!({"DurationSeconds": 900, "Policy": allow("iam:ListRoles")});
    let answer = assume_with(&scene, &token, more).unwrap();
    assert!(answer["PackedPolicySize"].as_i64().unwrap() > 0);
    let caller = session(&scene, &answer);
    assert_eq!(
        scene.call(&caller, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let more = json!({"ProviderId": "www.amazon.com"});
    assert_eq!(
        assume_with(&scene, &token, more).unwrap_err().code,
        "IDPCommunicationError"
    );
}

/// S4.5: the record says who came, from where, and how the provider was known; the token is nowhere in it.
#[test]
fn the_record_names_the_bearer_and_not_the_token() {
    let (scene, issuer) = furnished();
    let good = issuer.sign("ec", &claims());
    let denied = issuer.sign("ec", &but("sub", "bob".into()));
    assume(&scene, &good).unwrap();
    assume(&scene, &denied).unwrap_err();
    assume(&scene, "not.a.token").unwrap_err();
    let records = scene.cloud.records(ACCOUNT, pipeline::testing::REGION);
    let of_sts: Vec<_> = records
        .iter()
        .filter(|record| record.operation == "AssumeRoleWithWebIdentity")
        .collect();
    assert_eq!(of_sts.len(), 3);
    let first = of_sts[0];
    assert_eq!(first.caller.kind, IdentityType::WebIdentityUser);
    assert_eq!(first.caller.principal_id, format!("{}:app:ann", provider()));
    assert_eq!(
        (first.caller.user_name.as_deref(), first.caller.arn.as_str()),
        (Some("ann"), provider().as_str())
    );
    assert_eq!(
        first.additional["identityProviderConnectionVerificationMethod"],
        "Thumbprint"
    );
    assert_eq!(of_sts[1].caller.user_name.as_deref(), Some("bob"));
    assert_eq!(
        of_sts[1].error.as_ref().map(|error| error.code.as_str()),
        Some("AccessDenied")
    );
    let all = serde_json::to_string(&records).unwrap();
    for token in [&good, &denied] {
        assert!(!all.contains(token.as_str()) && !all.contains(token.rsplit('.').next().unwrap()));
    }
}
