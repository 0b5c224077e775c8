"""Access Analyzer's checks of policies, by boto3 and the AWS CLI, and the command that does the same without a server."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from server import BINARY, Judge, clean_environment, policy, statement


class Validation(Judge):
    def test_findings_have_codes_and_places_and_come_in_pages(self):
        analyzer = self.server.client("accessanalyzer")
        text = json.dumps(
            {"Statement": [{"Effect": "Allow", "Action": ["iam:PassRole", "s3:GetObjects"], "Resource": "*"}]}, indent=2
        )
        found = analyzer.validate_policy(policyDocument=text, policyType="IDENTITY_POLICY")["findings"]
        told = {finding["issueCode"]: finding for finding in found}
        self.assertEqual(
            {code: finding["findingType"] for code, finding in told.items()},
            {"MISSING_VERSION": "WARNING", "INVALID_ACTION": "ERROR", "PASS_ROLE_WITH_STAR_IN_RESOURCE": "SECURITY_WARNING"},
        )
        place = told["INVALID_ACTION"]["locations"][0]
        self.assertEqual(
            place["path"], [{"value": "Statement"}, {"index": 0}, {"value": "Action"}, {"index": 1}]
        )
        start, end = place["span"]["start"], place["span"]["end"]
        self.assertEqual(text[start["offset"] : end["offset"]], '"s3:GetObjects"')
        self.assertEqual(text.splitlines()[start["line"] - 1][start["column"] : end["column"]], '"s3:GetObjects"')
        pages = analyzer.get_paginator("validate_policy").paginate(
            policyDocument=text, policyType="IDENTITY_POLICY", PaginationConfig={"PageSize": 1}
        )
        self.assertEqual([len(page["findings"]) for page in pages], [1, 1, 1])

    def test_the_command_line_client_validates_and_checks(self):
        document = policy(statement("s3:GetObject"))
        found = self.server.aws(
            "accessanalyzer", "validate-policy", "--policy-document", document, "--policy-type", "IDENTITY_POLICY"
        )
        self.assertEqual(found["findings"], [])
        wider = policy(statement("s3:*"))
        checked = self.server.aws(
            "accessanalyzer", "check-no-new-access", "--policy-type", "IDENTITY_POLICY",
            "--new-policy-document", wider, "--existing-policy-document", document,
        )
        self.assertEqual((checked["result"], checked["reasons"][0]["statementIndex"]), ("FAIL", 0))
        checked = self.server.aws(
            "accessanalyzer", "check-access-not-granted", "--policy-type", "IDENTITY_POLICY",
            "--policy-document", wider, "--access", "actions=s3:DeleteBucket,s3:GetBucketLocation",
        )
        self.assertEqual(checked["result"], "FAIL")
        checked = self.server.aws(
            "accessanalyzer", "check-access-not-granted", "--policy-type", "IDENTITY_POLICY",
            "--policy-document", document, "--access", "actions=s3:DeleteBucket,s3:GetBucketLocation",
        )
        self.assertEqual(checked["result"], "PASS")

    def test_public_policies_and_wrong_ones_are_told(self):
        analyzer = self.server.client("accessanalyzer")
        grant = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        guarded = {**grant, "Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}
        for held, result in [(grant, "FAIL"), (guarded, "PASS")]:
            document = json.dumps({"Version": "2012-10-17", "Statement": held})
            checked = analyzer.check_no_public_access(policyDocument=document, resourceType="AWS::SQS::Queue")
            self.assertEqual(checked["result"], result)
        self.refused(
            "InvalidParameterException", analyzer.check_no_public_access,
            policyDocument="{", resourceType="AWS::SQS::Queue", status=400,
        )
        self.refused(
            "ValidationException", analyzer.validate_policy,
            policyDocument="{}", policyType="IDENTITY_POLICY", nextToken="forged", status=400,
        )

    def test_the_command_shows_findings_with_carets(self):
        with tempfile.TemporaryDirectory() as folder:
            good, bad = Path(folder, "good.json"), Path(folder, "bad.json")
            good.write_text(policy(statement("s3:GetObject")))
            bad.write_text(policy(statement("s3:GetObjects")))

            def check(*arguments):
                return subprocess.run(
                    [BINARY, "policy", "check", *map(str, arguments)],
                    env=clean_environment(), capture_output=True, text=True, timeout=60,
                )

            self.assertEqual(check(good).returncode, 0)
            ended = check(bad)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn("error INVALID_ACTION", ended.stdout)
            self.assertIn("^" * len('"s3:GetObjects"'), ended.stdout)
            told = json.loads(check(bad, "--json", "--sarif", Path(folder, "log.sarif")).stdout)
            self.assertEqual(told[0]["issue_code"], "INVALID_ACTION")
            log = json.loads(Path(folder, "log.sarif").read_text())
            self.assertEqual(log["runs"][0]["results"][0]["ruleId"], "INVALID_ACTION")


if __name__ == "__main__":
    unittest.main()
