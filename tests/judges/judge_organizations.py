"""Organizations by boto3 and the AWS CLI: an organization from its first account to the closing of a member."""

import pathlib
import tempfile
import unittest

from server import Credentials, Judge, Server, policy, statement, wait_for

OTHER = "222233334444"
DORA = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SEED = f"""\
accounts:
- id: "{OTHER}"
  name: Acquired
  users:
  - name: dora
    inline:
      all: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: ["organizations:*", "iam:*"], Resource: "*"}}]}}
    access_keys:
    - {{id: {DORA.key}, secret: {DORA.secret}}}
"""


class Organizations(Judge):
    """Each test has a server of its own, since an account manages one organization only."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        seed = pathlib.Path(folder.name) / "seed.yaml"
        seed.write_text(SEED)
        self.server = Server("--clock-control", "--seed", str(seed))
        self.addCleanup(self.server.close)
        self.client = self.server.client("organizations")

    def organize(self):
        self.organization = self.client.create_organization(FeatureSet="ALL")["Organization"]
        self.root = self.client.list_roots()["Roots"][0]["Id"]

    def account(self, name, **more):
        """A new member, once it is there."""
        asked = self.client.create_account(Email=f"{name}@example.com", AccountName=name, **more)["CreateAccountStatus"]
        self.assertEqual(asked["State"], "IN_PROGRESS")
        return self.wait(lambda: self.made(asked["Id"]))

    def made(self, request):
        status = self.client.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
        return status["AccountId"] if status["State"] == "SUCCEEDED" else None

    def wait(self, ready):
        """What `ready` tells once it tells something."""
        return wait_for(ready, what="it did not come about in time")

    def assume(self, credentials, account):
        role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
        return Credentials.of(self.server.client("sts", credentials).assume_role(RoleArn=role, RoleSessionName="reach"))

    def test_a_user_of_the_management_account_works_in_a_new_account(self):
        self.organize()
        workloads = self.client.create_organizational_unit(ParentId=self.root, Name="Workloads")["OrganizationalUnit"]
        account = self.account("sandbox", Tags=[{"Key": "team", "Value": "red"}])
        self.client.move_account(
            AccountId=account, SourceParentId=self.root, DestinationParentId=workloads["Id"]
        )
        listed = self.client.get_paginator("list_accounts_for_parent").paginate(ParentId=workloads["Id"])
        self.assertEqual([found["Id"] for page in listed for found in page["Accounts"]], [account])
        reacher = self.user("reacher", statement("sts:AssumeRole", f"arn:aws:iam::{account}:role/*"))
        session = self.assume(reacher, account)
        there = self.server.client("iam", session)
        self.assertEqual(self.server.client("sts", session).get_caller_identity()["Account"], account)
        there.create_user(UserName="local")
        self.assertEqual([user["UserName"] for user in there.list_users()["Users"]], ["local"])
        self.assertEqual([user["UserName"] for user in self.server.client("iam").list_users()["Users"]], ["reacher"])
        other = self.account("other")
        self.refused("AccessDenied", self.assume, reacher, other, status=403)
        events = [event["serviceEventDetails"] for event in self.events("CreateAccountResult")]
        accounts = {event["createAccountStatus"]["accountId"] for event in events}
        self.assertEqual(accounts, {account, other})
        self.assertNotIn("sandbox@example.com", str(self.events("CreateAccount")))

    def test_an_account_that_was_there_is_invited_and_leaves(self):
        self.organize()
        theirs = self.server.client("organizations", DORA)
        self.refused("AWSOrganizationsNotInUseException", theirs.describe_organization, status=400)
        sent = self.client.invite_account_to_organization(Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]
        asked = theirs.list_handshakes_for_account()["Handshakes"]
        self.assertEqual([handshake["Id"] for handshake in asked], [sent["Id"]])
        again = self.refused(
            "DuplicateHandshakeException",
            self.client.invite_account_to_organization,
            Target={"Id": OTHER, "Type": "ACCOUNT"},
        )
        self.assertTrue(again["Error"]["Message"])
        self.assertEqual(theirs.accept_handshake(HandshakeId=sent["Id"])["Handshake"]["State"], "ACCEPTED")
        self.assertEqual(theirs.describe_organization()["Organization"]["Id"], self.organization["Id"])
        told = self.refused("AccessDeniedException", theirs.list_accounts, status=400)
        self.assertEqual(told["Error"]["Message"], "You don't have permissions to access this resource.")
        described = self.client.describe_account(AccountId=OTHER)["Account"]
        self.assertEqual((described["Name"], described["JoinedMethod"]), ("Acquired", "INVITED"))
        self.client.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
        self.client.register_delegated_administrator(AccountId=OTHER, ServicePrincipal="config.amazonaws.com")
        self.assertEqual(len(theirs.list_accounts()["Accounts"]), 2)
        told = self.refused("ConstraintViolationException", theirs.leave_organization)
        self.assertEqual(told["Reason"], "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG")
        self.client.deregister_delegated_administrator(AccountId=OTHER, ServicePrincipal="config.amazonaws.com")
        theirs.leave_organization()
        self.refused("AccountNotFoundException", self.client.describe_account, AccountId=OTHER)
        told = self.refused("InvalidInputException", self.client.describe_account, AccountId="123")
        self.assertEqual(told["Reason"], "INVALID_PATTERN")
        self.wait(lambda: self.events("AccountDepartedOrganization"))
        self.client.delete_organization()
        self.refused("AWSOrganizationsNotInUseException", self.client.describe_organization)

    def test_an_invitation_expires_by_the_cloud_s_clock(self):
        self.organize()
        sent = self.client.invite_account_to_organization(Target={"Id": OTHER, "Type": "ACCOUNT"})["Handshake"]
        theirs = self.server.client("organizations", DORA)
        self.server.ringwork("clock", "advance", "15d")
        self.refused("InvalidHandshakeTransitionException", theirs.accept_handshake, HandshakeId=sent["Id"])
        shown = theirs.describe_handshake(HandshakeId=sent["Id"])["Handshake"]
        self.assertEqual(shown["State"], "EXPIRED")

    def test_a_closed_account_is_locked_and_gone_after_ninety_days(self):
        self.organize()
        account = self.account("short-lived")
        reacher = self.user("reacher", statement("sts:AssumeRole"))
        there = self.server.client("iam", self.assume(reacher, account))
        there.create_user(UserName="local")
        there.put_user_policy(UserName="local", PolicyName="own", PolicyDocument=policy(statement("*")))
        local = Credentials.of(there.create_access_key(UserName="local"))
        self.assertEqual(self.server.client("sts", local).get_caller_identity()["Account"], account)
        self.client.close_account(AccountId=account)
        state = lambda: self.client.describe_account(AccountId=account)["Account"]["State"]
        self.wait(lambda: state() == "CLOSED")
        self.refused("InvalidClientTokenId", self.server.client("sts", local).get_caller_identity, status=403)
        self.refused("InvalidClientTokenId", there.list_users, status=403)
        self.refused("AccessDenied", self.assume, reacher, account, status=403)
        self.refused("AccountAlreadyClosedException", self.client.close_account, AccountId=account)
        self.server.ringwork("clock", "advance", "91d")
        gone = lambda: [found["Id"] for found in self.client.list_accounts()["Accounts"]] == [self.server.account]
        self.wait(gone)
        self.refused("InvalidClientTokenId", self.server.client("sts", local).get_caller_identity, status=403)

    def test_the_cli_walks_the_tree(self):
        aws = lambda *arguments: self.server.aws("organizations", *arguments)
        aws("create-organization")
        root = aws("list-roots")["Roots"][0]["Id"]
        made = aws("create-organizational-unit", "--parent-id", root, "--name", "Security", "--tags", "Key=a,Value=b")
        unit = made["OrganizationalUnit"]
        path = f"{aws('describe-organization')['Organization']['Id']}/{root}/{unit['Id']}/"
        shown = aws("describe-organizational-unit", "--organizational-unit-id", unit["Id"])["OrganizationalUnit"]
        self.assertEqual(shown["Path"], path)
        self.assertEqual(
            aws("list-parents", "--child-id", unit["Id"])["Parents"], [{"Id": root, "Type": "ROOT"}]
        )
        self.assertEqual(
            aws("list-tags-for-resource", "--resource-id", unit["Id"])["Tags"], [{"Key": "a", "Value": "b"}]
        )
        aws("update-organizational-unit", "--organizational-unit-id", unit["Id"], "--name", "Audit")
        units = aws("list-organizational-units-for-parent", "--parent-id", root)["OrganizationalUnits"]
        self.assertEqual([found["Name"] for found in units], ["Audit"])
        aws("delete-organizational-unit", "--organizational-unit-id", unit["Id"])
        aws("delete-organization")


if __name__ == "__main__":
    unittest.main()
