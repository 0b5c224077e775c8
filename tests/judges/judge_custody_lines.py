"""What is said of KMS, line by line, where no other judge shows it; and the life of a key as the AWS CLI tells it."""

import base64
import contextlib
import json
import pathlib
import re
import sqlite3
import tempfile
import unittest

from server import Credentials, Judge, Refused, Server, statement

PAGE = pathlib.Path(__file__).parent.parent.parent / "docs" / "custody.md"


class Lines(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")
        cls.page = " ".join(PAGE.read_text().split())

    def says(self, *words):
        for word in words:
            self.assertIn(word, self.page)

    def test_master_keys_are_kms_keys_and_the_older_names_work(self):
        """S8.3"""
        made = self.kms.create_key(CustomerMasterKeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]
        self.assertEqual((made["CustomerMasterKeySpec"], made["KeySpec"]), ("HMAC_256", "HMAC_256"))
        self.refused(
            "ValidationException", self.kms.create_key, CustomerMasterKeySpec="HMAC_256", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"
        )
        only = {"StringEquals": {"kms:CustomerMasterKeySpec": "HMAC_256"}}
        maker = self.server.client("kms", self.user("maker", statement("kms:CreateKey", Condition=only), statement("kms:PutKeyPolicy")))
        maker.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        self.refused("AccessDeniedException", maker.create_key)
        self.says("customer master key", "CustomerMasterKeySpec")

    def test_requests_of_all_services_can_be_counted(self):
        """S8.9: what AWS takes a price for: every request, also those that a service makes, and each key by the month."""
        ssm = self.server.client("ssm")
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        ssm.put_parameter(Name="/priced", Value="v", Type="SecureString", KeyId=key)
        for _ in range(3):
            ssm.get_parameter(Name="/priced", WithDecryption=True)
        self.kms.encrypt(KeyId=key, Plaintext=b"x")
        of_key = lambda name: [event for event in self.events(name) if key in [named["ARN"] for named in event.get("resources", ())]]
        by_service = [event for event in of_key("Decrypt") if event["userIdentity"].get("invokedBy") == "ssm.amazonaws.com"]
        self.assertEqual((len(by_service), len(of_key("Decrypt"))), (3, 3))
        self.assertEqual(len(of_key("Encrypt")), 2)
        managed = [known for known in json.loads(self.server.ringwork("keys", "--json"))["keys"] if known["manager"] == "CUSTOMER"]
        self.assertIn(key, [known["arn"] for known in managed])
        self.says("charges for each customer managed key by the month, and for each request", "AWS managed keys are free")

    def test_tampering_with_stored_keys_is_evident(self):
        """S8.11: a changed bit of sealed material is found, and nothing is decrypted with it."""
        server = Server()
        self.addCleanup(server.close)
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        server.stop()
        with contextlib.closing(sqlite3.connect(server.data / "store.db")) as store:
            # The row of the material: its key ends with the material's id, sixty-four digits.
            rows = store.execute("SELECT key, value FROM rows").fetchall()
            found = [(place, value) for place, value in rows if key.encode() in place and re.search(rb"[0-9a-f]{64}", place)]
            self.assertEqual(len(found), 1, "the judge does not find the material")
            ((place, value),) = found
            altered = value[:-1] + bytes([value[-1] ^ 1])
            store.execute("UPDATE rows SET value = ? WHERE key = ?", (altered, place))
            store.commit()
        server.start()
        self.refused("InternalFailure", server.client("kms").decrypt, CiphertextBlob=blob, status=500)
        self.says("FIPS 140-2 Level 2", "evidence of tampering", "FIPS 140-3 Level 3", "Ringwork has no hardware of its own and no validation")

    def test_hardware_of_ones_own_is_refused_with_the_reason(self):
        """S8.12: keys in CloudHSM are refused as long as there is none."""
        answer = self.refused("UnsupportedOperationException", self.kms.create_key, Origin="AWS_CLOUDHSM", CustomKeyStoreId="cks-1234567890abcdef0")
        self.assertIn("not implemented by this version of Ringwork", answer["Error"]["Message"])
        self.refused("NotImplemented", self.kms.describe_custom_key_stores, status=501)
        self.says("Level 3 left to CloudHSM", "Custom key stores")

    def test_keys_that_aws_owns_are_in_no_listing(self):
        """S8.16: what the services encrypt for themselves is under no key that an account sees."""
        server = Server()
        self.addCleanup(server.close)
        iam, kms = server.client("iam"), server.client("kms")
        iam.create_user(UserName="u")
        iam.create_access_key(UserName="u")
        iam.create_virtual_mfa_device(VirtualMFADeviceName="u")
        iam.create_login_profile(UserName="u", Password="Correct-horse-7")
        server.client("ssm").put_parameter(Name="/plain", Value="v", Type="String")
        self.assertEqual((kms.list_keys()["Keys"], kms.list_aliases()["Aliases"]), ([], []))
        self.assertEqual(json.loads(server.ringwork("keys", "--json"))["keys"], [])
        # An AWS managed key is seen, as soon as a service has made it.
        server.client("ssm").put_parameter(Name="/secure", Value="v", Type="SecureString")
        self.assertEqual([alias["AliasName"] for alias in kms.list_aliases()["Aliases"]], ["alias/aws/ssm"])
        self.says("AWS owned", "no listing has it")

    def test_keys_are_not_symmetric_only(self):
        """S8.28: pairs are there, and do what symmetric keys cannot."""
        made = self.kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        signed = self.kms.sign(KeyId=made, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256")["Signature"]
        self.assertTrue(self.kms.verify(KeyId=made, Message=b"m", SigningAlgorithm="RSASSA_PSS_SHA_256", Signature=signed)["SignatureValid"])
        self.says("has not been so since 2019")

    def test_who_answers_for_what_is_said(self):
        """S8.31: customers rule their keys, and whoever runs the server has the rest. S8.64: a service that makes keys easy to manage."""
        self.says("make it easy to keep keys and secrets", "*You* make keys and rule who may use them", "Whoever runs the server has its host")
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        self.assertEqual(self.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"], "CUSTOMER")

    def test_rotation_helps_what_is_yet_to_come(self):
        """S8.46, S8.50: new data is under new material; what was encrypted before is as open as before."""
        self.says("The longer one material is used", "a rotation does not mend a breach")
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        old = self.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        before = self.kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        self.kms.rotate_key_on_demand(KeyId=key)
        self.server.ringwork("clock", "advance", "1m")
        fresh = self.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        used = lambda blob: self.kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"]
        self.assertEqual(used(old), before)
        self.assertNotEqual(used(fresh), before)
        anew = self.kms.re_encrypt(CiphertextBlob=old, DestinationKeyId=key)
        self.assertEqual((anew["SourceKeyMaterialId"], anew["DestinationKeyMaterialId"]), (before, used(fresh)))

    def test_a_policy_may_let_other_regions_in(self):
        """S8.58: a system elsewhere uses a key in its own region, if policies let it, and never under another region's name."""
        key = self.kms.create_key()["KeyMetadata"]
        far = self.user("far", statement("kms:Encrypt", key["Arn"]))
        self.server.client("kms", far).encrypt(KeyId=key["Arn"], Plaintext=b"x")
        # There is no such key where the system stands, and its policy names none there.
        there = self.server.client("kms", far, region="eu-west-1")
        self.refused("NotFoundException", there.encrypt, KeyId=key["Arn"], Plaintext=b"x")
        self.refused("AccessDeniedException", there.encrypt, KeyId=key["KeyId"], Plaintext=b"x")
        near = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
        kept = self.user("kept", statement("kms:Encrypt", "*", Condition=near))
        self.refused("AccessDeniedException", self.server.client("kms", kept).encrypt, KeyId=key["Arn"], Plaintext=b"x")
        local = self.server.client("kms", region="eu-west-1").create_key()["KeyMetadata"]["Arn"]
        self.server.client("kms", kept, region="eu-west-1").encrypt(KeyId=local, Plaintext=b"x")
        self.says("a failure of the key's region then stops them too")

    def test_many_accounts_share_one_server_and_no_key(self):
        """S8.63: tenants of one machine, apart by account."""
        organizations = self.server.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        made = organizations.create_account(AccountName="tenant", Email="tenant@example.com")["CreateAccountStatus"]["Id"]
        while True:
            status = organizations.describe_create_account_status(CreateAccountRequestId=made)["CreateAccountStatus"]
            if status["State"] != "IN_PROGRESS":
                break
            self.server.ringwork("clock", "advance", "1m")
        role = f"arn:aws:iam::{status['AccountId']}:role/OrganizationAccountAccessRole"
        keeper = self.user("keeper", statement("sts:AssumeRole", role))
        session = self.server.client("sts", keeper).assume_role(RoleArn=role, RoleSessionName="tenant")
        tenant = self.server.client("kms", Credentials.of(session))
        ours, theirs = self.kms.create_key()["KeyMetadata"]["Arn"], tenant.create_key()["KeyMetadata"]["Arn"]
        blob = self.kms.encrypt(KeyId=ours, Plaintext=b"x")["CiphertextBlob"]
        self.refused("AccessDeniedException", tenant.encrypt, KeyId=ours, Plaintext=b"x")
        self.refused("AccessDeniedException", tenant.decrypt, CiphertextBlob=blob)
        self.refused("AccessDeniedException", self.kms.encrypt, KeyId=theirs, Plaintext=b"x")
        self.assertEqual([key["KeyArn"] for key in tenant.list_keys()["Keys"]], [theirs])
        self.says("multi-tenant", "apart by account, region and policy")

    def test_what_parameters_and_secrets_are_for_is_said(self):
        """S10.4, S11.1: configuration apart from source control; what a secret has a price for and a parameter has not."""
        self.says("apart from source control", "Parameter Store's standard tier is free", "Secrets Manager charges for each secret by the month and for each 10,000 calls")

    def test_the_page_names_options_that_there_are(self):
        for option in re.findall(r"ringwork serve (--[a-z-]+) (\S+)", PAGE.read_text()):
            server = Server("--memory", *option)
            server.close()


class Life(Judge):
    """The whole life of a key, by the AWS CLI alone."""

    OPTIONS = ("--clock-control",)

    def aws(self, operation, *arguments, **more):
        return self.server.aws("kms", operation, *arguments, **more)

    def test_from_its_making_to_its_end(self):
        """S8.15, S8.33, S8.42, S8.48, S8.65"""
        with tempfile.TemporaryDirectory() as folder:
            self.live(pathlib.Path(folder))

    def blob(self, folder, text):
        path = folder / "blob"
        path.write_bytes(base64.b64decode(text))
        return f"fileb://{path}"

    def live(self, folder):
        made = self.aws("create-key", "--description", "orders", "--tags", "TagKey=team,TagValue=blue")["KeyMetadata"]
        key = made["KeyId"]
        self.assertEqual((made["KeyState"], made["KeyManager"], made["Origin"]), ("Enabled", "CUSTOMER", "AWS_KMS"))
        self.aws("create-alias", "--alias-name", "alias/orders", "--target-key-id", key)
        self.aws("update-key-description", "--key-id", key, "--description", "orders of all shops")
        self.aws("enable-key-rotation", "--key-id", key, "--rotation-period-in-days", "180")
        status = self.aws("get-key-rotation-status", "--key-id", key)
        self.assertEqual((status["KeyRotationEnabled"], status["RotationPeriodInDays"]), (True, 180))
        secret = self.aws("encrypt", "--key-id", "alias/orders", "--plaintext", "hello", "--encryption-context", "shop=1")["CiphertextBlob"]
        # A grant lets somebody else decrypt, for that shop alone, until it is revoked.
        clerk = self.user("clerk")
        arn = f"arn:aws:iam::{self.server.account}:user/clerk"
        grant = self.aws(
            "create-grant", "--key-id", key, "--grantee-principal", arn, "--operations", "Decrypt",
            "--constraints", "EncryptionContextSubset={shop=1}",
        )
        decrypt = lambda: self.aws(
            "decrypt", "--ciphertext-blob", self.blob(folder, secret), "--encryption-context", "shop=1",
            "--grant-tokens", grant["GrantToken"], credentials=clerk,
        )
        self.assertEqual(decrypt()["Plaintext"], "aGVsbG8=")
        self.assertEqual([held["GrantId"] for held in self.aws("list-grants", "--key-id", key)["Grants"]], [grant["GrantId"]])
        self.aws("revoke-grant", "--key-id", key, "--grant-id", grant["GrantId"])
        with self.assertRaises(Refused):
            decrypt()
        # Half a year, and a turn on demand: what was encrypted before still opens.
        self.server.ringwork("clock", "advance", "181d")
        self.aws("rotate-key-on-demand", "--key-id", key)
        self.server.ringwork("clock", "advance", "1m")
        kinds = [turn["RotationType"] for turn in self.aws("list-key-rotations", "--key-id", key)["Rotations"]]
        self.assertEqual(kinds, ["AUTOMATIC", "ON_DEMAND"])
        opened = self.aws("decrypt", "--ciphertext-blob", self.blob(folder, secret), "--encryption-context", "shop=1")
        self.assertEqual(opened["Plaintext"], "aGVsbG8=")
        used = self.aws("get-key-last-usage", "--key-id", key)["KeyLastUsage"]
        self.assertEqual(used["Operation"], "Decrypt")
        # Its policy, its end.
        own = json.loads(self.aws("get-key-policy", "--key-id", key, "--policy-name", "default")["Policy"])
        own["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"})
        self.aws("put-key-policy", "--key-id", key, "--policy-name", "default", "--policy", json.dumps(own))
        with self.assertRaises(Refused) as caught:
            self.aws("encrypt", "--key-id", key, "--plaintext", "x")
        self.assertIn("explicit deny in a resource-based policy", caught.exception.words)
        self.aws("disable-key", "--key-id", key)
        with self.assertRaises(Refused) as caught:
            self.aws("decrypt", "--ciphertext-blob", self.blob(folder, secret), "--encryption-context", "shop=1")
        self.assertIn("(DisabledException)", caught.exception.words)
        self.aws("schedule-key-deletion", "--key-id", key, "--pending-window-in-days", "7")
        self.assertEqual(self.aws("describe-key", "--key-id", key)["KeyMetadata"]["KeyState"], "PendingDeletion")
        self.server.ringwork("clock", "advance", "8d")
        with self.assertRaises(Refused) as caught:
            self.aws("describe-key", "--key-id", key)
        self.assertIn("(NotFoundException)", caught.exception.words)
        self.assertEqual(self.aws("list-aliases")["Aliases"], [])


if __name__ == "__main__":
    unittest.main()
