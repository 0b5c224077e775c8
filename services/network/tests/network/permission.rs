//! Who may do what to which instance: resources, condition keys, tags at creation, and passing roles.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::{BUILT_IN, Scene, TYPE, whole};

fn arn(kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{id}")
}

fn tagged(value: &str) -> Value {
    json!({ "TagSpecifications": [{ "ResourceType": "instance", "Tags": [{ "Key": "team", "Value": value }] }] })
}

/// A role is handed to an instance only by who may pass it to EC2.
#[test]
fn a_launch_with_a_profile_takes_pass_role_for_its_role() {
    let scene = Scene::new();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/web");
    let launch = json!({ "Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:AssociateIamInstanceProfile"], "Resource": "*" });
    let pass = |service: &str| {
        json!({ "Effect": "Allow", "Action": "iam:PassRole", "Resource": role,
            "Condition": { "StringEquals": { "iam:PassedToService": service } } })
    };
    let plain = scene.user("plain", &launch);
    let other = scene.user("other", &json!([launch, pass("lambda.amazonaws.com")]));
    let right = scene.user("right", &json!([launch, pass("ec2.amazonaws.com")]));
    let with = whole(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    for caller in [&plain, &other] {
        let (code, message) = scene.refused_to(caller, "RunInstances", &with);
        assert_eq!(code, "UnauthorizedOperation");
        assert!(
            message.contains("iam:PassRole") && message.contains(&role),
            "{message}"
        );
    }
    assert!(scene.call(&plain, "RunInstances", &whole(&json!({}))).is_ok());
    assert!(scene.call(&right, "RunInstances", &with).is_ok());
    let id = scene.launch(&json!({}));
    let give = json!({ "InstanceId": id, "IamInstanceProfile": { "Name": "web" } });
    assert_eq!(
        scene.refused_to(&other, "AssociateIamInstanceProfile", &give).0,
        "UnauthorizedOperation"
    );
    assert!(scene.call(&right, "AssociateIamInstanceProfile", &give).is_ok());
}

#[test]
fn a_launch_is_judged_by_image_instance_and_key_pair() {
    let scene = Scene::new();
    scene.ok(
        "CreateKeyPair",
        &json!({ "KeyName": "mine", "KeyType": "ed25519" }),
    );
    let allow =
        |resource: Value| json!({ "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": resource });
    let image = format!("arn:aws:ec2:{REGION}::image/{BUILT_IN}");
    let no_image = scene.user(
        "no-image",
        &allow(json!([arn("instance", "*"), arn("key-pair", "*")])),
    );
    let no_instance = scene.user("no-instance", &allow(json!([image, arn("key-pair", "*")])));
    let no_key = scene.user("no-key", &allow(json!([image, arn("instance", "*")])));
    let asked = whole(&json!({ "KeyName": "mine" }));
    for (caller, resource) in [
        (&no_image, image.clone()),
        (&no_instance, arn("instance", "*")),
        (&no_key, arn("key-pair", "mine")),
    ] {
        let (code, message) = scene.refused_to(caller, "RunInstances", &asked);
        assert_eq!(code, "UnauthorizedOperation");
        assert!(message.contains(&format!("on resource: {resource}")), "{message}");
    }
    assert!(scene.call(&no_key, "RunInstances", &whole(&json!({}))).is_ok());
}

#[test]
fn condition_keys_tell_what_is_launched() {
    let scene = Scene::new();
    let deny = |key: &str, value: &str| {
        json!([
            { "Effect": "Allow", "Action": "ec2:*", "Resource": "*" },
            { "Effect": "Deny", "Action": "ec2:RunInstances", "Resource": arn("instance", "*"),
              "Condition": { "StringEquals": { key: value } } },
        ])
    };
    let profile = format!("arn:aws:iam::{ACCOUNT}:instance-profile/web");
    for (at, (key, value, more)) in [
        (
            "ec2:MetadataHttpTokens",
            "optional",
            json!({ "MetadataOptions": { "HttpTokens": "optional" } }),
        ),
        ("ec2:InstanceType", TYPE, json!({})),
        (
            "ec2:MetadataHttpEndpoint",
            "disabled",
            json!({ "MetadataOptions": { "HttpEndpoint": "disabled" } }),
        ),
        (
            "ec2:InstanceProfile",
            &profile,
            json!({ "IamInstanceProfile": { "Name": "web" } }),
        ),
        ("ec2:Region", REGION, json!({})),
        ("aws:RequestTag/team", "red", tagged("red")),
    ]
    .into_iter()
    .enumerate()
    {
        let caller = scene.user(&format!("denied-{at}"), &deny(key, value));
        let (code, message) = scene.refused_to(&caller, "RunInstances", &whole(&more));
        assert_eq!(code, "UnauthorizedOperation", "{key}");
        assert!(message.contains("explicit deny"), "{key}: {message}");
    }
    let caller = scene.user("spared", &deny("ec2:MetadataHttpTokens", "optional"));
    assert!(scene.call(&caller, "RunInstances", &whole(&json!({}))).is_ok());
}

#[test]
fn tags_at_creation_take_a_permission_of_their_own() {
    let scene = Scene::new();
    let launch = json!({ "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*" });
    let create = |action: &str| {
        json!({ "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": arn("instance", "*"),
            "Condition": { "StringEquals": { "ec2:CreateAction": action } } })
    };
    let plain = scene.user("plain", &launch);
    let (code, message) = scene.refused_to(&plain, "RunInstances", &whole(&tagged("red")));
    assert_eq!(code, "UnauthorizedOperation");
    assert!(message.contains("ec2:CreateTags"), "{message}");
    let right = scene.user("right", &json!([launch, create("RunInstances")]));
    let made = scene
        .call(&right, "RunInstances", &whole(&tagged("red")))
        .unwrap();
    let id = made["Instances"][0]["InstanceId"].clone();
    // What may be done at creation may not be done later.
    let later = json!({ "Resources": [id], "Tags": [{ "Key": "team", "Value": "blue" }] });
    assert_eq!(
        scene.refused_to(&right, "CreateTags", &later).0,
        "UnauthorizedOperation"
    );
}

/// What may be done to an instance may depend on its tags.
#[test]
fn permissions_by_the_tags_of_an_instance_end_where_the_tags_do() {
    let scene = Scene::new();
    let (red, blue) = (scene.launch(&tagged("red")), scene.launch(&tagged("blue")));
    let caller = scene.user(
        "red",
        &json!({ "Effect": "Allow", "Action": ["ec2:StopInstances", "ec2:StartInstances"], "Resource": arn("instance", "*"),
            "Condition": { "StringEquals": { "ec2:ResourceTag/team": "red" } } }),
    );
    let both = json!({ "InstanceIds": [red, blue] });
    let (code, message) = scene.refused_to(&caller, "StopInstances", &both);
    assert_eq!(code, "UnauthorizedOperation");
    assert!(message.contains(&arn("instance", &blue)), "{message}");
    assert_eq!(scene.state(&red), "running");
    assert!(
        scene
            .call(&caller, "StopInstances", &json!({ "InstanceIds": [red] }))
            .is_ok()
    );
    scene.ok(
        "DeleteTags",
        &json!({ "Resources": [red], "Tags": [{ "Key": "team" }] }),
    );
    scene.cloud.advance(0);
    let start = json!({ "InstanceIds": [red] });
    assert_eq!(
        scene.refused_to(&caller, "StartInstances", &start).0,
        "UnauthorizedOperation"
    );
}

#[test]
fn tags_are_listed_changed_and_bounded() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "MetadataOptions": { "InstanceMetadataTags": "enabled" } }));
    let tags: Vec<Value> = (0..50)
        .map(|at| json!({ "Key": format!("k{at:02}"), "Value": "v" }))
        .collect();
    scene.ok("CreateTags", &json!({ "Resources": [id], "Tags": tags }));
    scene.cloud.advance(0);
    assert_eq!(scene.plane.metadata.lock()[&id].tags.len(), 50);
    let more = json!({ "Resources": [id], "Tags": [{ "Key": "more", "Value": "" }] });
    assert_eq!(scene.refused("CreateTags", &more).0, "TagLimitExceeded");
    let own = json!({ "Resources": [id], "Tags": [{ "Key": "AWS:own", "Value": "" }] });
    assert_eq!(scene.refused("CreateTags", &own).0, "InvalidParameterValue");
    let other = json!({ "Resources": [id], "Tags": [{ "Key": "k00", "Value": "another" }] });
    scene.ok("DeleteTags", &other);
    scene.ok(
        "DeleteTags",
        &json!({ "Resources": [id], "Tags": [{ "Key": "k01", "Value": "v" }] }),
    );
    let filters =
        json!([{ "Name": "resource-type", "Values": ["instance"] }, { "Name": "key", "Values": ["k0?"] }]);
    let listed = scene.ok("DescribeTags", &json!({ "Filters": filters }));
    assert_eq!(listed["Tags"].as_array().unwrap().len(), 9);
    scene.ok("DeleteTags", &json!({ "Resources": [id] }));
    assert!(scene.shown(&id)["Tags"].is_null());
    let (code, _) = scene.refused(
        "CreateTags",
        &json!({ "Resources": ["vol-1"], "Tags": [{ "Key": "a" }] }),
    );
    assert_eq!(code, "InvalidID");
}

#[test]
fn metadata_options_come_of_the_launch_the_account_and_the_image_in_this_order() {
    let scene = Scene::new();
    let options = |id: &str| scene.shown(id)["MetadataOptions"].clone();
    let defaults =
        json!({ "HttpTokens": "optional", "HttpPutResponseHopLimit": 5, "InstanceMetadataTags": "enabled" });
    scene.ok("ModifyInstanceMetadataDefaults", &defaults);
    let told = scene.ok("GetInstanceMetadataDefaults", &json!({}));
    assert_eq!(told["AccountLevel"]["HttpPutResponseHopLimit"], 5);
    let id = scene.launch(&json!({ "MetadataOptions": { "HttpPutResponseHopLimit": 1 } }));
    let held = options(&id);
    assert_eq!(
        (&held["HttpTokens"], &held["HttpPutResponseHopLimit"]),
        (&json!("optional"), &json!(1))
    );
    let enforce = json!({ "HttpTokens": "no-preference", "HttpTokensEnforced": "enabled", "HttpPutResponseHopLimit": -1 });
    scene.ok("ModifyInstanceMetadataDefaults", &enforce);
    let loose = whole(&json!({ "MetadataOptions": { "HttpTokens": "optional" } }));
    let (code, message) = scene.refused("RunInstances", &loose);
    assert_eq!(code, "UnsupportedOperation");
    assert!(message.contains("httpTokensEnforced"), "{message}");
    let other = scene.launch(&json!({}));
    assert_eq!(
        (
            &options(&other)["HttpTokens"],
            &options(&other)["HttpPutResponseHopLimit"]
        ),
        (&json!("required"), &json!(2))
    );
    let change = json!({ "InstanceId": id, "HttpTokens": "required", "HttpEndpoint": "disabled" });
    scene.ok("ModifyInstanceMetadataOptions", &change);
    scene.cloud.advance(0);
    let told = scene.plane.metadata.lock()[&id].options;
    assert!(told.tokens_required && !told.enabled);
    let back = json!({ "InstanceId": id, "HttpTokens": "optional" });
    assert_eq!(
        scene.refused("ModifyInstanceMetadataOptions", &back).0,
        "UnsupportedOperation"
    );
    let wide = json!({ "InstanceId": id, "HttpPutResponseHopLimit": 65 });
    assert_eq!(
        scene.refused("ModifyInstanceMetadataOptions", &wide).0,
        "InvalidParameterValue"
    );
}

/// Service Authorization Reference, "Amazon EC2": `CreateTags` is judged by what the resource is, and tells what made it if it comes with
/// a creation.
#[test]
fn permissions_to_tag_see_what_the_resource_is() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" } }));
    let pair = scene.ok(
        "CreateKeyPair",
        &json!({ "KeyName": "mine", "KeyType": "ed25519" }),
    );
    let made = scene.ok("CreateImage", &json!({ "InstanceId": id, "Name": "base" }));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (pair, image) = (text(&pair["KeyPairId"]), text(&made["ImageId"]));
    let profile = format!("arn:aws:iam::{ACCOUNT}:instance-profile/web");
    let zone = format!("{REGION}a");
    for (at, (key, value, resource)) in [
        ("ec2:InstanceType", TYPE, &id),
        ("ec2:InstanceProfile", &profile, &id),
        ("ec2:MetadataHttpTokens", "required", &id),
        ("ec2:AvailabilityZone", &zone, &id),
        ("ec2:KeyPairType", "ed25519", &pair),
        ("ec2:KeyPairName", "mine", &pair),
        ("ec2:ImageID", &image, &image),
        ("ec2:Owner", ACCOUNT, &image),
        ("ec2:Public", "false", &image),
    ]
    .into_iter()
    .enumerate()
    {
        let allow = |value: &str| json!({ "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*", "Condition": { "StringEquals": { key: value } } });
        let right = scene.user(&format!("right-{at}"), &allow(value));
        let wrong = scene.user(&format!("wrong-{at}"), &allow("another"));
        let input = json!({ "Resources": [resource], "Tags": [{ "Key": "a", "Value": "b" }] });
        let tagged = scene.call(&right, "CreateTags", &input);
        assert!(
            tagged.is_ok(),
            "{key}: {:?}",
            tagged.err().map(|refusal| refusal.message)
        );
        assert_eq!(
            scene.refused_to(&wrong, "CreateTags", &input).0,
            "UnauthorizedOperation",
            "{key}"
        );
    }
    // With a launch, it sees the launch and what is launched.
    let launch = json!({ "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*" });
    let create = |of: &str| {
        json!({ "Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*", "Condition": { "StringEquals": {
            "ec2:CreateAction": "RunInstances", "ec2:InstanceType": of } } })
    };
    let right = scene.user("right-made", &json!([launch, create(TYPE)]));
    let wrong = scene.user("wrong-made", &json!([launch, create("t3.nano")]));
    let asked = whole(&tagged("red"));
    assert!(scene.call(&right, "RunInstances", &asked).is_ok());
    assert_eq!(
        scene.refused_to(&wrong, "RunInstances", &asked).0,
        "UnauthorizedOperation"
    );
}
