"""Objects, their lists and uploads in parts, by boto3, the AWS CLI, plain HTTP on presigned URLs, and s3cmd."""

import base64
import hashlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib

import boto3.s3.transfer

from server import Judge, statement

MIB = 1 << 20


def content(size, seed=0):
    """Bytes that repeat themselves nowhere."""
    return random.Random(seed).randbytes(size)


class Objects(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def bucket(self, name, versions=False):
        self.s3.create_bucket(Bucket=name)
        if versions:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="ringwork-judge-")
        self.addCleanup(folder.cleanup)
        return pathlib.Path(folder.name)

    def cli(self, *words):
        return self.run_tool([sys.executable, "-m", "awscli", "s3", *words], self.server.environment())

    def run_tool(self, command, environment):
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(ran.returncode, 0, f"{command}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def test_an_object_comes_back_as_it_went(self):
        bucket = self.bucket("round-trip")
        key = "a folder/\u00e4\u00f6 + & ?#%.txt"
        put = self.s3.put_object(Bucket=bucket, Key=key, Body=b"hello", ContentType="text/plain", Metadata={"who": "me"},
                                 Tagging="a=1", CacheControl="no-cache")
        self.assertEqual(put["ETag"], f'"{hashlib.md5(b"hello").hexdigest()}"')
        self.assertEqual(put["ChecksumCRC32"], base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode())
        got = self.s3.get_object(Bucket=bucket, Key=key)
        self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"], got["TagCount"], got["CacheControl"]),
                         (b"hello", "text/plain", {"who": "me"}, 1, "no-cache"))
        self.assertEqual(self.s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"], key)
        self.s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="copy")["Metadata"], {"who": "me"})
        gone = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}, {"Key": "copy"}]})
        self.assertEqual(len(gone["Deleted"]), 2)
        self.refused("NoSuchKey", self.s3.get_object, Bucket=bucket, Key=key, status=404)
        self.refused("404", self.s3.head_object, Bucket=bucket, Key=key, status=404)
        self.s3.delete_bucket(Bucket=bucket)

    def test_every_checksum_that_the_client_knows(self):
        bucket = self.bucket("checksums")
        for algorithm in ["CRC32", "SHA1", "SHA256"]:
            with self.subTest(algorithm):
                put = self.s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm=algorithm)
                self.assertIn(f"Checksum{algorithm}", put)
                self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["Body"].read(), b"hello")
        wrong = base64.b64encode(bytes(32)).decode()
        self.refused("BadDigest", self.s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256=wrong, status=400)

    def test_ranges_and_conditions(self):
        bucket = self.bucket("conditions")
        tag = self.s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["ETag"]
        part = self.s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
        self.assertEqual((part["Body"].read(), part["ContentRange"], part["ResponseMetadata"]["HTTPStatusCode"]),
                         (b"234", "bytes 2-4/10", 206))
        self.refused("InvalidRange", self.s3.get_object, Bucket=bucket, Key="k", Range="bytes=10-", status=416)
        self.refused("304", self.s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag, status=304)
        self.refused("PreconditionFailed", self.s3.get_object, Bucket=bucket, Key="k", IfMatch='"x"', status=412)
        self.refused("PreconditionFailed", self.s3.put_object, Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*", status=412)
        self.s3.put_object(Bucket=bucket, Key="k", Body=b"next", IfMatch=tag)
        self.refused("PreconditionFailed", self.s3.delete_object, Bucket=bucket, Key="k", IfMatch=tag, status=412)

    def test_twenty_mebibytes_in_parts_both_ways(self):
        bucket, folder = self.bucket("transfer"), self.folder()
        whole = content(20 * MIB + 17)
        (folder / "up").write_bytes(whole)
        config = boto3.s3.transfer.TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
        self.s3.upload_file(str(folder / "up"), bucket, "big", Config=config)
        head = self.s3.head_object(Bucket=bucket, Key="big")
        self.assertEqual(head["ContentLength"], len(whole))
        self.assertTrue(head["ETag"].endswith('-5"'), head["ETag"])
        self.s3.download_file(bucket, "big", str(folder / "down"), Config=config)
        self.assertEqual(hashlib.sha256((folder / "down").read_bytes()).digest(), hashlib.sha256(whole).digest())
        parts = self.s3.get_object_attributes(Bucket=bucket, Key="big", ObjectAttributes=["ObjectParts", "ObjectSize"])
        self.assertEqual((parts["ObjectParts"]["TotalPartsCount"], parts["ObjectSize"]), (5, len(whole)))
        second = self.s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
        self.assertEqual((second["Body"].read() == whole[5 * MIB:10 * MIB], second["PartsCount"]), (True, 5))
        self.s3.copy({"Bucket": bucket, "Key": "big"}, bucket, "copy", Config=config)
        copied = self.s3.get_object(Bucket=bucket, Key="copy")["Body"].read()
        self.assertEqual(copied == whole, True)
        self.assertEqual(self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []), [])

    def test_versions_and_delete_markers(self):
        bucket = self.bucket("versions", versions=True)
        first = self.s3.put_object(Bucket=bucket, Key="k", Body=b"one")["VersionId"]
        second = self.s3.put_object(Bucket=bucket, Key="k", Body=b"two")["VersionId"]
        marker = self.s3.delete_object(Bucket=bucket, Key="k")
        self.assertTrue(marker["DeleteMarker"])
        self.refused("NoSuchKey", self.s3.get_object, Bucket=bucket, Key="k", status=404)
        self.refused("MethodNotAllowed", self.s3.get_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"], status=405)
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read(), b"one")
        listed = self.s3.list_object_versions(Bucket=bucket)
        self.assertEqual([one["VersionId"] for one in listed["Versions"]], [second, first])
        self.assertEqual([(one["VersionId"], one["IsLatest"]) for one in listed["DeleteMarkers"]], [(marker["VersionId"], True)])
        self.s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"two")

    def test_lists_in_pages(self):
        bucket = self.bucket("pages")
        keys = sorted(f"{folder}/{file:02}" for folder in "abc" for file in range(12))
        for key in keys:
            self.s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        for operation, token in [("list_objects_v2", "Contents"), ("list_objects", "Contents"), ("list_object_versions", "Versions")]:
            with self.subTest(operation):
                pages = self.s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 7})
                self.assertEqual([one["Key"] for page in pages for one in page.get(token, [])], keys)
                rolled = self.s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
                self.assertEqual([one["Prefix"] for page in rolled for one in page.get("CommonPrefixes", [])], ["a/", "b/", "c/"])

    def test_presigned_urls_by_plain_http(self):
        bucket, signer = self.bucket("presigned"), self.server.client("s3", signature_version="s3v4")
        put = signer.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
        urllib.request.urlopen(urllib.request.Request(put, data=b"presigned", method="PUT"), timeout=10).close()
        get = signer.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "a b", "ResponseContentType": "text/x-own"}, ExpiresIn=60)
        with urllib.request.urlopen(get, timeout=10) as answer:
            self.assertEqual((answer.read(), answer.headers["Content-Type"]), (b"presigned", "text/x-own"))
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(get.replace("a%20b", "other"), timeout=10)
        with refused.exception as answer:
            self.assertEqual((answer.code, b"SignatureDoesNotMatch" in answer.read()), (403, True))

    def test_absence_shows_only_to_who_may_list(self):
        bucket = self.bucket("absence")
        reader = self.server.client("s3", self.user("reader", statement("s3:GetObject")))
        self.refused("AccessDenied", reader.get_object, Bucket=bucket, Key="none", status=403)
        lister = self.server.client("s3", self.user("lister", statement("s3:GetObject"), statement("s3:ListBucket")))
        self.refused("NoSuchKey", lister.get_object, Bucket=bucket, Key="none", status=404)

    def test_the_cli_syncs_a_tree(self):
        bucket, folder = self.bucket("tree"), self.folder()
        for at in range(200):
            place = folder / "up" / f"{at % 7}" / f"{at:03}.bin"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content(at * 37, at))
        self.cli("sync", "--quiet", str(folder / "up"), f"s3://{bucket}/tree")
        self.cli("sync", "--quiet", f"s3://{bucket}/tree", str(folder / "down"))
        read = lambda root: {str(one.relative_to(root)): one.read_bytes() for one in root.rglob("*.bin")}
        self.assertEqual(read(folder / "up") == read(folder / "down"), True)
        (folder / "big").write_bytes(content(9 * MIB))
        self.cli("cp", "--quiet", str(folder / "big"), f"s3://{bucket}/big")
        self.cli("mv", "--quiet", f"s3://{bucket}/big", f"s3://{bucket}/moved")
        self.assertEqual(self.cli("cp", "--quiet", f"s3://{bucket}/moved", str(folder / "back")), "")
        self.assertEqual((folder / "back").read_bytes() == (folder / "big").read_bytes(), True)
        self.assertIn("PRE tree/", self.cli("ls", f"s3://{bucket}"))
        self.cli("rm", "--quiet", "--recursive", f"s3://{bucket}")
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=bucket))

    def test_a_client_of_another_make(self):
        folder = self.folder()
        host, port = self.server.address
        configuration = folder / "s3cfg"
        configuration.write_text("\n".join([
            "[default]", f"access_key = {self.server.root.key}", f"secret_key = {self.server.root.secret}",
            f"host_base = {host}:{port}", f"host_bucket = {host}:{port}", "use_https = False", "signature_v2 = False",
            "bucket_location = us-east-1", "multipart_chunk_size_mb = 5",
        ]))
        environment = {**os.environ, "HOME": str(folder)}
        tool = str(pathlib.Path(sys.executable).parent / "s3cmd")
        s3cmd = lambda *words: self.run_tool([tool, "-c", str(configuration), *words], environment)
        s3cmd("mb", "s3://other-make")
        (folder / "small").write_bytes(b"small")
        (folder / "big").write_bytes(content(11 * MIB))
        s3cmd("put", str(folder / "small"), "s3://other-make/a b/small")
        s3cmd("put", str(folder / "big"), "s3://other-make/big")
        self.assertIn("s3://other-make/a b/small", s3cmd("ls", "--recursive", "s3://other-make"))
        s3cmd("get", "s3://other-make/big", str(folder / "back"))
        self.assertEqual((folder / "back").read_bytes() == (folder / "big").read_bytes(), True)
        # It asks for the list `private`, which buckets without lists do not take.
        self.s3.put_bucket_ownership_controls(
            Bucket="other-make", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
        s3cmd("cp", "s3://other-make/a b/small", "s3://other-make/copy")
        self.assertIn("MD5 sum", s3cmd("info", "s3://other-make/copy"))
        s3cmd("rb", "--recursive", "--force", "s3://other-make")
