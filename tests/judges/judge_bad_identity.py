"""Bad input to IAM, STS, Organizations, Access Analyzer and key policies: refused with AWS's error, and nothing is changed.

Every test compares what all listings of these services tell before and after.
"""

import base64
import http.client
import json
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from server import REGION, Judge, policy, statement, trust

ALLOW = '"Effect":"Allow","Action":"iam:ListUsers","Resource":"*"'
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


def broken(sides):
    """Documents that are no policies anywhere. `sides` is a good statement's inside."""
    head = '{"Version":"2012-10-17",'
    return {
        "nothing": "{", "no object": "[]", "a text": '"x"', "a null": "null", "text after it": f'{head}"Statement":[{{{sides}}}]}}}}',
        "a comma too many": f'{head}"Statement":[{{{sides}}}],}}',
        "single quotes": f'{head}"Statement":[{{{sides}}}]}}'.replace('"', "'"),
        "an unknown version": f'{{"Version":"2026-01-01","Statement":[{{{sides}}}]}}',
        "a version twice": f'{head}"Version":"2012-10-17","Statement":[{{{sides}}}]}}',
        "an effect twice": f'{head}"Statement":[{{{sides},"Effect":"Deny"}}]}}',
        "statements twice": f'{head}"Statement":[{{{sides}}}],"Statement":[{{{sides}}}]}}',
        "a Sid twice": f'{head}"Statement":[{{"Sid":"a",{sides}}},{{"Sid":"a",{sides}}}]}}',
        "an unknown element": f'{head}"Statement":[{{{sides},"Colour":"red"}}]}}',
        "an unknown part": f'{head}"Colour":"red","Statement":[{{{sides}}}]}}',
        "an unknown operator": f'{head}"Statement":[{{{sides},"Condition":{{"StringAlmost":{{"aws:username":"a"}}}}}}]}}',
        "a condition that is none": f'{head}"Statement":[{{{sides},"Condition":["a"]}}]}}',
        "deeply nested": f'{head}"Statement":{"[" * 2000}{"]" * 2000}}}',
    }


class BadIdentity(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = ("iam", "organizations", "kms", "accessanalyzer")
        cls.iam, cls.organizations, cls.kms, cls.analyzer = (cls.server.client(name) for name in names)
        for name in names:
            setattr(cls, f"raw_{name}", cls.server.client(name, parameter_validation=False))
        cls.organizations.create_organization(FeatureSet="ALL")
        cls.root = cls.organizations.list_roots()["Roots"][0]["Id"]
        for kind in (SCP, RCP):
            cls.organizations.enable_policy_type(RootId=cls.root, PolicyType=kind)
        cls.iam.create_user(UserName="ann")
        cls.me = cls.iam.get_user(UserName="ann")["User"]["Arn"]
        cls.iam.create_role(RoleName="work", AssumeRolePolicyDocument=trust(cls.me))
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]
        cls.analyzer.create_analyzer(analyzerName="outside", type="ACCOUNT")

    def setUp(self):
        before = self.seen()
        self.addCleanup(lambda: self.assertEqual(self.seen(), before))

    def seen(self):
        """All that there is, as the listings tell it."""
        pages = self.iam.get_paginator("get_account_authorization_details").paginate(Filter=["User", "Role", "Group", "LocalManagedPolicy"])
        told = [{name: page.get(name) for name in ("UserDetailList", "RoleDetailList", "GroupDetailList", "Policies")} for page in pages]
        told += [self.iam.list_saml_providers()["SAMLProviderList"], self.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]]
        ours = self.organizations
        told += [ours.list_policies(Filter=kind)["Policies"] for kind in (SCP, RCP)]
        told += [ours.list_policies_for_target(TargetId=self.root, Filter=kind)["Policies"] for kind in (SCP, RCP)]
        told += [ours.list_accounts()["Accounts"], ours.list_organizational_units_for_parent(ParentId=self.root)["OrganizationalUnits"]]
        told += [ours.list_create_account_status()["CreateAccountStatuses"], ours.list_handshakes_for_organization()["Handshakes"]]
        told += [self.kms.get_key_policy(KeyId=self.key)["Policy"], len(self.kms.list_keys()["Keys"])]
        for analyzer in self.analyzer.list_analyzers()["analyzers"]:
            told += [analyzer["name"], analyzer.get("tags"), self.analyzer.list_archive_rules(analyzerName=analyzer["name"])["archiveRules"]]
        return json.dumps(told, default=str, sort_keys=True)

    def trusted(self, **more):
        return self.iam.update_assume_role_policy(RoleName="work", **more)

    def each(self, code, call, documents, name="PolicyDocument", status=400, **more):
        for what, document in documents.items():
            with self.subTest(what=what, document=document[:120]):
                self.refused(code, call, status=status, **more, **{name: document})

    def test_identity_policies(self):
        documents = broken(ALLOW) | {
            "a Sid with blanks": f'{{"Version":"2012-10-17","Statement":[{{"Sid":"a b",{ALLOW}}}]}}',
            "a service with a wildcard": policy(statement("s3*:GetObject")),
            "any service": policy(statement("*:GetObject")),
            "no service": policy(statement("GetObject")),
            "a principal": policy(statement("s3:*", Principal="*")),
            "a resource that is no ARN": policy(statement("s3:*", "bucket/*")),
            "an effect in small letters": policy(statement("s3:*", effect="allow")),
            "action and its opposite": policy(statement("s3:*", NotAction="s3:GetObject")),
            "no action": policy({"Effect": "Allow", "Resource": "*"}),
        }
        named = {"PolicyName": "bad"}
        self.each("MalformedPolicyDocument", self.iam.create_policy, documents, **named)
        self.each("MalformedPolicyDocument", self.iam.put_user_policy, documents, UserName="ann", **named)
        self.each("MalformedPolicyDocument", self.iam.put_role_policy, documents, RoleName="work", **named)

    def test_documents_have_a_longest(self):
        long = lambda size: policy(statement("s3:*", [f"arn:aws:s3:::{number:0>60}" for number in range(size // 75 + 1)]))
        limit = lambda call, size, **more: self.refused("LimitExceeded", call, PolicyDocument=long(size), status=409, **more)
        limit(self.iam.create_policy, 6144, PolicyName="long")
        limit(self.iam.put_user_policy, 2048, UserName="ann", PolicyName="long")
        limit(self.iam.put_role_policy, 10240, RoleName="work", PolicyName="long")
        users = [f"arn:aws:iam::{number:012}:root" for number in range(100)]
        self.refused("LimitExceeded", self.trusted, PolicyDocument=trust(users), status=409)
        made = {"Name": "long", "Description": "", "Content": long(10240)}
        answer = self.refused("ConstraintViolationException", self.organizations.create_policy, Type=SCP, **made, status=400)
        self.assertEqual(answer["Reason"], "POLICY_CONTENT_LIMIT_EXCEEDED")
        keys = policy(statement("kms:*", Principal={"AWS": self.me}, Sid="a" * 33000))
        self.refused("LimitExceededException", self.kms.put_key_policy, KeyId=self.key, Policy=keys, status=400)
        self.refused("ValidationError", self.raw_iam.create_policy, PolicyName="long", PolicyDocument="x" * 131073, status=400)

    def test_trust_policies(self):
        inside = f'"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{self.me}"}}'
        account = self.server.account
        absent = {
            "an absent user": trust(f"arn:aws:iam::{account}:user/nobody"),
            "an absent role": trust(f"arn:aws:iam::{account}:role/nobody"),
            "users by wildcard": trust(f"arn:aws:iam::{account}:user/*"),
            "half an account": trust("1234"),
            "an ARN of something else": trust("arn:aws:s3:::bucket"),
            "an unknown kind": json.dumps({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Human": "ann"}, "Action": "sts:AssumeRole"},
            ]}),
        }
        other = {
            "a resource": trust(self.me, Resource="*"),
            "an action of another service": trust(self.me, Action="s3:GetObject"),
            "no principal": policy({"Effect": "Allow", "Action": "sts:AssumeRole"}),
        }
        documents = broken(inside) | absent | other
        self.each("MalformedPolicyDocument", self.trusted, documents)
        self.each(
            "MalformedPolicyDocument", self.iam.create_role, documents, name="AssumeRolePolicyDocument", RoleName="bad"
        )
        answer = self.refused("MalformedPolicyDocument", self.trusted, PolicyDocument=absent["an absent user"])
        self.assertEqual(
            answer["Error"]["Message"], f'Invalid principal in policy: "AWS":"arn:aws:iam::{account}:user/nobody"'
        )

    def test_key_policies(self):
        inside = f'"Effect":"Allow","Action":"kms:*","Resource":"*","Principal":{{"AWS":"{self.me}"}}'
        account = self.server.account
        for_keys = lambda principal: policy(statement("kms:*", Principal=principal))
        documents = broken(inside) | {
            "an absent user": for_keys({"AWS": f"arn:aws:iam::{account}:user/nobody"}),
            "users by wildcard": for_keys({"AWS": f"arn:aws:iam::{account}:user/*"}),
            "no principal": policy(statement("kms:*")),
        }
        more = {"name": "Policy", "KeyId": self.key, "BypassPolicyLockoutSafetyCheck": True}
        self.each("MalformedPolicyDocumentException", self.kms.put_key_policy, documents, **more)
        self.each("MalformedPolicyDocumentException", self.kms.create_key, documents, name="Policy", BypassPolicyLockoutSafetyCheck=True)

    def test_policies_of_the_organization(self):
        deny = ALLOW.replace("Allow", "Deny")
        service = broken(deny) | {
            "a principal": policy(statement("s3:*", effect="Deny", Principal="*")),
            "a service with a wildcard": policy(statement("s3*:GetObject", effect="Deny")),
        }
        everyone = {"Principal": "*"}
        resource = broken('"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"') | {
            "an Allow": policy(statement("s3:*", **everyone)),
            "no principal": policy(statement("s3:*", effect="Deny")),
            "one principal": policy(statement("s3:*", effect="Deny", Principal={"AWS": self.me})),
            "every action": policy(statement("*", effect="Deny", **everyone)),
            "all but some": policy({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*", **everyone}),
        }
        for kind, documents in ((SCP, service), (RCP, resource)):
            self.each(
                "MalformedPolicyDocumentException", self.organizations.create_policy, documents, name="Content", Type=kind,
                Name="bad", Description="",
            )

    def test_requests_to_organizations(self):
        ours = self.raw_organizations
        for what, call, given in [
            ("an address that is none", ours.create_account, {"AccountName": "a", "Email": "nobody"}),
            ("no address", ours.create_account, {"AccountName": "a"}),
            ("a name too long", ours.create_account, {"AccountName": "a" * 51, "Email": "a@example.com"}),
            ("a name of another type", ours.create_organizational_unit, {"ParentId": self.root, "Name": "a" * 129}),
            ("a parent that is none", ours.create_organizational_unit, {"ParentId": "root", "Name": "a"}),
            ("an account that is none", ours.describe_account, {"AccountId": "a" * 12}),
            ("a policy's identifier", ours.attach_policy, {"PolicyId": "p-x", "TargetId": self.root}),
            ("a target", ours.attach_policy, {"PolicyId": "p-FullAWSAccess", "TargetId": "*"}),
            ("a type", ours.create_policy, {"Type": "X", "Name": "a", "Description": "", "Content": policy(statement("*"))}),
            ("a page too large", ours.list_accounts, {"MaxResults": 21}),
            ("a token that nobody gave", ours.list_accounts, {"NextToken": "x" * 5000}),
        ]:
            with self.subTest(what=what):
                self.refused("InvalidInputException", call, **given, status=400)
        missing = {"ParentId": f"ou-{self.root[2:]}-abcdefgh", "Name": "a"}
        self.refused("ParentNotFoundException", ours.create_organizational_unit, **missing, status=400)

    def test_requests_to_access_analyzer(self):
        ask = self.raw_accessanalyzer
        everything = {"filter": {"isPublic": {"eq": ["true"]}}}
        for what, call, given in [
            ("a name", ask.create_analyzer, {"analyzerName": "1 2", "type": "ACCOUNT"}),
            ("a name too long", ask.create_analyzer, {"analyzerName": "a" * 256, "type": "ACCOUNT"}),
            ("a type", ask.create_analyzer, {"analyzerName": "a", "type": "GALAXY"}),
            ("a key to filter by", ask.create_archive_rule, {"analyzerName": "outside", "ruleName": "r", "filter": {"moon": {"eq": ["1"]}}}),
            ("too many values", ask.create_archive_rule, {"analyzerName": "outside", "ruleName": "r", "filter": {"isPublic": {"eq": ["x"] * 21}}}),
            ("a rule's name", ask.create_archive_rule, {"analyzerName": "outside", "ruleName": "", **everything}),
            ("a token", ask.list_analyzers, {"nextToken": "nobody's"}),
            ("a kind of policy", ask.validate_policy, {"policyDocument": "{}", "policyType": "X"}),
            ("an ARN", ask.list_findings, {"analyzerArn": "arn:aws:x"}),
        ]:
            with self.subTest(what=what):
                self.refused("ValidationException", call, **given, status=400)

    def test_requests_to_federation(self):
        iam, sts = self.raw_iam, self.server.client("sts", "unsigned", parameter_validation=False)
        bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "' + "b" * 900 + '"><!ENTITY c "' + "&b;" * 900 + '">]><a>' + "&c;" * 900 + "</a>"
        for what, document in {"no XML": "x" * 1000, "a bomb": bomb, "no metadata": f"<a>{'x' * 1000}</a>"}.items():
            with self.subTest(what=what):
                self.refused("InvalidInput", iam.create_saml_provider, Name="bad", SAMLMetadataDocument=document, status=400)
        for size in (999, 10_000_001):
            self.refused("ValidationError", iam.create_saml_provider, Name="bad", SAMLMetadataDocument="x" * size)
        good = {"Url": "https://id.example.com", "ThumbprintList": ["0" * 40]}
        for what, code, more in [
            ("no TLS", "InvalidInput", {"Url": "http://id.example.com"}),
            ("a query", "InvalidInput", {"Url": "https://id.example.com/?a=b"}),
            ("a short thumbprint", "ValidationError", {"ThumbprintList": ["0" * 39]}),
            ("too many thumbprints", "InvalidInput", {"ThumbprintList": [f"{number:040}" for number in range(6)]}),
            ("an address too long", "ValidationError", {"Url": "https://id.example.com/" + "a" * 255}),
        ]:
            with self.subTest(what=what):
                self.refused(code, iam.create_open_id_connect_provider, **{**good, **more}, status=400)
        role = {"RoleArn": f"arn:aws:iam::{self.server.account}:role/work"}
        saml = {**role, "PrincipalArn": f"arn:aws:iam::{self.server.account}:saml-provider/none"}
        for what, code, assertion in [
            ("no base64", "InvalidIdentityToken", "!!!!"), ("no XML", "InvalidIdentityToken", base64.b64encode(b"x" * 99).decode()),
            ("a bomb", "InvalidIdentityToken", base64.b64encode(bomb.encode()).decode()), ("too long", "ValidationError", "x" * 100_001),
        ]:
            with self.subTest(what=what):
                self.refused(code, sts.assume_role_with_saml, **saml, SAMLAssertion=assertion, status=400)
        web = {**role, "RoleSessionName": "work"}
        for code, token in [("InvalidIdentityToken", "a.b.c"), ("ValidationError", "x" * 20_001)]:
            self.refused(code, sts.assume_role_with_web_identity, **web, WebIdentityToken=token, status=400)

    def sent(self, service, path, body, **headers):
        """A request whose body is sent as it is, signed by root: its status and answer."""
        root, host = self.server.root, self.server.address
        request = botocore.awsrequest.AWSRequest(
            "POST" if service == "organizations" else "PUT", f"{self.server.endpoint}{path}", data=body, headers=headers
        )
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(root.key, root.secret), service, REGION).add_auth(request)
        connection = http.client.HTTPConnection(*host, timeout=60)
        try:
            connection.request(request.method, path, body=body, headers=dict(request.headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def test_bodies_that_are_no_requests(self):
        target = {"X-Amz-Target": "AWSOrganizationsV20161128.CreateOrganizationalUnit", "Content-Type": "application/x-amz-json-1.1"}
        wrong = {
            "half": b'{"ParentId":', "no JSON": b"\x00\xff\xfe", "a list": b"[]", "another type": b'{"ParentId":["r"],"Name":{"a":1}}',
            "nested": b'{"Name":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        }
        for what, body in wrong.items():
            with self.subTest(what=what, service="organizations"):
                status, answer = self.sent("organizations", "/", body, **target)
                self.assertEqual((status, json.loads(answer)["__type"].split("#")[-1]), (400, "SerializationException"))
        rest = {"Content-Type": "application/json"}
        for what, body in {**wrong, "another type": b'{"analyzerName":["a"],"type":{"a":1}}'}.items():
            with self.subTest(what=what, service="access-analyzer"):
                status, answer = self.sent("access-analyzer", "/analyzer", body, **rest)
                self.assertEqual(status, 400, answer)
        huge = json.dumps({"ParentId": self.root, "Name": "a" * 30_000_000}).encode()
        for call in (("organizations", "/", huge, target), ("access-analyzer", "/analyzer", huge, rest)):
            with self.subTest(what="huge", service=call[0]):
                try:
                    status, answer = self.sent(*call[:3], **call[3])
                except (BrokenPipeError, ConnectionError):
                    continue
                self.assertIn(status, (400, 413), answer[:200])


if __name__ == "__main__":
    unittest.main()
