"""Passwords, MFA and the credential report, by boto3 and the AWS CLI. The codes are made here, by RFC 6238 in a few lines."""

import base64
import csv
import hashlib
import hmac
import io
import struct
import time
import unittest
import zlib

from server import Credentials, Judge, policy, statement, trust, wait_for


def code(seed, step):
    """The six digits of a step of 30 seconds (RFC 6238, RFC 4226)."""
    digest = hmac.new(seed, struct.pack(">q", step), hashlib.sha1).digest()
    number = struct.unpack_from(">I", digest, digest[-1] & 15)[0] & 0x7FFFFFFF
    return f"{number % 1000000:06}"


class Device:
    """A virtual device in an authenticator app."""

    def __init__(self, answer):
        device = answer["VirtualMFADevice"]
        self.serial, self.picture = device["SerialNumber"], device["QRCodePNG"]
        self.seed = base64.b32decode(device["Base32StringSeed"])
        self.ahead = 0

    def step(self):
        return (int(time.time()) + self.ahead) // 30

    def next(self, server):
        """The code of a step that no code was shown of: two minutes later by the cloud's clock and the device's."""
        server.ringwork("clock", "advance", "2m")
        self.ahead += 120
        return code(self.seed, self.step())

    def pair(self):
        """Two codes in a row."""
        step = self.step()
        return {"AuthenticationCode1": code(self.seed, step - 1), "AuthenticationCode2": code(self.seed, step)}


class Passwords(Judge):
    def test_the_policy_is_set_shown_enforced_and_deleted(self):
        """S3.10"""
        iam = self.server.client("iam")
        self.refused("NoSuchEntity", iam.get_account_password_policy, status=404)
        iam.update_account_password_policy(MinimumPasswordLength=12, RequireSymbols=True, MaxPasswordAge=1095)
        shown = iam.get_account_password_policy()["PasswordPolicy"]
        self.assertEqual((shown["MinimumPasswordLength"], shown["MaxPasswordAge"]), (12, 1095))
        self.assertTrue(shown["ExpirePasswords"] and shown["RequireSymbols"] and not shown["RequireNumbers"])
        iam.create_user(UserName="penny")
        for wrong, told in [("short!", "minimum length of 12"), ("without symbols", "at least one symbol")]:
            error = self.refused(
                "PasswordPolicyViolation", iam.create_login_profile, UserName="penny", Password=wrong, status=400
            )
            self.assertIn(told, error["Error"]["Message"])
        made = iam.create_login_profile(UserName="penny", Password="with symbols!", PasswordResetRequired=True)
        self.assertTrue(made["LoginProfile"]["PasswordResetRequired"])
        self.refused("DeleteConflict", iam.delete_user, UserName="penny", status=409)
        iam.delete_login_profile(UserName="penny")
        iam.delete_user(UserName="penny")
        iam.delete_account_password_policy()

    def test_a_user_changes_the_password_with_the_cli(self):
        """S3.10"""
        iam, paul = self.server.client("iam"), self.user("paul")
        iam.create_login_profile(UserName="paul", Password="First-of-all-1")
        iam.update_account_password_policy(AllowUsersToChangePassword=True, PasswordReusePrevention=3)
        his = self.server.client("iam", paul)
        shown = self.server.aws("iam", "get-account-password-policy", credentials=paul)["PasswordPolicy"]
        self.assertEqual(shown["PasswordReusePrevention"], 3)
        self.refused("AccessDenied", his.change_password, OldPassword="wrong", NewPassword="Second-one-2", status=403)
        his.change_password(OldPassword="First-of-all-1", NewPassword="Second-one-2")
        self.refused(
            "PasswordPolicyViolation", his.change_password, OldPassword="Second-one-2", NewPassword="First-of-all-1"
        )
        iam.delete_account_password_policy()


class Factors(Judge):
    OPTIONS = ("--clock-control",)

    def test_a_device_is_enabled_and_opens_what_is_guarded(self):
        """S5.1, S5.2, S5.3: a second factor that really verifies, before a session and before a role."""
        iam, maria = self.server.client("iam"), self.user("maria", statement("sts:AssumeRole"))
        device = Device(iam.create_virtual_mfa_device(VirtualMFADeviceName="maria"))
        self.assert_picture(device.picture)
        wrong = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}
        named = {"UserName": "maria", "SerialNumber": device.serial}
        self.refused("InvalidAuthenticationCode", iam.enable_mfa_device, **named, **wrong, status=403)
        iam.enable_mfa_device(**named, **device.pair())
        self.assertEqual(iam.list_mfa_devices(UserName="maria")["MFADevices"][0]["SerialNumber"], device.serial)
        arn = f"arn:aws:iam::{self.server.account}:user/maria"
        condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
        iam.create_role(RoleName="guarded", AssumeRolePolicyDocument=trust(arn, Condition=condition))
        role = {"RoleArn": f"arn:aws:iam::{self.server.account}:role/guarded", "RoleSessionName": "work"}
        sts = self.server.client("sts", maria)
        self.refused("AccessDenied", sts.assume_role, **role, status=403)
        good = device.next(self.server)
        shown = {"SerialNumber": device.serial, "TokenCode": good}
        sts.assume_role(**role, **shown)
        # No code twice.
        error = self.refused("AccessDenied", sts.assume_role, **role, **shown, status=403)
        self.assertIn("invalid MFA one time pass code", error["Error"]["Message"])
        iam.put_user_policy(
            UserName="maria",
            PolicyName="look",
            PolicyDocument=policy({**statement("iam:ListUsers"), "Condition": condition}),
        )
        self.refused("AccessDenied", self.server.client("iam", maria).list_users, status=403)
        session = sts.get_session_token(SerialNumber=device.serial, TokenCode=device.next(self.server))
        self.server.client("iam", Credentials.of(session)).list_users()
        self.refused("DeleteConflict", iam.delete_virtual_mfa_device, SerialNumber=device.serial, status=409)
        iam.deactivate_mfa_device(**named)
        unassigned = iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"]
        self.assertEqual([each["SerialNumber"] for each in unassigned], [device.serial])
        iam.delete_virtual_mfa_device(SerialNumber=device.serial)

    def assert_picture(self, picture):
        """A square PNG whose pieces have the right sums, and whose pixels unpack."""
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        at, pieces = 8, {}
        while at < len(picture):
            length, kind = struct.unpack_from(">I4s", picture, at)
            body = picture[at + 8 : at + 8 + length]
            self.assertEqual(zlib.crc32(kind + body), struct.unpack_from(">I", picture, at + 8 + length)[0])
            pieces[kind] = pieces.get(kind, b"") + body
            at += 12 + length
        width, height, depth = struct.unpack_from(">IIB", pieces[b"IHDR"])
        self.assertEqual((width, depth), (height, 1))
        self.assertEqual(len(zlib.decompress(pieces[b"IDAT"])), height * (1 + (width + 7) // 8))


class Report(Judge):
    OPTIONS = ("--clock-control",)

    def test_a_report_is_generated_and_read_as_csv(self):
        """S3.11"""
        iam = self.server.client("iam")
        self.refused("ReportNotPresent", iam.get_credential_report, status=410)
        self.user("rita")
        self.assertEqual(iam.generate_credential_report()["State"], "STARTED")
        self.refused("ReportInProgress", iam.get_credential_report, status=404)
        self.server.ringwork("clock", "advance", "10s")
        wait_for(lambda: iam.generate_credential_report()["State"] == "COMPLETE", what="the report was never made")
        answer = iam.get_credential_report()
        by_cli = self.server.aws("iam", "get-credential-report")
        self.assertEqual(base64.b64decode(by_cli["Content"]), answer["Content"])
        self.assertEqual(answer["ReportFormat"], "text/csv")
        rows = {row["user"]: row for row in csv.DictReader(io.StringIO(answer["Content"].decode()))}
        self.assertEqual(set(rows), {"<root_account>", "rita"})
        self.assertEqual(rows["rita"]["access_key_1_active"], "true")
        self.assertEqual(rows["rita"]["mfa_active"], "false")
        self.assertEqual(rows["<root_account>"]["password_enabled"], "not_supported")


if __name__ == "__main__":
    unittest.main()
