"""S3 access points, by boto3 and the AWS CLI: as they name them by ARN, alias and host."""

import json
import socket
import unittest

from botocore.exceptions import ClientError

from server import REGION, Judge, policy, statement


def code(call, **input):
    """The code and status of a refusal; nothing for an answer."""
    try:
        call(**input)
    except ClientError as refused:
        return refused.response["Error"]["Code"], refused.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


class AccessPoints(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Clients put an access point's host before the endpoint's. What ends in `.localhost` is this machine (RFC 6761, section 6.3),
        # which not every machine's resolver knows.
        resolve = socket.getaddrinfo

        def at_home(host, *more, **named):
            name = host.decode() if isinstance(host, bytes) else host
            return resolve("127.0.0.1" if str(name).endswith("localhost") else host, *more, **named)

        socket.getaddrinfo = at_home
        cls.addClassCleanup(setattr, socket, "getaddrinfo", resolve)
        cls.account = cls.server.account
        cls.s3 = cls.client("s3")
        cls.control = cls.client("s3control")
        cls.s3.create_bucket(Bucket="behind")
        cls.s3.put_object(Bucket="behind", Key="a/k", Body=b"words")

    @classmethod
    def client(cls, service, credentials=None):
        return cls.server.client(service, credentials, endpoint=f"http://localhost:{cls.server.address[1]}")

    def point(self, name, bucket="behind", **more):
        """Makes an access point; tells its ARN and alias."""
        made = self.control.create_access_point(AccountId=self.account, Name=name, Bucket=bucket, **more)
        self.addCleanup(self.control.delete_access_point, AccountId=self.account, Name=name)
        return made["AccessPointArn"], made["Alias"]

    def test_objects_are_reached_by_arn_and_alias(self):
        arn, alias = self.point("front-door")
        self.assertEqual(arn, f"arn:aws:s3:{REGION}:{self.account}:accesspoint/front-door")
        self.assertRegex(alias, "^front-door-[a-z0-9]{34}-s3alias$")
        for name in arn, alias:
            with self.subTest(name):
                self.assertEqual(self.s3.get_object(Bucket=name, Key="a/k")["Body"].read(), b"words")
                self.s3.put_object(Bucket=name, Key="b/new", Body=b"more")
                listed = self.s3.list_objects_v2(Bucket=name, Delimiter="/")
                self.assertEqual([one["Prefix"] for one in listed["CommonPrefixes"]], ["a/", "b/"])
                self.s3.copy_object(Bucket="behind", Key="copy", CopySource={"Bucket": name, "Key": "a/k"})
                self.assertEqual(self.s3.get_object(Bucket="behind", Key="copy")["Body"].read(), b"words")
                self.s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "b/new"}, {"Key": "copy"}]})
                self.assertEqual(self.s3.list_objects_v2(Bucket="behind")["KeyCount"], 1)
        self.assertTrue(self.s3.head_bucket(Bucket=alias)["AccessPointAlias"])
        self.assertFalse(self.s3.head_bucket(Bucket="behind")["AccessPointAlias"])

    def test_a_client_that_cannot_find_the_host_leaves_it_to_its_proxy(self):
        """The CLI puts the account before an address, which is no host; as its own proxy the server is found all the same."""
        self.point("proxied")
        named = f"http://localhost:{self.server.address[1]}"
        proxied = {"HTTP_PROXY": self.server.endpoint, "NO_PROXY": ""}
        for endpoint in self.server.endpoint, named:
            listed = self.server.aws("s3control", "list-access-points", "--account-id", self.account, "--endpoint-url", endpoint, **proxied)
            self.assertIn("proxied", [one["Name"] for one in listed["AccessPointList"]])
        arn = f"arn:aws:s3:{REGION}:{self.account}:accesspoint/proxied"
        found = self.server.aws("s3api", "list-objects-v2", "--bucket", arn, "--endpoint-url", named, **proxied)
        self.assertEqual([one["Key"] for one in found["Contents"]], ["a/k"])

    def test_uploads_in_parts_go_through(self):
        arn, _ = self.point("parts-door")
        begun = self.s3.create_multipart_upload(Bucket=arn, Key="whole")
        self.assertEqual(begun["Bucket"], "behind")
        named = {"Bucket": arn, "Key": "whole", "UploadId": begun["UploadId"]}
        first = self.s3.upload_part(**named, PartNumber=1, Body=b"x" * (5 << 20))["ETag"]
        source = {"Bucket": arn, "Key": "a/k"}
        second = self.s3.upload_part_copy(**named, PartNumber=2, CopySource=source)["CopyPartResult"]["ETag"]
        parts = [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]
        self.s3.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
        self.assertEqual(self.s3.head_object(Bucket="behind", Key="whole")["ContentLength"], (5 << 20) + 5)
        self.s3.delete_object(Bucket=arn, Key="whole")

    def test_the_bucket_leaves_it_to_the_access_point(self):
        reader = self.client("s3", self.user("reader"))
        arn, _ = self.point("shared")
        named = {"AccountId": self.account, "Name": "shared"}
        read = lambda name: code(reader.get_object, Bucket=name, Key="a/k")
        self.assertEqual(read(arn), ("AccessDenied", 403))
        principal = {"AWS": f"arn:aws:iam::{self.account}:user/reader"}
        grant = policy(statement("s3:GetObject", f"{arn}/object/a/*", Principal=principal))
        self.control.put_access_point_policy(**named, Policy=grant)
        self.assertEqual(json.loads(self.control.get_access_point_policy(**named)["Policy"]), json.loads(grant))
        self.assertFalse(self.control.get_access_point_policy_status(**named)["PolicyStatus"]["IsPublic"])
        self.assertEqual(read(arn), ("AccessDenied", 403))
        condition = {"StringEquals": {"s3:DataAccessPointAccount": self.account}}
        whole = ["arn:aws:s3:::behind", "arn:aws:s3:::behind/*"]
        delegation = policy(statement("s3:*", whole, Principal="*", Condition=condition))
        self.s3.put_bucket_policy(Bucket="behind", Policy=delegation)
        self.addCleanup(self.s3.delete_bucket_policy, Bucket="behind")
        self.assertIsNone(read(arn))
        self.assertEqual(read("behind"), ("AccessDenied", 403))
        self.control.delete_access_point_policy(**named)
        self.assertEqual(read(arn), ("AccessDenied", 403))
        refused = code(self.control.get_access_point_policy, **named)
        self.assertEqual(refused, ("NoSuchAccessPointPolicy", 404))

    def test_what_access_points_do_not_know(self):
        arn, alias = self.point("narrow")
        for name in arn, alias:
            enabled = {"Status": "Enabled"}
            refused = code(self.s3.put_bucket_versioning, Bucket=name, VersioningConfiguration=enabled)
            self.assertEqual(refused, ("MethodNotAllowed", 405))
        inner, _ = self.point("inner", VpcConfiguration={"VpcId": "vpc-1a2b3c"})
        self.assertEqual(code(self.s3.get_object, Bucket=inner, Key="a/k"), ("AccessDenied", 403))
        nowhere = f"wall-{'x' * 34}-s3alias"
        self.assertEqual(code(self.s3.get_object, Bucket=nowhere, Key="k"), ("NoSuchBucket", 404))
        again = {"AccountId": self.account, "Name": "narrow", "Bucket": "behind"}
        refused = code(self.control.create_access_point, **again)
        self.assertEqual(refused, ("AccessPointAlreadyOwnedByYou", 409))

    def test_a_bucket_ends_after_its_access_points(self):
        aws = self.server.aws
        aws("s3api", "create-bucket", "--bucket", "cli-behind")
        own = {"AccountId": self.account}
        self.control.create_access_point(**own, Name="cli-door", Bucket="cli-behind")
        shown = self.control.get_access_point(**own, Name="cli-door")
        self.assertEqual((shown["NetworkOrigin"], shown["BucketAccountId"]), ("Internet", self.account))
        self.assertTrue(all(shown["PublicAccessBlockConfiguration"].values()))
        aws("s3api", "put-object", "--bucket", shown["Alias"], "--key", "k")
        self.assertEqual(len(aws("s3api", "list-objects-v2", "--bucket", "cli-behind")["Contents"]), 1)
        aws("s3api", "delete-object", "--bucket", shown["Alias"], "--key", "k")
        listed = self.control.list_access_points(**own, Bucket="cli-behind")["AccessPointList"]
        self.assertEqual([one["Name"] for one in listed], ["cli-door"])
        arn, tags = shown["AccessPointArn"], [{"Key": "team", "Value": "blue"}]
        self.control.tag_resource(**own, ResourceArn=arn, Tags=tags)
        self.assertEqual(self.control.list_tags_for_resource(**own, ResourceArn=arn)["Tags"], tags)
        refused = code(self.s3.delete_bucket, Bucket="cli-behind")
        self.assertEqual(refused, ("BucketHasAccessPointsAttached", 400))
        self.control.delete_access_point(**own, Name="cli-door")
        self.s3.delete_bucket(Bucket="cli-behind")
        refused = code(self.control.get_access_point, **own, Name="cli-door")
        self.assertEqual(refused, ("NoSuchAccessPoint", 404))


if __name__ == "__main__":
    unittest.main()
