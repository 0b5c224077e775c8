//! Server certificates through the pipeline: what is checked, what is shown, and what never is.

use crypto::certificate::{Authority, ServerCertificate};
use pipeline::testing::{ACCOUNT, BEGINNING};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, code, document};

const DAY: i64 = 86_400;

/// An authority of a day counted from when the cloud began, and a certificate that it issued then.
pub(crate) fn issued(day: i64) -> (Authority, ServerCertificate) {
    let now = BEGINNING / 1000 + day * DAY;
    let authority = Authority::create(now).unwrap();
    let made = authority.issue(&["example.com".to_owned()], now).unwrap();
    (authority, made)
}

/// The server's certificate alone, and its key, in PEM.
fn pem(made: &ServerCertificate) -> (String, String) {
    use base64::Engine as _;
    let chain = made.chain_pem();
    let (own, _) = chain.split_once("-----END CERTIFICATE-----").unwrap();
    let key = base64::engine::general_purpose::STANDARD.encode(made.key_der().expose());
    (
        format!("{own}-----END CERTIFICATE-----\n"),
        format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n"),
    )
}

fn input(name: &str, made: &ServerCertificate) -> Value {
    let (body, key) = pem(made);
    json!({"ServerCertificateName": name, "CertificateBody": body, "PrivateKey": key})
}

fn named(name: &str) -> Value {
    json!({"ServerCertificateName": name})
}

/// The private key is in no answer and no record; the dates are those of the certificate. What surrounds the PEM is not kept, since
/// clients compare what they are shown with what they sent without it.
#[test]
fn a_certificate_is_shown_without_its_private_key() {
    let scene = Scene::new();
    let (authority, made) = issued(0);
    let mut upload = input("web", &made);
    upload["Path"] = "/cloudfront/".into();
    upload["CertificateChain"] = authority.certificate_pem().into();
    upload["Tags"] = json!([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]);
    let answer = scene.root("UploadServerCertificate", upload.clone());
    let metadata = &answer["ServerCertificateMetadata"];
    let arn = format!("arn:aws:iam::{ACCOUNT}:server-certificate/cloudfront/web");
    assert_eq!(metadata["Arn"], arn);
    assert!(
        metadata["ServerCertificateId"]
            .as_str()
            .unwrap()
            .starts_with("ASCA")
    );
    assert_eq!(
        answer["Tags"],
        json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    );
    let shown = scene.root("GetServerCertificate", named("web"))["ServerCertificate"].clone();
    for part in ["CertificateBody", "CertificateChain"] {
        assert_eq!(shown[part], upload[part].as_str().unwrap().trim());
    }
    assert_eq!(shown["ServerCertificateMetadata"], *metadata);
    let days =
        (metadata["Expiration"].as_f64().unwrap() - metadata["UploadDate"].as_f64().unwrap()) / 86_400.0;
    assert!((395.0..397.0).contains(&days), "{metadata}");
    let (_, key) = pem(&made);
    let secret = key.lines().nth(1).unwrap();
    for record in scene.cloud.records(ACCOUNT, "us-east-1") {
        assert!(!serde_json::to_string(&record).unwrap().contains(secret));
    }
    scene.root(
        "UntagServerCertificate",
        json!({"ServerCertificateName": "web", "TagKeys": ["b"]}),
    );
    let tag = json!({"ServerCertificateName": "web", "Tags": [{"Key": "c", "Value": "3"}]});
    scene.root("TagServerCertificate", tag);
    let tags = scene.root("ListServerCertificateTags", named("web"))["Tags"].clone();
    assert_eq!(
        tags,
        json!([{"Key": "a", "Value": "1"}, {"Key": "c", "Value": "3"}])
    );
}

/// Each refusal by AWS's code, and nothing is kept.
#[test]
fn what_does_not_belong_together_is_refused() {
    let scene = Scene::new();
    let (authority, made) = issued(0);
    let (stranger, other) = issued(0);
    let good = input("web", &made);
    let changed = |member: &str, value: String| {
        let mut input = good.clone();
        input[member] = value.into();
        input
    };
    let (_, other_key) = pem(&other);
    let (late, early) = (pem(&issued(2).1), pem(&issued(-500).1));
    let dated = |(body, key): (String, String)| json!({"ServerCertificateName": "web", "CertificateBody": body, "PrivateKey": key});
    for (wrong, expected, told) in [
        (
            changed("CertificateBody", "text".to_owned()),
            "MalformedCertificate",
            "PEM format",
        ),
        (
            changed("CertificateBody", made.chain_pem()),
            "MalformedCertificate",
            "PEM format",
        ),
        (
            changed("PrivateKey", "text".to_owned()),
            "MalformedCertificate",
            "Private Key",
        ),
        (
            changed("PrivateKey", other_key),
            "KeyPairMismatch",
            "do not match",
        ),
        (
            changed("CertificateChain", stranger.certificate_pem()),
            "MalformedCertificate",
            "invalid certificate is: 0",
        ),
        (
            changed(
                "CertificateChain",
                authority.certificate_pem() + &stranger.certificate_pem(),
            ),
            "MalformedCertificate",
            "invalid certificate is: 1",
        ),
        (dated(late), "MalformedCertificate", "not yet valid"),
        (dated(early), "MalformedCertificate", "no longer valid"),
    ] {
        let failure = scene.refused("UploadServerCertificate", wrong);
        assert_eq!(failure.code, expected, "{}", failure.message);
        assert!(failure.message.contains(told), "{}", failure.message);
    }
    assert_eq!(code(&scene, "GetServerCertificate", named("web")), "NoSuchEntity");
    scene.root("UploadServerCertificate", good.clone());
    assert_eq!(
        code(&scene, "UploadServerCertificate", good),
        "EntityAlreadyExists"
    );
}

/// The quota of twenty, the listing below a path, and a new name for which both permissions are needed.
#[test]
fn certificates_are_listed_moved_counted_and_deleted() {
    let scene = Scene::new();
    let (_, made) = issued(0);
    for number in 0..20 {
        let mut upload = input(&format!("web{number:02}"), &made);
        upload["Path"] = if number % 2 == 0 { "/even/" } else { "/odd/" }.into();
        scene.root("UploadServerCertificate", upload);
    }
    let failure = scene.refused("UploadServerCertificate", input("web", &made));
    assert_eq!(failure.code, "LimitExceeded");
    assert!(failure.message.ends_with(": 20"));
    let first = scene.root(
        "ListServerCertificates",
        json!({"PathPrefix": "/odd/", "MaxItems": 6}),
    );
    let rest = json!({"PathPrefix": "/odd/", "Marker": first["Marker"]});
    let rest = scene.root("ListServerCertificates", rest);
    let count = |answer: &Value| answer["ServerCertificateMetadataList"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&rest)), (6, 4));
    let summary = scene.root("GetAccountSummary", json!({}))["SummaryMap"].clone();
    assert_eq!(
        (
            &summary["ServerCertificates"],
            &summary["ServerCertificatesQuota"]
        ),
        (&json!(20), &json!(20))
    );
    let ana = scene.user("ana");
    let only = format!("arn:aws:iam::{ACCOUNT}:server-certificate/even/*");
    let policy = document(&json!({"Effect": "Allow", "Action": "iam:*", "Resource": only}));
    let put = json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": policy});
    scene.root("PutUserPolicy", put);
    let rename = |path: &str, name: &str| json!({"ServerCertificateName": "web00", "NewPath": path, "NewServerCertificateName": name});
    let denied = scene.call(&ana, "UpdateServerCertificate", rename("/odd/", "web"));
    assert_eq!(denied.unwrap_err().code, "AccessDenied");
    scene
        .call(&ana, "UpdateServerCertificate", rename("/even/", "web"))
        .unwrap();
    assert_eq!(
        code(&scene, "GetServerCertificate", named("web00")),
        "NoSuchEntity"
    );
    let onto = json!({"ServerCertificateName": "web", "NewServerCertificateName": "web01"});
    assert_eq!(
        code(&scene, "UpdateServerCertificate", onto),
        "EntityAlreadyExists"
    );
    scene.root("DeleteServerCertificate", named("web"));
    scene.root("UploadServerCertificate", input("Web01", &made));
    assert_eq!(
        code(&scene, "DeleteServerCertificate", named("web")),
        "NoSuchEntity"
    );
}

/// Tags of a certificate count in policies, and tags at the upload need their own permission.
#[test]
fn tags_decide_who_may_touch_a_certificate() {
    let scene = Scene::new();
    let (_, made) = issued(0);
    let ana = scene.user("ana");
    let upload = allow("iam:UploadServerCertificate");
    let put = |policy: String| json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": policy});
    scene.root("PutUserPolicy", put(upload));
    let mut tagged = input("red", &made);
    tagged["Tags"] = json!([{"Key": "team", "Value": "red"}]);
    let denied = scene
        .call(&ana, "UploadServerCertificate", tagged.clone())
        .unwrap_err();
    assert!(
        denied.message.contains("iam:TagServerCertificate"),
        "{}",
        denied.message
    );
    scene.root("UploadServerCertificate", tagged);
    scene.root("UploadServerCertificate", input("blue", &made));
    let policy = document(&json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}}));
    scene.root("PutUserPolicy", put(policy));
    scene.call(&ana, "GetServerCertificate", named("red")).unwrap();
    assert_eq!(
        scene
            .call(&ana, "GetServerCertificate", named("blue"))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
}
