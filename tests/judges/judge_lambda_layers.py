"""Layers of functions that really run, by boto3: found below /opt in their order, shared by policy, there as long as they are used."""

import base64
import hashlib
import io
import json
import unittest
import urllib.request
import zipfile

from judge_lambda import PYTHON, trusted
from server import Credentials, Judge, statement, wait_for

CODE = """
import subprocess
import one, two, own
def handler(event, context):
    said = subprocess.run(["said"], capture_output=True, text=True).stdout.strip()
    return [one.WHERE, two.WHERE, own.WHERE, said]
"""


def packed(files):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if name.startswith("bin/") else 0o100644) << 16
            made.writestr(entry, text)
    return held.getvalue()


class Layers(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.functions, cls.iam = cls.server.client("lambda"), cls.server.client("iam")
        cls.role = cls.iam.create_role(RoleName="runs", AssumeRolePolicyDocument=trusted())["Role"]["Arn"]

    def publish(self, name, files, **more):
        return self.functions.publish_layer_version(LayerName=name, Content={"ZipFile": packed(files)}, **more)

    def run_it(self, name):
        answer = self.functions.invoke(FunctionName=name)
        said = json.loads(answer["Payload"].read())
        self.assertNotIn("FunctionError", answer, said)
        return said

    def test_a_function_finds_its_layers_in_order(self):
        first = self.publish("first", {
            "python/one.py": "WHERE = 'first'", "python/two.py": "WHERE = 'first'", "python/own.py": "WHERE = 'first'",
            "bin/said": "#!/bin/sh\necho a program\n",
        }, CompatibleRuntimes=[PYTHON], LicenseInfo="MIT")
        second = self.publish("second", {"python/two.py": "WHERE = 'second'"})
        layers = [first["LayerVersionArn"], second["LayerVersionArn"]]
        made = self.functions.create_function(
            FunctionName="layered", Runtime=PYTHON, Handler="index.handler", Role=self.role, Timeout=20, Layers=layers,
            Code={"ZipFile": packed({"index.py": CODE, "own.py": "WHERE = 'function'"})})
        self.assertEqual([layer["Arn"] for layer in made["Layers"]], layers)
        self.assertEqual(self.run_it("layered"), ["first", "second", "function", "a program"])
        # In the other order, the first covers the second.
        self.functions.update_function_configuration(FunctionName="layered", Layers=layers[::-1])
        self.assertEqual(self.run_it("layered"), ["first", "first", "function", "a program"])
        shown = self.functions.get_layer_version_by_arn(Arn=layers[0])
        self.assertEqual((shown["Version"], shown["LicenseInfo"], shown["CompatibleRuntimes"]), (1, "MIT", [PYTHON]))
        with urllib.request.urlopen(shown["Content"]["Location"]) as fetched:
            zipped = fetched.read()
        self.assertEqual(base64.b64encode(hashlib.sha256(zipped).digest()).decode(), shown["Content"]["CodeSha256"])
        # What is deleted stays for who uses it.
        self.functions.delete_layer_version(LayerName="first", VersionNumber=1)
        self.refused("ResourceNotFoundException", self.functions.get_layer_version, LayerName="first", VersionNumber=1)
        self.functions.update_function_configuration(FunctionName="layered", Timeout=30)
        self.assertEqual(self.run_it("layered")[0], "first")
        names = [layer["LayerName"] for layer in self.functions.list_layers()["Layers"]]
        self.assertIn("second", names)
        self.assertNotIn("first", names)

    def test_another_account_uses_what_it_was_granted(self):
        version = self.publish("shared", {"python/one.py": "WHERE = 'shared'"})
        account = self.server.client("organizations")
        account.create_organization()
        made = account.create_account(AccountName="other", Email="other@example.com")["CreateAccountStatus"]
        other = self.account_of(account, made["Id"])
        assumed = self.server.client("sts", self.user("goes", statement("sts:AssumeRole"))).assume_role(
            RoleArn=f"arn:aws:iam::{other}:role/OrganizationAccountAccessRole", RoleSessionName="session")
        client = self.server.client("lambda", Credentials.of(assumed))
        arn = version["LayerVersionArn"]
        self.refused("AccessDeniedException", client.get_layer_version_by_arn, Arn=arn)
        organization = account.describe_organization()["Organization"]["Id"]
        self.functions.add_layer_version_permission(
            LayerName="shared", VersionNumber=1, StatementId="org", Action="lambda:GetLayerVersion", Principal="*",
            OrganizationId=organization)
        self.assertEqual(client.get_layer_version_by_arn(Arn=arn)["LayerVersionArn"], arn)
        document = json.loads(self.functions.get_layer_version_policy(LayerName="shared", VersionNumber=1)["Policy"])
        self.assertEqual(document["Statement"][0]["Condition"], {"StringEquals": {"aws:PrincipalOrgID": organization}})
        self.functions.remove_layer_version_permission(LayerName="shared", VersionNumber=1, StatementId="org")
        self.refused("AccessDeniedException", client.get_layer_version_by_arn, Arn=arn)

    def account_of(self, organizations, request):
        status = lambda: organizations.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
        wait_for(lambda: status()["State"] == "SUCCEEDED")
        return status()["AccountId"]

    def test_policies_say_which_layers_functions_may_have(self):
        good = self.publish("good", {"python/one.py": ""})["LayerVersionArn"]
        bad = self.publish("bad", {"python/one.py": ""})["LayerVersionArn"]
        deny = statement("lambda:CreateFunction", effect="Deny", Condition={
            "ForAnyValue:StringNotLike": {"lambda:Layer": [good]}})
        client = self.server.client("lambda", self.user("bound", statement("*"), deny))
        make = lambda name, layer: client.create_function(
            FunctionName=name, Runtime=PYTHON, Handler="index.handler", Role=self.role, Layers=[layer],
            Code={"ZipFile": packed({"index.py": "def handler(event, context): pass"})})
        with self.assertRaises(client.exceptions.ClientError) as refused:
            make("bounded", bad)
        self.assertEqual(refused.exception.response["Error"]["Code"], "AccessDeniedException")
        make("bounded", good)


if __name__ == "__main__":
    unittest.main()
