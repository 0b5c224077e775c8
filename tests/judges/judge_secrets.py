"""Secrets that are kept encrypted and shared by grants, by boto3 and the AWS CLI."""

import json
import pathlib
import tempfile
import uuid

from server import Credentials, Judge, REGION, Refused, Server, policy, statement

OTHER = "222233334444"
DORA = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SEED = f"""\
accounts:
- id: "{OTHER}"
  name: Acquired
  users:
  - name: dora
    inline:
      all: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}
    access_keys:
    - {{id: {DORA.key}, secret: {DORA.secret}}}
"""


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


class AcrossAccounts(Judge):
    """A primary of one account and a replica of another, by boto3."""

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            seed = pathlib.Path(folder) / "seed.yaml"
            seed.write_text(SEED)
            cls.server = Server("--seed", str(seed))
        cls.addClassCleanup(cls.server.close)
        cls.secrets = cls.server.client("secretsmanager")
        cls.theirs = cls.server.client("secretsmanager", DORA)
        cls.key = cls.server.client("kms").create_key()["KeyMetadata"]["Arn"]

    def pair(self, name, principal):
        """A primary and its replica, for which this principal of the primary's account may encrypt by Secrets Manager alone."""
        primary = self.secrets.create_secret(Name=name, SecretString="one", KmsKeyId=self.key)["ARN"]
        kms = self.server.client("kms", DORA)
        key = kms.create_key()["KeyMetadata"]["Arn"]
        replica = self.theirs.create_secret(Name=name, KmsKeyId=key, CrossAccountPrimaryARN=primary)["ARN"]
        asked = {
            "kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com", "kms:EncryptionContext:SecretARN": replica
        }
        own = statement("kms:*", Principal={"AWS": f"arn:aws:iam::{OTHER}:root"})
        lent = statement("kms:Encrypt", Principal={"AWS": principal}, Condition={"StringEquals": asked})
        kms.put_key_policy(KeyId=key, Policy=policy(own, lent))
        return primary, replica

    def states(self, primary, replica):
        [known] = self.secrets.describe_secret(SecretId=primary)["CrossAccountReplicas"]
        there = self.theirs.describe_secret(SecretId=replica)["CrossAccountPrimary"]
        self.assertEqual((known["ReplicaSecretARN"], there["PrimarySecretARN"]), (replica, primary))
        return known["ReplicationStatus"], there["ReplicationStatus"]

    def value(self, replica):
        return self.theirs.get_secret_value(SecretId=replica)["SecretString"]

    def test_a_replica_follows_a_primary_of_another_account(self):
        """S11.6: both accounts must let it be, and so must both keys."""
        user = f"arn:aws:iam::{self.server.account}:user/keeper"
        keeper = self.server.client("secretsmanager", self.user("keeper", statement(["secretsmanager:*", "kms:*"])))
        primary, replica = self.pair("followed", user)
        there = self.theirs.describe_secret(SecretId=replica)["CrossAccountPrimary"]
        self.assertEqual(there, {"PrimarySecretARN": primary, "ReplicationStatus": "Pending"})
        listed = self.theirs.list_resource_policies(SecretId=replica)["ResourcePolicies"]
        self.assertEqual(listed, [{"PolicyName": "cross-account-replication"}])
        tie = {"SecretId": primary, "CrossAccountReplicaARN": replica}
        # Neither account is of an organization.
        self.refused("InvalidRequestException", keeper.associate_cross_account_replica, **tie)
        # The replica's key does not let the root user in.
        free = {**tie, "ReplicaRestriction": "NoRestriction"}
        self.refused("AccessDeniedException", self.secrets.associate_cross_account_replica, **free)
        self.assertEqual(keeper.associate_cross_account_replica(**free)["ReplicationStatus"], "InSync")
        self.assertEqual((self.states(primary, replica), self.value(replica)), (("InSync", "InSync"), "one"))
        keeper.put_secret_value(SecretId=primary, SecretString="two")
        self.assertEqual(self.value(replica), "two")
        self.refused("InvalidParameterException", self.theirs.put_secret_value, SecretId=replica, SecretString="x")
        self.secrets.put_secret_value(SecretId=primary, SecretString="three")
        self.assertEqual((self.states(primary, replica), self.value(replica)), (("Failed", "Failed"), "two"))
        keeper.associate_cross_account_replica(**free)
        self.assertEqual((self.states(primary, replica), self.value(replica)), (("InSync", "InSync"), "three"))
        self.refused("InvalidRequestException", self.secrets.delete_secret, SecretId=primary)
        keeper.disassociate_cross_account_replica(**tie)
        self.assertNotIn("CrossAccountReplicas", self.secrets.describe_secret(SecretId=primary))
        self.secrets.delete_secret(SecretId=primary)
        self.refused("InvalidRequestException", self.theirs.delete_secret, SecretId=replica)
        self.theirs.stop_replication_to_replica(SecretId=replica)
        self.theirs.put_secret_value(SecretId=replica, SecretString="own")
        self.assertEqual(self.value(replica), "own")
        trail = self.server.client("cloudtrail", DORA)
        shared = trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "AssociateCrossAccountReplica"}]
        )["Events"]
        self.assertTrue(shared)

    def test_a_role_replicates_for_whoever_changes_the_primary(self):
        iam = self.server.client("iam")
        allowed = {"Effect": "Allow", "Principal": {"Service": "secretsmanager.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(
            RoleName="replicator", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        )["Role"]["Arn"]
        keys = policy(statement(["kms:Decrypt", "kms:Encrypt"]))
        iam.put_role_policy(RoleName="replicator", PolicyName="keys", PolicyDocument=keys)
        primary, replica = self.pair("by-role", role)
        tie = {"SecretId": primary, "CrossAccountReplicaARN": replica, "ReplicaRestriction": "NoRestriction"}
        helper = self.user("helper", statement("secretsmanager:*"))
        self.refused("AccessDeniedException", self.server.client("secretsmanager", helper).associate_cross_account_replica,
                     **tie, ReplicationRoleARN=role)
        self.secrets.associate_cross_account_replica(**tie, ReplicationRoleARN=role)
        [known] = self.secrets.describe_secret(SecretId=primary)["CrossAccountReplicas"]
        self.assertEqual(known["ReplicationRoleARN"], role)
        # Root may not use the replica's key: the role alone may.
        self.secrets.put_secret_value(SecretId=primary, SecretString="two")
        self.assertEqual((self.states(primary, replica), self.value(replica)), (("InSync", "InSync"), "two"))
        [event, *_] = [event for event in self.events("Encrypt") if replica in json.dumps(event)]
        self.assertIn(":assumed-role/replicator/", event["userIdentity"]["arn"])
        iam.delete_role_policy(RoleName="replicator", PolicyName="keys")
        self.secrets.put_secret_value(SecretId=primary, SecretString="three")
        self.assertEqual((self.states(primary, replica), self.value(replica)), (("Failed", "Failed"), "two"))
        iam.delete_role(RoleName="replicator")
        self.secrets.put_secret_value(SecretId=primary, SecretString="four")
        [known] = self.secrets.describe_secret(SecretId=primary)["CrossAccountReplicas"]
        self.assertIn("can't assume the replication role", known["StatusMessage"])
        # The replica's account reads the same, and learns no name of this one's.
        self.assertNotIn("replicator", known["StatusMessage"])
