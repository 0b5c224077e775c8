"""Terraform's AWS provider has a bucket copied to another, whose arrivals a function hears of, plans it again to nothing, changes it, and
destroys it."""

import json
import pathlib
import shutil
import unittest

import judge_terraform
from judge_lambda import packed
from server import wait_for

HEARS = "def handler(event, context):\n    return None\n"


class Copies(judge_terraform.Configuration):
    def setUp(self):
        super().setUp()
        shutil.copy(pathlib.Path(__file__).parent / "terraform/copies/main.tf", self.folder)
        (self.folder / "function.zip").write_bytes(packed(HEARS))

    def test_it_applies_plans_to_nothing_and_is_destroyed(self):
        self.run_terraform("init", f"-plugin-dir={self.plugins}")
        self.run_terraform("apply", "-auto-approve")
        self.run_terraform("plan", "-detailed-exitcode")
        outputs = {name: found["value"] for name, found in json.loads(self.run_terraform("output", "-json")).items()}
        s3 = self.server.client("s3", self.admin)
        s3.put_object(Bucket=outputs["records"], Key="daily/a.log", Body=b"line")
        status = lambda: s3.head_object(Bucket=outputs["records"], Key="daily/a.log")["ReplicationStatus"]
        wait_for(lambda: status() == "COMPLETED")
        self.assertEqual(s3.head_object(Bucket=outputs["copies"], Key="daily/a.log")["ReplicationStatus"], "REPLICA")
        # A change is made in place, and then there is nothing to do again.
        self.run_terraform("apply", "-auto-approve", "-var=class=STANDARD_IA")
        self.run_terraform("plan", "-detailed-exitcode", "-var=class=STANDARD_IA")
        rules = s3.get_bucket_replication(Bucket=outputs["records"])["ReplicationConfiguration"]["Rules"]
        self.assertEqual(rules[0]["Destination"]["StorageClass"], "STANDARD_IA")
        self.run_terraform("destroy", "-auto-approve")
        self.assertEqual(s3.list_buckets()["Buckets"], [])


if __name__ == "__main__":
    unittest.main()
