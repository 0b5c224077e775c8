"""CloudFormation, by boto3 and the AWS CLI: stacks of parameters, secrets and keys, and what goes wrong with them."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from server import Judge, Refused, policy, statement, wait_for

WAIT = {"Delay": 1, "MaxAttempts": 30}


def parameter(value, **more):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value, **more}}


def template(outputs=None, parameters=None, **resources):
    whole = {"Resources": resources}
    if outputs:
        whole["Outputs"] = outputs
    if parameters:
        whole["Parameters"] = parameters
    return json.dumps(whole)


class Stacks(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cfn = cls.server.client("cloudformation")
        cls.ssm = cls.server.client("ssm")

    def ended(self, name, status, cfn=None):
        """Waits until the stack's operation has ended, in this state."""
        cfn = cfn or self.cfn

        def at_rest():
            stack = cfn.describe_stacks(StackName=name)["Stacks"][0]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

        stack = wait_for(at_rest, what=f"{name} did not end")
        self.assertEqual(stack["StackStatus"], status, stack.get("StackStatusReason"))
        return stack

    def create(self, name, body, status="CREATE_COMPLETE", **more):
        self.cfn.create_stack(StackName=name, TemplateBody=body, **more)
        return self.ended(name, status)

    def value(self, name):
        return self.ssm.get_parameter(Name=name)["Parameter"]["Value"]

    def physical(self, stack, logical):
        shown = self.cfn.describe_stack_resource(StackName=stack, LogicalResourceId=logical)
        return shown["StackResourceDetail"]["PhysicalResourceId"]

    def reasons(self, stack, status):
        events = self.cfn.describe_stack_events(StackName=stack)["StackEvents"]
        return [event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"] == status]

    def test_parameters_and_secrets_are_referred_to(self):
        """S10.10, S36.4: parameter types and dynamic references open for the services, and no answer of CloudFormation shows a secret."""
        self.ssm.put_parameter(Name="/app/size", Type="String", Value="large")
        self.ssm.put_parameter(Name="/app/token", Type="SecureString", Value="s3cur3-t0ken")
        secrets = self.server.client("secretsmanager")
        secrets.create_secret(Name="app/db", SecretString=json.dumps({"user": "app", "password": "hunter2-hunter2"}))
        body = template(
            parameters={
                "Size": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/size"},
                "Place": {
                    "Type": "AWS::SSM::Parameter::Value<String>",
                    "Default": "/aws/service/global-infrastructure/regions/us-east-1/longName",
                },
            },
            Public=parameter(
                {"Fn::Sub": "${Place} {{resolve:ssm:/aws/service/global-infrastructure/current-region}}"}, Name="/made/public"
            ),
            Plain=parameter({"Fn::Sub": "${Size} {{resolve:ssm:/app/size:1}}"}, Name="/made/plain"),
            Login=parameter("{{resolve:secretsmanager:app/db:SecretString:user}}", Name="/made/login"),
            Copy={
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": "made/copy", "SecretString": "{{resolve:secretsmanager:app/db:SecretString:password}}"},
            },
        )
        stack = self.create("refers", body)
        resolved = {parameter["ParameterKey"]: parameter["ResolvedValue"] for parameter in stack["Parameters"]}
        self.assertEqual(resolved, {"Size": "large", "Place": "US East (N. Virginia)"})
        self.assertEqual(self.value("/made/public"), "US East (N. Virginia) us-east-1")
        self.assertEqual(self.value("/made/plain"), "large large")
        self.assertEqual(self.value("/made/login"), "app")
        self.assertEqual(secrets.get_secret_value(SecretId="made/copy")["SecretString"], "hunter2-hunter2")
        shown = json.dumps(self.cfn.describe_stack_events(StackName="refers"), default=str)
        self.assertIn("{{resolve:secretsmanager:app/db:SecretString:password}}", shown)
        self.assertNotIn("hunter2-hunter2", shown)
        tags = self.ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/made/plain")["TagList"]
        self.assertIn({"Key": "aws:cloudformation:stack-name", "Value": "refers"}, tags)
        # A parameter that changed is seen by the next operation.
        self.ssm.put_parameter(Name="/app/size", Value="small", Overwrite=True)
        self.cfn.update_stack(
            StackName="refers", UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in ("Size", "Place")],
        )
        self.ended("refers", "UPDATE_COMPLETE")
        self.assertEqual(self.value("/made/plain"), "small large")
        # A secure reference stands in few places, and no other takes it.
        secure = template(It=parameter("{{resolve:ssm-secure:/app/token}}"))
        refused = self.refused("ValidationError", self.cfn.create_stack, StackName="secure", TemplateBody=secure)
        self.assertIn("SSM Secure reference is not supported", refused["Error"]["Message"])
        unknown = template(
            parameters={"Size": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/app/none"}},
            It=parameter({"Ref": "Size"}),
        )
        refused = self.refused("ValidationError", self.cfn.create_stack, StackName="lost", TemplateBody=unknown)
        self.assertIn("Unable to fetch parameters [/app/none]", refused["Error"]["Message"])

    def test_a_secure_parameter_opens_where_it_may(self):
        """S10.10: `ssm-secure` gives a user of IAM its password, and nobody sees it on the way."""
        self.ssm.put_parameter(Name="/users/first", Type="SecureString", Value="Correct-Horse-1")
        body = template(User={
            "Type": "AWS::IAM::User",
            "Properties": {"UserName": "person", "LoginProfile": {"Password": "{{resolve:ssm-secure:/users/first:1}}"}},
        })
        capable = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}
        refused = self.refused(
            "InsufficientCapabilitiesException", self.cfn.create_stack, StackName="people", TemplateBody=body
        )
        self.assertEqual(refused["Error"]["Message"], "Requires capabilities : [CAPABILITY_NAMED_IAM]")
        self.create("people", body, **capable)
        self.server.client("iam").get_login_profile(UserName="person")
        shown = json.dumps(self.cfn.describe_stack_events(StackName="people"), default=str)
        self.assertNotIn("Correct-Horse-1", shown)

    def test_secrets_are_generated(self):
        """S11.5: a template asks for a random password, which lies in the secret and nowhere else."""
        body = template(Login={
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"GenerateSecretString": {
                "SecretStringTemplate": json.dumps({"username": "admin"}), "GenerateStringKey": "password",
                "PasswordLength": 40, "ExcludeCharacters": "\"@/\\",
            }},
        })
        self.create("generates", body)
        secrets = self.server.client("secretsmanager")
        made = json.loads(secrets.get_secret_value(SecretId=self.physical("generates", "Login"))["SecretString"])
        self.assertEqual((made["username"], len(made["password"])), ("admin", 40))
        self.assertFalse(set(made["password"]) & set("\"@/\\"))

    def test_a_caller_without_a_permission_fails_and_leaves_nothing(self):
        """The refusal is the service's own, in the event and in the trail; what was made is removed."""
        maker = self.user(
            "maker", statement("cloudformation:*"),
            statement(["ssm:GetParameters", "ssm:AddTagsToResource", "ssm:DeleteParameter"]),
            statement("ssm:PutParameter", "arn:aws:ssm:*:*:parameter/allowed"),
        )
        cfn = self.server.client("cloudformation", maker)
        body = template(
            First=parameter("one", Name="/allowed"),
            Second={**parameter("two", Name="/denied"), "DependsOn": "First"},
        )
        cfn.create_stack(StackName="denied", TemplateBody=body)
        self.ended("denied", "ROLLBACK_COMPLETE")
        [reason] = self.reasons("denied", "CREATE_FAILED")
        self.assertIn("user/maker is not authorized to perform: ssm:PutParameter", reason)
        self.assertIn("HandlerErrorCode: AccessDenied", reason)
        for name in ("/allowed", "/denied"):
            self.refused("ParameterNotFound", self.ssm.get_parameter, Name=name)
        [event] = [event for event in self.events("PutParameter") if event.get("errorCode")]
        self.assertEqual(event["userIdentity"]["invokedBy"], "cloudformation.amazonaws.com")
        self.assertEqual(event["userIdentity"]["userName"], "maker")

    def test_a_key_that_was_turned_off_makes_nothing_more(self):
        """Who turns off a stolen access key stops the stacks that were begun with it, too."""
        iam = self.server.client("iam")
        maker = self.user("stolen", statement("*"))
        count = 200
        resources = {
            f"P{at:03}": {**parameter("v", Name=f"/stolen/{at:03}"), **({"DependsOn": f"P{at - 1:03}"} if at else {})}
            for at in range(count)
        }
        self.server.client("cloudformation", maker).create_stack(StackName="stolen", TemplateBody=template(**resources))
        iam.update_access_key(UserName="stolen", AccessKeyId=maker.key, Status="Inactive")
        self.ended("stolen", "ROLLBACK_FAILED" if self.made("/stolen") else "ROLLBACK_COMPLETE")
        made = self.made("/stolen")
        self.assertLess(made, count)
        [reason] = self.reasons("stolen", "CREATE_FAILED")
        self.assertEqual(reason, "The security token included in the request is invalid.")
        self.cfn.delete_stack(StackName="stolen")
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="stolen", WaiterConfig=WAIT)
        self.assertEqual(self.made("/stolen"), 0)

    def made(self, path):
        """How many parameters there are below a path."""
        pages = self.ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
        return sum(len(page["Parameters"]) for page in pages)

    def test_updates_replace_and_go_back(self):
        """A change of a name replaces; one that fails leaves all as it was; nothing to do is refused."""
        body = template(Kept=parameter("one", Name="/u/kept"), Moved=parameter("m", Name="/u/old"))
        self.create("updates", body)
        refused = self.refused("ValidationError", self.cfn.update_stack, StackName="updates", TemplateBody=body)
        self.assertEqual(refused["Error"]["Message"], "No updates are to be performed.")
        self.cfn.update_stack(
            StackName="updates",
            TemplateBody=template(Kept=parameter("two", Name="/u/kept"), Moved=parameter("m", Name="/u/new")),
        )
        self.cfn.get_waiter("stack_update_complete").wait(StackName="updates", WaiterConfig=WAIT)
        self.assertEqual((self.value("/u/kept"), self.value("/u/new")), ("two", "m"))
        self.refused("ParameterNotFound", self.ssm.get_parameter, Name="/u/old")
        self.ssm.put_parameter(Name="/u/taken", Type="String", Value="mine")
        worse = template(
            Kept=parameter("three", Name="/u/kept"),
            Moved={**parameter("m", Name="/u/taken"), "DependsOn": "Kept"},
        )
        self.cfn.update_stack(StackName="updates", TemplateBody=worse)
        self.ended("updates", "UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual((self.value("/u/kept"), self.value("/u/new"), self.value("/u/taken")), ("two", "m", "mine"))

    def test_exports_hold_what_imports_need(self):
        giver = template(outputs={"Out": {"Value": {"Ref": "It"}, "Export": {"Name": "shared-it"}}}, It=parameter("v"))
        self.create("giver", giver)
        self.create("taker", template(Copy=parameter({"Fn::ImportValue": "shared-it"})))
        self.assertEqual(self.value(self.physical("taker", "Copy")), self.physical("giver", "It"))
        self.assertEqual(self.cfn.list_imports(ExportName="shared-it")["Imports"], ["taker"])
        self.refused("ValidationError", self.cfn.delete_stack, StackName="giver")
        self.cfn.delete_stack(StackName="taker")
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="taker", WaiterConfig=WAIT)
        self.cfn.delete_stack(StackName="giver")
        self.cfn.get_waiter("stack_delete_complete").wait(StackName="giver", WaiterConfig=WAIT)
        self.assertEqual([one["Name"] for one in self.cfn.list_exports()["Exports"]], [])

    def test_the_cli_deploys(self):
        """`aws cloudformation deploy`: change sets are made, waited for and executed; an empty one is no failure."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "template.yaml"
            path.write_text(
                "Parameters:\n  Word:\n    Type: String\nResources:\n  It:\n    Type: AWS::SSM::Parameter\n"
                "    Properties:\n      Type: String\n      Name: /cli/it\n      Value: !Sub '${AWS::StackName} ${Word}'\n"
                "Outputs:\n  Name:\n    Value: !Ref It\n"
            )
            deploy = ["cloudformation", "deploy", "--stack-name", "cli", "--template-file", str(path)]

            def deployed(*more):
                # The CLI names its change sets by the second.
                second = int(time.time())
                wait_for(lambda: int(time.time()) > second)
                run = [sys.executable, "-m", "awscli", *deploy, *more]
                ended = subprocess.run(
                    run, env=self.server.environment(), capture_output=True, text=True, timeout=120
                )
                self.assertEqual(ended.returncode, 0, ended.stderr + ended.stdout)
                return ended.stdout

            # With the CLI's own waiter, which looks every thirty seconds, it would take as long.
            told = deployed("--no-execute-changeset", "--parameter-overrides", "Word=one")
            self.assertIn("Changeset created successfully", told)
            name = told.split("--change-set-name ")[1].split()[0]
            self.cfn.execute_change_set(ChangeSetName=name)
            self.cfn.get_waiter("stack_create_complete").wait(StackName="cli", WaiterConfig=WAIT)
            self.assertEqual(self.value("/cli/it"), "cli one")
            self.assertIn("No changes to deploy", deployed("--no-fail-on-empty-changeset"))
        [shown] = self.cfn.describe_stacks(StackName="cli")["Stacks"]
        self.assertEqual(shown["Outputs"][0]["OutputValue"], "/cli/it")
        with self.assertRaises(Refused) as refused:
            self.server.aws("cloudformation", "validate-template", "--template-body", "{}")
        self.assertIn("Template format error", refused.exception.words)

    def test_templates_come_from_s3_as_the_caller_may_read_them(self):
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="templates")
        s3.put_object(Bucket="templates", Key="a/t.json", Body=template(It=parameter("from s3", Name="/s3/it")))
        url = "https://templates.s3.us-east-1.amazonaws.com/a/t.json"
        self.cfn.create_stack(StackName="from-s3", TemplateURL=url)
        self.ended("from-s3", "CREATE_COMPLETE")
        self.assertEqual(self.value("/s3/it"), "from s3")
        other = self.server.client("cloudformation", self.user("unread", statement("cloudformation:*")))
        refused = self.refused("ValidationError", other.create_stack, StackName="unread", TemplateURL=url)
        self.assertIn("S3 error", refused["Error"]["Message"])
        self.assertIn("GetObject", refused["Error"]["Message"])

    def test_a_role_acts_for_the_stack(self):
        iam = self.server.client("iam")
        allowed = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName="stacks", AssumeRolePolicyDocument=policy(allowed))["Role"]["Arn"]
        iam.put_role_policy(RoleName="stacks", PolicyName="own", PolicyDocument=policy(statement("ssm:*")))
        maker = self.user("passer", statement("cloudformation:*"), statement("iam:PassRole", role))
        cfn = self.server.client("cloudformation", maker)
        cfn.create_stack(StackName="by-role", TemplateBody=template(It=parameter("v", Name="/role/it")), RoleARN=role)
        self.ended("by-role", "CREATE_COMPLETE")
        put = [event for event in self.events("PutParameter") if "/role/it" in json.dumps(event)]
        self.assertIn("assumed-role/stacks/AWSCloudFormation", put[0]["userIdentity"]["arn"])


class Killed(Judge):
    """A server of its own, that is killed while a stack is made."""

    def test_a_killed_server_goes_on_where_it_was(self):
        """kill -9 in the middle, several times: every resource is made once, and the stack is complete in the end."""
        server = self.server
        count = 80
        resources = {
            f"P{at:03}": {**parameter(f"v{at}", Name=f"/k/{at:03}"), **({"DependsOn": f"P{at - 1:03}"} if at else {})}
            for at in range(count)
        }
        server.client("cloudformation").create_stack(StackName="killed", TemplateBody=template(**resources))
        cut = 0
        for _ in range(2):
            time.sleep(0.1)
            server.kill()
            server.start()
            listed = server.client("cloudformation").describe_stacks(StackName="killed")["Stacks"][0]
            cut += listed["StackStatus"] == "CREATE_IN_PROGRESS"
        self.assertGreater(cut, 0, "the stack was complete before the first kill")
        cfn = server.client("cloudformation")
        cfn.get_waiter("stack_create_complete").wait(StackName="killed", WaiterConfig=WAIT)
        pages = cfn.get_paginator("describe_stack_events").paginate(StackName="killed")
        events = [event for page in pages for event in page["StackEvents"]]
        made = [event["LogicalResourceId"] for event in events if event["ResourceStatus"] == "CREATE_COMPLETE"]
        self.assertEqual(sorted(made), sorted([*resources, "killed"]))
        puts = [event for event in self.events("PutParameter")]
        self.assertEqual(len(puts), count)
        ssm = server.client("ssm")
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/k")
        versions = [held["Version"] for page in pages for held in page["Parameters"]]
        self.assertEqual(len(versions), count)
        self.assertEqual(set(versions), {1})


if __name__ == "__main__":
    unittest.main()
