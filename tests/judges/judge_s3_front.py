"""S3's front door: hosts, the older signature, forms that browsers send, and what the access log tells, with clients of others."""

import http.client
import json
import os
import re
import subprocess
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials

from server import Judge, statement

BUCKET = "front"


def fetched(request):
    """Status, headers and body, of refusals too; redirects are not followed."""
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None

    opener = urllib.request.build_opener(Stay, urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read()


def code(body):
    found = re.search(rb"<Code>(.*?)</Code>", body)
    return found.group(1).decode() if found else ""


def form(fields, file, name="file.txt"):
    """A body of multipart/form-data, and its content type."""
    edge = uuid.uuid4().hex
    parts = [f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    parts.append(f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'.encode())
    parts += [file, f"\r\n--{edge}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={edge}"


class Front(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3", signature_version="s3v4")
        cls.old = cls.server.client("s3", signature_version="s3")
        cls.s3.create_bucket(Bucket=BUCKET)

    def raw(self, method, host, path, headers=(), body=b""):
        connection = http.client.HTTPConnection(*self.server.address, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in [("Host", host), *headers]:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def signed(self, method, host, path, body=b"", **headers):
        """Signed by botocore for a host that need not resolve."""
        keys = botocore.credentials.Credentials(self.server.root.key, self.server.root.secret)
        request = botocore.awsrequest.AWSRequest(method, f"http://{host}{path}", headers=headers, data=body)
        botocore.auth.S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        pairs = [(name, value) for name, value in request.headers.items() if name.lower() != "host"]
        return self.raw(method, host, path, pairs, body)

    def test_hosts_say_where_the_bucket_is(self):
        """A bucket's own host names it whatever the path; the service's hosts have it in the path."""
        for host in (f"{BUCKET}.s3.localhost", f"{BUCKET}.s3.us-east-1.localhost", f"{BUCKET}.localhost", f"{BUCKET}.s3.us-east-1.amazonaws.com"):
            path = f"/v20180820/{host}"
            self.assertEqual(self.signed("PUT", host, path, host.encode())[0], 200, host)
            self.assertEqual(self.s3.get_object(Bucket=BUCKET, Key=path[1:])["Body"].read(), host.encode())
        for host in ("s3.localhost", "s3.us-east-1.localhost", "s3-us-east-1.localhost", "s3.us-east-1.amazonaws.com"):
            status, body = self.signed("GET", host, "/")
            self.assertEqual((status, b"ListAllMyBucketsResult" in body), (200, True), host)
            self.assertEqual(self.signed("HEAD", host, f"/{BUCKET}")[0], 200, host)
        control = f"{self.server.account}.s3-control.us-east-1.localhost"
        status, body = self.signed(
            "GET", control, "/v20180820/configuration/publicAccessBlock", **{"x-amz-account-id": self.server.account}
        )
        self.assertIn((status, b"NoSuchPublicAccessBlockConfiguration" in body), [(404, True), (200, False)])
        preflight = [("Origin", "https://a.example.com"), ("Access-Control-Request-Method", "GET")]
        self.assertIn(b"AccessForbidden", self.raw("OPTIONS", "127.0.0.1", f"/{BUCKET}/key", preflight)[1])
        status, body = self.raw("OPTIONS", "kms.localhost", "/", preflight)
        self.assertGreaterEqual(status, 400)
        self.assertNotIn(b"AccessForbidden", body)

    def test_the_older_signature_presigns(self):
        """`aws s3 presign` of version 1, and boto3's old signer; regions of 2014 and later refuse it."""
        self.s3.put_object(Bucket=BUCKET, Key="old key", Body=b"hello")
        old = self.old.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "old key", "ResponseContentType": "text/x"})
        self.assertIn("AWSAccessKeyId=", old)
        status, headers, body = fetched(old)
        self.assertEqual((status, body, headers["Content-Type"]), (200, b"hello", "text/x"))
        for change in ("&acl", "&versionId=null", "&response-expires=x"):
            status, _, body = fetched(old + change)
            self.assertEqual(status, 403, change)
        self.assertEqual(code(fetched(old.replace("Signature=", "Signature=A"))[2]), "SignatureDoesNotMatch")
        self.assertEqual(code(fetched(re.sub("AWSAccessKeyId=[A-Z0-9]*", "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE", old))[2]), "InvalidAccessKeyId")
        late = self.old.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "old key"}, ExpiresIn=-5)
        status, _, body = fetched(late)
        self.assertEqual((status, code(body), b"Request has expired" in body), (403, "AccessDenied", True))
        put = self.old.generate_presigned_url(
            "put_object", Params={"Bucket": BUCKET, "Key": "put", "ContentType": "text/y", "Metadata": {"color": "red"}}
        )
        request = urllib.request.Request(put, data=b"x", method="PUT", headers={"Content-Type": "text/y"})
        self.assertEqual(fetched(request)[0], 200)
        head = self.s3.head_object(Bucket=BUCKET, Key="put")
        self.assertEqual((head["ContentType"], head["Metadata"]), ("text/y", {"color": "red"}))
        session = self.server.client("sts").get_session_token()["Credentials"]
        keys = type(self.server.root).of({"Credentials": session})
        temporary = self.server.client("s3", keys, signature_version="s3")
        url = temporary.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "old key"})
        self.assertEqual(fetched(url)[0], 200)
        # Requests, not only addresses.
        self.old.put_object(Bucket=BUCKET, Key="header", Body=b"y", Metadata={"a": "b"}, ACL="bucket-owner-full-control")
        self.assertEqual(self.old.get_object(Bucket=BUCKET, Key="header")["Metadata"], {"a": "b"})
        self.assertEqual(self.old.list_objects_v2(Bucket=BUCKET, Prefix="header")["KeyCount"], 1)
        young = self.server.client("s3", region="eu-central-1", signature_version="s3v4")
        young.create_bucket(Bucket="young", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        status, _, body = fetched(self.old.generate_presigned_url("list_objects_v2", Params={"Bucket": "young"}))
        self.assertEqual((status, code(body), b"AWS4-HMAC-SHA256" in body), (400, "InvalidRequest", True))

    def test_the_cli_presigns(self):
        self.s3.put_object(Bucket=BUCKET, Key="cli", Body=b"from the CLI")
        cli = os.path.join(os.path.dirname(sys.executable), "aws")
        command = [cli, "s3", "presign", f"s3://{BUCKET}/cli", "--expires-in", "60"]
        made = subprocess.run(command, env=self.server.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(fetched(made.stdout.strip())[::2], (200, b"from the CLI"))

    def posted(self, client, key, file=b"hello", conditions=(), fields=None, extra=None, **more):
        fields = fields or {}
        own = [{name: value} for name, value in fields.items()]
        post = client.generate_presigned_post(BUCKET, key, Fields=dict(fields), Conditions=[*own, *conditions], **more)
        body, kind = form({**(extra or {}), **post["fields"]}, file)
        return fetched(urllib.request.Request(post["url"], data=body, headers={"Content-Type": kind}, method="POST"))

    def test_forms_put_objects(self):
        for name, client in (("newer", self.s3), ("older", self.old)):
            with self.subTest(name):
                status, headers, body = self.posted(
                    client, f"{name}/${{filename}}", fields={"success_action_status": "201", "x-amz-meta-a": "b", "Content-Type": "text/x", "acl": "bucket-owner-full-control"},
                )
                self.assertEqual(status, 201, body)
                self.assertIn(f"<Key>{name}/file.txt</Key>".encode(), body)
                got = self.s3.get_object(Bucket=BUCKET, Key=f"{name}/file.txt")
                self.assertEqual((got["Body"].read(), got["ContentType"], got["Metadata"]), (b"hello", "text/x", {"a": "b"}))
                self.assertEqual(headers["ETag"], got["ETag"])
        self.assertEqual(self.posted(self.s3, "plain")[0], 204)
        status, headers, _ = self.posted(self.s3, "away", fields={"success_action_redirect": "http://example.com/done"})
        self.assertEqual(status, 303)
        self.assertEqual(urllib.parse.parse_qs(urllib.parse.urlparse(headers["Location"]).query)["key"], ["away"])
        large = os.urandom(3 << 20)
        self.assertEqual(self.posted(self.s3, "large", large)[0], 204)
        self.assertEqual(self.s3.get_object(Bucket=BUCKET, Key="large")["Body"].read(), large)
        key = self.server.client("kms").create_key()["KeyMetadata"]["Arn"]
        encrypted = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
        self.assertEqual(self.posted(self.s3, "kms", fields=encrypted)[0], 204)
        self.assertEqual(self.s3.head_object(Bucket=BUCKET, Key="kms")["SSEKMSKeyId"], key)

    def test_forms_are_held_to_their_policy(self):
        for what, answer, wanted in [
            ("small", self.posted(self.s3, "a", b"x", [["content-length-range", 2, 4]]), (400, "EntityTooSmall")),
            ("large", self.posted(self.s3, "a", b"x" * (1 << 20), [["content-length-range", 2, 4]]), (400, "EntityTooLarge")),
            ("extra", self.posted(self.s3, "a", extra={"acl": "public-read"}), (403, "AccessDenied")),
            ("other", self.posted(self.s3, "a", conditions=[["starts-with", "$key", "b"]]), (403, "AccessDenied")),
            ("late", self.posted(self.s3, "a", ExpiresIn=-5), (403, "AccessDenied")),
        ]:
            self.assertEqual((answer[0], code(answer[2])), wanted, what)
        visitor = self.server.client("s3", self.user("form-visitor", statement("s3:PutObject", f"arn:aws:s3:::{BUCKET}/own/*")), signature_version="s3v4")
        self.assertEqual(self.posted(visitor, "a")[0], 403)
        self.assertEqual(self.posted(visitor, "own/a")[0], 204)
        body, kind = form({"key": "strange"}, b"x")
        request = urllib.request.Request(f"{self.server.endpoint}/{BUCKET}", data=body, headers={"Content-Type": kind}, method="POST")
        self.assertEqual(fetched(request)[0], 403)

    def test_the_log_tells_of_refusals_and_of_each_object(self):
        for name in ("front-told", "front-logs"):
            self.s3.create_bucket(Bucket=name)
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::front-logs/*",
        }]}
        self.s3.put_bucket_policy(Bucket="front-logs", Policy=json.dumps(policy))
        enabled = {"TargetBucket": "front-logs", "TargetPrefix": ""}
        self.s3.put_bucket_logging(Bucket="front-told", BucketLoggingStatus={"LoggingEnabled": enabled})
        self.s3.put_object(Bucket="front-told", Key="a b", Body=b"x")
        forged = self.server.client("s3", type(self.server.root)(self.server.root.key, "wrong"), signature_version="s3v4")
        self.refused("SignatureDoesNotMatch", forged.get_object, Bucket="front-told", Key="a b", status=403)
        self.s3.delete_objects(Bucket="front-told", Delete={"Objects": [{"Key": "a b"}, {"Key": "c"}]})
        url = self.old.generate_presigned_url("list_objects_v2", Params={"Bucket": "front-told"})
        self.assertEqual(fetched(url)[0], 200)
        self.server.ringwork("clock", "advance", "1h")
        keys = [one["Key"] for one in self.s3.list_objects_v2(Bucket="front-logs")["Contents"]]
        text = "".join(self.s3.get_object(Bucket="front-logs", Key=key)["Body"].read().decode() for key in keys)
        self.assertRegex(text, r"REST\.GET\.OBJECT a%20b \"GET [^\"]*\" 403 SignatureDoesNotMatch ")
        self.assertRegex(text, r"BATCH\.DELETE\.OBJECT a%20b - 204 - ")
        self.assertRegex(text, r"BATCH\.DELETE\.OBJECT c - 204 - ")
        self.assertRegex(text, r"REST\.GET\.BUCKET - .* SigV2 - QueryString ")


if __name__ == "__main__":
    unittest.main()
