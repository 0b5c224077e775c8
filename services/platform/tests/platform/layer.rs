//! Layers: versions, who may use them, and what functions keep of them.

use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, zip};

const OTHER: &str = "999988887777";

fn arn(account: &str, version: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{account}:layer:{version}")
}

/// A version that says to hold so many bytes.
fn publish(scene: &Scene, name: &str, holds: u32) -> Value {
    let input = json!({"LayerName": name, "Description": "d", "LicenseInfo": "MIT", "CompatibleRuntimes": ["python3.13"],
        "CompatibleArchitectures": ["x86_64"], "Content": {"ZipFile": zip(holds)}});
    scene.lambda("PublishLayerVersion", input)
}

fn used(scene: &Scene) -> i64 {
    scene.lambda("GetAccountSettings", json!({}))["AccountUsage"]["TotalCodeSize"]
        .as_i64()
        .unwrap()
}

/// An administrator of another account.
fn stranger(scene: &Scene) -> Caller {
    let made = scene.cloud.gateway.system("us-east-1", |call| {
        identity::bootstrap(call, OTHER, None).map(|made| made.access_key_id)
    });
    let id = made.map_err(|fault| fault.message).unwrap();
    scene.cloud.caller(&id, None).unwrap()
}

#[test]
fn versions_are_numbered_once_and_shown() {
    let scene = Scene::new();
    let first = publish(&scene, "lib", 12);
    assert_eq!(
        (&first["Version"], &first["LayerVersionArn"], &first["LayerArn"]),
        (
            &json!(1),
            &json!(arn(ACCOUNT, "lib:1")),
            &json!(arn(ACCOUNT, "lib"))
        )
    );
    let one = json!({"LayerName": "lib", "VersionNumber": 1});
    let shown = scene.lambda("GetLayerVersion", one.clone());
    for member in [
        "Description",
        "LicenseInfo",
        "CompatibleRuntimes",
        "CompatibleArchitectures",
        "CreatedDate",
    ] {
        assert_eq!(shown[member], first[member], "{member}");
    }
    assert_eq!(shown["Content"]["CodeSha256"], first["Content"]["CodeSha256"]);
    let by_arn = scene.lambda("GetLayerVersionByArn", json!({"Arn": arn(ACCOUNT, "lib:1")}));
    assert_eq!(by_arn["Version"], 1);
    let held = used(&scene);
    publish(&scene, "lib", 13);
    assert_eq!(used(&scene), 2 * held);
    let listed = scene.lambda("ListLayerVersions", json!({"LayerName": "lib", "MaxItems": 1}));
    assert_eq!(listed["LayerVersions"][0]["Version"], 2, "the newest first");
    let next = json!({"LayerName": "lib", "Marker": listed["NextMarker"]});
    let rest = scene.lambda("ListLayerVersions", next);
    assert_eq!(rest["LayerVersions"].as_array().unwrap().len(), 1);
    assert_eq!(rest["LayerVersions"][0]["Version"], 1);
    scene.lambda(
        "DeleteLayerVersion",
        json!({"LayerName": "lib", "VersionNumber": 2}),
    );
    scene.lambda(
        "DeleteLayerVersion",
        json!({"LayerName": "lib", "VersionNumber": 2}),
    );
    assert_eq!(used(&scene), held);
    assert_eq!(publish(&scene, "lib", 12)["Version"], 3, "no number comes twice");
    let gone = json!({"LayerName": "lib", "VersionNumber": 2});
    assert_eq!(
        scene.refused("GetLayerVersion", gone).code,
        "ResourceNotFoundException"
    );
    let below = json!({"LayerName": "lib", "VersionNumber": 0});
    assert_eq!(
        scene.refused("GetLayerVersion", below).code,
        "InvalidParameterValueException"
    );
}

#[test]
fn layers_are_listed_with_their_newest_version_that_suits() {
    let scene = Scene::new();
    for name in ["a", "b", "c"] {
        publish(&scene, name, 12);
    }
    let other =
        json!({"LayerName": "b", "CompatibleRuntimes": ["nodejs22.x"], "Content": {"ZipFile": zip(12)}});
    scene.lambda("PublishLayerVersion", other);
    scene.lambda(
        "DeleteLayerVersion",
        json!({"LayerName": "c", "VersionNumber": 1}),
    );
    let list = |input: Value| {
        let answer = scene.lambda("ListLayers", input);
        let layers = answer["Layers"].as_array().unwrap().iter();
        let told: Vec<_> = layers
            .map(|layer| {
                let version = &layer["LatestMatchingVersion"]["Version"];
                (
                    layer["LayerName"].as_str().unwrap().to_owned(),
                    version.as_u64().unwrap(),
                )
            })
            .collect();
        (told, answer["NextMarker"].clone())
    };
    let pair = |name: &str, version: u64| (name.to_owned(), version);
    assert_eq!(list(json!({})).0, [pair("a", 1), pair("b", 2)]);
    assert_eq!(
        list(json!({"CompatibleRuntime": "python3.13"})).0,
        [pair("a", 1), pair("b", 1)]
    );
    assert_eq!(list(json!({"CompatibleRuntime": "nodejs22.x"})).0, [pair("b", 2)]);
    assert_eq!(list(json!({"CompatibleArchitecture": "arm64"})).0, []);
    let (first, marker) = list(json!({"MaxItems": 1}));
    assert_eq!(first, [pair("a", 1)]);
    assert_eq!(list(json!({"Marker": marker})), (vec![pair("b", 2)], Value::Null));
}

#[test]
fn a_function_runs_with_its_layers_in_order_and_keeps_what_is_deleted() {
    let scene = Scene::new();
    publish(&scene, "one", 12);
    publish(&scene, "two", 13);
    let layers = json!([arn(ACCOUNT, "two:1"), arn(ACCOUNT, "one:1")]);
    let made = scene.function("f", &json!({"Layers": layers, "Publish": true}));
    assert_eq!(made["Layers"][0]["Arn"], arn(ACCOUNT, "two:1"));
    scene.invoke("f", &json!({}));
    let run = scene.seen().pop().unwrap();
    let (two, one) = (run.layers[0].clone(), run.layers[1].clone());
    assert_ne!(one, two);
    let plain = scene.function("plain", &json!({}));
    assert_eq!(plain["Layers"], Value::Null);
    // A version that is deleted is there for the function, and for no other.
    let before = used(&scene);
    scene.lambda(
        "DeleteLayerVersion",
        json!({"LayerName": "one", "VersionNumber": 1}),
    );
    assert!(used(&scene) < before);
    scene.invoke("f", &json!({}));
    assert_eq!(scene.seen().pop().unwrap().layers, [two, one]);
    let refused = scene.refused(
        "UpdateFunctionConfiguration",
        json!({"FunctionName": "plain", "Layers": [arn(ACCOUNT, "one:1")]}),
    );
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        (
            "InvalidParameterValueException",
            format!("Layer version {} does not exist.", arn(ACCOUNT, "one:1")).as_str()
        )
    );
    // It goes with the last version of a function that uses it.
    let rows = |scene: &Scene| {
        let read = scene.cloud.gateway.system(REGION, |call| {
            let prefix = (ACCOUNT, REGION, "layer:one:1");
            Ok(call.range(&platform::lambda::code::CODE, &prefix, None, 9)?.len())
        });
        read.map_err(|fault| fault.message).unwrap()
    };
    assert_eq!(rows(&scene), 1);
    let bare = json!({"FunctionName": "f", "Layers": []});
    assert_eq!(
        scene.lambda("UpdateFunctionConfiguration", bare)["Layers"],
        Value::Null
    );
    assert_eq!(rows(&scene), 1, "the published version has it");
    scene.lambda("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"}));
    assert_eq!(rows(&scene), 0);
    scene.lambda(
        "DeleteLayerVersion",
        json!({"LayerName": "two", "VersionNumber": 1}),
    );
}

#[test]
fn layers_are_bounded() {
    let scene = Scene::new();
    let refused = |layers: Value, code: u32| {
        let more = json!({"FunctionName": "f", "Runtime": "python3.13", "Handler": "i.h", "Role": scene.role,
            "Code": {"ZipFile": zip(code)}, "Layers": layers});
        let refused = scene.refused("CreateFunction", more);
        assert_eq!(refused.code, "InvalidParameterValueException");
        refused.message
    };
    let names: Vec<_> = (0..6).map(|number| format!("l{number}")).collect();
    for name in &names {
        publish(&scene, name, 12);
    }
    let all: Vec<_> = names
        .iter()
        .map(|name| arn(ACCOUNT, &format!("{name}:1")))
        .collect();
    assert_eq!(refused(json!(all), 12), "Cannot reference more than 5 layers.");
    publish(&scene, "l0", 12);
    let twice = json!([arn(ACCOUNT, "l0:1"), arn(ACCOUNT, "l0:2")]);
    assert!(refused(twice, 12).starts_with("Two different versions of the same layer"));
    publish(&scene, "large", 200 << 20);
    publish(&scene, "larger", 100 << 20);
    let both = json!([arn(ACCOUNT, "large:1"), arn(ACCOUNT, "larger:1")]);
    assert_eq!(
        refused(both, 12),
        "Layers consume more than the available size of 262144000 bytes"
    );
    let message = refused(json!([arn(ACCOUNT, "large:1")]), 60 << 20);
    assert_eq!(
        message,
        format!(
            "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is {} bytes.",
            260 << 20
        )
    );
    scene.function("f", &json!({"Layers": [arn(ACCOUNT, "large:1")]}));
    let code = json!({"FunctionName": "f", "ZipFile": zip(60 << 20)});
    assert!(
        scene
            .refused("UpdateFunctionCode", code)
            .message
            .starts_with("Function code combined")
    );
    scene.function("g", &json!({"Code": {"ZipFile": zip(60 << 20)}}));
    let layers = json!({"FunctionName": "g", "Layers": [arn(ACCOUNT, "large:1")]});
    assert!(
        scene
            .refused("UpdateFunctionConfiguration", layers)
            .message
            .starts_with("Function code combined")
    );
}

/// Another account sees and uses a version that a policy grants it, and cannot tell from a refusal whether there is one.
#[test]
fn other_accounts_need_the_versions_policy() {
    let scene = Scene::new();
    publish(&scene, "shared", 12);
    let stranger = stranger(&scene);
    let get = |version: i64| {
        let input = json!({"LayerName": arn(ACCOUNT, "shared"), "VersionNumber": version});
        scene.call(&stranger, "lambda", "GetLayerVersion", input)
    };
    let (there, absent) = (get(1).unwrap_err(), get(7).unwrap_err());
    assert_eq!(
        (there.code.as_str(), absent.code.as_str()),
        ("AccessDeniedException", "AccessDeniedException")
    );
    assert_eq!(there.message.replace("shared:1", "shared:7"), absent.message);
    let grant = |principal: &str, id: &str| json!({"LayerName": "shared", "VersionNumber": 1, "StatementId": id, "Action": "lambda:GetLayerVersion", "Principal": principal});
    let added = scene.lambda("AddLayerVersionPermission", grant(OTHER, "other"));
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(
        statement["Principal"]["AWS"],
        format!("arn:aws:iam::{OTHER}:root")
    );
    assert_eq!(get(1).unwrap()["Version"], 1);
    let twice = scene.refused("AddLayerVersionPermission", grant(OTHER, "other"));
    assert_eq!(twice.code, "ResourceConflictException");
    let mut organization = grant(OTHER, "org");
    organization["OrganizationId"] = json!("o-abcdefghij");
    assert_eq!(
        scene.refused("AddLayerVersionPermission", organization).code,
        "InvalidParameterValueException"
    );
    let which = json!({"LayerName": "shared", "VersionNumber": 1});
    let policy = scene.lambda("GetLayerVersionPolicy", which.clone());
    assert_eq!(policy["RevisionId"], added["RevisionId"]);
    assert!(policy["Policy"].as_str().unwrap().contains("\"other\""));
    let mut stale = grant("*", "all");
    stale["RevisionId"] = json!("b7f0a6d2-0000-4000-8000-000000000000");
    assert_eq!(
        scene.refused("AddLayerVersionPermission", stale).code,
        "PreconditionFailedException"
    );
    let remove = json!({"LayerName": "shared", "VersionNumber": 1, "StatementId": "other"});
    scene.lambda("RemoveLayerVersionPermission", remove.clone());
    assert_eq!(get(1).unwrap_err().code, "AccessDeniedException");
    assert_eq!(
        scene.refused("RemoveLayerVersionPermission", remove).code,
        "ResourceNotFoundException"
    );
    assert_eq!(
        scene.refused("GetLayerVersionPolicy", which).code,
        "ResourceNotFoundException"
    );
}

/// Who makes a function must be allowed to see its layers, and policies may name the layers that functions have (`lambda:Layer`).
#[test]
fn naming_a_layer_takes_permission() {
    let scene = Scene::new();
    publish(&scene, "good", 12);
    publish(&scene, "bad", 12);
    let make =
        json!({"Effect": "Allow", "Action": ["lambda:CreateFunction", "iam:PassRole"], "Resource": "*"});
    let only = json!([make, {"Effect": "Allow", "Action": "lambda:GetLayerVersion", "Resource": arn(ACCOUNT, "good:*")}]);
    let maker = scene.user("maker", &only);
    let with = |name: &str, layer: &str| {
        json!({"FunctionName": name, "Runtime": "python3.13", "Handler": "i.h", "Role": scene.role,
            "Code": {"ZipFile": zip(12)}, "Layers": [arn(ACCOUNT, layer)]})
    };
    let refused = scene.refused_to(&maker, "CreateFunction", with("f", "bad:1"));
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(
        refused.message.contains("lambda:GetLayerVersion"),
        "{}",
        refused.message
    );
    scene
        .call(&maker, "lambda", "CreateFunction", with("f", "good:1"))
        .unwrap();
    let bound = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:CreateFunction", "Resource": "*",
         "Condition": {"ForAnyValue:StringNotLike": {"lambda:Layer": arn(ACCOUNT, "good:*")}}},
    ]);
    let bound = scene.user("bound", &bound);
    let refused = scene.refused_to(&bound, "CreateFunction", with("g", "bad:1"));
    assert_eq!(refused.code, "AccessDeniedException");
    scene
        .call(&bound, "lambda", "CreateFunction", with("g", "good:1"))
        .unwrap();
    let barred = json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "lambda:CreateFunction", "Resource": "*",
         "Condition": {"ForAnyValue:StringLike": {"lambda:Layer": arn(ACCOUNT, "bad:1")}}},
    ]);
    let barred = scene.user("barred", &barred);
    for spelling in [
        arn(ACCOUNT, "bad:01"),
        arn(ACCOUNT, "bad:1").replace("arn:aws:", "arn:aws-cn:"),
    ] {
        let mut input = with("h", "bad:1");
        input["Layers"] = json!([spelling]);
        let refused = scene.refused_to(&barred, "CreateFunction", input);
        assert_eq!(refused.code, "InvalidParameterValueException", "{spelling}");
    }
}

/// A function has what it uses of another account's layer, whatever becomes of the layer, its policy or that account (Lambda Developer
/// Guide, "Deleting a layer version"): it runs, is published and deleted as before, and the copy is not counted as its account's code.
#[test]
fn a_function_outlives_the_account_of_its_layer() {
    let scene = Scene::new();
    let stranger = stranger(&scene);
    let input = json!({"LayerName": "lent", "Content": {"ZipFile": zip(14)}});
    scene
        .call(&stranger, "lambda", "PublishLayerVersion", input)
        .unwrap();
    let grant = json!({"LayerName": "lent", "VersionNumber": 1, "StatementId": "s", "Action": "lambda:GetLayerVersion",
        "Principal": ACCOUNT});
    scene
        .call(&stranger, "lambda", "AddLayerVersionPermission", grant)
        .unwrap();
    scene.function("plain", &json!({}));
    let alone = used(&scene);
    publish(&scene, "own", 15);
    let own = used(&scene) - alone;
    let layers = json!([arn(OTHER, "lent:1"), arn(ACCOUNT, "own:1")]);
    scene.function("f", &json!({"Layers": layers}));
    assert_eq!(used(&scene), 2 * alone + own);
    scene.invoke("f", &json!({}));
    let before = scene.seen().pop().unwrap().layers;
    assert_eq!(before.len(), 2);
    // The version is deleted by its owner, then its account goes altogether.
    let version = json!({"LayerName": "lent", "VersionNumber": 1});
    scene
        .call(&stranger, "lambda", "DeleteLayerVersion", version)
        .unwrap();
    scene.cloud.gateway.store().reset(Some(OTHER)).unwrap();
    scene.cloud.gateway.forget();
    scene.invoke("f", &json!({}));
    assert_eq!(scene.seen().pop().unwrap().layers, before);
    scene.lambda("PublishVersion", json!({"FunctionName": "f"}));
    let rows = || {
        let read = scene.cloud.gateway.system(REGION, |call| {
            let prefix = (ACCOUNT, REGION, "f");
            Ok(call.range(&platform::lambda::code::CODE, &prefix, None, 9)?.len())
        });
        read.map_err(|fault| fault.message).unwrap()
    };
    assert_eq!(
        rows(),
        2,
        "the function's own code, and one copy for both versions"
    );
    let bare = json!({"FunctionName": "f", "Layers": [arn(ACCOUNT, "own:1")]});
    scene.lambda("UpdateFunctionConfiguration", bare);
    scene.invoke("f:1", &json!({}));
    assert_eq!(scene.seen().pop().unwrap().layers, before);
    let shown = scene.lambda("GetFunctionConfiguration", json!({"FunctionName": "f:1"}));
    assert_eq!(shown["Layers"][0]["Arn"], arn(OTHER, "lent:1"));
    let again = scene.refused(
        "UpdateFunctionConfiguration",
        json!({"FunctionName": "f", "Layers": layers}),
    );
    assert_eq!(again.code, "AccessDeniedException");
    scene.lambda("DeleteFunction", json!({"FunctionName": "f", "Qualifier": "1"}));
    assert_eq!(rows(), 1);
    scene.lambda("DeleteFunction", json!({"FunctionName": "f"}));
    assert_eq!((rows(), used(&scene)), (0, alone + own));
}
