"""The console's doors, by a browser that knows no script: signing in and out, forced changes, guesses, forgeries, and what is recorded."""

import json
import unittest
import urllib.parse

from browser import Browser
from judge_console import ENTITY, PASSWORD, Console
from server import Credentials, Server, policy, statement, trust

WRONG = "Your authentication information is incorrect. Please try again."


class Entrance(Console):
    def test_sign_ins_are_recorded_whether_they_succeed_or_not(self):
        """S5.1: `ConsoleLogin` in the event history, as AWS tells of it."""
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
        """Five wrong passwords of a user, and ten wrong codes of a device, and none is looked at for a while."""
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
        """Twelve hours by the cloud's clock, and never after signing out, whoever kept the cookie."""
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
        self.assertIn(f"{self.server.endpoint}/_ringwork/console/\n", self.server.ringwork("status"))
        address = f"{self.server.endpoint}/_ringwork/console/"
        self.assertIn(f"export RINGWORK_CONSOLE_URL='{address}'\n", self.server.ringwork("env"))
        told = json.loads(self.server.ringwork("env", "--tls", "--json"))
        self.assertEqual(told["RINGWORK_CONSOLE_URL"], address.replace("http:", "https:"))
        without = Server("--memory", "--no-console")
        try:
            self.assertNotIn("console", "".join(without.banner) + without.ringwork("status"))
            self.assertRegex(without.ringwork("env"), r"unset .* RINGWORK_CONSOLE_URL\n")
            self.assertEqual(Browser(without).send("signin").status, 403)
        finally:
            without.close()


class Broker(Console):
    """Signing in by `getSigninToken` and `login`, as brokers and command line tools do."""

    def federation(self, **fields):
        return f"{self.server.endpoint}/_ringwork/console/federation?" + urllib.parse.urlencode(fields)

    def asked(self, credentials, **more):
        keys = {"AccessKeyId": "sessionId", "SecretAccessKey": "sessionKey", "SessionToken": "sessionToken"}
        session = json.dumps({name: credentials["Credentials"][key] for key, name in keys.items()})
        browser = Browser(self.server)
        return browser.send(self.federation(Action="getSigninToken", Session=session, **more))

    def test_a_role_s_credentials_become_a_session(self):
        """S6.5: credentials of `AssumeRole` become a token, and the token a session with the role's permissions."""
        iam = self.server.client("iam")
        trusted = trust(self.server.account)
        iam.create_role(RoleName="Desk", AssumeRolePolicyDocument=trusted)
        allowed = policy(statement("iam:ListRoles"))
        iam.put_role_policy(RoleName="Desk", PolicyName="own", PolicyDocument=allowed)
        sts = self.server.client("sts", self.user("broker", statement("sts:*")))
        arn = f"arn:aws:iam::{self.server.account}:role/Desk"
        lent = sts.assume_role(RoleArn=arn, RoleSessionName="jo")
        page = self.asked(lent, SessionDuration=3600)
        self.assertEqual((page.status, page.headers["content-type"]), (200, "application/json"))
        token = json.loads(page.html)["SigninToken"]
        # As AWS's own examples do, the token goes into the address as it is.
        link = self.federation(Action="login", Issuer="https://broker.example", Destination="https://console.aws.amazon.com/")
        browser = Browser(self.server)
        page = browser.send(f"{link}&SigninToken={token}")
        self.assertEqual((page.status, page.path), (200, "/_ringwork/console/"))
        self.assertIn("Desk/jo", page.text)
        self.assertIn("Desk", browser.open("iam/roles").text)
        self.assertIn("AccessDenied", browser.open("iam/users").text)
        asked, login = self.events("GetSigninToken")[0], self.login()[0]
        self.assertEqual(asked["responseElements"]["GetSigninToken"], "Success")
        given = asked["responseElements"]["credentials"]["accessKeyId"]
        self.assertEqual(asked["userIdentity"]["accessKeyId"], lent["Credentials"]["AccessKeyId"])
        self.assertEqual((login["userIdentity"]["type"], login["userIdentity"]["accessKeyId"]), ("AssumedRole", given))
        self.assertEqual(login["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"], "Desk")
        self.assertEqual(login["additionalEventData"], {"MobileVersion": "No", "MFAUsed": "No"})
        # A link on another site's page: the browser would keep our cookie from a redirect.
        other = Browser(self.server)
        page = other.send(f"{link}&SigninToken={token}", **{"Sec-Fetch-Site": "cross-site"})
        self.assertEqual((page.status, page.headers["refresh"]), (200, "0; url=/_ringwork/console/"))
        self.assertEqual(other.open("iam/roles").path, "/_ringwork/console/iam/roles")
        self.assertEqual(browser.submit("/signout").path, "/_ringwork/console/signin")

    def test_what_does_not_hold_is_refused(self):
        sts = self.server.client("sts", self.user("own", statement("sts:*")))
        self.assertIn("AssumeRole", self.asked(sts.get_session_token()).text)
        federated = sts.get_federation_token(Name="fay")
        self.assertIn("GetFederationToken", self.asked(federated, SessionDuration=900).text)
        token = json.loads(self.asked(federated).html)["SigninToken"]
        for fields, words in [
            ({"Action": "login", "Destination": "https://evil.example/", "SigninToken": token}, "Destination"),
            ({"Action": "login", "SigninToken": token}, "Destination"),
            ({"Action": "login", "Destination": "https://console.aws.amazon.com/", "SigninToken": "x"}, "SigninToken"),
            ({"Action": "getSigninToken", "Session": "{}"}, "Session"),
            ({"Action": "getSigninToken", "SessionDuration": "long"}, "number"),
            ({"SigninToken": token}, "Action"),
        ]:
            browser = Browser(self.server)
            page = browser.send(self.federation(**fields))
            self.assertEqual((page.status, words in page.text, browser.cookie()), (400, True, None), (fields, page.text))


if __name__ == "__main__":
    unittest.main()
