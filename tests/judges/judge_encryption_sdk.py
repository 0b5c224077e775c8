"""Envelope encryption as AWS's own client libraries do it: the AWS Encryption SDK with every KMS keyring, and the caching client
of Secrets Manager, unmodified."""

import base64
import logging
import unittest

import aws_encryption_sdk
from aws_cryptographic_material_providers.mpl import AwsCryptographicMaterialProviders
from aws_cryptographic_material_providers.mpl.config import MaterialProvidersConfig
from aws_cryptographic_material_providers.mpl.models import (
    CreateAwsKmsDiscoveryKeyringInput,
    CreateAwsKmsEcdhKeyringInput,
    CreateAwsKmsKeyringInput,
    CreateAwsKmsMrkDiscoveryKeyringInput,
    CreateAwsKmsMrkKeyringInput,
    CreateAwsKmsRsaKeyringInput,
    CreateMultiKeyringInput,
    DiscoveryFilter,
    KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey,
    KmsPrivateKeyToStaticPublicKeyInput,
)
from aws_cryptography_primitives.smithygenerated.aws_cryptography_primitives.models import ECDHCurveSpec
from aws_encryption_sdk import CommitmentPolicy
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError
from aws_encryption_sdk.identifiers import Algorithm
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from server import Judge, statement

CONTEXT = {"purpose": "payroll", "department": "finance"}
# More than one frame of 4,096 bytes.
TEXT = bytes(range(256)) * 40
# How the library refuses a message.
REFUSALS = (AWSEncryptionSDKClientError, InvalidSignature, InvalidTag)

# It tells every refusal with a trace, and the refusals here are wanted.
logging.getLogger("aws_encryption_sdk").setLevel(logging.CRITICAL + 1)


class Custody(Judge):
    """What the library's tests share."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")
        cls.there = cls.server.client("kms", region="eu-west-1")
        cls.sdk = aws_encryption_sdk.EncryptionSDKClient(
            commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT
        )
        cls.keyrings = AwsCryptographicMaterialProviders(config=MaterialProvidersConfig())

    def key(self, **more):
        return self.kms.create_key(**more)["KeyMetadata"]["Arn"]

    def ring(self, key, client=None):
        wanted = CreateAwsKmsKeyringInput(kms_key_id=key, kms_client=client or self.kms)
        return self.keyrings.create_aws_kms_keyring(input=wanted)

    def encrypt(self, ring, **more):
        return self.sdk.encrypt(source=TEXT, keyring=ring, encryption_context=CONTEXT, **more)[0]

    def decrypt(self, message, ring, context=None):
        text, header = self.sdk.decrypt(source=message, keyring=ring, encryption_context=context or CONTEXT)
        return text, header

    def closed(self, message, ring, context=None):
        """The message must not open with the keyring."""
        with self.assertRaises(REFUSALS):
            self.decrypt(message, ring, context)


class Keyrings(Custody):
    def test_a_message_goes_through_and_comes_back(self):
        """S8.6, S8.7, S8.8, S8.32: KMS sees two small calls, whatever the size; the data never goes there."""
        key = self.key()
        ring = self.ring(key)
        large = TEXT * 100
        message, _ = self.sdk.encrypt(source=large, keyring=ring, encryption_context=CONTEXT)
        self.assertNotIn(TEXT[:64], message)
        text, header = self.sdk.decrypt(source=message, keyring=ring, encryption_context=CONTEXT)
        self.assertEqual(text, large)
        self.assertEqual({name: header.encryption_context[name] for name in CONTEXT}, CONTEXT)
        made, opened = self.events("GenerateDataKey"), self.events("Decrypt")
        mine = [event for event in made + opened if event["resources"][0]["ARN"] == key]
        self.assertEqual(sorted(event["eventName"] for event in mine), ["Decrypt", "GenerateDataKey"])
        for event in mine:
            told = event["requestParameters"]["encryptionContext"]
            self.assertEqual({name: told[name] for name in CONTEXT}, CONTEXT)
            self.assertNotIn("invokedBy", event["userIdentity"])
            self.assertLess(len(str(event)), 4096)

    def test_every_algorithm_suite_round_trips(self):
        key = self.key()
        ring = self.ring(key)
        for suite in (Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY, Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384):
            self.assertEqual(self.decrypt(self.encrypt(ring, algorithm=suite), ring)[0], TEXT)
        older = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
        for suite in (Algorithm.AES_128_GCM_IV12_TAG16, Algorithm.AES_192_GCM_IV12_TAG16_HKDF_SHA256,
                      Algorithm.AES_256_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384):
            message, _ = older.encrypt(source=TEXT, keyring=ring, encryption_context=CONTEXT, algorithm=suite)
            self.assertEqual(older.decrypt(source=message, keyring=ring, encryption_context=CONTEXT)[0], TEXT)

    def test_a_changed_message_never_opens(self):
        ring = self.ring(self.key())
        message = self.encrypt(ring)
        for place in (0, 2, 60, 200, len(message) // 2, len(message) - 1):
            changed = message[:place] + bytes([message[place] ^ 1]) + message[place + 1:]
            self.closed(changed, ring)
        for cut in (message[:-1], message[:100], b""):
            self.closed(cut, ring)
        self.assertEqual(self.decrypt(message, ring)[0], TEXT)

    def test_another_context_is_refused(self):
        """The library compares the context that it is told, and KMS the one that the message bears."""
        ring = self.ring(self.key())
        message = self.encrypt(ring)
        self.closed(message, ring, {**CONTEXT, "purpose": "bonus"})
        changed = message.replace(b"payroll", b"Payroll")
        self.assertNotEqual(changed, message)
        self.closed(changed, ring, {"department": "finance"})

    def test_without_kms_decrypt_nothing_opens(self):
        """S8.57: the writer's message is closed to the writer."""
        key = self.key()
        writer = self.user("writer", statement("kms:GenerateDataKey", key))
        reader = self.user("reader", statement("kms:Decrypt", key))
        writes, reads = self.server.client("kms", writer), self.server.client("kms", reader)
        message = self.encrypt(self.ring(key, writes))
        self.closed(message, self.ring(key, writes))
        self.assertEqual(self.decrypt(message, self.ring(key, reads))[0], TEXT)
        with self.assertRaisesRegex(Exception, "AccessDeniedException.*kms:GenerateDataKey"):
            self.encrypt(self.ring(key, reads))
        refused = [event for event in self.events("Decrypt", errorCode="AccessDenied")]
        self.assertTrue(any(event["userIdentity"].get("userName") == "writer" for event in refused), refused)

    def test_a_disabled_key_opens_nothing(self):
        """S8.15"""
        key = self.key()
        message = self.encrypt(self.ring(key))
        self.kms.disable_key(KeyId=key)
        self.closed(message, self.ring(key))
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.decrypt(message, self.ring(key))[0], TEXT)

    def test_discovery_finds_the_key_in_the_message(self):
        """A discovery keyring names no key: the message does, and the filter says whose keys count."""
        message = self.encrypt(self.ring(self.key()))

        def discovery(account):
            filtered = DiscoveryFilter(partition="aws", account_ids=[account])
            wanted = CreateAwsKmsDiscoveryKeyringInput(kms_client=self.kms, discovery_filter=filtered)
            return self.keyrings.create_aws_kms_discovery_keyring(input=wanted)

        self.assertEqual(self.decrypt(message, discovery(self.server.account))[0], TEXT)
        self.closed(message, discovery("111122223333"))
        with self.assertRaises(REFUSALS):
            self.encrypt(discovery(self.server.account))

    def test_either_key_of_two_opens(self):
        first, second = self.key(), self.key()
        both = self.keyrings.create_multi_keyring(
            input=CreateMultiKeyringInput(generator=self.ring(first), child_keyrings=[self.ring(second)])
        )
        message = self.encrypt(both)
        for key in (first, second):
            self.assertEqual(self.decrypt(message, self.ring(key))[0], TEXT)
        self.closed(message, self.ring(self.key()))
        # The second key got the data key of the first by kms:Encrypt.
        self.assertTrue(any(event["resources"][0]["ARN"] == second for event in self.events("Encrypt")))

    def test_multi_region_keys_are_one(self):
        """S8.59: encrypted under the primary key, opened by its replica, and by discovery in the other region."""
        primary = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
        replica = primary.replace("us-east-1", "eu-west-1")

        def ring(key, client):
            wanted = CreateAwsKmsMrkKeyringInput(kms_key_id=key, kms_client=client)
            return self.keyrings.create_aws_kms_mrk_keyring(input=wanted)

        message = self.encrypt(ring(primary, self.kms))
        self.assertEqual(self.decrypt(message, ring(replica, self.there))[0], TEXT)
        self.assertEqual(self.decrypt(self.encrypt(ring(replica, self.there)), ring(primary, self.kms))[0], TEXT)
        filtered = DiscoveryFilter(partition="aws", account_ids=[self.server.account])
        wanted = CreateAwsKmsMrkDiscoveryKeyringInput(
            kms_client=self.there, region="eu-west-1", discovery_filter=filtered
        )
        self.assertEqual(self.decrypt(message, self.keyrings.create_aws_kms_mrk_discovery_keyring(input=wanted))[0], TEXT)
        single = self.encrypt(self.ring(self.key()))
        self.closed(single, self.keyrings.create_aws_kms_mrk_discovery_keyring(input=wanted))

    def test_an_rsa_key_wraps_outside_and_unwraps_inside(self):
        """S8.25: who has the public key encrypts without KMS; only KMS opens."""
        key = self.key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
        public = load_der_public_key(self.kms.get_public_key(KeyId=key)["PublicKey"])
        wanted = CreateAwsKmsRsaKeyringInput(
            kms_key_id=key, kms_client=self.kms, encryption_algorithm="RSAES_OAEP_SHA_256",
            public_key=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        )
        ring = self.keyrings.create_aws_kms_rsa_keyring(input=wanted)
        message = self.encrypt(ring, algorithm=Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY)
        self.assertEqual(self.decrypt(message, ring)[0], TEXT)
        self.closed(message, self.ring(self.key()))

    def test_two_agree_on_a_key(self):
        """S8.23: DeriveSharedSecret under the library's ECDH keyring; the recipient opens what the sender closed."""
        sender, recipient = (self.key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT") for _ in range(2))
        public = {key: self.kms.get_public_key(KeyId=key)["PublicKey"] for key in (sender, recipient)}

        def ring(own, other):
            static = KmsPrivateKeyToStaticPublicKeyInput(
                sender_kms_identifier=own, sender_public_key=public[own], recipient_public_key=public[other]
            )
            wanted = CreateAwsKmsEcdhKeyringInput(
                curve_spec=ECDHCurveSpec.ECC_NIST_P256, kms_client=self.kms,
                key_agreement_scheme=KmsEcdhStaticConfigurationsKmsPrivateKeyToStaticPublicKey(static),
            )
            return self.keyrings.create_aws_kms_ecdh_keyring(input=wanted)

        message = self.encrypt(ring(sender, recipient))
        self.assertEqual(self.decrypt(message, ring(recipient, sender))[0], TEXT)
        self.closed(message, self.ring(self.key()))


class Caching(Judge):
    """The caching client asks once, and again when its time has come."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secrets = cls.server.client("secretsmanager")

    def asked(self, secret):
        """How often the secret's value was read, by the trail."""
        read = self.events("GetSecretValue")
        return sum(event["requestParameters"]["secretId"] == secret for event in read)

    def test_a_cached_secret_is_read_once(self):
        """S11.7: the client keeps what one call brought."""
        self.secrets.create_secret(Name="cached", SecretString="first")
        cache = SecretCache(SecretCacheConfig(secret_refresh_interval=3600), self.secrets)
        self.assertEqual({cache.get_secret_string("cached") for _ in range(20)}, {"first"})
        self.assertEqual(self.asked("cached"), 1)
        self.secrets.put_secret_value(SecretId="cached", SecretString="second")
        self.assertEqual(cache.get_secret_string("cached"), "first")
        self.assertEqual(self.asked("cached"), 1)

    def test_a_refresh_brings_the_new_version(self):
        """After a new version, the client finds it by DescribeSecret's labels; the one before stays readable."""
        self.secrets.create_secret(Name="fresh", SecretString="first")
        cache = SecretCache(SecretCacheConfig(secret_refresh_interval=0), self.secrets)
        self.assertEqual(cache.get_secret_string("fresh"), "first")
        self.secrets.put_secret_value(SecretId="fresh", SecretString="second")
        self.assertEqual(cache.get_secret_string("fresh"), "second")
        self.assertEqual(cache.get_secret_string("fresh", "AWSPREVIOUS"), "first")
        self.assertEqual(self.asked("fresh"), 2)

    def test_bytes_are_cached_too(self):
        value = base64.b64encode(bytes(range(64)))
        self.secrets.create_secret(Name="bytes", SecretBinary=value)
        cache = SecretCache(SecretCacheConfig(), self.secrets)
        self.assertEqual(cache.get_secret_binary("bytes"), value)

    def test_what_may_not_be_read_is_not_cached(self):
        self.secrets.create_secret(Name="closed", SecretString="x")
        outsider = self.server.client("secretsmanager", self.user("outsider", statement("secretsmanager:DescribeSecret")))
        cache = SecretCache(SecretCacheConfig(), outsider)
        self.refused("AccessDeniedException", cache.get_secret_string, "closed")


if __name__ == "__main__":
    unittest.main()
