"""A Ringwork of a test's own: started on a free port with a data folder that goes away, spoken to by unmodified clients.

Invariant: nothing of the machine's own AWS configuration reaches a client or the server.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import boto3
import botocore.config
import botocore.exceptions

REGION = "us-east-1"
# The banner's last line: all that a client needs has been written before it.
STARTED = "Next, in another shell:"

BINARY = os.environ.get("JUDGED_BINARY")


def clean_environment(**more):
    """This process's environment without anything that means something to AWS clients, Terraform's state or Ringwork."""
    dropped = ("AWS_", "RINGWORK_", "BOTO")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    kept = {name: value for name, value in kept.items() if name.lower() not in proxies}
    return {**kept, **more}


class Credentials:
    """An access key, and the session token that goes with a temporary one."""

    def __init__(self, key, secret, token=None):
        self.key, self.secret, self.token = key, secret, token

    @classmethod
    def of(cls, answer):
        """From `CreateAccessKey`'s or STS's answer."""
        for name in ("AccessKey", "Credentials"):
            answer = answer.get(name, answer)
        return cls(answer["AccessKeyId"], answer["SecretAccessKey"], answer.get("SessionToken"))

    def environment(self):
        values = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**values, "AWS_SESSION_TOKEN": self.token} if self.token else values


class Server:
    """One server process and its data folder."""

    def __init__(self, *options, folder=None):
        if not BINARY:
            raise RuntimeError("JUDGED_BINARY names no binary: run `cargo xtask test judges`")
        self.options = options
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="ringwork-judge-")
        self.data = pathlib.Path(folder or pathlib.Path(self._temporary.name) / "data")
        self.process = None
        self.start()

    def start(self):
        """Starts the process and waits until it says that it serves."""
        command = [BINARY, "serve", "--data", str(self.data), "--listen", "127.0.0.1:0", *self.options]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=clean_environment()
        )
        self.banner = []
        for line in self.process.stdout:
            self.banner.append(line)
            if line.startswith(STARTED):
                break
        else:
            code = self.process.wait(10)
            self.process.stdout.close()
            self.log.seek(0)
            with self.log:
                raise StartRefused(code, self.log.read())
        # The pipe must not fill up.
        self._drain = threading.Thread(target=self.process.stdout.read, daemon=True)
        self._drain.start()
        self.endpoint = (self.data / "endpoint").read_text().strip()
        root = json.loads((self.data / "root-credentials.json").read_text())
        self.account = root["account"]
        self.root = Credentials(root["access_key_id"], root["secret_access_key"])
        self.authority = str(self.data / "ca.pem")

    def stop(self, how=signal.SIGTERM):
        """Ends the process and tells its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(60)
        self._drain.join(10)
        self.process.stdout.close()
        self.log.close()
        return code

    def kill(self):
        """`kill -9`: nothing is flushed or finished."""
        return self.stop(signal.SIGKILL)

    def close(self):
        if self.process.poll() is None:
            self.stop()
        if self._temporary:
            self._temporary.cleanup()

    @property
    def address(self):
        host, port = self.endpoint.split("://")[1].rsplit(":", 1)
        return host, int(port)

    @property
    def https(self):
        return self.endpoint.replace("http://", "https://", 1)

    def client(self, service, credentials=None, region=REGION, **config):
        """A boto3 client that tries once. Root's unless credentials are given."""
        endpoint, verify = config.pop("endpoint", self.endpoint), config.pop("verify", None)
        credentials = credentials or self.root
        unsigned = {"signature_version": botocore.UNSIGNED} if credentials == "unsigned" else {}
        keys = {} if unsigned else {
            "aws_access_key_id": credentials.key,
            "aws_secret_access_key": credentials.secret,
            "aws_session_token": credentials.token,
        }
        settings = botocore.config.Config(
            retries={"total_max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=32,
            proxies={},
            s3={"addressing_style": "path"},
            **unsigned,
            **config,
        )
        return boto3.session.Session().client(
            service, region_name=region, endpoint_url=endpoint, verify=verify, config=settings, **keys
        )

    def environment(self, credentials=None, **more):
        """What a shell needs to be this caller."""
        return clean_environment(
            AWS_ENDPOINT_URL=self.endpoint,
            AWS_REGION=REGION,
            AWS_DEFAULT_REGION=REGION,
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_MAX_ATTEMPTS="1",
            AWS_PAGER="",
            PATH=f"{pathlib.Path(BINARY).parent}{os.pathsep}{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **(credentials or self.root).environment(),
            **more,
        )

    def aws(self, *arguments, credentials=None, **more):
        """Runs the AWS CLI and reads its JSON; a refusal raises `Refused` with what the CLI printed."""
        ended = subprocess.run(
            [sys.executable, "-m", "awscli", *arguments, "--output", "json"],
            env=self.environment(credentials, **more), capture_output=True, text=True, timeout=120,
        )
        if ended.returncode:
            raise Refused(ended.returncode, ended.stderr.strip())
        return json.loads(ended.stdout) if ended.stdout.strip() else None

    def ringwork(self, *arguments, expect=0, folder=True):
        """Runs one of the binary's own commands on this data folder and tells what it printed."""
        data = ["--data", str(self.data)] if folder else []
        command, *rest = arguments
        # `--data` belongs to the command itself, before a further word of it.
        ended = subprocess.run(
            [BINARY, command, *data, *rest], env=clean_environment(), capture_output=True, text=True, timeout=120
        )
        if ended.returncode != expect:
            raise AssertionError(f"ringwork {arguments} ended with {ended.returncode}: {ended.stderr}{ended.stdout}")
        return ended.stdout if expect == 0 else ended.stderr


class StartRefused(Exception):
    """The server did not start."""

    def __init__(self, code, words):
        super().__init__(f"the server ended with {code}: {words}")
        self.code, self.words = code, words


class Refused(Exception):
    """The AWS CLI ended with an error."""

    def __init__(self, code, words):
        super().__init__(words)
        self.code, self.words = code, words


class Judge(unittest.TestCase):
    """Tests that share one server; `OPTIONS` are its options."""

    OPTIONS = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.OPTIONS)
        cls.addClassCleanup(cls.server.close)

    def tearDown(self):
        # A server that died would only look like a refused connection to the next test.
        code = self.server.process.poll()
        if code is not None:
            self.server.log.seek(0)
            self.fail(f"the server ended by itself with {code}: {self.server.log.read()}")

    def refused(self, code, call, *arguments, status=None, **named):
        """The call must be refused with this code; tells the error's answer."""
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call(*arguments, **named)
        answer = caught.exception.response
        self.assertEqual(answer["Error"]["Code"], code, answer["Error"])
        if status:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status)
        return answer

    def user(self, name, *statements, server=None):
        """Makes a user with a key and, if statements are given, an inline policy; tells its credentials."""
        iam = (server or self.server).client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return Credentials.of(iam.create_access_key(UserName=name))

    def events(self, name, server=None, **wanted):
        """The recorded events of an operation, newest first, as CloudTrail's JSON."""
        trail = (server or self.server).client("cloudtrail")
        attributes = [{"AttributeKey": "EventName", "AttributeValue": name}]
        pages = trail.get_paginator("lookup_events").paginate(LookupAttributes=attributes)
        events = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
        return [event for event in events if all(event.get(key) == value for key, value in wanted.items())]


def wait_for(found, seconds=30, what="what was waited for did not happen"):
    """What it finds, once it finds something; a failure after that."""
    end = time.monotonic() + seconds
    while not (seen := found()):
        if time.monotonic() > end:
            raise AssertionError(what() if callable(what) else what)
        time.sleep(0.02)
    return seen


def statement(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal, **more):
    """A trust policy for a principal's ARN."""
    allowed = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
