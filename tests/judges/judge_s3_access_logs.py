"""Server access logs of S3, delivered by the cloud's clock, read by boto3."""

import json
import re
import unittest
import urllib.request

from server import Judge, Refused, statement

# S3 User Guide, "Amazon S3 server access log format".
LINE = re.compile(
    r'^(?P<owner>[0-9a-f]{64}) (?P<bucket>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000)\] (?P<ip>\S+) '
    r'(?P<requester>\S+) (?P<id>\S+) (?P<operation>[A-Z]+\.[A-Z]+\.\w+) (?P<key>\S+) "(?P<uri>[^"]*)" (?P<status>\d{3}) '
    r'(?P<error>\S+) (?P<sent>\d+|-) (?P<size>\d+|-) (?P<total>\d+|-) (?P<turn>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>.*)" '
    r'(?P<version>\S+) (?P<host_id>\S+) (?P<signature>SigV4|-) (?P<cipher>\S+) (?P<authentication>AuthHeader|QueryString|-) '
    r'(?P<host>\S+) (?P<tls>\S+) (?P<access_point>\S+) (?P<acl>Yes|-) (?P<region>\S+)$'
)


class AccessLogs(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def logged(self, source, target, format=None, granted=True):
        for name in (source, target):
            self.s3.create_bucket(Bucket=name)
        if granted:
            self.grant(source, target)
        enabled = {"TargetBucket": target, "TargetPrefix": "from/"}
        if format:
            enabled["TargetObjectKeyFormat"] = format
        self.s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": enabled})

    def grant(self, source, target):
        policy = {
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{target}/*",
                "Condition": {
                    "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
                    "StringEquals": {"aws:SourceAccount": self.server.account},
                },
            }],
        }
        self.s3.put_bucket_policy(Bucket=target, Policy=json.dumps(policy))

    def keys(self, target):
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=target).get("Contents", [])]

    def lines(self, target):
        """Every delivered line; each must be of AWS's format."""
        found = []
        for key in self.keys(target):
            for line in self.s3.get_object(Bucket=target, Key=key)["Body"].read().decode().splitlines():
                parsed = LINE.match(line)
                self.assertIsNotNone(parsed, line)
                found.append(parsed.groupdict())
        return found

    def test_who_read_what_is_told(self):
        """S20.1, S20.2: off until it is asked for; then another bucket tells who came."""
        self.s3.create_bucket(Bucket="unlogged-source")
        self.assertNotIn("LoggingEnabled", self.s3.get_bucket_logging(Bucket="unlogged-source"))
        self.logged("told-source", "told-logs")
        self.s3.put_object(Bucket="told-source", Key="a/b", Body=b"0123456789")
        self.s3.get_object(Bucket="told-source", Key="a/b", Range="bytes=2-4")["Body"].read()
        visitor = self.server.client("s3", self.user("visitor", statement("s3:ListAllMyBuckets", "*")))
        self.refused("AccessDenied", visitor.get_object, Bucket="told-source", Key="a/b", status=403)
        signed = self.server.client("s3", signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "told-source", "Key": "a/b"})
        self.assertEqual(urllib.request.urlopen(signed, timeout=10).read(), b"0123456789")
        self.assertEqual(self.keys("told-logs"), [])
        self.server.ringwork("clock", "advance", "1h")
        for key in self.keys("told-logs"):
            self.assertRegex(key, r"^from/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$")
        lines = self.lines("told-logs")
        put, part, denied, presigned = lines
        self.assertEqual((put["operation"], put["key"], put["status"], put["size"]), ("REST.PUT.OBJECT", "a/b", "200", "10"))
        self.assertIn("Boto3/", put["agent"])
        self.assertEqual(put["requester"], put["owner"])
        self.assertEqual((part["operation"], part["status"], part["sent"], part["size"]), ("REST.GET.OBJECT", "206", "3", "10"))
        self.assertEqual((denied["status"], denied["error"]), ("403", "AccessDenied"))
        self.assertTrue(denied["requester"].endswith(":user/visitor"), denied)
        self.assertEqual((presigned["signature"], presigned["authentication"]), ("SigV4", "QueryString"))
        # Nobody can send the request again who reads the log.
        signature = re.search(r"X-Amz-Signature=(\w+)", signed).group(1)
        self.assertNotIn(signature, presigned["uri"])
        # The other bucket stays untold.
        self.assertTrue(all(line["bucket"] == "told-source" for line in lines))

    def test_keys_by_day(self):
        for by in ("EventTime", "DeliveryTime"):
            with self.subTest(by):
                source, target = f"{by.lower()}-source", f"{by.lower()}-logs"
                self.logged(source, target, {"PartitionedPrefix": {"PartitionDateSource": by}})
                self.s3.head_bucket(Bucket=source)
                self.server.ringwork("clock", "advance", "1h")
                (key,) = self.keys(target)
                self.assertRegex(key, rf"^from/{self.server.account}/us-east-1/{source}/\d{{4}}/\d\d/\d\d/[-0-9]{{20}}[0-9A-F]{{16}}$")
                self.assertEqual(self.lines(target)[0]["operation"], "REST.HEAD.BUCKET")

    def test_the_target_bucket_must_let_them_in(self):
        """S20.2: the target is a bucket with a policy of its own."""
        self.logged("kept-out-source", "kept-out-logs", granted=False)
        self.s3.head_bucket(Bucket="kept-out-source")
        self.server.ringwork("clock", "advance", "1h")
        self.assertEqual(self.keys("kept-out-logs"), [])
        self.grant("kept-out-source", "kept-out-logs")
        self.server.ringwork("clock", "advance", "1h")
        self.assertEqual(len(self.lines("kept-out-logs")), 1)

    def test_lines_survive_a_crash(self):
        self.logged("crash-source", "crash-logs")
        self.s3.put_object(Bucket="crash-source", Key="before", Body=b"x")
        self.server.kill()
        self.server.start()
        type(self).s3 = self.server.client("s3")
        self.server.ringwork("clock", "advance", "1h")
        self.assertEqual([line["key"] for line in self.lines("crash-logs")], ["before"])

    def test_source_and_target_are_in_one_region(self):
        """S20.3, by the AWS CLI."""
        place = {"LocationConstraint": "eu-west-1"}
        self.server.client("s3", region="eu-west-1").create_bucket(Bucket="logs-in-the-west", CreateBucketConfiguration=place)
        self.s3.create_bucket(Bucket="source-in-the-east")
        status = json.dumps({"LoggingEnabled": {"TargetBucket": "logs-in-the-west", "TargetPrefix": ""}})
        with self.assertRaises(Refused) as refused:
            self.server.aws("s3api", "put-bucket-logging", "--bucket", "source-in-the-east", "--bucket-logging-status", status)
        self.assertIn("CrossLocationLoggingProhibitted", refused.exception.words)


if __name__ == "__main__":
    unittest.main()
