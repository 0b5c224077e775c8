//! Versions that go for good only with a code of the root user's device.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{Secret, totp};
use pipeline::testing::BEGINNING;
use serde_json::{Value, json};

use crate::cloud::Here;

/// Milliseconds between two codes that are both good.
const APART: i64 = 120_000;

/// The root user's device.
struct App {
    serial: String,
    seed: Secret,
    passed: std::cell::Cell<i64>,
}

impl App {
    fn enabled(here: &Here) -> Self {
        let root = here.cloud.root();
        let iam = |operation: &str, input| {
            here.cloud
                .call_in("us-east-1", &root, "iam", operation, input)
                .unwrap()
        };
        let made = iam("CreateVirtualMFADevice", json!({"VirtualMFADeviceName": "app"}));
        let device = &made["VirtualMFADevice"];
        let text = STANDARD
            .decode(device["Base32StringSeed"].as_str().unwrap())
            .unwrap();
        let app = Self {
            serial: device["SerialNumber"].as_str().unwrap().to_owned(),
            seed: Secret::from(unbase32(&text)),
            passed: std::cell::Cell::new(0),
        };
        iam(
            "EnableMFADevice",
            json!({"UserName": "root", "SerialNumber": app.serial, "AuthenticationCode1": app.code(-1), "AuthenticationCode2": app.code(0)}),
        );
        app
    }

    fn code(&self, step: i64) -> String {
        totp::code(
            &self.seed,
            totp::step((BEGINNING + self.passed.get()) / 1000) + step,
        )
    }

    /// The header with the next good code.
    fn shown(&self, here: &Here) -> String {
        here.cloud.advance(APART);
        self.passed.set(self.passed.get() + APART);
        format!("{} {}", self.serial, self.code(0))
    }
}

fn unbase32(text: &[u8]) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => continue,
        };
        bits = bits << 5 | u32::from(digit);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

fn versioning(
    here: &Here,
    status: &str,
    mfa_delete: Option<&str>,
    shown: Option<&str>,
) -> Result<Value, String> {
    let mut configuration = json!({"Status": status});
    if let Some(state) = mfa_delete {
        configuration["MfaDelete"] = json!(state);
    }
    let mut input = json!({"Bucket": "bucket", "VersioningConfiguration": configuration});
    if let Some(shown) = shown {
        input["MFA"] = json!(shown);
    }
    here.call("PutBucketVersioning", input)
        .map_err(|failure| failure.code)
}

/// S3 User Guide, "Configuring MFA delete".
#[test]
fn versions_go_for_good_with_a_code_of_the_root_users_device_alone() {
    let here = Here::with_bucket();
    let app = App::enabled(&here);
    let code = |answer: Result<Value, String>| answer.err().unwrap_or_default();
    assert_eq!(
        code(versioning(&here, "Enabled", Some("Enabled"), None)),
        "AccessDenied"
    );
    let wrong = format!("{} 000000", app.serial);
    assert_eq!(
        code(versioning(&here, "Enabled", Some("Enabled"), Some(&wrong))),
        "AccessDenied"
    );
    versioning(&here, "Enabled", Some("Enabled"), Some(&app.shown(&here))).unwrap();
    let shown = here
        .call("GetBucketVersioning", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(
        (&shown["Status"], &shown["MfaDelete"]),
        (&json!("Enabled"), &json!("Enabled"))
    );
    let rule = json!({"Rule": [{"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]});
    let lifecycle = here.on_bucket("PutBucketLifecycleConfiguration", "LifecycleConfiguration", rule);
    assert_eq!(Here::code(lifecycle), "InvalidBucketState");

    let put = |key: &str| {
        here.call("PutObject", json!({"Bucket": "bucket", "Key": key}))
            .unwrap();
        let listed = here
            .call("ListObjectVersions", json!({"Bucket": "bucket"}))
            .unwrap();
        listed["Version"][0]["VersionId"].as_str().unwrap().to_owned()
    };
    let (first, second, third) = (put("k"), put("k"), put("k"));
    let delete = |version: &str, shown: Option<&str>| {
        let mut input = json!({"Bucket": "bucket", "Key": "k", "VersionId": version});
        if let Some(shown) = shown {
            input["MFA"] = json!(shown);
        }
        Here::code(here.call("DeleteObject", input))
    };
    // A delete marker takes nothing away.
    here.call("DeleteObject", json!({"Bucket": "bucket", "Key": "k"}))
        .unwrap();
    assert_eq!(delete(&first, None), "AccessDenied");
    let good = app.shown(&here);
    assert_eq!(delete(&first, Some(&good)), "");
    // A code is good once.
    assert_eq!(delete(&second, Some(&good)), "AccessDenied");
    let many = |shown: Option<String>| {
        let objects =
            json!([{"Key": "other"}, {"Key": "k", "VersionId": second}, {"Key": "k", "VersionId": third}]);
        let mut input = json!({"Bucket": "bucket", "Delete": {"Object": objects}});
        if let Some(shown) = shown {
            input["MFA"] = json!(shown);
        }
        here.call("DeleteObjects", input)
    };
    assert_eq!(Here::code(many(None)), "AccessDenied");
    let gone = many(Some(app.shown(&here))).unwrap();
    assert_eq!(gone["Deleted"].as_array().map(Vec::len), Some(3));

    assert_eq!(code(versioning(&here, "Suspended", None, None)), "AccessDenied");
    versioning(&here, "Suspended", None, Some(&app.shown(&here))).unwrap();
    let kept = here
        .call("GetBucketVersioning", json!({"Bucket": "bucket"}))
        .unwrap();
    assert_eq!(kept["MfaDelete"], "Enabled");
    versioning(&here, "Enabled", Some("Disabled"), Some(&app.shown(&here))).unwrap();
    assert_eq!(delete(&put("k"), None), "");
}

#[test]
fn users_prove_nothing_with_devices_of_their_own() {
    let here = Here::with_bucket();
    let app = App::enabled(&here);
    let root = here.cloud.root();
    let user = here.user("user");
    let policy =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let input = json!({"UserName": "user", "PolicyName": "own", "PolicyDocument": policy.to_string()});
    here.cloud
        .call_in("us-east-1", &root, "iam", "PutUserPolicy", input)
        .unwrap();
    let ask = |shown: &str| {
        let configuration = json!({"Status": "Enabled", "MfaDelete": "Enabled"});
        let input = json!({"Bucket": "bucket", "VersioningConfiguration": configuration, "MFA": shown});
        Here::code(here.cloud.call(&user, "s3", "PutBucketVersioning", input))
    };
    assert_eq!(ask(&app.shown(&here)), "AccessDenied");
    // The code of a request that was refused is not spent: the root user enables it with the next one all the same.
    versioning(&here, "Enabled", Some("Enabled"), Some(&app.shown(&here))).unwrap();
}
