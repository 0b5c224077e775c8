"""Temporary credentials, by boto3 and the AWS CLI."""

import unittest

import botocore.exceptions
from server import Credentials, Judge, Refused, policy, statement, trust


class Sessions(Judge):
    OPTIONS = ("--clock-control",)

    def role(self, name, trusting, *statements, **more):
        iam = self.server.client("iam")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting, **more)["Role"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return role["Arn"]

    def arn(self, user):
        return f"arn:aws:iam::{self.server.account}:user/{user}"

    def test_a_trusted_user_becomes_the_role_and_loses_what_is_theirs(self):
        """S4.1, S4.3, S1.10, S1.11: temporary credentials, with the role's permissions alone."""
        anna = self.user("anna", statement("iam:ListUsers"))
        arn = self.role("reader", trust(self.arn("anna")), statement("iam:ListRoles"))
        answer = self.server.client("sts", anna).assume_role(RoleArn=arn, RoleSessionName="work")
        session = Credentials.of(answer)
        self.assertRegex(session.key, "^ASIA[A-Z0-9]{16}$")
        assumed = f"arn:aws:sts::{self.server.account}:assumed-role/reader/work"
        self.assertEqual(answer["AssumedRoleUser"]["Arn"], assumed)
        self.assertEqual(self.server.client("sts", session).get_caller_identity()["Arn"], assumed)
        iam = self.server.client("iam", session)
        iam.list_roles()
        message = self.refused("AccessDenied", iam.list_users)["Error"]["Message"]
        self.assertIn(assumed, message)

    def test_who_is_not_trusted_is_refused(self):
        eve = self.user("eve", statement("sts:AssumeRole"))
        arn = self.role("closed", trust(self.arn("eve"), Condition={"StringEquals": {"sts:ExternalId": "agreed"}}))
        sts = self.server.client("sts", eve)
        self.refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="one", status=403)
        self.refused("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="one", ExternalId="other", status=403)
        sts.assume_role(RoleArn=arn, RoleSessionName="one", ExternalId="agreed")
        absent = arn.replace("closed", "absent")
        self.refused("AccessDenied", sts.assume_role, RoleArn=absent, RoleSessionName="one", status=403)

    def test_trust_in_the_account_needs_the_users_own_permission(self):
        arn = self.role("shared", trust(f"arn:aws:iam::{self.server.account}:root"))
        without, allowed = self.user("without"), self.user("allowed", statement("sts:AssumeRole", arn))
        self.refused("AccessDenied", self.server.client("sts", without).assume_role, RoleArn=arn, RoleSessionName="one")
        self.server.client("sts", allowed).assume_role(RoleArn=arn, RoleSessionName="one")

    def test_a_session_policy_only_takes_away(self):
        """S2.17"""
        user = self.user("narrow")
        arn = self.role("wide", trust(self.arn("narrow")), statement("iam:List*"))
        answer = self.server.client("sts", user).assume_role(
            RoleArn=arn, RoleSessionName="one", Policy=policy(statement(["iam:ListRoles", "iam:CreateUser"]))
        )
        iam = self.server.client("iam", Credentials.of(answer))
        iam.list_roles()
        self.refused("AccessDenied", iam.list_users)
        self.refused("AccessDenied", iam.create_user, UserName="x")

    def test_durations_have_bounds(self):
        """S4.7"""
        user = self.user("timed")
        arn = self.role("timed", trust(self.arn("timed")), MaxSessionDuration=3600)
        sts = self.server.client("sts", user, parameter_validation=False)
        for seconds in (899, 3601, 43201):
            self.refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="one", DurationSeconds=seconds, status=400)
        self.refused("ValidationError", sts.get_session_token, DurationSeconds=129601, status=400)
        self.refused("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="a b", status=400)

    def test_a_federated_user_has_the_users_permissions_narrowed(self):
        """S4.2, S4.4"""
        user = self.user("federator", statement("sts:GetFederationToken"), statement("iam:List*"))
        sts = self.server.client("sts", user)
        answer = sts.get_federation_token(Name="bob", Policy=policy(statement("kms:*")))
        federated = Credentials.of(answer)
        arn = f"arn:aws:sts::{self.server.account}:federated-user/bob"
        self.assertEqual(self.server.client("sts", federated).get_caller_identity()["Arn"], arn)
        # The session policy allows it, the user does not have it; and the user's own is not in the session policy.
        self.refused("AccessDeniedException", self.server.client("kms", federated).list_keys)
        with self.assertRaises(botocore.exceptions.ClientError):
            self.server.client("iam", federated).list_users()

    def test_keys_tell_their_account(self):
        sts = self.server.client("sts")
        self.assertEqual(sts.get_access_key_info(AccessKeyId=self.user("keyed").key)["Account"], self.server.account)

    def test_an_encoded_message_is_decoded_for_who_may(self):
        sts = self.server.client("sts")
        self.refused("InvalidAuthorizationMessageException", sts.decode_authorization_message, EncodedMessage="x" * 40)

    def test_the_cli_assumes_a_role(self):
        user = self.user("cli")
        arn = self.role("cli", trust(self.arn("cli")), statement("iam:ListRoles"))
        answer = self.server.aws("sts", "assume-role", "--role-arn", arn, "--role-session-name", "cli", credentials=user)
        session = Credentials.of(answer)
        self.assertIn("Roles", self.server.aws("iam", "list-roles", credentials=session))
        with self.assertRaises(Refused) as caught:
            self.server.aws("iam", "list-users", credentials=session)
        self.assertIn("(AccessDenied)", caught.exception.words)


class Expiry(Judge):
    OPTIONS = ("--clock-control",)

    def test_an_expired_session_is_refused(self):
        """S1.27, S4.7: tokens carry an expiry date, by the cloud's clock."""
        user = self.user("passing")
        session = Credentials.of(self.server.client("sts", user).get_session_token(DurationSeconds=900))
        sts = self.server.client("sts", session)
        sts.get_caller_identity()
        self.server.ringwork("clock", "advance", "14m")
        sts.get_caller_identity()
        self.server.ringwork("clock", "advance", "2m")
        self.refused("ExpiredToken", sts.get_caller_identity, status=403)
        kms = self.server.client("kms", session)
        self.refused("ExpiredTokenException", kms.list_keys)
        self.server.client("sts", user).get_caller_identity()

    def test_the_end_of_the_identity_ends_its_sessions(self):
        iam, user = self.server.client("iam"), self.user("leaving")
        session = Credentials.of(self.server.client("sts", user).get_session_token())
        self.server.client("sts", session).get_caller_identity()
        iam.delete_access_key(UserName="leaving", AccessKeyId=user.key)
        iam.delete_user(UserName="leaving")
        self.refused("InvalidClientTokenId", self.server.client("sts", session).get_caller_identity, status=403)


if __name__ == "__main__":
    unittest.main()
