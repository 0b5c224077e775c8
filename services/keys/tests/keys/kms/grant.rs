//! Grants.

use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER, allow, arn};

fn grant(here: &Here, key: &str, to: &Caller, operations: &[&str]) -> Value {
    here.ok(
        "CreateGrant",
        json!({ "KeyId": key, "GranteePrincipal": &*to.arn, "Operations": operations }),
    )
}

/// S8.40, S8.41, S8.42, S8.45: a grant gives its grantee the operations that it names, at once, and nothing else.
#[test]
fn a_grant_gives_what_it_names() {
    let here = Here::new();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let encrypt = json!({ "KeyId": key, "Plaintext": "dGV4dA==" });
    assert!(here.denied(&ann, "Encrypt", encrypt.clone()));
    let made = grant(&here, &key, &ann, &["Encrypt", "GenerateDataKey"]);
    assert_eq!(made["GrantId"].as_str().unwrap().len(), 64);
    let mut with_token = encrypt.clone();
    with_token["GrantTokens"] = json!([made["GrantToken"]]);
    assert!(!here.denied(&ann, "Encrypt", with_token.clone()));
    assert!(!here.denied(&ann, "Encrypt", encrypt.clone()));
    assert!(here.denied(
        &ann,
        "GenerateDataKeyWithoutPlaintext",
        json!({ "KeyId": key, "KeySpec": "AES_256" })
    ));
    let bob = here.user(ACCOUNT, "bob", &json!([]));
    assert!(here.denied(&bob, "Encrypt", with_token));
    let mut forged = encrypt;
    forged["GrantTokens"] = json!(["forged"]);
    assert_eq!(
        here.refused(&ann, "Encrypt", forged).0,
        "InvalidGrantTokenException"
    );
}

/// S8.40 as it is today: grantees may be of other accounts, and need no policy of their own.
#[test]
fn a_grant_reaches_other_accounts() {
    let here = Here::new();
    let key = here.key();
    let eve = here.user(OTHER, "eve", &json!([]));
    assert!(here.denied(&eve, "Encrypt", json!({ "KeyId": key, "Plaintext": "dGV4dA==" })));
    grant(&here, &key, &eve, &["Encrypt"]);
    assert!(!here.denied(&eve, "Encrypt", json!({ "KeyId": key, "Plaintext": "dGV4dA==" })));
}

#[test]
fn a_constraint_binds_a_grant_to_a_context() {
    let here = Here::new();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let bob = here.user(ACCOUNT, "bob", &json!([]));
    for (to, constraint) in [
        (&ann, "EncryptionContextSubset"),
        (&bob, "EncryptionContextEquals"),
    ] {
        here.ok("CreateGrant", json!({
            "KeyId": key, "GranteePrincipal": &*to.arn, "Operations": ["Encrypt"], "Constraints": { constraint: { "tenant": "blue" } },
        }));
    }
    let with = |caller: &Caller, context: Value| {
        !here.denied(
            caller,
            "Encrypt",
            json!({ "KeyId": key, "Plaintext": "dGV4dA==", "EncryptionContext": context }),
        )
    };
    assert!(with(&ann, json!({ "tenant": "blue", "x": "y" })) && with(&ann, json!({ "tenant": "blue" })));
    assert!(with(&bob, json!({ "tenant": "blue" })) && !with(&bob, json!({ "tenant": "blue", "x": "y" })));
    assert!(!with(&ann, json!({ "tenant": "red" })) && !with(&ann, json!({})) && !with(&bob, json!({})));
}

#[test]
fn a_grant_ends_when_revoked_or_retired() {
    let here = Here::new();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let bob = here.user(ACCOUNT, "bob", &json!([]));
    let input = json!({ "KeyId": key, "Plaintext": "dGV4dA==" });
    let made = grant(&here, &key, &ann, &["Encrypt"]);
    let by_id = json!({ "KeyId": key, "GrantId": made["GrantId"] });
    assert!(here.denied(&ann, "RevokeGrant", by_id.clone()));
    here.ok("RevokeGrant", by_id.clone());
    assert!(here.denied(&ann, "Encrypt", input.clone()));
    assert_eq!(
        here.refused(&here.root(), "RevokeGrant", by_id).0,
        "InvalidGrantIdException"
    );

    let made = here.ok("CreateGrant", json!({
        "KeyId": key, "GranteePrincipal": &*ann.arn, "RetiringPrincipal": &*bob.arn, "Operations": ["Encrypt"],
    }));
    let by_token = json!({ "GrantToken": made["GrantToken"] });
    assert!(here.denied(&ann, "RetireGrant", by_token.clone()));
    let retirable = here.ok("ListRetirableGrants", json!({ "RetiringPrincipal": &*bob.arn }));
    assert_eq!(retirable["Grants"][0]["GrantId"], made["GrantId"]);
    here.call(&bob, "RetireGrant", by_token.clone()).unwrap();
    assert!(here.denied(&ann, "Encrypt", input.clone()));
    assert_eq!(
        here.refused(&bob, "RetireGrant", by_token).0,
        "InvalidGrantTokenException"
    );
    assert_eq!(
        here.ok("ListRetirableGrants", json!({ "RetiringPrincipal": &*bob.arn }))["Grants"],
        json!([])
    );

    let made = grant(&here, &key, &ann, &["Encrypt", "RetireGrant"]);
    assert!(here.encrypt(&ann, &key, b"x").is_ok());
    here.call(
        &ann,
        "RetireGrant",
        json!({ "KeyId": key, "GrantId": made["GrantId"] }),
    )
    .unwrap();
    assert!(here.denied(&ann, "Encrypt", input));
}

#[test]
fn grants_are_listed() {
    let here = Here::new();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let bob = here.user(ACCOUNT, "bob", &json!([]));
    for operations in [&["Encrypt"][..], &["Decrypt"], &["DescribeKey"]] {
        grant(&here, &key, &ann, operations);
    }
    let last = here.ok(
        "CreateGrant",
        json!({
            "KeyId": key, "GranteePrincipal": &*bob.arn, "Operations": ["Decrypt"], "Name": "n",
            "Constraints": { "EncryptionContextEquals": { "a": "b" } },
        }),
    );
    let only = here.ok(
        "ListGrants",
        json!({ "KeyId": key, "GranteePrincipal": &*bob.arn }),
    );
    assert_eq!(
        only["Grants"],
        json!([{
            "KeyId": key, "GrantId": last["GrantId"], "Name": "n", "CreationDate": only["Grants"][0]["CreationDate"],
            "GranteePrincipal": &*bob.arn, "IssuingAccount": format!("arn:aws:iam::{ACCOUNT}:root"), "Operations": ["Decrypt"],
            "Constraints": { "EncryptionContextEquals": { "a": "b" } },
        }])
    );
    let first = here.ok("ListGrants", json!({ "KeyId": key, "Limit": 3 }));
    let second = here.ok(
        "ListGrants",
        json!({ "KeyId": key, "Limit": 3, "Marker": first["NextMarker"] }),
    );
    assert_eq!(
        (
            first["Grants"].as_array().unwrap().len(),
            second["Grants"].as_array().unwrap().len()
        ),
        (3, 1)
    );
    let again = json!({
        "KeyId": key, "GranteePrincipal": &*bob.arn, "Operations": ["Decrypt"], "Name": "n",
        "Constraints": { "EncryptionContextEquals": { "a": "b" } },
    });
    assert_eq!(here.ok("CreateGrant", again)["GrantId"], last["GrantId"]);
}

#[test]
fn a_grant_names_only_what_fits() {
    let here = Here::new();
    let root = here.root();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    for grantee in [
        format!("arn:aws:iam::{ACCOUNT}:group/g"),
        format!("arn:aws:iam::{ACCOUNT}:user/nobody"),
        "999999999999".to_owned(),
    ] {
        let input = json!({ "KeyId": key, "GranteePrincipal": grantee, "Operations": ["Encrypt"] });
        assert_eq!(
            here.refused(&root, "CreateGrant", input).0,
            "InvalidArnException",
            "{grantee}"
        );
    }
    let mac = json!({ "KeyId": key, "GranteePrincipal": &*ann.arn, "Operations": ["GenerateMac"] });
    assert_eq!(here.refused(&root, "CreateGrant", mac).0, "ValidationException");
    let hmac = arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" }),
    ));
    grant(&here, &hmac, &ann, &["GenerateMac"]);
    assert!(!here.denied(
        &ann,
        "GenerateMac",
        json!({ "KeyId": hmac, "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256" })
    ));
    assert!(here.denied(
        &ann,
        "VerifyMac",
        json!({ "KeyId": hmac, "Message": "aGk=", "MacAlgorithm": "HMAC_SHA_256", "Mac": "aGk=" })
    ));
}

#[test]
fn a_grantee_passes_on_no_more_than_he_has() {
    let here = Here::new();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let bob = here.user(ACCOUNT, "bob", &json!([]));
    here.ok(
        "CreateGrant",
        json!({
            "KeyId": key, "GranteePrincipal": &*ann.arn, "Operations": ["Encrypt", "CreateGrant"],
            "Constraints": { "EncryptionContextSubset": { "tenant": "blue" } },
        }),
    );
    let pass = |operations: &[&str], constraints: Value| json!({ "KeyId": key, "GranteePrincipal": &*bob.arn, "Operations": operations, "Constraints": constraints });
    let blue = json!({ "EncryptionContextEquals": { "tenant": "blue" } });
    assert!(here.denied(&ann, "CreateGrant", pass(&["Encrypt"], json!({}))));
    assert!(here.denied(&ann, "CreateGrant", pass(&["Decrypt"], blue.clone())));
    assert!(!here.denied(&ann, "CreateGrant", pass(&["Encrypt"], blue)));
    let carl = here.user(ACCOUNT, "carl", &json!([]));
    let open = here.key_with(&[allow(&carl, &["kms:CreateGrant"])]);
    let input = json!({ "KeyId": open, "GranteePrincipal": &*bob.arn, "Operations": ["Decrypt"] });
    assert!(!here.denied(&carl, "CreateGrant", input));
}

/// A caller's grant counts among many of others, and the record of the call names only those that concern the caller.
#[test]
fn grants_of_others_neither_help_nor_swell_the_record() {
    let here = Here::new();
    let key = here.key();
    let (ann, eve) = (
        here.user(ACCOUNT, "ann", &json!([])),
        here.user(ACCOUNT, "eve", &json!([])),
    );
    for number in 0..40 {
        let other = here.user(ACCOUNT, &format!("user{number}"), &json!([]));
        grant(&here, &key, &other, &["Encrypt"]);
    }
    let made = grant(&here, &key, &ann, &["Encrypt"]);
    assert!(here.encrypt(&ann, &key, b"x").is_ok());
    assert!(here.denied(&eve, "Encrypt", json!({ "KeyId": key, "Plaintext": "eA==" })));
    let records = here.cloud.records(ACCOUNT, pipeline::testing::REGION);
    let record = records
        .iter()
        .find(|record| record.operation == "Encrypt")
        .unwrap();
    let named: Vec<_> = record.judgements[0]
        .grants
        .iter()
        .map(|grant| grant["id"].clone())
        .collect();
    assert_eq!(named, [made["GrantId"].clone()]);
    let account = json!({ "KeyId": key, "GranteePrincipal": ACCOUNT, "Operations": ["DescribeKey"] });
    here.ok("CreateGrant", account);
    let bob = here.admin(ACCOUNT, "bob");
    assert!(!here.denied(&bob, "DescribeKey", json!({ "KeyId": key })));
}

/// Every grant is part of every decision about its key, so none may be larger than what it gives.
#[test]
fn an_operation_that_is_named_again_is_kept_once() {
    let here = Here::new();
    let key = here.key();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    grant(&here, &key, &ann, &["Decrypt", "Encrypt", "Decrypt", "Decrypt"]);
    let listed = here.ok("ListGrants", json!({ "KeyId": key }));
    assert_eq!(listed["Grants"][0]["Operations"], json!(["Decrypt", "Encrypt"]));
}

/// What the KMS Developer Guide says of constraints ("Using grant constraints") and of grants to services.
#[test]
fn constraints_are_bounded() {
    let here = Here::new();
    let key = here.key();
    let wanted = |constraints: Value| {
        json!({ "KeyId": key, "GranteePrincipal": format!("arn:aws:iam::{ACCOUNT}:root"), "Operations": ["Decrypt"],
            "Constraints": constraints })
    };
    let pairs = |count: usize| {
        let pairs = (0..count).map(|number| (format!("k{number}"), json!("v")));
        Value::Object(pairs.collect())
    };
    for wrong in [
        json!({ "EncryptionContextEquals": { "a": "b" }, "EncryptionContextSubset": { "a": "b" } }),
        json!({ "EncryptionContextEquals": pairs(9) }),
        json!({ "EncryptionContextSubset": { "a": "v".repeat(385) } }),
    ] {
        let refused = here.refused(&here.root(), "CreateGrant", wanted(wrong.clone()));
        assert_eq!(refused.0, "ValidationException", "{wrong}");
    }
    let source = format!("arn:aws:s3:{REGION}:{ACCOUNT}:thing/a");
    for right in [
        json!({ "EncryptionContextEquals": pairs(8), "SourceArn": source }),
        json!({ "EncryptionContextSubset": { "a": "v".repeat(384) } }),
        json!({ "EncryptionContextEquals": {}, "EncryptionContextSubset": { "a": "b" } }),
    ] {
        here.ok("CreateGrant", wanted(right));
    }
    let service = |constraints: Value, retiring: bool| {
        let mut input = json!({ "KeyId": key, "GranteeServicePrincipal": "s3.amazonaws.com", "Operations": ["Decrypt"],
            "Constraints": constraints });
        if retiring {
            input["RetiringServicePrincipal"] = json!("s3.amazonaws.com");
        }
        input
    };
    for wrong in [
        service(json!({}), true),
        service(json!({ "SourceArn": source }), false),
    ] {
        let refused = here.refused(&here.root(), "CreateGrant", wrong.clone());
        assert_eq!(refused.0, "ValidationException", "{wrong}");
    }
    here.ok("CreateGrant", service(json!({ "SourceArn": source }), true));
}

/// A list is about one principal, however it is named.
#[test]
fn lists_name_one_principal() {
    let here = Here::new();
    let key = here.key();
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let both =
        json!({ "KeyId": key, "GranteePrincipal": root, "GranteeServicePrincipal": "s3.amazonaws.com" });
    let retirable = json!({ "RetiringPrincipal": root, "RetiringServicePrincipal": "s3.amazonaws.com" });
    for (operation, input) in [("ListGrants", both), ("ListRetirableGrants", retirable)] {
        let refused = here.refused(&here.root(), operation, input);
        assert_eq!(refused.0, "ValidationException", "{operation}");
    }
}
