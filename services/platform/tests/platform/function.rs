//! Functions, their code, settings and versions.

use pipeline::functions::LogForm;
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, arn, zip};

#[test]
fn a_function_is_found_by_every_form_of_its_name() {
    let scene = Scene::new();
    scene.function("named", &json!({}));
    for name in [
        "named".to_owned(),
        arn("named"),
        format!("{ACCOUNT}:function:named"),
        format!("{}:$LATEST", arn("named")),
    ] {
        let shown = scene.lambda("GetFunctionConfiguration", json!({ "FunctionName": name }));
        assert_eq!(
            (&shown["FunctionName"], &shown["State"]),
            (&json!("named"), &json!("Active"))
        );
    }
    let elsewhere = arn("named").replace(REGION, "us-west-2");
    let refused = scene.refused("GetFunction", json!({ "FunctionName": elsewhere }));
    assert!(
        refused.message.contains("not reachable in this region"),
        "{refused:?}"
    );
    let refused = scene.refused(
        "GetFunction",
        json!({ "FunctionName": "named:1", "Qualifier": "2" }),
    );
    assert_eq!(refused.code, "InvalidParameterValueException");
    let refused = scene.refused("GetFunction", json!({ "FunctionName": "nobody" }));
    assert_eq!(refused.message, format!("Function not found: {}", arn("nobody")));
    assert_eq!(scene.refused("CreateFunction", json!({
        "FunctionName": "named", "Runtime": "python3.13", "Handler": "a.b", "Role": scene.role, "Code": { "ZipFile": zip(1) },
    })).code, "ResourceConflictException");
}

#[test]
fn a_revision_guards_against_changes_of_others() {
    let scene = Scene::new();
    let made = scene.function("guarded", &json!({}));
    let stale = json!({ "FunctionName": "guarded", "Timeout": 5, "RevisionId": made["RevisionId"] });
    scene.lambda("UpdateFunctionConfiguration", stale.clone());
    assert_eq!(
        scene.refused("UpdateFunctionConfiguration", stale).code,
        "PreconditionFailedException"
    );
    let code = json!({ "FunctionName": "guarded", "ZipFile": zip(13), "RevisionId": made["RevisionId"] });
    assert_eq!(
        scene.refused("UpdateFunctionCode", code).code,
        "PreconditionFailedException"
    );
}

#[test]
fn a_dry_run_changes_no_code() {
    let scene = Scene::new();
    let made = scene.function("dry", &json!({}));
    let said = scene.lambda(
        "UpdateFunctionCode",
        json!({ "FunctionName": "dry", "ZipFile": zip(13), "DryRun": true }),
    );
    assert_ne!(said["CodeSha256"], made["CodeSha256"]);
    let shown = scene.lambda("GetFunctionConfiguration", json!({ "FunctionName": "dry" }));
    assert_eq!(
        (&shown["CodeSha256"], &shown["RevisionId"]),
        (&made["CodeSha256"], &made["RevisionId"])
    );
}

#[test]
fn usage_counts_every_version_and_ends_with_the_function() {
    let scene = Scene::new();
    let size = scene.function("counted", &json!({ "Publish": true }))["CodeSize"]
        .as_i64()
        .unwrap();
    let usage = || scene.lambda("GetAccountSettings", json!({}))["AccountUsage"].clone();
    assert_eq!(usage(), json!({ "FunctionCount": 1, "TotalCodeSize": 2 * size }));
    scene.lambda(
        "UpdateFunctionCode",
        json!({ "FunctionName": "counted", "ZipFile": zip(13) }),
    );
    assert_eq!(usage()["TotalCodeSize"], 2 * size);
    scene.lambda(
        "PutFunctionConcurrency",
        json!({ "FunctionName": "counted", "ReservedConcurrentExecutions": 900 }),
    );
    let limit = scene.lambda("GetAccountSettings", json!({}))["AccountLimit"].clone();
    assert_eq!(limit["UnreservedConcurrentExecutions"], 100);
    scene.function("second", &json!({}));
    let refused = scene.refused(
        "PutFunctionConcurrency",
        json!({ "FunctionName": "second", "ReservedConcurrentExecutions": 1 }),
    );
    assert!(refused.message.contains("minimum value of [100]"), "{refused:?}");
    for name in ["counted", "second"] {
        scene.lambda("DeleteFunction", json!({ "FunctionName": name }));
    }
    assert_eq!(usage(), json!({ "FunctionCount": 0, "TotalCodeSize": 0 }));
    let limit = scene.lambda("GetAccountSettings", json!({}))["AccountLimit"].clone();
    assert_eq!(limit["UnreservedConcurrentExecutions"], 1000);
}

#[test]
fn a_version_is_published_once() {
    let scene = Scene::new();
    scene.function("published", &json!({}));
    let publish =
        || scene.lambda("PublishVersion", json!({ "FunctionName": "published" }))["Version"].clone();
    assert_eq!((publish(), publish()), (json!("1"), json!("1")));
    scene.lambda(
        "UpdateFunctionConfiguration",
        json!({ "FunctionName": "published", "MemorySize": 256 }),
    );
    assert_eq!(publish(), "2");
    let first = scene.lambda(
        "GetFunctionConfiguration",
        json!({ "FunctionName": "published", "Qualifier": "1" }),
    );
    assert_eq!(
        (&first["MemorySize"], &first["FunctionArn"]),
        (&json!(128), &json!(arn("published:1")))
    );
    let refused = scene.refused(
        "PublishVersion",
        json!({ "FunctionName": "published", "CodeSha256": "other" }),
    );
    assert_eq!(refused.code, "InvalidParameterValueException");
    let refused = scene.refused(
        "DeleteFunction",
        json!({ "FunctionName": "published", "Qualifier": "$LATEST" }),
    );
    assert_eq!(refused.code, "InvalidParameterValueException");
}

#[test]
fn lists_go_on_where_a_page_ended() {
    let scene = Scene::new();
    for name in ["a", "b", "c"] {
        scene.function(name, &json!({ "Publish": true }));
    }
    for (all, wanted) in [
        (json!({}), vec!["a", "b", "c"]),
        (
            json!({ "FunctionVersion": "ALL" }),
            vec!["a", "a", "b", "b", "c", "c"],
        ),
    ] {
        let (mut names, mut marker) = (Vec::new(), json!(null));
        loop {
            let mut input = all.clone();
            input["MaxItems"] = json!(1);
            if marker.is_string() {
                input["Marker"] = marker;
            }
            let page = scene.lambda("ListFunctions", input);
            names.push(page["Functions"][0]["FunctionName"].as_str().unwrap().to_owned());
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(names, wanted);
    }
}

/// `MasterRegion` asks for replicas of Lambda@Edge, of which there are none, and for all versions alone (Lambda API Reference,
/// `ListFunctions`).
#[test]
fn no_function_is_a_replica_of_one_elsewhere() {
    let scene = Scene::new();
    scene.function("a", &json!({}));
    let refused = scene.refused("ListFunctions", json!({ "MasterRegion": "us-east-1" }));
    assert_eq!(refused.code, "InvalidParameterValueException");
    let count = |master: &str| {
        let input = json!({ "MasterRegion": master, "FunctionVersion": "ALL" });
        scene.lambda("ListFunctions", input)["Functions"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((count("us-east-1"), count("ALL")), (0, 1));
}

#[test]
fn what_is_not_built_is_refused() {
    let scene = Scene::new();
    for more in [
        json!({ "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] } }),
        json!({ "TracingConfig": { "Mode": "Active" } }),
        json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:eu-central-1:111122223333:dead" } }),
        json!({ "PackageType": "Image" }),
    ] {
        let mut input = json!({
            "FunctionName": "f", "Runtime": "python3.13", "Handler": "a.b", "Role": scene.role, "Code": { "ZipFile": zip(1) },
        });
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        assert_eq!(
            scene.refused("CreateFunction", input).code,
            "NotImplemented",
            "{more}"
        );
    }
    scene.function("g", &json!({}));
    for more in [
        json!({ "AcceleratorConfig": { "AcceleratorMemorySize": 1024 } }),
        json!({ "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] } }),
        json!({ "SnapStart": { "ApplyOn": "PublishedVersions" } }),
    ] {
        let mut input = more.clone();
        input["FunctionName"] = json!("g");
        let refused = scene.refused("UpdateFunctionConfiguration", input);
        assert_eq!(refused.code, "NotImplemented", "{more}");
    }
}

/// The grants that let a function's roles decrypt its variables go with what they were for.
#[test]
fn grants_go_with_the_variables_they_were_made_for() {
    let scene = Scene::new();
    let other = scene.role("other", "lambda.amazonaws.com");
    let key = scene.ok("kms", "CreateKey", json!({}));
    let key = key["KeyMetadata"]["Arn"].as_str().unwrap();
    let grantees = || {
        let listed = scene.ok("kms", "ListGrants", json!({ "KeyId": key }));
        let grants = listed["Grants"].as_array().unwrap().clone();
        let grantee = |grant: &serde_json::Value| grant["GranteePrincipal"].as_str().unwrap().to_owned();
        grants.iter().map(grantee).collect::<Vec<_>>()
    };
    let variables = json!({ "KMSKeyArn": key, "Environment": { "Variables": { "COLOUR": "blue" } } });
    scene.function("kept", &variables);
    scene.function("gone", &variables);
    assert_eq!(grantees().len(), 2);
    scene.lambda(
        "UpdateFunctionConfiguration",
        json!({ "FunctionName": "gone", "Role": other }),
    );
    let mut now = grantees();
    now.sort();
    assert_eq!(now, [other.clone(), scene.role.clone()], "the old role's is gone");
    scene.lambda("PublishVersion", json!({ "FunctionName": "gone" }));
    scene.lambda(
        "UpdateFunctionConfiguration",
        json!({ "FunctionName": "gone", "Role": scene.role }),
    );
    assert_eq!(grantees().len(), 3, "the version needs the other role's");
    scene.lambda("DeleteFunction", json!({ "FunctionName": "gone" }));
    assert_eq!(grantees(), std::slice::from_ref(&scene.role));
    let (_, said) = scene.invoke("kept", &json!({ "a": 1 }));
    assert_eq!(said["a"], 1);
    // A key that is gone keeps no function.
    scene.ok(
        "kms",
        "ScheduleKeyDeletion",
        json!({ "KeyId": key, "PendingWindowInDays": 7 }),
    );
    scene.cloud.advance(8 * 86_400_000);
    scene.lambda("DeleteFunction", json!({ "FunctionName": "kept" }));
}

/// A waiter that waits for a published version's last update comes to an end.
#[test]
fn a_version_says_that_its_update_succeeded() {
    let scene = Scene::new();
    scene.function("waited", &json!({ "Publish": true }));
    for name in ["waited", "waited:1"] {
        let shown = scene.lambda("GetFunctionConfiguration", json!({ "FunctionName": name }));
        assert_eq!(
            (&shown["State"], &shown["LastUpdateStatus"]),
            (&json!("Active"), &json!("Successful")),
            "{name}"
        );
    }
}

/// The digest of the settings is the same for a version as for what it was made of, changes with each setting, and with nothing else.
#[test]
fn settings_have_a_digest_of_their_own() {
    let scene = Scene::new();
    let made = scene.function("digested", &json!({}));
    let first = made["ConfigSha256"].as_str().unwrap().to_owned();
    assert_eq!(
        (first.len(), first.ends_with('=')),
        (44, true),
        "base64 of 32 bytes"
    );
    let version = scene.lambda("PublishVersion", json!({ "FunctionName": "digested" }));
    assert_eq!(version["ConfigSha256"], first);
    let code = scene.lambda(
        "UpdateFunctionCode",
        json!({ "FunctionName": "digested", "ZipFile": zip(13) }),
    );
    assert_ne!(code["CodeSha256"], made["CodeSha256"]);
    assert_eq!(code["ConfigSha256"], first);
    let mut seen = vec![json!(first)];
    for setting in [
        json!({ "Timeout": 9 }),
        json!({ "Description": "other" }),
        json!({ "LoggingConfig": { "LogGroup": "/elsewhere" } }),
    ] {
        let mut input = setting;
        input["FunctionName"] = json!("digested");
        let told = scene.lambda("UpdateFunctionConfiguration", input)["ConfigSha256"].clone();
        assert!(!seen.contains(&told), "{told}");
        seen.push(told);
    }
    let last = scene.lambda("GetFunction", json!({ "FunctionName": "digested" }));
    assert_eq!(Some(&last["Configuration"]["ConfigSha256"]), seen.last());
    let of_version = scene.lambda(
        "GetFunctionConfiguration",
        json!({ "FunctionName": "digested:1" }),
    );
    assert_eq!(of_version["ConfigSha256"], first);
}

/// What a change of the logging does not name stays as it was; levels go with the format that has them.
#[test]
fn logging_changes_in_parts() {
    let scene = Scene::new();
    scene.function(
        "logged",
        &json!({ "LoggingConfig": { "LogGroup": "/kept", "LogFormat": "JSON", "ApplicationLogLevel": "ERROR" } }),
    );
    let change = |logging: Value| {
        let input = json!({ "FunctionName": "logged", "LoggingConfig": logging });
        scene.lambda("UpdateFunctionConfiguration", input)["LoggingConfig"].clone()
    };
    assert_eq!(
        change(json!({ "SystemLogLevel": "WARN" })),
        json!({ "LogGroup": "/kept", "LogFormat": "JSON", "ApplicationLogLevel": "ERROR", "SystemLogLevel": "WARN" })
    );
    assert_eq!(
        change(json!({ "LogFormat": "Text" })),
        json!({ "LogGroup": "/kept", "LogFormat": "Text" })
    );
    let level = json!({ "FunctionName": "logged", "LoggingConfig": { "SystemLogLevel": "WARN" } });
    let refused = scene.refused("UpdateFunctionConfiguration", level);
    assert_eq!(refused.code, "InvalidParameterValueException");
    assert_eq!(
        change(json!({ "LogFormat": "JSON" })),
        json!({ "LogGroup": "/kept", "LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO" })
    );
    change(json!({ "SystemLogLevel": "DEBUG" }));
    scene.invoke("logged", &json!({}));
    change(json!({ "LogFormat": "Text" }));
    scene.invoke("logged", &json!({}));
    let forms: Vec<_> = scene.seen().into_iter().map(|seen| seen.log_form).collect();
    let json = LogForm::Json {
        application_level: "INFO".to_owned(),
        system_level: "DEBUG".to_owned(),
    };
    assert_eq!(forms, [json, LogForm::Text]);
}

/// A member that would have no effect is refused, not passed over.
#[test]
fn code_comes_from_one_place() {
    let scene = Scene::new();
    scene.function("placed", &json!({}));
    let both = json!({ "FunctionName": "placed", "ZipFile": zip(13), "S3ObjectVersion": "3" });
    let refused = scene.refused("UpdateFunctionCode", both);
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        (
            "InvalidParameterValueException",
            "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    );
    let dual = json!({ "FunctionName": "placed", "VpcConfig": { "Ipv6AllowedForDualStack": true } });
    assert_eq!(
        scene.refused("UpdateFunctionConfiguration", dual).code,
        "NotImplemented"
    );
    let reserved = json!({ "FunctionName": "placed", "Environment": { "Variables": { "AWS_LAMBDA_METADATA_API": "1" } } });
    let refused = scene.refused("UpdateFunctionConfiguration", reserved);
    assert!(refused.message.contains("AWS_LAMBDA_METADATA_API"), "{refused:?}");
}
