"""The README's transcript is what really happens.

A block counts if the line before its fence is `<!-- transcript -->`. All such blocks are one shell session in an empty folder, with
`ringwork` and `aws` on the path. Lines that begin with `$ ` are commands (`> ` continues one that ends with a backslash or is not
complete), all others the output expected: `…` stands for anything within a line, a line that is only `…` for any lines. A command
without expected output may print what it likes. A command that ends with `&` is a server: it is waited for until its banner is out.
A command must fail if its expected output tells of an error (`An error occurred`, or a line beginning with `ringwork: `), else succeed.
The port 4566 stands for the port that was free.
"""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

from server import STARTED, Credentials, Server

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
MARK = "@@transcript@@"


def transcript(text):
    """The commands of the marked blocks, each with its expected output."""
    steps = []
    for block in re.findall(r"<!-- transcript -->\s*\n```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            elif line.startswith("> ") and steps and not steps[-1][1]:
                command, expected = steps[-1]
                steps[-1] = (f"{command}\n{line[2:]}", expected)
            elif steps:
                steps[-1][1].append(line)
    return [(command, "\n".join(expected).strip()) for command, expected in steps]


def pattern(expected):
    """A regular expression for expected output."""
    lines = []
    for line in expected.split("\n"):
        if line.strip() == "…":
            lines.append(r"(?:[^\n]*\n)*?")
        else:
            lines.append("[^\n]*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ \t]*\n")
    return re.compile("".join(lines) + r"\s*\Z")


def script(steps):
    """The session as a script that marks where each command's output begins and how it ended."""
    lines = [
        "set +e",
        "mkfifo .banner && exec 9<>.banner && rm .banner",
        "trap 'kill -9 $(jobs -p) 2>/dev/null' EXIT",
    ]
    for number, (command, _) in enumerate(steps):
        lines.append(f"echo '{MARK} {number}'")
        if command.rstrip().endswith("&"):
            lines.append(f"{command.rstrip()[:-1]} >&9 2>&9 &")
            lines.append(
                "ready=1; while IFS= read -r -t 60 line <&9; do "
                f"printf '%s\\n' \"$line\"; case $line in '{STARTED}'*) ready=0; break;; esac; done; (exit $ready)"
            )
        else:
            lines.append(f"{{ {command}\n}} 2>&1")
        lines.append(f"echo \"{MARK} end $?\"")
    return "\n".join(lines) + "\n"


class Transcript(unittest.TestCase):
    maxDiff = None

    def test_the_readme_tells_what_happens(self):
        steps = transcript(README.read_text(encoding="utf-8"))
        self.assertTrue(any("kill -9" in command for command, _ in steps), "README.md has no marked transcript with a kill -9")
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            ended = subprocess.run(
                ["bash", "-c", script(steps)], cwd=folder, env=environment(port), capture_output=True, text=True, timeout=300
            )
        told = ended.stdout.replace(f":{port}", ":4566")
        for number, (command, expected) in enumerate(steps):
            found = re.search(rf"^{MARK} {number}\n(.*?)^{MARK} end (\d+)$", told, re.DOTALL | re.MULTILINE)
            self.assertIsNotNone(found, f"`{command}` did not end:\n{told}\n{ended.stderr}")
            output, status = found.group(1), int(found.group(2))
            fails = "An error occurred" in expected or re.search("^ringwork: ", expected, re.MULTILINE) is not None
            self.assertEqual(status != 0, fails, f"`{command}` ended with {status}:\n{output}")
            if expected:
                self.assertRegex(output.strip("\n") + "\n", pattern(expected), f"`{command}` printed something else")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(port):
    """A shell that knows nothing of any cloud but where the binaries are."""
    blank = Server.__new__(Server)
    blank.endpoint = ""
    values = blank.environment(Credentials("", ""))
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_MAX_ATTEMPTS"):
        values.pop(name)
    return {**values, "RINGWORK_LISTEN": f"127.0.0.1:{port}", "HOME": os.devnull}


class Convention(unittest.TestCase):
    """The reader of transcripts itself."""

    def test_commands_outputs_and_wildcards(self):
        text = "<!-- transcript -->\n```console\n$ echo a \\\n> b\na …\n$ true\n```\n```console\n$ not marked\n```\n"
        self.assertEqual(transcript(text), [("echo a \\\nb", "a …"), ("true", "")])
        self.assertRegex("a b\n", pattern("a …"))
        self.assertNotRegex("a b\nc\n", pattern("a …"))
        self.assertRegex("a\nb\nc\n", pattern("a\n…\nc"))
        self.assertRegex("{\n  x 1\n}\n", pattern("{\n…\n}"))


if __name__ == "__main__":
    unittest.main()
