"""What was acknowledged is there, whatever happens to the process."""

import json
import pathlib
import signal
import subprocess
import tempfile
import threading
import unittest

import botocore.exceptions
from server import BINARY, Judge, Server, StartRefused, clean_environment


class Killed(Judge):
    WRITERS = 8
    ACKNOWLEDGED_BEFORE_KILL = 150

    def test_a_kill_under_load_loses_nothing_that_was_acknowledged(self):
        """Three rounds of kill -9 while eight clients write; then every answer that left is state and record."""
        users, keys, requests = [], [], []
        for round_number in range(3):
            self.round(round_number, users, keys, requests)
        iam, kms = self.server.client("iam"), self.server.client("kms")
        there = {user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]}
        self.assertEqual(set(users) - there, set())
        for key, blob, plaintext in keys:
            answer = kms.decrypt(CiphertextBlob=blob)
            self.assertEqual((answer["KeyId"].split("/")[-1], answer["Plaintext"]), (key, plaintext))
        recorded = {event["requestID"] for name in ("CreateUser", "CreateKey", "Encrypt") for event in self.events(name)}
        self.assertEqual(set(requests) - recorded, set())
        # Nothing is there that was not recorded.
        made = {event["requestParameters"]["userName"] for event in self.events("CreateUser") if "errorCode" not in event}
        self.assertEqual(there - made, set())

    def round(self, number, users, keys, requests):
        enough, lock = threading.Event(), threading.Lock()
        before = len(requests)

        def acknowledged(answer, to, value):
            with lock:
                to.append(value)
                requests.append(answer["ResponseMetadata"]["RequestId"])
                if len(requests) - before >= self.ACKNOWLEDGED_BEFORE_KILL:
                    enough.set()

        def write(writer):
            iam, kms = self.server.client("iam"), self.server.client("kms")
            try:
                for count in range(10_000):
                    name = f"round{number}-writer{writer}-{count}"
                    acknowledged(iam.create_user(UserName=name), users, name)
                    if count % 4 == 0:
                        answer = kms.create_key()
                        key = answer["KeyMetadata"]["KeyId"]
                        acknowledged(answer, [], key)
                        answer = kms.encrypt(KeyId=key, Plaintext=name.encode())
                        acknowledged(answer, keys, (key, answer["CiphertextBlob"], name.encode()))
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
                if not enough.is_set():
                    failures.append(error)
                    enough.set()

        failures = []
        writers = [threading.Thread(target=write, args=(writer,)) for writer in range(self.WRITERS)]
        for writer in writers:
            writer.start()
        self.assertTrue(enough.wait(120), "the writers did not get through")
        self.server.kill()
        for writer in writers:
            writer.join()
        self.assertEqual(failures, [])
        self.server.start()

    def test_a_stop_finishes_what_runs(self):
        server = Server()
        self.addCleanup(server.close)
        server.client("iam").create_user(UserName="last")
        self.assertEqual(server.stop(signal.SIGTERM), 0)
        server.start()
        server.client("iam").get_user(UserName="last")


class Sealed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def server(self, *options, data="data"):
        server = Server(*options, folder=self.folder / data)
        self.addCleanup(server.close)
        return server

    def test_a_copied_data_folder_alone_yields_nothing(self):
        server = self.server()
        blob = server.client("kms").encrypt(KeyId=server.client("kms").create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")
        server.stop()
        key_file = self.folder / "data.key"
        self.assertTrue(key_file.is_file(), "the key file lies outside the data folder")
        self.assertEqual(key_file.stat().st_mode & 0o077, 0, "for its owner alone")
        kept = key_file.read_bytes()
        key_file.unlink()
        with self.assertRaises(StartRefused) as caught:
            server.start()
        self.assertEqual(caught.exception.code, 3)
        key_file.write_bytes(kept)
        key_file.chmod(0o600)
        server.start()
        self.assertEqual(server.client("kms").decrypt(CiphertextBlob=blob["CiphertextBlob"])["Plaintext"], b"x")

    def test_a_passphrase_opens_it_and_a_wrong_one_does_not(self):
        right, wrong = self.folder / "right", self.folder / "wrong"
        right.write_text("correct horse battery staple\n")
        wrong.write_text("incorrect\n")
        for file in (right, wrong):
            file.chmod(0o600)
        server = self.server("--seal-passphrase-file", str(right))
        server.client("iam").create_user(UserName="kept")
        server.stop()
        server.options = ("--seal-passphrase-file", str(wrong))
        with self.assertRaises(StartRefused):
            server.start()
        server.options = ("--seal-passphrase-file", str(right))
        server.start()
        server.client("iam").get_user(UserName="kept")

    def test_a_newer_folder_is_refused(self):
        self.assertIn("ringwork", subprocess.run([BINARY, "--version"], env=clean_environment(), capture_output=True, text=True).stdout)
        server = self.server()
        server.stop()
        header = self.folder / "data" / "seal"
        header.write_bytes(b"\xff" + header.read_bytes()[1:])
        with self.assertRaises(StartRefused) as caught:
            server.start()
        self.assertEqual(caught.exception.code, 3)

    def test_half_written_files_are_survived(self):
        server = self.server()
        server.client("iam").create_user(UserName="kept")
        server.kill()
        for name in ("endpoint.new", "root-credentials.json.new", "ca.pem.new"):
            (self.folder / "data" / name).write_bytes(b"half")
        server.start()
        server.client("iam").get_user(UserName="kept")
        json.loads((self.folder / "data" / "root-credentials.json").read_text())


if __name__ == "__main__":
    unittest.main()
