//! Aliases.

use serde_json::json;

use crate::scene::{Scene, arn};

#[test]
fn an_alias_leads_to_versions_that_exist() {
    let scene = Scene::new();
    scene.function("aliased", &json!({ "Publish": true }));
    let make = |name: &str, version: &str| json!({ "FunctionName": "aliased", "Name": name, "FunctionVersion": version });
    let refused = scene.refused("CreateAlias", make("live", "7"));
    assert_eq!(
        refused.message,
        format!("Function not found: {}", arn("aliased:7"))
    );
    let made = scene.lambda("CreateAlias", make("live", "1"));
    assert_eq!(made["AliasArn"], arn("aliased:live"));
    assert_eq!(
        scene.refused("CreateAlias", make("live", "1")).code,
        "ResourceConflictException"
    );
    let routed = |version: &str| {
        json!({
            "FunctionName": "aliased", "Name": "live", "RoutingConfig": { "AdditionalVersionWeights": { version: 0.1 } },
        })
    };
    for wrong in ["1", "$LATEST", "9"] {
        scene.refused("UpdateAlias", routed(wrong));
    }
    let refused = scene.refused(
        "DeleteFunction",
        json!({ "FunctionName": "aliased", "Qualifier": "1" }),
    );
    assert!(refused.message.contains("[live]"), "{refused:?}");
    let shown = scene.lambda(
        "GetFunctionConfiguration",
        json!({ "FunctionName": "aliased:live" }),
    );
    assert_eq!(
        (&shown["Version"], &shown["FunctionArn"]),
        (&json!("1"), &json!(arn("aliased:live")))
    );
    scene.lambda(
        "DeleteAlias",
        json!({ "FunctionName": "aliased", "Name": "live" }),
    );
    assert_eq!(
        scene
            .refused("GetAlias", json!({ "FunctionName": "aliased", "Name": "live" }))
            .message,
        format!("Cannot find alias arn: {}", arn("aliased:live"))
    );
    scene.lambda(
        "DeleteFunction",
        json!({ "FunctionName": "aliased", "Qualifier": "1" }),
    );
}

/// Weights that a change of the version leaves as they are must suit the new version.
#[test]
fn an_alias_never_shares_with_its_own_version() {
    let scene = Scene::new();
    scene.function("shared", &json!({ "Publish": true }));
    scene.lambda(
        "UpdateFunctionConfiguration",
        json!({ "FunctionName": "shared", "Timeout": 9 }),
    );
    scene.lambda("PublishVersion", json!({ "FunctionName": "shared" }));
    let weights = json!({ "AdditionalVersionWeights": { "2": 0.25 } });
    scene.lambda(
        "CreateAlias",
        json!({ "FunctionName": "shared", "Name": "live", "FunctionVersion": "1", "RoutingConfig": weights }),
    );
    let lead =
        |version: &str| json!({ "FunctionName": "shared", "Name": "live", "FunctionVersion": version });
    for version in ["2", "$LATEST"] {
        let refused = scene.refused("UpdateAlias", lead(version));
        assert_eq!(refused.code, "InvalidParameterValueException", "{version}");
    }
    let shown = scene.lambda(
        "UpdateAlias",
        json!({ "FunctionName": "shared", "Name": "live", "Description": "d" }),
    );
    assert_eq!(
        (&shown["FunctionVersion"], &shown["RoutingConfig"]),
        (&json!("1"), &weights)
    );
    let mut alone = lead("2");
    alone["RoutingConfig"] = json!({ "AdditionalVersionWeights": {} });
    let shown = scene.lambda("UpdateAlias", alone);
    assert_eq!(shown["FunctionVersion"], "2");
    assert!(shown.get("RoutingConfig").is_none(), "{shown}");
}
