//! Secrets of Secrets Manager, read through Parameter Store.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::Here;
use crate::ssm::{call, ok, refused};

const NAME: &str = "/aws/reference/secretsmanager/team/db";

fn secret(here: &Here, operation: &str, input: Value) -> Value {
    let answer = here.cloud.call(&here.root(), "secretsmanager", operation, input);
    answer.unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
}

fn id(name: &str) -> String {
    format!("{name:0>32}")
}

/// A cloud with the secret `team/db` of two versions.
fn filled() -> (Here, String) {
    let here = Here::new();
    let made =
        json!({ "Name": "team/db", "SecretString": "first-of-the-test", "ClientRequestToken": id("1") });
    let arn = secret(&here, "CreateSecret", made)["ARN"]
        .as_str()
        .unwrap()
        .to_owned();
    let next =
        json!({ "SecretId": "team/db", "SecretString": "second-of-the-test", "ClientRequestToken": id("2") });
    secret(&here, "PutSecretValue", next);
    (here, arn)
}

fn get(here: &Here, name: &str) -> Value {
    ok(
        here,
        "GetParameter",
        json!({ "Name": name, "WithDecryption": true }),
    )["Parameter"]
        .clone()
}

/// By name, by the id of a version and by a label, as the User Guide shows it; only with decryption, and without a trace of the value.
#[test]
fn a_secret_is_read_like_a_parameter() {
    let (here, arn) = filled();
    let shown = get(&here, NAME);
    assert_eq!(
        (
            &shown["Name"],
            &shown["Type"],
            &shown["Version"],
            &shown["Value"],
            &shown["ARN"]
        ),
        (
            &json!(NAME),
            &json!("SecureString"),
            &json!(0),
            &json!("second-of-the-test"),
            &json!(arn)
        )
    );
    let source: Value = serde_json::from_str(shown["SourceResult"].as_str().unwrap()).unwrap();
    let told = secret(&here, "GetSecretValue", json!({ "SecretId": "team/db" }));
    for member in ["ARN", "Name", "SecretString", "VersionId", "VersionStages"] {
        assert_eq!(source[member], told[member], "{member}");
    }
    assert_eq!(source["CreatedDate"].as_f64(), told["CreatedDate"].as_f64());
    assert_eq!(shown["LastModifiedDate"].as_f64(), told["CreatedDate"].as_f64());
    for (selector, value) in [
        (":AWSPREVIOUS".to_owned(), "first-of-the-test"),
        (format!(":{}", id("1")), "first-of-the-test"),
        (":AWSCURRENT".to_owned(), "second-of-the-test"),
    ] {
        let shown = get(&here, &format!("{NAME}{selector}"));
        assert_eq!(
            (&shown["Value"], &shown["Selector"]),
            (&json!(value), &json!(selector))
        );
    }
    let words = "WithDecryption flag must be True for retrieving a Secret Manager secret.";
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": NAME })),
        ("ValidationException".to_owned(), words.to_owned())
    );
    let odd = json!({ "Name": format!("{NAME}:a b"), "WithDecryption": true });
    assert_eq!(refused(&here, "GetParameter", odd).0, "ValidationException");
    for record in here.cloud.records(ACCOUNT, REGION) {
        let text = serde_json::to_string(&record).unwrap();
        assert!(!text.contains("-of-the-test"), "{text}");
    }
}

/// What is not there, and what a reference cannot be used for.
#[test]
fn references_are_only_read() {
    let (here, _) = filled();
    let gone = "/aws/reference/secretsmanager/gone";
    let (code, message) = refused(
        &here,
        "GetParameter",
        json!({ "Name": gone, "WithDecryption": true }),
    );
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "ParameterNotFound",
            "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret /aws/reference/secretsmanager/gone not found."
        )
    );
    let several = json!({ "Names": [NAME, gone, format!("{NAME}:none")], "WithDecryption": true });
    let answer = ok(&here, "GetParameters", several);
    assert_eq!(answer["Parameters"].as_array().unwrap().len(), 1);
    assert_eq!(answer["InvalidParameters"], json!([gone, format!("{NAME}:none")]));
    let refusal = |operation| refused(&here, operation, json!({ "Name": NAME })).0;
    assert_eq!(refusal("GetParameterHistory"), "ParameterNotFound");
    assert_eq!(refusal("DeleteParameter"), "AccessDeniedException");
    let under = json!({ "Path": "/aws/reference/secretsmanager", "Recursive": true });
    assert_eq!(ok(&here, "GetParametersByPath", under)["Parameters"], json!([]));
    let put = json!({ "Name": NAME, "Value": "v", "Type": "String" });
    assert_eq!(refused(&here, "PutParameter", put).0, "AccessDeniedException");
}

/// It takes the permission to read the parameter of that name, and the secret.
#[test]
fn both_services_must_allow() {
    let (here, _) = filled();
    let parameter = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{NAME}");
    let by_ssm = json!({ "Effect": "Allow", "Action": "ssm:GetParameter", "Resource": parameter });
    let by_secrets = json!({ "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*" });
    for (name, statements, may) in [
        ("both", json!([by_ssm, by_secrets]), true),
        ("parameter", json!([by_ssm]), false),
        ("secret", json!([by_secrets]), false),
    ] {
        let user = here.user(ACCOUNT, name, &statements);
        let input = json!({ "Name": NAME, "WithDecryption": true });
        match call(&here, &user, "GetParameter", input) {
            Ok(answer) => assert!(
                may && answer["Parameter"]["Value"] == "second-of-the-test",
                "{name}"
            ),
            Err(failure) => {
                assert!(!may, "{name}: {failure:?}");
                assert_eq!(failure.code, "AccessDeniedException", "{name}");
            }
        }
    }
}
