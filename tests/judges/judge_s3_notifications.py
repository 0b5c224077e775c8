"""Event notifications: functions that really run hear of what happens to objects, by boto3; none is lost in a crash."""

import json
import unittest

from judge_lambda import PYTHON, SITE, packed
from server import Judge, policy, statement, wait_for

# The function writes what it hears into a bucket that tells nobody, as its role.
HEARS = """
import boto3, json, urllib.parse
def handler(event, context):
    s3 = boto3.client("s3")
    for record in event["Records"]:
        name = record["responseElements"]["x-amz-request-id"] + "-" + record["eventName"].replace(":", "-")
        s3.put_object(Bucket="heard", Key=name, Body=json.dumps(record).encode())
"""

# The function writes into the bucket that tells it.
LOOPS = """
import boto3, uuid
def handler(event, context):
    boto3.client("s3").put_object(Bucket="loops", Key=str(uuid.uuid4()), Body=b"again")
"""
# It keeps what it is told of events that failed.
KEEPS = """
import boto3, json
def handler(event, context):
    boto3.client("s3").put_object(Bucket="kept", Key="stopped", Body=json.dumps(event).encode())
"""


class Notifications(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3, cls.functions, iam = (cls.server.client(name) for name in ("s3", "lambda", "iam"))
        cls.s3.create_bucket(Bucket="heard")
        trusted = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
        role = iam.create_role(RoleName="hearer", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        iam.put_role_policy(RoleName="hearer", PolicyName="own", PolicyDocument=policy(statement("s3:PutObject", "arn:aws:s3:::heard/*")))
        cls.functions.create_function(
            FunctionName="hears", Runtime=PYTHON, Handler="index.handler", Role=role, Timeout=60, MemorySize=256,
            Code={"ZipFile": packed(HEARS)}, Environment={"Variables": {"PYTHONPATH": SITE}},
        )
        cls.arn = cls.functions.get_function(FunctionName="hears")["Configuration"]["FunctionArn"]

    def bucket(self, name):
        self.s3.create_bucket(Bucket=name)
        return name

    def allow(self, bucket):
        self.functions.add_permission(
            FunctionName="hears", StatementId=bucket, Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{bucket}", SourceAccount=self.server.account,
        )

    def configure(self, bucket, *events, **more):
        one = {"Id": "hears", "LambdaFunctionArn": self.arn, "Events": list(events), **more}
        self.s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [one]})

    def heard(self, bucket, count):
        """The records of a bucket's events, once there are so many, by key."""
        found = {}

        def came():
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket="heard"):
                for one in page.get("Contents", []):
                    if one["Key"] in found:
                        continue
                    record = json.loads(self.s3.get_object(Bucket="heard", Key=one["Key"])["Body"].read())
                    if record["s3"]["bucket"]["name"] == bucket:
                        found[one["Key"]] = record
            return len(found) >= count

        wait_for(came, seconds=40, what=lambda: f"{len(found)} of {count} came")
        return list(found.values())

    def test_a_function_hears_what_its_configuration_names(self):
        bucket = self.bucket("told")
        refused = self.refused("InvalidArgument", self.configure, bucket, "s3:ObjectCreated:*", status=400)
        self.assertEqual(refused["Error"]["Message"], "Unable to validate the following destination configurations")
        self.allow(bucket)
        filter = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".txt"}]}}
        self.configure(bucket, "s3:ObjectCreated:*", "s3:ObjectRemoved:*", Filter=filter)
        kept = self.s3.get_bucket_notification_configuration(Bucket=bucket)["LambdaFunctionConfigurations"]
        self.assertEqual((kept[0]["Id"], kept[0]["LambdaFunctionArn"]), ("hears", self.arn))
        put = self.s3.put_object(Bucket=bucket, Key="in/a b+ä.txt", Body=b"hello")
        self.s3.put_object(Bucket=bucket, Key="in/a.jpg", Body=b"x")
        self.s3.put_object(Bucket=bucket, Key="out/a.txt", Body=b"x")
        self.s3.copy_object(Bucket=bucket, Key="in/b.txt", CopySource={"Bucket": bucket, "Key": "out/a.txt"})
        self.s3.delete_object(Bucket=bucket, Key="in/b.txt")
        records = {record["eventName"]: record for record in self.heard(bucket, 3)}
        self.assertEqual(set(records), {"ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"})
        record = records["ObjectCreated:Put"]
        headers = put["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual(record["responseElements"], {name: headers[name] for name in ("x-amz-request-id", "x-amz-id-2")})
        told = record["s3"]["object"]
        self.assertEqual((told["key"], told["size"], told["eTag"]), ("in/a+b%2B%C3%A4.txt", 5, put["ETag"].strip('"')))
        self.assertEqual((record["eventSource"], record["awsRegion"], record["requestParameters"]["sourceIPAddress"]), ("aws:s3", "us-east-1", "127.0.0.1"))
        order = [records[name]["s3"]["object"]["sequencer"] for name in ("ObjectCreated:Copy", "ObjectRemoved:Delete")]
        self.assertLess(*order)
        # S3 asked as itself, for the bucket.
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        self.assertNotIn("LambdaFunctionConfigurations", self.s3.get_bucket_notification_configuration(Bucket=bucket))

    def test_no_event_is_lost_in_a_crash(self):
        bucket = self.bucket("crash-told")
        self.allow(bucket)
        self.configure(bucket, "s3:ObjectCreated:Put")
        keys = [f"k{number:02}" for number in range(25)]
        for key in keys:
            self.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        self.server.kill()
        self.server.start()
        type(self).s3, type(self).functions = self.server.client("s3"), self.server.client("lambda")
        records = self.heard(bucket, len(keys))
        self.assertEqual({record["s3"]["object"]["key"] for record in records}, set(keys))

    def test_a_loop_through_a_bucket_ends(self):
        """The chain of requests goes on from the function's own request to what S3 tells of it."""
        self.bucket("loops")
        self.bucket("kept")
        iam = self.server.client("iam")
        allowed = policy(statement("s3:PutObject", "*"), statement("lambda:InvokeFunction", "*"))
        iam.put_role_policy(RoleName="hearer", PolicyName="loops", PolicyDocument=allowed)
        role = iam.get_role(RoleName="hearer")["Role"]["Arn"]
        arns = {}
        for name, code in {"loops": LOOPS, "keeps": KEEPS}.items():
            arns[name] = self.functions.create_function(
                FunctionName=name, Runtime=PYTHON, Handler="index.handler", Role=role, Timeout=60, MemorySize=256,
                Code={"ZipFile": packed(code)}, Environment={"Variables": {"PYTHONPATH": SITE}},
            )["FunctionArn"]
        self.functions.put_function_event_invoke_config(
            FunctionName="loops", DestinationConfig={"OnFailure": {"Destination": arns["keeps"]}})
        self.functions.add_permission(
            FunctionName="loops", StatementId="loops", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com")
        self.s3.put_bucket_notification_configuration(Bucket="loops", NotificationConfiguration={
            "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arns["loops"], "Events": ["s3:ObjectCreated:*"]}]})
        self.s3.put_object(Bucket="loops", Key="first", Body=b"x")

        wait_for(lambda: self.s3.list_objects_v2(Bucket="kept")["KeyCount"], 40)
        told = json.loads(self.s3.get_object(Bucket="kept", Key="stopped")["Body"].read())
        self.assertEqual(told["requestContext"]["condition"], "RecursiveInvocation")
        written = self.s3.list_objects_v2(Bucket="loops")["KeyCount"]
        self.assertEqual(written, 17, "the first, and one by each of sixteen runs")

    def test_what_is_not_served_is_refused(self):
        bucket = self.bucket("untold")
        put = lambda **wanted: self.refused(
            "NotImplemented", self.s3.put_bucket_notification_configuration, status=501, Bucket=bucket,
            NotificationConfiguration=wanted, SkipDestinationValidation=True)["Error"]["Message"]
        place, events = f"us-east-1:{self.server.account}", ["s3:ObjectCreated:*"]
        self.assertIn("Amazon SQS", put(QueueConfigurations=[{"QueueArn": f"arn:aws:sqs:{place}:q", "Events": events}]))
        self.assertIn("Amazon SNS", put(TopicConfigurations=[{"TopicArn": f"arn:aws:sns:{place}:t", "Events": events}]))
        self.assertIn("EventBridge", put(EventBridgeConfiguration={}))


if __name__ == "__main__":
    unittest.main()
