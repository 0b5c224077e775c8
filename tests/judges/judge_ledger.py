"""The ledger can be verified: `ringwork doctor` follows every stream, running or at rest, and names where one is broken."""

import contextlib
import json
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

from server import BINARY, Judge, Server, clean_environment

# The count of the records, version and flags, and both links; then come the times.
TIMES = 4 + 2 + 32 + 32


class Ledger(Judge):
    """One folder at rest with two streams, of which each test damages a copy."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        # One call after the other: a batch each.
        for number in range(8):
            cls.server.client("iam").create_user(UserName=f"hidden-name-{number}")
        cls.server.client("kms", region="eu-west-3").list_keys()
        ended, cls.running = cls.doctor(cls.server.data, "--ledger")
        assert ended == 0, cls.running
        cls.main = f"{cls.server.account}/us-east-1"
        cls.server.stop()
        # Its port may be another server's by now.
        (cls.server.data / "endpoint").unlink()

    def tearDown(self):
        """The server is stopped on purpose."""

    @staticmethod
    def doctor(folder, *options):
        """The exit code, and the findings by name."""
        ended = subprocess.run(
            [BINARY, "doctor", "--data", str(folder), "--json", *options],
            env=clean_environment(), capture_output=True, text=True, timeout=120,
        )
        return ended.returncode, {finding["check"]: finding for finding in json.loads(ended.stdout)}

    def copy(self):
        parent = tempfile.TemporaryDirectory(prefix="ringwork-judge-")
        self.addCleanup(parent.cleanup)
        folder = pathlib.Path(parent.name) / "data"
        shutil.copytree(self.server.data, folder)
        return folder

    @contextlib.contextmanager
    def batches(self, folder):
        """A connection to the store, and the main stream's batches: the key and the first sequence of each."""
        with contextlib.closing(sqlite3.connect(folder / "store.db")) as store:
            keys = [key for key, in store.execute("SELECT key FROM batches ORDER BY key")]
            own = [(key, int.from_bytes(key[-8:], "big")) for key in keys if b"us-east-1" in key]
            self.assertGreater(len(own), 6)
            yield store, own
            store.commit()

    def broken(self, folder, sequence, what, *options):
        """The ledger, and nothing but the ledger and the server that is not there, is broken at this place."""
        code, findings = self.doctor(folder, *options)
        self.assertEqual(code, 1)
        self.assertEqual([name for name, finding in findings.items() if finding["needed"] and not finding["ok"]], ["server", "ledger"])
        detail = findings["ledger"]["detail"]
        self.assertIn(f"{self.main} is broken at {sequence}: {what}: ", detail)
        self.assertNotIn("hidden-name", json.dumps(findings))
        told = [stream for stream in findings["ledger"]["streams"] if "broken" in stream]
        self.assertEqual([(stream["stream"], stream["broken"]["sequence"]) for stream in told], [(self.main, sequence)])

    def flip(self, place):
        """Flips a bit of a batch in the middle, at an offset that `place` computes of its value."""
        folder = self.copy()
        with self.batches(folder) as (store, batches):
            key, sequence = batches[len(batches) // 2]
            value = bytearray(store.execute("SELECT value FROM batches WHERE key = ?", [key]).fetchone()[0])
            value[place(value)] ^= 1
            store.execute("UPDATE batches SET value = ? WHERE key = ?", [bytes(value), key])
        return folder, sequence

    def test_a_whole_ledger_is_the_same_running_and_at_rest(self):
        code, findings = self.doctor(self.server.data)
        ledger = findings["ledger"]
        self.assertTrue(ledger["ok"], ledger)
        self.assertEqual((code, [name for name in findings if findings[name]["needed"] and not findings[name]["ok"]]), (1, ["server"]))
        self.assertEqual(ledger["streams"], self.running["ledger"]["streams"])
        self.assertEqual(ledger["detail"], self.running["ledger"]["detail"])
        self.assertIn(f"{self.server.account}/eu-west-3", [stream["stream"] for stream in ledger["streams"]])
        records = sum(stream["records"] for stream in ledger["streams"])
        self.assertIn(f"{len(ledger['streams'])} streams, {records} records, digest ", ledger["detail"])

    def test_a_flipped_bit_is_named_wherever_it_is(self):
        for place in (lambda value: TIMES, lambda value: len(value) - 9):
            folder, sequence = self.flip(place)
            self.broken(folder, sequence, "link")

    def test_a_removed_and_a_swapped_batch_are_named(self):
        folder = self.copy()
        with self.batches(folder) as (store, batches):
            key, sequence = batches[3]
            store.execute("DELETE FROM batches WHERE key = ?", [key])
        self.broken(folder, sequence, "order")
        folder = self.copy()
        with self.batches(folder) as (store, batches):
            (one, sequence), (two, _) = batches[2], batches[5]
            values = [store.execute("SELECT value FROM batches WHERE key = ?", [key]).fetchone()[0] for key in (one, two)]
            store.executemany("UPDATE batches SET value = ? WHERE key = ?", [(values[1], one), (values[0], two)])
        self.broken(folder, sequence, "link")

    def test_a_cut_tail_shows_against_what_was_noted(self):
        folder = self.copy()
        noted = folder.parent / "noted.json"
        noted.write_text(json.dumps(list(self.running.values())))
        with self.batches(folder) as (store, batches):
            key, sequence = batches[-1]
            store.execute("DELETE FROM batches WHERE key = ?", [key])
        self.assertTrue(self.doctor(folder)[1]["ledger"]["ok"], "nothing in the folder tells of it")
        self.broken(folder, sequence, "noted", "--noted", str(noted))

    def test_a_grown_ledger_goes_on_from_what_was_noted_of_it(self):
        folder = self.copy()
        shutil.copy(f"{self.server.data}.key", f"{folder}.key")
        noted = folder.parent / "noted.json"
        noted.write_text(json.dumps(list(self.running.values())))
        server = Server(folder=folder)
        self.addCleanup(server.close)
        server.client("iam").list_users()
        code, findings = self.doctor(folder, "--noted", str(noted))
        self.assertEqual((code, findings["ledger"]["ok"]), (0, True), findings["ledger"])
        self.assertNotEqual(findings["ledger"]["detail"], self.running["ledger"]["detail"])
        with tempfile.NamedTemporaryFile("w", suffix=".json") as nothing:
            nothing.write("[]")
            nothing.flush()
            server.ringwork("doctor", "--noted", nothing.name, expect=2)
