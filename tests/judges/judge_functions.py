"""What functions are shut in with, and what becomes of them when the server stops, is killed or turns its clock, by boto3."""

import concurrent.futures
import hashlib
import io
import json
import pathlib
import subprocess
import time
import unittest
import zipfile

from server import Judge, Server, policy, wait_for

SECRET = "a-pearl-in-an-oyster"

LOOKS = """
import os
def handler(event, context):
    seen = {}
    for path in event["paths"]:
        try:
            with open(path, "rb") as file:
                seen[path] = len(file.read())
        except OSError as error:
            seen[path] = type(error).__name__
    if event.get("write"):
        kept = os.path.join(os.environ["TMPDIR"], "kept")
        with open(kept, "a") as file:
            file.write("x")
        seen["kept"] = os.path.getsize(kept)
    return {"seen": seen, "processes": [name for name in os.listdir("/proc") if name.isdigit()],
            "secret": os.environ["SECRET"], "stream": context.log_stream_name}
"""

SLEEPS = """
import time
def handler(event, context):
    print("asleep", flush=True)
    time.sleep(event["seconds"])
    return context.log_stream_name
"""


def packed(text):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        made.writestr("index.py", text)
    return held.getvalue()


def places_of(folder):
    """Where functions of a data folder have theirs, whichever way they are shut in."""
    own = pathlib.Path(folder).resolve() / "functions"
    public = hashlib.sha256(str(own).encode()).hexdigest()[:16]
    return own, pathlib.Path("/var/lib") / f"ringwork-functions-{public}"


def sandboxes_of(folder):
    return {found for place in places_of(folder) for found in place.glob("sandboxes/*")}


def processes_of(folder):
    """Processes that were started for functions of a data folder."""
    marks = [f"={place}/".encode() for place in places_of(folder)]
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if any(mark in process.read_bytes() for mark in marks):
                found.append(process.parent.name)
        except OSError:
            continue
    return found


def prepare(server):
    trusted = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
    role = server.client("iam").create_role(RoleName="runs", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
    functions = server.client("lambda")

    def make(name, text, **more):
        settings = {"Runtime": "python3.12", "Handler": "index.handler", "Role": role, "Timeout": 30, **more}
        functions.create_function(FunctionName=name, Code={"ZipFile": packed(text)}, **settings)

    return functions, make


def run(functions, name, event):
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
    said = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise AssertionError(said)
    return said


class Sandboxes(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.functions, make = prepare(cls.server)
        cls.make = staticmethod(make)
        make("looks", LOOKS, Environment={"Variables": {"SECRET": SECRET}})
        make("sleeps", SLEEPS)

    def isolated(self):
        findings = json.loads(self.server.ringwork("doctor", "--json"))
        return next(finding for finding in findings if finding["check"] == "functions' isolation")

    def test_doctor_tells_which_runtimes_the_host_has(self):
        findings = json.loads(self.server.ringwork("doctor", "--json"))
        runtimes = {finding["check"]: finding for finding in findings if finding["check"].startswith("runtime ")}
        self.assertIn("Python 3.", runtimes["runtime python3.12"]["detail"])
        self.assertIn("Node.js ", runtimes["runtime nodejs22.x"]["detail"])
        self.assertTrue(runtimes["runtime provided.al2023"]["ok"])
        self.assertIn("runtime python3.13", self.server.ringwork("doctor"))

    def test_a_function_sees_neither_the_data_folder_nor_other_processes(self):
        isolated = self.isolated()
        self.assertTrue(isolated["ok"], isolated)
        jailed = "namespaces of its own" in isolated["detail"]
        data = self.server.data
        secrets = [data / "root-credentials.json", data.with_name(data.name + ".key"), data / "ca.pem", f"/proc/{self.server.process.pid}/maps"]
        self.assertTrue(all(pathlib.Path(path).exists() for path in secrets))
        said = run(self.functions, "looks", {"paths": [str(path) for path in secrets]})
        self.assertEqual(set(said["seen"].values()), {"FileNotFoundError" if jailed else "PermissionError"})
        if jailed:
            self.assertLessEqual(len(said["processes"]), 2)
        self.assertEqual(said["secret"], SECRET)

    def test_temporary_files_stay_with_their_sandbox(self):
        event = {"paths": [], "write": True}
        first, second = run(self.functions, "looks", event), run(self.functions, "looks", event)
        self.assertEqual(first["stream"], second["stream"], "the same sandbox, warm")
        self.assertEqual(second["seen"]["kept"], first["seen"]["kept"] + 1)
        self.functions.update_function_configuration(FunctionName="looks", Description="changed")
        third = run(self.functions, "looks", event)
        self.assertNotEqual(third["stream"], first["stream"])
        self.assertEqual(third["seen"]["kept"], 1, "a new sandbox begins with nothing")

    def test_the_data_folder_holds_no_variable_in_clear_while_a_function_is_warm(self):
        run(self.functions, "looks", {"paths": []})
        self.assertTrue(sandboxes_of(self.server.data))
        for folder in (self.server.data, *places_of(self.server.data)):
            for path in folder.rglob("*"):
                if path.is_file():
                    self.assertNotIn(SECRET.encode(), path.read_bytes(), path)
        shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn(SECRET, shown)

    def test_functions_run_beside_one_another(self):
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            streams = list(pool.map(lambda _: run(self.functions, "sleeps", {"seconds": 2}), range(8)))
        self.assertEqual(len(set(streams)), 8)
        self.assertLess(time.monotonic() - began, 12, "one after the other they would take 16 seconds")


class Ends(unittest.TestCase):
    def start(self):
        server = Server()
        self.addCleanup(server.close)
        functions, make = prepare(server)
        make("sleeps", SLEEPS, Timeout=900)
        return server, functions

    def sleep(self, server, functions):
        functions.invoke(FunctionName="sleeps", InvocationType="Event", Payload=json.dumps({"seconds": 800}))
        # Until the function itself says so: a jail that is still being built falls apart with its server.
        said = lambda: json.loads(server.ringwork("logs", "sleeps", "--json"))["lines"]
        wait_for(lambda: any(line["text"] == "asleep" for line in said()))

    def test_a_stop_ends_all_functions(self):
        server, functions = self.start()
        self.sleep(server, functions)
        self.assertEqual(server.stop(), 0)
        self.assertEqual(processes_of(server.data), [])
        self.assertFalse(any(place.exists() for place in places_of(server.data)))

    def test_what_a_killed_server_left_ends_at_the_next_start(self):
        server, functions = self.start()
        self.sleep(server, functions)
        server.kill()
        left = processes_of(server.data)
        self.assertTrue(left)
        folders = sandboxes_of(server.data)
        self.assertTrue(folders)
        server.start()
        wait_for(lambda: not set(left) & set(processes_of(server.data)))
        self.assertFalse(folders & sandboxes_of(server.data))
        # The event was not done, so it is done again: at least once.
        wait_for(lambda: processes_of(server.data))


if __name__ == "__main__":
    unittest.main()
