"""Terraform's AWS provider applies a configuration, plans it again to nothing, and destroys it: by an admin user's keys.

The provider is never downloaded: the judge runs where one lies on the machine, and says loudly where it does not run.
"""

import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from server import Credentials, Judge, clean_environment

PROVIDER = "registry.terraform.io/hashicorp/aws"


def target():
    """This machine, as the folders of providers call it."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}"


def plugin_folders():
    """Folders where a copy of the provider may lie: Terraform's own places, configured mirrors, and system packages."""
    home = pathlib.Path.home()
    named = [os.environ.get("TF_PLUGIN_CACHE_DIR")]
    configured = pathlib.Path(os.environ.get("TF_CLI_CONFIG_FILE", home / ".terraformrc"))
    if configured.is_file():
        named += re.findall(r'(?:path|plugin_cache_dir)\s*=\s*"([^"]+)"', configured.read_text())
    named += re.findall(r"-plugin-dir=(\S+)", os.environ.get("TF_CLI_ARGS_init", ""))
    own = [home / ".terraform.d/plugins", home / ".terraform.d/plugin-cache", home / ".local/share/terraform/plugins"]
    shared = [pathlib.Path("/usr/local/share/terraform/plugins"), pathlib.Path("/usr/share/terraform/plugins")]
    packages = sorted(path for path in pathlib.Path("/opt").glob("*") if path.is_dir())
    folders = [pathlib.Path(name).expanduser() for name in named if name] + own + shared + packages
    return [folder for folder in folders if any(folder.glob(f"{PROVIDER}/*/{target()}"))]


class Configuration(Judge):
    @classmethod
    def setUpClass(cls):
        cls.terraform = shutil.which("terraform")
        folders = plugin_folders() if cls.terraform else []
        if not folders:
            missing = "terraform is not installed" if not cls.terraform else "no copy of its AWS provider lies on this machine"
            print(f"\n*** NOT JUDGED: Terraform, since {missing}. ***\n", file=sys.stderr, flush=True)
            raise unittest.SkipTest(missing)
        cls.plugins = folders[0]
        super().setUpClass()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copy(pathlib.Path(__file__).parent / "terraform/main.tf", self.folder)
        iam = self.server.client("iam")
        iam.create_user(UserName="terraform-admin")
        iam.attach_user_policy(UserName="terraform-admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        self.admin = Credentials.of(iam.create_access_key(UserName="terraform-admin"))
        self.environment = {name: value for name, value in clean_environment().items() if not name.startswith("TF_")}
        self.environment |= self.admin.environment() | {
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "TF_VAR_endpoint": self.server.endpoint,
        }
        self.environment |= self.provider()

    def provider(self):
        """Starts the provider once for all commands of the test. Each would start its 700 MB several times, which is nearly all of
        the time that they take."""
        (program, *_) = self.plugins.glob(f"{PROVIDER}/*/{target()}/terraform-provider-aws*")
        process = subprocess.Popen(
            [program, "-debug"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self.environment, text=True
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for line in process.stdout:
            told = re.search("(TF_REATTACH_PROVIDERS)='(.*)'", line)
            if told:
                return {told[1]: told[2]}
        self.fail("the provider did not start")

    def run_terraform(self, *arguments, expect=0):
        command, *rest = arguments
        ended = subprocess.run(
            [self.terraform, command, *rest, *([] if command == "output" else ["-no-color"])],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600,
        )
        self.assertEqual(ended.returncode, expect, f"terraform {arguments}:\n{ended.stdout}\n{ended.stderr}")
        return ended.stdout

    def test_it_applies_plans_to_nothing_and_is_destroyed(self):
        before = {user["UserName"] for user in self.server.client("iam").list_users()["Users"]}
        self.run_terraform("init", f"-plugin-dir={self.plugins}")
        self.run_terraform("apply", "-auto-approve")
        self.run_terraform("plan", "-detailed-exitcode")
        outputs = {name: found["value"] for name, found in json.loads(self.run_terraform("output", "-json")).items()}
        anna = self.server.client("iam", Credentials.of(outputs["anna"]))
        self.assertIn("anna", [user["UserName"] for user in anna.list_users()["Users"]])
        self.refused("AccessDenied", anna.create_user, UserName="x")
        # A change is made in place, and then there is nothing to do again.
        self.run_terraform("apply", "-auto-approve", "-var=department=sales")
        self.run_terraform("plan", "-detailed-exitcode", "-var=department=sales")
        self.run_terraform("destroy", "-auto-approve")
        after = {user["UserName"] for user in self.server.client("iam").list_users()["Users"]}
        self.assertEqual(after, before)
        state = self.server.client("kms").describe_key(KeyId=outputs["key_arn"])["KeyMetadata"]["KeyState"]
        self.assertEqual(state, "PendingDeletion")
        made = [event for event in self.events("CreateRole") if event["userIdentity"].get("userName") == "terraform-admin"]
        self.assertEqual(len(made), 1)


if __name__ == "__main__":
    unittest.main()
