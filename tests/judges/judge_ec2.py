"""EC2's own calls by boto3 and the AWS CLI: what needs no running instance. `judge_instances` looks into running ones."""

import base64
import json
import pathlib
import subprocess
import tempfile
import unittest

from server import Judge, Refused, statement, wait_for

IMAGE = "ami-00000000000000001"


class Ec2(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2 = cls.server.client("ec2")
        cls.kind = "t3.micro" if cls.architecture() == "x86_64" else "t4g.micro"
        cls.runs = cls.isolated()

    @classmethod
    def architecture(cls):
        return cls.ec2.describe_images(ImageIds=[IMAGE])["Images"][0]["Architecture"]

    @classmethod
    def isolated(cls):
        findings = json.loads(cls.server.ringwork("doctor", "--json"))
        return next(finding["ok"] for finding in findings if finding["check"] == "instances' isolation")

    def launch(self, client=None, **more):
        if not self.runs:
            self.skipTest("this machine runs no instances: `ringwork doctor` says why")
        asked = {"ImageId": IMAGE, "InstanceType": self.kind, "MinCount": 1, "MaxCount": 1, **more}
        return (client or self.ec2).run_instances(**asked)["Instances"][0]["InstanceId"]

    def state(self, instance):
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        return found["State"]["Name"]

    def test_a_host_says_truthfully_what_its_image_is(self):
        found = self.ec2.describe_images(Owners=["amazon"])["Images"]
        self.assertEqual([image["ImageId"] for image in found], [IMAGE])
        self.assertIn("is no image of AWS", found[0]["Description"])
        self.assertEqual(found[0]["ImdsSupport"], "v2.0")

    def test_lists_of_what_every_account_has(self):
        regions = self.server.aws("ec2", "describe-regions")["Regions"]
        self.assertIn("eu-central-1", [region["RegionName"] for region in regions])
        zones = self.server.aws("ec2", "describe-availability-zones")["AvailabilityZones"]
        self.assertEqual([zone["ZoneId"] for zone in zones], ["use1-az1", "use1-az2", "use1-az3"])
        found = self.ec2.get_paginator("describe_instance_types").paginate(
            Filters=[{"Name": "instance-type", "Values": ["t3.*"]}], PaginationConfig={"PageSize": 5}
        )
        known = {one["InstanceType"]: one["MemoryInfo"]["SizeInMiB"] for page in found for one in page["InstanceTypes"]}
        self.assertEqual(known["t3.micro"], 1024)

    def test_a_denial_is_told_as_ec2_tells_it_and_can_be_decoded(self):
        nobody = self.user("nobody", statement("sts:DecodeAuthorizationMessage"))
        mine = self.server.client("ec2", nobody)
        told = self.refused("UnauthorizedOperation", mine.describe_instances, status=403)["Error"]["Message"]
        self.assertTrue(told.startswith("You are not authorized to perform this operation. User: "), told)
        self.assertIn("is not authorized to perform: ec2:DescribeInstances on resource: *", told)
        encoded = told.rsplit("Encoded authorization failure message: ", 1)[1]
        sts = self.server.client("sts", nobody)
        decoded = json.loads(sts.decode_authorization_message(EncodedMessage=encoded)["DecodedMessage"])
        self.assertEqual(decoded["context"]["action"], "ec2:DescribeInstances")
        # CloudTrail names it as EC2 does.
        wait_for(lambda: self.events("DescribeInstances", errorCode="Client.UnauthorizedOperation"))

    def test_a_dry_run_tells_what_would_have_been(self):
        if not self.runs:
            self.skipTest("this machine runs no instances: `ringwork doctor` says why")
        asked = {"ImageId": IMAGE, "InstanceType": self.kind, "MinCount": 1, "MaxCount": 1, "DryRun": True}
        answer = self.refused("DryRunOperation", self.ec2.run_instances, status=412, **asked)
        self.assertIn("Request would have succeeded", answer["Error"]["Message"])
        denied = self.server.client("ec2", self.user("dry", statement("ec2:RunInstances", effect="Deny")))
        self.refused("UnauthorizedOperation", denied.run_instances, status=403, **asked)

    def test_what_is_not_there_is_told_in_ec2_s_words(self):
        for code, call, named in (
            ("InvalidInstanceID.NotFound", "describe_instances", {"InstanceIds": ["i-0123456789abcdef0"]}),
            ("InvalidInstanceID.Malformed", "stop_instances", {"InstanceIds": ["nonsense"]}),
            ("InvalidAMIID.NotFound", "describe_images", {"ImageIds": ["ami-0123456789abcdef0"]}),
            ("InvalidKeyPair.NotFound", "describe_key_pairs", {"KeyNames": ["none"]}),
            ("InvalidParameterValue", "describe_instances", {"Filters": [{"Name": "colour", "Values": ["red"]}]}),
            ("InvalidAssociationID.NotFound", "disassociate_iam_instance_profile", {"AssociationId": "iip-assoc-0"}),
        ):
            self.refused(code, getattr(self.ec2, call), status=400, **named)
        asked = {"ImageId": IMAGE, "InstanceType": self.kind, "MinCount": 1, "MaxCount": 1}
        for code, more in (
            ("InvalidSubnetID.NotFound", {"SubnetId": "subnet-0123456789abcdef0"}),
            ("InvalidGroup.NotFound", {"SecurityGroupIds": ["sg-0123456789abcdef0"]}),
            ("UnsupportedOperation", {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 1}}]}),
        ):
            self.refused(code, self.ec2.run_instances, status=400, **asked, **more)
        with self.assertRaises(Refused) as refused:
            self.server.aws("ec2", "describe-vpcs")
        self.assertIn("NotImplemented", refused.exception.words)

    def test_openssh_takes_the_keys_that_are_made(self):
        for kind in ("rsa", "ed25519"):
            made = self.server.aws("ec2", "create-key-pair", "--key-name", kind, "--key-type", kind)
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder) / "key"
                path.touch(0o600)
                path.write_text(made["KeyMaterial"])
                read = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], capture_output=True, text=True) \
                    if self.has_ssh() else None
            shown = self.ec2.describe_key_pairs(KeyNames=[kind], IncludePublicKey=True)["KeyPairs"][0]
            if read:
                self.assertEqual(read.returncode, 0, read.stderr)
                self.assertEqual(read.stdout.split()[:2], shown["PublicKey"].split()[:2])
            brought = self.ec2.import_key_pair(KeyName=f"{kind}-2", PublicKeyMaterial=shown["PublicKey"].encode())
            self.assertEqual(brought["KeyFingerprint"] == made["KeyFingerprint"], kind == "ed25519")

    @staticmethod
    def has_ssh():
        try:
            return subprocess.run(["ssh-keygen", "-?"], capture_output=True).returncode is not None
        except FileNotFoundError:
            return False

    def test_defaults_of_the_account_say_how_metadata_services_behave(self):
        region = {"region": "eu-west-1"}
        ec2 = self.server.client("ec2", **region)
        ec2.modify_instance_metadata_defaults(HttpTokens="optional", HttpPutResponseHopLimit=3)
        self.assertEqual(ec2.get_instance_metadata_defaults()["AccountLevel"]["HttpTokens"], "optional")
        if self.runs:
            instance = self.launch(ec2)
            held = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["MetadataOptions"]
            self.assertEqual((held["HttpTokens"], held["HttpPutResponseHopLimit"]), ("optional", 3))
            ec2.terminate_instances(InstanceIds=[instance])
        ec2.modify_instance_metadata_defaults(HttpTokensEnforced="enabled")
        asked = {"ImageId": IMAGE, "InstanceType": self.kind, "MinCount": 1, "MaxCount": 1}
        loose = {"MetadataOptions": {"HttpTokens": "optional"}}
        self.refused("UnsupportedOperation", ec2.run_instances, **asked, **loose)

    def test_a_life_by_the_cli(self):
        if not self.runs:
            self.skipTest("this machine runs no instances: `ringwork doctor` says why")
        aws = self.server.aws
        made = aws("ec2", "run-instances", "--image-id", IMAGE, "--instance-type", self.kind,
                   "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=one}]")
        instance = made["Instances"][0]["InstanceId"]
        wait_for(lambda: self.state(instance) == "running")
        found = aws("ec2", "describe-instances", "--filters", "Name=tag:Name,Values=o?e", "Name=instance-state-name,Values=running")
        self.assertEqual(found["Reservations"][0]["Instances"][0]["InstanceId"], instance)
        self.ec2.create_tags(Resources=[instance], Tags=[{"Key": "team", "Value": "blue"}])
        tags = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [instance]}])["Tags"]
        self.assertEqual([tag["Key"] for tag in tags], ["Name", "team"])
        self.ec2.stop_instances(InstanceIds=[instance])
        wait_for(lambda: self.state(instance) == "stopped")
        image = self.ec2.create_image(InstanceId=instance, Name="of one")["ImageId"]
        self.assertEqual(self.ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"], image)
        self.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
        self.refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[instance])
        self.ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
        self.ec2.terminate_instances(InstanceIds=[instance])
        wait_for(lambda: self.state(instance) == "terminated")
        self.server.ringwork("clock", "advance", "2h")
        self.refused("InvalidInstanceID.NotFound", self.ec2.describe_instances, InstanceIds=[instance])

    def test_a_token_launches_once(self):
        token = {"ClientToken": "judged"}
        first, second = self.launch(**token), self.launch(**token)
        self.assertEqual(first, second)
        asked = {"ImageId": IMAGE, "InstanceType": self.kind, "MinCount": 1, "MaxCount": 2}
        self.refused("IdempotentParameterMismatch", self.ec2.run_instances, **asked, **token)
        self.ec2.terminate_instances(InstanceIds=[first])

    def test_secrets_in_user_data_are_in_no_record(self):
        """The call's record leaves user data out; whoever may read the attribute reads it."""
        secret = "a-secret-of-user-data"
        instance = self.launch(UserData=f"#!/bin/sh\n# {secret}\n")
        wait_for(lambda: self.events("RunInstances"))
        self.assertNotIn(secret, json.dumps(self.events("RunInstances")))
        encoded = base64.b64encode(secret.encode()).decode()
        self.assertNotIn(encoded[:16], json.dumps(self.events("RunInstances")))
        told = self.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
        self.assertIn(secret, base64.b64decode(told["UserData"]["Value"]).decode())
        self.ec2.terminate_instances(InstanceIds=[instance])


if __name__ == "__main__":
    unittest.main()
