"""`ringwork who can` and `ringwork what can`: what they tell is what calls meet."""

import json
import unittest

from server import Credentials, Judge, policy, statement, trust


class Reach(Judge):
    def setUp(self):
        iam = self.server.client("iam")
        self.arn = lambda name: f"arn:aws:iam::{self.server.account}:{name}"
        suffix = self.id().rsplit("_", 1)[-1]
        self.ana, self.helper = f"ana-{suffix}", f"helper-{suffix}"
        self.keys = self.user(self.ana, statement("sts:AssumeRole", self.arn(f"role/{self.helper}")))
        iam.create_role(RoleName=self.helper, AssumeRolePolicyDocument=trust(self.server.account))
        iam.put_role_policy(
            RoleName=self.helper, PolicyName="own", PolicyDocument=policy(statement("iam:CreateAccessKey"))
        )

    def asked(self, *words):
        return json.loads(self.server.ringwork(*words, "--json"))

    def test_who_can_use_a_key_counts_key_policies_and_roles_chain(self):
        kms = self.server.client("kms")
        helper = self.arn(f"role/{self.helper}")
        document = json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": self.arn("root")}, "Action": "kms:*", "Resource": "*"},
            {"Effect": "Allow", "Principal": {"AWS": helper}, "Action": "kms:Encrypt", "Resource": "*"},
        ]})
        key = kms.create_key(Policy=document)["KeyMetadata"]
        able = {found["arn"]: found for found in self.asked("who", "can", "kms:Encrypt", "on", key["Arn"])["can"]}
        self.assertEqual(able[self.arn(f"user/{self.ana}")]["through"], [helper])
        self.assertIn(self.arn("root"), able)
        session = self.server.aws(
            "sts", "assume-role", "--role-arn", helper, "--role-session-name", "judged", credentials=self.keys
        )
        calls = ("kms", "encrypt", "--key-id", key["KeyId"], "--plaintext", "YQ==")
        self.server.aws(*calls, credentials=Credentials.of(session))
        decrypt = {found["arn"] for found in self.asked("who", "can", "kms:Decrypt", "on", key["Arn"])["can"]}
        self.assertNotIn(self.arn(f"user/{self.ana}"), decrypt)
        words = self.server.ringwork("who", "can", "kms:Encrypt", "on", key["Arn"])
        self.assertIn(f"user/{self.ana}, as {helper}", words)

    def test_what_can_names_roles_and_escalations(self):
        answer = self.asked("what", "can", self.arn(f"user/{self.ana}"), "do")
        self.assertEqual([role["arn"] for role in answer["roles"]], [self.arn(f"role/{self.helper}")])
        (way,) = [way for way in answer["escalations"] if way["id"] == "iam-002"]
        self.assertEqual(way["through"], [self.arn(f"role/{self.helper}")])
        self.assertEqual(answer["granted"][0]["actions"], ["AssumeRole"])
        words = self.server.ringwork("what", "can", self.arn(f"user/{self.ana}"), "do")
        self.assertIn("could gain more by iam:CreateAccessKey (iam-002", words)

    def test_a_question_that_makes_no_sense_is_refused(self):
        for words in (
            ("who", "could", "iam:GetUser", "on", "*"), ("who", "can", "iam:*", "on", "*"),
            ("who", "can", "iam:GetUser", "on", "nothing"), ("what", "can", self.arn("user/nobody"), "do"),
        ):
            with self.subTest(words=words), self.assertRaises(AssertionError):
                self.server.ringwork(*words)


if __name__ == "__main__":
    unittest.main()
