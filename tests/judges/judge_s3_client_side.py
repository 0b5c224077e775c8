"""Objects that were encrypted before they left the client: with data keys of KMS and with keys of the client's own. The server sees
octets, and in the metadata a data key that it cannot open."""

import base64
import json
import os
import unittest

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import AesWrappingAlg, CreateAwsKmsKeyringInput, CreateRawAesKeyringInput
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server import Judge, statement

TEXT = b"Nobody but the client reads this line of the ledger. " * 2000
BUCKET = "judge-client-side"


class Envelope:
    """A client that encrypts under a fresh data key and sends it along, wrapped, as the S3 Encryption Client does: in the object's
    metadata, under the names of that client's second version."""

    CIPHER = "AES/GCM/NoPadding"

    def __init__(self, s3, wrapper):
        self.s3, self.wrapper = s3, wrapper

    def put(self, key, text):
        data_key, wrapped, description = self.wrapper.make()
        nonce = os.urandom(12)
        metadata = {
            "x-amz-key-v2": base64.b64encode(wrapped).decode(),
            "x-amz-iv": base64.b64encode(nonce).decode(),
            "x-amz-cek-alg": self.CIPHER,
            "x-amz-wrap-alg": self.wrapper.NAME,
            "x-amz-matdesc": json.dumps(description),
        }
        body = AESGCM(data_key).encrypt(nonce, text, self.CIPHER.encode())
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata=metadata)
        return data_key

    def get(self, key):
        answer = self.s3.get_object(Bucket=BUCKET, Key=key)
        metadata, body = answer["Metadata"], answer["Body"].read()
        wrapped = base64.b64decode(metadata["x-amz-key-v2"])
        data_key = self.wrapper.open(wrapped, json.loads(metadata["x-amz-matdesc"]))
        return AESGCM(data_key).decrypt(base64.b64decode(metadata["x-amz-iv"]), body, self.CIPHER.encode())


class ByKms:
    """Data keys of KMS, which the client itself asks for."""

    NAME = "kms+context"

    def __init__(self, kms, key):
        self.kms, self.key = kms, key

    def make(self):
        description = {"aws:x-amz-cek-alg": Envelope.CIPHER}
        made = self.kms.generate_data_key(KeyId=self.key, KeySpec="AES_256", EncryptionContext=description)
        return made["Plaintext"], made["CiphertextBlob"], description

    def open(self, wrapped, description):
        return self.kms.decrypt(CiphertextBlob=wrapped, EncryptionContext=description, KeyId=self.key)["Plaintext"]


class ByOwnKey:
    """Data keys of the client's own, under a key of the client's own."""

    NAME = "AES/GCM"

    def __init__(self, key):
        self.key = AESGCM(key)

    def make(self):
        data_key, nonce = os.urandom(32), os.urandom(12)
        return data_key, nonce + self.key.encrypt(nonce, data_key, Envelope.CIPHER.encode()), {}

    def open(self, wrapped, _):
        return self.key.decrypt(wrapped[:12], wrapped[12:], Envelope.CIPHER.encode())


class ClientSide(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3, cls.kms = cls.server.client("s3"), cls.server.client("kms")
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]
        cls.s3.create_bucket(Bucket=BUCKET)

    def unreadable(self, *secrets):
        for file in self.server.data.rglob("*"):
            if file.is_file():
                octets = file.read_bytes()
                for secret in secrets:
                    self.assertNotIn(secret, octets, file)

    def raw(self, key):
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def test_data_keys_of_kms_are_the_clients_business(self):
        """S21.20, S21.21, S21.22: the client asks KMS, sends data and wrapped key, and asks KMS again to read."""
        client = Envelope(self.s3, ByKms(self.kms, self.key))
        data_key = client.put("kms", TEXT)
        self.assertEqual(client.get("kms"), TEXT)
        self.assertNotIn(TEXT[:40], self.raw("kms"))
        self.assertEqual(self.s3.head_object(Bucket=BUCKET, Key="kms")["Metadata"]["x-amz-wrap-alg"], "kms+context")
        for operation in ("GenerateDataKey", "Decrypt"):
            told = [event for event in self.events(operation) if event["resources"][0]["ARN"] == self.key]
            self.assertTrue(told)
            self.assertTrue(all("invokedBy" not in event["userIdentity"] for event in told))
        self.unreadable(TEXT[:40], data_key, base64.b64encode(data_key))

    def test_the_object_alone_opens_nothing(self):
        """S21.22: who may read the object but not use the key has octets and no text."""
        client = Envelope(self.s3, ByKms(self.kms, self.key))
        client.put("guarded", TEXT)
        reader = self.user("reader", statement("s3:GetObject", f"arn:aws:s3:::{BUCKET}/*"))
        theirs = Envelope(self.server.client("s3", reader), ByKms(self.server.client("kms", reader), self.key))
        self.refused("AccessDeniedException", theirs.get, "guarded")
        self.kms.disable_key(KeyId=self.key)
        self.addCleanup(self.kms.enable_key, KeyId=self.key)
        self.refused("DisabledException", client.get, "guarded")

    def test_keys_of_the_clients_own_never_leave_it(self):
        """S21.23, S21.24, S21.25: data key under the client's key, both made by the client; KMS is not in it."""
        own = os.urandom(32)
        client = Envelope(self.s3, ByOwnKey(own))
        before = len(self.events("GenerateDataKey"))
        data_key = client.put("own", TEXT)
        self.assertEqual(client.get("own"), TEXT)
        with self.assertRaises(InvalidTag):
            Envelope(self.s3, ByOwnKey(os.urandom(32))).get("own")
        self.assertEqual(len(self.events("GenerateDataKey")), before)
        self.unreadable(TEXT[:40], own, data_key, base64.b64encode(own), base64.b64encode(data_key))

    def test_what_was_changed_on_the_way_does_not_open(self):
        client = Envelope(self.s3, ByKms(self.kms, self.key))
        client.put("changed", TEXT)
        answer = self.s3.get_object(Bucket=BUCKET, Key="changed")
        body = bytearray(answer["Body"].read())
        body[100] ^= 1
        self.s3.put_object(Bucket=BUCKET, Key="changed", Body=bytes(body), Metadata=answer["Metadata"])
        with self.assertRaises(InvalidTag):
            client.get("changed")

    def test_the_encryption_sdk_stores_its_messages(self):
        """S21.20, S21.21, S21.22, S21.23: AWS's own library, with KMS and with a raw key; its message carries the wrapped keys."""
        sdk = aws_encryption_sdk.EncryptionSDKClient()
        providers = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())
        own = os.urandom(32)
        by_kms = providers.create_aws_kms_keyring(input=CreateAwsKmsKeyringInput(kms_key_id=self.key, kms_client=self.kms))
        by_own = providers.create_raw_aes_keyring(input=CreateRawAesKeyringInput(
            key_namespace="judge", key_name="own", wrapping_key=own, wrapping_alg=AesWrappingAlg.ALG_AES256_GCM_IV12_TAG16))
        for name, ring in (("sdk/kms", by_kms), ("sdk/own", by_own)):
            context = {"object": f"{BUCKET}/{name}"}
            message, _ = sdk.encrypt(source=TEXT, keyring=ring, encryption_context=context)
            self.s3.put_object(Bucket=BUCKET, Key=name, Body=message)
            text, _ = sdk.decrypt(source=self.raw(name), keyring=ring, encryption_context=context)
            self.assertEqual(text, TEXT)
        self.unreadable(TEXT[:40], own)


if __name__ == "__main__":
    unittest.main()
