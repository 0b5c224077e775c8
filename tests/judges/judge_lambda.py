"""Functions that really run, as their role and as nobody else, by boto3 and the AWS CLI."""

import base64
import hashlib
import io
import json
import os
import pathlib
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile

import botocore

from server import Judge, Refused, policy, statement, wait_for

SITE = str(pathlib.Path(botocore.__file__).parent.parent)
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

ECHO = """
import json, os
def handler(event, context):
    print("seen", json.dumps(event))
    if event.get("fail"):
        raise ValueError(event["fail"])
    return {"event": event, "arn": context.invoked_function_arn, "version": context.function_version,
            "env": os.environ.get("SECRET"), "remaining": context.get_remaining_time_in_millis() > 0}
"""

CALLS = """
import boto3, botocore.config
def handler(event, context):
    config = botocore.config.Config(retries={"total_max_attempts": 1, "mode": "standard"})
    client = boto3.client(event["service"], config=config)
    try:
        answer = getattr(client, event["operation"])(**event["input"])
    except client.exceptions.ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    answer.pop("ResponseMetadata")
    return answer
"""

SLEEPS = """
import time
def handler(event, context):
    time.sleep(event["seconds"])
"""

NODE = """
exports.handler = async (event, context) => ({ sum: event.a + event.b, name: context.functionName });
"""


LOGGING = """
import logging

def handler(event, context):
    logging.info("quiet")
    logging.warning("careful")
"""


def packed(text, name="index.py"):
    """The same bytes whenever it is made: an entry without a date of its own."""
    held, entry = io.BytesIO(), zipfile.ZipInfo(name)
    entry.external_attr = 0o600 << 16
    with zipfile.ZipFile(held, "w") as made:
        made.writestr(entry, text)
    return held.getvalue()


def trusted(service="lambda.amazonaws.com"):
    return policy({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


class Lambda(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.functions, cls.iam, cls.kms = (cls.server.client(name) for name in ("lambda", "iam", "kms"))
        cls.role = cls.iam.create_role(RoleName="runs", AssumeRolePolicyDocument=trusted())["Role"]["Arn"]

    def function(self, name, text=ECHO, **more):
        settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": self.role, "Timeout": 10, **more}
        made = self.functions.create_function(FunctionName=name, Code={"ZipFile": packed(text)}, **settings)
        self.functions.get_waiter("function_active_v2").wait(FunctionName=name)
        return made

    def run_it(self, name, event=None, functions=None, **more):
        answer = (functions or self.functions).invoke(
            FunctionName=name, Payload=json.dumps({} if event is None else event), **more
        )
        return answer, json.loads(answer["Payload"].read() or "null")

    def log(self, name):
        return [line["text"] for line in json.loads(self.server.ringwork("logs", name, "--json"))["lines"]]

    def test_a_function_runs_and_tells_what_it_wrote(self):
        made = self.function("echo", Environment={"Variables": {"SECRET": "pearl"}})
        zipped = packed(ECHO)
        self.assertEqual(made["CodeSha256"], base64.b64encode(hashlib.sha256(zipped).digest()).decode())
        self.assertEqual((made["CodeSize"], made["Version"]), (len(zipped), "$LATEST"))
        answer, said = self.run_it("echo", {"a": 1}, LogType="Tail")
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        self.assertNotIn("FunctionError", answer)
        self.assertEqual(said["event"], {"a": 1})
        self.assertEqual((said["env"], said["remaining"], said["version"]), ("pearl", True, "$LATEST"))
        tail = base64.b64decode(answer["LogResult"]).decode()
        self.assertIn('seen {"a": 1}', tail)
        self.assertIn(f"REPORT RequestId: {answer['ResponseMetadata']['RequestId']}", tail)
        self.assertTrue(any('seen {"a": 1}' in line for line in self.log("echo")))
        shown = self.functions.get_function(FunctionName="echo")["Code"]["Location"]
        with urllib.request.urlopen(shown) as page:
            self.assertEqual(page.read(), zipped)
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(shown[:-4] + "AAAA")
        self.server.ringwork("clock", "advance", "11m")
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(shown)

    def test_logs_are_json_where_a_function_wants_them_so(self):
        told = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}
        made = self.function("structured", LOGGING, LoggingConfig=told, Publish=True)
        self.assertEqual(made["LoggingConfig"]["SystemLogLevel"], "INFO")
        # A waiter for a version ends, and its settings have the digest of what it was made of.
        self.functions.get_waiter("function_updated_v2").wait(FunctionName="structured", Qualifier="1")
        latest = self.functions.get_function_configuration(FunctionName="structured")
        self.assertEqual(made["ConfigSha256"], latest["ConfigSha256"])
        answer, _ = self.run_it("structured", LogType="Tail")
        lines = [json.loads(line) for line in base64.b64decode(answer["LogResult"]).decode().splitlines()]
        kinds = [line.get("type") or line["message"] for line in lines]
        self.assertEqual(kinds, ["platform.initStart", "platform.start", "careful", "platform.report"])
        request = answer["ResponseMetadata"]["RequestId"]
        self.assertEqual((lines[2]["level"], lines[2]["requestId"]), ("WARNING", request))
        self.assertEqual((lines[3]["record"]["requestId"], lines[3]["record"]["status"]), (request, "success"))
        self.assertEqual([json.loads(line) for line in self.log("structured")], lines)
        changed = self.functions.update_function_configuration(FunctionName="structured", LoggingConfig={"LogFormat": "Text"})
        self.assertNotEqual(changed["ConfigSha256"], latest["ConfigSha256"])
        answer, _ = self.run_it("structured", LogType="Tail")
        self.assertIn(b"\nREPORT RequestId: ", base64.b64decode(answer["LogResult"]))

    def test_a_story_of_the_cli(self):
        aws = self.server.aws
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            (place / "code.zip").write_bytes(packed(NODE, "index.js"))
            made = aws("lambda", "create-function", "--function-name", "node", "--runtime", "nodejs22.x", "--role", self.role,
                       "--handler", "index.handler", "--zip-file", f"fileb://{place}/code.zip", "--publish")
            self.assertEqual(made["Version"], "1")
            aws("lambda", "wait", "function-active-v2", "--function-name", "node")
            aws("lambda", "create-alias", "--function-name", "node", "--name", "live", "--function-version", "1")
            answer = aws("lambda", "invoke", "--function-name", "node:live", "--payload", '{"a": 2, "b": 3}', f"{place}/out.json")
            self.assertEqual(answer["ExecutedVersion"], "1")
            self.assertEqual(json.loads((place / "out.json").read_text()), {"sum": 5, "name": "node"})
            with self.assertRaises(Refused) as refused:
                aws("lambda", "get-function", "--function-name", "nobody")
            self.assertIn("ResourceNotFoundException", refused.exception.words)

    def test_errors_and_timeouts_are_the_functions_own(self):
        self.function("fails")
        answer, said = self.run_it("fails", {"fail": "no"})
        self.assertEqual((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
        self.assertEqual((said["errorType"], said["errorMessage"]), ("ValueError", "no"))
        self.function("sleeps", SLEEPS, Timeout=1)
        answer, said = self.run_it("sleeps", {"seconds": 5})
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertIn("Task timed out after 1.00 seconds", said["errorMessage"])
        self.refused("InvalidRequestContentException", self.functions.invoke, FunctionName="fails", Payload="{", status=400)
        big = json.dumps("a" * (6 << 20))
        self.refused("RequestTooLargeException", self.functions.invoke, FunctionName="fails", Payload=big, status=413)
        event = json.dumps("a" * (1 << 20))
        self.refused("RequestTooLargeException", self.functions.invoke, FunctionName="fails", InvocationType="Event",
                     Payload=event, status=413)
        self.assertEqual(self.functions.invoke(FunctionName="fails", InvocationType="DryRun")["StatusCode"], 204)

    def test_a_function_may_do_what_its_role_may(self):
        """S36.3, S12.8"""
        role = self.iam.create_role(RoleName="narrow", AssumeRolePolicyDocument=trusted())["Role"]["Arn"]
        self.function("calls", CALLS, Role=role, Timeout=30, Environment={"Variables": {"PYTHONPATH": SITE}})
        who = {"service": "sts", "operation": "get_caller_identity", "input": {}}
        self.assertEqual(self.run_it("calls", who)[1]["Arn"].split(":")[-1], "assumed-role/narrow/calls")
        users = {"service": "iam", "operation": "get_user", "input": {"UserName": "nobody"}}
        self.assertEqual(self.run_it("calls", users)[1], {"error": "AccessDenied"})
        self.iam.put_role_policy(RoleName="narrow", PolicyName="own", PolicyDocument=policy(statement("iam:GetUser")))
        self.assertEqual(self.run_it("calls", users)[1], {"error": "NoSuchEntity"})
        issued = [event for event in self.events("AssumeRole") if event["requestParameters"]["roleArn"] == role]
        self.assertTrue(issued)
        for event in issued:
            self.assertEqual(event["userIdentity"], {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"})
            self.assertEqual((event["sourceIPAddress"], event["userAgent"]), ("lambda.amazonaws.com",) * 2)
            self.assertEqual(event["requestParameters"]["roleSessionName"], "calls")
        used = [event["userIdentity"]["accessKeyId"] for event in self.events("GetUser")]
        known = [event["responseElements"]["credentials"]["accessKeyId"] for event in issued]
        self.assertEqual(len(used), 2)
        self.assertLessEqual(set(used), set(known))
        self.iam.update_assume_role_policy(RoleName="narrow", PolicyDocument=trusted("ec2.amazonaws.com"))
        # A process that runs keeps its credentials until they end; a new one gets none.
        self.assertIn("narrow", self.run_it("calls", who)[1]["Arn"])
        self.functions.update_function_configuration(FunctionName="calls", Timeout=31)
        self.refused("InvalidParameterValueException", self.functions.invoke, FunctionName="calls", Payload=json.dumps(who))

    def test_who_may_invoke(self):
        self.function("shared")
        nobody = self.server.client("lambda", self.user("nobody"))
        denied = self.refused("AccessDeniedException", nobody.invoke, FunctionName="shared", status=403)
        self.assertIn("lambda:InvokeFunction", denied["Error"]["Message"])
        user = self.user("caller")
        arn = self.functions.get_function(FunctionName="shared")["Configuration"]["FunctionArn"]
        self.functions.publish_version(FunctionName="shared")
        self.functions.add_permission(
            FunctionName="shared", Qualifier="1", StatementId="one", Action="lambda:InvokeFunction",
            Principal=f"arn:aws:iam::{self.server.account}:user/caller",
        )
        caller = self.server.client("lambda", user)
        self.assertEqual(self.run_it("shared:1", functions=caller)[0]["ExecutedVersion"], "1")
        self.refused("AccessDeniedException", caller.invoke, FunctionName="shared")
        held = json.loads(self.functions.get_policy(FunctionName="shared", Qualifier="1")["Policy"])
        self.assertEqual(held["Statement"][0]["Resource"], arn + ":1")
        self.functions.remove_permission(FunctionName="shared", Qualifier="1", StatementId="one")
        self.refused("AccessDeniedException", caller.invoke, FunctionName="shared:1")
        self.refused("ResourceNotFoundException", self.functions.get_policy, FunctionName="shared", Qualifier="1", status=404)

    def test_variables_are_shown_to_those_who_may_decrypt(self):
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.function("veiled", KMSKeyArn=key, Environment={"Variables": {"SECRET": "coral"}})
        self.assertEqual(self.run_it("veiled")[1]["env"], "coral")
        shown = self.functions.get_function_configuration(FunctionName="veiled")
        self.assertEqual(shown["Environment"], {"Variables": {"SECRET": "coral"}})
        reader = self.server.client("lambda", self.user("reader", statement("lambda:*")))
        shown = reader.get_function_configuration(FunctionName="veiled")["Environment"]
        self.assertEqual(shown["Error"]["ErrorCode"], "AccessDeniedException")
        self.assertNotIn("Variables", shown)
        self.assertEqual(self.run_it("veiled", functions=reader)[1]["env"], "coral")
        self.kms.disable_key(KeyId=key)
        self.functions.update_function_configuration(FunctionName="veiled", Timeout=11)
        self.refused("KMSDisabledException", self.functions.invoke, FunctionName="veiled", status=502)
        for event in self.events("CreateFunction20150331") + self.events("UpdateFunctionConfiguration20150331v2"):
            text = json.dumps(event)
            self.assertFalse("coral" in text or "zipFile" in text or "pearl" in text, text)
        self.assertTrue(self.events("CreateFunction20150331"))
        self.assertFalse(self.events("Invoke"), "data events are not in the history")

    def test_events_are_tried_again_and_told_to_destinations(self):
        self.function("told")
        told = self.functions.get_function(FunctionName="told")["Configuration"]["FunctionArn"]
        role = self.iam.create_role(RoleName="tells", AssumeRolePolicyDocument=trusted())["Role"]["Arn"]
        self.iam.put_role_policy(
            RoleName="tells", PolicyName="own", PolicyDocument=policy(statement("lambda:InvokeFunction", told))
        )
        self.function("queued", Role=role)
        destinations = {"OnSuccess": {"Destination": told}, "OnFailure": {"Destination": told}}
        self.functions.put_function_event_invoke_config(FunctionName="queued", DestinationConfig=destinations)
        send = lambda event: self.functions.invoke(FunctionName="queued", InvocationType="Event", Payload=json.dumps(event))
        self.assertEqual(send({"n": 1})["StatusCode"], 202)
        records = lambda condition: [
            json.loads(line.split("seen ", 1)[1]) for line in self.log("told") if "seen " in line and condition in line
        ]
        wait_for(lambda: records("Success"))
        record = records("Success")[0]
        self.assertEqual((record["requestPayload"], record["responsePayload"]["event"]), ({"n": 1}, {"n": 1}))
        self.assertEqual(record["requestContext"]["approximateInvokeCount"], 1)
        send({"fail": "always"})
        tries = lambda: sum("always" in line and "seen" in line for line in self.log("queued"))
        wait_for(lambda: tries() == 1)
        self.server.ringwork("clock", "advance", "61s")
        wait_for(lambda: tries() == 2)
        self.server.ringwork("clock", "advance", "61s")
        self.assertEqual(tries(), 2)
        self.server.ringwork("clock", "advance", "60s")
        wait_for(lambda: records("RetriesExhausted"))
        record = records("RetriesExhausted")[0]
        self.assertEqual((tries(), record["requestContext"]["approximateInvokeCount"]), (3, 3))
        self.assertEqual(record["responseContext"]["functionError"], "Unhandled")
        self.assertEqual(record["responsePayload"]["errorMessage"], "always")
        gone = told.replace(":told", ":gone")
        self.refused("InvalidParameterValueException", self.functions.put_function_event_invoke_config, FunctionName="queued",
                     DestinationConfig={"OnSuccess": {"Destination": gone}})

    def test_a_loop_ends_and_a_process_gets_its_credentials_once(self):
        made = self.function("loops", CALLS, Environment={"Variables": {"PYTHONPATH": SITE}})
        mark = hashlib.sha256(made["FunctionArn"].encode()).hexdigest()[:8]
        client = self.server.client("lambda")
        chain = {"times": 15}

        def traced(request, **_):
            request.headers["X-Amzn-Trace-Id"] = f"Root=1-5759e988-bd862e3fe1be46a994272793;Lineage={mark}:{chain['times']}"

        client.meta.events.register("before-sign.lambda.Invoke", traced)
        event = {"service": "sts", "operation": "get_caller_identity", "input": {}}
        self.assertIn("/loops", self.run_it("loops", event, client)[1]["Arn"])
        self.assertIn("/loops", self.run_it("loops", event, client)[1]["Arn"])
        issued = [event for event in self.events("AssumeRole") if "/loops" in json.dumps(event["responseElements"])]
        self.assertEqual(len(issued), 2, "when it was made, to see whether Lambda may, and for the one process")
        chain["times"] = 16
        self.refused("RecursiveInvocationException", client.invoke, FunctionName="loops", status=400)
        self.assertEqual(self.functions.get_function_recursion_config(FunctionName="loops")["RecursiveLoop"], "Terminate")
        self.functions.put_function_recursion_config(FunctionName="loops", RecursiveLoop="Allow")
        self.assertIn("/loops", self.run_it("loops", event, client)[1]["Arn"])

    def test_a_function_that_reserves_nothing_is_stopped(self):
        self.function("stopped")
        self.functions.put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)
        answer = self.refused("TooManyRequestsException", self.functions.invoke, FunctionName="stopped", status=429)
        self.assertEqual(answer["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        self.refused("InvalidParameterValueException", self.functions.put_function_concurrency, FunctionName="stopped",
                     ReservedConcurrentExecutions=901)
        self.functions.delete_function_concurrency(FunctionName="stopped")
        self.run_it("stopped")

    def test_what_cannot_be_made_is_refused(self):
        make = lambda **more: self.functions.create_function(**{
            "FunctionName": "bad", "Runtime": PYTHON, "Handler": "index.handler", "Role": self.role,
            "Code": {"ZipFile": packed(ECHO)}, **more,
        })
        other = self.iam.create_role(RoleName="ec2", AssumeRolePolicyDocument=trusted("ec2.amazonaws.com"))["Role"]["Arn"]
        for words, more in {
            "The role defined for the function cannot be assumed by Lambda.": {"Role": other},
            "Could not unzip uploaded file": {"Code": {"ZipFile": b"no zip"}},
            "no longer supported": {"Runtime": "python3.8"},
            "enum value set": {"Runtime": "python99"},
            "less than or equal to 900": {"Timeout": 901},
            "reserved keys": {"Environment": {"Variables": {"AWS_REGION": "here"}}},
            "4KB limit": {"Environment": {"Variables": {"LONG": "x" * 4096}}},
        }.items():
            with self.subTest(words):
                refused = self.refused("InvalidParameterValueException", make, **more)
                self.assertIn(words, refused["Error"]["Message"])
        maker = self.server.client("lambda", self.user("maker", statement("lambda:*")))
        denied = self.refused("AccessDeniedException", maker.create_function, FunctionName="bad", Runtime=PYTHON,
                              Handler="index.handler", Role=self.role, Code={"ZipFile": packed(ECHO)}, status=403)
        self.assertIn("iam:PassRole", denied["Error"]["Message"])
        self.refused("ResourceNotFoundException", self.functions.get_function, FunctionName="bad", status=404)

    def test_code_comes_from_a_bucket_for_those_who_may_read_it(self):
        objects = self.server.client("s3")
        objects.create_bucket(Bucket="packages")
        objects.put_bucket_versioning(Bucket="packages", VersioningConfiguration={"Status": "Enabled"})
        first = objects.put_object(Bucket="packages", Key="code/echo.zip", Body=packed(ECHO))["VersionId"]
        # Larger than what a request may bring, and in pieces.
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as made:
            made.writestr("index.py", ECHO.replace('"seen"', '"second"'))
            made.writestr("weight", os.urandom(1 << 20) * 55)
        objects.upload_fileobj(io.BytesIO(held.getvalue()), "packages", "code/echo.zip")
        settings = {"Runtime": PYTHON, "Handler": "index.handler", "Role": self.role, "Timeout": 10}
        there = {"S3Bucket": "packages", "S3Key": "code/echo.zip"}
        self.functions.create_function(FunctionName="stored", Code={**there, "S3ObjectVersion": first}, **settings)
        self.assertEqual(self.run_it("stored", {"n": 1})[1]["event"], {"n": 1})
        self.assertIn('seen {"n": 1}', "".join(self.log("stored")))
        updated = self.functions.update_function_code(FunctionName="stored", **there)
        self.assertEqual(updated["CodeSha256"], base64.b64encode(hashlib.sha256(held.getvalue()).digest()).decode())
        self.run_it("stored", {"n": 2})
        self.assertIn('second {"n": 2}', "".join(self.log("stored")))
        update = lambda functions=self.functions, **code: (functions.update_function_code, {"FunctionName": "stored", **code})
        call, more = update(**{**there, "S3Key": "code/none.zip"})
        answer = self.refused("InvalidParameterValueException", call, **more)
        self.assertIn("S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist", str(answer))
        call, more = update(S3Bucket="packages")
        self.refused("InvalidParameterValueException", call, **more)
        call, more = update(ZipFile=packed(ECHO), **there)
        self.refused("InvalidParameterValueException", call, **more)
        objects.put_object(Bucket="packages", Key="text", Body=b"no zip")
        call, more = update(**{**there, "S3Key": "text"})
        self.refused("InvalidParameterValueException", call, **more)
        # The caller reads the object, not Lambda.
        caller = self.server.client("lambda", self.user("updater", statement("lambda:*")))
        call, more = update(caller, **there)
        answer = self.refused("AccessDeniedException", call, **more)
        self.assertIn("permission to GetObject for packages/code/echo.zip", str(answer))

    def test_versions_stay_and_aliases_lead(self):
        self.function("kept", Environment={"Variables": {"SECRET": "one"}})
        first = self.functions.publish_version(FunctionName="kept", Description="first")
        self.assertEqual(self.functions.publish_version(FunctionName="kept")["Version"], first["Version"])
        self.functions.update_function_configuration(FunctionName="kept", Environment={"Variables": {"SECRET": "two"}})
        second = self.functions.publish_version(FunctionName="kept")
        self.assertEqual((first["Version"], second["Version"]), ("1", "2"))
        self.functions.create_alias(FunctionName="kept", Name="live", FunctionVersion="1")
        answer, said = self.run_it("kept:live")
        self.assertEqual((answer["ExecutedVersion"], said["env"]), ("1", "one"))
        self.assertTrue(said["arn"].endswith(":kept:live"))
        self.functions.update_alias(
            FunctionName="kept", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
        )
        drawn = {self.run_it("kept:live")[0]["ExecutedVersion"] for _ in range(30)}
        self.assertEqual(drawn, {"1", "2"})
        self.refused("ResourceConflictException", self.functions.delete_function, FunctionName="kept", Qualifier="2", status=409)
        listed = self.functions.get_paginator("list_versions_by_function").paginate(
            FunctionName="kept", PaginationConfig={"PageSize": 2}
        )
        self.assertEqual([one["Version"] for page in listed for one in page["Versions"]], ["$LATEST", "1", "2"])
        self.functions.delete_function(FunctionName="kept")
        self.refused("ResourceNotFoundException", self.functions.get_alias, FunctionName="kept", Name="live")
