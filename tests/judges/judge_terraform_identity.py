"""Terraform's AWS provider sets up federation, second factors, passwords and an analyzer, plans it again to nothing, changes it,
and destroys it."""

import datetime
import json
import pathlib
import shutil
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import judge_terraform
from judge_mfa import Device
from judge_saml import IdentityProvider
from server import wait_for

LISTS = {
    "list_users": "Users", "list_roles": "Roles", "list_saml_providers": "SAMLProviderList",
    "list_open_id_connect_providers": "OpenIDConnectProviderList", "list_virtual_mfa_devices": "VirtualMFADevices",
    "list_server_certificates": "ServerCertificateMetadataList", "list_account_aliases": "AccountAliases",
    "list_instance_profiles": "InstanceProfiles",
}


def certificate(provider):
    """A certificate of today for the provider's key, which is not its own."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop.example.com")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(provider.key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    made = builder.not_valid_after(now + datetime.timedelta(days=365)).sign(provider.key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Identity(judge_terraform.Configuration):
    OPTIONS = ("--clock-control",)

    def setUp(self):
        super().setUp()
        shutil.copy(pathlib.Path(__file__).parent / "terraform/identity/main.tf", self.folder)
        provider = IdentityProvider()
        private = provider.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        ).decode()
        given = {"metadata": provider.metadata, "certificate": certificate(provider), "private_key": private}
        (self.folder / "terraform.tfvars.json").write_text(json.dumps(given))

    def listed(self):
        iam = self.server.client("iam")
        # The role that came with the analyzer stays, as on AWS, until somebody deletes it.
        own = lambda made: "/aws-service-role/" not in str(made)
        return {
            name: sorted(str(made) for made in getattr(iam, name)()[field] if own(made)) for name, field in LISTS.items()
        }

    def test_it_applies_plans_to_nothing_and_is_destroyed(self):
        """S3.10, S5.3, S6.2, S6.3, S6.4"""
        before = self.listed()
        self.run_terraform("init", f"-plugin-dir={self.plugins}")
        self.run_terraform("apply", "-auto-approve")
        self.run_terraform("plan", "-detailed-exitcode")
        outputs = {name: found["value"] for name, found in json.loads(self.run_terraform("output", "-json")).items()}
        iam = self.server.client("iam")
        self.assertEqual(iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"], 14)
        self.assertRegex(outputs["password"], "^.{24}$")
        # What was made works: the device's seed makes codes that are believed, and the roles trust whom they name.
        device = Device({"VirtualMFADevice": {
            "SerialNumber": outputs["serial"], "QRCodePNG": b"", "Base32StringSeed": outputs["seed"],
        }})
        operator = {"UserName": "operator", "SerialNumber": device.serial}
        iam.enable_mfa_device(**operator, **device.pair())
        iam.deactivate_mfa_device(**operator)
        trusted = {
            role["RoleName"]: role["AssumeRolePolicyDocument"]["Statement"][0] for role in iam.list_roles()["Roles"]
        }
        account = self.server.account
        self.assertEqual(trusted["people"]["Principal"], {"Federated": f"arn:aws:iam::{account}:saml-provider/corporate"})
        builds = f"arn:aws:iam::{account}:oidc-provider/builds.example.com/pipelines"
        self.assertEqual(trusted["builds"]["Principal"], {"Federated": builds})
        self.assertEqual(trusted["vendor"]["Condition"]["StringEquals"], {"sts:ExternalId": "agreed"})
        # The analyzer finds the vendor, and the rule archives it: no finding stays active for that account.
        analyzer = self.server.client("accessanalyzer")
        status = lambda: {
            finding["principal"].get("AWS"): finding["status"]
            for finding in analyzer.list_findings(analyzerArn=outputs["analyzer"])["findings"]
        }
        # What came after the analyzer is looked at within half an hour.
        self.server.ringwork("clock", "advance", "30m")
        wait_for(status)
        self.assertEqual(status().get("444455556666"), "ARCHIVED", status())
        changed = ("-var=length=20", "-var=vendor=renewed")
        self.run_terraform("apply", "-auto-approve", *changed)
        self.run_terraform("plan", "-detailed-exitcode", *changed)
        self.assertEqual(iam.get_account_password_policy()["PasswordPolicy"]["MinimumPasswordLength"], 20)
        self.run_terraform("destroy", "-auto-approve", *changed)
        self.assertEqual(self.listed(), before)
        self.refused("NoSuchEntity", iam.get_account_password_policy)
        self.assertEqual(analyzer.list_analyzers()["analyzers"], [])


if __name__ == "__main__":
    unittest.main()
