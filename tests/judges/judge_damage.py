"""A folder that lost something, and an account that was wiped: nothing begins anew in silence, and nothing old goes on."""

import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import threading

from judge_wire import send, signed
from server import BINARY, Credentials, Judge, Server, StartRefused, clean_environment


def control(server, method, path, body=b"", credentials=None):
    return send(server, signed(server, "ringwork", method, f"/_ringwork/{path}", body, credentials=credentials))


class Folders(Judge):
    def refused_start(self, server, file):
        with self.assertRaises(StartRefused) as refusal:
            server.start()
        self.assertEqual(refusal.exception.code, 3, refusal.exception.words)
        self.assertIn(str(server.data / file), refusal.exception.words)

    def test_a_lost_store_is_not_replaced_by_an_empty_one(self):
        server = Server()
        self.addCleanup(server.close)
        server.client("iam").create_user(UserName="kept")
        server.kill()
        away = server.data.parent / "away.db"
        shutil.move(server.data / "store.db", away)
        self.refused_start(server, "store.db")
        shutil.move(away, server.data / "store.db")
        server.start()
        self.assertEqual(server.client("iam").get_user(UserName="kept")["User"]["UserName"], "kept")

    def test_a_damaged_certificate_is_named(self):
        server = Server()
        self.addCleanup(server.close)
        server.stop()
        for content in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            (server.data / "ca.pem").write_bytes(content)
            self.refused_start(server, "ca.pem")


    def test_a_damaged_row_is_the_stores_fault(self):
        server = Server()
        self.addCleanup(server.close)
        server.stop()
        store = server.data / "store.db"
        with contextlib.closing(sqlite3.connect(store)) as folded:
            folded.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = store.read_bytes()
        self.assertTrue(b'"owner":' in content)
        store.write_bytes(content.replace(b'"owner":', b'"ower!":'))
        self.refused_start(server, "store.db")

    def test_a_flipped_bit_in_a_row_is_not_served(self):
        """The row still parses, so nothing but its checksum tells."""
        server = Server()
        self.addCleanup(server.close)
        for name in ("flipped", "beside"):
            server.client("iam").create_user(UserName=name, Path=f"/path-of-{name}/")
        server.stop()
        store = server.data / "store.db"
        with contextlib.closing(sqlite3.connect(store)) as folded:
            folded.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray(store.read_bytes())
        at = content.index(b'"/path-of-flipped/"')
        content[at + len('"/path-of-f')] ^= 1
        store.write_bytes(content)
        server.start()
        iam = server.client("iam")
        self.assertEqual(iam.get_user(UserName="beside")["User"]["Path"], "/path-of-beside/")
        self.refused("InternalFailure", iam.get_user, UserName="flipped")
        server.log.seek(0)
        said = server.log.read()
        self.assertIn("a row of iam.users", said)
        self.assertIn(str(store), said)
        self.assertNotIn("path-of", said)

    def test_another_given_root_key_ends_the_one_before(self):
        server = Server("--root-credentials", "first:of the secrets")
        self.addCleanup(server.close)
        server.client("sts", Credentials("first", "of the secrets")).get_caller_identity()
        self.assertEqual([line for line in server.banner if "first" in line], [])
        server.stop()
        server.options = ("--root-credentials", "second:of the secrets")
        server.start()
        server.client("sts", Credentials("second", "of the secrets")).get_caller_identity()
        self.refused("InvalidClientTokenId", server.client("sts", Credentials("first", "of the secrets")).get_caller_identity)
        told = [line for line in server.banner if "removed" in line]
        self.assertEqual(len(told), 1, server.banner)
        self.assertIn("first", told[0])


class Resets(Judge):
    OPTIONS = ("--memory", "--clock-control")

    def test_a_reset_ends_sessions_of_root_and_frees_aliases(self):
        for path in (f"reset?account={self.server.account}", "reset"):
            session = Credentials.of(self.server.client("sts").get_session_token())
            self.server.client("iam").create_account_alias(AccountAlias="mine")
            status, _, body = control(self.server, "POST", path)
            self.assertEqual(status, 200, body)
            self.refused("InvalidClientTokenId", self.server.client("sts", session).get_caller_identity)
            self.assertEqual(control(self.server, "POST", "reset", credentials=session)[0], 403)
            iam = self.server.client("iam")
            self.assertEqual(iam.list_account_aliases()["AccountAliases"], [])
            iam.create_account_alias(AccountAlias="mine")
            self.assertEqual(iam.list_account_aliases()["AccountAliases"], ["mine"])
            iam.delete_account_alias(AccountAlias="mine")

    def test_changes_of_the_clock_at_once_all_count(self):
        """Read, then set, by many at once would lose some of the changes, or turn time back."""
        def now():
            return json.loads(control(self.server, "GET", "clock")[2])["now"]

        hour, before = 3_600_000, now()
        body = json.dumps({"advance": hour}).encode()
        done = []
        callers = [
            threading.Thread(target=lambda: done.append(control(self.server, "POST", "clock", body)[0])) for _ in range(24)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertEqual(done, [200] * 24)
        self.assertEqual(int(now()[8:10]) - int(before[8:10]) in (1, -27, -28, -29, -30), True, (before, now()))

    def test_a_snapshot_that_fails_midway_leaves_nothing(self):
        """The last name to be made is too long for the file system, long after the rows were written."""
        with tempfile.TemporaryDirectory(prefix="ringwork-judge-") as parent:
            parent = pathlib.Path(parent)

            def save(name):
                body = json.dumps({"to": str(parent / name)}).encode()
                return control(self.server, "POST", "snapshot", body)

            status, _, body = save("s" * (255 - len(".partial.ke")))
            self.assertEqual(status, 400, body)
            self.assertEqual(list(parent.iterdir()), [])
            self.assertEqual(save("saved")[0], 200)
            self.assertEqual(sorted(path.name for path in parent.iterdir()), ["saved", "saved.key"])
            self.assertEqual(save("saved")[0], 409)
            # What a machine left that died is another's until somebody says otherwise, and is named.
            (parent / "other.partial").mkdir()
            status, _, body = save("other")
            self.assertEqual(status, 409, body)
            self.assertIn(b"other.partial", body)
            self.assertTrue((parent / "other.partial").is_dir())

    def test_a_load_that_fails_midway_leaves_nothing(self):
        with tempfile.TemporaryDirectory(prefix="ringwork-judge-") as parent:
            parent = pathlib.Path(parent)
            self.server.ringwork("snapshot", "save", str(parent / "saved"))

            def load(name):
                command = [BINARY, "snapshot", "load", str(parent / "saved"), "--data", str(parent / name)]
                return subprocess.run(command, env=clean_environment(), capture_output=True, text=True).returncode

            self.assertNotEqual(load("l" * (255 - len(".partial.ke"))), 0)
            self.assertEqual(sorted(path.name for path in parent.iterdir()), ["saved", "saved.key"])
            self.assertEqual(load("loaded"), 0)
            self.assertEqual(
                sorted(path.name for path in parent.iterdir()), ["loaded", "loaded.key", "saved", "saved.key"]
            )

    def test_a_snapshot_stays_out_of_the_servers_own_folder(self):
        """The snapshot's key file beside it would open the same secrets, and lie in every copy of the server's folder."""
        inside = [self.server.data / "saved", self.server.data / ".." / self.server.data.name / "saved"]
        for place in inside:
            body = json.dumps({"to": str(place)}).encode()
            self.assertEqual(control(self.server, "POST", "snapshot", body)[0], 400)
        self.assertFalse((self.server.data / "saved").exists())
