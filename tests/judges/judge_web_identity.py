"""Roles for people whom an OpenID Connect provider knows: the AWS CLI and boto3 against a provider with a certificate of its own."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import ssl
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

import rsa
from provider import Provider, encoded
from server import Credentials, Judge, Refused, policy, statement


class WebIdentity(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = Provider()
        cls.addClassCleanup(cls.provider.close)
        iam = cls.server.client("iam")
        cls.arn = iam.create_open_id_connect_provider(
            Url=cls.provider.url, ClientIDList=["app"], ThumbprintList=[cls.provider.thumbprint]
        )["OpenIDConnectProviderArn"]
        cls.role = cls.make("web", statement("iam:ListUsers"))
        cls.sts = cls.server.client("sts", "unsigned")

    @classmethod
    def make(cls, name, *statements, actions="sts:AssumeRoleWithWebIdentity", subject="ann"):
        iam = cls.server.client("iam")
        keys = {f"{cls.provider.name}:aud": "app", f"{cls.provider.name}:sub": subject}
        trusted = {
            "Effect": "Allow", "Principal": {"Federated": cls.arn}, "Action": actions,
            "Condition": {"StringEquals": keys},
        }
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusted))
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return made["Role"]["Arn"]

    def assume(self, token, role=None, **more):
        return self.sts.assume_role_with_web_identity(
            RoleArn=role or self.role, RoleSessionName="work", WebIdentityToken=token, **more
        )

    def test_a_provider_is_registered_and_shown(self):
        """S6.3"""
        iam = self.server.client("iam")
        shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=self.arn)
        self.assertEqual((shown["Url"], shown["ClientIDList"]), (self.provider.name, ["app"]))
        self.assertEqual(shown["ThumbprintList"], [self.provider.thumbprint])
        self.assertIn({"Arn": self.arn}, iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])
        self.refused("EntityAlreadyExists", iam.create_open_id_connect_provider, Url=self.provider.url, status=409)
        self.refused("InvalidInput", iam.create_open_id_connect_provider, Url="https://id.example:8443", status=400)
        self.refused("InvalidInput", iam.create_open_id_connect_provider, Url="http://id.example", status=400)

    def test_the_command_line_gets_the_role_by_a_token(self):
        """S4.2, S4.5, S4.6, S6.1, S6.4: no credentials of an IAM user, and yet those of the role, for AWS's interfaces."""
        answer = self.server.aws(
            "sts", "assume-role-with-web-identity", "--role-arn", self.role, "--role-session-name", "work",
            "--web-identity-token", self.provider.token(), "--duration-seconds", "900", "--no-sign-request",
        )
        self.assertEqual(answer["SubjectFromWebIdentityToken"], "ann")
        self.assertEqual((answer["Audience"], answer["Provider"]), ("app", self.arn))
        session = Credentials.of(answer)
        identity = self.server.aws("sts", "get-caller-identity", credentials=session)
        self.assertEqual(identity["Arn"], f"arn:aws:sts::{self.server.account}:assumed-role/web/work")
        iam = self.server.client("iam", session)
        iam.list_users()
        self.refused("AccessDenied", iam.list_roles, status=403)
        with self.assertRaisesRegex(Refused, "AccessDenied"):
            self.server.aws(
                "sts", "assume-role-with-web-identity", "--role-arn", self.role, "--role-session-name", "work",
                "--web-identity-token", self.provider.token(sub="eve"), "--no-sign-request",
            )

    def test_a_program_finds_its_token_in_a_file(self):
        """S4.5: as programs do that run beside a provider."""
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "token"
            file.write_text(self.provider.token())
            environment = self.server.environment(
                AWS_WEB_IDENTITY_TOKEN_FILE=str(file), AWS_ROLE_ARN=self.role, AWS_ROLE_SESSION_NAME="file"
            )
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                del environment[name]
            program = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
            ended = subprocess.run(
                [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
            )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertTrue(ended.stdout.strip().endswith(":assumed-role/web/file"), ended.stdout)

    def test_tokens_for_others_and_of_others_are_refused(self):
        now = self.provider.claims()["iat"]
        for code, message, token in [
            ("InvalidIdentityToken", "Incorrect token audience", self.provider.token(aud="other")),
            ("InvalidIdentityToken", "No OpenIDConnect provider found", self.provider.token(iss="https://127.0.0.1")),
            ("InvalidIdentityToken", "Missing a required claim: aud", self.provider.token(aud=None)),
            ("InvalidIdentityToken", "Missing a required claim: exp", self.provider.token(exp=None)),
            ("InvalidIdentityToken", "not a valid JWT", "Atza|access-token"),
            ("ExpiredTokenException", "Token expired: current date/time", self.provider.token(exp=now - 1)),
        ]:
            answer = self.refused(code, self.assume, token, status=400)
            self.assertIn(message, answer["Error"]["Message"])
        self.refused("AccessDenied", self.assume, self.provider.token(sub="eve"), status=403)
        self.refused("AccessDenied", self.assume, self.provider.token(), role=f"{self.role}-absent", status=403)

    def test_a_token_does_not_choose_how_it_is_verified(self):
        good = self.provider.token()
        start, signature = good.rsplit(".", 1)
        public = self.provider.pair[0].save_pkcs1()
        confused = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(self.provider.claims())}"
        tag = hmac.new(public, confused.encode(), hashlib.sha256).digest()
        claims = encoded(self.provider.claims(sub="root"))
        eve = rsa.newkeys(1024)
        for token in [
            f"{encoded({'alg': 'none'})}.{encoded(self.provider.claims())}.",
            f"{encoded({'alg': 'None'})}.{encoded(self.provider.claims())}.{signature}",
            f"{confused}.{encoded(tag)}",
            f"{start.split('.')[0]}.{claims}.{signature}",
            f"{start}.",
            self.provider.token(pair=eve),
            self.provider.token({"alg": "RS256", "kid": "unknown"}),
            self.provider.token({"alg": "RS256", "kid": "first", "crit": ["x"], "x": 1}),
            self.provider.token({"alg": "ES256", "kid": "first"}),
            self.provider.token({"alg": "RS256", "kid": "eve", "jku": "https://127.0.0.1:1/keys"}, pair=eve),
        ]:
            self.refused("InvalidIdentityToken", self.assume, token, status=400)
        self.assume(good)

    def test_a_rotated_key_is_found(self):
        second = rsa.newkeys(2048, poolsize=max(1, os.cpu_count() or 1))
        token = self.provider.token({"alg": "RS256", "kid": "second"}, pair=second)
        self.refused("InvalidIdentityToken", self.assume, token)
        self.provider.keys["second"] = second
        asked = len(self.provider.asked)
        # For a minute the keys at hand count.
        self.refused("InvalidIdentityToken", self.assume, token)
        self.assertEqual(len(self.provider.asked), asked)
        self.server.ringwork("clock", "advance", "61s")
        self.assume(token)
        self.assertEqual(self.provider.asked[asked:], ["/realm/keys"])

    def test_tags_and_a_source_identity_come_with_the_token(self):
        names = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"]
        same = {"StringEquals": {"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": "ann"}}
        role = self.make("tagged", statement("iam:ListUsers", Condition=same), actions=names)
        claims = {
            "https://aws.amazon.com/tags": {"principal_tags": {"team": ["blue"]}, "transitive_tag_keys": ["team"]},
            "https://aws.amazon.com/source_identity": "ann",
        }
        answer = self.assume(self.provider.token(**claims), role=role)
        self.assertEqual(answer["SourceIdentity"], "ann")
        self.server.client("iam", Credentials.of(answer)).list_users()
        self.refused("AccessDenied", self.assume, self.provider.token(**claims), status=403)

    def test_the_trail_names_the_bearer_and_keeps_no_token(self):
        """S4.5"""
        token = self.provider.token()
        answer = self.assume(token)
        request = answer["ResponseMetadata"]["RequestId"]
        event = next(event for event in self.events("AssumeRoleWithWebIdentity") if event["requestID"] == request)
        self.assertEqual(event["userIdentity"], {
            "type": "WebIdentityUser", "principalId": f"{self.arn}:app:ann", "userName": "ann",
            "identityProvider": self.arn,
        })
        self.assertEqual(
            event["additionalEventData"], {"identityProviderConnectionVerificationMethod": "Thumbprint"}
        )
        self.assertEqual(event["resources"][0]["ARN"], self.role)
        self.assertNotIn(token.rsplit(".", 1)[1], json.dumps(event))
        self.server.client("iam", Credentials.of(answer)).list_users()
        context = self.events("ListUsers")[0]["userIdentity"]["sessionContext"]
        self.assertEqual(context["webIdFederationData"], {"federatedProvider": self.arn, "attributes": {}})


class Certificates(Judge):
    """A provider is known by its certificate, and by nothing that it says itself."""

    def test_the_certificate_must_be_the_registered_one_and_current(self):
        for days, own, right in [(30, True, True), (30, False, False), (0, True, False)]:
            with self.subTest(days=days, own=own):
                self.certified(days, own, right)

    def certified(self, days, own, right):
        provider = Provider(days)
        self.addCleanup(provider.close)
        iam = self.server.client("iam")
        arn = iam.create_open_id_connect_provider(
            Url=provider.url, ClientIDList=["app"], ThumbprintList=[provider.thumbprint if own else "0" * 40]
        )["OpenIDConnectProviderArn"]
        trusted = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}
        name = f"role-{days}-{own}"
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusted))["Role"]["Arn"]
        sts = self.server.client("sts", "unsigned")
        named = {"RoleArn": role, "RoleSessionName": "work", "WebIdentityToken": provider.token()}
        if right:
            sts.assume_role_with_web_identity(**named)
            return
        answer = self.refused("InvalidIdentityToken", sts.assume_role_with_web_identity, **named, status=400)
        self.assertIn("HTTPS certificate doesn't match configured thumbprint", answer["Error"]["Message"])
        self.assertEqual(provider.asked, [])

    def test_without_thumbprints_the_first_certificate_is_noted(self):
        provider = Provider()
        self.addCleanup(provider.close)
        iam = self.server.client("iam")
        arn = iam.create_open_id_connect_provider(Url=provider.url)["OpenIDConnectProviderArn"]
        shown = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        self.assertEqual(shown["ThumbprintList"], [provider.thumbprint])
        provider.redirect = "https://127.0.0.1:1/"
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        self.refused(
            "OpenIdIdpCommunicationError", iam.create_open_id_connect_provider, Url=provider.url, status=400
        )


class Outbound(Judge):
    """The account as an issuer: its pages are public, and its tokens are good wherever its issuer is believed."""

    def page(self, url):
        context = ssl.create_default_context(cafile=self.server.authority)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(url, timeout=10) as answer:
            return json.load(answer)

    def test_a_token_of_the_account_verifies_and_opens_a_role(self):
        iam, sts = self.server.client("iam"), self.server.client("sts")
        self.refused("FeatureDisabled", iam.get_outbound_web_identity_federation_info)
        issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
        answer = self.server.aws(
            "sts", "get-web-identity-token", "--audience", "app", "--signing-algorithm", "RS256"
        )
        header, claims, signature = answer["WebIdentityToken"].split(".")
        decoded = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        configuration = self.page(f"{issuer}/.well-known/openid-configuration")
        self.assertEqual(configuration["issuer"], issuer)
        keys = {key["kid"]: key for key in self.page(configuration["jwks_uri"])["keys"]}
        key = keys[json.loads(decoded(header))["kid"]]
        number = lambda name: int.from_bytes(decoded(key[name]), "big")
        rsa.verify(f"{header}.{claims}".encode(), decoded(signature), rsa.PublicKey(number("n"), number("e")))
        self.assertEqual(json.loads(decoded(claims))["sub"], f"arn:aws:iam::{self.server.account}:root")
        # The same account believes itself: fetched over the listener's own certificate, which is noted at first use.
        arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["app"])["OpenIDConnectProviderArn"]
        trusted = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}
        role = iam.create_role(RoleName="own", AssumeRolePolicyDocument=policy(trusted))["Role"]["Arn"]
        for algorithm in ("RS256", "ES384"):
            token = sts.get_web_identity_token(Audience=["app"], SigningAlgorithm=algorithm)["WebIdentityToken"]
            self.server.client("sts", "unsigned").assume_role_with_web_identity(
                RoleArn=role, RoleSessionName="own", WebIdentityToken=token
            )
        iam.disable_outbound_web_identity_federation()
        with self.assertRaises(urllib.error.HTTPError):
            self.page(configuration["jwks_uri"])
        event = self.events("GetWebIdentityToken")[0]
        self.assertNotIn("eyJ", json.dumps(event))


if __name__ == "__main__":
    unittest.main()
