//! The way of a request in process, over the memory engine: the signature alone, the codecs alone, and whole calls.
//!
//! A whole call crosses to the committer and back, as every recorded call does; sockets and flushes are left out.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use crypto::Secret;
use crypto::digest::{hmac_sha256, sha256};
use crypto::signature::SigningKey;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use identity::IdentityDirectory;
use pipeline::Incoming;
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, BEGINNING, Cloud, REGION};
use serde_json::{Value, json};
use wire::Document;
use wire::model::Protocol;
use wire::protocol::{self, Parts};
use wire::sigv4::{self, PathStyle, PayloadRule, Signer};

/// A request that is signed already.
struct Signed {
    headers: HeaderMap,
    body: Bytes,
}

impl Signed {
    fn new(id: &str, secret: &str, service: &str, target: Option<&'static str>, body: &str) -> Self {
        let kind = if target.is_some() {
            "application/x-amz-json-1.1"
        } else {
            "application/x-www-form-urlencoded"
        };
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        headers.insert(
            "user-agent",
            HeaderValue::from_static("Boto3/1.44.5 md/Botocore#1.44.5 lang/python"),
        );
        headers.insert("content-type", HeaderValue::from_static(kind));
        if let Some(target) = target {
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        }
        let signer = Signer {
            access_key_id: id,
            secret_access_key: secret,
            session_token: None,
            region: REGION,
            service,
        };
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let signed: Vec<(HeaderName, HeaderValue)> = sigv4::sign_request(
            &signer,
            &parts,
            PathStyle::Normalised,
            BEGINNING / 1000,
            sha256,
            hmac_sha256,
        )
        .expect("the request can be signed");
        headers.extend(signed.into_iter().map(|(name, value)| (Some(name), value)));
        Self {
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn parts(&self) -> Parts<'_> {
        Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn incoming(&self) -> Incoming {
        Incoming {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers: self.headers.clone(),
            body: self.body.clone().into(),
            peer: ([127, 0, 0, 1], 50_000).into(),
            tls: None,
            standing: pipeline::front::Standing::default(),
        }
    }
}

/// 1 KiB of zeros in base64.
fn plaintext() -> String {
    format!("{}==", "A".repeat(1366))
}

/// Reading the claim, hashing the payload, and the signature itself with a key that is derived already.
fn authenticate(criterion: &mut Criterion) {
    let request = Signed::new(
        "AKIAIOSFODNN7EXAMPLE",
        "secret",
        "sts",
        None,
        "Action=GetCallerIdentity&Version=2011-06-15",
    );
    let day = sigv4::parse(&request.parts())
        .ok()
        .flatten()
        .expect("a claim")
        .scope
        .date
        .to_string();
    let key = SigningKey::derive(&Secret::from("secret"), &day, REGION, "sts");
    let rule = PayloadRule {
        style: PathStyle::Normalised,
        unsigned: false,
        streaming: false,
    };
    criterion.bench_function("authenticate", |bencher| {
        bencher.iter(|| {
            let parts = request.parts();
            let claim = sigv4::parse(&parts).ok().flatten().expect("a claim");
            let payload = sigv4::check_payload(&claim, parts.body, rule, sha256);
            let text = sigv4::string_to_sign(&claim, &parts, PathStyle::Normalised, sha256);
            let verified = payload.is_ok() && key.verify_hex(&text.text, &claim.signature);
            assert!(black_box(verified), "the signature holds");
        });
    });
}

fn codecs(criterion: &mut Criterion) {
    let kms = api::models::service("kms").expect("the model of KMS");
    let sts = api::models::service("sts").expect("the model of STS");
    let encrypt = kms.operation("Encrypt").expect("Encrypt");
    let identity = sts.operation("GetCallerIdentity").expect("GetCallerIdentity");
    let assume = sts.operation("AssumeRole").expect("AssumeRole");
    let headers = HeaderMap::new();
    let body = format!(
        r#"{{"KeyId":"alias/app","Plaintext":"{}","EncryptionContext":{{"tenant":"blue"}}}}"#,
        plaintext()
    );
    let parts = Parts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    criterion.bench_function("wire/decode json Encrypt 1 KiB", |bencher| {
        bencher.iter(|| protocol::decode(kms, encrypt, Protocol::AwsJson11, black_box(&parts)).is_ok());
    });
    let body = b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fapp&RoleSessionName=one\
        &Tags.member.1.Key=team&Tags.member.1.Value=blue";
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let parts = Parts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body,
    };
    criterion.bench_function("wire/decode query AssumeRole", |bencher| {
        bencher.iter(|| protocol::decode(sts, assume, Protocol::AwsQuery, black_box(&parts)).is_ok());
    });
    let text = |text: &str| Document::String(text.to_owned());
    let output = Document::Structure(vec![
        ("UserId", text("AIDACKCEVSQ6C2EXAMPLE")),
        ("Account", text("111122223333")),
        ("Arn", text("arn:aws:iam::111122223333:user/admin")),
    ]);
    for (name, protocol) in [("query", Protocol::AwsQuery), ("json", Protocol::AwsJson11)] {
        criterion.bench_function(&format!("wire/encode {name} GetCallerIdentity"), |bencher| {
            let encode = |output| {
                protocol::encode(
                    sts,
                    identity,
                    protocol,
                    output,
                    "0199f0a2-7c1e-7d3f-9a54-2f6f0c1d2e3f",
                )
            };
            bencher.iter(|| encode(black_box(&output)).is_ok());
        });
    }
}

/// A cloud with an administrator's key, a symmetric KMS key and a key pair of KMS.
fn cloud() -> (Cloud, String, String, [String; 2]) {
    let tables = Tables {
        operations: vec![
            identity::iam::OPERATIONS,
            identity::sts::OPERATIONS,
            keys::kms::OPERATIONS,
        ],
        jobs: vec![keys::kms::JOBS],
        trails: vec![&identity::iam::TRAIL, &identity::sts::TRAIL, &keys::kms::TRAIL],
        ..Tables::default()
    };
    let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
    cloud
        .gateway
        .system(REGION, |call| {
            identity::bootstrap(call, ACCOUNT, None).map(|_| ())
        })
        .ok()
        .expect("the first account");
    let root = cloud.root();
    let call = |service: &str, operation: &str, input: Value| {
        cloud
            .call(&root, service, operation, input)
            .expect("root may do everything")
    };
    call("iam", "CreateUser", json!({"UserName": "admin"}));
    let policy = json!({"UserName": "admin", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"});
    call("iam", "AttachUserPolicy", policy);
    let key = call("iam", "CreateAccessKey", json!({"UserName": "admin"}));
    let text = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .expect("a text")
            .to_owned()
    };
    let (id, secret) = (
        text(&key, "/AccessKey/AccessKeyId"),
        text(&key, "/AccessKey/SecretAccessKey"),
    );
    let made = [
        json!({}),
        json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" }),
    ];
    let keys = made.map(|input| text(&call("kms", "CreateKey", input), "/KeyMetadata/KeyId"));
    (cloud, id, secret, keys)
}

fn calls(criterion: &mut Criterion) {
    let (cloud, id, secret, [key, pair]) = cloud();
    let encrypt = format!(r#"{{"KeyId":"{key}","Plaintext":"{}"}}"#, plaintext());
    let sign = format!(r#"{{"KeyId":"{pair}","Message":"AAAA","SigningAlgorithm":"ECDSA_SHA_256"}}"#);
    let requests = [
        (
            "GetCallerIdentity",
            "sts",
            None,
            "Action=GetCallerIdentity&Version=2011-06-15",
        ),
        (
            "GetUser",
            "iam",
            None,
            "Action=GetUser&UserName=admin&Version=2010-05-08",
        ),
        (
            "Encrypt 1 KiB",
            "kms",
            Some("TrentService.Encrypt"),
            encrypt.as_str(),
        ),
        ("Sign P-256", "kms", Some("TrentService.Sign"), sign.as_str()),
    ];
    for (name, service, target, body) in requests {
        let request = Signed::new(&id, &secret, service, target, body);
        assert_eq!(cloud.serve(request.incoming()).status, 200, "{name}");
        criterion.bench_function(&format!("call/{name}"), |bencher| {
            bencher.iter(|| cloud.serve(request.incoming()).status);
        });
    }
}

criterion_group!(benches, authenticate, codecs, calls);
criterion_main!(benches);
