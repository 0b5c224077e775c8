"""The README's transcript is what really happens.

It is what stands in ```console blocks between the line `<!-- transcript -->` and the next heading: one bash session in an empty folder,
with `ringwork` and `aws` on the path. Lines that begin with `$ ` are commands (`> ` continues one that ends with a backslash), all others
the output expected: `…` stands for anything within a line, a line that is only `…` for any lines or none. A command without expected
output may print what it likes. A command must fail if its expected output tells of an error (`An error occurred`, or a line beginning
with `ringwork: `), else succeed. The port 4566 stands for the port that was free.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import unittest

from server import Credentials, Server

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
MARK = "@@transcript@@"
SECONDS_MAX = 240


def transcript(text):
    """The commands of the marked section, each with its expected output."""
    section = text.partition("<!-- transcript -->")[2].partition("\n## ")[0]
    steps = []
    for block in re.findall(r"```console\n(.*?)```", section, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            elif line.startswith("> ") and not steps[-1][1] and steps[-1][0].endswith("\\"):
                steps[-1] = (f"{steps[-1][0]}\n{line[2:]}", [])
            else:
                steps[-1][1].append(line)
    return [(command, "\n".join(expected).strip("\n")) for command, expected in steps]


def pattern(expected):
    """A regular expression for expected output."""
    lines = []
    for line in expected.split("\n"):
        if line.strip() == "…":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append("[^\n]*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ \t]*\n")
    return re.compile(r"\A\n*" + "".join(lines) + r"\n*\Z")


def script(steps):
    """The session as a script that marks where each command's output begins and how it ended."""
    lines = ["trap 'kill -9 $(jobs -p) 2>/dev/null' EXIT"]
    for number, (command, _) in enumerate(steps):
        lines += [f"echo '{MARK} {number}'", f"{{ {command}\n}} 2>&1", "ended=$?; echo", f"echo \"{MARK} end $ended\""]
    return "\n".join(lines) + "\n"


def play(steps, port):
    """Runs the session in an empty folder and tells what it printed. Nothing that it started outlives it."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as told:
        session = subprocess.Popen(
            ["bash", "-c", script(steps)], cwd=folder, env=environment(port), stdin=subprocess.DEVNULL, stdout=told,
            stderr=told, start_new_session=True,
        )
        try:
            session.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            print(f"The transcript did not end within {SECONDS_MAX} s.", file=told)
        finally:
            try:
                os.killpg(session.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            session.wait()
        told.seek(0)
        return told.read().replace(f":{port}", ":4566")


class Transcript(unittest.TestCase):
    maxDiff = None

    def test_the_readme_tells_what_happens(self):
        steps = transcript(README.read_text(encoding="utf-8"))
        self.assertTrue(any("kill -9" in command for command, _ in steps), "README.md has no marked transcript with a kill -9")
        told = play(steps, free_port())
        for number, (command, expected) in enumerate(steps):
            found = re.search(rf"^{MARK} {number}\n(.*?)^{MARK} end (\d+)$", told, re.DOTALL | re.MULTILINE)
            self.assertIsNotNone(found, f"`{command}` did not end:\n{told}")
            output, status = found.group(1), int(found.group(2))
            fails = "An error occurred" in expected or re.search("^ringwork: ", expected, re.MULTILINE) is not None
            self.assertEqual(status != 0, fails, f"`{command}` ended with {status}:\n{output}")
            if expected:
                self.assertRegex(output.rstrip("\n") + "\n", pattern(expected), f"`{command}` printed something else")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(port):
    """A shell that knows nothing of any cloud but where the binaries are."""
    blank = Server.__new__(Server)
    blank.endpoint = ""
    values = blank.environment(Credentials("", ""))
    for name in ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "DEFAULT_REGION", "MAX_ATTEMPTS"):
        values.pop(f"AWS_{name}")
    return {**values, "RINGWORK_LISTEN": f"127.0.0.1:{port}", "HOME": os.devnull}


class Convention(unittest.TestCase):
    """The reader of transcripts itself."""

    def test_commands_outputs_and_wildcards(self):
        text = "```console\n$ before\n```\n<!-- transcript -->\n```console\n$ echo a \\\n> b\na …\n> c\n$ true\n```\n## Next\n```console\n$ after\n```\n"
        self.assertEqual(transcript(text), [("echo a \\\nb", "a …\n> c"), ("true", "")])
        self.assertRegex("\na b\n", pattern("a …"))
        self.assertNotRegex("a b\nc\n", pattern("a …"))
        self.assertRegex("a\nb\nc\n", pattern("a\n…\nc"))
        self.assertRegex("{\n  x 1\n}\n", pattern("{\n…\n}"))
        self.assertNotRegex("{\n  x 1\n", pattern("{\n…\n}"))


if __name__ == "__main__":
    unittest.main()
