//! Resource policies, and services that invoke.

use std::sync::atomic::{AtomicBool, Ordering};

use pipeline::testing::ACCOUNT;
use pipeline::{Access, AccountScope, Authorized, Call, Endpoint, Found, Look, Operation, Result};
use serde_json::{Value, json};
use wire::Document;
use wire::typed::Empty;

use crate::scene::{Scene, arn};

#[test]
fn a_statement_is_added_once_and_guarded() {
    let scene = Scene::new();
    scene.function("open", &json!({}));
    let add = json!({
        "FunctionName": "open", "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::bucket", "SourceAccount": ACCOUNT,
    });
    let made = scene.lambda("AddPermission", add.clone());
    let statement: Value = serde_json::from_str(made["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(
        statement["Condition"],
        json!({
            "StringEquals": { "AWS:SourceAccount": ACCOUNT }, "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::bucket" },
        })
    );
    assert_eq!(
        scene.refused("AddPermission", add.clone()).code,
        "ResourceConflictException"
    );
    let revision = scene.lambda("GetPolicy", json!({ "FunctionName": "open" }))["RevisionId"].clone();
    let mut second = add.clone();
    second["StatementId"] = json!("t");
    second["RevisionId"] = revision;
    scene.lambda("AddPermission", second.clone());
    second["StatementId"] = json!("u");
    assert_eq!(
        scene.refused("AddPermission", second).code,
        "PreconditionFailedException"
    );
    for (member, value) in [
        ("Principal", json!("nobody")),
        ("Principal", json!(format!("arn:aws:iam::{ACCOUNT}:user/nobody"))),
        ("Action", json!("lambda:NoSuchAction")),
        ("Qualifier", json!("$LATEST")),
    ] {
        let mut wrong = add.clone();
        wrong["StatementId"] = json!("w");
        wrong[member] = value;
        assert_eq!(
            scene.refused("AddPermission", wrong).code,
            "InvalidParameterValueException",
            "{member}"
        );
    }
    assert_eq!(
        scene
            .refused(
                "RemovePermission",
                json!({ "FunctionName": "open", "StatementId": "x" })
            )
            .message,
        "Statement x is not found in resource policy."
    );
}

/// An operation of a service that invokes the function `asked`, for the resource of its own that the test sets.
pub(crate) struct GetRandomPassword;

static RIGHT: AtomicBool = AtomicBool::new(true);
const CAUSE: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:mine-AAAAAA";

impl Operation for GetRandomPassword {
    type Input = Empty;
    type Output = Document;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("secretsmanager:GetRandomPassword");

    fn target(look: &mut Look<'_>, _input: &Empty) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Empty) -> Result<Document> {
        let cause = if RIGHT.load(Ordering::Relaxed) {
            CAUSE
        } else {
            "arn:aws:secretsmanager:eu-central-1:444455556666:secret:x"
        };
        let input = Document::Structure(vec![
            ("FunctionName", Document::String("asked".to_owned())),
            ("Payload", Document::Blob(b"{\"Step\":\"createSecret\"}".to_vec())),
        ]);
        let by = "secretsmanager.amazonaws.com";
        let answer = call.invoke_as_service(by, Some(cause), "lambda", "Invoke", input)?;
        assert!(
            matches!(answer.member("Payload"), Some(Document::Blob(bytes)) if bytes.starts_with(b"{\"Step\""))
        );
        Ok(Document::empty())
    }
}

pub(crate) static ASKING: &[Endpoint] = &[Endpoint::of::<GetRandomPassword>(
    "secretsmanager",
    "GetRandomPassword",
)];

/// S36.3: a service invokes as itself, and the resource policy sees for which resource it acts.
#[test]
fn a_service_invokes_as_itself_and_for_its_own_resource() {
    let scene = Scene::with(ASKING);
    scene.function("asked", &json!({}));
    let ask = || {
        scene
            .cloud
            .call(&scene.root, "secretsmanager", "GetRandomPassword", json!({}))
    };
    RIGHT.store(true, Ordering::Relaxed);
    assert_eq!(ask().unwrap_err().code, "AccessDeniedException");
    scene.lambda(
        "AddPermission",
        json!({
            "FunctionName": "asked", "StatementId": "s", "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com", "SourceArn": CAUSE, "SourceAccount": ACCOUNT,
        }),
    );
    ask().unwrap();
    RIGHT.store(false, Ordering::Relaxed);
    assert_eq!(ask().unwrap_err().code, "AccessDeniedException");
    let seen = scene.seen();
    assert_eq!((seen.len(), seen[0].invoked.clone()), (1, arn("asked")));
    let records = scene.cloud.records(ACCOUNT, pipeline::testing::REGION);
    let invoked = records
        .iter()
        .find(|record| record.operation == "Invoke" && record.error.is_none())
        .unwrap();
    assert_eq!(
        invoked.caller.invoked_by.as_deref(),
        Some("secretsmanager.amazonaws.com")
    );
    assert!(
        invoked.data
            && invoked
                .request
                .as_ref()
                .is_none_or(|request| !request.to_string().contains("Step"))
    );
}
