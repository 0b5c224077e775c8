//! Virtual MFA devices and what their codes are good for, through the pipeline.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{Secret, totp};
use pipeline::testing::{ACCOUNT, BEGINNING, Caller};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, code, document};
use crate::sessions::{ana_arn, assume, caller_of, grant, role, sts};

const STEP: i64 = 30_000;

/// A device as an app has it.
pub(crate) struct App {
    serial: String,
    seed: Secret,
}

impl App {
    pub(crate) fn new(scene: &Scene, name: &str) -> Self {
        let made = scene.root("CreateVirtualMFADevice", json!({"VirtualMFADeviceName": name}));
        Self::of(&made["VirtualMFADevice"])
    }

    fn of(device: &Value) -> Self {
        let text = STANDARD
            .decode(device["Base32StringSeed"].as_str().unwrap())
            .unwrap();
        Self {
            serial: device["SerialNumber"].as_str().unwrap().to_owned(),
            seed: Secret::from(unbase32(&String::from_utf8(text).unwrap())),
        }
    }

    /// The code of a step, counted from when the cloud began.
    pub(crate) fn code(&self, step: i64) -> String {
        totp::code(&self.seed, totp::step(BEGINNING / 1000) + step)
    }

    pub(crate) fn enabling(&self, user: &str, steps: [i64; 2]) -> Value {
        json!({"UserName": user, "SerialNumber": self.serial,
            "AuthenticationCode1": self.code(steps[0]), "AuthenticationCode2": self.code(steps[1])})
    }

    pub(crate) fn shown(&self, code: &str) -> Value {
        json!({"SerialNumber": self.serial, "TokenCode": code})
    }
}

fn unbase32(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'2'..=b'7' => letter - b'2' + 26,
            _ => panic!("{text} is not Base32"),
        };
        bits = bits << 5 | u32::from(digit);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).unwrap());
        }
    }
    bytes
}

fn summary(scene: &Scene, name: &str) -> i64 {
    scene.root("GetAccountSummary", json!({}))["SummaryMap"][name]
        .as_i64()
        .unwrap()
}

/// A user with a device that took the codes of the steps -1 and 0.
fn enabled(scene: &Scene) -> (Caller, App) {
    let ana = scene.user("ana");
    let app = App::new(scene, "ana");
    scene.root("EnableMFADevice", app.enabling("ana", [-1, 0]));
    (ana, app)
}

/// S5.2: a device is made with a seed and a picture of it, which no later answer and no record shows.
#[test]
fn a_device_shows_its_seed_once() {
    let scene = Scene::new();
    let tags = json!([{"Key": "team", "Value": "red"}]);
    let input = json!({"VirtualMFADeviceName": "ana@phone", "Path": "/apps/", "Tags": tags});
    let made = scene.root("CreateVirtualMFADevice", input)["VirtualMFADevice"].clone();
    let app = App::of(&made);
    assert_eq!(app.serial, format!("arn:aws:iam::{ACCOUNT}:mfa/apps/ana@phone"));
    assert_eq!((app.seed.len(), &made["Tags"]), (40, &tags));
    let picture = STANDARD.decode(made["QRCodePNG"].as_str().unwrap()).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    let seed = made["Base32StringSeed"].as_str().unwrap();
    let plain = String::from_utf8(STANDARD.decode(seed).unwrap()).unwrap();
    let listed = scene.root("ListVirtualMFADevices", json!({}));
    assert_eq!(listed["VirtualMFADevices"], json!([{"SerialNumber": app.serial}]));
    for record in scene.cloud.records(ACCOUNT, "us-east-1") {
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains(seed) && !text.contains(&plain), "{text}");
    }
    let again = json!({"VirtualMFADeviceName": "Ana@phone", "Path": "/apps/"});
    assert_eq!(
        code(&scene, "CreateVirtualMFADevice", again),
        "EntityAlreadyExists"
    );
    scene.root(
        "UntagMFADevice",
        json!({"SerialNumber": app.serial, "TagKeys": ["team"]}),
    );
    scene.root(
        "TagMFADevice",
        json!({"SerialNumber": app.serial, "Tags": [{"Key": "a", "Value": "b"}]}),
    );
    assert_eq!(
        scene.root("ListMFADeviceTags", json!({"SerialNumber": app.serial}))["Tags"],
        json!([{"Key": "a", "Value": "b"}])
    );
    scene.root("DeleteVirtualMFADevice", json!({"SerialNumber": app.serial}));
    assert_eq!(
        code(
            &scene,
            "DeleteVirtualMFADevice",
            json!({"SerialNumber": app.serial})
        ),
        "NoSuchEntity"
    );
    assert_eq!(summary(&scene, "MFADevices"), 0);
}

/// S5.2, S5.3: two codes in a row, of now, give a device to its user; nothing else does.
#[test]
fn a_device_is_enabled_by_two_codes_in_a_row() {
    let scene = Scene::new();
    scene.user("ana");
    let app = App::new(&scene, "ana");
    for steps in [[0, 0], [1, 0], [-2, 0], [-3, -2], [2, 3], [0, 2]] {
        let failure = scene.refused("EnableMFADevice", app.enabling("ana", steps));
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            (
                "InvalidAuthenticationCode",
                "Authentication code for device is not valid."
            ),
            "{steps:?}"
        );
    }
    assert_eq!(
        scene.root("ListMFADevices", json!({"UserName": "ana"}))["MFADevices"],
        json!([])
    );
    let unassigned = json!({"AssignmentStatus": "Unassigned"});
    let count = |input: &Value| {
        let listed = scene.root("ListVirtualMFADevices", input.clone());
        listed["VirtualMFADevices"].as_array().unwrap().len()
    };
    assert_eq!(count(&unassigned), 1);
    scene.root("EnableMFADevice", app.enabling("ana", [0, 1]));
    assert_eq!(
        (
            count(&unassigned),
            count(&json!({"AssignmentStatus": "Assigned"}))
        ),
        (0, 1)
    );
    let listed = scene.root("ListVirtualMFADevices", json!({}));
    assert_eq!(listed["VirtualMFADevices"][0]["User"]["UserName"], "ana");
    let named = json!({"UserName": "ana", "SerialNumber": app.serial});
    assert_eq!(scene.root("GetMFADevice", named.clone())["UserName"], "ana");
    assert_eq!(
        (summary(&scene, "MFADevices"), summary(&scene, "MFADevicesInUse")),
        (1, 1)
    );
    // It has an owner now, who cannot be deleted, nor can it.
    scene.user("bob");
    assert_eq!(
        code(&scene, "EnableMFADevice", app.enabling("bob", [0, 1])),
        "EntityAlreadyExists"
    );
    assert_eq!(
        code(
            &scene,
            "DeleteVirtualMFADevice",
            json!({"SerialNumber": app.serial})
        ),
        "DeleteConflict"
    );
    let failure = scene.refused("DeleteUser", json!({"UserName": "ana"}));
    assert_eq!(
        failure.message,
        "Cannot delete entity, must delete MFA device first."
    );
    scene.root("UpdateUser", json!({"UserName": "ana", "NewUserName": "anna"}));
    assert_eq!(
        scene.root("ListMFADevices", json!({"UserName": "anna"}))["MFADevices"][0]["UserName"],
        "anna"
    );
    let named = json!({"UserName": "anna", "SerialNumber": app.serial});
    scene.root("DeactivateMFADevice", named.clone());
    assert_eq!(code(&scene, "DeactivateMFADevice", named), "NoSuchEntity");
    assert_eq!((count(&unassigned), summary(&scene, "MFADevicesInUse")), (1, 0));
}

/// S5.4: a user has eight devices at most.
#[test]
fn a_user_has_several_devices() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let apps: Vec<App> = (0..9)
        .map(|number| App::new(&scene, &format!("d{number}")))
        .collect();
    for app in &apps[..8] {
        scene.root("EnableMFADevice", app.enabling("ana", [-1, 0]));
    }
    assert_eq!(
        code(&scene, "EnableMFADevice", apps[8].enabling("ana", [-1, 0])),
        "LimitExceeded"
    );
    let listed = scene.root("ListMFADevices", json!({"UserName": "ana", "MaxItems": 5}));
    assert_eq!(
        (
            listed["MFADevices"].as_array().unwrap().len(),
            &listed["IsTruncated"]
        ),
        (5, &json!(true))
    );
    for app in [&apps[0], &apps[7]] {
        assert!(sts(&scene, &ana, "GetSessionToken", app.shown(&app.code(1))).is_ok());
    }
}

/// S5.1, S5.3: a session is marked by a code of now, which is good once, and conditions see it.
#[test]
fn a_code_marks_a_session_once() {
    let scene = Scene::new();
    let (ana, app) = enabled(&scene);
    let guarded = json!({"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*", "Condition": {
        "Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}});
    grant(&scene, "ana", &document(&guarded));
    let token = |code: &str| sts(&scene, &ana, "GetSessionToken", app.shown(code));
    // A key alone, or a session without a code, is not enough.
    assert_eq!(
        scene.call(&ana, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let plain = caller_of(&scene, &sts(&scene, &ana, "GetSessionToken", json!({})).unwrap()).unwrap();
    assert_eq!(
        scene.call(&plain, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let refused = |code: &str| {
        let failure = token(code).unwrap_err();
        assert_eq!(failure.code, "AccessDenied");
        assert_eq!(
            failure.message.trim_end(),
            "MultiFactorAuthentication failed with invalid MFA one time pass code."
        );
    };
    // Those that enabled it are spent, and later ones not good yet.
    for step in [-1, 0, 2] {
        refused(&app.code(step));
    }
    let marked = caller_of(&scene, &token(&app.code(1)).unwrap()).unwrap();
    refused(&app.code(1));
    scene.call(&marked, "ListUsers", json!({})).unwrap();
    // Steps pass: one late is good, two late is not.
    scene.cloud.advance(3 * STEP);
    refused(&app.code(1));
    token(&app.code(2)).unwrap();
    refused(&app.code(2));
    scene.cloud.advance(4 * STEP);
    refused(&app.code(5));
    token(&app.code(6)).unwrap();
    token(&app.code(7)).unwrap();
    refused(&app.code(6));
    scene.cloud.advance(3_600_000);
    assert_eq!(
        scene.call(&marked, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    // No record has a code.
    let records = scene.cloud.records(ACCOUNT, "us-east-1");
    let spent = app.code(7);
    assert!(
        records
            .iter()
            .filter(|record| record.operation == "GetSessionToken")
            .all(|record| !serde_json::to_string(record)
                .unwrap()
                .contains(&format!("\"{spent}\"")))
    );
}

/// S5.1: a role that demands MFA is assumed with a code of the caller's own device alone.
#[test]
fn a_role_may_demand_a_code() {
    let scene = Scene::new();
    let (ana, app) = enabled(&scene);
    let bob = scene.user("bob");
    let theirs = json!([ana_arn(), format!("arn:aws:iam::{ACCOUNT}:user/bob")]);
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": theirs}, "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}});
    let arn = role(&scene, "Guarded", &document(&statement));
    assert_eq!(
        assume(&scene, &ana, &arn, json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let wrong = assume(&scene, &ana, &arn, app.shown("000000")).unwrap_err();
    assert!(
        wrong
            .message
            .starts_with("MultiFactorAuthentication failed with invalid MFA"),
        "{wrong:?}"
    );
    let half = assume(&scene, &ana, &arn, json!({"SerialNumber": app.serial})).unwrap_err();
    assert!(half.message.contains("must provide both"), "{half:?}");
    // Another's device does not speak for bob, whatever its code.
    let foreign = assume(&scene, &bob, &arn, app.shown(&app.code(1))).unwrap_err();
    assert!(
        foreign.message.contains("verify your MFA serial number"),
        "{foreign:?}"
    );
    let answer = assume(&scene, &ana, &arn, app.shown(&app.code(1))).unwrap();
    let session = caller_of(&scene, &answer).unwrap();
    assert_eq!(session.session.as_ref().unwrap().mfa, Some(BEGINNING));
    assert_eq!(
        assume(&scene, &ana, &arn, app.shown(&app.code(1)))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    // A session that showed a code carries it to the role; one that did not shows a code of its own.
    scene.cloud.advance(2 * STEP);
    grant(&scene, "ana", &allow("sts:AssumeRole"));
    let marked = sts(&scene, &ana, "GetSessionToken", app.shown(&app.code(2))).unwrap();
    let plain = sts(&scene, &ana, "GetSessionToken", json!({})).unwrap();
    assert!(assume(&scene, &caller_of(&scene, &marked).unwrap(), &arn, json!({})).is_ok());
    let plain = caller_of(&scene, &plain).unwrap();
    assert!(assume(&scene, &plain, &arn, json!({})).is_err());
    assert!(assume(&scene, &plain, &arn, app.shown(&app.code(3))).is_ok());
    let wrong = assume(&scene, &session, &arn, app.shown(&app.code(3))).unwrap_err();
    assert!(
        wrong.message.contains("verify your MFA serial number"),
        "{wrong:?}"
    );
}

/// S5.3: a device whose clock is wrong is set right by two codes, and counts on from there.
#[test]
fn a_device_is_synchronized() {
    let scene = Scene::new();
    let (ana, app) = enabled(&scene);
    let token = |step: i64| sts(&scene, &ana, "GetSessionToken", app.shown(&app.code(step)));
    assert!(token(10).is_err());
    for steps in [[-1, 0], [9, 11], [30, 31]] {
        let failure = scene.refused("ResyncMFADevice", app.enabling("ana", steps));
        assert_eq!(failure.code, "InvalidAuthenticationCode", "{steps:?}");
    }
    scene.root("ResyncMFADevice", app.enabling("ana", [9, 10]));
    assert!(token(10).is_err() && token(1).is_err());
    token(11).unwrap();
    scene.cloud.advance(5 * STEP);
    token(15).unwrap();
}

/// S5.1: the root user has devices too.
#[test]
fn root_has_a_device() {
    let scene = Scene::new();
    let app = App::new(&scene, "root-account-mfa-device");
    assert_eq!(summary(&scene, "AccountMFAEnabled"), 0);
    scene.root("EnableMFADevice", app.enabling("root", [-1, 0]));
    assert_eq!(summary(&scene, "AccountMFAEnabled"), 1);
    let listed = scene.root("ListMFADevices", json!({}))["MFADevices"].clone();
    assert_eq!(listed[0]["SerialNumber"], app.serial.as_str());
    let whose = scene.root("ListVirtualMFADevices", json!({}))["VirtualMFADevices"][0]["User"].clone();
    assert_eq!(whose["Arn"], format!("arn:aws:iam::{ACCOUNT}:root"));
    let session = sts(&scene, &scene.root, "GetSessionToken", app.shown(&app.code(1))).unwrap();
    assert!(caller_of(&scene, &session).is_ok());
    let ana = scene.user("ana");
    grant(&scene, "ana", &allow("iam:*"));
    let failure = scene
        .call(&ana, "EnableMFADevice", app.enabling("root", [1, 2]))
        .unwrap_err();
    assert_eq!(failure.code, "NoSuchEntity");
    scene.root("DeactivateMFADevice", json!({"SerialNumber": app.serial}));
    assert_eq!(summary(&scene, "AccountMFAEnabled"), 0);
}
