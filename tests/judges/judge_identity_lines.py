"""Lines of the checklist on identities and policies, as boto3, the AWS CLI and IAM's simulator see them."""

import json
import pathlib
import tempfile
import unittest

from judge_mfa import Device
from server import Credentials, Judge, policy, statement, trust

OTHER = "222233334444"
OTHERS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SEED = f"""\
accounts:
- id: "{OTHER}"
  name: Other
  users:
  - name: admin
    inline:
      all: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}
    access_keys:
    - {{id: {OTHERS.key}, secret: {OTHERS.secret}}}
"""
BUCKET = "arn:aws:s3:::parts/list"


class Lines(Judge):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        seed = pathlib.Path(folder.name) / "seed.yaml"
        seed.write_text(SEED)
        cls.OPTIONS = ("--clock-control", "--seed", str(seed))
        super().setUpClass()
        cls.iam = cls.server.client("iam")

    def arn(self, rest):
        return f"arn:aws:iam::{self.server.account}:{rest}"

    def simulated(self, document, action, resource, caller=None, given=None, **keys):
        """The simulator's verdict on a request."""
        entries = [
            {"ContextKeyName": name, "ContextKeyType": "string", "ContextKeyValues": [value]} for name, value in keys.items()
        ]
        more = {"ResourcePolicy": given, "CallerArn": caller} if given else {}
        (result,) = self.iam.simulate_custom_policy(
            PolicyInputList=[document], ActionNames=[action], ResourceArns=[resource], ContextEntries=entries, **more
        )["EvaluationResults"]
        return result["EvalDecision"]

    def test_each_way_of_granting_grants(self):
        """S1.3: a policy of the user, a trust policy, a key policy and a grant each let in who was outside."""
        nora = self.user("nora")
        me, iam, kms, sts = self.arn("user/nora"), *(self.server.client(name, nora) for name in ("iam", "kms", "sts"))
        self.refused("AccessDenied", iam.list_users)
        self.iam.put_user_policy(UserName="nora", PolicyName="look", PolicyDocument=policy(statement("iam:ListUsers")))
        iam.list_users()
        self.iam.create_role(RoleName="hers", AssumeRolePolicyDocument=trust(self.arn("root")))
        role = {"RoleArn": self.arn("role/hers"), "RoleSessionName": "work"}
        self.refused("AccessDenied", sts.assume_role, **role)
        self.iam.update_assume_role_policy(RoleName="hers", PolicyDocument=trust(me))
        sts.assume_role(**role)
        roots = self.server.client("kms")
        key = roots.create_key()["KeyMetadata"]["KeyId"]
        self.refused("AccessDeniedException", kms.describe_key, KeyId=key)
        everyone = statement("kms:*", Principal={"AWS": self.arn("root")})
        hers = statement("kms:DescribeKey", Principal={"AWS": me})
        roots.put_key_policy(KeyId=key, Policy=policy(everyone, hers))
        kms.describe_key(KeyId=key)
        self.refused("AccessDeniedException", kms.encrypt, KeyId=key, Plaintext=b"word")
        roots.create_grant(KeyId=key, GranteePrincipal=me, Operations=["Encrypt"])
        kms.encrypt(KeyId=key, Plaintext=b"word")

    def test_iam_governs_one_account(self):
        """S1.4: what an administrator of an account may do ends with the account."""
        theirs = self.server.client("iam", OTHERS)
        theirs.create_user(UserName="twin")
        self.iam.create_user(UserName="twin", Path="/here/")
        self.assertEqual(theirs.get_user(UserName="twin")["User"]["Arn"], f"arn:aws:iam::{OTHER}:user/twin")
        self.assertEqual(self.iam.get_user(UserName="twin")["User"]["Arn"], self.arn("user/here/twin"))
        self.assertEqual({user["UserName"] for user in theirs.list_users()["Users"]}, {"admin", "twin"})
        key = self.server.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.refused("AccessDeniedException", self.server.client("kms", OTHERS).describe_key, KeyId=key)
        self.iam.create_role(RoleName="ours", AssumeRolePolicyDocument=trust(self.arn("user/here/twin")))
        sts = self.server.client("sts", OTHERS)
        self.refused("AccessDenied", sts.assume_role, RoleArn=self.arn("role/ours"), RoleSessionName="work")
        theirs.delete_user(UserName="twin")
        self.assertEqual(self.iam.get_user(UserName="twin")["User"]["Path"], "/here/")

    def test_groups_rather_than_users_have_the_policies(self):
        """S1.9: a group's policy serves its members, and the account's details tell the users who have one of their own."""
        look = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
        self.iam.create_group(GroupName="auditors")
        self.iam.attach_group_policy(GroupName="auditors", PolicyArn=look)
        gina, direct = self.user("gina"), self.user("direct")
        self.iam.add_user_to_group(GroupName="auditors", UserName="gina")
        self.iam.attach_user_policy(UserName="direct", PolicyArn=look)
        for credentials in (gina, direct):
            self.server.client("iam", credentials).list_users()
        details = self.server.aws("iam", "get-account-authorization-details", "--filter", "User")["UserDetailList"]
        named = {user["UserName"]: user for user in details}
        self.assertEqual((named["gina"]["GroupList"], named["gina"]["AttachedManagedPolicies"]), (["auditors"], []))
        self.assertEqual([each["PolicyArn"] for each in named["direct"]["AttachedManagedPolicies"]], [look])

    def test_a_role_is_for_a_service_or_lends_for_a_while(self):
        """S1.12: a role that trusts EC2 is in an instance profile and nobody's else; one that trusts a user is theirs for a while."""
        tess = self.user("tess", statement("sts:AssumeRole"))
        ec2 = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
        self.iam.create_role(RoleName="machine", AssumeRolePolicyDocument=ec2)
        self.iam.create_instance_profile(InstanceProfileName="machine")
        self.iam.add_role_to_instance_profile(InstanceProfileName="machine", RoleName="machine")
        profile = self.server.aws("iam", "get-instance-profile", "--instance-profile-name", "machine")["InstanceProfile"]
        self.assertEqual([role["Arn"] for role in profile["Roles"]], [self.arn("role/machine")])
        sts = self.server.client("sts", tess)
        self.refused("AccessDenied", sts.assume_role, RoleArn=self.arn("role/machine"), RoleSessionName="work")
        self.iam.create_role(RoleName="lent", AssumeRolePolicyDocument=trust(self.arn("user/tess")))
        self.iam.put_role_policy(RoleName="lent", PolicyName="own", PolicyDocument=policy(statement("iam:ListRoles")))
        lent = Credentials.of(sts.assume_role(RoleArn=self.arn("role/lent"), RoleSessionName="work", DurationSeconds=900))
        own, borrowed = self.server.client("iam", tess), self.server.client("iam", lent)
        self.refused("AccessDenied", own.list_roles)
        borrowed.list_roles()
        self.server.ringwork("clock", "advance", "16m")
        self.refused("ExpiredToken", borrowed.list_roles)

    def test_a_policy_is_written_by_hand_or_copied_from_aws(self):
        """S1.19, S1.21: a file of JSON is a policy, and so is one of AWS's with a statement more."""
        aws = lambda *command: self.server.aws("iam", *command)
        arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess"
        version = aws("get-policy", "--policy-arn", arn)["Policy"]["DefaultVersionId"]
        copied = aws("get-policy-version", "--policy-arn", arn, "--version-id", version)["PolicyVersion"]["Document"]
        copied["Statement"].append(statement("iam:GetCredentialReport", effect="Deny", Sid="NotTheReport"))
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "copied.json"
            file.write_text(json.dumps(copied, indent=2))
            made = aws("create-policy", "--policy-name", "Copied", "--policy-document", f"file://{file}")["Policy"]["Arn"]
            file.write_text('{\n  "Version": "2012-10-17",\n  "Statement": {"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}\n}\n')
            hand = aws("create-policy", "--policy-name", "Hand", "--policy-document", f"file://{file}")["Policy"]["Arn"]
            written = json.loads(file.read_text())
        shown = aws("get-policy-version", "--policy-arn", hand, "--version-id", "v1")["PolicyVersion"]["Document"]
        self.assertEqual(shown, written)
        copier = self.user("copier")
        self.iam.attach_user_policy(UserName="copier", PolicyArn=made)
        hers = self.server.client("iam", copier)
        hers.list_users()
        error = self.refused("AccessDenied", hers.get_credential_report)["Error"]["Message"]
        self.assertIn("explicit deny in an identity-based policy", error)
        self.refused("AccessDeniedException", self.server.client("kms", copier).list_keys)
        self.iam.attach_user_policy(UserName="copier", PolicyArn=hand)
        self.server.client("kms", copier).list_keys()

    def test_volumes_are_attached_only_from_the_instance(self):
        """S2.8"""
        instance = f"arn:aws:ec2:us-east-1:{self.server.account}:instance/i-0a1b2c3d4e5f60718"
        allowed = policy({
            "Effect": "Allow", "Action": ["ec2:AttachVolume", "ec2:DetachVolume"],
            "Resource": ["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:instance/*"],
            "Condition": {"ArnEquals": {"ec2:SourceInstanceARN": instance}},
        })
        volume = f"arn:aws:ec2:us-east-1:{self.server.account}:volume/vol-1"
        for action in ("ec2:AttachVolume", "ec2:DetachVolume"):
            asked = lambda source: self.simulated(allowed, action, volume, **{"ec2:SourceInstanceARN": source})
            self.assertEqual(asked(instance), "allowed")
            self.assertEqual(asked(instance[:-1] + "9"), "implicitDeny")
            self.assertEqual(self.simulated(allowed, action, volume), "implicitDeny")
        self.assertEqual(
            self.simulated(allowed, "ec2:DeleteVolume", volume, **{"ec2:SourceInstanceARN": instance}), "implicitDeny"
        )

    def test_a_bucket_policy_belongs_on_a_bucket(self):
        """S2.12, S2.13, S2.15: it names principals, decides for them alone, and nothing else takes it."""
        for name in ("reader", "writer"):
            self.iam.create_user(UserName=name)
        reader, writer = self.arn("user/reader"), self.arn("user/writer")
        self.iam.create_group(GroupName="staff")
        bucket = policy(
            statement("s3:GetObject", BUCKET, Principal={"AWS": [reader, writer]}),
            statement("s3:GetObject", BUCKET, "Deny", Principal={"AWS": writer}),
        )
        refused = lambda call, **given: self.refused("MalformedPolicyDocument", call, **given, status=400)
        refused(self.iam.create_policy, PolicyName="bucket", PolicyDocument=bucket)
        refused(self.iam.put_user_policy, UserName="reader", PolicyName="bucket", PolicyDocument=bucket)
        refused(self.iam.put_group_policy, GroupName="staff", PolicyName="bucket", PolicyDocument=bucket)
        refused(self.iam.create_role, RoleName="bucket", AssumeRolePolicyDocument=bucket)
        nothing, everything = policy(statement("sts:GetCallerIdentity")), policy(statement("s3:*"))
        asked = lambda own, caller: self.simulated(own, "s3:GetObject", BUCKET, caller, bucket)
        self.assertEqual(asked(nothing, reader), "allowed")
        self.assertEqual(asked(everything, writer), "explicitDeny")
        self.assertEqual(asked(nothing, self.arn("user/somebody")), "implicitDeny")
        analyzer = self.server.client("accessanalyzer")
        checked = lambda document: {
            found["issueCode"] for found in analyzer.validate_policy(
                policyDocument=document, policyType="RESOURCE_POLICY", validatePolicyResourceType="AWS::S3::Bucket"
            )["findings"] if found["findingType"] == "ERROR"
        }
        self.assertIn("MISSING_PRINCIPAL", checked(policy(statement("s3:GetObject", BUCKET))))
        self.assertEqual(checked(bucket), set())

    def test_access_key_ids_have_twenty_characters(self):
        """S3.2: AWS's prefix and sixteen more, whether they last or not."""
        lasting = self.user("lasting")
        passing = Credentials.of(self.server.client("sts", lasting).get_session_token())
        self.assertRegex(lasting.key, "^AKIA[A-Z0-9]{16}$")
        self.assertRegex(passing.key, "^ASIA[A-Z0-9]{16}$")
        shown = self.iam.list_access_keys(UserName="lasting")["AccessKeyMetadata"]
        self.assertEqual([key["AccessKeyId"] for key in shown], [lasting.key])


class Devices(Judge):
    """On a server of their own, since the devices' clock is the server's."""

    OPTIONS = ("--clock-control",)

    def test_a_user_has_several_devices(self):
        """S5.4: whatever the maker, and each of them opens a session."""
        self.iam, sam = self.server.client("iam"), self.user("sam")
        devices = [Device(self.iam.create_virtual_mfa_device(VirtualMFADeviceName=name)) for name in ("phone", "tablet")]
        for device in devices:
            self.iam.enable_mfa_device(UserName="sam", SerialNumber=device.serial, **device.pair())
        listed = self.server.aws("iam", "list-mfa-devices", "--user-name", "sam")["MFADevices"]
        self.assertEqual({each["SerialNumber"] for each in listed}, {device.serial for device in devices})
        sts = self.server.client("sts", sam)
        first, second = devices
        code = first.next(self.server)
        second.ahead = first.ahead
        mixed = {"SerialNumber": second.serial, "TokenCode": code}
        self.refused("AccessDenied", sts.get_session_token, **mixed, status=403)
        sts.get_session_token(SerialNumber=first.serial, TokenCode=code)
        sts.get_session_token(SerialNumber=second.serial, TokenCode=second.next(self.server))


if __name__ == "__main__":
    unittest.main()
