"""Buckets and all that is configured on them, by boto3, the AWS CLI and plain HTTP."""

import base64
import hashlib
import http.client
import json
import subprocess
import sys
import unittest
import urllib.parse

from server import Judge, Refused, policy, statement


class Buckets(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def bucket(self, name, **more):
        self.s3.create_bucket(Bucket=name, **more)
        return name

    def plain(self, method, path, headers=None, body=None, host=None):
        """A request without a signature; tells status, headers and body."""
        connection = http.client.HTTPConnection(*self.server.address, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body=body, headers={"Host": host or "127.0.0.1", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()

    def test_a_story_of_the_cli(self):
        aws = self.server.aws
        aws("s3api", "create-bucket", "--bucket", "story-of-the-cli")
        listed = [one["Name"] for one in aws("s3api", "list-buckets")["Buckets"]]
        self.assertIn("story-of-the-cli", listed)
        aws("s3api", "put-bucket-versioning", "--bucket", "story-of-the-cli", "--versioning-configuration", "Status=Enabled")
        self.assertEqual(aws("s3api", "get-bucket-versioning", "--bucket", "story-of-the-cli")["Status"], "Enabled")
        self.assertIsNone(aws("s3api", "get-bucket-location", "--bucket", "story-of-the-cli")["LocationConstraint"])
        with self.assertRaises(Refused) as refused:
            aws("s3api", "head-bucket", "--bucket", "no-such-bucket-here")
        self.assertIn("404", refused.exception.words)
        aws("s3api", "delete-bucket", "--bucket", "story-of-the-cli")

    def test_the_shorter_words_of_the_cli(self):
        ran = lambda *words: subprocess.run(
            [sys.executable, "-m", "awscli", "s3", *words], env=self.server.environment(), capture_output=True, text=True, timeout=60
        )
        self.assertIn("make_bucket: in-short-words", ran("mb", "s3://in-short-words").stdout)
        self.assertIn("in-short-words", ran("ls").stdout)
        self.assertEqual(ran("ls", "s3://in-short-words").returncode, 0)
        self.assertIn("NoSuchBucket", ran("ls", "s3://never-made-anywhere").stderr)
        self.assertIn("remove_bucket: in-short-words", ran("rb", "s3://in-short-words").stdout)

    def test_names_and_owners(self):
        for name in ["Uppercase", "under_score", "192.168.5.4", "xn--puny", "ends-s3alias", "a..b"]:
            with self.subTest(name):
                client = self.server.client("s3", parameter_validation=False)
                client.meta.events.unregister("before-parameter-build.s3", None)
                self.refused("InvalidBucketName", client.create_bucket, Bucket=name, status=400)
        self.bucket("taken-name")
        self.bucket("taken-name")
        west = self.server.client("s3", region="eu-west-1")
        constraint = {"LocationConstraint": "eu-west-1"}
        west.create_bucket(Bucket="in-the-west", CreateBucketConfiguration=constraint)
        self.refused("BucketAlreadyOwnedByYou", west.create_bucket, Bucket="in-the-west", CreateBucketConfiguration=constraint, status=409)
        self.refused("IllegalLocationConstraintException", west.create_bucket, Bucket="elsewhere-it-is", status=400)
        self.refused(
            "InvalidLocationConstraint", self.s3.create_bucket, Bucket="nowhere-at-all",
            CreateBucketConfiguration={"LocationConstraint": "nowhere"}, status=400,
        )
        self.assertEqual(self.s3.get_bucket_location(Bucket="in-the-west")["LocationConstraint"], "eu-west-1")

    def test_a_wrong_region_is_redirected(self):
        place = {"LocationConstraint": "eu-central-1"}
        self.s3.create_bucket(Bucket="far-away", CreateBucketConfiguration=place)
        self.assertEqual(self.plain("HEAD", "/far-away")[0], 403)
        # The CLI is told where to go.
        located = self.server.aws("s3api", "get-bucket-location", "--bucket", "far-away")
        self.assertEqual(located["LocationConstraint"], "eu-central-1")
        head = self.server.client("s3", region="eu-central-1").head_bucket(Bucket="far-away")
        self.assertEqual(head["BucketRegion"], "eu-central-1")
        # boto3 follows the redirect to the bucket's own region.
        self.assertEqual(self.server.client("s3", region="us-west-2").get_bucket_acl(Bucket="far-away")["Grants"][0]["Permission"], "FULL_CONTROL")

    def test_lists_go_by_prefix_region_and_page(self):
        for number in range(5):
            self.bucket(f"paged-{number}")
        west = self.server.client("s3", region="us-west-2")
        west.create_bucket(Bucket="paged-west", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        names = []
        for page in self.s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2}):
            self.assertLessEqual(len(page["Buckets"]), 2)
            names += [one["Name"] for one in page["Buckets"]]
        self.assertEqual(names, [f"paged-{number}" for number in range(5)] + ["paged-west"])
        found = self.s3.list_buckets(BucketRegion="us-west-2", Prefix="paged-")["Buckets"]
        self.assertEqual([(one["Name"], one["BucketRegion"]) for one in found], [("paged-west", "us-west-2")])
        self.refused("InvalidArgument", self.s3.list_buckets, ContinuationToken="made-up", status=400)

    def test_a_bucket_with_objects_stays(self):
        name = self.bucket("holds-something")
        self.s3.put_object(Bucket=name, Key="a", Body=b"x")
        self.refused("BucketNotEmpty", self.s3.delete_bucket, Bucket=name, status=409)
        self.s3.delete_object(Bucket=name, Key="a")
        self.s3.delete_bucket(Bucket=name)
        self.refused("NoSuchBucket", self.s3.get_bucket_acl, Bucket=name, status=404)

    def test_policies_decide_and_are_checked(self):
        name = self.bucket("with-a-policy")
        arn = f"arn:aws:s3:::{name}"
        reader = self.user("policy-reader")
        client = self.server.client("s3", reader)
        self.refused("AccessDenied", client.get_bucket_tagging, Bucket=name, status=403)
        user = f"arn:aws:iam::{self.server.account}:user/policy-reader"
        allow = {**statement("s3:GetBucketTagging", arn), "Principal": {"AWS": user}}
        self.s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
        self.refused("NoSuchTagSet", client.get_bucket_tagging, Bucket=name, status=404)
        self.assertEqual(json.loads(self.s3.get_bucket_policy(Bucket=name)["Policy"])["Statement"][0]["Principal"], {"AWS": user})
        for wrong, words in [
            ({**allow, "Resource": "arn:aws:s3:::another/*"}, "invalid resource"),
            ({**allow, "Principal": {"AWS": f"arn:aws:iam::{self.server.account}:user/nobody"}}, "Invalid principal"),
            ({**allow, "Action": "s3:NoSuchThing"}, "invalid action"),
            ({**allow, "Action": "s3:GetObject"}, "does not apply"),
        ]:
            text = json.dumps({"Version": "2012-10-17", "Statement": [wrong]})
            answer = self.refused("MalformedPolicy", self.s3.put_bucket_policy, Bucket=name, Policy=text, status=400)
            self.assertIn(words, answer["Error"]["Message"])
        self.refused("MalformedPolicy", self.s3.put_bucket_policy, Bucket=name, Policy="no JSON", status=400)
        # The one who was made again under the name was given nothing.
        iam = self.server.client("iam")
        iam.delete_access_key(UserName="policy-reader", AccessKeyId=reader.key)
        iam.delete_user(UserName="policy-reader")
        again = self.server.client("s3", self.user("policy-reader"))
        self.refused("AccessDenied", again.get_bucket_tagging, Bucket=name, status=403)
        self.s3.delete_bucket_policy(Bucket=name)
        self.refused("NoSuchBucketPolicy", self.s3.get_bucket_policy, Bucket=name, status=404)

    def test_the_public_is_blocked_until_it_is_let_in(self):
        """S20.4"""
        name = self.bucket("for-the-public")
        self.s3.put_object(Bucket=name, Key="dir/../page //x%2Fy+z ü", Body=b"hello")
        path = "/" + name + "/" + urllib.parse.quote("dir/../page //x%2Fy+z ü")
        self.assertEqual(self.plain("GET", path)[0], 403)
        public = {**statement("s3:GetObject", f"arn:aws:s3:::{name}/*"), "Principal": "*"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [public]})
        answer = self.refused("AccessDenied", self.s3.put_bucket_policy, Bucket=name, Policy=text, status=403)
        self.assertIn("BlockPublicPolicy", answer["Error"]["Message"])
        self.s3.delete_public_access_block(Bucket=name)
        self.refused("NoSuchPublicAccessBlockConfiguration", self.s3.get_public_access_block, Bucket=name, status=404)
        self.s3.put_bucket_policy(Bucket=name, Policy=text)
        self.assertTrue(self.s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"]["IsPublic"])
        status, headers, body = self.plain("GET", path)
        self.assertEqual((status, body), (200, "hello"))
        self.assertIn("x-amz-request-id", {key.lower() for key in headers})
        rest = urllib.parse.quote("/dir/../page //x%2Fy+z ü")
        for host in [f"{name}.s3.us-east-1.amazonaws.com", f"{name}.s3.localhost:4566", f"{name}.localhost"]:
            self.assertEqual(self.plain("GET", rest, host=host)[2], "hello", host)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
        status, _, body = self.plain("GET", path)
        self.assertEqual(status, 403)
        self.assertIn("<Code>AccessDenied</Code><Message>Access Denied</Message>", body)
        self.assertIn("<HostId>", body)

    def test_unsigned_requests_learn_little(self):
        status, headers, body = self.plain("GET", "/no-such-bucket-either/key")
        self.assertEqual(status, 404)
        self.assertIn("<Code>NoSuchBucket</Code>", body)
        self.assertIn("<BucketName>no-such-bucket-either</BucketName>", body)
        self.assertEqual(self.plain("HEAD", "/no-such-bucket-either")[2], "")
        self.assertEqual(self.plain("GET", "/")[0], 403)
        self.assertEqual(self.plain("PUT", "/strangers-bucket")[0], 403)

    def test_presigned_requests_end(self):
        name = self.bucket("presigned-here")
        self.s3.put_object(Bucket=name, Key="k", Body=b"v")
        signer = self.server.client("s3", signature_version="s3v4")
        link = signer.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"}, ExpiresIn=60)
        parts = urllib.parse.urlsplit(link)
        target = f"{parts.path}?{parts.query}"
        self.assertEqual(self.plain("GET", target, host=parts.netloc)[2], "v")
        status, _, body = self.plain("GET", target.replace("Expires=60", "Expires=61"), host=parts.netloc)
        self.assertEqual(status, 403)
        self.assertIn("SignatureDoesNotMatch", body)
        status, _, body = self.plain("GET", target.replace("Expires=60", "Expires=604801"), host=parts.netloc)
        self.assertEqual(status, 400)
        self.assertIn("AuthorizationQueryParametersError", body)

    def test_damaged_bodies_are_refused(self):
        name = self.bucket("damaged-bodies")
        tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
        wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
        self.refused("BadDigest", self.s3.put_bucket_tagging, Bucket=name, Tagging=tags, ContentMD5=wrong, status=400)
        self.refused("InvalidDigest", self.s3.put_bucket_tagging, Bucket=name, Tagging=tags, ContentMD5="bm9uZQ==", status=400)
        self.s3.put_bucket_tagging(Bucket=name, Tagging=tags)
        self.assertEqual(self.s3.get_bucket_tagging(Bucket=name)["TagSet"], tags["TagSet"])
        self.refused("InvalidTag", self.s3.put_bucket_tagging, Bucket=name, Tagging={"TagSet": tags["TagSet"] * 2}, status=400)

    def test_every_configuration_comes_back_as_it_was_put(self):
        name, logs = self.bucket("configured"), self.bucket("configured-logs")
        put = lambda what, **given: getattr(self.s3, f"put_bucket_{what}")(Bucket=name, **given)
        get = lambda what: getattr(self.s3, f"get_bucket_{what}")(Bucket=name)
        cors = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://*.example.com"], "AllowedHeaders": ["*"], "MaxAgeSeconds": 300}]
        self.refused("NoSuchCORSConfiguration", get, "cors", status=404)
        put("cors", CORSConfiguration={"CORSRules": cors})
        self.assertEqual(get("cors")["CORSRules"], cors)
        rules = [{"ID": "old", "Status": "Enabled", "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}},
                  "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
                  "Expiration": {"Days": 365}, "NoncurrentVersionExpiration": {"NoncurrentDays": 10, "NewerNoncurrentVersions": 2}}]
        put("lifecycle_configuration", LifecycleConfiguration={"Rules": rules})
        self.assertEqual(get("lifecycle_configuration")["Rules"], rules)
        self.assertEqual(get("lifecycle_configuration")["TransitionDefaultMinimumObjectSize"], "all_storage_classes_128K")
        for change, code in [
            ({"Expiration": {"Days": 20}}, "InvalidArgument"),
            ({"Expiration": {"Days": 400, "Date": "2030-01-01"}}, "MalformedXML"),
            ({"Transitions": [{"Days": 1, "StorageClass": "STANDARD_IA"}]}, "InvalidArgument"),
            ({"Prefix": "x"}, "MalformedXML"),
            ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}, "InvalidRequest"),
        ]:
            self.refused(code, put, "lifecycle_configuration", LifecycleConfiguration={"Rules": [rules[0] | change]}, status=400)
        encryption = get("encryption")["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(encryption["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        self.assertEqual(encryption["BlockedEncryptionTypes"], {"EncryptionType": ["SSE-C"]})
        key = self.server.client("kms").create_key()["KeyMetadata"]["Arn"]
        wanted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}
        put("encryption", ServerSideEncryptionConfiguration={"Rules": [wanted]})
        self.assertEqual(get("encryption")["ServerSideEncryptionConfiguration"]["Rules"][0] | wanted, get("encryption")["ServerSideEncryptionConfiguration"]["Rules"][0])
        enabled = {"TargetBucket": logs, "TargetPrefix": "of/", "TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}}
        put("logging", BucketLoggingStatus={"LoggingEnabled": enabled})
        self.assertEqual(get("logging")["LoggingEnabled"], enabled)
        nowhere = {"TargetBucket": "no-such-target", "TargetPrefix": ""}
        self.refused("InvalidTargetBucketForLogging", put, "logging", BucketLoggingStatus={"LoggingEnabled": nowhere}, status=400)
        website = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}
        put("website", WebsiteConfiguration=website)
        self.assertEqual({key: get("website")[key] for key in website}, website)
        put("request_payment", RequestPaymentConfiguration={"Payer": "Requester"})
        self.assertEqual(get("request_payment")["Payer"], "Requester")
        function = [{"Id": "f", "LambdaFunctionArn": f"arn:aws:lambda:us-east-1:{self.server.account}:function:f", "Events": ["s3:ObjectCreated:*"]}]
        put("notification_configuration", NotificationConfiguration={"LambdaFunctionConfigurations": function}, SkipDestinationValidation=True)
        self.assertEqual(get("notification_configuration")["LambdaFunctionConfigurations"], function)
        queue = [{"QueueArn": f"arn:aws:sqs:us-east-1:{self.server.account}:none", "Events": ["s3:ObjectCreated:*"]}]
        self.refused("NotImplemented", put, "notification_configuration", NotificationConfiguration={"QueueConfigurations": queue}, status=501)
        self.assertEqual(get("notification_configuration")["LambdaFunctionConfigurations"], function)
        destination = {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{logs}", "Format": "CSV"}}
        inventory = {"Destination": destination, "IsEnabled": True, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"}}
        for number in range(3):
            self.s3.put_bucket_inventory_configuration(Bucket=name, Id=f"m{number}", InventoryConfiguration={"Id": f"m{number}", **inventory})
        listed = self.s3.list_bucket_inventory_configurations(Bucket=name)["InventoryConfigurationList"]
        self.assertEqual([one["Id"] for one in listed], ["m0", "m1", "m2"])
        self.s3.delete_bucket_inventory_configuration(Bucket=name, Id="m1")
        self.refused("NoSuchConfiguration", self.s3.get_bucket_inventory_configuration, Bucket=name, Id="m1", status=404)
        metrics = {"Id": "m", "Filter": {"Prefix": "p/"}}
        self.s3.put_bucket_metrics_configuration(Bucket=name, Id="m", MetricsConfiguration=metrics)
        self.assertEqual(self.s3.list_bucket_metrics_configurations(Bucket=name)["MetricsConfigurationList"], [metrics])
        # What is not done is not taken either.
        analytics = {"Id": "a", "StorageClassAnalysis": {}}
        self.refused("NotImplemented", self.s3.put_bucket_analytics_configuration, Bucket=name, Id="a", AnalyticsConfiguration=analytics, status=501)
        self.assertNotIn("AnalyticsConfigurationList", self.s3.list_bucket_analytics_configurations(Bucket=name))
        self.s3.delete_bucket(Bucket=name)

    def test_locks_keep_versions(self):
        name = self.bucket("locked-bucket", ObjectLockEnabledForBucket=True)
        self.assertEqual(self.s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
        suspend = {"Status": "Suspended"}
        self.refused("InvalidBucketState", self.s3.put_bucket_versioning, Bucket=name, VersioningConfiguration=suspend, status=409)
        lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}}
        self.s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
        self.assertEqual(self.s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"], lock)
        plain = self.bucket("unlocked-bucket")
        self.refused("ObjectLockConfigurationNotFoundError", self.s3.get_object_lock_configuration, Bucket=plain, status=404)
        self.refused("InvalidBucketState", self.s3.put_object_lock_configuration, Bucket=plain, ObjectLockConfiguration=lock, status=409)

    def test_lists_of_access_count_only_where_they_may(self):
        name = self.bucket("with-a-list")
        owner = self.s3.get_bucket_acl(Bucket=name)["Owner"]["ID"]
        self.assertEqual(len(owner), 64)
        self.refused("AccessControlListNotSupported", self.s3.put_bucket_acl, Bucket=name, ACL="public-read", status=400)
        self.s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
        self.refused("AccessDenied", self.s3.put_bucket_acl, Bucket=name, ACL="public-read", status=403)
        self.s3.delete_public_access_block(Bucket=name)
        self.assertEqual(self.plain("GET", f"/{name}")[0], 403)
        self.s3.put_bucket_acl(Bucket=name, ACL="public-read")
        self.assertEqual(self.plain("GET", f"/{name}")[0], 200)
        enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        self.refused("InvalidBucketAclWithObjectOwnership", self.s3.put_bucket_ownership_controls, Bucket=name, OwnershipControls=enforced, status=400)
        self.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        self.assertEqual(self.plain("GET", f"/{name}")[0], 403)

    def test_replication_asks_for_versions_and_a_role(self):
        source, target = self.bucket("replicated"), self.bucket("replica")
        trusted = policy({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"})
        role = self.server.client("iam").create_role(RoleName="replicator", AssumeRolePolicyDocument=trusted)["Role"]["Arn"]
        rule = {"ID": "all", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": ""}, "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{target}"}}
        put = lambda **change: self.s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule | change]})
        self.refused("InvalidRequest", put, status=400)
        for name in (source, target):
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        put()
        self.assertEqual(self.s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]["Rules"], [rule])
        self.refused("InvalidRequest", put, Destination={"Bucket": "arn:aws:s3:::no-such-replica"}, status=400)
        self.s3.delete_bucket_replication(Bucket=source)
        self.refused("ReplicationConfigurationNotFoundError", self.s3.get_bucket_replication, Bucket=source, status=404)

    def test_the_owner_that_is_expected_must_be_the_owner(self):
        name = self.bucket("whose-is-it")
        self.s3.get_bucket_acl(Bucket=name, ExpectedBucketOwner=self.server.account)
        self.refused("AccessDenied", self.s3.get_bucket_acl, Bucket=name, ExpectedBucketOwner="999999999999", status=403)


if __name__ == "__main__":
    unittest.main()
