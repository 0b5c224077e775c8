"""The console, by a browser of the standard library that knows no script, and what it made, by boto3."""

import json
import time
import unittest
import urllib.parse

from browser import AGENT, Browser
from judge_mfa import Device
from judge_saml import IdentityProvider
from server import Credentials, Judge, Server, policy, statement, wait_for

PASSWORD = "Correct-horse-7"
WRONG = "Your authentication information is incorrect. Please try again."
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
        self.assertTrue(self.server.client("iam", Credentials.of(lent)).list_roles()["Roles"])

    def test_roles_for_a_service_and_of_ones_own_policy_are_created(self):
        """S1: the other trusted entities that the wizard offers."""
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

    def test_roles_for_identity_providers_are_created(self):
        """S6.2, S6.3, S6.4: the trust policy names the provider and the audience."""
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
        """S1: a page is authorized as the call is that it makes."""
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
        """S6.5, S6.7: the console uses a role of an account as any client assumes it."""
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


class Entrance(Console):
    def test_sign_ins_are_recorded_whether_they_succeed_or_not(self):
        """S5.1, S12: `ConsoleLogin` in the event history, as AWS tells of it."""
        device = self.person("mia", device=True)
        iam = self.server.client("iam")
        iam.create_account_alias(AccountAlias="acme")
        browser = Browser(self.server)
        for user, password in [("mia", "Wrong-horse-7"), ("mia-without", PASSWORD)]:
            page = browser.sign_in("acme", user, password)
            self.assertEqual((page.status, page.path), (401, "/_ringwork/console/signin"))
            self.assertIn(WRONG, page.text)
        self.assertIsNone(browser.cookie())
        page = browser.sign_in("acme", "mia", PASSWORD)
        self.assertEqual(page.path, "/_ringwork/console/code")
        self.assertEqual(browser.open("iam/roles").path, "/_ringwork/console/code")
        page = browser.submit("/code", code="000000")
        self.assertEqual((page.status, WRONG in page.text), (401, True))
        page = browser.submit("/code", code=self.code(device))
        self.assertIn("acme", page.text)
        success, code, hidden, failure = self.login()[:4]
        self.assertEqual((success["eventType"], success["eventSource"]), ("AwsConsoleSignIn", "signin.amazonaws.com"))
        self.assertEqual(success["responseElements"], {"ConsoleLogin": "Success"})
        told = success["additionalEventData"]
        self.assertEqual((told["MFAUsed"], told["MobileVersion"], told["MFAIdentifier"]), ("Yes", "No", device.serial))
        self.assertTrue(told["LoginTo"].endswith("/_ringwork/console/"))
        self.assertEqual(success["userIdentity"]["arn"], f"arn:aws:iam::{self.server.account}:user/mia")
        for event in (code, failure):
            self.assertEqual(event["errorMessage"], "Failed authentication")
            self.assertEqual(event["responseElements"], {"ConsoleLogin": "Failure"})
            self.assertEqual((event["userIdentity"]["userName"], event["userIdentity"]["accessKeyId"]), ("mia", ""))
            self.assertNotIn("errorCode", event)
        self.assertEqual(hidden["errorMessage"], "No username found in supplied account")
        self.assertEqual(hidden["userIdentity"]["userName"], "HIDDEN_DUE_TO_SECURITY_REASONS")
        self.assertNotIn("mia-without", json.dumps(hidden))
        self.assertEqual(self.events("CheckMfa")[0]["responseElements"], {"CheckMfa": "Success"})
        self.assertIn("PasswordLastUsed", iam.get_user(UserName="mia")["User"])
        self.assertNotIn(PASSWORD, json.dumps(self.login()))
        iam.delete_account_alias(AccountAlias="acme")

    def test_guessing_ends_soon(self):
        """S3.10: five wrong passwords of a user, and ten wrong codes of a device, and none is looked at for a while."""
        device = self.person("gus", device=True)
        browser = Browser(self.server)
        self.wait("15m")
        for guess in range(5):
            self.assertIn(WRONG, browser.sign_in(self.server.account, "gus", f"Guess-{guess}-no").text)
        self.assertIn("too many failed attempts", browser.sign_in(self.server.account, "gus", PASSWORD).text)
        # A name that nobody has is treated no better.
        for guess in range(5):
            self.assertIn(WRONG, browser.sign_in(self.server.account, "ghost", f"Guess-{guess}-no").text)
        self.assertIn("too many failed attempts", browser.sign_in(self.server.account, "ghost", PASSWORD).text)
        self.wait("15m")
        self.assertEqual(browser.sign_in(self.server.account, "gus", PASSWORD).path, "/_ringwork/console/code")
        for guess in range(10):
            browser.submit("/code", code=f"00000{guess}")
        page = browser.submit("/code", code=self.code(device))
        self.assertEqual(page.status, 401, self.login())
        # The same bound holds for STS.
        key = Credentials.of(self.server.client("iam").create_access_key(UserName="gus"))
        sts = self.server.client("sts", key)
        asked = lambda: {"SerialNumber": device.serial, "TokenCode": self.code(device)}
        self.refused("AccessDenied", sts.get_session_token, **asked())
        self.wait("15m")
        sts.get_session_token(**asked())

    def test_a_password_that_others_set_is_changed_first(self):
        """S3.10: `PasswordResetRequired` and the policy's age come before everything else."""
        iam = self.server.client("iam")
        self.person("pia", statement("iam:ListRoles"), reset=True)
        browser = self.browser("pia")
        self.assertEqual(browser.page.path, "/_ringwork/console/password")
        self.assertEqual(browser.open("iam/roles").path, "/_ringwork/console/password")
        fields = {"old": PASSWORD, "new": "Brand-new-8", "again": "Brand-new-8"}
        page = browser.submit("/password", **fields)
        self.assertIn("ChangePassword was refused: AccessDenied", page.text)
        iam.update_account_password_policy(AllowUsersToChangePassword=True, MaxPasswordAge=7, MinimumPasswordLength=8)
        self.assertIn("not the same", browser.submit("/password", **{**fields, "again": "Brand-new-9"}).text)
        self.assertIn("minimum length of 8", browser.submit("/password", old=PASSWORD, new="short", again="short").text)
        page = browser.submit("/password", **fields)
        self.assertEqual(page.path, "/_ringwork/console/")
        self.assertEqual(browser.open("iam/roles").status, 200)
        self.assertEqual(self.events("PasswordUpdated")[0]["responseElements"], {"PasswordUpdated": "Success"})
        self.wait("8d")
        self.assertEqual(self.browser("pia", "Brand-new-8").page.path, "/_ringwork/console/password")
        iam.update_account_password_policy(MaxPasswordAge=7, HardExpiry=True)
        self.assertIn("expired", self.browser("pia", "Brand-new-8").page.text)
        iam.delete_account_password_policy()

    def test_a_session_ends_when_it_is_left_and_with_time(self):
        """S4.1: twelve hours by the cloud's clock, and never after signing out, whoever kept the cookie."""
        self.person("lea", statement("iam:ListRoles"))
        browser, other = self.browser("lea"), self.browser("lea")
        cookie = browser.cookie()
        self.assertTrue(cookie.has_nonstandard_attr("HttpOnly"))
        self.assertEqual((cookie.get_nonstandard_attr("SameSite"), cookie.path), ("Strict", "/_ringwork/console"))
        page = browser.submit("/signout")
        self.assertEqual((page.path, browser.cookie()), ("/_ringwork/console/signin", None))
        kept = {"Cookie": f"ringwork-console={cookie.value}"}
        self.assertEqual(Browser(self.server).send("iam/roles", **kept).path, "/_ringwork/console/signin")
        self.assertEqual(other.open("iam/roles").status, 200)
        self.wait("12h")
        self.assertEqual(other.open("iam/roles").path, "/_ringwork/console/signin")
        for forged in ("", "0" * 64, "x", "%00"):
            page = Browser(self.server).send("", Cookie=f"ringwork-console={forged}")
            self.assertEqual(page.path, "/_ringwork/console/signin")

    def test_forms_of_others_are_refused(self):
        """A form counts if it comes from a page of this origin and carries the session's mark."""
        self.person("kim", statement("*"))
        browser = self.browser("kim")
        browser.open("iam/create-role")
        mark = dict((f[0], f[1]) for f in browser.page.form("/iam/create-role").fields)["mark"]
        role = {"entity": "account", "whose": "own", "go": "create", "name": "forged"}
        for fields, sent in [
            (role, {}),
            ({**role, "mark": "0" * 64}, {}),
            ({**role, "mark": mark}, {"origin": "http://evil.example"}),
            ({**role, "mark": mark}, {"origin": self.server.endpoint.replace("http:", "https:")}),
            ({**role, "mark": mark}, {"origin": None}),
            ({**role, "mark": mark}, {"origin": "null"}),
            ({**role, "mark": mark}, {"Sec-Fetch-Site": "cross-site"}),
        ]:
            page = browser.send("iam/create-role", fields, **sent)
            self.assertEqual((page.status, "Request refused" in page.text), (403, True), (fields, sent))
        fields = {"account": self.server.account, "user": "kim", "password": PASSWORD}
        self.assertEqual(Browser(self.server).send("signin", fields, origin="http://evil.example").status, 403)
        # A link can't do anything.
        self.assertEqual(browser.open("iam/create-role?" + urllib.parse.urlencode({**role, "mark": mark})).status, 200)
        self.refused("NoSuchEntity", self.server.client("iam").get_role, RoleName="forged")
        # A browser that keeps its referrer to itself calls the origin null, and says where it is another way.
        page = browser.send("iam/create-role", {**role, "mark": mark}, origin="null", **{"Sec-Fetch-Site": "same-origin"})
        self.assertIn("was created", page.text)

    def test_what_people_write_is_text(self):
        """Names, descriptions, tags and policies reach a page as text; pages may not be framed, sniffed, kept or scripted."""
        self.person("xia", statement("*"))
        attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;"
        iam = self.server.client("iam")
        document = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": self.server.account}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": attack}},
        }]}
        browser = self.browser("xia")
        browser.open("iam/create-role")
        browser.submit("/iam/create-role", ("go", "permissions"), [ENTITY, ("require-external-id", "yes")], external_id=attack)
        browser.submit("/iam/create-role", ("go", "permissions"), search=attack)
        browser.submit("/iam/create-role", ("go", "review"), boundary=attack)
        page = browser.submit("/iam/create-role", ("go", "create"), name=attack, description=attack, tag_key=attack, tag_value=attack)
        self.safe(page)
        self.assertEqual(page.status, 400)
        sent = {name: value for name, value, *_ in page.form("/iam/create-role").fields if value}
        self.assertEqual((sent["name"], sent["description"], sent["external-id"]), (attack, attack, attack))
        iam.create_role(RoleName="odd+name=1,2.3@4", AssumeRolePolicyDocument=json.dumps(document), Description="<b>&amp;")
        iam.put_role_policy(RoleName="odd+name=1,2.3@4", PolicyName="in", PolicyDocument=policy(
            statement("s3:GetObject", Condition={"StringEquals": {"s3:prefix": attack}})))
        page = browser.open("iam/roles")
        self.safe(page)
        self.assertIn("<b>&amp;", page.text)
        page = browser.follow("odd+name=1,2.3@4")
        self.safe(page)
        self.assertIn(json.dumps(attack), page.words)
        for query in ("iam/role?name=", "iam/user?name=", "iam/roles?deleted=", "iam/roles?prefix=", "iam/roles?marker=", "signin?account=",
                      "switch?role=", "iam/delete-role?name="):
            self.safe(browser.open(query + urllib.parse.quote(attack)))
        self.safe(Browser(self.server).sign_in(attack, attack, attack))

    def safe(self, page):
        tags = {tag for tag, _ in page.tags}
        self.assertFalse(tags & {"script", "img", "b", "iframe", "object"}, page.address)
        self.assertFalse([values for _, values in page.tags if any(name.startswith("on") or name == "style" for name in values)])
        policy_words = page.headers["Content-Security-Policy"]
        self.assertTrue(policy_words.startswith("default-src 'none'; style-src 'self';"), policy_words)
        self.assertIn("frame-ancestors 'none'", policy_words)
        told = [page.headers[name] for name in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control", "X-Frame-Options")]
        self.assertEqual(told, ["nosniff", "no-referrer", "no-store", "DENY"])

    def test_every_field_has_a_label(self):
        """Pages say their language, have one main part and one first heading, and name each field for those who hear them."""
        self.person("ida", statement("*"))
        browser = self.browser("ida")
        for room in ("", "iam/roles", "iam/users", "iam/user?name=ida", "iam/create-role", "switch", "iam/role?name=none"):
            page = browser.open(room)
            tags = page.tags
            self.assertEqual([values.get("lang") for tag, values in tags if tag == "html"], ["en"])
            self.assertEqual((sum(tag == "main" for tag, _ in tags), sum(tag == "h1" for tag, _ in tags)), (1, 1), room)
            labels = {values.get("for") for tag, values in tags if tag == "label"}
            for tag, values in tags:
                if tag in ("input", "textarea") and values.get("type") not in ("hidden", "radio", "checkbox"):
                    self.assertIn(values.get("id"), labels, (room, values))


class Elsewhere(Console):
    def test_over_tls_the_cookie_never_goes_in_clear(self):
        self.person("tom")
        browser = Browser(self.server, tls=True)
        self.assertEqual(browser.sign_in(self.server.account, "tom", PASSWORD).status, 200)
        self.assertTrue(browser.cookie().secure)
        self.assertTrue(self.login()[0]["tlsDetails"]["tlsVersion"].startswith("TLSv1."))
        # Who signs in anew leaves the session before.
        before = {"Cookie": f"ringwork-console={browser.cookie().value}"}
        browser.sign_in(self.server.account, "tom", PASSWORD)
        self.assertEqual(Browser(self.server).send("", **before).path, "/_ringwork/console/signin")

    def test_it_is_announced_served_by_tls_too_and_can_be_left_out(self):
        self.assertIn(f"{self.server.endpoint}/_ringwork/console/", "".join(self.server.banner))
        shown = json.loads(self.server.ringwork("env", "--json"))
        self.assertNotIn("console", json.dumps(shown))
        without = Server("--memory", "--no-console")
        try:
            self.assertNotIn("console", "".join(without.banner))
            self.assertEqual(Browser(without).send("signin").status, 403)
        finally:
            without.close()


if __name__ == "__main__":
    unittest.main()
