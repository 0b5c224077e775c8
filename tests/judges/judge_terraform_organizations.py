"""Terraform's AWS provider makes an organization with its policies, plans it again to nothing, changes it, and destroys it."""

import json
import pathlib
import shutil
import unittest

import judge_terraform
from server import Credentials


class Organization(judge_terraform.Configuration):
    OPTIONS = ("--clock-control",)

    def setUp(self):
        super().setUp()
        shutil.copy(pathlib.Path(__file__).parent / "terraform/organization/main.tf", self.folder)

    def test_it_applies_plans_to_nothing_and_is_destroyed(self):
        """S2.17"""
        self.run_terraform("init", f"-plugin-dir={self.plugins}")
        self.run_terraform("apply", "-auto-approve")
        self.run_terraform("plan", "-detailed-exitcode")
        outputs = {name: found["value"] for name, found in json.loads(self.run_terraform("output", "-json")).items()}
        role = f"arn:aws:iam::{outputs['account']}:role/OrganizationAccountAccessRole"
        opened = self.server.client("sts", self.admin).assume_role(RoleArn=role, RoleSessionName="judged")
        iam = self.server.client("iam", Credentials.of(opened))
        self.refused("AccessDenied", iam.create_group, GroupName="makers")
        # The document changes in place, and counts at once.
        changed = "-var=denied=iam:CreateUser"
        self.run_terraform("apply", "-auto-approve", changed)
        self.run_terraform("plan", "-detailed-exitcode", changed)
        iam.create_group(GroupName="makers")
        self.refused("AccessDenied", iam.create_user, UserName="maker")
        # A closed account stays for ninety days; only then is the organization empty.
        self.run_terraform("apply", "-auto-approve", changed, "-var=with_account=false")
        self.server.ringwork("clock", "advance", "91d")
        self.run_terraform("destroy", "-auto-approve", changed, "-var=with_account=false")
        organizations = self.server.client("organizations", self.admin)
        self.refused("AWSOrganizationsNotInUseException", organizations.describe_organization)


if __name__ == "__main__":
    unittest.main()
