"""The policy simulator, described requests and policy tests, by the AWS CLI and the binary: what they say is what a call meets."""

import json
import pathlib
import tempfile
import unittest
import xml.etree.ElementTree

from server import Credentials, Judge, Refused, policy, statement, trust


class Simulator(Judge):
    def simulated(self, source, action, resource="*", *more):
        """The simulator's verdict on one action."""
        answer = self.server.aws(
            "iam", "simulate-principal-policy", "--policy-source-arn", source,
            "--action-names", action, "--resource-arns", resource, *more,
        )
        (result,) = answer["EvaluationResults"]
        return result

    def denied(self, credentials, *command):
        """Whether a live call is denied."""
        try:
            self.server.aws(*command, credentials=credentials)
        except Refused as refused:
            self.assertIn("(AccessDenied)", refused.words)
            return True
        return False

    def test_the_simulator_equals_the_live_verdict(self):
        """S2.9, S2.10, S2.17: users, roles, groups, boundaries and variables."""
        iam, account = self.server.client("iam"), self.server.account
        arn = lambda name: f"arn:aws:iam::{account}:{name}"
        anna = self.user(
            "anna", statement(["iam:Get*", "iam:List*", "sts:AssumeRole"]), statement("iam:GetUser", arn("user/b*"), "Deny"),
            statement("iam:TagUser", arn("user/${aws:username}")),
        )
        iam.create_group(GroupName="makers")
        iam.put_group_policy(GroupName="makers", PolicyName="make", PolicyDocument=policy(statement("iam:CreateGroup")))
        iam.add_user_to_group(GroupName="makers", UserName="anna")
        bound = iam.create_policy(PolicyName="bound", PolicyDocument=policy(statement(["iam:*", "sts:*"]), statement("iam:ListRoles", effect="Deny")))
        iam.put_user_permissions_boundary(UserName="anna", PermissionsBoundary=bound["Policy"]["Arn"])
        for name in ("bert", "carl"):
            iam.create_user(UserName=name)
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(arn("user/anna")))
        iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=policy(statement("iam:ListRoles")))
        session = self.server.aws("sts", "assume-role", "--role-arn", arn("role/worker"), "--role-session-name", "judged", credentials=anna)
        worker = Credentials.of(session)
        tags = ("--tags", "Key=a,Value=b")
        calls = (
            (anna, "user/anna", "iam:ListUsers", "*", ("list-users",)),
            (anna, "user/anna", "iam:ListRoles", "*", ("list-roles",)),
            (anna, "user/anna", "iam:GetUser", "user/bert", ("get-user", "--user-name", "bert")),
            (anna, "user/anna", "iam:GetUser", "user/carl", ("get-user", "--user-name", "carl")),
            (anna, "user/anna", "iam:TagUser", "user/anna", ("tag-user", "--user-name", "anna", *tags)),
            (anna, "user/anna", "iam:TagUser", "user/carl", ("tag-user", "--user-name", "carl", *tags)),
            (anna, "user/anna", "iam:CreateGroup", "group/new", ("create-group", "--group-name", "new")),
            (anna, "user/anna", "iam:DeleteGroup", "group/new", ("delete-group", "--group-name", "new")),
            (worker, "role/worker", "iam:ListRoles", "*", ("list-roles",)),
            (worker, "role/worker", "iam:ListUsers", "*", ("list-users",)),
        )
        verdicts = set()
        for credentials, source, action, resource, command in calls:
            with self.subTest(source=source, action=action, resource=resource):
                resource = resource if resource == "*" else arn(resource)
                said = self.simulated(arn(source), action, resource)
                denied = self.denied(credentials, "iam", *command)
                self.assertEqual(said["EvalDecision"] != "allowed", denied, said)
                described = json.loads(self.server.ringwork("why", "--as", arn(source), "--do", action, "--on", resource, "--json"))
                self.assertEqual(not described["decisions"][0]["derivation"]["decision"]["allowed"], denied)
                verdicts.add(said["EvalDecision"])
        self.assertEqual(verdicts, {"allowed", "explicitDeny", "implicitDeny"})
        said = self.simulated(arn("user/anna"), "iam:ListRoles")
        self.assertEqual(said["PermissionsBoundaryDecisionDetail"], {"AllowedByPermissionsBoundary": False})

    def test_the_cli_reads_the_whole_answer(self):
        document = policy(statement("s3:GetObject", "arn:aws:s3:::b/${aws:username}", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
        keys = self.server.aws("iam", "get-context-keys-for-custom-policy", "--policy-input-list", document)
        self.assertEqual(keys, {"ContextKeyNames": ["aws:username", "aws:SourceIp"]})
        entries = (
            "ContextKeyName=aws:username,ContextKeyValues=anna,ContextKeyType=string",
            "ContextKeyName=aws:SourceIp,ContextKeyValues=10.1.2.3,ContextKeyType=ip",
        )
        asked = ("iam", "simulate-custom-policy", "--policy-input-list", document, "--action-names", "s3:GetObject", "--resource-arns", "arn:aws:s3:::b/anna")
        (result,) = self.server.aws(*asked, "--context-entries", *entries)["EvaluationResults"]
        self.assertEqual(result["EvalDecision"], "allowed")
        (matched,) = result["ResourceSpecificResults"][0]["MatchedStatements"]
        self.assertEqual(matched["SourcePolicyId"], "PolicyInputList.1")
        place = matched["EndPosition"]["Column"]
        self.assertEqual(json.loads(document[matched["StartPosition"]["Column"] - 1:place - 1])["Effect"], "Allow")
        (result,) = self.server.aws(*asked)["EvaluationResults"]
        self.assertEqual((result["EvalDecision"], result["MissingContextValues"]), ("implicitDeny", ["aws:username", "aws:SourceIp"]))

    def test_a_described_request_is_explained(self):
        """The key policy, the trust policy and given condition keys count as in a live call."""
        self.user("dora", statement("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
        arn = f"arn:aws:iam::{self.server.account}:user/dora"
        key = self.server.client("kms").create_key()["KeyMetadata"]["Arn"]
        told = self.server.ringwork("why", "--as", arn, "--do", "kms:DescribeKey", "--on", key)
        self.assertTrue(told.startswith("DENIED"), told)
        self.assertIn("aws:SourceIp", told)
        told = self.server.ringwork("why", "--as", arn, "--do", "kms:DescribeKey", "--on", key, "--with", "aws:SourceIp=10.1.1.1")
        self.assertTrue(told.startswith("ALLOWED"), told)
        self.assertIn("key policy", told)
        self.server.client("iam").create_role(RoleName="closed", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{self.server.account}:root"))
        role = f"arn:aws:iam::{self.server.account}:role/closed"
        told = self.server.ringwork("why", "--as", role, "--do", "sts:AssumeRole", "--on", role)
        self.assertIn("role trust policy", told)
        self.server.ringwork("why", "--as", arn + "x", "--do", "kms:DescribeKey", expect=5)
        self.server.ringwork("why", "--as", arn, "--do", "kms", expect=5)

    def test_policy_tests_run_in_ci(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "reader.json").write_text(policy(statement("s3:Get*", Sid="Read")))
            (folder / "writer.json").write_text(policy(statement("s3:*")))
            request = "as: 'arn:aws:iam::111122223333:user/a', do: s3:GetObject, on: 'arn:aws:s3:::b/k'"
            tests = folder / "reader.test.yaml"
            tests.write_text(f"given: {{identity: [reader.json]}}\ntests:\n- {{name: reads, {request}, expect: allow, because: {{statement: Read, policy: reader.json}}}}\n")
            run = lambda *arguments, expect=0: self.server.ringwork("policy", *map(str, arguments), expect=expect, folder=False)
            self.assertIn("1 passed, 0 failed", run("test", tests))
            (folder / "reader.json").write_text(policy(statement("s3:Put*", Sid="Read")))
            junit, sarif = folder / "report.xml", folder / "report.sarif"
            self.assertIn("1 of 1 policy tests failed", run("test", tests, "--junit", junit, "--sarif", sarif, expect=1))
            (case,) = xml.etree.ElementTree.parse(junit).getroot().iter("failure")
            self.assertEqual(case.get("message"), "expected allow, and it is denied")
            self.assertEqual(json.loads(sarif.read_text())["runs"][0]["results"][0]["ruleId"], "policy-test")
            requests = folder / "requests.yaml"
            requests.write_text(f"tests:\n- {{{request}}}\n")
            changed = json.loads(run("diff", folder / "reader.json", folder / "writer.json", "--requests", requests, "--json"))
            self.assertEqual((len(changed["newly_allowed"]), changed["newly_denied"]), (1, []))
            tests.write_text("tests:\n- {as: nobody, do: s3:GetObject, expect: deny}\n")
            self.assertIn("reader.test.yaml:2:8: nobody is no principal", run("test", tests, expect=2))


if __name__ == "__main__":
    unittest.main()
