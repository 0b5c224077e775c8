"""Lifecycle rules of S3, followed by the cloud's clock, by boto3."""

import unittest

from server import Judge


class Lifecycle(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def rules(self, bucket, *rules):
        rules = [{"ID": f"rule-{at}", "Status": "Enabled", "Filter": {}, **rule} for at, rule in enumerate(rules)]
        self.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})

    def keys(self, bucket):
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def advance(self, days):
        self.server.ringwork("clock", "advance", f"{days}d")

    def test_objects_expire(self):
        self.s3.create_bucket(Bucket="expiring")
        self.rules("expiring", {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}})
        put = self.s3.put_object(Bucket="expiring", Key="logs/a", Body=b"x")
        self.assertRegex(put["Expiration"], r'^expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT", rule-id="rule-0"$')
        self.assertEqual(self.s3.head_object(Bucket="expiring", Key="logs/a")["Expiration"], put["Expiration"])
        self.s3.put_object(Bucket="expiring", Key="kept", Body=b"x")
        self.advance(6)
        self.assertEqual(self.keys("expiring"), ["kept", "logs/a"])
        self.advance(3)
        self.assertEqual(self.keys("expiring"), ["kept"])
        self.refused("NoSuchKey", self.s3.get_object, Bucket="expiring", Key="logs/a", status=404)

    def test_versions_go_and_locked_ones_stay(self):
        self.s3.create_bucket(Bucket="versions-expire", ObjectLockEnabledForBucket=True)
        held = self.s3.put_object(Bucket="versions-expire", Key="k", Body=b"1")["VersionId"]
        self.s3.put_object_legal_hold(Bucket="versions-expire", Key="k", VersionId=held, LegalHold={"Status": "ON"})
        self.s3.put_object(Bucket="versions-expire", Key="k", Body=b"2")
        self.s3.put_object(Bucket="versions-expire", Key="k", Body=b"3")
        self.rules("versions-expire", {"NoncurrentVersionExpiration": {"NoncurrentDays": 2}}, {"Expiration": {"Days": 30}})
        self.advance(4)
        listed = self.s3.list_object_versions(Bucket="versions-expire")["Versions"]
        self.assertEqual({one["VersionId"] for one in listed if not one["IsLatest"]}, {held})
        self.assertEqual(self.s3.get_object(Bucket="versions-expire", Key="k")["Body"].read(), b"3")
        self.advance(30)
        listed = self.s3.list_object_versions(Bucket="versions-expire")
        self.assertEqual(len(listed["DeleteMarkers"]), 1)
        self.refused("NoSuchKey", self.s3.get_object, Bucket="versions-expire", Key="k", status=404)

    def test_uploads_end_and_classes_change(self):
        self.s3.create_bucket(Bucket="uploads-end")
        upload = self.s3.create_multipart_upload(Bucket="uploads-end", Key="k")["UploadId"]
        self.s3.upload_part(Bucket="uploads-end", Key="k", UploadId=upload, PartNumber=1, Body=b"x")
        self.s3.put_object(Bucket="uploads-end", Key="large", Body=bytes(200_000))
        self.rules(
            "uploads-end",
            {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
            {"Transitions": [{"Days": 2, "StorageClass": "GLACIER"}]},
        )
        self.advance(4)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket="uploads-end"))
        self.assertEqual(self.s3.head_object(Bucket="uploads-end", Key="large")["StorageClass"], "GLACIER")
        self.refused("InvalidObjectState", self.s3.get_object, Bucket="uploads-end", Key="large", status=403)


if __name__ == "__main__":
    unittest.main()
