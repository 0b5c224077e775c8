"""What is Ringwork's own: seeds, resets, snapshots, the clock, and why."""

import datetime
import json
import pathlib
import subprocess
import tempfile
import unittest

from judge_wire import send, signed
from server import BINARY, STARTED, Credentials, Judge, Server, StartRefused, clean_environment, policy, statement

SEED = """\
accounts:
- id: "000000000000"
  alias: seeded
  policies:
  - name: look
    document:
      Version: "2012-10-17"
      Statement:
      - Effect: Allow
        Action: ["iam:List*"]
        Resource: "*"
  groups:
  - name: lookers
    policies: [look]
  roles:
  - name: deploy
    trust:
      Version: "2012-10-17"
      Statement:
      - {Effect: Allow, Principal: {AWS: "arn:aws:iam::000000000000:root"}, Action: "sts:AssumeRole"}
    inline:
      roles: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "iam:ListRoles", Resource: "*"}]}
  users:
  - name: anna
    groups: [lookers]
    tags: {team: blue}
    access_keys:
    - {id: AKIAIOSFODNN7EXAMPLE, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
"""

ANNA = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


class Seeds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.seed = self.folder / "seed.yaml"

    def start(self, text, *options):
        self.seed.write_text(text)
        server = Server("--seed", str(self.seed), *options, folder=self.folder / "data")
        self.addCleanup(server.close)
        return server

    def test_a_seed_makes_users_who_may_what_it_says(self):
        server = self.start(SEED)
        iam = server.client("iam", ANNA)
        self.assertEqual([user["UserName"] for user in iam.list_users()["Users"]], ["anna"])
        with self.assertRaises(Exception) as caught:
            iam.create_user(UserName="x")
        self.assertIn("AccessDenied", str(caught.exception))
        self.assertEqual(server.client("iam").list_account_aliases()["AccountAliases"], ["seeded"])

    def test_a_seed_is_idempotent(self):
        server = self.start(SEED)
        before = server.client("iam").get_user(UserName="anna")["User"]
        server.stop()
        server.start()
        self.assertEqual(server.client("iam").get_user(UserName="anna")["User"], before)

    def test_a_wrong_seed_is_refused_with_its_place(self):
        for wrong in (SEED.replace("Effect: Allow\n", "Effect: Permit\n"), SEED.replace("  alias:", "  alais:"), SEED.replace("[lookers]", "[nobody]")):
            with self.subTest(seed=wrong), self.assertRaises(StartRefused) as caught:
                self.start(wrong, "--memory")
            self.assertRegex(caught.exception.words, r"\d+:\d+|line \d+")


class Memory(Judge):
    OPTIONS = ("--memory", "--root-credentials", "test:test")

    def control(self, path, body=b"", server=None, credentials=None):
        server = server or self.server
        return send(server, signed(server, "ringwork", "POST", f"/_ringwork/{path}", body, credentials=credentials))

    def test_fixed_credentials_work(self):
        client = self.server.client("sts", Credentials("test", "test"))
        self.assertTrue(client.get_caller_identity()["Arn"].endswith(":root"))

    def test_a_reset_forgets_everything_but_root(self):
        user = self.user("forgotten")
        self.server.client("kms").create_key()
        self.assertEqual(self.control("reset", credentials=user)[0], 403)
        status, _, body = self.control("reset")
        self.assertEqual(status, 200, body)
        self.assertEqual(self.server.client("iam").list_users()["Users"], [])
        self.assertEqual(self.server.client("kms").list_keys()["Keys"], [])
        self.refused("InvalidClientTokenId", self.server.client("sts", user).get_caller_identity)

    def test_nothing_is_left_on_the_disk(self):
        server = Server("--memory")
        self.addCleanup(server.close)
        server.client("iam").create_user(UserName="gone")
        server.stop()
        server.start()
        self.assertEqual(server.client("iam").list_users()["Users"], [])


class Durable(Judge):
    OPTIONS = ("--clock-control",)

    def test_a_durable_server_is_not_reset(self):
        request = signed(self.server, "ringwork", "POST", "/_ringwork/reset")
        self.assertEqual(send(self.server, request)[0], 403)

    def test_a_snapshot_is_loaded_again(self):
        kms = self.server.client("kms")
        user = self.user("kept", statement("kms:*"))
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        with tempfile.TemporaryDirectory() as folder:
            saved = pathlib.Path(folder) / "saved"
            self.server.ringwork("snapshot", "save", str(saved))
            self.server.client("iam").create_user(UserName="after")
            for options, data in ((("--memory", "--from", str(saved), "--clock-control"), "memory"), (("--clock-control",), "loaded")):
                with self.subTest(options=options):
                    if data == "loaded":
                        self.load(saved, pathlib.Path(folder) / data)
                    server = Server(*options, folder=pathlib.Path(folder) / data)
                    self.addCleanup(server.close)
                    self.assertEqual(server.client("kms", user).decrypt(CiphertextBlob=blob)["Plaintext"], b"x")
                    names = [found["UserName"] for found in server.client("iam").list_users()["Users"]]
                    self.assertIn("kept", names)
                    self.assertNotIn("after", names)
                    self.assertEqual(self.events("CreateUser", server=server)[0]["requestParameters"]["userName"], "kept")

    def test_a_folder_keeps_its_account(self):
        with tempfile.TemporaryDirectory() as folder:
            data, saved = pathlib.Path(folder) / "data", pathlib.Path(folder) / "saved"
            account = "123412341234"
            for options in (("--account", account), (), ("--account", account)):
                with self.subTest(options=options):
                    server = Server(*options, folder=data)
                    self.addCleanup(server.close)
                    self.assertEqual(server.client("sts").get_caller_identity()["Account"], account)
                    if not saved.exists():
                        server.ringwork("snapshot", "save", str(saved))
                    server.stop()
            with self.assertRaises(StartRefused) as refused:
                Server("--account", "000000000000", folder=data)
            self.assertEqual(refused.exception.code, 2)
            self.assertIn(account, refused.exception.words)
            server = Server("--memory", "--from", str(saved), folder=pathlib.Path(folder) / "memory")
            self.addCleanup(server.close)
            self.assertEqual(server.account, account)

    def test_without_a_command_the_environment_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "elsewhere"
            environment = clean_environment(RINGWORK_DATA=str(data), RINGWORK_LISTEN="127.0.0.1:0", RINGWORK_ACCOUNT="123412341234")
            with subprocess.Popen([BINARY], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
                for line in process.stdout:
                    if line.startswith(STARTED):
                        break
                process.terminate()
                process.stdout.read()
            root = json.loads((data / "root-credentials.json").read_text())
            self.assertEqual(root["account"], "123412341234")
            self.assertNotIn(":4566", (data / "endpoint").read_text())

    def load(self, saved, data):
        # By a name without a folder, as README has it.
        command = [BINARY, "snapshot", "load", str(saved), "--data", data.name]
        ended = subprocess.run(command, cwd=data.parent, env=clean_environment(), capture_output=True, text=True)
        self.assertEqual(ended.returncode, 0, ended.stderr)

    def test_why_tells_the_layers_and_the_smallest_remedy(self):
        user = self.server.client("iam", self.user("asking", statement("iam:ListRoles")))
        request = self.refused("AccessDenied", user.get_user, UserName="asking")["ResponseMetadata"]["RequestId"]
        told = self.server.ringwork("why", request)
        for word in ("iam:GetUser", f"arn:aws:iam::{self.server.account}:user/asking", "AccessDenied"):
            self.assertIn(word, told)
        report = json.loads(self.server.ringwork("why", "--json", request))
        self.assertNotIn('"*"', json.dumps(report["decisions"][0].get("advice", "")), "never a wildcard")
        self.server.client("iam").put_user_policy(
            UserName="asking", PolicyName="no", PolicyDocument=policy(statement("iam:GetUser", effect="Deny"))
        )
        request = self.refused("AccessDenied", user.get_user, UserName="asking")["ResponseMetadata"]["RequestId"]
        told = self.server.ringwork("why", request)
        self.assertIn("user/asking inline no", told)
        self.assertIn("^", told, "a caret under what decided")

    def test_why_knows_its_own_calls_alone(self):
        self.server.ringwork("why", "00000000-0000-0000-0000-000000000000", expect=5)
        self.server.ringwork("why", "nonsense", expect=2)

    def test_status_and_doctor_tell_how_it_is(self):
        status = json.loads(self.server.ringwork("status", "--json"))
        self.assertEqual((status["account"], status["engine"]), (self.server.account, "disk"))
        self.assertGreater(status["operations"], 80)
        self.assertIn(self.server.account, self.server.ringwork("status"))
        self.server.ringwork("doctor")

    def test_the_clock_moves_ahead_alone_and_outlives_a_restart(self):
        server = Server("--clock-control")
        self.addCleanup(server.close)
        server.ringwork("clock", "advance", "365d")
        event = self.events("GetCallerIdentity", server=server)
        self.assertEqual(event, [])
        server.client("sts").get_caller_identity()
        day = datetime.date.fromisoformat(self.events("GetCallerIdentity", server=server)[0]["eventTime"][:10])
        ahead = day - datetime.datetime.now(datetime.timezone.utc).date()
        self.assertIn(ahead.days, (365, 366))
        server.ringwork("clock", "set", "2020-01-01T00:00:00Z", expect=5)
        server.stop()
        server.options = ()
        with self.assertRaises(StartRefused):
            server.start()
        server.options = ("--clock-control",)
        server.start()
        server.client("sts").get_caller_identity()

    def test_without_the_posture_the_clock_stays(self):
        server = Server()
        self.addCleanup(server.close)
        server.ringwork("clock", "advance", "1d", expect=5)


if __name__ == "__main__":
    unittest.main()
