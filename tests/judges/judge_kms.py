"""Keys that really encrypt, by boto3 and the AWS CLI."""

import base64
import json
import pathlib
import tempfile
import unittest

import botocore.exceptions
from server import Judge, Refused, statement


class Encryption(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")
        cls.key = cls.kms.create_key(Description="the story's")["KeyMetadata"]["KeyId"]

    def test_what_is_encrypted_is_decrypted_and_nothing_else(self):
        """S8.17, S8.32: the blob names its key, and a changed one never opens."""
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"secret")["CiphertextBlob"]
        self.assertNotIn(b"secret", blob)
        answer = self.kms.decrypt(CiphertextBlob=blob)
        self.assertEqual((answer["Plaintext"], answer["KeyId"].split("/")[-1]), (b"secret", self.key))
        self.assertNotEqual(blob, self.kms.encrypt(KeyId=self.key, Plaintext=b"secret")["CiphertextBlob"])
        for place in range(0, len(blob), 7):
            changed = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1:]
            # A blob that names a key of somebody else is refused for that, before anything is told of the blob.
            with self.assertRaises(botocore.exceptions.ClientError) as caught:
                self.kms.decrypt(CiphertextBlob=changed)
            self.assertIn(caught.exception.response["Error"]["Code"], ("InvalidCiphertextException", "AccessDeniedException"))
        for cut in (blob[:-1], blob + b"\0", b"x"):
            self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=cut)

    def test_the_context_is_part_of_it(self):
        context = {"department": "finance", "purpose": "payroll"}
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(context.items())))["Plaintext"], b"x")
        for wrong in ({}, {"department": "finance"}, {**context, "more": "x"}, {**context, "purpose": "Payroll"}):
            self.refused("InvalidCiphertextException", self.kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)

    def test_another_key_never_opens_it(self):
        other = self.kms.create_key()["KeyMetadata"]["KeyId"]
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        self.refused("IncorrectKeyException", self.kms.decrypt, CiphertextBlob=blob, KeyId=other)
        moved = self.kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)
        self.assertTrue(moved["SourceKeyId"].endswith(self.key) and moved["KeyId"].endswith(other))
        self.assertEqual(self.kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], KeyId=other)["Plaintext"], b"x")

    def test_four_kilobytes_and_no_more(self):
        """S8.5: exactly 4,096 bytes."""
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x" * 4096)["CiphertextBlob"]
        self.assertEqual(len(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"]), 4096)
        self.refused("ValidationException", self.kms.encrypt, KeyId=self.key, Plaintext=b"x" * 4097, status=400)

    def test_data_keys_come_in_clear_and_encrypted(self):
        """S8.6, S8.8, S8.19, S8.32: the data key encrypts data, the KMS key the data key."""
        answer = self.kms.generate_data_key(KeyId=self.key, KeySpec="AES_256")
        self.assertEqual(len(answer["Plaintext"]), 32)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["Plaintext"], answer["Plaintext"])
        hidden = self.kms.generate_data_key_without_plaintext(KeyId=self.key, NumberOfBytes=48)
        self.assertNotIn("Plaintext", hidden)
        self.assertEqual(len(self.kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]), 48)
        self.refused("ValidationException", self.kms.generate_data_key, KeyId=self.key)

    def test_random_bytes_differ(self):
        """S8.21"""
        drawn = {self.kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(8)}
        self.assertEqual({len(value) for value in drawn}, {32})
        self.assertEqual(len(drawn), 8)

    def test_macs_verify(self):
        """S8.23: HMAC keys."""
        key = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        mac = self.kms.generate_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256")["Mac"]
        self.assertTrue(self.kms.verify_mac(KeyId=key, Message=b"m", MacAlgorithm="HMAC_SHA_256", Mac=mac)["MacValid"])
        self.refused("KMSInvalidMacException", self.kms.verify_mac, KeyId=key, Message=b"n", MacAlgorithm="HMAC_SHA_256", Mac=mac)
        self.refused("InvalidKeyUsageException", self.kms.encrypt, KeyId=key, Plaintext=b"x")

    def test_keys_are_of_their_region(self):
        """S8.1"""
        there = self.server.client("kms", region="eu-west-1")
        self.refused("NotFoundException", there.describe_key, KeyId=self.key, status=400)
        blob = self.kms.encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        with self.assertRaises(botocore.exceptions.ClientError):
            there.decrypt(CiphertextBlob=blob)
        self.assertNotIn(self.key, [key["KeyId"] for key in there.list_keys()["Keys"]])


class States(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")

    def test_a_disabled_key_does_nothing(self):
        """S8.15"""
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        blob = self.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        self.kms.disable_key(KeyId=key)
        self.assertEqual(self.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Disabled")
        self.refused("DisabledException", self.kms.encrypt, KeyId=key, Plaintext=b"x")
        self.refused("DisabledException", self.kms.decrypt, CiphertextBlob=blob)
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")

    def test_deletion_waits_and_then_the_data_is_gone(self):
        """S8.30, S8.65: 7 to 30 days, cancelled until then; afterwards nothing opens what it encrypted."""
        kept, gone = (self.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
        blob = self.kms.encrypt(KeyId=gone, Plaintext=b"x")["CiphertextBlob"]
        for days in (6, 31):
            self.refused("ValidationException", self.kms.schedule_key_deletion, KeyId=gone, PendingWindowInDays=days)
        for key in (kept, gone):
            self.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
            self.refused("KMSInvalidStateException", self.kms.encrypt, KeyId=key, Plaintext=b"x")
        self.kms.cancel_key_deletion(KeyId=kept)
        self.assertEqual(self.kms.describe_key(KeyId=kept)["KeyMetadata"]["KeyState"], "Disabled")
        self.server.ringwork("clock", "advance", "6d")
        self.assertEqual(self.kms.describe_key(KeyId=gone)["KeyMetadata"]["KeyState"], "PendingDeletion")
        self.server.ringwork("clock", "advance", "2d")
        self.refused("NotFoundException", self.kms.describe_key, KeyId=gone)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.kms.decrypt(CiphertextBlob=blob)
        self.kms.describe_key(KeyId=kept)


class Access(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")

    def key_policy(self, *statements):
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    def root(self):
        return {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.server.account}:root"}, "Action": "kms:*", "Resource": "*"}

    def test_the_default_policy_lets_iam_decide(self):
        """S8.37, S8.44, S8.45: the key policy delegates to the account, so identity policies count."""
        key = self.kms.create_key()["KeyMetadata"]
        without, allowed = self.user("without"), self.user("allowed", statement("kms:Encrypt", key["Arn"]))
        self.refused("AccessDeniedException", self.server.client("kms", without).encrypt, KeyId=key["KeyId"], Plaintext=b"x", status=400)
        mine = self.server.client("kms", allowed)
        blob = mine.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
        # S8.57: encrypt alone.
        self.refused("AccessDeniedException", mine.decrypt, CiphertextBlob=blob)

    def test_without_delegation_iam_does_not_count(self):
        """S8.36, S8.39, S8.43, S8.44"""
        keeper, other = self.user("keeper"), self.user("other", statement("kms:*"))
        arn = f"arn:aws:iam::{self.server.account}:user/keeper"
        own = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:*", "Resource": "*"}
        key = self.kms.create_key(Policy=self.key_policy(own), BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["KeyId"]
        self.server.client("kms", keeper).encrypt(KeyId=key, Plaintext=b"x")
        self.refused("AccessDeniedException", self.server.client("kms", other).encrypt, KeyId=key, Plaintext=b"x")

    def test_a_policy_that_locks_out_its_author_is_refused(self):
        """S8.38"""
        nobody = {**self.root(), "Principal": {"AWS": f"arn:aws:iam::{self.server.account}:root"}, "Action": "kms:Encrypt"}
        self.refused("MalformedPolicyDocumentException", self.kms.create_key, Policy=self.key_policy(nobody), status=400)
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.refused("MalformedPolicyDocumentException", self.kms.put_key_policy, KeyId=key, PolicyName="default", Policy=self.key_policy(nobody))
        self.kms.put_key_policy(KeyId=key, PolicyName="default", Policy=self.key_policy(self.root()))

    def test_a_group_is_no_principal(self):
        """S8.61"""
        self.server.client("iam").create_group(GroupName="admins")
        group = {**self.root(), "Principal": {"AWS": f"arn:aws:iam::{self.server.account}:group/admins"}}
        self.refused("MalformedPolicyDocumentException", self.kms.create_key, Policy=self.key_policy(self.root(), group))

    def test_administrators_need_not_use_the_key(self):
        """S8.60"""
        admin = self.user("admin")
        arn = f"arn:aws:iam::{self.server.account}:user/admin"
        manages = {"Effect": "Allow", "Principal": {"AWS": arn}, "Resource": "*", "Action": ["kms:Describe*", "kms:Disable*", "kms:Enable*", "kms:Put*"]}
        key = self.kms.create_key(Policy=self.key_policy(self.root(), manages))["KeyMetadata"]["KeyId"]
        mine = self.server.client("kms", admin)
        mine.disable_key(KeyId=key)
        mine.enable_key(KeyId=key)
        self.refused("AccessDeniedException", mine.encrypt, KeyId=key, Plaintext=b"x")

    def test_conditions_on_the_context_decide(self):
        """S2.7"""
        key = self.kms.create_key()["KeyMetadata"]
        only = {"StringEquals": {"kms:EncryptionContext:team": "blue"}}
        mine = self.server.client("kms", self.user("conditional", statement("kms:Encrypt", key["Arn"], Condition=only)))
        mine.encrypt(KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"team": "blue"})
        self.refused("AccessDeniedException", mine.encrypt, KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"team": "red"})

    def test_aliases_point_and_are_moved(self):
        """S8.53, S8.54, S8.55: the alias moves to the new key, the old one still opens what it encrypted."""
        old, new = (self.kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
        self.kms.create_alias(AliasName="alias/app", TargetKeyId=old)
        self.refused("AlreadyExistsException", self.kms.create_alias, AliasName="alias/app", TargetKeyId=new)
        blob = self.kms.encrypt(KeyId="alias/app", Plaintext=b"x")["CiphertextBlob"]
        self.kms.update_alias(AliasName="alias/app", TargetKeyId=new)
        self.assertTrue(self.kms.encrypt(KeyId="alias/app", Plaintext=b"x")["KeyId"].endswith(new))
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
        with self.assertRaises(botocore.exceptions.ClientError):
            self.kms.create_alias(AliasName="alias/aws/mine", TargetKeyId=old)
        self.kms.delete_alias(AliasName="alias/app")
        self.refused("NotFoundException", self.kms.encrypt, KeyId="alias/app", Plaintext=b"x")

    def test_grants_give_what_they_name(self):
        """S8.40, S8.41, S8.42"""
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        arn = f"arn:aws:iam::{self.server.account}:user/grantee"
        mine = self.server.client("kms", self.user("grantee"))
        self.refused("AccessDeniedException", mine.encrypt, KeyId=key, Plaintext=b"x")
        grant = self.kms.create_grant(KeyId=key, GranteePrincipal=arn, Operations=["Encrypt"])
        self.assertTrue(grant["GrantId"] and grant["GrantToken"])
        mine.encrypt(KeyId=key, Plaintext=b"x")
        self.refused("AccessDeniedException", mine.generate_data_key, KeyId=key, KeySpec="AES_256")


class CommandLine(Judge):
    def test_a_file_goes_through_and_comes_back(self):
        aws = self.server.aws
        key = aws("kms", "create-key", "--tags", "TagKey=team,TagValue=blue")["KeyMetadata"]["KeyId"]
        aws("kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", key)
        with tempfile.TemporaryDirectory() as folder:
            plain, secret = pathlib.Path(folder) / "plain", pathlib.Path(folder) / "secret"
            plain.write_bytes(bytes(range(256)))
            blob = aws("kms", "encrypt", "--key-id", "alias/cli", "--plaintext", f"fileb://{plain}")["CiphertextBlob"]
            secret.write_bytes(base64.b64decode(blob))
            answer = aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{secret}")
        self.assertEqual(base64.b64decode(answer["Plaintext"]), bytes(range(256)))
        self.assertEqual(aws("kms", "list-resource-tags", "--key-id", key)["Tags"], [{"TagKey": "team", "TagValue": "blue"}])
        user = self.user("cli")
        with self.assertRaises(Refused) as caught:
            aws("kms", "describe-key", "--key-id", key, credentials=user)
        self.assertIn("(AccessDeniedException)", caught.exception.words)
        policy_text = aws("kms", "get-key-policy", "--key-id", key, "--policy-name", "default")["Policy"]
        self.assertIn(f"arn:aws:iam::{self.server.account}:root", policy_text)


if __name__ == "__main__":
    unittest.main()
