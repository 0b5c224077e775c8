"""A whole story by the AWS CLI alone: a developer of one account works in another, within every layer that limits her.

The accounts are made by Organizations. Each refusal is explained by `ringwork why`, by the layer and the statement that made it, and
each step across the accounts is in the trails of both, as the administrators of both read them.
"""

import base64
import json
import pathlib
import tempfile
import unittest

from judge_mfa import Device
from server import Credentials, Judge, Refused, policy, statement, wait_for

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


class Story(Judge):
    OPTIONS = ("--clock-control",)

    def refusal(self, *command, credentials, says):
        """The command must be denied, in these words."""
        with self.assertRaises(Refused) as caught:
            self.server.aws(*command, credentials=credentials)
        self.assertRegex(caught.exception.words, r"\(AccessDenied(Exception)?\)")
        self.assertIn(says, caught.exception.words)

    def trail(self, name, credentials):
        """An account's own events of an operation, newest first, read by the account's own administrator."""
        found = self.server.aws(
            "cloudtrail", "lookup-events", "--lookup-attributes", f"AttributeKey=EventName,AttributeValue={name}",
            credentials=credentials,
        )
        return [json.loads(event["CloudTrailEvent"]) for event in found["Events"]]

    def explained(self, name, credentials, *words):
        """Why the newest such call was denied: `ringwork why` of its request id says these words."""
        event = self.trail(name, credentials)[0]
        self.assertIn(event["errorCode"], ("AccessDenied", "AccessDeniedException"))
        said = self.server.ringwork("why", event["requestID"])
        for word in ("DENIED", *words):
            self.assertIn(word, said)
        return event

    def opened(self, name):
        """A new account of the organization, its number and its own administrator."""
        aws = self.server.aws
        made = aws(
            "organizations", "create-account", "--account-name", name, "--email", f"{name}@example.com", credentials=self.chief
        )["CreateAccountStatus"]

        def ended():
            now = aws(
                "organizations", "describe-create-account-status", "--create-account-request-id", made["Id"], credentials=self.chief
            )["CreateAccountStatus"]
            return now if now["State"] != "IN_PROGRESS" else None

        made = wait_for(ended, seconds=60)
        self.assertEqual(made["State"], "SUCCEEDED", made)
        account = made["AccountId"]
        session = Credentials.of(aws(
            "sts", "assume-role", "--role-arn", f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole",
            "--role-session-name", "opening", credentials=self.chief,
        ))
        aws("iam", "create-user", "--user-name", "admin", credentials=session)
        aws("iam", "attach-user-policy", "--user-name", "admin", "--policy-arn", ADMINISTRATOR, credentials=session)
        return account, Credentials.of(aws("iam", "create-access-key", "--user-name", "admin", credentials=session))

    def organize(self):
        """The organization: two accounts, and a guardrail on the second."""
        aws = self.server.aws
        aws("iam", "create-user", "--user-name", "chief")
        aws("iam", "attach-user-policy", "--user-name", "chief", "--policy-arn", ADMINISTRATOR)
        self.chief = Credentials.of(aws("iam", "create-access-key", "--user-name", "chief"))
        ours = lambda *command: aws("organizations", *command, credentials=self.chief)
        ours("create-organization")
        root = ours("list-roots")["Roots"][0]["Id"]
        ours("enable-policy-type", "--root-id", root, "--policy-type", "SERVICE_CONTROL_POLICY")
        self.development, self.developments = self.opened("development")
        self.production, self.productions = self.opened("production")
        guardrail = policy(statement("iam:CreateGroup", effect="Deny", Sid="NoGroupsHere"))
        made = ours(
            "create-policy", "--name", "guardrail", "--description", "What production never does", "--type",
            "SERVICE_CONTROL_POLICY", "--content", guardrail,
        )["Policy"]["PolicySummary"]
        ours("attach-policy", "--policy-id", made["Id"], "--target-id", self.production)
        self.guardrail = made["Arn"]

    def hire(self):
        """The developer, with a key, an authenticator app, and leave to become whatever trusts her."""
        iam = lambda *command: self.server.aws("iam", *command, credentials=self.developments)
        self.dana = iam("create-user", "--user-name", "dana")["User"]["Arn"]
        iam("put-user-policy", "--user-name", "dana", "--policy-name", "own", "--policy-document", policy(statement("sts:AssumeRole")))
        self.danas = Credentials.of(iam("create-access-key", "--user-name", "dana"))
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "seed"
            made = iam(
                "create-virtual-mfa-device", "--virtual-mfa-device-name", "dana", "--outfile", str(file),
                "--bootstrap-method", "Base32StringSeed",
            )["VirtualMFADevice"]
            self.device = Device({"VirtualMFADevice": {**made, "QRCodePNG": b"", "Base32StringSeed": file.read_text()}})
        first, second = self.device.pair().values()
        iam(
            "enable-mfa-device", "--user-name", "dana", "--serial-number", self.device.serial,
            "--authentication-code1", first, "--authentication-code2", second,
        )

    def trust(self):
        """Production's role for her, bounded, and development's key, which production may use."""
        iam = lambda *command: self.server.aws("iam", *command, credentials=self.productions)
        bound = policy(
            statement(["iam:List*", "iam:GetUser", "iam:CreateGroup", "iam:CreateRole", "kms:*"], Sid="Work"),
            statement("iam:DeleteUser", effect="Deny", Sid="KeepPeople"),
        )
        bound = iam("create-policy", "--policy-name", "bound", "--policy-document", bound)["Policy"]["Arn"]
        trusted = policy({
            "Sid": "Dana", "Effect": "Allow", "Principal": {"AWS": self.dana}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "release-7"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}},
        })
        self.role = iam(
            "create-role", "--role-name", "release", "--assume-role-policy-document", trusted, "--permissions-boundary", bound
        )["Role"]["Arn"]
        iam(
            "put-role-policy", "--role-name", "release", "--policy-name", "own",
            "--policy-document", policy(statement(["iam:*", "kms:*"], Sid="Everything")),
        )
        self.bound = bound
        keys = policy(
            statement("kms:*", Principal={"AWS": f"arn:aws:iam::{self.development}:root"}, Sid="Own"),
            statement(["kms:Encrypt", "kms:Decrypt"], Principal={"AWS": f"arn:aws:iam::{self.production}:root"}, Sid="Release"),
        )
        made = self.server.aws("kms", "create-key", "--policy", keys, credentials=self.developments)
        self.key = made["KeyMetadata"]["Arn"]

    def assume(self, *more):
        session = policy(
            statement(["iam:List*", "iam:CreateUser", "iam:DeleteUser", "iam:CreateGroup", "kms:Encrypt", "kms:Decrypt"], Sid="Today"),
            statement("iam:ListRoles", effect="Deny", Sid="NotToday"),
        )
        return (
            "sts", "assume-role", "--role-arn", self.role, "--role-session-name", "dana", "--policy", session, *more
        )

    def shared(self, event, name):
        """The event's twin in the other account's trail, under the same shared id."""
        other = self.productions if event["recipientAccountId"] == self.development else self.developments
        (twin,) = [each for each in self.trail(name, other) if each.get("sharedEventID") == event["sharedEventID"]]
        self.assertEqual(twin["requestID"], event["requestID"])
        self.assertNotEqual(twin["eventID"], event["eventID"])
        self.assertEqual(
            {twin["recipientAccountId"], event["recipientAccountId"]}, {self.development, self.production}
        )
        return twin

    def test_a_developer_works_in_another_account(self):
        """S2.17, S5.1, S6.4, S6.5, S6.7, S6.8"""
        self.organize()
        self.hire()
        self.trust()
        # The trust policy: neither the agreed word alone, nor the second factor alone, opens the role.
        shown = ("--serial-number", self.device.serial, "--token-code")
        refused = "not authorized to perform: sts:AssumeRole"
        self.refusal(*self.assume("--external-id", "release-7"), credentials=self.danas, says=refused)
        first = self.explained("AssumeRole", self.developments, "> role trust policy", "statement 1", "aws:MultiFactorAuthPresent")
        self.refusal(*self.assume(*shown, self.device.next(self.server)), credentials=self.danas, says=refused)
        second = self.explained("AssumeRole", self.developments, "> role trust policy", "statement 1", "sts:ExternalId")
        self.assertNotEqual(first["requestID"], second["requestID"])
        both = self.assume("--external-id", "release-7", *shown, self.device.next(self.server))
        answer = self.server.aws(*both, credentials=self.danas)
        session = Credentials.of(answer)
        assumed = answer["AssumedRoleUser"]["Arn"]
        self.assertEqual(assumed, f"arn:aws:sts::{self.production}:assumed-role/release/dana")
        self.works(session)
        self.limited(session)
        self.recorded(assumed)

    def works(self, session):
        """What all layers allow."""
        users = self.server.aws("iam", "list-users", credentials=session)["Users"]
        self.assertEqual([user["UserName"] for user in users], ["admin"])
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "secret"
            file.write_bytes(b"word")
            sealed = self.server.aws("kms", "encrypt", "--key-id", self.key, "--plaintext", f"fileb://{file}", credentials=session)
            file.write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
            opened = self.server.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{file}", credentials=session)
        self.assertEqual((base64.b64decode(opened["Plaintext"]), opened["KeyId"]), (b"word", self.key))

    def limited(self, session):
        """What one layer does not: each refusal says which, and `why` says by which statement."""
        why = lambda name, *words: self.explained(name, self.productions, *words)
        self.refusal(
            "iam", "create-user", "--user-name", "x", credentials=session,
            says="because no permissions boundary allows the iam:CreateUser action",
        )
        why("CreateUser", "> permissions boundary", self.bound)
        self.refusal(
            "iam", "delete-user", "--user-name", "admin", credentials=session,
            says="with an explicit deny in a permissions boundary",
        )
        why("DeleteUser", "> permissions boundary", "KeepPeople", self.bound)
        self.refusal(
            "iam", "get-user", "--user-name", "admin", credentials=session,
            says="because no session policy allows the iam:GetUser action",
        )
        why("GetUser", "> session policies")
        self.refusal("iam", "list-roles", credentials=session, says="with an explicit deny in a session policy")
        why("ListRoles", "> session policies", "NotToday")
        self.refusal(
            "iam", "create-group", "--group-name", "x", credentials=session,
            says=f"with an explicit deny in a service control policy: {self.guardrail}",
        )
        why("CreateGroup", "> service control policies", "NoGroupsHere", self.guardrail)
        self.refusal(
            "kms", "describe-key", "--key-id", self.key, credentials=session, says="kms:DescribeKey",
        )
        why("DescribeKey", self.key)
        # Nothing happened: neither a user nor a group came or went.
        users = self.server.aws("iam", "list-users", credentials=self.productions)["Users"]
        self.assertEqual([user["UserName"] for user in users], ["admin"])
        self.assertEqual(self.server.aws("iam", "list-groups", credentials=self.productions)["Groups"], [])

    def recorded(self, assumed):
        """Steps across the accounts are in both trails; what the session did in its own account is in that account's."""
        calls = [event for event in self.trail("AssumeRole", self.developments) if event["userIdentity"].get("arn") == self.dana]
        made = [event for event in calls if "errorCode" not in event]
        self.assertEqual((len(calls), len(made)), (3, 1))
        twin = self.shared(made[0], "AssumeRole")
        self.assertEqual((made[0]["userIdentity"]["arn"], twin["userIdentity"]["accountId"]), (self.dana, self.development))
        self.assertEqual(made[0]["responseElements"]["assumedRoleUser"]["arn"], assumed)
        for name in ("Encrypt", "Decrypt"):
            (event,) = self.trail(name, self.productions)
            self.assertEqual(event["userIdentity"]["arn"], assumed)
            twin = self.shared(event, name)
            self.assertEqual([resource["ARN"] for resource in twin["resources"]], [self.key])
        for name in ("CreateUser", "DeleteUser", "GetUser", "ListRoles", "CreateGroup"):
            event = self.trail(name, self.productions)[0]
            self.assertEqual(event["userIdentity"]["arn"], assumed)
            theirs = [each["requestID"] for each in self.trail(name, self.developments)]
            self.assertNotIn(event["requestID"], theirs)


if __name__ == "__main__":
    unittest.main()
