"""Access Analyzer as unmodified clients see it: who reaches what from outside, what nobody uses, and policies made of what was done."""

import json
import unittest

from server import Judge, policy, statement, trust, wait_for

OTHER = "444455556666"


class Analyzer(Judge):
    OPTIONS = ("--clock-control",)

    def until(self, look, wanted, what):
        """Looks again until jobs have done what is wanted."""
        seen = []

        def looked():
            seen[:] = [look()]
            return wanted(seen[0])

        wait_for(looked, what=lambda: f"{what}: {seen[0]}")
        return seen[0]

    def active(self, analyzer, arn, **more):
        pages = analyzer.get_paginator("list_findings").paginate(
            analyzerArn=arn, filter={"status": {"eq": ["ACTIVE"]}, **more}
        )
        return {
            (finding["resource"].rsplit("/", 1)[1], *finding["principal"].values()): finding
            for page in pages
            for finding in page["findings"]
        }

    def test_trust_that_is_not_specific_is_found(self):
        """S6.9: a role for a whole other account or for everyone is found, and so is a key; a finding ends with the trust."""
        iam, kms = self.server.client("iam"), self.server.client("kms")
        account = self.server.account
        analyzer = self.server.client("accessanalyzer")
        iam.create_role(RoleName="vendor", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{OTHER}:root"))
        iam.create_role(RoleName="open", AssumeRolePolicyDocument=trust("*"))
        iam.create_role(RoleName="home", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{account}:root"))
        own = {"AWS": f"arn:aws:iam::{account}:root"}
        keys = policy(
            statement("kms:*", Principal=own),
            statement(
                ["kms:Decrypt", "kms:DescribeKey"],
                Principal={"AWS": "*"},
                Condition={"StringEquals": {"kms:CallerAccount": OTHER}},
            ),
        )
        key = kms.create_key(Policy=keys)["KeyMetadata"]["KeyId"]
        arn = self.server.aws("accessanalyzer", "create-analyzer", "--analyzer-name", "outside", "--type", "ACCOUNT")["arn"]
        self.assertEqual(arn, f"arn:aws:access-analyzer:us-east-1:{account}:analyzer/outside")
        wanted = {("vendor", OTHER), ("open", "*"), (key, "*")}
        found = self.until(lambda: self.active(analyzer, arn), lambda seen: set(seen) >= wanted, "findings")
        self.assertEqual(set(found), wanted)
        self.assertTrue(found["open", "*"]["isPublic"])
        self.assertFalse(found["vendor", OTHER]["isPublic"])
        self.assertEqual(found[key, "*"]["action"], ["kms:Decrypt", "kms:DescribeKey"])
        self.assertEqual(found[key, "*"]["resourceType"], "AWS::KMS::Key")
        self.assertEqual(found[key, "*"]["condition"], {"kms:CallerAccount": OTHER})
        self.assertFalse(found[key, "*"]["isPublic"])
        shown = self.server.aws(
            "accessanalyzer", "get-finding-v2", "--analyzer-arn", arn, "--id", found["vendor", OTHER]["id"]
        )
        self.assertEqual(shown["findingDetails"][0]["externalAccessDetails"]["principal"], {"AWS": OTHER})
        analyzer.create_archive_rule(
            analyzerName="outside", ruleName="known", filter={"isPublic": {"eq": ["false"]}}
        )
        analyzer.apply_archive_rule(analyzerArn=arn, ruleName="known")
        self.assertEqual(set(self.active(analyzer, arn)), {("open", "*")})
        # The trust is made specific, and within half an hour the finding is resolved.
        named = f"arn:aws:iam::{account}:root"
        iam.update_assume_role_policy(RoleName="open", PolicyDocument=trust(named))
        self.server.ringwork("clock", "advance", "30m")
        self.until(lambda: self.active(analyzer, arn), lambda seen: not seen, "the resolution")
        resolved = analyzer.list_findings(analyzerArn=arn, filter={"status": {"eq": ["RESOLVED"]}})["findings"]
        self.assertEqual([finding["principal"] for finding in resolved], [{"AWS": "*"}])
        self.refused("ServiceQuotaExceededException", analyzer.create_analyzer, analyzerName="b", type="ACCOUNT", status=402)
        analyzer.delete_analyzer(analyzerName="outside")
        self.refused("ResourceNotFoundException", analyzer.get_analyzer, analyzerName="outside", status=404)

    def test_a_policy_is_generated_of_what_was_done(self):
        """S1.20: Access Analyzer and `ringwork policy new` make a policy of what a user did, which is enough to do it again."""
        iam, kms = self.server.client("iam"), self.server.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        worker = self.user("worker", statement(["kms:Encrypt", "kms:Decrypt", "iam:ListUsers"]))
        own = self.server.client("kms", worker)
        sealed = own.encrypt(KeyId=key, Plaintext=b"word")["CiphertextBlob"]
        self.server.client("iam", worker).list_users()
        self.refused("AccessDeniedException", own.schedule_key_deletion, KeyId=key)
        arn = f"arn:aws:iam::{self.server.account}:user/worker"
        job = self.server.aws(
            "accessanalyzer", "start-policy-generation", "--policy-generation-details", f"principalArn={arn}"
        )["jobId"]
        self.server.ringwork("clock", "advance", "10s")
        client = self.server.client("accessanalyzer")
        made = self.until(
            lambda: client.get_generated_policy(jobId=job, includeResourcePlaceholders=True),
            lambda seen: seen["jobDetails"]["status"] != "IN_PROGRESS",
            "the policy",
        )
        self.assertEqual(made["jobDetails"]["status"], "SUCCEEDED")
        template = json.loads(made["generatedPolicyResult"]["generatedPolicies"][0]["policy"])
        self.assertIn(
            {"Effect": "Allow", "Action": ["kms:Encrypt"], "Resource": "arn:aws:kms:${Region}:${Account}:key/${KeyId}"},
            template["Statement"],
        )
        new = ("policy", "new", "--data", str(self.server.data), "--as")
        text = self.server.ringwork(*new, arn, "--since", "7d", "--resources", folder=False)
        exact = json.loads(text)
        self.assertIn({"Effect": "Allow", "Action": ["kms:Encrypt"], "Resource": key}, exact["Statement"])
        self.assertNotIn("ScheduleKeyDeletion", text)
        self.assertNotIn("Decrypt", text)
        iam.put_user_policy(UserName="worker", PolicyName="own", PolicyDocument=text)
        own.encrypt(KeyId=key, Plaintext=b"word")
        self.refused("AccessDeniedException", own.decrypt, CiphertextBlob=sealed)
        nobody = self.server.ringwork(*new, arn.replace("worker", "nobody"), expect=5, folder=False)
        self.assertIn("is no user or role", nobody)

    def test_unused_access_is_found(self):
        iam = self.server.client("iam")
        client = self.server.client("accessanalyzer")
        arn = client.create_analyzer(
            analyzerName="idle",
            type="ACCOUNT_UNUSED_ACCESS",
            configuration={"unusedAccess": {"unusedAccessAge": 30}},
        )["arn"]
        iam.create_role(RoleName="sleeper", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{self.server.account}:root"))
        self.user("idler")
        self.server.ringwork("clock", "advance", "32d")
        look = lambda: {
            (finding["findingType"], finding["resource"].rsplit("/", 1)[1])
            for finding in client.list_findings_v2(analyzerArn=arn, filter={"status": {"eq": ["ACTIVE"]}})["findings"]
        }
        wanted = {("UnusedIAMRole", "sleeper"), ("UnusedIAMUserAccessKey", "idler")}
        self.until(look, lambda seen: seen >= wanted, "findings")


if __name__ == "__main__":
    unittest.main()
