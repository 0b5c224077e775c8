"""Every call, refusals included, can be looked up, in AWS's shape and without secrets."""

import datetime
import json
import unittest

from server import Credentials, Judge, statement, trust


class Trail(Judge):
    def lookup(self, key, value, **more):
        attributes = [{"AttributeKey": key, "AttributeValue": value}]
        pages = self.server.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=attributes, **more)
        return [event for page in pages for event in page["Events"]]

    def test_a_write_is_recorded_whole(self):
        """S12.1, S12.2, S12.3, S12.4, S12.5, S12.6, S12.9, S12.10"""
        answer = self.server.client("iam").create_user(UserName="written", Path="/team/")
        request = answer["ResponseMetadata"]["RequestId"]
        event = next(event for event in self.events("CreateUser") if event["requestID"] == request)
        self.assertEqual((event["eventSource"], event["eventName"]), ("iam.amazonaws.com", "CreateUser"))
        self.assertEqual(event["requestParameters"], {"userName": "written", "path": "/team/"})
        self.assertEqual(event["responseElements"]["user"]["arn"], answer["User"]["Arn"])
        self.assertEqual(event["userIdentity"]["type"], "Root")
        self.assertEqual(event["userIdentity"]["accountId"], self.server.account)
        self.assertEqual(event["sourceIPAddress"], "127.0.0.1")
        self.assertIn("Boto3", event["userAgent"])
        self.assertIs(event["readOnly"], False)
        self.assertEqual((event["eventType"], event["eventCategory"], event["managementEvent"]), ("AwsApiCall", "Management", True))
        self.assertEqual(event["recipientAccountId"], self.server.account)
        time = datetime.datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        self.assertLess(abs(datetime.datetime.now(datetime.timezone.utc) - time), datetime.timedelta(minutes=2))
        self.assertNotIn("errorCode", event)

    def test_a_read_is_recorded(self):
        kms = self.server.client("kms")
        key = kms.create_key()["KeyMetadata"]
        kms.describe_key(KeyId=key["KeyId"])
        event = self.events("DescribeKey")[0]
        self.assertIs(event["readOnly"], True)
        self.assertEqual(event["requestParameters"], {"keyId": key["KeyId"]})
        self.assertIsNone(event["responseElements"])
        self.assertIn(key["Arn"], [resource["ARN"] for resource in event["resources"]])

    def test_a_refusal_is_recorded_with_its_reason(self):
        """S12.1: what was denied, to whom, and why."""
        user = self.server.client("iam", self.user("denied"))
        answer = self.refused("AccessDenied", user.create_user, UserName="never")
        event = self.events("CreateUser", errorCode="AccessDenied")[0]
        self.assertEqual(event["errorMessage"], answer["Error"]["Message"])
        self.assertEqual(event["requestID"], answer["ResponseMetadata"]["RequestId"])
        self.assertEqual((event["userIdentity"]["type"], event["userIdentity"]["userName"]), ("IAMUser", "denied"))
        self.refused("NoSuchEntity", self.server.client("iam").get_user, UserName="never")

    def test_what_is_not_built_is_recorded(self):
        with self.assertRaises(Exception):
            self.server.client("kinesis").list_streams()
        event = self.events("ListStreams")[0]
        self.assertEqual((event["eventSource"], event["errorCode"]), ("kinesis.amazonaws.com", "NotImplemented"))

    def test_a_session_is_told_with_its_issuer(self):
        user = self.user("trusted")
        iam = self.server.client("iam")
        arn = iam.create_role(
            RoleName="seen", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{self.server.account}:user/trusted")
        )["Role"]["Arn"]
        session = Credentials.of(self.server.client("sts", user).assume_role(RoleArn=arn, RoleSessionName="eyes"))
        self.refused("AccessDenied", self.server.client("iam", session).list_account_aliases)
        identity = self.events("ListAccountAliases")[0]["userIdentity"]
        self.assertEqual(identity["type"], "AssumedRole")
        self.assertEqual(identity["arn"], f"arn:aws:sts::{self.server.account}:assumed-role/seen/eyes")
        self.assertEqual(identity["sessionContext"]["sessionIssuer"]["arn"], arn)
        self.assertEqual(identity["accessKeyId"], session.key)
        assumed = self.events("AssumeRole")[0]
        told = json.dumps(assumed)
        self.assertNotIn(session.secret, told)
        self.assertEqual(assumed["responseElements"]["credentials"]["accessKeyId"], session.key)

    def test_use_of_keys_is_recorded_without_what_they_encrypt(self):
        """S8.10, S12.34"""
        kms = self.server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"the very secret", EncryptionContext={"team": "blue"})["CiphertextBlob"]
        kms.decrypt(CiphertextBlob=blob, EncryptionContext={"team": "blue"})
        for name in ("Encrypt", "Decrypt"):
            event = self.events(name)[0]
            self.assertEqual(event["requestParameters"]["encryptionContext"], {"team": "blue"})
            self.assertNotIn("plaintext", json.dumps(event).lower().replace("generatedatakeywithoutplaintext", ""))

    def test_eight_attributes_find_events(self):
        """S12.32: eight lookup attributes."""
        user = self.user("finder", statement("iam:*"))
        answer = self.server.client("iam", user).create_group(GroupName="found")
        made = answer["ResponseMetadata"]["RequestId"]
        event = next(event for event in self.lookup("EventName", "CreateGroup"))
        wanted = {
            "EventId": event["EventId"], "EventName": "CreateGroup", "ReadOnly": "false", "Username": "finder",
            "ResourceType": "AWS::IAM::Group", "ResourceName": "found", "EventSource": "iam.amazonaws.com", "AccessKeyId": user.key,
        }
        for key, value in wanted.items():
            with self.subTest(attribute=key):
                requests = [json.loads(found["CloudTrailEvent"])["requestID"] for found in self.lookup(key, value)]
                self.assertIn(made, requests)
        self.assertEqual(self.lookup("EventName", "CreateNothing"), [])
        later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        self.assertEqual(self.lookup("EventName", "CreateGroup", StartTime=later, EndTime=later + datetime.timedelta(hours=1)), [])

    def test_a_lookup_comes_in_pages_newest_first(self):
        iam = self.server.client("iam")
        for number in range(7):
            iam.create_group(GroupName=f"page{number}", Path="/pages/")
        trail = self.server.client("cloudtrail")
        attributes = [{"AttributeKey": "EventName", "AttributeValue": "CreateGroup"}]
        page = trail.lookup_events(LookupAttributes=attributes, MaxResults=3)
        names = [json.loads(event["CloudTrailEvent"])["requestParameters"]["groupName"] for event in page["Events"]]
        self.assertEqual(names, ["page6", "page5", "page4"])
        page = trail.lookup_events(LookupAttributes=attributes, MaxResults=3, NextToken=page["NextToken"])
        names = [json.loads(event["CloudTrailEvent"])["requestParameters"]["groupName"] for event in page["Events"]]
        self.assertEqual(names, ["page3", "page2", "page1"])
        self.refused("InvalidNextTokenException", trail.lookup_events, LookupAttributes=attributes, NextToken="nonsense")

    def test_who_may_not_look_does_not_see(self):
        trail = self.server.client("cloudtrail", self.user("blind"))
        self.refused("AccessDeniedException", trail.lookup_events)

    def test_the_cli_finds_the_same(self):
        self.server.aws("iam", "create-group", "--group-name", "by-cli")
        found = self.server.aws(
            "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=ResourceName,AttributeValue=by-cli"
        )["Events"]
        self.assertEqual([event["EventName"] for event in found], ["CreateGroup"])
        self.assertIn("aws-cli/", json.loads(found[0]["CloudTrailEvent"])["userAgent"])


if __name__ == "__main__":
    unittest.main()
