"""`ringwork keys`, last use, and request quotas: what a custodian sees and sets, by the built binary, boto3 and the AWS CLI."""

import datetime
import json
import unittest

import boto3
import botocore.config
import botocore.exceptions
from server import Judge, Server, StartRefused, statement


class Listing(Judge):
    OPTIONS = ("--clock-control",)

    def setUp(self):
        self.kms = self.server.client("kms")

    def listed(self, *words):
        return json.loads(self.server.ringwork("keys", *words, "--json"))["keys"]

    def one(self, name):
        (key,) = self.listed(name)
        return key

    def test_the_blast_radius_is_told_by_the_ciphertexts(self):
        """S8.4: what secrets and parameters are encrypted under, whatever alias they were given."""
        ssm, secrets = self.server.client("ssm"), self.server.client("secretsmanager")
        first, second = (self.kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        self.kms.create_alias(AliasName="alias/orders", TargetKeyId=first)
        ssm.put_parameter(Name="/orders/token", Value="t", Type="SecureString", KeyId="alias/orders")
        secret = secrets.create_secret(Name="orders/db", SecretString="s", KmsKeyId="alias/orders")["ARN"]
        ssm.put_parameter(Name="/orders/plain", Value="p", Type="String")
        # The alias moves on; what was encrypted did not.
        self.kms.update_alias(AliasName="alias/orders", TargetKeyId=second)
        secrets.put_secret_value(SecretId=secret, SecretString="s2")
        found = self.one(first)
        self.assertEqual(found["blast_radius"], {"AWS::SSM::Parameter": 1, "AWS::SecretsManager::Secret": 1})
        parameter = f"arn:aws:ssm:us-east-1:{self.server.account}:parameter/orders/token"
        self.assertEqual(sorted(found["encrypts"]), sorted([parameter, secret]))
        self.assertEqual(self.one("alias/orders")["encrypts"], [secret])
        words = self.server.ringwork("keys", "alias/orders")
        self.assertIn("1 secret", words)
        self.assertIn(secret, words)
        # The key that AWS's services make for themselves is listed as theirs.
        ssm.put_parameter(Name="/default", Value="d", Type="SecureString")
        own = self.one("alias/aws/ssm")
        self.assertEqual((own["manager"], own["blast_radius"]), ("AWS", {"AWS::SSM::Parameter": 1}))

    def test_objects_and_functions_count(self):
        """S8.4: objects under a key, version by version, and the variables of a function."""
        s3, key = self.server.client("s3"), self.kms.create_key()["KeyMetadata"]["Arn"]
        s3.create_bucket(Bucket="radius")
        s3.put_bucket_versioning(Bucket="radius", VersioningConfiguration={"Status": "Enabled"})
        by_kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        first = s3.put_object(Bucket="radius", Key="a/b", Body=b"1", **by_kms)["VersionId"]
        s3.put_object(Bucket="radius", Key="a/b", Body=b"2", **by_kms)
        s3.put_object(Bucket="radius", Key="plain", Body=b"3")
        s3.delete_object(Bucket="radius", Key="a/b")
        s3.put_object(Bucket="radius", Key="c", Body=b"4", **by_kms)
        found = self.one(key)
        self.assertEqual(found["blast_radius"], {"AWS::S3::Object": 3})
        self.assertIn("arn:aws:s3:::radius/c", found["encrypts"])
        self.assertIn(f"arn:aws:s3:::radius/a/b?versionId={first}", found["encrypts"])

    def test_who_may_use_a_key_is_what_calls_meet(self):
        arn = lambda name: f"arn:aws:iam::{self.server.account}:{name}"
        reader = self.user("reader", statement("kms:Decrypt"))
        self.user("writer", statement("kms:Encrypt"))
        key = self.kms.create_key()["KeyMetadata"]
        who = {found["arn"] for found in self.one(key["KeyId"])["who"]}
        self.assertIn(arn("user/reader"), who)
        self.assertIn(arn("root"), who)
        self.assertNotIn(arn("user/writer"), who)
        blob = self.kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        self.assertEqual(self.server.client("kms", reader).decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        signer = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        found = self.one(signer)
        self.assertEqual(found["action"], "kms:Sign")
        self.assertNotIn(arn("user/reader"), {able["arn"] for able in found["who"]})

    def test_states_ages_rotations_and_last_use(self):
        """S8.33, S8.47, S8.65: a key's life as the listing tells it."""
        key = self.kms.create_key(Description="the ledger's")["KeyMetadata"]["KeyId"]
        self.kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        fresh = self.one(key)
        self.assertEqual((fresh["state"], fresh["age_days"], fresh["last_use"]), ("Enabled", 0, None))
        self.assertEqual(fresh["rotation_period_days"], 90)
        self.assertEqual(self.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"], {})
        self.kms.encrypt(KeyId=key, Plaintext=b"x")
        self.assertEqual(self.one(key)["last_use"]["operation"], "Encrypt")
        usage = self.kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
        (event,) = [
            event for event in self.events("Encrypt") if event["resources"][0]["ARN"].endswith(key)
        ]
        self.assertEqual(usage["CloudTrailEventId"], event["eventID"])
        self.assertEqual(usage["KmsRequestId"], event["requestID"])
        before = fresh["next_rotation"]
        self.server.ringwork("clock", "advance", "100d")
        later = self.one(key)
        self.assertGreater(later["next_rotation"], before)
        self.assertEqual(later["age_days"], 100)
        day = self.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["DeletionDate"]
        doomed = self.one(key)
        self.assertEqual(doomed["state"], "PendingDeletion")
        self.assertIsNone(doomed["next_rotation"])
        told = datetime.datetime.fromisoformat(doomed["deletion"])
        self.assertLess(abs(told - day), datetime.timedelta(seconds=1))
        table = self.server.ringwork("keys").splitlines()
        self.assertEqual(table[0].split("\t")[:5], ["KEY", "STATE", "AGE", "ROTATES", "LAST USE"])
        (line,) = [line.split("\t") for line in table if line.startswith(key)]
        self.assertTrue(line[1].startswith("PendingDeletion "), line)

    def test_the_listing_narrows_and_names_what_is_unknown(self):
        here = self.kms.create_key()["KeyMetadata"]["KeyId"]
        there = self.server.client("kms", region="eu-west-1").create_key()["KeyMetadata"]["KeyId"]
        ids = lambda *words: {key["id"] for key in self.listed(*words)}
        self.assertTrue({here, there} <= ids())
        self.assertIn(there, ids("--region", "eu-west-1"))
        self.assertNotIn(here, ids("--region", "eu-west-1"))
        self.assertEqual(ids("--account", "999999999999"), set())
        self.assertEqual(len(ids("--limit", "1")), 1)
        self.server.ringwork("keys", "alias/nothing", expect=5)


class Throttled(Judge):
    OPTIONS = ("--request-quotas", "aws,kms.symmetric=50")

    def test_quotas_throttle_as_on_aws_and_the_sdk_comes_through(self):
        """Five `CreateKey` a second, and a client that tries again gets its key."""
        kms = self.server.client("kms")
        outcomes = []
        for _ in range(40):
            try:
                kms.create_key()
                outcomes.append("made")
            except botocore.exceptions.ClientError as error:
                self.assertEqual(error.response["Error"]["Code"], "ThrottlingException")
                self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
                outcomes.append("throttled")
        self.assertIn("throttled", outcomes)
        self.assertGreaterEqual(outcomes.count("made"), 5)
        throttled = self.events("CreateKey", errorCode="ThrottlingException")
        self.assertEqual(len(throttled), outcomes.count("throttled"))
        # An SDK that tries again, as they all do unless told not to.
        patient = botocore.config.Config(retries={"total_max_attempts": 8, "mode": "standard"}, proxies={})
        root = self.server.root
        client = boto3.session.Session().client(
            "kms", region_name="us-east-1", endpoint_url=self.server.endpoint, config=patient,
            aws_access_key_id=root.key, aws_secret_access_key=root.secret,
        )
        made = [client.create_key()["KeyMetadata"]["KeyState"] for _ in range(8)]
        self.assertEqual(set(made), {"Enabled"})

    def test_a_misspelt_quota_refuses_the_start(self):
        for wrong in ("aws,kms.MakeKey=1", "none", "aws,kms.CreateKey=many"):
            with self.subTest(wrong=wrong), self.assertRaises(StartRefused) as refused:
                Server("--memory", "--request-quotas", wrong)
            self.assertIn("--request-quotas", refused.exception.words)


if __name__ == "__main__":
    unittest.main()
