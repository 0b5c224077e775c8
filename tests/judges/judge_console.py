"""The console, by a browser of the standard library that knows no script, and what it made, by boto3."""

import json
import unittest
from html import unescape

from browser import AGENT, Browser
from judge_mfa import Device
from judge_saml import IdentityProvider
from server import Credentials, Judge, policy, statement, wait_for

PASSWORD = "Correct-horse-7"
ENTITY = ("entity", "account")


class Console(Judge):
    """Judges that sign in."""

    OPTIONS = ("--clock-control",)

    def person(self, name, *statements, reset=False, device=False):
        """A user with a password, and a device if asked for."""
        iam = self.server.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
        iam.create_login_profile(UserName=name, Password=PASSWORD, PasswordResetRequired=reset)
        return self.device(iam, name) if device else None

    def device(self, iam, name):
        made = Device(iam.create_virtual_mfa_device(VirtualMFADeviceName=name))
        made.ahead = getattr(type(self), "ahead", 0)
        iam.enable_mfa_device(UserName=name, SerialNumber=made.serial, **made.pair())
        return made

    def code(self, device):
        """A code that was not shown before; all devices go by the cloud's clock."""
        device.ahead = getattr(type(self), "ahead", 0)
        shown = device.next(self.server)
        type(self).ahead = device.ahead
        return shown

    def browser(self, user, password=PASSWORD, code=None):
        browser = Browser(self.server)
        browser.sign_in(self.server.account, user, password, code)
        return browser

    def login(self, **wanted):
        return self.events("ConsoleLogin", **wanted)

    def wait(self, seconds):
        """By the cloud's clock."""
        self.server.ringwork("clock", "advance", seconds)
        type(self).ahead = getattr(type(self), "ahead", 0) + {"15m": 900, "12h": 43200, "8d": 8 * 86400}[seconds]


class Wizard(Console):
    def other_account(self):
        """Another account's administrator."""
        organizations = self.server.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        asked = organizations.create_account(Email="vendor@example.com", AccountName="vendor")["CreateAccountStatus"]
        found = {}

        def made():
            answer = organizations.describe_create_account_status(CreateAccountRequestId=asked["Id"])
            found.update(answer["CreateAccountStatus"])
            return found["State"] == "SUCCEEDED"

        wait_for(made)
        boss = self.user("boss", statement("sts:AssumeRole"))
        arn = f"arn:aws:iam::{found['AccountId']}:role/OrganizationAccountAccessRole"
        lent = self.server.client("sts", boss).assume_role(RoleArn=arn, RoleSessionName="boss")
        return found["AccountId"], self.server.client("iam", Credentials.of(lent))

    def test_a_role_for_another_account_is_created_and_assumed(self):
        """S6.6, S6.5, S6.8, S5.1: sign in with a code, "Create role", trusted entity "AWS account", another account, with an external ID
        and MFA; then a user of that account assumes the role, with both and not without."""
        ana = self.person("ana", statement("*"), device=True)
        account, their_iam = self.other_account()
        browser = self.browser("ana", code=lambda: self.code(ana))
        self.assertEqual((browser.page.status, browser.page.path), (200, "/_ringwork/console/"))
        self.assertIn(f"arn:aws:iam::{self.server.account}:user/ana", browser.page.text)
        browser.follow("Roles")
        page = browser.follow("Create role")
        self.assertIn("AWS account", page.text)
        wizard = "/iam/create-role"
        trust = [ENTITY, ("whose", "another"), ("require-external-id", "yes"), ("require-mfa", "yes")]
        # An account that is none goes no further.
        page = browser.submit(wizard, ("go", "permissions"), trust, account="1234", external_id="x-1")
        self.assertEqual((page.status, "twelve digits" in page.text), (400, True))
        page = browser.submit(wizard, ("go", "permissions"), trust, account=account, external_id="vendor-2026")
        self.assertIn("Permissions policies", page.headings)
        page = browser.submit(wizard, ("go", "permissions"), search="IAMReadOnly")
        chosen = [("policy", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")]
        page = browser.submit(wizard, ("go", "permissions"), chosen, search="nothing has this name")
        page = browser.submit(wizard, ("go", "review"))
        expected = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Condition": {
                    "StringEquals": {"sts:ExternalId": "vendor-2026"},
                    "Bool": {"aws:MultiFactorAuthPresent": "true"},
                },
            }],
        }
        shown = page.words[page.words.index("{"):]
        self.assertEqual(json.JSONDecoder().raw_decode(shown)[0], expected)
        page = browser.submit(wizard, ("go", "create"), name="vendor", description="For audits", tag_key="team", tag_value="a + b")
        self.assertEqual((page.status, page.path), (200, "/_ringwork/console/iam/role"), page.text)
        self.assertIn("The role vendor was created.", page.text)
        iam = self.server.client("iam")
        role = iam.get_role(RoleName="vendor")["Role"]
        self.assertEqual(role["AssumeRolePolicyDocument"], expected)
        self.assertEqual((role["Description"], role["Tags"]), ("For audits", [{"Key": "team", "Value": "a + b"}]))
        attached = iam.list_attached_role_policies(RoleName="vendor")["AttachedPolicies"]
        self.assertEqual([each["PolicyName"] for each in attached], ["IAMReadOnlyAccess"])
        self.recorded(browser)
        self.assumed(account, their_iam, role["Arn"])
        page = browser.open("iam/role?name=vendor")
        self.assertIn("IAMReadOnlyAccess", page.text)
        # It goes by its typed name alone.
        browser.follow("Delete role")
        page = browser.submit("/iam/delete-role", typed="vendo")
        self.assertIn("Nothing was deleted", page.text)
        page = browser.submit("/iam/delete-role", typed="vendor")
        self.assertIn("The role vendor was deleted.", page.text)
        self.refused("NoSuchEntity", iam.get_role, RoleName="vendor")

    def recorded(self, browser):
        """The console's call is a call like any other, of the session that the code opened."""
        event = self.events("CreateRole")[0]
        self.assertEqual(event["sessionCredentialFromConsole"], "true")
        self.assertEqual((event["userAgent"], event["sourceIPAddress"]), (AGENT, "127.0.0.1"))
        who = event["userIdentity"]
        self.assertEqual((who["type"], who["userName"], who["accessKeyId"][:4]), ("IAMUser", "ana", "ASIA"))
        self.assertEqual(who["sessionContext"]["attributes"]["mfaAuthenticated"], "true")
        self.assertNotIn("sessionCredentialFromConsole", self.events("CreateUser")[0])

    def assumed(self, account, their_iam, arn):
        their_iam.create_user(UserName="vic")
        their_iam.put_user_policy(UserName="vic", PolicyName="own", PolicyDocument=policy(statement("sts:AssumeRole")))
        vic = Credentials.of(their_iam.create_access_key(UserName="vic"))
        device = self.device(their_iam, "vic")
        sts = self.server.client("sts", vic)
        role = {"RoleArn": arn, "RoleSessionName": "audit"}
        shown = lambda: {"SerialNumber": device.serial, "TokenCode": self.code(device)}
        self.refused("AccessDenied", sts.assume_role, **role, status=403)
        self.refused("AccessDenied", sts.assume_role, **role, ExternalId="vendor-2026", status=403)
        self.refused("AccessDenied", sts.assume_role, **role, **shown(), status=403)
        self.refused("AccessDenied", sts.assume_role, **role, **shown(), ExternalId="vendor-2027", status=403)
        lent = sts.assume_role(**role, **shown(), ExternalId="vendor-2026")
        iam = self.server.client("iam", Credentials.of(lent))
        self.assertTrue(iam.list_roles()["Roles"])
        self.refused("AccessDenied", iam.create_user, UserName="more", status=403)

    def test_roles_for_a_service_and_of_ones_own_policy_are_created(self):
        """The other trusted entities that the wizard offers."""
        self.person("sam", statement("*"))
        browser = self.browser("sam")
        wizard = "/iam/create-role"
        browser.open("iam/create-role")
        browser.submit(wizard, ("go", "permissions"), [("entity", "service")], service="ec2.amazonaws.com")
        browser.submit(wizard, ("go", "review"))
        browser.submit(wizard, ("go", "create"), name="server")
        iam = self.server.client("iam")
        role = iam.get_role(RoleName="server")["Role"]["AssumeRolePolicyDocument"]
        self.assertEqual(role["Statement"][0]["Principal"], {"Service": "ec2.amazonaws.com"})
        profile = iam.get_instance_profile(InstanceProfileName="server")["InstanceProfile"]
        self.assertEqual([role["RoleName"] for role in profile["Roles"]], ["server"])
        own = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
        browser.open("iam/create-role")
        browser.submit(wizard, ("go", "permissions"), [("entity", "custom")], custom=json.dumps(
            {"Version": "2012-10-17", "Statement": [own]}))
        browser.submit(wizard, ("go", "review"))
        browser.submit(wizard, ("go", "create"), name="nobody")
        role = iam.get_role(RoleName="nobody")["Role"]["AssumeRolePolicyDocument"]
        self.assertEqual(role["Statement"], [own])
        # What IAM refuses is shown as IAM says it, with its request id.
        browser.open("iam/create-role")
        browser.submit(wizard, ("go", "permissions"), [("entity", "custom")], custom="{")
        browser.submit(wizard, ("go", "review"))
        page = browser.submit(wizard, ("go", "create"), name="broken")
        self.assertIn("CreateRole was refused: MalformedPolicyDocument", page.text)
        self.assertIn("Request ID: " + self.events("CreateRole", errorCode="MalformedPolicyDocumentException")[0]["requestID"], page.text)
        browser.open("iam/delete-role?name=server")
        browser.submit("/iam/delete-role", typed="server")
        self.refused("NoSuchEntity", iam.get_instance_profile, InstanceProfileName="server")

    def test_cloudtrail_s_default_role_is_recommended(self):
        """S6.10: who makes a role for CloudTrail is advised to use its default role on the way to CloudWatch Logs, and finds its name."""
        self.person("tess", statement("*"))
        browser = self.browser("tess")
        wizard = "/iam/create-role"
        browser.open("iam/create-role")
        browser.submit(wizard, ("go", "permissions"), [("entity", "service")], service="cloudtrail.amazonaws.com")
        page = browser.submit(wizard, ("go", "review"))
        self.assertIn("use CloudTrail's default role, CloudTrail_CloudWatchLogs_Role, before one of your own", unescape(page.text))
        browser.submit(wizard, ("go", "create"))
        role = self.server.client("iam").get_role(RoleName="CloudTrail_CloudWatchLogs_Role")["Role"]
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        self.assertEqual(trust["Principal"], {"Service": "cloudtrail.amazonaws.com"})
        # Other services' roles are called by whoever makes them.
        browser.open("iam/create-role")
        browser.submit(wizard, ("go", "permissions"), [("entity", "service")], service="lambda.amazonaws.com")
        page = browser.submit(wizard, ("go", "review"))
        self.assertNotIn("CloudTrail", page.text)

    def test_roles_for_identity_providers_are_created(self):
        """S6.4: the trust policy names the provider and the audience."""
        self.person("fay", statement("*"))
        iam, browser, wizard = self.server.client("iam"), self.browser("fay"), "/iam/create-role"
        oidc = iam.create_open_id_connect_provider(Url="https://id.example.com", ClientIDList=["app"], ThumbprintList=["0" * 40])
        arn, choice = oidc["OpenIDConnectProviderArn"], ("entity", "web-identity")
        browser.open("iam/create-role")
        page = browser.submit(wizard, ("go", "permissions"), [choice])
        self.assertIn("Choose the provider.", page.text)
        browser.submit(wizard, ("go", "permissions"), [choice, ("web-provider", f"{arn} app")])
        browser.submit(wizard, ("go", "review"))
        browser.submit(wizard, ("go", "create"), name="web")
        wanted = {
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": arn},
            "Condition": {"StringEquals": {"id.example.com:aud": "app"}},
        }
        self.assertEqual(iam.get_role(RoleName="web")["Role"]["AssumeRolePolicyDocument"]["Statement"], [wanted])
        saml = iam.create_saml_provider(Name="ad", SAMLMetadataDocument=IdentityProvider().metadata)["SAMLProviderArn"]
        browser.open("iam/create-role")
        browser.submit(wizard, ("go", "permissions"), [("entity", "saml")])
        browser.submit(wizard, ("go", "permissions"), [("saml-provider", saml)])
        browser.submit(wizard, ("go", "review"))
        browser.submit(wizard, ("go", "create"), name="directory")
        made = iam.get_role(RoleName="directory")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
        self.assertEqual((made["Action"], made["Principal"]), ("sts:AssumeRoleWithSAML", {"Federated": saml}))
        self.assertEqual(made["Condition"], {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}})

    def test_what_is_denied_is_denied_here_too_and_explained_to_those_who_may_know(self):
        """A page is authorized as the call is that it makes."""
        self.person("dan", statement("iam:ListRoles"))
        self.person("eve", statement("iam:ListRoles"), statement("sts:DecodeAuthorizationMessage"))
        for name, told in [("dan", False), ("eve", True)]:
            browser = self.browser(name)
            self.assertEqual(browser.open("iam/roles").status, 200)
            page = browser.open("iam/users")
            self.assertEqual(page.status, 403)
            self.assertIn("ListUsers was refused: AccessDenied", page.text)
            event = self.events("ListUsers", errorCode="AccessDenied")[0]
            self.assertIn(event["requestID"], page.text)
            self.assertEqual("The smallest change that would allow it" in page.text, told)
            self.assertEqual("no identity-based policy" in page.text.split("Request ID")[0].split("Why")[-1], told) if told else None

    def test_a_role_is_switched_to_and_left(self):
        """The console uses a role of an account as any client assumes it."""
        self.person("rob", statement("sts:AssumeRole"))
        iam = self.server.client("iam")
        user = f"arn:aws:iam::{self.server.account}:user/rob"
        document = policy({"Effect": "Allow", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"})
        iam.create_role(RoleName="viewer", AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName="viewer", PolicyArn="arn:aws:iam::aws:policy/IAMReadOnlyAccess")
        browser = self.browser("rob")
        self.assertEqual(browser.open("iam/roles").status, 403)
        browser.open("switch")
        page = browser.submit("/switch", account=self.server.account, role="nobody-there", name="")
        self.assertIn("AssumeRole was refused: AccessDenied", page.text)
        page = browser.submit("/switch", account=self.server.account, role="viewer", name="Viewer <1>")
        self.assertIn("assumed-role/viewer/rob", page.text)
        self.assertIn("Viewer <1>", page.text)
        self.assertEqual(browser.open("iam/roles").status, 200)
        event = self.events("ListRoles")[0]
        self.assertEqual((event["userIdentity"]["type"], event["sessionCredentialFromConsole"]), ("AssumedRole", "true"))
        event = self.events("SwitchRole")[0]
        self.assertEqual(event["additionalEventData"]["SwitchFrom"], user)
        self.assertEqual(event["userIdentity"]["arn"], f"arn:aws:sts::{self.server.account}:assumed-role/viewer/rob")
        browser.open()
        browser.submit("/switch/exit")
        self.assertEqual(browser.open("iam/roles").status, 403)


if __name__ == "__main__":
    unittest.main()
