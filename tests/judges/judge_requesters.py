"""One object and those who ask for it: a user, a person of a corporate directory who has no account, and an application that runs as a
role; each gets what its own permissions say and nothing else."""

import json

from judge_lambda import PYTHON, SITE, packed, trusted
from judge_saml import IdentityProvider, encoded
from server import Credentials, Judge, policy, statement

READS = """
import boto3
def handler(event, context):
    s3 = boto3.client("s3")
    try:
        return {"body": s3.get_object(Bucket=event["bucket"], Key=event["key"])["Body"].read().decode()}
    except s3.exceptions.ClientError as error:
        return {"error": error.response["Error"]["Code"]}
"""


class Requesters(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3, cls.iam, cls.functions = (cls.server.client(name) for name in ("s3", "iam", "lambda"))
        cls.s3.create_bucket(Bucket="shared")
        for key in ("report", "payroll"):
            cls.s3.put_object(Bucket="shared", Key=key, Body=f"the {key}".encode())

    def body(self, client, key):
        return client.get_object(Bucket="shared", Key=key)["Body"].read().decode()

    def only(self, key):
        return statement("s3:GetObject", f"arn:aws:s3:::shared/{key}")

    def test_a_users_access_to_a_file_is_granted_through_iam(self):
        """S1.25: and by the bucket's own policy for one who has none of his own."""
        ann = self.server.client("s3", self.user("ann", self.only("report")))
        self.assertEqual(self.body(ann, "report"), "the report")
        self.refused("AccessDenied", ann.get_object, Bucket="shared", Key="payroll", status=403)
        bob = self.server.client("s3", self.user("bob"))
        self.refused("AccessDenied", bob.get_object, Bucket="shared", Key="payroll", status=403)
        arn = self.iam.get_user(UserName="bob")["User"]["Arn"]
        self.s3.put_bucket_policy(Bucket="shared", Policy=policy(
            {**self.only("payroll"), "Principal": {"AWS": arn}}
        ))
        self.assertEqual(self.body(bob, "payroll"), "the payroll")
        self.refused("AccessDenied", bob.get_object, Bucket="shared", Key="report", status=403)
        self.s3.delete_bucket_policy(Bucket="shared")
        self.refused("AccessDenied", bob.get_object, Bucket="shared", Key="payroll", status=403)

    def test_each_kind_of_requester_has_a_role_of_its_own(self):
        """S1.29"""
        directory = IdentityProvider()
        provider = self.iam.create_saml_provider(Name="corp", SAMLMetadataDocument=directory.metadata)["SAMLProviderArn"]
        trust = policy({
            "Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithSAML",
            "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        })
        people = self.iam.create_role(RoleName="people", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        self.iam.put_role_policy(RoleName="people", PolicyName="own", PolicyDocument=policy(self.only("report")))
        answer = self.server.client("sts", "unsigned").assume_role_with_saml(
            RoleArn=people, PrincipalArn=provider, SAMLAssertion=encoded(directory.response([f"{people},{provider}"]))
        )
        person = self.server.client("s3", Credentials.of(answer))
        self.assertEqual(self.body(person, "report"), "the report")
        self.refused("AccessDenied", person.get_object, Bucket="shared", Key="payroll", status=403)
        runs = self.iam.create_role(RoleName="application", AssumeRolePolicyDocument=trusted())["Role"]["Arn"]
        self.iam.put_role_policy(RoleName="application", PolicyName="own", PolicyDocument=policy(self.only("payroll")))
        self.functions.create_function(
            FunctionName="reads", Runtime=PYTHON, Handler="index.handler", Role=runs, Timeout=30,
            Code={"ZipFile": packed(READS)}, Environment={"Variables": {"PYTHONPATH": SITE}},
        )
        self.functions.get_waiter("function_active_v2").wait(FunctionName="reads")

        def read(key):
            event = json.dumps({"bucket": "shared", "key": key})
            return json.loads(self.functions.invoke(FunctionName="reads", Payload=event)["Payload"].read())

        self.assertEqual(read("payroll"), {"body": "the payroll"})
        self.assertEqual(read("report"), {"error": "AccessDenied"})
        self.iam.delete_role_policy(RoleName="application", PolicyName="own")
        self.assertEqual(read("payroll"), {"error": "AccessDenied"})

    def test_the_resource_itself_asks_under_its_own_name(self):
        """S1.24: beside users, people and applications (S1.29) there is the resource: a bucket that delivers the list of what it holds is
        known by its ARN and let in by it alone."""
        self.s3.create_bucket(Bucket="lists")
        self.s3.create_bucket(Bucket="stranger")
        only = {**statement("s3:PutObject", "arn:aws:s3:::lists/*"), "Principal": {"Service": "s3.amazonaws.com"}}
        only["Condition"] = {
            "ArnLike": {"aws:SourceArn": "arn:aws:s3:::shared"},
            "StringEquals": {"aws:SourceAccount": self.server.account},
        }
        self.s3.put_bucket_policy(Bucket="lists", Policy=policy(only))
        destination = {"Bucket": "arn:aws:s3:::lists", "Format": "CSV", "AccountId": self.server.account}
        for bucket in ("shared", "stranger"):
            self.s3.put_bucket_inventory_configuration(Bucket=bucket, Id="all", InventoryConfiguration={
                "Id": "all", "Destination": {"S3BucketDestination": destination}, "IsEnabled": True,
                "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
            })
        self.server.ringwork("clock", "advance", "1d")
        keys = [found["Key"] for found in self.s3.list_objects_v2(Bucket="lists").get("Contents", [])]
        self.assertTrue(any(key.startswith("shared/all/") and key.endswith("/manifest.json") for key in keys), keys)
        self.assertEqual([key for key in keys if key.startswith("stranger/")], [])
        # Neither the service's name nor the policy opens the door to anybody else.
        ann = self.server.client("s3", self.user("eve", statement("s3:PutObject", "arn:aws:s3:::stranger/*")))
        self.refused("AccessDenied", ann.put_object, Bucket="lists", Key="shared/all/x", Body=b"x", status=403)
