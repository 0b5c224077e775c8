//! AWS managed keys, by a service that encrypts for its caller.

use keys::kms::managed::aws_managed;
use pipeline::testing::{ACCOUNT, REGION};
use pipeline::{Access, AccountScope, Authorized, Call, Endpoint, Found, Look, Operation, Result};
use serde_json::{Value, json};
use wire::Document;
use wire::typed::Empty;

use crate::cloud::Here;

const DAY: i64 = 86_400_000;

/// Encrypts a few bytes for its caller under the account's key for the service.
struct Encrypts;

impl Operation for Encrypts {
    type Input = Empty;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("athena:ListWorkGroups");

    fn target(look: &mut Look<'_>, _input: &Empty) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Empty) -> Result<Empty> {
        let key = aws_managed(call, "athena")?;
        let input = vec![
            ("KeyId", Document::String(key)),
            ("Plaintext", Document::Blob(vec![7; 4])),
        ];
        call.invoke(
            "athena.amazonaws.com",
            "kms",
            "Encrypt",
            Document::Structure(input),
        )?;
        Ok(Empty)
    }
}

static ENDPOINTS: &[Endpoint] = &[Endpoint::of::<Encrypts>("athena", "ListWorkGroups")];

/// The key's metadata, once there is one.
fn found(here: &Here) -> Option<Value> {
    let input = json!({ "KeyId": "alias/aws/athena" });
    let shown = here.call(&here.root(), "DescribeKey", input).ok()?;
    Some(shown["KeyMetadata"].clone())
}

/// S8.13, S8.14: made when the service first encrypts; used by those who may use the service, through it and not otherwise.
#[test]
fn the_first_use_by_a_service_makes_its_key() {
    let here = Here::with(ENDPOINTS);
    assert!(found(&here).is_none());
    let may = json!([
        { "Effect": "Allow", "Action": ["athena:*", "kms:Encrypt"], "Resource": "*" },
    ]);
    let ann = here.user(ACCOUNT, "ann", &may);
    let work = || here.cloud.call(&ann, "athena", "ListWorkGroups", json!({}));
    work().unwrap();
    let key = found(&here).unwrap();
    assert_eq!(
        (&key["KeyManager"], &key["KeyState"]),
        (&json!("AWS"), &json!("Enabled"))
    );
    work().unwrap();
    assert_eq!(found(&here).unwrap()["KeyId"], key["KeyId"]);
    let direct = here.encrypt(&ann, key["Arn"].as_str().unwrap(), b"text");
    assert_eq!(direct.unwrap_err().code, "AccessDeniedException");
    let named = json!({ "KeyId": key["KeyId"] });
    for operation in [
        "DisableKey",
        "ScheduleKeyDeletion",
        "DisableKeyRotation",
        "RotateKeyOnDemand",
    ] {
        assert!(here.denied(&here.root(), operation, named.clone()), "{operation}");
    }
}

/// S8.52 as it is today: every year, and nobody can change it.
#[test]
fn it_rotates_every_year() {
    let here = Here::with(ENDPOINTS);
    here.cloud
        .call(&here.root(), "athena", "ListWorkGroups", json!({}))
        .unwrap();
    let key = found(&here).unwrap();
    here.cloud.advance(2 * 365 * DAY);
    let again = found(&here).unwrap();
    assert_ne!(again["CurrentKeyMaterialId"], key["CurrentKeyMaterialId"]);
    let listed = here.ok("ListKeyRotations", json!({ "KeyId": key["KeyId"] }));
    assert_eq!(listed["Rotations"].as_array().unwrap().len(), 2);
    let rotated = here.cloud.records(ACCOUNT, REGION).into_iter();
    let rotated: Vec<_> = rotated.filter(|record| record.operation == "RotateKey").collect();
    assert_eq!(
        rotated[1].additional["currentKeyMaterialId"],
        again["CurrentKeyMaterialId"]
    );
}
