"""Users, groups, roles and policies, by boto3 and the AWS CLI: denied by default, allowed by what is attached."""

import json
import unittest

from server import Credentials, Judge, Refused, policy, statement, trust


class Users(Judge):
    def test_a_user_may_do_nothing_until_a_policy_says_so(self):
        """S2.9, S1.5: access is denied by default, and granted by an explicit Allow."""
        iam, anna = self.server.client("iam"), self.user("anna")
        hers = self.server.client("iam", anna)
        message = self.refused("AccessDenied", hers.list_users, status=403)["Error"]["Message"]
        arn = f"arn:aws:iam::{self.server.account}:user/anna"
        self.assertIn(f"User: {arn} is not authorized to perform: iam:ListUsers", message)
        self.assertIn("no identity-based policy allows the iam:ListUsers action", message)
        iam.put_user_policy(UserName="anna", PolicyName="look", PolicyDocument=policy(statement("iam:List*")))
        self.assertIn("anna", [user["UserName"] for user in hers.list_users()["Users"]])
        self.refused("AccessDenied", hers.create_user, UserName="other", status=403)
        # Her own identity needs no permission.
        self.assertEqual(self.server.client("sts", anna).get_caller_identity()["Arn"], arn)

    def test_one_deny_overrides_every_allow(self):
        """S2.10"""
        denied = statement("iam:GetUser", f"arn:aws:iam::{self.server.account}:user/d*", "Deny")
        user = self.server.client("iam", self.user("dora", statement("*"), denied))
        error = self.refused("AccessDenied", user.get_user, UserName="dora")["Error"]
        self.assertIn("with an explicit deny in an identity-based policy", error["Message"])
        user.list_users()

    def test_existence_does_not_leak(self):
        stranger = self.server.client("iam", self.user("stranger"))
        self.user("present")
        there = self.refused("AccessDenied", stranger.get_user, UserName="present")["Error"]["Message"]
        absent = self.refused("AccessDenied", stranger.get_user, UserName="missing")["Error"]["Message"]
        self.assertEqual(there.replace("present", "missing"), absent)

    def test_names_are_unique_without_regard_to_case(self):
        """S1.6"""
        iam = self.server.client("iam")
        iam.create_user(UserName="Unique")
        self.refused("EntityAlreadyExists", iam.create_user, UserName="uNIQUE", status=409)
        self.refused("NoSuchEntity", iam.get_user, UserName="nobody", status=404)

    def test_a_groups_policies_are_its_members(self):
        """S1.7, S1.8"""
        iam, member = self.server.client("iam"), self.user("member")
        iam.create_group(GroupName="lookers")
        arn = iam.create_policy(PolicyName="look", PolicyDocument=policy(statement("iam:ListGroups")))["Policy"]["Arn"]
        iam.attach_group_policy(GroupName="lookers", PolicyArn=arn)
        mine = self.server.client("iam", member)
        self.refused("AccessDenied", mine.list_groups)
        iam.add_user_to_group(GroupName="lookers", UserName="member")
        self.assertEqual([group["GroupName"] for group in mine.list_groups()["Groups"]], ["lookers"])
        self.refused("DeleteConflict", iam.delete_group, GroupName="lookers", status=409)
        iam.remove_user_from_group(GroupName="lookers", UserName="member")
        self.refused("AccessDenied", mine.list_groups)

    def test_two_keys_rotate(self):
        """S3.1, S3.3, S3.5, S3.6, S3.7, S3.8, S3.9: two keys at once, the old one inactive, then gone."""
        iam = self.server.client("iam")
        old = self.user("rotating")
        self.assertRegex(old.key, "^AKIA[A-Z0-9]{16}$")
        self.assertRegex(old.secret, "^[A-Za-z0-9/+]{40}$")
        new = Credentials.of(iam.create_access_key(UserName="rotating"))
        self.refused("LimitExceeded", iam.create_access_key, UserName="rotating", status=409)
        iam.update_access_key(UserName="rotating", AccessKeyId=old.key, Status="Inactive")
        self.refused("InvalidClientTokenId", self.server.client("sts", old).get_caller_identity)
        self.server.client("sts", new).get_caller_identity()
        states = {key["AccessKeyId"]: key["Status"] for key in iam.list_access_keys(UserName="rotating")["AccessKeyMetadata"]}
        self.assertEqual(states, {old.key: "Inactive", new.key: "Active"})
        used = iam.get_access_key_last_used(AccessKeyId=new.key)
        self.assertEqual((used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]), ("rotating", "sts"))
        iam.delete_access_key(UserName="rotating", AccessKeyId=old.key)
        self.refused("InvalidClientTokenId", self.server.client("sts", old).get_caller_identity)

    def test_a_secret_is_shown_once(self):
        """S3.4: no answer and no record has it again."""
        secret = self.user("secretive").secret
        iam = self.server.client("iam")
        told = json.dumps([iam.list_access_keys(UserName="secretive"), self.events("CreateAccessKey")], default=str)
        self.assertNotIn(secret, told)
        files = [path for path in self.server.data.rglob("*") if path.is_file()]
        self.assertFalse([path for path in files if secret.encode() in path.read_bytes()], "sealed at rest")

    def test_a_boundary_bounds(self):
        """S2.17"""
        iam = self.server.client("iam")
        arn = iam.create_policy(PolicyName="bound", PolicyDocument=policy(statement("iam:List*")))["Policy"]["Arn"]
        bounded = self.server.client("iam", self.user("bounded", statement("iam:*")))
        bounded.list_users()
        bounded.get_user(UserName="bounded")
        iam.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=arn)
        bounded.list_users()
        error = self.refused("AccessDenied", bounded.get_user, UserName="bounded")["Error"]["Message"]
        self.assertIn("permissions boundary", error)

    def test_listings_come_in_pages(self):
        iam = self.server.client("iam")
        for number in range(7):
            iam.create_user(UserName=f"page{number}", Path="/pages/")
        first = iam.list_users(PathPrefix="/pages/", MaxItems=3)
        self.assertEqual((len(first["Users"]), first["IsTruncated"]), (3, True))
        pages = iam.get_paginator("list_users").paginate(PathPrefix="/pages/", PaginationConfig={"PageSize": 3})
        self.assertEqual([user["UserName"] for page in pages for user in page["Users"]], [f"page{n}" for n in range(7)])


class Policies(Judge):
    def test_the_language_is_checked(self):
        """S2.1, S2.2, S2.4, S2.5, S2.6: what AWS's grammar refuses is refused."""
        iam = self.server.client("iam")
        bad = [
            "{", "{}", policy(), policy({"Effect": "allow", "Action": "s3:*", "Resource": "*"}),
            policy({"Effect": "Allow", "Action": "s3", "Resource": "*"}), policy({"Effect": "Allow", "Action": "s3:*"}),
            policy({"Effect": "Allow", "Action": "s3:*", "Resource": "bucket"}),
            policy({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": "*"}),
            json.dumps({"Version": "2020-01-01", "Statement": [statement("s3:*")]}),
        ]
        for number, document in enumerate(bad):
            with self.subTest(document=document):
                self.refused("MalformedPolicyDocument", iam.create_policy, PolicyName=f"bad{number}", PolicyDocument=document, status=400)

    def test_comments_and_missing_commas_are_refused(self):
        """S2.3"""
        iam = self.server.client("iam")
        for document in (
            '{"Version": "2012-10-17", "Statement": [{"Sid": "a" "Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}',
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"} // all\n]}',
        ):
            self.refused("MalformedPolicyDocument", iam.create_policy, PolicyName="bad", PolicyDocument=document)

    def test_versions_are_kept_five_and_the_default_decides(self):
        """S1.18"""
        iam = self.server.client("iam")
        arn = iam.create_policy(PolicyName="versions", PolicyDocument=policy(statement("iam:ListUsers")))["Policy"]["Arn"]
        user = self.server.client("iam", self.user("versioned"))
        iam.attach_user_policy(UserName="versioned", PolicyArn=arn)
        user.list_users()
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(statement("iam:ListRoles")), SetAsDefault=True)
        self.refused("AccessDenied", user.list_users)
        user.list_roles()
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        user.list_users()
        for _ in range(3):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy(statement("iam:ListRoles")))
        self.refused("LimitExceeded", iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy(statement("iam:*")), status=409)
        self.refused("DeleteConflict", iam.delete_policy_version, PolicyArn=arn, VersionId="v1", status=409)
        self.refused("DeleteConflict", iam.delete_policy, PolicyArn=arn, status=409)
        document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
        self.assertEqual(document, json.loads(policy(statement("iam:ListUsers"))))

    def test_policies_of_aws_are_attached_and_not_edited(self):
        """S1.16, S1.17"""
        iam, arn = self.server.client("iam"), "arn:aws:iam::aws:policy/AdministratorAccess"
        admin = self.user("admin")
        iam.attach_user_policy(UserName="admin", PolicyArn=arn)
        self.server.client("iam", admin).create_user(UserName="made-by-admin")
        self.refused("AccessDenied", iam.create_policy_version, PolicyArn=arn, PolicyDocument=policy(statement("*")))
        self.assertTrue(iam.get_policy(PolicyArn=arn)["Policy"]["IsAttachable"])

    def test_inline_policies_are_not_in_the_list(self):
        """S1.22, S1.23"""
        iam = self.server.client("iam")
        self.user("inliner", statement("s3:*"))
        self.assertEqual(iam.list_user_policies(UserName="inliner")["PolicyNames"], ["own"])
        self.assertNotIn("own", [found["PolicyName"] for found in iam.list_policies(Scope="Local")["Policies"]])
        self.refused("DeleteConflict", iam.delete_user, UserName="inliner", status=409)

    def test_the_cli_tells_the_same_story(self):
        aws = self.server.aws
        aws("iam", "create-user", "--user-name", "cli", "--tags", "Key=team,Value=blue")
        key = Credentials.of(aws("iam", "create-access-key", "--user-name", "cli"))
        with self.assertRaises(Refused) as caught:
            aws("iam", "list-roles", credentials=key)
        self.assertIn("(AccessDenied)", caught.exception.words)
        aws("iam", "attach-user-policy", "--user-name", "cli", "--policy-arn", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")
        self.assertIn("Roles", aws("iam", "list-roles", credentials=key))
        tags = aws("iam", "list-user-tags", "--user-name", "cli")["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "blue"}])
        trusting = trust(f"arn:aws:iam::{self.server.account}:root")
        role = aws("iam", "create-role", "--role-name", "cli", "--assume-role-policy-document", trusting)["Role"]
        self.assertEqual(role["AssumeRolePolicyDocument"], json.loads(trusting))
        self.assertRegex(role["RoleId"], "^AROA[A-Z0-9]{17}$")
        aws("iam", "delete-role", "--role-name", "cli")


if __name__ == "__main__":
    unittest.main()
