"""Key pairs that work with OpenSSL as well as with KMS, by boto3."""

import pathlib
import subprocess
import tempfile
import unittest

from server import Judge

ECC = {
    "ECC_NIST_P256": ("ECDSA_SHA_256", "sha256"),
    "ECC_NIST_P384": ("ECDSA_SHA_384", "sha384"),
    "ECC_NIST_P521": ("ECDSA_SHA_512", "sha512"),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256", "sha256"),
}


class Pairs(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kms = cls.server.client("kms")
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def made(self, spec, usage):
        return self.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]

    def file(self, name, content):
        path = pathlib.Path(self.folder.name) / name
        path.write_bytes(content)
        return str(path)

    def public(self, key):
        return self.file(f"{key}.der", self.kms.get_public_key(KeyId=key)["PublicKey"])

    def openssl(self, *arguments, ok=True):
        ran = subprocess.run(["openssl", *arguments], capture_output=True, check=False, timeout=60)
        self.assertEqual(ran.returncode == 0, ok, ran.stderr)
        return ran.stdout

    def test_openssl_verifies_what_rsa_keys_sign(self):
        """S8.23, S8.25, S8.27: RSA, both paddings, each hash."""
        key = self.made("RSA_2048", "SIGN_VERIFY")
        public, message = self.public(key), self.file("message", b"a message")
        for bits in (256, 384, 512):
            for scheme, options in (
                ("PKCS1_V1_5", ()),
                ("PSS", ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")),
            ):
                algorithm = f"RSASSA_{scheme}_SHA_{bits}"
                signed = self.kms.sign(KeyId=key, Message=b"a message", SigningAlgorithm=algorithm)["Signature"]
                signature = self.file("signature", signed)
                self.openssl("dgst", f"-sha{bits}", *options, "-keyform", "DER", "-verify", public, "-signature", signature, message)
                self.assertTrue(self.kms.verify(KeyId=key, Message=b"a message", SigningAlgorithm=algorithm, Signature=signed)["SignatureValid"])
                self.refused("KMSInvalidSignatureException", self.kms.verify, KeyId=key, Message=b"another", SigningAlgorithm=algorithm, Signature=signed)

    def test_openssl_verifies_what_curves_sign(self):
        """S8.23, S8.25, S8.27: the curves of NIST and secp256k1; a digest signs as its message does."""
        message = self.file("message", b"a message")
        for spec, (algorithm, name) in ECC.items():
            key = self.made(spec, "SIGN_VERIFY")
            digest = self.openssl("dgst", f"-{name}", "-binary", message)
            for kind, text in (("RAW", b"a message"), ("DIGEST", digest)):
                signed = self.kms.sign(KeyId=key, Message=text, MessageType=kind, SigningAlgorithm=algorithm)["Signature"]
                self.openssl("dgst", f"-{name}", "-keyform", "DER", "-verify", self.public(key), "-signature", self.file("signature", signed), message)
            self.refused("ValidationException", self.kms.sign, KeyId=key, Message=b"short", MessageType="DIGEST", SigningAlgorithm=algorithm)

    def test_openssl_verifies_what_edwards_keys_sign(self):
        key = self.made("ECC_NIST_EDWARDS25519", "SIGN_VERIFY")
        signed = self.kms.sign(KeyId=key, Message=b"a message", SigningAlgorithm="ED25519_SHA_512")["Signature"]
        self.openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", self.public(key), "-rawin",
            "-in", self.file("message", b"a message"), "-sigfile", self.file("signature", signed),
        )

    def test_kms_decrypts_what_openssl_encrypts_and_nobody_else_does(self):
        """S8.23, S8.25: the public key encrypts outside."""
        key = self.made("RSA_2048", "ENCRYPT_DECRYPT")
        plain = self.file("plain", b"for KMS only")
        for bits, name in ((1, "sha1"), (256, "sha256")):
            blob = self.openssl(
                "pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", self.public(key), "-in", plain,
                "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{name}", "-pkeyopt", f"rsa_mgf1_md:{name}",
            )
            algorithm = f"RSAES_OAEP_SHA_{bits}"
            self.assertEqual(self.kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm=algorithm)["Plaintext"], b"for KMS only")
            changed = bytes([blob[0] ^ 1]) + blob[1:]
            self.refused("InvalidCiphertextException", self.kms.decrypt, KeyId=key, CiphertextBlob=changed, EncryptionAlgorithm=algorithm)

    def test_data_key_pairs_work_in_openssl(self):
        """S8.20: a signature by a data key's private half verifies with its public half."""
        key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        message = self.file("message", b"a message")
        for spec in ("RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1"):
            pair = self.kms.generate_data_key_pair(KeyId=key, KeyPairSpec=spec)
            opened = self.kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"]
            self.assertEqual(opened, pair["PrivateKeyPlaintext"])
            signature = self.openssl("dgst", "-sha256", "-keyform", "DER", "-sign", self.file("private", opened), message)
            self.openssl(
                "dgst", "-sha256", "-keyform", "DER", "-verify", self.file("public", pair["PublicKey"]),
                "-signature", self.file("signature", signature), message,
            )

    def test_openssl_and_kms_agree_on_a_secret(self):
        """ECDH between a key here and one that OpenSSL made."""
        for spec, curve in (("ECC_NIST_P256", "P-256"), ("ECC_NIST_P384", "P-384"), ("ECC_NIST_P521", "P-521")):
            key = self.made(spec, "KEY_AGREEMENT")
            private = self.file("peer.pem", self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}"))
            peer = self.openssl("pkey", "-in", private, "-pubout", "-outform", "DER")
            shared = self.kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer)["SharedSecret"]
            theirs = self.openssl("pkeyutl", "-derive", "-inkey", private, "-peerform", "DER", "-peerkey", self.public(key))
            self.assertEqual(shared, theirs)
            self.refused("ValidationException", self.kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=peer[:-1])

    def test_lattice_signatures_verify_here(self):
        """S8.23: ML-DSA, with the lengths of FIPS 204."""
        for spec, length in (("ML_DSA_44", 2420), ("ML_DSA_65", 3309), ("ML_DSA_87", 4627)):
            key = self.made(spec, "SIGN_VERIFY")
            signed = self.kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ML_DSA_SHAKE_256")["Signature"]
            self.assertEqual(len(signed), length)
            self.assertTrue(self.kms.verify(KeyId=key, Message=b"m", SigningAlgorithm="ML_DSA_SHAKE_256", Signature=signed)["SignatureValid"])


class Stored(Judge):
    def test_a_pair_survives_a_restart_and_lies_sealed(self):
        """S8.24: what was signed before verifies after; the private key is nowhere in the folder in clear."""
        kms = self.server.client("kms")
        key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        signed = kms.sign(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
        public = kms.get_public_key(KeyId=key)["PublicKey"]
        self.server.stop()
        # The private key would come with its public point, as PKCS #8 has it.
        for path in pathlib.Path(self.server.data).rglob("*"):
            if path.is_file():
                self.assertNotIn(public[-64:], path.read_bytes(), path)
        self.server.start()
        kms = self.server.client("kms")
        self.assertTrue(kms.verify(KeyId=key, Message=b"m", SigningAlgorithm="ECDSA_SHA_256", Signature=signed)["SignatureValid"])
        self.assertEqual(kms.get_public_key(KeyId=key)["PublicKey"], public)


if __name__ == "__main__":
    unittest.main()
