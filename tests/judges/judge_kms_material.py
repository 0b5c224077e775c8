"""Material that others made, keys that stand in several regions, and who is meant by a name: by boto3, with OpenSSL to wrap."""

import datetime
import json
import pathlib
import subprocess
import tempfile
import unittest

from server import Judge


def openssl(*arguments, given=None):
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def wrap(public, algorithm, material):
    """What the owner of the material does, by the steps of the KMS Developer Guide, "Step 3: Encrypt the key material"."""
    digest = "sha256" if algorithm.endswith("256") else "sha1"
    with tempfile.TemporaryDirectory() as folder:
        key = pathlib.Path(folder, "public.der")
        key.write_bytes(public)

        def encrypt(clear):
            return openssl(
                "pkeyutl", "-encrypt", "-pubin", "-inkey", str(key), "-keyform", "DER",
                "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{digest}", "-pkeyopt", f"rsa_mgf1_md:{digest}",
                given=clear,
            )

        if algorithm.startswith("RSAES_OAEP"):
            return encrypt(material)
        one_time = openssl("rand", "32")
        inner = openssl("enc", "-id-aes256-wrap-pad", "-K", one_time.hex(), "-iv", "A65959A6", given=material)
        return encrypt(one_time) + inner


class Import(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")

    def external(self, **more):
        return self.kms.create_key(Origin="EXTERNAL", **more)["KeyMetadata"]["KeyId"]

    def bring(self, key, material, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048", client=None, **more):
        client = client or self.kms
        given = client.get_parameters_for_import(KeyId=key, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
        more.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
        return client.import_key_material(
            KeyId=key, ImportToken=given["ImportToken"],
            EncryptedKeyMaterial=wrap(given["PublicKey"], algorithm, material), **more,
        )["KeyMaterialId"]

    def test_every_way_to_wrap_brings_the_same_material(self):
        """S8.22, S8.62: imported material, wrapped by OpenSSL under every algorithm and size."""
        key, ids, blob = self.external(), set(), None
        material = openssl("rand", "32")
        for algorithm in ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"):
            for spec in ("RSA_2048", "RSA_3072", "RSA_4096"):
                with self.subTest(algorithm=algorithm, spec=spec):
                    ids.add(self.bring(key, material, algorithm, spec))
                    blob = blob or self.kms.encrypt(KeyId=key, Plaintext=b"mine")["CiphertextBlob"]
                    self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"mine")
                    self.kms.delete_imported_key_material(KeyId=key)
                    self.refused("KMSInvalidStateException", self.kms.decrypt, CiphertextBlob=blob)
        self.assertEqual(len(ids), 1)
        self.refused("IncorrectKeyMaterialException", self.bring, key, openssl("rand", "32"))

    def test_a_mac_by_imported_material_is_the_one_openssl_makes(self):
        key = self.external(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        material = openssl("rand", "32")
        self.bring(key, material)
        made = self.kms.generate_mac(KeyId=key, Message=b"message", MacAlgorithm="HMAC_SHA_256")["Mac"]
        expected = openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", "-binary", given=b"message")
        self.assertEqual(made, expected)

    def test_material_that_is_to_expire_says_when(self):
        key = self.external()
        day = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=3)
        self.bring(key, openssl("rand", "32"), ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=day)
        shown = self.kms.describe_key(KeyId=key)["KeyMetadata"]
        self.assertEqual((shown["ExpirationModel"], shown["ValidTo"]), ("KEY_MATERIAL_EXPIRES", day))

    def test_new_material_takes_over_on_demand(self):
        key = self.external()
        first = self.bring(key, openssl("rand", "32"))
        blob = self.kms.encrypt(KeyId=key, Plaintext=b"old")["CiphertextBlob"]
        second = self.bring(key, openssl("rand", "32"), ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="vault 2")
        self.kms.rotate_key_on_demand(KeyId=key)
        for _ in range(100):
            if self.kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == second:
                break
        listed = self.kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
        self.assertEqual([entry["KeyMaterialId"] for entry in listed], [first, second])
        self.assertEqual([entry["KeyMaterialState"] for entry in listed], ["NON_CURRENT", "CURRENT"])
        self.assertEqual(self.kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"old")

    def test_what_is_encrypted_in_one_region_decrypts_in_the_other(self):
        """S8.59 as it is today."""
        there = self.server.client("kms", region="us-west-2")
        key = self.kms.create_key(MultiRegion=True)["KeyMetadata"]
        replica = self.kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="us-west-2")["ReplicaKeyMetadata"]
        self.assertEqual(replica["KeyId"], key["KeyId"])
        blob = self.kms.encrypt(KeyId=key["KeyId"], Plaintext=b"far")["CiphertextBlob"]
        opened = there.decrypt(CiphertextBlob=blob)
        self.assertEqual((opened["Plaintext"], opened["KeyId"]), (b"far", replica["Arn"]))
        self.kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion="us-west-2")
        shown = there.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["MultiRegionConfiguration"]
        self.assertEqual(shown["MultiRegionKeyType"], "PRIMARY")
        planned = there.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
        self.assertEqual(planned["KeyState"], "PendingReplicaDeletion")

    def test_a_user_who_is_made_again_gets_nothing_from_the_policy(self):
        """S8.61: a policy names the user who was there, by the id that the user had."""
        iam = self.server.client("iam")
        first = self.user("phoenix")
        arn = iam.get_user(UserName="phoenix")["User"]["Arn"]
        account = arn.split(":")[4]
        rules = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:Encrypt", "Resource": "*"},
        ]}
        key = self.kms.create_key(Policy=json.dumps(rules))["KeyMetadata"]["KeyId"]
        self.server.client("kms", first).encrypt(KeyId=key, Plaintext=b"x")
        identifier = iam.get_user(UserName="phoenix")["User"]["UserId"]
        for held in iam.list_access_keys(UserName="phoenix")["AccessKeyMetadata"]:
            iam.delete_access_key(UserName="phoenix", AccessKeyId=held["AccessKeyId"])
        for name in iam.list_user_policies(UserName="phoenix")["PolicyNames"]:
            iam.delete_user_policy(UserName="phoenix", PolicyName=name)
        iam.delete_user(UserName="phoenix")
        again = self.user("phoenix")
        self.refused("AccessDeniedException", self.server.client("kms", again).encrypt, KeyId=key, Plaintext=b"x")
        shown = json.loads(self.kms.get_key_policy(KeyId=key)["Policy"])
        self.assertEqual(shown["Statement"][1]["Principal"], {"AWS": identifier})


if __name__ == "__main__":
    unittest.main()
