"""Policies of an organization by the AWS CLI and boto3: a member account is bound, whoever asks in it; the management account is not."""

import json
import unittest

from server import Credentials, Judge, Refused, policy, statement, wait_for

SCP, RCP, TAGS = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY"


class OrganizationPolicies(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.organizations = cls.server.client("organizations")
        cls.organization = cls.server.aws("organizations", "create-organization")["Organization"]["Id"]
        (root,) = cls.server.aws("organizations", "list-roots")["Roots"]
        cls.root = root["Id"]
        cls.organizations.enable_policy_type(RootId=cls.root, PolicyType=SCP)
        unit = cls.organizations.create_organizational_unit(ParentId=cls.root, Name="workloads")
        cls.unit = unit["OrganizationalUnit"]["Id"]
        cls.member = cls.joined("developers")
        cls.organizations.move_account(AccountId=cls.member, SourceParentId=cls.root, DestinationParentId=cls.unit)
        # Root assumes no role, so somebody else of the management account opens the new one.
        iam = cls.server.client("iam")
        iam.create_user(UserName="opener")
        iam.put_user_policy(UserName="opener", PolicyName="own", PolicyDocument=policy(statement("*")))
        cls.opener = Credentials.of(iam.create_access_key(UserName="opener"))
        cls.opened = cls.session(cls.opener)
        theirs = cls.server.client("iam", cls.opened)
        theirs.create_user(UserName="admin")
        theirs.attach_user_policy(UserName="admin", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        cls.admin = Credentials.of(theirs.create_access_key(UserName="admin"))

    @classmethod
    def joined(cls, name):
        """A new member account's number."""
        made = cls.organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]

        def ended():
            now = cls.organizations.describe_create_account_status(CreateAccountRequestId=made["Id"])["CreateAccountStatus"]
            return now if now["State"] != "IN_PROGRESS" else None

        made = wait_for(ended)
        assert made["State"] == "SUCCEEDED", made
        return made["AccountId"]

    @classmethod
    def session(cls, credentials):
        role = f"arn:aws:iam::{cls.member}:role/OrganizationAccountAccessRole"
        return Credentials.of(cls.server.client("sts", credentials).assume_role(RoleArn=role, RoleSessionName="judged"))

    def made(self, kind, name, *statements, content=None):
        """A policy that goes away with the test, and its ARN."""
        content = content or policy(*statements)
        made = self.organizations.create_policy(Type=kind, Name=name, Description="judged", Content=content)
        summary = made["Policy"]["PolicySummary"]
        self.addCleanup(self.organizations.delete_policy, PolicyId=summary["Id"])
        return summary["Id"], summary["Arn"]

    def attached(self, identifier, target):
        self.server.aws("organizations", "attach-policy", "--policy-id", identifier, "--target-id", target)
        self.addCleanup(self.organizations.detach_policy, PolicyId=identifier, TargetId=target)

    def enabled(self, kind):
        self.organizations.enable_policy_type(RootId=self.root, PolicyType=kind)
        self.addCleanup(self.organizations.disable_policy_type, RootId=self.root, PolicyType=kind)

    def described(self, principal, action, resource="*"):
        """What `ringwork why` says of a request that nobody made."""
        arn = f"arn:aws:iam::{self.member}:{principal}"
        said = self.server.ringwork("why", "--as", arn, "--do", action, "--on", resource, "--json")
        (decision,) = json.loads(said)["decisions"]
        return decision["derivation"]["decision"]["allowed"], decision["ladder"]

    def test_a_member_is_bound_and_management_is_not(self):
        """S2.11, S2.17"""
        identifier, arn = self.made(SCP, "no groups", statement("iam:CreateGroup", effect="Deny"))
        self.assertTrue(self.described("root", "iam:CreateGroup")[0])
        for target in (self.root, self.unit, self.member):
            self.organizations.attach_policy(PolicyId=identifier, TargetId=target)
            for credentials in (self.admin, self.opened):
                client = self.server.client("iam", credentials)
                answer = self.refused("AccessDenied", client.create_group, GroupName="makers", status=403)
                self.assertTrue(answer["Error"]["Message"].endswith(f"with an explicit deny in a service control policy: {arn}"), answer)
                client.list_groups()
            allowed, ladder = self.described("root", "iam:CreateGroup")
            self.assertFalse(allowed)
            self.assertIn(arn, ladder)
            self.server.client("iam", self.opener).create_group(GroupName=f"of-{target}")
            self.server.client("iam").create_group(GroupName=f"roots-{target}")
            self.organizations.detach_policy(PolicyId=identifier, TargetId=target)
        self.server.client("iam", self.admin).create_group(GroupName="makers")

    def test_an_allow_list_limits_every_level(self):
        """S2.17"""
        identifier, _ = self.made(SCP, "read IAM", statement(["iam:Get*", "iam:List*"]))
        self.organizations.attach_policy(PolicyId=identifier, TargetId=self.unit)
        self.server.aws("organizations", "detach-policy", "--policy-id", "p-FullAWSAccess", "--target-id", self.unit)
        try:
            with self.assertRaises(Refused) as caught:
                self.server.aws("iam", "create-user", "--user-name", "nina", credentials=self.admin)
            self.assertIn("because no service control policy allows the iam:CreateUser action", caught.exception.words)
            self.server.aws("iam", "list-users", credentials=self.admin)
            last = {"PolicyId": identifier, "TargetId": self.unit}
            answer = self.refused("ConstraintViolationException", self.organizations.detach_policy, **last, status=400)
            self.assertEqual(answer["Reason"], "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED")
        finally:
            self.organizations.attach_policy(PolicyId="p-FullAWSAccess", TargetId=self.unit)
            self.organizations.detach_policy(PolicyId=identifier, TargetId=self.unit)

    def test_a_resource_control_policy_denies_whoever_asks(self):
        """S2.11, S2.17: within its services, over the resources of members."""
        self.enabled(RCP)
        key = self.server.client("kms", self.admin).create_key()["KeyMetadata"]["Arn"]
        own = self.server.client("kms").create_key()["KeyMetadata"]["Arn"]
        everyone = {"Principal": "*"}
        identifier, arn = self.made(
            RCP, "closed", statement("kms:Encrypt", effect="Deny", **everyone), statement("sts:AssumeRole", effect="Deny", **everyone)
        )
        kms = self.server.client("kms", self.admin)
        kms.encrypt(KeyId=key, Plaintext=b"before")
        self.attached(identifier, self.root)
        answer = self.refused("AccessDeniedException", kms.encrypt, KeyId=key, Plaintext=b"after", status=400)
        self.assertTrue(answer["Error"]["Message"].endswith(f"with an explicit deny in a resource control policy: {arn}"), answer)
        kms.describe_key(KeyId=key)
        self.assertFalse(self.described("root", "kms:Encrypt", key)[0])
        self.server.client("kms").encrypt(KeyId=own, Plaintext=b"management")
        self.refused("AccessDenied", self.session, self.opener)

    def test_a_denial_is_explained(self):
        """S2.17: the layer, the level, the policy, and the keys that the decision saw."""
        path = f"{self.organization}/{self.root}/{self.unit}/*"
        within = {"Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": path}}}
        identifier, arn = self.made(SCP, "unit only", statement("iam:CreateRole", effect="Deny", **within))
        self.attached(identifier, self.root)
        client = self.server.client("iam", self.admin)
        trusting = policy({"Effect": "Allow", "Principal": {"AWS": self.member}, "Action": "sts:AssumeRole"})
        answer = self.refused("AccessDenied", client.create_role, RoleName="worker", AssumeRolePolicyDocument=trusting)
        request = answer["ResponseMetadata"]["RequestId"]
        ladder = self.server.ringwork("why", request)
        for words in ("DENIED", "service control policies, level 1", arn):
            self.assertIn(words, ladder)
        # Elsewhere in the tree the same call is allowed, and the record still tells what was.
        self.organizations.move_account(AccountId=self.member, SourceParentId=self.unit, DestinationParentId=self.root)
        client.create_role(RoleName="worker", AssumeRolePolicyDocument=trusting)
        self.organizations.move_account(AccountId=self.member, SourceParentId=self.root, DestinationParentId=self.unit)
        self.assertEqual(self.server.ringwork("why", request), ladder)
        simulated = self.server.aws(
            "iam", "simulate-principal-policy", "--policy-source-arn", f"arn:aws:iam::{self.member}:user/admin",
            "--action-names", "iam:CreateRole", "iam:ListRoles", credentials=self.admin,
            *("--context-entries", f"ContextKeyName=aws:PrincipalOrgPaths,ContextKeyType=stringList,ContextKeyValues={path[:-1]}"),
        )
        verdicts = [
            (result["EvalDecision"], result["OrganizationsDecisionDetail"]["AllowedByOrganizations"])
            for result in simulated["EvaluationResults"]
        ]
        self.assertEqual(verdicts, [("explicitDeny", False), ("allowed", True)])

    def test_settings_merge_down_the_tree(self):
        self.enabled(TAGS)
        content = lambda value: json.dumps({"tags": {"costcenter": {"tag_key": {"@@assign": "CostCenter"}, "tag_value": value}}})
        above, _ = self.made(TAGS, "above", content=content({"@@assign": ["Development", "Support"]}))
        below, _ = self.made(TAGS, "below", content=content({"@@append": ["Marketing"], "@@remove": ["Support"]}))
        self.attached(above, self.root)
        self.attached(below, self.unit)
        wanted = {"tags": {"costcenter": {"tag_key": "CostCenter", "tag_value": ["Development", "Marketing"]}}}
        own = self.server.client("organizations", self.admin).describe_effective_policy(PolicyType=TAGS)
        self.assertEqual(json.loads(own["EffectivePolicy"]["PolicyContent"]), wanted)
        named = self.server.aws(
            "organizations", "describe-effective-policy", "--policy-type", TAGS, "--target-id", self.member
        )
        self.assertEqual(json.loads(named["EffectivePolicy"]["PolicyContent"]), wanted)

    def test_wrong_documents_are_refused(self):
        wrong = [
            (SCP, policy({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"})),
            (SCP, "{"),
            (RCP, policy({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})),
            (RCP, policy({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"})),
            (TAGS, json.dumps({"tags": {"costcenter": "plain"}})),
        ]
        for kind, content in wrong:
            with self.subTest(content=content):
                named = {"Type": kind, "Name": "wrong", "Description": "", "Content": content}
                self.refused("MalformedPolicyDocumentException", self.organizations.create_policy, **named, status=400)


if __name__ == "__main__":
    unittest.main()
