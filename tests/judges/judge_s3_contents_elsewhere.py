"""Large contents in another S3-compatible store: here a second Ringwork, which is one."""

import hashlib
import json
import pathlib
import random
import tempfile
import unittest

import botocore.exceptions
from server import Judge, Server, StartRefused, wait_for

BUCKET, STORE = "front", "contents"
LARGE = 9 << 20


def noise(size, seed):
    return random.Random(seed).randbytes(size)


class Elsewhere(Judge):
    """`self.server` is the store elsewhere; each test's own server keeps its contents there."""

    def setUp(self):
        super().setUp()
        self.folder = tempfile.TemporaryDirectory(prefix="ringwork-judge-")
        self.addCleanup(self.folder.cleanup)
        self.there = self.server.client("s3")
        self.store = f"{STORE}-{self.id().rsplit('.', 1)[-1].replace('_', '-')}"[:63].strip("-")
        self.there.create_bucket(Bucket=self.store)

    def place(self, name="place.json", **changes):
        file = pathlib.Path(self.folder.name) / name
        place = {
            "bucket": self.store,
            "prefix": "some/prefix",
            "endpoint": self.server.endpoint,
            "access_key_id": self.server.root.key,
            "secret_access_key": self.server.root.secret,
        }
        file.write_text(json.dumps({**place, **changes}))
        return str(file)

    def open(self, *options, data="data"):
        server = Server(*options, folder=pathlib.Path(self.folder.name) / data)
        self.addCleanup(server.close)
        return server

    def names(self):
        """What lies there, but for the owner's mark."""
        pages = self.there.get_paginator("list_objects_v2").paginate(Bucket=self.store)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        self.assertTrue(all(key.startswith("some/prefix/") for key in keys), keys)
        return [key for key in keys if not key.endswith("/owner")]

    def files(self, data="data"):
        blobs = pathlib.Path(self.folder.name) / data / "blobs"
        return [path for path in blobs.rglob("*") if path.is_file()]

    def test_objects_are_put_read_and_deleted_there(self):
        front = self.open("--contents", self.place())
        s3 = front.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        large, small = noise(LARGE, 1), noise(1000, 2)
        s3.put_object(Bucket=BUCKET, Key="large", Body=large)
        s3.put_object(Bucket=BUCKET, Key="small", Body=small)
        upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
        parts = [noise(5 << 20, 3), noise(100_000, 4)]
        tags = [
            s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=at, Body=part)["ETag"]
            for at, part in enumerate(parts, 1)
        ]
        listed = [{"PartNumber": at, "ETag": tag} for at, tag in enumerate(tags, 1)]
        s3.complete_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": listed})
        self.assertEqual(len(self.names()), 3, "the small one lies in its row")
        self.assertEqual(self.files(), [])
        front.kill()
        front.start()
        s3 = front.client("s3")
        self.assertEqual(s3.get_object(Bucket=BUCKET, Key="large")["Body"].read(), large)
        self.assertEqual(s3.get_object(Bucket=BUCKET, Key="small")["Body"].read(), small)
        whole = b"".join(parts)
        self.assertEqual(s3.get_object(Bucket=BUCKET, Key="parts")["Body"].read(), whole)
        some = s3.get_object(Bucket=BUCKET, Key="parts", Range="bytes=5242870-5242890")["Body"].read()
        self.assertEqual(some, whole[5242870:5242891])
        # What lies there is sealed: no stretch of the object is in it.
        stored = b"".join(self.there.get_object(Bucket=self.store, Key=key)["Body"].read() for key in self.names())
        for at in range(0, LARGE, 1 << 20):
            self.assertNotIn(large[at : at + 32], stored)
        for key in ("large", "parts", "small"):
            s3.delete_object(Bucket=BUCKET, Key=key)
        wait_for(lambda: self.names() == [])

    def test_an_object_that_is_changed_there_does_not_open(self):
        front = self.open("--contents", self.place())
        s3 = front.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="a", Body=noise(100_000, 1))
        (name,) = self.names()
        stored = bytearray(self.there.get_object(Bucket=self.store, Key=name)["Body"].read())
        stored[50_000] ^= 1
        self.there.put_object(Bucket=self.store, Key=name, Body=bytes(stored))
        with self.assertRaises((botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)):
            s3.get_object(Bucket=BUCKET, Key="a")["Body"].read()

    def test_a_store_that_refuses_is_an_error_and_nothing_more(self):
        front = self.open("--contents", self.place())
        s3 = front.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        body = noise(100_000, 1)
        s3.put_object(Bucket=BUCKET, Key="a", Body=body)
        deny = {"Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:PutObject"]}
        deny["Resource"] = f"arn:aws:s3:::{self.store}/*"
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        self.there.put_bucket_policy(Bucket=self.store, Policy=policy)
        for call in (
            lambda: s3.get_object(Bucket=BUCKET, Key="a")["Body"].read(),
            lambda: s3.put_object(Bucket=BUCKET, Key="b", Body=body),
        ):
            with self.assertRaises((botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError)):
                call()
        self.there.delete_bucket_policy(Bucket=self.store)
        self.assertEqual(s3.get_object(Bucket=BUCKET, Key="a")["Body"].read(), body)
        listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
        self.assertEqual([found["Key"] for found in listed], ["a"], "a put that failed left nothing")

    def test_a_folder_and_a_prefix_belong_to_each_other(self):
        front = self.open("--contents", self.place())
        front.stop()
        refused = [
            ((), "data"),
            (("--contents", self.place("other.json", prefix="other")), "data"),
            (("--contents", self.place()), "second"),
            (("--contents", self.place("malformed.json", bucket=7)), "third"),
            (("--contents", self.place("plain.json", endpoint="http://192.0.2.1")), "third"),
        ]
        for options, data in refused:
            with self.subTest(options=options), self.assertRaises(StartRefused) as raised:
                self.open(*options, data=data)
            self.assertNotIn(self.server.root.secret, str(raised.exception))
        # One that was refused may still be served with contents of its own, and then no longer with others.
        local = self.open(data="second")
        s3 = local.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="a", Body=noise(100_000, 1))
        local.stop()
        with self.assertRaises(StartRefused):
            self.open("--contents", self.place("other.json", prefix="other"), data="second")

    def test_a_snapshot_brings_the_contents_home(self):
        front = self.open("--contents", self.place())
        s3 = front.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        body = noise(LARGE, 1)
        s3.put_object(Bucket=BUCKET, Key="a", Body=body)
        saved = str(pathlib.Path(self.folder.name) / "saved")
        front.ringwork("snapshot", "save", saved)
        front.stop()
        copy = self.open(data="saved")
        got = copy.client("s3").get_object(Bucket=BUCKET, Key="a")["Body"].read()
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(body).digest())


if __name__ == "__main__":
    unittest.main()
