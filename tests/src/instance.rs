//! An instance for the world, and what EC2's operations name beside it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wire::Document;

use crate::world::World;

impl World {
    /// A running instance with a profile and a key pair, and an image of it.
    pub(crate) fn furnish_instance(&mut self, name: &str) {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        self.make(
            "CreateRole",
            json!({"RoleName": "machine", "AssumeRolePolicyDocument": trust}),
        );
        self.make("CreateInstanceProfile", json!({"InstanceProfileName": "machine"}));
        let into = json!({"InstanceProfileName": "machine", "RoleName": "machine"});
        self.make("AddRoleToInstanceProfile", into);
        let ok = |world: &Self, operation: &str, input: Value| {
            let made = world.call("ec2", operation, input);
            made.unwrap_or_else(|code| panic!("{operation}: {code}"))
        };
        let text = |value: &Value| value.as_str().expect("an id in the answer").to_owned();
        let due = |world: &Self| {
            let ran = world.wait(world.gateway.run_due(world.gateway.clock().now()));
            ran.map_err(|fault| fault.message).expect("the plane's work");
        };
        ok(
            self,
            "CreateKeyPair",
            json!({"KeyName": name, "KeyType": "ed25519"}),
        );
        let kind = if cfg!(target_arch = "aarch64") {
            "t4g.micro"
        } else {
            "t3.micro"
        };
        let launch = json!({
            "ImageId": network::ec2::image::BUILT_IN, "InstanceType": kind, "MinCount": 1, "MaxCount": 1, "KeyName": name,
            "iamInstanceProfile": {"name": "machine"},
        });
        let instance = text(&ok(self, "RunInstances", launch)["instancesSet"][0]["instanceId"]);
        due(self);
        let shown = ok(self, "DescribeIamInstanceProfileAssociations", json!({}));
        let association = text(&shown["iamInstanceProfileAssociationSet"][0]["associationId"]);
        let made = ok(
            self,
            "CreateImage",
            json!({"instanceId": instance, "name": "existing"}),
        );
        let image = text(&made["imageId"]);
        due(self);
        let said = |value: &str| Document::String(value.to_owned());
        let profile = Document::Structure(vec![("Name", said("machine"))]);
        let profile = ("IamInstanceProfile", profile);
        let key = (
            "PublicKeyMaterial",
            Document::Blob(crate::sample::ssh_key(3).into_bytes()),
        );
        let description = Document::Structure(vec![("Value", said("changed"))]);
        for (operation, members) in [
            ("ec2:RunInstances", vec![("InstanceType", said(kind))]),
            ("ec2:AssociateIamInstanceProfile", vec![profile.clone()]),
            ("ec2:ReplaceIamInstanceProfileAssociation", vec![profile]),
            ("ec2:CreateKeyPair", vec![("KeyName", said("made"))]),
            ("ec2:ImportKeyPair", vec![("KeyName", said("made")), key]),
            ("ec2:CreateImage", vec![("Name", said("made"))]),
            (
                "ec2:ModifyInstanceAttribute",
                vec![("Attribute", said("disableApiStop")), ("Value", said("false"))],
            ),
            (
                "ec2:ModifyInstanceMetadataOptions",
                vec![("HttpTokens", said("required"))],
            ),
            ("ec2:ModifyImageAttribute", vec![("Description", description)]),
        ] {
            self.existing.pairs.insert(operation, members);
        }
        self.existing.instances = BTreeMap::from([
            ("InstanceId", instance.clone()),
            ("InstanceIds", instance.clone()),
            ("Resources", instance),
            ("ImageId", image),
            ("AssociationId", association),
        ]);
    }
}
