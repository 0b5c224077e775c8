//! Putting, reading and deleting parameters.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::Here;
use crate::ssm::{ok, overwrite, put, refused};

fn code(here: &Here, input: Value) -> String {
    refused(here, "PutParameter", input).0
}

/// S10.1, S10.2, S10.3, S10.8: a value is put under a path and read again, with nothing made before.
#[test]
fn a_parameter_is_put_and_read() {
    let here = Here::new();
    let name = "/prod/db/mysql/db-string";
    let made = ok(
        &here,
        "PutParameter",
        json!({ "Name": name, "Value": "a,b", "Type": "StringList", "Description": "d" }),
    );
    assert_eq!(made, json!({ "Version": 1, "Tier": "Standard" }));
    let read = ok(&here, "GetParameter", json!({ "Name": name }))["Parameter"].clone();
    assert_eq!(
        (
            &read["Name"],
            &read["Value"],
            &read["Type"],
            &read["Version"],
            &read["DataType"]
        ),
        (
            &json!(name),
            &json!("a,b"),
            &json!("StringList"),
            &json!(1),
            &json!("text")
        )
    );
    let arn = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{name}");
    assert_eq!(read["ARN"], json!(arn));
    assert_eq!(
        ok(&here, "GetParameter", json!({ "Name": arn }))["Parameter"]["Value"],
        json!("a,b")
    );
    put(&here, "bare", "x");
    let bare = ok(&here, "GetParameter", json!({ "Name": "bare" }));
    assert_eq!(
        bare["Parameter"]["ARN"],
        json!(format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/bare"))
    );
    ok(&here, "DeleteParameter", json!({ "Name": name }));
    let gone = refused(&here, "GetParameter", json!({ "Name": name }));
    assert_eq!(gone, ("ParameterNotFound".to_owned(), String::new()));
    assert_eq!(
        refused(&here, "DeleteParameter", json!({ "Name": name })).0,
        "ParameterNotFound"
    );
}

/// S10.6: every put makes a version; all are read by number and in the history, and a hundred are kept.
#[test]
fn versions_are_kept_and_read() {
    let here = Here::new();
    put(&here, "/v", "1");
    assert_eq!(overwrite(&here, "/v", "2"), 2);
    let first = ok(&here, "GetParameter", json!({ "Name": "/v:1" }))["Parameter"].clone();
    assert_eq!(
        (&first["Value"], &first["Selector"], &first["Name"]),
        (&json!("1"), &json!(":1"), &json!("/v"))
    );
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/v:3" })).0,
        "ParameterVersionNotFound"
    );
    for number in 3..=101 {
        assert_eq!(overwrite(&here, "/v", &number.to_string()), number);
    }
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/v:1" })).0,
        "ParameterVersionNotFound"
    );
    let page = ok(&here, "GetParameterHistory", json!({ "Name": "/v" }));
    let versions = |page: &Value| -> Vec<i64> {
        let all = page["Parameters"].as_array().unwrap().iter();
        all.map(|version| version["Version"].as_i64().unwrap()).collect()
    };
    assert_eq!(versions(&page), (2..=51).collect::<Vec<_>>());
    let rest = ok(
        &here,
        "GetParameterHistory",
        json!({ "Name": "/v", "NextToken": page["NextToken"] }),
    );
    assert_eq!(versions(&rest), (52..=101).collect::<Vec<_>>());
    assert!(rest["NextToken"].is_null());
    assert_eq!(
        rest["Parameters"][49]["LastModifiedUser"],
        json!(format!("arn:aws:iam::{ACCOUNT}:root"))
    );
    ok(&here, "DeleteParameter", json!({ "Name": "/v" }));
    put(&here, "/v", "again");
    let fresh = ok(&here, "GetParameterHistory", json!({ "Name": "/v" }));
    assert_eq!(versions(&fresh), [1]);
}

/// S10.5: fifteen levels, and not sixteen.
#[test]
fn hierarchies_have_fifteen_levels() {
    let here = Here::new();
    put(&here, &"/l".repeat(15), "x");
    let deeper = json!({ "Name": "/l".repeat(16), "Value": "x", "Type": "String" });
    assert_eq!(code(&here, deeper), "HierarchyLevelLimitExceededException");
}

#[test]
fn names_have_rules() {
    let here = Here::new();
    let of = |name: &str| code(&here, json!({ "Name": name, "Value": "x", "Type": "String" }));
    for name in [
        "awsome", "SSMthing", "/ssm/a", "a/b", "/a//b", "/a/", "a b", "a:1", "/a/é", "/",
    ] {
        assert_eq!(of(name), "ValidationException", "{name}");
    }
    assert_eq!(of("/aws/service/x"), "AccessDeniedException");
    assert_eq!(of(&format!("/{}", "n".repeat(1000))), "ValidationException");
    put(&here, " /trimmed ", "x");
    ok(&here, "GetParameter", json!({ "Name": "/trimmed" }));
}

/// Public parameters are AWS's own; there are none here, which the answer says.
#[test]
fn public_parameters_are_not_there() {
    let here = Here::new();
    let name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": name })).0,
        "ParameterNotFound"
    );
}

/// S10.12: 4 KB in the standard tier, 8 KB in the advanced; there is no way back from it.
#[test]
fn tiers_bound_values() {
    let here = Here::new();
    let of = |name: &str, length: usize, tier: &str| json!({ "Name": name, "Value": "v".repeat(length), "Type": "String", "Tier": tier, "Overwrite": true });
    ok(&here, "PutParameter", of("/s", 4096, "Standard"));
    assert_eq!(code(&here, of("/s", 4097, "Standard")), "ValidationException");
    ok(&here, "PutParameter", of("/a", 8192, "Advanced"));
    assert_eq!(code(&here, of("/a", 8193, "Advanced")), "ValidationException");
    assert_eq!(code(&here, of("/a", 1, "Standard")), "ValidationException");
    let tier = |name: &str, length: usize, tier: &str| {
        ok(&here, "PutParameter", of(name, length, tier))["Tier"].clone()
    };
    assert_eq!(tier("/i", 1, "Intelligent-Tiering"), "Standard");
    assert_eq!(tier("/i", 5000, "Intelligent-Tiering"), "Advanced");
    assert_eq!(tier("/i", 1, "Intelligent-Tiering"), "Advanced");
    let kept = ok(
        &here,
        "PutParameter",
        json!({ "Name": "/a", "Value": "v", "Overwrite": true }),
    );
    assert_eq!(kept, json!({ "Version": 2, "Tier": "Advanced" }));
}

#[test]
fn what_a_request_may_not_say_is_refused() {
    let here = Here::new();
    put(&here, "/x", "1");
    let exists = json!({ "Name": "/x", "Value": "2", "Type": "String" });
    assert_eq!(code(&here, exists), "ParameterAlreadyExists");
    assert_eq!(
        code(&here, json!({ "Name": "/y", "Value": "2" })),
        "ValidationException"
    );
    let with = |member: &str, value: Value| {
        let mut input = json!({ "Name": "/y", "Value": "v", "Type": "String" });
        input[member] = value;
        code(&here, input)
    };
    assert_eq!(with("Value", json!("")), "ValidationException");
    assert_eq!(with("Value", json!("{{ssm:x}}")), "ValidationException");
    let keyed = json!({ "Name": "/y", "Value": "v", "Type": "String", "KeyId": "alias/a" });
    let words = "KeyId is required for SecureString type parameter only.".to_owned();
    assert_eq!(
        super::refused(&here, "PutParameter", keyed),
        ("ValidationException".to_owned(), words)
    );
    assert_eq!(with("DataType", json!("aws:s3:bucket")), "ValidationException");
    assert_eq!(
        with("AllowedPattern", json!("^\\d+$")),
        "ParameterPatternMismatchException"
    );
    assert_eq!(
        with("AllowedPattern", json!("(")),
        "InvalidAllowedPatternException"
    );
    let both =
        json!({ "Name": "/x", "Value": "v", "Overwrite": true, "Tags": [{ "Key": "a", "Value": "b" }] });
    assert_eq!(code(&here, both), "ValidationException");
    let integration =
        json!({ "Name": "/y", "Value": "v", "Type": "String", "DataType": "aws:ssm:integration" });
    ok(&here, "PutParameter", integration);
}

/// What an update leaves out stays: type, description, pattern.
#[test]
fn an_update_takes_over_what_it_leaves_out() {
    let here = Here::new();
    let made =
        json!({ "Name": "/n", "Value": "1", "Type": "String", "Description": "d", "AllowedPattern": "\\d+" });
    ok(&here, "PutParameter", made);
    let wrong = json!({ "Name": "/n", "Value": "x", "Overwrite": true });
    assert_eq!(code(&here, wrong), "ParameterPatternMismatchException");
    overwrite(&here, "/n", "2");
    let shown = ok(&here, "DescribeParameters", json!({}))["Parameters"][0].clone();
    assert_eq!(
        (&shown["Description"], &shown["Version"]),
        (&json!("d"), &json!(2))
    );
}

#[test]
fn several_are_read_and_deleted_at_once() {
    let here = Here::new();
    for name in ["/a", "/b"] {
        put(&here, name, name);
    }
    let read = ok(
        &here,
        "GetParameters",
        json!({ "Names": ["/b", "/none", "/a:1", "/a:7"] }),
    );
    assert_eq!(crate::ssm::names(&read), ["/b", "/a"]);
    assert_eq!(read["InvalidParameters"], json!(["/none", "/a:7"]));
    let deleted = ok(&here, "DeleteParameters", json!({ "Names": ["/a", "/none"] }));
    assert_eq!(
        deleted,
        json!({ "DeletedParameters": ["/a"], "InvalidParameters": ["/none"] })
    );
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/a" })).0,
        "ParameterNotFound"
    );
}

/// S10.12: ten thousand standard parameters of an account in a region; a list of them reads a bounded number of rows at once.
#[test]
fn standard_parameters_are_counted() {
    let here = Here::new();
    let of = |number: usize| json!({ "Name": format!("/n/{number:05}"), "Value": "v", "Type": "String" });
    for number in 0..10_000 {
        ok(&here, "PutParameter", of(number));
    }
    assert_eq!(code(&here, of(10_000)), "ParameterLimitExceeded");
    let mut clever = of(10_000);
    clever["Tier"] = json!("Intelligent-Tiering");
    assert_eq!(ok(&here, "PutParameter", clever)["Tier"], "Advanced");
    assert_eq!(overwrite(&here, "/n/00000", "2"), 2);
    ok(&here, "DeleteParameter", json!({ "Name": "/n/00000" }));
    ok(&here, "PutParameter", of(0));
    let advanced = json!([{ "Key": "Tier", "Values": ["Advanced"] }]);
    let (mut input, mut pages, mut found) = (json!({ "ParameterFilters": advanced }), 0, Vec::new());
    loop {
        let page = ok(&here, "DescribeParameters", input.clone());
        pages += 1;
        found.extend(crate::ssm::names(&page).into_iter().map(str::to_owned));
        if page["NextToken"].is_null() {
            break;
        }
        input["NextToken"] = page["NextToken"].clone();
    }
    assert_eq!((pages, found), (3, vec!["/n/10000".to_owned()]));
}

/// A parameter of an image's id is there once the id was found well formed, and an event tells either way.
#[test]
fn image_ids_are_validated_after_the_answer() {
    let here = Here::new();
    let image = |name: &str, value: &str| json!({ "Name": name, "Value": value, "Type": "String", "DataType": "aws:ec2:image", "Overwrite": true });
    for (name, value) in [("/right", "ami-0abcdef1234567890"), ("/wrong", "ami-golden")] {
        assert_eq!(ok(&here, "PutParameter", image(name, value))["Version"], 1);
        assert_eq!(
            refused(&here, "GetParameter", json!({ "Name": name })).0,
            "ParameterNotFound"
        );
    }
    here.cloud.advance(1);
    let read = ok(&here, "GetParameter", json!({ "Name": "/right" }))["Parameter"].clone();
    assert_eq!(
        (&read["Value"], &read["DataType"]),
        (&json!("ami-0abcdef1234567890"), &json!("aws:ec2:image"))
    );
    assert_eq!(
        refused(&here, "GetParameter", json!({ "Name": "/wrong" })).0,
        "ParameterNotFound"
    );
    let update = json!({ "Name": "/right", "Value": "nothing", "Overwrite": true });
    assert_eq!(ok(&here, "PutParameter", update)["Version"], 2);
    here.cloud.advance(1);
    let read = ok(&here, "GetParameter", json!({ "Name": "/right" }))["Parameter"].clone();
    assert_eq!(read["Version"], 1);
    let mut secure = image("/secure", "ami-0abcdef1234567890");
    secure["Type"] = json!("SecureString");
    assert_eq!(code(&here, secure), "ValidationException");
    let only = json!([{ "Effect": "Allow", "Action": "ssm:*", "Resource": "*" }]);
    let blind = here.user(ACCOUNT, "blind", &only);
    let failure = crate::ssm::call(
        &here,
        &blind,
        "PutParameter",
        image("/right", "ami-0abcdef1234567890"),
    );
    assert_eq!(failure.unwrap_err().code, "AccessDeniedException");
}
