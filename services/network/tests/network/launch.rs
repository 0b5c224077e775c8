//! Launching: what comes of a request, what is refused, and what a second one with the same token gets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::testing::REGION;
use serde_json::{Value, json};

use crate::scene::{BUILT_IN, Scene, TYPE, whole};

#[test]
fn an_instance_is_pending_until_the_plane_has_started_it() {
    let scene = Scene::new();
    let data = STANDARD.encode("#!/bin/sh\necho hello\n");
    let id = scene.launching(&json!({ "UserData": data }));
    assert_eq!(scene.state(&id), "pending");
    scene.cloud.advance(0);
    assert_eq!(scene.state(&id), "running");
    let asked = scene.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].task, asked[0].boot, &asked[0].id), ("start", 1, &id));
    let more = &asked[0].more;
    assert_eq!(more["data"], "#!/bin/sh\necho hello\n");
    assert_eq!(
        (&more["first"], &more["vcpus"], &more["memory"]),
        (&json!(true), &json!(2), &json!(1024))
    );
    let shown = scene.shown(&id);
    assert_eq!(shown["ImageId"], BUILT_IN);
    assert_eq!(shown["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(shown["MetadataOptions"]["HttpPutResponseHopLimit"], 2);
    let metadata = scene.plane.metadata.lock()[&id].clone();
    assert_eq!(
        metadata.private_ip.to_string(),
        shown["PrivateIpAddress"].as_str().unwrap()
    );
    assert!(metadata.options.tokens_required);
    let document: serde_json::Value = serde_json::from_str(&metadata.identity_document).unwrap();
    assert_eq!(document["instanceId"], json!(id));
    assert_eq!(id.len(), 19);
}

#[test]
fn a_launch_with_a_token_is_done_once() {
    let scene = Scene::new();
    let asked = whole(&json!({ "ClientToken": "once", "MaxCount": 2 }));
    let first = scene.ok("RunInstances", &asked);
    let second = scene.ok("RunInstances", &asked);
    assert_eq!(first["ReservationId"], second["ReservationId"]);
    assert_eq!(first["Instances"].as_array().unwrap().len(), 2);
    let listed = scene.ok("DescribeInstances", &json!({}));
    assert_eq!(listed["Reservations"].as_array().unwrap().len(), 1);
    let other = whole(&json!({ "ClientToken": "once", "MaxCount": 1 }));
    assert_eq!(
        scene.refused("RunInstances", &other).0,
        "IdempotentParameterMismatch"
    );
}

/// What a request names may be gone when it comes again: the answer is the one that it got.
#[test]
fn a_launch_that_comes_again_is_answered_though_its_image_profile_and_key_pair_are_gone() {
    let scene = Scene::new();
    let source = scene.launch(&json!({}));
    let made = scene.ok("CreateImage", &json!({ "InstanceId": source, "Name": "base" }));
    scene.cloud.advance(0);
    scene.ok(
        "CreateKeyPair",
        &json!({ "KeyName": "mine", "KeyType": "ed25519" }),
    );
    let profile = json!({ "Name": "web" });
    let asked = whole(&json!({
        "ClientToken": "once", "ImageId": made["ImageId"], "KeyName": "mine", "IamInstanceProfile": profile,
    }));
    let first = scene.ok("RunInstances", &asked);
    scene.cloud.advance(0);
    scene.asked();
    scene.ok("DeregisterImage", &json!({ "ImageId": made["ImageId"] }));
    scene.ok("DeleteKeyPair", &json!({ "KeyName": "mine" }));
    let out = json!({ "InstanceProfileName": "web", "RoleName": "web" });
    scene.iam("RemoveRoleFromInstanceProfile", out);
    scene.iam("DeleteInstanceProfile", json!({ "InstanceProfileName": "web" }));
    let second = scene.ok("RunInstances", &asked);
    assert_eq!(first["ReservationId"], second["ReservationId"]);
    assert_eq!(second["Instances"][0]["State"]["Name"], "running", "as it is now");
    let mut other = asked.clone();
    other["MaxCount"] = json!(2);
    assert_eq!(
        scene.refused("RunInstances", &other).0,
        "IdempotentParameterMismatch"
    );
    other["ClientToken"] = json!("another");
    assert_eq!(scene.refused("RunInstances", &other).0, "InvalidAMIID.NotFound");
    // Nobody learns of it who may not launch.
    let nobody = scene.user(
        "nobody",
        &json!({ "Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*" }),
    );
    assert_eq!(
        scene.refused_to(&nobody, "RunInstances", &asked).0,
        "UnauthorizedOperation"
    );
    scene.cloud.advance(0);
    assert_eq!(scene.asked(), []);
}

/// Amazon EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests": a request that names a zone is done once in that zone.
#[test]
fn a_token_is_good_for_one_launch_in_each_zone_that_is_named() {
    let scene = Scene::new();
    let asked = |letter: &str| {
        let zone = format!("{REGION}{letter}");
        scene.ok(
            "RunInstances",
            &whole(&json!({ "ClientToken": "once", "Placement": { "AvailabilityZone": zone } })),
        )["ReservationId"]
            .clone()
    };
    let (first, other) = (asked("a"), asked("b"));
    assert_ne!(first, other);
    assert_eq!((asked("a"), asked("b")), (first, other));
    let long = whole(&json!({ "ClientToken": "t".repeat(65) }));
    assert_eq!(scene.refused("RunInstances", &long).0, "InvalidParameterValue");
}

/// Each of the launches is refused with its code and a word, and nothing comes of any.
fn refuses(cases: &[(Value, &str, &str)]) {
    let scene = Scene::new();
    for (more, code, word) in cases {
        let (got, message) = scene.refused("RunInstances", &whole(more));
        assert_eq!(&got, code, "{more}: {message}");
        assert!(message.contains(word), "{more}: {message}");
    }
    let listed = scene.ok("DescribeInstances", &json!({}));
    assert!(listed["Reservations"].as_array().unwrap().is_empty());
    assert!(scene.asked().is_empty());
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let subnet = "subnet-0123456789abcdef0";
    let mapped = json!([{ "DeviceName": "/dev/sdb" }]);
    let volume = json!([{ "ResourceType": "volume", "Tags": [{ "Key": "a", "Value": "b" }] }]);
    let unbuilt = "UnsupportedOperation";
    refuses(&[
        (json!({ "SubnetId": subnet }), "InvalidSubnetID.NotFound", subnet),
        (
            json!({ "CapacityReservationSpecification": { "CapacityReservationPreference": "capacity-reservations-only" } }),
            unbuilt,
            "CapacityReservationSpecification",
        ),
        (
            json!({ "SecurityGroupIds": ["sg-1"] }),
            "InvalidGroup.NotFound",
            "sg-1",
        ),
        (
            json!({ "SecurityGroups": ["web"] }),
            "InvalidGroup.NotFound",
            "web",
        ),
        (json!({ "EbsOptimized": true }), unbuilt, "EbsOptimized"),
        (
            json!({ "BlockDeviceMappings": mapped }),
            unbuilt,
            "BlockDeviceMappings",
        ),
        (
            json!({ "Monitoring": { "Enabled": true } }),
            unbuilt,
            "Monitoring",
        ),
        (
            json!({ "Placement": { "Tenancy": "dedicated" } }),
            unbuilt,
            "Placement",
        ),
        (json!({ "InstanceType": "p5.48xlarge" }), unbuilt, "p5.48xlarge"),
        (json!({ "TagSpecifications": volume }), unbuilt, "volume"),
    ]);
}

#[test]
fn what_is_wrong_is_refused_in_aws_s_words() {
    let wrong = "InvalidParameterValue";
    let foreign = if TYPE == "t3.micro" {
        "t4g.micro"
    } else {
        "t3.micro"
    };
    let own = json!([{ "ResourceType": "instance", "Tags": [{ "Key": "aws:a", "Value": "b" }] }]);
    let long = STANDARD.encode(vec![b'a'; 16_385]);
    let none = json!({ "Name": "none" });
    refuses(&[
        (json!({ "KeyName": "none" }), "InvalidKeyPair.NotFound", "none"),
        (
            json!({ "Placement": { "AvailabilityZone": "mars-1a" } }),
            wrong,
            "mars-1a",
        ),
        (json!({ "InstanceType": foreign }), wrong, "architecture"),
        (
            json!({ "IamInstanceProfile": none }),
            wrong,
            "Invalid IAM Instance Profile name",
        ),
        (
            json!({ "UserData": "not base64!" }),
            "InvalidUserData.Malformed",
            "BASE64",
        ),
        (json!({ "UserData": long }), wrong, "16384"),
        (json!({ "MinCount": 2 }), wrong, "maxCount"),
        (
            json!({ "MinCount": 17, "MaxCount": 17 }),
            "VcpuLimitExceeded",
            "32",
        ),
        (
            json!({ "ImageId": "ami-0123456789abcdef0" }),
            "InvalidAMIID.NotFound",
            "ami-0123456789abcdef0",
        ),
        (json!({ "ImageId": "none" }), "InvalidAMIID.Malformed", "none"),
        (json!({ "TagSpecifications": own }), wrong, "reserved"),
        (json!({ "PrivateIpAddress": "10.0.0.9" }), wrong, "10.0.0.9"),
    ]);
}

#[test]
fn a_dry_run_says_that_it_would_be_allowed_and_does_nothing() {
    let scene = Scene::new();
    assert_eq!(
        scene
            .refused("RunInstances", &whole(&json!({ "DryRun": true })))
            .0,
        "DryRunOperation"
    );
    let id = scene.launch(&json!({}));
    scene.asked();
    for (operation, ids) in [
        ("StopInstances", "InstanceIds"),
        ("TerminateInstances", "InstanceIds"),
    ] {
        let (code, _) = scene.refused(operation, &json!({ ids: [id], "DryRun": true }));
        assert_eq!(code, "DryRunOperation");
    }
    scene.cloud.advance(0);
    assert!(scene.asked().is_empty());
    let nobody = scene.user(
        "nobody",
        &json!({ "Effect": "Deny", "Action": "*", "Resource": "*" }),
    );
    let asked = whole(&json!({ "DryRun": true }));
    assert_eq!(
        scene.refused_to(&nobody, "RunInstances", &asked).0,
        "UnauthorizedOperation"
    );
}

#[test]
fn an_address_that_is_asked_for_is_given_once() {
    let scene = Scene::new();
    let more = json!({ "PrivateIpAddress": "172.31.3.7" });
    let id = scene.launch(&more);
    assert_eq!(scene.shown(&id)["PrivateIpAddress"], "172.31.3.7");
    assert_eq!(
        scene.refused("RunInstances", &whole(&more)).0,
        "InvalidIPAddress.InUse"
    );
    scene.ok("TerminateInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    scene.launch(&more);
}

#[test]
fn a_host_that_cannot_run_instances_says_what_it_lacks() {
    let scene = Scene::new();
    *scene.plane.lacking.lock() = Some("user namespaces are switched off".to_owned());
    let (code, message) = scene.refused("RunInstances", &whole(&json!({})));
    assert_eq!(code, "Unsupported");
    assert!(message.contains("user namespaces are switched off"), "{message}");
}

#[test]
fn lists_are_filtered_and_come_in_pages() {
    let scene = Scene::new();
    let tag = |value: &str| json!({ "TagSpecifications": [{ "ResourceType": "instance", "Tags": [{ "Key": "Name", "Value": value }] }] });
    let mut ids: Vec<String> = (0..6)
        .map(|at| scene.launch(&tag(&format!("web-{at}"))))
        .collect();
    scene.ok("TerminateInstances", &json!({ "InstanceIds": [ids[5]] }));
    scene.cloud.advance(0);
    let count = |filters: serde_json::Value| {
        let shown = scene.ok("DescribeInstances", &json!({ "Filters": filters }));
        shown["Reservations"].as_array().unwrap().len()
    };
    assert_eq!(
        count(json!([{ "Name": "instance-state-name", "Values": ["running"] }])),
        5
    );
    assert_eq!(count(json!([{ "Name": "tag:Name", "Values": ["web-?"] }])), 6);
    assert_eq!(
        count(
            json!([{ "Name": "tag:Name", "Values": ["web-1", "web-2"] }, { "Name": "image-id", "Values": ["ami-*"] }])
        ),
        2
    );
    assert_eq!(count(json!([{ "Name": "vpc-id", "Values": ["*"] }])), 0);
    let unknown = json!({ "Filters": [{ "Name": "colour", "Values": ["red"] }] });
    assert_eq!(
        scene.refused("DescribeInstances", &unknown).0,
        "InvalidParameterValue"
    );
    let page = scene.ok("DescribeInstances", &json!({ "MaxResults": 5 }));
    let next = page["NextToken"].as_str().unwrap();
    let rest = scene.ok(
        "DescribeInstances",
        &json!({ "MaxResults": 5, "NextToken": next }),
    );
    assert!(rest["NextToken"].is_null());
    let mut listed: Vec<String> = [page, rest]
        .iter()
        .flat_map(|page| page["Reservations"].as_array().unwrap().clone())
        .map(|one| one["Instances"][0]["InstanceId"].as_str().unwrap().to_owned())
        .collect();
    listed.sort();
    ids.sort();
    assert_eq!(listed, ids);
    let (code, _) = scene.refused("DescribeInstances", &json!({ "NextToken": "forged" }));
    assert_eq!(code, "InvalidPaginationToken");
}

/// Each list refuses ids together with pages in the words of its own parameter.
#[test]
fn ids_and_pages_are_refused_together_by_the_name_that_the_list_has_for_them() {
    let scene = Scene::new();
    for (operation, ids, named) in [
        (
            "DescribeInstances",
            json!({ "InstanceIds": ["i-0123456789abcdef0"] }),
            "instancesSet cannot be used with the parameter maxResults",
        ),
        (
            "DescribeInstanceStatus",
            json!({ "InstanceIds": ["i-0123456789abcdef0"] }),
            "instancesSet cannot be used with the parameter maxResults",
        ),
        (
            "DescribeImages",
            json!({ "ImageIds": [BUILT_IN] }),
            "imageIdsSet cannot be used with the parameter maxResults",
        ),
        (
            "DescribeInstanceTypes",
            json!({ "InstanceTypes": [TYPE] }),
            "InstanceTypes cannot be used with the parameter MaxResults",
        ),
    ] {
        let mut input = ids.clone();
        input["MaxResults"] = json!(10);
        let refused = scene.refused(operation, &input);
        assert_eq!(
            refused,
            (
                "InvalidParameterCombination".to_owned(),
                format!("The parameter {named}")
            )
        );
        let mut input = json!({ "MaxResults": 10 });
        input["NextToken"] = json!("nonsense");
        assert_eq!(
            scene.refused(operation, &input).0,
            "InvalidPaginationToken",
            "{operation}"
        );
    }
}

/// What the model itself asks for is told in EC2's words too.
#[test]
fn what_is_missing_or_has_no_such_value_is_told_by_the_name_of_the_parameter() {
    let scene = Scene::new();
    for (operation, input, code, message) in [
        (
            "StopInstances",
            json!({}),
            "MissingParameter",
            "The request must contain the parameter InstanceId",
        ),
        (
            "RunInstances",
            json!({ "ImageId": BUILT_IN, "MaxCount": 1 }),
            "MissingParameter",
            "The request must contain the parameter MinCount",
        ),
        (
            "CreateKeyPair",
            json!({ "KeyName": "mine", "KeyType": "dsa" }),
            "InvalidParameterValue",
            "Value (dsa) for parameter keyType is invalid.",
        ),
        (
            "RunInstances",
            whole(&json!({ "MetadataOptions": { "HttpTokens": "perhaps" } })),
            "InvalidParameterValue",
            "Value (perhaps) for parameter metadataOptions.httpTokens is invalid.",
        ),
    ] {
        let (got, told) = scene.refused(operation, &input);
        assert_eq!(got, code, "{operation}: {told}");
        assert!(told.starts_with(message), "{told}");
    }
}
