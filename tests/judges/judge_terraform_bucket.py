"""Terraform's AWS provider makes a bucket with policy, versioning, encryption, logging, public access block, lifecycle and object lock,
plans it again to nothing, changes it, and destroys it."""

import json
import pathlib
import shutil
import unittest

import judge_terraform


class Bucket(judge_terraform.Configuration):
    def setUp(self):
        super().setUp()
        shutil.copy(pathlib.Path(__file__).parent / "terraform/bucket/main.tf", self.folder)

    def test_it_applies_plans_to_nothing_and_is_destroyed(self):
        self.run_terraform("init", f"-plugin-dir={self.plugins}")
        self.run_terraform("apply", "-auto-approve")
        self.run_terraform("plan", "-detailed-exitcode")
        bucket = json.loads(self.run_terraform("output", "-json"))["bucket"]["value"]
        s3 = self.server.client("s3", self.admin)
        s3.put_object(Bucket=bucket, Key="k", Body=b"v", ServerSideEncryption="AES256")
        self.refused("AccessDenied", s3.get_object, Bucket=bucket, Key="k", status=403)
        versions = s3.list_object_versions(Bucket=bucket)["Versions"]
        s3.delete_object(Bucket=bucket, Key="k", VersionId=versions[0]["VersionId"], BypassGovernanceRetention=True)
        # A change is made in place, and then there is nothing to do again.
        self.run_terraform("apply", "-auto-approve", "-var=days=400")
        self.run_terraform("plan", "-detailed-exitcode", "-var=days=400")
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        self.assertIn(400, [rule.get("Expiration", {}).get("Days") for rule in rules])
        self.run_terraform("destroy", "-auto-approve")
        self.assertEqual(s3.list_buckets()["Buckets"], [])


if __name__ == "__main__":
    unittest.main()
