"""Custody: what a copied data folder, a snapshot, the logs and the ledger yield without the seal. Nothing.

Every secret of the run is known to the judge, in clear; then the bytes of everything that was written are searched for each of them,
raw, in hexadecimal and in Base64.
"""

import base64
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest
import zipfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from server import BINARY, Credentials, Judge, Server, StartRefused, clean_environment


def traces(secret):
    """How a secret would look in a file: as it is, in hexadecimal, and in Base64 at each of its three alignments."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            text = encode(b"\0" * shift + secret)
            # The first and last letters depend on what stands beside the secret.
            found.add(text[(shift * 8 + 5) // 6: -4])
    return [trace for trace in found if len(trace) >= 8]


def bring(kms):
    """A key with known material: its id, and the material."""
    key, material = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"], os.urandom(32)
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    public = serialization.load_der_public_key(given["PublicKey"])
    scheme = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    kms.import_key_material(
        KeyId=key, ImportToken=given["ImportToken"], EncryptedKeyMaterial=public.encrypt(material, scheme),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    return key, material


class Vault:
    """One of everything that a cloud keeps secret, with known content."""

    def __init__(self, server):
        self.server, self.secrets = server, {}
        self.kms, self.iam = server.client("kms"), server.client("iam")
        self.data_keys()
        self.pairs()
        self.imported()
        self.values()
        self.objects()
        self.credentials()

    def keep(self, name, secret):
        self.secrets[name] = secret if isinstance(secret, bytes) else secret.encode()

    def data_keys(self):
        self.key = self.kms.create_key()["KeyMetadata"]["KeyId"]
        plaintext = os.urandom(64)
        self.blob = self.kms.encrypt(KeyId=self.key, Plaintext=plaintext)["CiphertextBlob"]
        assert self.kms.decrypt(CiphertextBlob=self.blob)["Plaintext"] == plaintext
        self.keep("plaintext", plaintext)
        self.keep("data key", self.kms.generate_data_key(KeyId=self.key, KeySpec="AES_256")["Plaintext"])
        self.keep("random bytes", self.kms.generate_random(NumberOfBytes=48)["Plaintext"])

    def pairs(self):
        for spec in ("ECC_NIST_P256", "RSA_2048"):
            made = self.kms.generate_data_key_pair(KeyId=self.key, KeyPairSpec=spec)["PrivateKeyPlaintext"]
            # The middle of PKCS #8 is the private number; its head is the same for all.
            self.keep(f"private key {spec}", made[36:68] if spec.startswith("ECC") else made[-300:])
        made = self.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        message = os.urandom(40)
        self.kms.sign(KeyId=made, Message=message, SigningAlgorithm="ECDSA_SHA_256")
        self.keep("signed message", message)
        made = self.kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        message = os.urandom(40)
        self.kms.generate_mac(KeyId=made, Message=message, MacAlgorithm="HMAC_SHA_256")
        self.keep("authenticated message", message)

    def imported(self):
        key, material = bring(self.kms)
        self.kms.encrypt(KeyId=key, Plaintext=b"x")
        self.keep("imported material", material)

    def values(self):
        ssm, secrets = self.server.client("ssm"), self.server.client("secretsmanager")
        for number, tier in enumerate(("Standard", "Advanced")):
            for turn in range(2):
                value = base64.b32encode(os.urandom(20)).decode()
                ssm.put_parameter(Name=f"/p{number}", Value=value, Type="SecureString", Tier=tier, Overwrite=True)
                self.keep(f"parameter {tier} {turn}", value)
            assert ssm.get_parameter(Name=f"/p{number}", WithDecryption=True)["Parameter"]["Value"] == value
        text, binary = base64.b32encode(os.urandom(20)).decode(), os.urandom(40)
        made = secrets.create_secret(Name="s", SecretString=text)["ARN"]
        secrets.put_secret_value(SecretId=made, SecretBinary=binary)
        secrets.get_secret_value(SecretId=made)
        self.keep("secret", text)
        self.keep("binary secret", binary)
        self.keep("random password", secrets.get_random_password(PasswordLength=24)["RandomPassword"])
        # A value that is refused was sent all the same.
        refused = base64.b32encode(os.urandom(20)).decode()
        try:
            secrets.create_secret(Name="s", SecretString=refused)
        except secrets.exceptions.ResourceExistsException:
            self.keep("refused secret", refused)

    def objects(self):
        s3, functions = self.server.client("s3"), self.server.client("lambda")
        s3.create_bucket(Bucket="custody")
        for name, more in (("default", {}), ("kms", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key})):
            body = os.urandom(3000)
            s3.put_object(Bucket="custody", Key=name, Body=body, **more)
            assert s3.get_object(Bucket="custody", Key=name)["Body"].read() == body
            self.keep(f"object ({name})", body[:64])
            self.keep(f"object's end ({name})", body[-64:])
        role = self.iam.create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
        code, variable = io.BytesIO(), base64.b32encode(os.urandom(20)).decode()
        with zipfile.ZipFile(code, "w") as packed:
            packed.writestr("app.py", "def handler(event, context):\n    return {}\n")
        functions.create_function(
            FunctionName="f", Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": code.getvalue()},
            Environment={"Variables": {"TOKEN": variable}},
        )
        assert functions.get_function_configuration(FunctionName="f")["Environment"]["Variables"]["TOKEN"] == variable
        self.keep("function's variable", variable)

    def credentials(self):
        self.iam.create_user(UserName="ana")
        made = self.iam.create_access_key(UserName="ana")
        self.keep("access key", made["AccessKey"]["SecretAccessKey"])
        password = "Ax9!" + base64.b32encode(os.urandom(10)).decode()
        self.iam.create_login_profile(UserName="ana", Password=password)
        self.keep("password", password)
        device = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="ana")["VirtualMFADevice"]
        self.keep("MFA seed", device["Base32StringSeed"])
        seed = device["Base32StringSeed"].decode()
        self.keep("MFA seed's bytes", base64.b32decode(seed + "=" * (-len(seed) % 8)))
        session = self.server.client("sts", Credentials.of(made)).get_session_token()["Credentials"]
        self.keep("session's secret key", session["SecretAccessKey"])
        self.keep("session's token", session["SessionToken"][-64:])
        made = self.iam.create_service_specific_credential(UserName="ana", ServiceName="codecommit.amazonaws.com")
        self.keep("service password", made["ServiceSpecificCredential"]["ServicePassword"])


class Custody(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.vault = Vault(cls.server)
        cls.folder = tempfile.TemporaryDirectory(prefix="ringwork-custody-")
        cls.addClassCleanup(cls.folder.cleanup)

    def assert_silent(self, what, content, allowed=()):
        for name, secret in self.vault.secrets.items():
            if name in allowed:
                continue
            for trace in traces(secret):
                self.assertNotIn(trace, content, f"{what} holds the {name}")

    def files(self, folder):
        found = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
        self.assertTrue(found)
        return found

    def test_the_search_finds_what_is_there(self):
        """A search that finds nothing must be able to find something."""
        for name, secret in self.vault.secrets.items():
            for wrapped in (secret, secret.hex().encode(), base64.b64encode(b"ab" + secret + b"xyz")):
                content = b"before" + wrapped + b"after"
                self.assertTrue(any(trace in content for trace in traces(secret)), name)

    def test_the_data_folder_holds_nothing_in_clear(self):
        """S8.18, S8.24, S10.3, S11.10: the raw bytes of every file of the folder, while the server runs and after it stopped."""
        for path in self.files(self.server.data):
            self.assert_silent(path, path.read_bytes())
        self.server.log.seek(0)
        logs = self.server.log.read() + "".join(self.server.banner)
        self.assert_silent("the log", logs.encode())
        self.server.stop()
        try:
            for path in self.files(self.server.data):
                self.assert_silent(path, path.read_bytes())
        finally:
            self.server.start()

    def test_the_ledger_tells_nothing_in_clear(self):
        """Every record of the run, opened, as CloudTrail shows it."""
        trail = self.server.client("cloudtrail")
        pages = trail.get_paginator("lookup_events").paginate()
        events = [event["CloudTrailEvent"] for page in pages for event in page["Events"]]
        self.assertGreater(len(events), 40)
        names = {json.loads(event)["eventName"] for event in events}
        self.assertLessEqual({"Encrypt", "CreateSecret", "PutParameter", "CreateLoginProfile", "ImportKeyMaterial"}, names)
        self.assert_silent("the ledger", "\n".join(events).encode())

    def test_a_snapshot_holds_nothing_in_clear(self):
        to = pathlib.Path(self.folder.name) / "saved"
        self.server.ringwork("snapshot", "save", str(to))
        for path in self.files(to):
            self.assert_silent(path, path.read_bytes())

    def test_a_copied_folder_does_not_open_without_its_key(self):
        """A backup of the data folder alone is of no use to whoever finds it, nor is one with another's key."""
        stolen = pathlib.Path(self.folder.name) / "stolen"
        self.server.stop()
        try:
            shutil.copytree(self.server.data, stolen)
        finally:
            self.server.start()
        key = stolen.with_name(stolen.name + ".key")
        with self.assertRaises(StartRefused) as refused:
            Server(folder=stolen)
        self.assertIn("key", refused.exception.words)
        self.assertFalse(key.exists(), "a new key was made for a folder that has one")
        other = Server()
        self.addCleanup(other.close)
        shutil.copy(other.data.with_name(other.data.name + ".key"), key)
        with self.assertRaises(StartRefused):
            Server(folder=stolen)
        # With its own key it is the same cloud.
        shutil.copy(self.server.data.with_name(self.server.data.name + ".key"), key)
        opened = Server("--clock-control", folder=stolen)
        try:
            plain = opened.client("kms").decrypt(CiphertextBlob=self.vault.blob)["Plaintext"]
        finally:
            opened.close()
        self.assertEqual(plain, self.vault.secrets["plaintext"])

    def test_what_only_root_needs_is_readable_by_its_owner_alone(self):
        for path in (*self.files(self.server.data), self.server.data.with_name(self.server.data.name + ".key")):
            # What everybody may know: the certificate, the address, and the program that runs functions.
            if path.name in ("ca.pem", "endpoint") or path.parent.name == "runtime":
                continue
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)


class Process(unittest.TestCase):
    """What others see of the process that has the keys in its memory."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="ringwork-process-")
        self.addCleanup(self.folder.cleanup)
        # Root sees everything of everybody; what another of the same user sees shows only under another user.
        self.user = 65534 if os.geteuid() == 0 else None
        binary = BINARY
        if self.user is not None:
            os.chown(self.folder.name, self.user, self.user)
            binary = pathlib.Path(self.folder.name) / "ringwork"
            shutil.copy(BINARY, binary)
            os.chmod(binary, 0o755)
        command = [str(binary), "serve", "--memory", "--data", f"{self.folder.name}/data", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean_environment(), user=self.user, cwd=self.folder.name
        )
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.terminate)
        for line in self.process.stdout:
            if line.startswith("Next, in another shell:"):
                return
        self.fail("the server did not start")

    def test_it_leaves_no_core_file_and_lets_nobody_look_in(self):
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        (limit,) = [line for line in (proc / "limits").read_text().splitlines() if line.startswith("Max core file size")]
        self.assertEqual(limit.split()[4:6], ["0", "0"])
        # The kernel gives what belongs to a process that cannot be dumped to root: its own user can't read its memory any more.
        self.assertEqual((proc / "status").stat().st_uid, 0)
        if self.user is not None:
            read = subprocess.run(["cat", f"{proc}/environ"], user=self.user, capture_output=True)
            self.assertNotEqual(read.returncode, 0, "another process of the same user reads its environment")
            mapped = subprocess.run(["head", "-c", "1", f"{proc}/mem"], user=self.user, capture_output=True)
            self.assertIn(b"ermission denied", mapped.stderr)


@unittest.skipIf(os.geteuid(), "only root may read the memory of a process that cannot be dumped")
class Memory(Judge):
    """What the process itself holds."""

    def found(self, secret):
        """How often a secret stands in the process's memory."""
        count, process = 0, pathlib.Path(f"/proc/{self.server.process.pid}")
        with open(process / "mem", "rb") as memory:
            for line in (process / "maps").read_text().splitlines():
                place, rights, *_ = line.split()
                if "r" not in rights or "[v" in line:
                    continue
                start, end = (int(number, 16) for number in place.split("-"))
                try:
                    memory.seek(start)
                    count += memory.read(end - start).count(secret)
                except (OSError, ValueError):
                    continue
        return count

    def test_material_is_open_while_it_is_used_and_wiped_with_its_key(self):
        """Nothing is left in memory of material that was deleted, nor of a key that was disabled."""
        kms = self.server.client("kms")
        for end in (kms.delete_imported_key_material, kms.disable_key):
            key, material = bring(kms)
            kms.encrypt(KeyId=key, Plaintext=b"x")
            self.assertGreater(self.found(material), 0, "the search finds nothing at all")
            end(KeyId=key)
            self.assertEqual(self.found(material), 0)


class Locked(Judge):
    @unittest.skipIf(os.geteuid(), "only root may lock all of its memory")
    def test_its_memory_is_not_swapped_out(self):
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        (locked,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmLck")]
        told = json.loads(self.server.ringwork("status", "--json"))["memory_locked"]
        self.assertEqual(locked > 0, told)
        if not told:
            self.skipTest("this machine lets not even root lock memory")
        findings = {finding["check"]: finding for finding in json.loads(self.server.ringwork("doctor", "--json"))}
        self.assertTrue(findings["memory"]["ok"])


if __name__ == "__main__":
    unittest.main()
