"""Rotation end to end: passwords that really change on servers of databases, by functions that really run, as the clock moves."""

import io
import json
import pathlib
import sys
import tempfile
import threading
import time
import zipfile

import botocore

from database import MariaDB, Missing, PostgreSQL
from server import Judge, policy, statement, wait_for

SITE = str(pathlib.Path(botocore.__file__).parent.parent)
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

# A secret of one's own kind: an API key with a count of its rotations.
API_KEY = """
import json, os, sys
sys.path.append(os.environ["SITE"])
import boto3

def handler(event, context):
    secrets = boto3.client("secretsmanager")
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    if step == os.environ.get("FAILS"):
        raise RuntimeError("the other side refuses the new key")
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    if step == "createSecret":
        current = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
        try:
            secrets.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
        except secrets.exceptions.ResourceNotFoundException:
            key = secrets.get_random_password(ExcludePunctuation=True)["RandomPassword"]
            value = json.dumps({"key": key, "count": current["count"] + 1})
            secrets.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=value,
                                     VersionStages=["AWSPENDING"], RotationToken=event["RotationToken"])
    if step == "finishSecret":
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        secrets.update_secret_version_stage(SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token,
                                            RemoveFromVersionId=current)
"""


class Rotation(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secrets, cls.functions, cls.iam, cls.trail = (
            cls.server.client(name) for name in ("secretsmanager", "lambda", "iam", "cloudtrail")
        )
        trust = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
        cls.role = cls.iam.create_role(RoleName="rotation", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        secret = f"arn:aws:secretsmanager:us-east-1:{cls.server.account}:secret:*"
        may = policy(
            statement(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
                       "secretsmanager:UpdateSecretVersionStage"], resource=secret),
            statement("secretsmanager:GetRandomPassword"),
        )
        cls.iam.put_role_policy(RoleName="rotation", PolicyName="rotates", PolicyDocument=may)
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder) / "rotation.zip"
            cls.server.ringwork("rotation-function", "--output", str(package), folder=False)
            cls.package, cls.made = package.read_bytes(), {}

    def function(self, name, code, **settings):
        """A function that Secrets Manager may invoke; tells its ARN."""
        made = self.functions.create_function(
            FunctionName=name, Role=self.role, Timeout=30, MemorySize=512, Code={"ZipFile": code}, **settings
        )
        self.functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        self.functions.add_permission(
            FunctionName=name, StatementId="rotation", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com",
            SourceAccount=self.server.account,
        )
        return made["FunctionArn"]

    def shipped(self, handler):
        """One of the functions that Ringwork ships, made once; tells its ARN."""
        name = handler.replace(".", "-")
        if handler not in self.made:
            self.made[handler] = self.function(name, self.package, Runtime="provided.al2023", Handler=handler)
        return self.made[handler]

    def own(self, name, **variables):
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as made:
            made.writestr("index.py", API_KEY)
        variables = {"SITE": SITE, **variables}
        return self.function(name, held.getvalue(), Runtime=PYTHON, Handler="index.handler", Environment={"Variables": variables})

    def secret(self, name, value):
        return self.secrets.create_secret(Name=name, SecretString=json.dumps(value))["ARN"]

    def value(self, name, stage="AWSCURRENT"):
        return json.loads(self.secrets.get_secret_value(SecretId=name, VersionStage=stage)["SecretString"])

    def events(self, arn):
        """The rotation's events of a secret, oldest first: name and error."""
        told = []
        for page in self.trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": "secretsmanager.amazonaws.com"}]
        ):
            told += [json.loads(event["CloudTrailEvent"]) for event in page["Events"]]
        ours = [event for event in told if (event.get("additionalEventData") or {}).get("SecretId") == arn]
        return [(event["eventName"], event.get("errorMessage")) for event in reversed(ours)]

    def rotate(self, name, wait=True, **more):
        """Asks for a rotation and waits for its end."""
        arn = self.secrets.describe_secret(SecretId=name)["ARN"]
        before = len(self.events(arn))
        self.secrets.rotate_secret(SecretId=name, **more)
        # The clock is every test's: what is not cancelled goes on in the others' time.
        self.addCleanup(self.secrets.cancel_rotate_secret, SecretId=name)
        ends = ("RotationSucceeded", "RotationFailed", "TestRotationSucceeded", "TestRotationFailed")
        if wait:
            wait_for(lambda: any(event in ends for event, _ in self.events(arn)[before:]))
        return self.events(arn)[before:]

    def test_a_password_is_rotated_by_schedule_in_postgresql(self):
        """S11.2, S11.3, S36.3: planned, tested, and applied in the database when the window opens; a client that takes the
        password from Secrets Manager works all the while."""
        database = PostgreSQL()
        self.addCleanup(database.close)
        database.sql("CREATE ROLE app LOGIN PASSWORD 'first'")
        first = database.secret("app", "first", dbname="postgres", note="stays")
        arn = self.secret("app", first)
        function = self.shipped("postgresql.single-user")
        rules = {"ScheduleExpression": "cron(0 16 1,15 * ? *)", "Duration": "2h"}
        told = self.rotate("app", RotationLambdaARN=function, RotationRules=rules, RotateImmediately=False)
        self.assertEqual(told, [("TestRotationStarted", None), ("TestRotationSucceeded", None)])
        self.assertEqual(self.value("app"), first)
        refused, stop = [], threading.Event()

        def client():
            # What an application does: a password that fails is asked for again, for a while.
            while not stop.is_set():
                end = time.monotonic() + 10
                while not any(database.lets_in(self.value("app", stage)) for stage in self.stages("app")):
                    if time.monotonic() > end:
                        refused.append(self.value("app"))
                        break

        working = threading.Thread(target=client)
        working.start()
        try:
            self.server.ringwork("clock", "advance", "32d")
        finally:
            stop.set()
            working.join()
        self.assertEqual(refused, [])
        described = self.secrets.describe_secret(SecretId="app")
        self.assertEqual(described["LastRotatedDate"].strftime("%H:%M"), "16:00")
        self.assertEqual(described["NextRotationDate"].strftime("%H:%M:%S"), "17:59:59")
        succeeded = [event for event, _ in self.events(arn) if event == "RotationSucceeded"]
        self.assertEqual(len(succeeded), 2, self.events(arn))
        now = self.value("app")
        self.assertEqual({**now, "password": ""}, {**first, "password": ""})
        self.assertTrue(database.lets_in(now))
        self.assertFalse(database.lets_in(first))
        before = self.value("app", "AWSPREVIOUS")
        self.assertNotIn(before["password"], ("first", now["password"]))
        self.assertFalse(database.lets_in(before))

    def stages(self, name):
        """The labels of a secret whose versions have values."""
        stages = self.secrets.describe_secret(SecretId=name)["VersionIdsToStages"].values()
        held = {stage for labels in stages for stage in labels}
        return [stage for stage in ("AWSCURRENT", "AWSPREVIOUS") if stage in held]

    def test_two_users_take_turns_in_postgresql(self):
        """S11.3: the user that is not in use gets the new password, so that the one in use goes on working."""
        database = PostgreSQL()
        self.addCleanup(database.close)
        database.sql("CREATE ROLE shop LOGIN PASSWORD 'first'")
        database.sql("CREATE TABLE goods (name text)")
        database.sql("GRANT SELECT ON goods TO shop")
        master = self.secret("shop-master", database.secret(*database.SUPERUSER))
        self.secret("shop", database.secret("shop", "first", masterarn=master))
        function = self.shipped("postgresql.alternating-users")
        users = []
        for _ in range(3):
            before = self.value("shop")
            more = {} if users else {"RotationLambdaARN": function, "RotationRules": {"AutomaticallyAfterDays": 30}}
            self.assertEqual(self.rotate("shop", **more)[-1], ("RotationSucceeded", None))
            now = self.value("shop")
            users.append(now["username"])
            self.assertTrue(database.lets_in(now) and database.lets_in(before))
            self.assertEqual(database.ask("SELECT count(*) FROM goods", now["username"], now["password"]), "0")
        self.assertEqual(users, ["shop_clone", "shop", "shop_clone"])

    def test_a_user_of_another_server_is_not_touched(self):
        """A secret whose superuser is of another host is not rotated: the function is no way to other servers."""
        database = PostgreSQL()
        self.addCleanup(database.close)
        database.sql("CREATE ROLE web LOGIN PASSWORD 'first'")
        master = self.secret("web-master", {**database.secret(*database.SUPERUSER), "host": "localhost"})
        self.secret("web", database.secret("web", "first", masterarn=master))
        function = self.shipped("postgresql.alternating-users")
        name, error = self.rotate("web", RotationLambdaARN=function)[-1]
        self.assertEqual((name, error), ("RotationFailed", f"Error when executing lambda {function} during setSecret step"))
        self.assertIn("is not the same host as", self.server.ringwork("logs", "postgresql-alternating-users"))
        self.assertEqual(database.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'web%'"), "1")
        self.assertTrue(database.lets_in(self.value("web")))

    def test_passwords_are_rotated_in_mariadb(self):
        """S11.3"""
        try:
            database = MariaDB()
        except Missing as missing:
            self.skipTest(str(missing))
        self.addCleanup(database.close)
        database.sql("CREATE DATABASE store; CREATE USER web IDENTIFIED BY 'first'; GRANT SELECT ON store.* TO web")
        first = database.secret("web", "first")
        master = self.secret("maria-master", database.secret(*database.SUPERUSER))
        self.secret("maria", first)
        single = self.shipped("mysql.single-user")
        self.assertEqual(self.rotate("maria", RotationLambdaARN=single)[-1], ("RotationSucceeded", None))
        now = self.value("maria")
        self.assertEqual((database.lets_in(now), database.lets_in(first)), (True, False))
        # What a role gives is the other user's as well, and counts from its login on.
        database.sql("CREATE ROLE clerk; GRANT INSERT ON store.* TO clerk; GRANT clerk TO web; SET DEFAULT ROLE clerk FOR web")
        self.secret("maria-turns", {**now, "masterarn": master})
        turns = self.shipped("mysql.alternating-users")
        users = []
        for _ in range(2):
            more = {} if users else {"RotationLambdaARN": turns}
            self.assertEqual(self.rotate("maria-turns", **more)[-1], ("RotationSucceeded", None))
            now = self.value("maria-turns")
            self.assertTrue(database.lets_in(now))
            grants = database.ask("SHOW GRANTS", now["username"], now["password"])
            self.assertIn("GRANT SELECT ON `store`.*", grants)
            self.assertEqual(database.ask("SELECT CURRENT_ROLE()", now["username"], now["password"]), "clerk")
            users.append(now["username"])
        self.assertEqual(users, ["web_clone", "web"])

    def test_other_secrets_rotate_through_functions_of_ones_own(self):
        """S11.4, S36.3: a year by the clock, every quarter once."""
        arn = self.secret("api-key", {"key": "first", "count": 0})
        function = self.own("keys")
        told = self.rotate("api-key", RotationLambdaARN=function, RotationRules={"ScheduleExpression": "cron(0 8 1 1/3 ? *)"})
        self.assertEqual(told, [("RotationStarted", None), ("RotationSucceeded", None)])
        self.assertEqual(self.value("api-key")["count"], 1)
        self.server.ringwork("clock", "advance", "365d")
        self.assertEqual(self.value("api-key")["count"], 5)
        self.assertEqual(self.value("api-key", "AWSPREVIOUS")["count"], 4)
        described = self.secrets.describe_secret(SecretId="api-key")
        self.assertEqual(described["LastRotatedDate"].strftime("%d %H:%M"), "01 08:00")
        # The trail tells the last ninety days.
        self.assertEqual([event for event, _ in self.events(arn)], ["RotationStarted", "RotationSucceeded"])

    def test_a_failing_function_leaves_what_is_current(self):
        """S11.2: the error is told, the value stays, and the next attempts go on with the same version."""
        arn = self.secret("stubborn", {"key": "first", "count": 0})
        function = self.own("stubborn", FAILS="setSecret")
        told = self.rotate("stubborn", RotationLambdaARN=function, RotationRules={"ScheduleExpression": "rate(4 hours)"})
        failed = ("RotationFailed", f"Error when executing lambda {function} during setSecret step")
        self.assertEqual(told[-1], failed)
        self.assertIn("the other side refuses the new key", self.server.ringwork("logs", "stubborn"))
        self.assertEqual(self.value("stubborn"), {"key": "first", "count": 0})
        pending = self.value("stubborn", "AWSPENDING")
        answer = self.refused("InvalidRequestException", self.secrets.rotate_secret, SecretId="stubborn", status=400)
        self.assertEqual(
            answer["Error"]["Message"], "A previous rotation isn't complete. That rotation will be reattempted."
        )
        self.server.ringwork("clock", "advance", "2h")
        self.assertEqual(self.events(arn).count(failed), 5)
        self.assertEqual(self.value("stubborn")["count"], 0)
        self.functions.update_function_configuration(
            FunctionName="stubborn", Environment={"Variables": {"SITE": SITE}}
        )
        self.functions.get_waiter("function_updated_v2").wait(FunctionName="stubborn", WaiterConfig={"Delay": 1})
        self.server.ringwork("clock", "advance", "4h")
        self.assertEqual(self.events(arn)[-1], ("RotationSucceeded", None))
        self.assertEqual(self.value("stubborn"), pending)

    def test_a_function_must_let_secrets_manager_in(self):
        self.secret("shut", {"key": "first", "count": 0})
        function = self.own("shut")
        self.functions.remove_permission(FunctionName="shut", StatementId="rotation")
        answer = self.refused(
            "AccessDeniedException", self.secrets.rotate_secret, SecretId="shut", RotationLambdaARN=function, status=400
        )
        self.assertEqual(
            answer["Error"]["Message"],
            "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the "
            "principal secretsmanager.amazonaws.com.",
        )
        self.assertNotIn("RotationEnabled", self.secrets.describe_secret(SecretId="shut"))
