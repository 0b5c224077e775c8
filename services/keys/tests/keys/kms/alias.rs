//! Aliases.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, allow, arn, id};

/// S8.53, S8.54, S8.55: rotating by hand is a new key and an alias that is pointed to it; the old key still decrypts.
#[test]
fn an_alias_is_pointed_to_the_next_key() {
    let here = Here::new();
    let (root, old, new) = (here.root(), here.key(), here.key());
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/orders", "TargetKeyId": old }),
    );
    let before = here.encrypt(&root, "alias/orders", b"old").unwrap();
    here.ok(
        "UpdateAlias",
        json!({ "AliasName": "alias/orders", "TargetKeyId": new }),
    );
    let shown = here.ok("DescribeKey", json!({ "KeyId": "alias/orders" }));
    assert_eq!(arn(&shown), new);
    let after = here.ok("Encrypt", json!({ "KeyId": "alias/orders", "Plaintext": "bmV3" }));
    assert_eq!(after["KeyId"], json!(new));
    assert_eq!(here.decrypt(&root, &before).unwrap(), b"old");
    let of = |key: &str| {
        here.ok("ListAliases", json!({ "KeyId": key }))["Aliases"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((of(&old), of(&new)), (0, 1));
}

#[test]
fn aliases_are_listed_and_deleted() {
    let here = Here::new();
    let (key, other) = (here.key(), here.key());
    for name in ["alias/a", "alias/b", "alias/c"] {
        here.ok(
            "CreateAlias",
            json!({ "AliasName": name, "TargetKeyId": id(&key) }),
        );
    }
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/x", "TargetKeyId": other }),
    );
    let names = |answer: &Value| -> Vec<String> {
        let aliases = answer["Aliases"].as_array().unwrap();
        aliases
            .iter()
            .map(|alias| alias["AliasName"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = here.ok("ListAliases", json!({ "KeyId": key, "Limit": 2 }));
    assert_eq!(names(&first), ["alias/a", "alias/b"]);
    let second = here.ok(
        "ListAliases",
        json!({ "KeyId": key, "Limit": 2, "Marker": first["NextMarker"] }),
    );
    assert_eq!(
        (names(&second), &second["Truncated"]),
        (vec!["alias/c".to_owned()], &json!(false))
    );
    let all = here.ok("ListAliases", json!({}));
    assert_eq!(names(&all), ["alias/a", "alias/b", "alias/c", "alias/x"]);
    assert_eq!(
        all["Aliases"][0]["AliasArn"],
        json!(format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/a"))
    );
    assert_eq!(all["Aliases"][0]["TargetKeyId"], json!(id(&key)));
    here.ok("DeleteAlias", json!({ "AliasName": "alias/b" }));
    assert_eq!(
        names(&here.ok("ListAliases", json!({ "KeyId": key }))),
        ["alias/a", "alias/c"]
    );
    assert_eq!(
        here.refused(&here.root(), "DeleteAlias", json!({ "AliasName": "alias/b" }))
            .0,
        "NotFoundException"
    );
}

#[test]
fn names_of_aliases_have_rules() {
    let here = Here::new();
    let root = here.root();
    let key = here.key();
    let create = |name: &str| {
        here.refused(
            &root,
            "CreateAlias",
            json!({ "AliasName": name, "TargetKeyId": key }),
        )
    };
    assert!(
        create("orders")
            .1
            .starts_with("Alias must start with the prefix \"alias/\".")
    );
    assert_eq!(create("alias/aws/s3").0, "NotAuthorizedException");
    assert_eq!(create("alias/a:b").0, "ValidationException");
    assert_eq!(create("alias/").0, "ValidationException");
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/a", "TargetKeyId": key }),
    );
    let message = format!("An alias with the name arn:aws:kms:{REGION}:{ACCOUNT}:alias/a already exists");
    assert_eq!(create("alias/a"), ("AlreadyExistsException".to_owned(), message));
    let mac = arn(&here.ok(
        "CreateKey",
        json!({ "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC" }),
    ));
    let other = json!({ "AliasName": "alias/a", "TargetKeyId": mac });
    assert_eq!(here.refused(&root, "UpdateAlias", other).0, "ValidationException");
}

#[test]
fn an_alias_takes_permission_for_name_and_key() {
    let here = Here::new();
    let alias = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/a");
    let both = here.user(
        ACCOUNT,
        "both",
        &json!([{ "Effect": "Allow", "Action": "kms:*Alias", "Resource": alias }]),
    );
    let half = here.user(ACCOUNT, "half", &json!([]));
    let key = here.key_with(&[
        allow(&both, &["kms:CreateAlias", "kms:DeleteAlias"]),
        allow(&half, &["kms:CreateAlias"]),
    ]);
    let input = json!({ "AliasName": "alias/a", "TargetKeyId": key });
    assert!(here.denied(&half, "CreateAlias", input.clone()));
    let closed = here.key();
    assert!(here.denied(
        &both,
        "CreateAlias",
        json!({ "AliasName": "alias/a", "TargetKeyId": closed })
    ));
    assert!(!here.denied(&both, "CreateAlias", input));
    assert!(here.denied(
        &both,
        "UpdateAlias",
        json!({ "AliasName": "alias/a", "TargetKeyId": closed })
    ));
    assert!(!here.denied(&both, "DeleteAlias", json!({ "AliasName": "alias/a" })));
}
