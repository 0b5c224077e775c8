"""Secrets that are kept encrypted and shared by grants, by boto3 and the AWS CLI."""

import json
import pathlib
import uuid

from server import Judge, Refused, statement


def resource_policy(principal, *actions):
    allowed = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


class Secrets(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secrets = cls.server.client("secretsmanager")
        cls.kms = cls.server.client("kms")
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]

    def secret(self, name, value="value", **more):
        return self.secrets.create_secret(Name=name, SecretString=value, KmsKeyId=self.key, **more)["ARN"]

    def test_a_story_of_the_cli(self):
        """S11.7, S11.10"""
        aws = self.server.aws
        made = aws("secretsmanager", "create-secret", "--name", "story/db", "--secret-string", '{"password":"first"}',
                   "--kms-key-id", self.key, "--tags", "Key=team,Value=blue")
        self.assertRegex(made["ARN"], r":secret:story/db-[A-Za-z0-9]{6}$")
        aws("secretsmanager", "put-secret-value", "--secret-id", "story/db", "--secret-string", "second")
        read = aws("secretsmanager", "get-secret-value", "--secret-id", made["ARN"])
        self.assertEqual((read["SecretString"], read["VersionStages"]), ("second", ["AWSCURRENT"]))
        before = aws("secretsmanager", "get-secret-value", "--secret-id", "story/db", "--version-stage", "AWSPREVIOUS")
        self.assertEqual((before["SecretString"], before["VersionId"]), ('{"password":"first"}', made["VersionId"]))
        listed = aws("secretsmanager", "list-secrets", "--filters", "Key=name,Values=story/")["SecretList"]
        self.assertEqual([(one["Name"], one["Tags"]) for one in listed], [("story/db", [{"Key": "team", "Value": "blue"}])])
        aws("secretsmanager", "delete-secret", "--secret-id", "story/db", "--recovery-window-in-days", "7")
        with self.assertRaises(Refused) as refused:
            aws("secretsmanager", "get-secret-value", "--secret-id", "story/db")
        self.assertIn("marked for deletion", refused.exception.words)
        aws("secretsmanager", "restore-secret", "--secret-id", "story/db")
        aws("secretsmanager", "get-secret-value", "--secret-id", "story/db")

    def test_a_window_ends_by_the_clock(self):
        self.secret("leaving")
        self.secrets.delete_secret(SecretId="leaving", RecoveryWindowInDays=7)
        self.server.ringwork("clock", "advance", "7d")
        self.refused("ResourceNotFoundException", self.secrets.describe_secret, SecretId="leaving", status=400)

    def test_passwords_are_random(self):
        """S11.5"""
        drawn = {self.secrets.get_random_password()["RandomPassword"] for _ in range(20)}
        self.assertEqual((len(drawn), {len(one) for one in drawn}), (20, {32}))
        digits = self.secrets.get_random_password(
            PasswordLength=64, ExcludePunctuation=True, ExcludeLowercase=True, ExcludeUppercase=True
        )["RandomPassword"]
        self.assertTrue(digits.isdigit() and len(digits) == 64)
        self.refused("InvalidParameterException", self.secrets.get_random_password, PasswordLength=2)

    def test_access_by_identity_and_by_resource(self):
        """S11.8: either policy suffices within the account, a Deny wins."""
        arn = self.secret("access")
        decrypt = statement("kms:Decrypt")
        able, named = self.user("able", statement("secretsmanager:GetSecretValue"), decrypt), self.user("named", decrypt)
        one, two = self.server.client("secretsmanager", able), self.server.client("secretsmanager", named)
        self.assertEqual(one.get_secret_value(SecretId=arn)["SecretString"], "value")
        self.refused("AccessDeniedException", two.get_secret_value, SecretId=arn, status=400)
        user = f"arn:aws:iam::{self.server.account}:user/"
        self.secrets.put_resource_policy(
            SecretId=arn, ResourcePolicy=resource_policy(user + "named", "secretsmanager:GetSecretValue"), BlockPublicPolicy=True
        )
        self.assertEqual(two.get_secret_value(SecretId=arn)["SecretString"], "value")
        public = resource_policy("*", "secretsmanager:GetSecretValue")
        self.refused(
            "PublicPolicyException", self.secrets.put_resource_policy, SecretId=arn, ResourcePolicy=public, BlockPublicPolicy=True
        )
        denying = json.loads(resource_policy(user + "able", "secretsmanager:GetSecretValue"))
        denying["Statement"][0]["Effect"] = "Deny"
        self.secrets.put_resource_policy(SecretId=arn, ResourcePolicy=json.dumps(denying))
        error = self.refused("AccessDeniedException", one.get_secret_value, SecretId=arn)
        self.assertIn("explicit deny in a resource-based policy", error["Error"]["Message"])

    def test_the_key_must_allow_too(self):
        arn = self.secret("locked")
        keyless = self.server.client("secretsmanager", self.user("keyless", statement("secretsmanager:*")))
        error = self.refused("AccessDeniedException", keyless.get_secret_value, SecretId=arn)
        self.assertEqual(error["Error"]["Message"], "Access to KMS is not allowed")

    def test_a_batch_reads_what_it_may(self):
        arn = self.secret("batch/one")
        self.secret("batch/two")
        reader = self.user("reader", statement("secretsmanager:BatchGetSecretValue"), statement("kms:Decrypt"),
                           statement("secretsmanager:GetSecretValue", arn))
        answer = self.server.client("secretsmanager", reader).batch_get_secret_value(SecretIdList=["batch/one", "batch/two"])
        self.assertEqual([one["SecretString"] for one in answer["SecretValues"]], ["value"])
        told = [(one["SecretId"], one["ErrorCode"]) for one in answer["Errors"]]
        self.assertEqual(told, [("batch/two", "AccessDeniedException")])

    def test_labels_rotate_by_hand(self):
        arn = self.secret("labels", "old")
        token = str(uuid.uuid4())
        new = self.secrets.put_secret_value(
            SecretId=arn, SecretString="new", VersionStages=["AWSPENDING"], ClientRequestToken=token
        )
        self.assertEqual((new["VersionId"], new["VersionStages"]), (token, ["AWSPENDING"]))
        self.refused("ResourceExistsException", self.secrets.put_secret_value,
                     SecretId=arn, SecretString="other", ClientRequestToken=token)
        stages = self.secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
        [current] = [version for version, labels in stages.items() if "AWSCURRENT" in labels]
        self.secrets.update_secret_version_stage(
            SecretId=arn, VersionStage="AWSCURRENT", RemoveFromVersionId=current, MoveToVersionId=token
        )
        self.assertEqual(self.secrets.get_secret_value(SecretId=arn)["SecretString"], "new")
        old = self.secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
        self.assertEqual(old["SecretString"], "old")

    def test_nothing_lies_in_clear(self):
        """S11.10: neither the data folder nor the trail holds a value."""
        plain = "unmistakable-" + uuid.uuid4().hex
        self.secret("hidden", plain)
        self.assertEqual(self.secrets.get_secret_value(SecretId="hidden")["SecretString"], plain)
        self.refused("ResourceNotFoundException", self.secrets.get_secret_value, SecretId="hidden-not")
        for path in pathlib.Path(self.server.data).rglob("*"):
            if path.is_file():
                self.assertNotIn(plain.encode(), path.read_bytes(), path)
        for name in ("CreateSecret", "GetSecretValue", "GenerateDataKey", "Decrypt"):
            events = self.events(name)
            self.assertTrue(events, name)
            self.assertNotIn(plain, json.dumps(events))
        [event] = [event for event in self.events("Decrypt") if ":secret:hidden-" in json.dumps(event)]
        self.assertEqual(event["userIdentity"]["invokedBy"], "secretsmanager.amazonaws.com")
