"""Inventories of S3, made and delivered by the cloud's clock, read by boto3."""

import base64
import concurrent.futures
import csv
import gzip
import hashlib
import io
import json
import re
import unittest
import urllib.parse

from server import Judge, policy, statement

FIELDS = [
    "Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "ReplicationStatus", "EncryptionStatus",
    "ObjectLockRetainUntilDate", "ObjectLockMode", "ObjectLockLegalHoldStatus", "IntelligentTieringAccessTier", "BucketKeyStatus",
    "ChecksumAlgorithm", "ObjectAccessControlList", "ObjectOwner", "LifecycleExpirationDate",
]


class Inventory(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def granted(self, source, target, **condition):
        wanted = {
            "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"},
            "StringEquals": {"aws:SourceAccount": self.server.account, "s3:x-amz-acl": "bucket-owner-full-control"},
        }
        allowed = statement("s3:PutObject", f"arn:aws:s3:::{target}/*", Principal={"Service": "s3.amazonaws.com"}, Condition={**wanted, **condition})
        self.s3.put_bucket_policy(Bucket=target, Policy=policy(allowed))

    def buckets(self, source, granted=True, **more):
        target = f"{source}-lists"
        self.s3.create_bucket(Bucket=source, **more)
        self.s3.create_bucket(Bucket=target)
        if granted:
            self.granted(source, target)
        return target

    def configure(self, source, id="all", frequency="Daily", versions="Current", fields=(), encryption=None, prefix=None, filter=None, format="CSV", enabled=True):
        destination = {"Bucket": f"arn:aws:s3:::{source}-lists", "Format": format, "AccountId": self.server.account}
        destination |= {"Prefix": prefix} if prefix else {}
        destination |= {"Encryption": encryption} if encryption else {}
        configuration = {"Id": id, "Destination": {"S3BucketDestination": destination}, "IsEnabled": enabled, "IncludedObjectVersions": versions, "Schedule": {"Frequency": frequency}}
        configuration |= {"OptionalFields": list(fields)} if fields else {}
        configuration |= {"Filter": {"Prefix": filter}} if filter else {}
        self.s3.put_bucket_inventory_configuration(Bucket=source, Id=id, InventoryConfiguration=configuration)

    def advance(self, days):
        self.server.ringwork("clock", "advance", f"{days}d")

    def keys(self, bucket, prefix=""):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def read(self, bucket, key):
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def lists(self, source, id="all", prefix=""):
        """The lists that were delivered: each manifest with its lines, whose checksums must hold."""
        target, front, found = f"{source}-lists", f"{prefix}{source}/{id}/", []
        for key in self.keys(target, front):
            if not key.endswith("/manifest.json"):
                continue
            self.assertRegex(key.removeprefix(front), r"^\d{4}-\d\d-\d\dT00-00Z/manifest\.json$")
            text = self.read(target, key)
            self.assertEqual(self.read(target, key.replace(".json", ".checksum")).decode(), hashlib.md5(text).hexdigest())
            manifest, lines = json.loads(text), []
            self.assertEqual((manifest["sourceBucket"], manifest["destinationBucket"]), (source, f"arn:aws:s3:::{target}"))
            self.assertEqual((manifest["version"], manifest["fileFormat"]), ("2016-11-30", "CSV"))
            for file in manifest["files"]:
                self.assertRegex(file["key"], rf"^{re.escape(front)}data/[0-9a-f-]{{36}}\.csv\.gz$")
                packed = self.read(target, file["key"])
                self.assertEqual((len(packed), hashlib.md5(packed).hexdigest()), (file["size"], file["MD5checksum"]))
                lines += csv.reader(io.StringIO(gzip.decompress(packed).decode()))
            names = manifest["fileSchema"].split(", ")
            found.append((manifest, [dict(zip(names, line, strict=True)) for line in lines]))
        return found

    def test_lists_come_day_by_day(self):
        target = self.buckets("daily")
        self.s3.put_object(Bucket="daily", Key="a b/ä\".txt", Body=b"12345", ServerSideEncryption="AES256")
        self.configure("daily", fields=FIELDS, prefix="lists")
        self.assertEqual(self.keys(target), [])
        self.advance(1)
        [(manifest, [line])] = self.lists("daily", prefix="lists/")
        self.assertEqual(list(line), ["Bucket", "Key", *FIELDS])
        self.assertEqual(urllib.parse.unquote(line["Key"]), "a b/ä\".txt")
        head = self.s3.head_object(Bucket="daily", Key="a b/ä\".txt")
        self.assertEqual((line["Size"], line["ETag"]), ("5", head["ETag"].strip('"')))
        self.assertEqual(line["LastModifiedDate"], head["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        self.assertEqual((line["StorageClass"], line["IsMultipartUploaded"], line["EncryptionStatus"]), ("STANDARD", "false", "SSE-S3"))
        grants = json.loads(base64.b64decode(line["ObjectAccessControlList"]))
        self.assertEqual(grants["grants"], [{"canonicalId": line["ObjectOwner"], "type": "CanonicalUser", "permission": "FULL_CONTROL"}])
        [link] = [key for key in self.keys(target) if key.endswith("symlink.txt")]
        self.assertRegex(link, r"^lists/daily/all/hive/dt=\d{4}-\d\d-\d\d-00-00/symlink\.txt$")
        self.assertEqual(self.read(target, link).decode(), f"s3://{target}/{manifest['files'][0]['key']}\n")
        self.advance(2)
        self.assertEqual(len(self.lists("daily", prefix="lists/")), 3)
        self.configure("daily", fields=FIELDS, prefix="lists", enabled=False)
        self.advance(2)
        self.assertEqual(len(self.lists("daily", prefix="lists/")), 3)
        self.s3.delete_bucket_inventory_configuration(Bucket="daily", Id="all")

    def test_lists_come_on_sundays(self):
        self.buckets("weekly")
        self.s3.put_object(Bucket="weekly", Key="k", Body=b"x")
        self.configure("weekly", frequency="Weekly")
        self.advance(1)
        self.assertEqual(len(self.lists("weekly")), 1)
        self.advance(14)
        begun = sorted(int(manifest["creationTimestamp"]) for manifest, _ in self.lists("weekly"))
        self.assertIn(len(begun), (3, 4) if (begun[0] // 86_400_000 - 3) % 7 else (3,))
        self.assertTrue(all((at // 86_400_000 - 3) % 7 == 0 for at in begun[1:]), begun)

    def test_versions_and_prefixes(self):
        self.buckets("versions")
        self.s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
        first = self.s3.put_object(Bucket="versions", Key="in/k", Body=b"1")["VersionId"]
        second = self.s3.put_object(Bucket="versions", Key="in/k", Body=b"22")["VersionId"]
        self.s3.put_object(Bucket="versions", Key="in/gone", Body=b"333")
        marker = self.s3.delete_object(Bucket="versions", Key="in/gone")["VersionId"]
        self.s3.put_object(Bucket="versions", Key="out", Body=b"x")
        self.configure("versions", versions="All", fields=["Size"], filter="in/")
        self.configure("versions", id="current", filter="in/")
        self.advance(1)
        [(_, lines)] = self.lists("versions")
        found = {line["VersionId"]: (line["Key"], line["IsLatest"], line["IsDeleteMarker"], line["Size"]) for line in lines}
        self.assertEqual(len(found), 4)
        self.assertEqual(found[first], ("in/k", "false", "false", "1"))
        self.assertEqual(found[second], ("in/k", "true", "false", "2"))
        self.assertEqual(found[marker], ("in/gone", "true", "true", ""))
        [(_, lines)] = self.lists("versions", id="current")
        self.assertEqual(lines, [{"Bucket": "versions", "Key": "in/k"}])

    def test_a_list_of_many_objects_has_many_files(self):
        """A run lists a thousand rows; the manifest names the files of all of them."""
        self.buckets("many")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda at: self.s3.put_object(Bucket="many", Key=f"{at:05}", Body=b""), range(1100)))
        self.configure("many", fields=["ETag"])
        self.advance(1)
        [(manifest, lines)] = self.lists("many")
        self.assertEqual(len(manifest["files"]), 2)
        self.assertEqual([line["Key"] for line in lines], [f"{at:05}" for at in range(1100)])

    def test_the_destination_decides(self):
        target = self.buckets("silent", granted=False)
        self.s3.put_object(Bucket="silent", Key="k", Body=b"x")
        self.configure("silent")
        self.advance(1)
        self.assertEqual(self.keys(target), [])
        self.granted("another", target)
        self.advance(1)
        self.assertEqual(self.keys(target), [])
        self.granted("silent", target)
        self.advance(1)
        self.assertEqual(len(self.lists("silent")), 1)

    def test_lists_are_encrypted_as_asked(self):
        target = self.buckets("sealed")
        self.s3.put_object(Bucket="sealed", Key="k", Body=b"x")
        kms = self.server.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        own = statement("kms:*", Principal={"AWS": f"arn:aws:iam::{self.server.account}:root"})
        self.configure("sealed", encryption={"SSEKMS": {"KeyId": key}})
        self.advance(1)
        self.assertEqual(self.keys(target), [], "the key's policy does not know S3")
        conditions = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::sealed"}, "StringEquals": {"aws:SourceAccount": self.server.account}}
        of_s3 = statement("kms:GenerateDataKey", Principal={"Service": "s3.amazonaws.com"}, Condition=conditions)
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(own, of_s3))
        self.advance(1)
        [(manifest, [line])] = self.lists("sealed")
        head = self.s3.head_object(Bucket=target, Key=manifest["files"][0]["key"])
        self.assertEqual((head["ServerSideEncryption"], head["SSEKMSKeyId"]), ("aws:kms", key))
        self.configure("sealed", id="plain", encryption={"SSES3": {}})
        self.advance(1)
        [(manifest, _)] = self.lists("sealed", id="plain")
        self.assertEqual(self.s3.head_object(Bucket=target, Key=manifest["files"][0]["key"])["ServerSideEncryption"], "AES256")

    def test_what_cannot_be_made_is_refused(self):
        self.buckets("refusing")
        for format in ("ORC", "Parquet"):
            self.refused("NotImplemented", self.configure, "refusing", format=format, status=501)
        self.refused("NotImplemented", self.configure, "refusing", fields=["IntelligentTieringReferenceDate"], status=501)
        self.assertNotIn("InventoryConfigurationList", self.s3.list_bucket_inventory_configurations(Bucket="refusing"))
        limited = self.server.client("s3", self.user(
            "limited", statement("s3:PutInventoryConfiguration", "arn:aws:s3:::refusing"),
            statement("s3:PutInventoryConfiguration", "arn:aws:s3:::refusing", "Deny", Condition={
                "ForAnyValue:StringEquals": {"s3:InventoryAccessibleOptionalFields": ["ObjectAccessControlList"]},
            }),
        ))
        mine, self.s3 = self.s3, limited
        self.refused("AccessDenied", self.configure, "refusing", fields=["Size", "ObjectAccessControlList"], status=403)
        self.configure("refusing", fields=["Size"])
        self.s3 = mine
        # A list that is planned goes with its bucket.
        self.s3.delete_bucket(Bucket="refusing")
        self.advance(1)
        self.assertEqual(self.keys("refusing-lists"), [])


if __name__ == "__main__":
    unittest.main()
