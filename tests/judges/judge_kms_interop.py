"""Key pairs that others made and signatures that others made, against those of KMS: the judge is the library `cryptography`."""

import os
import unittest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mlkem, padding, rsa, utils

from server import Judge

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
MESSAGE = b"signed by one, verified by the other"
HASHES = {256: hashes.SHA256(), 384: hashes.SHA384(), 512: hashes.SHA512()}


def pkcs8(private):
    return private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def spki(public):
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class Interop(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")

    def imported(self, private, spec, usage="SIGN_VERIFY"):
        """A KMS key with this private key as its material, wrapped by the steps of the KMS Developer Guide."""
        key = self.kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        given = self.kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_2048")
        once = os.urandom(32)
        head = serialization.load_der_public_key(given["PublicKey"]).encrypt(once, OAEP)
        wrapped = head + keywrap.aes_key_wrap_with_padding(once, pkcs8(private))
        self.kms.import_key_material(
            KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=wrapped, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE"
        )
        # The public half is the same octets, in the form that AWS gives it.
        self.assertEqual(self.kms.get_public_key(KeyId=key)["PublicKey"], spki(private.public_key()))
        return key

    def verifies(self, key, signature, message=MESSAGE, **more):
        return self.kms.verify(KeyId=key, Message=message, Signature=signature, **more)["SignatureValid"]

    def test_signatures_by_curves_are_exchanged(self):
        """S8.23, S8.25, S8.27: signed outside and verified here, and the reverse, with one imported key."""
        for spec, curve, bits in (
            ("ECC_NIST_P256", ec.SECP256R1(), 256), ("ECC_NIST_P384", ec.SECP384R1(), 384),
            ("ECC_NIST_P521", ec.SECP521R1(), 512), ("ECC_SECG_P256K1", ec.SECP256K1(), 256),
        ):
            with self.subTest(spec=spec):
                private = ec.generate_private_key(curve)
                key, algorithm = self.imported(private, spec), {"SigningAlgorithm": f"ECDSA_SHA_{bits}"}
                outside = private.sign(MESSAGE, ec.ECDSA(HASHES[bits]))
                self.assertTrue(self.verifies(key, outside, **algorithm))
                self.refused("KMSInvalidSignatureException", self.verifies, key, outside, message=b"another", **algorithm)
                here = self.kms.sign(KeyId=key, Message=MESSAGE, **algorithm)["Signature"]
                private.public_key().verify(here, MESSAGE, ec.ECDSA(HASHES[bits]))
                digest = hashes.Hash(HASHES[bits])
                digest.update(MESSAGE)
                digest = digest.finalize()
                prehashed = private.sign(digest, ec.ECDSA(utils.Prehashed(HASHES[bits])))
                self.assertTrue(self.verifies(key, prehashed, message=digest, MessageType="DIGEST", **algorithm))

    def test_signatures_by_rsa_are_exchanged(self):
        """S8.23, S8.27: both paddings, each hash."""
        private = rsa.generate_private_key(65537, 2048)
        key = self.imported(private, "RSA_2048")
        for bits, made in HASHES.items():
            for name, scheme in (("PKCS1_V1_5", padding.PKCS1v15()), ("PSS", padding.PSS(padding.MGF1(made), made.digest_size))):
                algorithm = {"SigningAlgorithm": f"RSASSA_{name}_SHA_{bits}"}
                with self.subTest(**algorithm):
                    outside = private.sign(MESSAGE, scheme, made)
                    self.assertTrue(self.verifies(key, outside, **algorithm))
                    here = self.kms.sign(KeyId=key, Message=MESSAGE, **algorithm)["Signature"]
                    private.public_key().verify(here, MESSAGE, scheme, made)
                    with self.assertRaises(InvalidSignature):
                        private.public_key().verify(here, MESSAGE + b"!", scheme, made)

    def test_signatures_by_edwards_keys_are_the_very_same(self):
        private = ed25519.Ed25519PrivateKey.generate()
        key = self.imported(private, "ECC_NIST_EDWARDS25519")
        here = self.kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="ED25519_SHA_512")["Signature"]
        self.assertEqual(here, private.sign(MESSAGE))

    def test_rsa_decrypts_in_both_places(self):
        private = rsa.generate_private_key(65537, 2048)
        key = self.imported(private, "RSA_2048", "ENCRYPT_DECRYPT")
        named = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
        blob = self.kms.encrypt(KeyId=key, Plaintext=b"x", **named)["CiphertextBlob"]
        self.assertEqual(private.decrypt(blob, OAEP), b"x")
        outside = private.public_key().encrypt(b"y", OAEP)
        self.assertEqual(self.kms.decrypt(KeyId=key, CiphertextBlob=outside, **named)["Plaintext"], b"y")

    def test_both_parties_of_an_agreement_have_the_same_secret(self):
        private, peer = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        key = self.imported(private, "ECC_NIST_P256", "KEY_AGREEMENT")
        shared = self.kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=spki(peer.public_key()))
        self.assertEqual(shared["SharedSecret"], peer.exchange(ec.ECDH(), private.public_key()))
        self.assertEqual(shared["KeyOrigin"], "EXTERNAL")

    def test_lattice_secrets_are_shared(self):
        """S8.23: ML-KEM. What others encapsulate for a key is recovered here, and here alone."""
        for spec in ("ML_KEM_768", "ML_KEM_1024"):
            with self.subTest(spec=spec):
                key = self.kms.create_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]["KeyId"]
                public = serialization.load_der_public_key(self.kms.get_public_key(KeyId=key)["PublicKey"])
                secret, ciphertext = public.encapsulate()
                opened = self.kms.decapsulate(KeyId=key, SharedSecretCiphertextBlob=ciphertext, EncapsulationAlgorithm="ML_KEM")
                self.assertEqual(opened["SharedSecret"], secret)
                made = self.kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
                opened = self.kms.decapsulate(
                    KeyId=key, SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"], EncapsulationAlgorithm="ML_KEM"
                )
                self.assertEqual(opened["SharedSecret"], made["SharedSecret"])
                self.refused(
                    "InvalidCiphertextException", self.kms.decapsulate, KeyId=key, SharedSecretCiphertextBlob=ciphertext[1:],
                    EncapsulationAlgorithm="ML_KEM",
                )


if __name__ == "__main__":
    unittest.main()
