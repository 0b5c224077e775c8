"""Websites of S3 as browsers see them, and a flood of strangers that the signed callers do not feel."""

import hashlib
import http.client
import re
import resource
import socket
import threading
import unittest

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from server import Judge, policy, statement

SITE = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "errors/lost.html"}}


class Site(Judge):
    """Buckets that are websites, and their visitors."""

    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def site(self, name, configuration=SITE, files=None, public=True, **more):
        self.s3.create_bucket(Bucket=name, **more)
        if configuration:
            self.s3.put_bucket_website(Bucket=name, WebsiteConfiguration=configuration)
        if public:
            self.open(name)
        for key, body in (files or {}).items():
            self.s3.put_object(Bucket=name, Key=key, Body=body, ContentType="text/html")

    def open(self, name, *actions):
        self.s3.delete_public_access_block(Bucket=name)
        allowed = statement(list(actions) or "s3:GetObject", f"arn:aws:s3:::{name}/*", Principal="*")
        self.s3.put_bucket_policy(Bucket=name, Policy=policy(allowed))

    def visit(self, name, path, method="GET", endpoint="s3-website.localhost", headers=None, body=None):
        """What a browser gets that follows nothing: status, headers, body."""
        connection = http.client.HTTPConnection(*self.server.address, timeout=30)
        try:
            host = f"{name}.{endpoint}:{self.server.address[1]}"
            connection.request(method, path, body=body, headers={"Host": host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()


class Website(Site):
    def page(self, name, path, status, code, **more):
        """The error page, which must be of AWS's shape."""
        got, headers, body = self.visit(name, path, **more)
        self.assertEqual(got, status, body)
        self.assertEqual(headers["Content-Type"], "text/html; charset=utf-8")
        self.assertEqual(headers["x-amz-error-code"], code)
        self.assertIn(f"<title>{status} ", body)
        items = dict(re.findall(r"<li>(\w+): (.*)</li>", body.split("<h3>")[0]))
        self.assertEqual(items["Code"], code)
        self.assertEqual(items["RequestId"], headers["x-amz-request-id"])
        self.assertEqual(items["HostId"], headers["x-amz-id-2"])
        return items, body

    def test_pages_are_served_to_strangers(self):
        self.site("pages", files={"index.html": b"<h1>home</h1>", "docs/index.html": b"docs", "a b.html": b"spaced", "errors/lost.html": b"lost"})
        for endpoint in ("s3-website.localhost", "s3-website-us-east-1.localhost", "s3-website.us-east-1.localhost", "s3-website-us-east-1.amazonaws.com", "s3-website.us-east-1.amazonaws.com"):
            status, headers, body = self.visit("pages", "/", endpoint=endpoint)
            self.assertEqual((status, body, headers["Content-Type"]), (200, "<h1>home</h1>", "text/html"), endpoint)
        self.assertEqual(self.visit("pages", "/docs/")[2], "docs")
        self.assertEqual(self.visit("pages", "/a%20b.html?v=1")[2], "spaced")
        # A folder without its slash: the visitor is sent to the one with it.
        status, headers, body = self.visit("pages", "/docs")
        self.assertEqual((status, headers["Location"]), (302, "/docs/"))
        status, headers, body = self.visit("pages", "/index.html", method="HEAD")
        self.assertEqual((status, headers["Content-Length"], body), (200, "13", ""))
        status, headers, body = self.visit("pages", "/index.html", headers={"Range": "bytes=4-7"})
        self.assertEqual((status, headers["Content-Range"], body), (206, "bytes 4-7/13", "home"))
        etag = self.visit("pages", "/")[1]["ETag"]
        self.assertEqual(self.visit("pages", "/", headers={"If-None-Match": etag})[0], 304)
        self.assertEqual(self.visit("pages", "/", headers={"If-Match": '"other"'})[0], 412)
        # What would be a signature is no matter to a website.
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20261122/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"}
        self.assertEqual(self.visit("pages", "/", headers=signed)[0], 200)

    def test_errors_are_pages(self):
        self.site("lost", files={"index.html": b"home", "errors/lost.html": b"<h1>lost</h1>"})
        # Who may not list learns nothing of what is there: 403 on AWS too.
        status, headers, body = self.visit("lost", "/none.html")
        self.assertEqual((status, body), (403, "<h1>lost</h1>"))
        listed = statement("s3:ListBucket", "arn:aws:s3:::lost", Principal="*")
        read = statement("s3:GetObject", "arn:aws:s3:::lost/*", Principal="*")
        self.s3.put_bucket_policy(Bucket="lost", Policy=policy(listed, read))
        status, headers, body = self.visit("lost", "/none.html")
        self.assertEqual((status, body, headers["x-amz-error-code"]), (404, "<h1>lost</h1>", "NoSuchKey"))
        self.s3.delete_object(Bucket="lost", Key="errors/lost.html")
        items, body = self.page("lost", "/%3Cscript%3E", 404, "NoSuchKey")
        self.assertEqual(items["Key"], "&lt;script&gt;")
        self.assertIn("An Error Occurred While Attempting to Retrieve a Custom Error Document", body)
        self.page("nobody-has-it", "/", 404, "NoSuchBucket")
        self.site("plain-bucket", configuration=None, files={"index.html": b"x"})
        items, _ = self.page("plain-bucket", "/", 404, "NoSuchWebsiteConfiguration")
        self.assertEqual(items["BucketName"], "plain-bucket")
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            items, _ = self.page("lost", "/index.html", 405, "MethodNotAllowed", method=method, body=b"x" * 100)
            self.assertEqual(items["Method"], method)
        self.assertEqual(self.s3.get_object(Bucket="lost", Key="index.html")["Body"].read(), b"home")

    def test_the_way_of_every_read_is_gone(self):
        """Public access is blocked, or the policy is silent, or the key is KMS's: nobody reads."""
        self.site("shut", configuration={"IndexDocument": {"Suffix": "index.html"}}, files={"index.html": b"home"}, public=False)
        self.page("shut", "/", 403, "AccessDenied")
        self.open("shut")
        self.assertEqual(self.visit("shut", "/")[0], 200)
        block = {"BlockPublicAcls": False, "IgnorePublicAcls": False, "BlockPublicPolicy": False, "RestrictPublicBuckets": True}
        self.s3.put_public_access_block(Bucket="shut", PublicAccessBlockConfiguration=block)
        self.page("shut", "/", 403, "AccessDenied")
        self.s3.delete_public_access_block(Bucket="shut")
        self.s3.delete_bucket_policy(Bucket="shut")
        self.page("shut", "/", 403, "AccessDenied")
        # By an access control list, where lists count.
        self.s3.put_bucket_ownership_controls(Bucket="shut", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
        self.s3.put_object_acl(Bucket="shut", Key="index.html", ACL="public-read")
        self.assertEqual(self.visit("shut", "/")[0], 200)
        self.s3.put_object(Bucket="shut", Key="index.html", Body=b"sealed", ServerSideEncryption="aws:kms", ACL="public-read")
        status, _, body = self.visit("shut", "/")
        self.assertEqual(status, 400)
        self.assertNotIn("sealed", body)

    def test_visitors_are_sent_elsewhere(self):
        port = self.server.address[1]
        self.site("all", configuration={"RedirectAllRequestsTo": {"HostName": "www.example.com", "Protocol": "https"}})
        status, headers, _ = self.visit("all", "/a/b?c=d")
        self.assertEqual((status, headers["Location"]), (301, "https://www.example.com/a/b?c=d"))
        rules = [
            {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}},
            {"Condition": {"KeyPrefixEquals": "old.html"}, "Redirect": {"ReplaceKeyWith": "new.html", "HttpRedirectCode": "307"}},
            {"Condition": {"HttpErrorCodeReturnedEquals": "403", "KeyPrefixEquals": "app/"}, "Redirect": {"HostName": "app.example.com", "Protocol": "https", "HttpRedirectCode": "302"}},
        ]
        self.site("rules", configuration={**SITE, "RoutingRules": rules}, files={"index.html": b"home", "errors/lost.html": b"lost", "app/here": b"here"})
        location = lambda path: (lambda answer: (answer[0], answer[1]["Location"]))(self.visit("rules", path))
        self.assertEqual(location("/docs/a%20b"), (301, f"http://rules.s3-website.localhost:{port}/documents/a%20b"))
        self.assertEqual(location("/old.html"), (307, f"http://rules.s3-website.localhost:{port}/new.html"))
        self.assertEqual(location("/app/gone"), (302, "https://app.example.com/app/gone"))
        self.assertEqual(self.visit("rules", "/app/here")[2], "here")
        self.assertEqual(self.visit("rules", "/gone")[2], "lost")
        self.s3.put_object(Bucket="rules", Key="moved", Body=b"x", WebsiteRedirectLocation="https://example.com/there")
        self.assertEqual(location("/moved"), (301, "https://example.com/there"))
        too_many = {"IndexDocument": {"Suffix": "i"}, "RoutingRules": rules[:1] * 51}
        self.refused("InvalidRequest", self.s3.put_bucket_website, Bucket="rules", WebsiteConfiguration=too_many, status=400)

    def test_visits_are_recorded_and_logged(self):
        self.site("told", files={"index.html": b"home", "errors/lost.html": b"lost"})
        self.s3.create_bucket(Bucket="told-logs")
        delivers = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::told-logs/*"}
        self.s3.put_bucket_policy(Bucket="told-logs", Policy=policy(delivers))
        self.s3.put_bucket_logging(Bucket="told", BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": "told-logs", "TargetPrefix": ""}})
        _, headers, _ = self.visit("told", "/index.html")
        why = self.server.ringwork("why", headers["x-amz-request-id"])
        self.assertIn("s3:GetObject", why)
        self.assertIn("the bucket policy of told", why)
        _, headers, _ = self.visit("told", "/none")
        self.assertIn("AccessDenied", self.server.ringwork("why", headers["x-amz-request-id"]))
        self.visit("told", "/index.html", method="POST")
        self.server.ringwork("clock", "advance", "2h")
        lines = "".join(
            self.s3.get_object(Bucket="told-logs", Key=one["Key"])["Body"].read().decode()
            for one in self.s3.list_objects_v2(Bucket="told-logs")["Contents"]
        )
        self.assertRegex(lines, r'(?m)^\S+ told \[.*?\] 127\.0\.0\.1 - \S+ WEBSITE\.GET\.OBJECT index\.html "GET /index\.html HTTP/1\.1" 200 - 4 4 ')
        self.assertRegex(lines, r'(?m)WEBSITE\.GET\.OBJECT none "GET /none HTTP/1\.1" 403 AccessDenied 4 ')
        self.assertRegex(lines, r'(?m)WEBSITE\.POST\.OBJECT index\.html "POST /index\.html HTTP/1\.1" 405 MethodNotAllowed ')

    def test_other_origins_read_what_the_bucket_shares(self):
        self.site("shared", files={"index.html": b"home"})
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.example.com"]}
        self.s3.put_bucket_cors(Bucket="shared", CORSConfiguration={"CORSRules": [rule]})
        _, headers, _ = self.visit("shared", "/", headers={"Origin": "https://a.example.com"})
        self.assertEqual(headers["Access-Control-Allow-Origin"], "https://a.example.com")
        _, headers, _ = self.visit("shared", "/", headers={"Origin": "https://b.example.com"})
        self.assertNotIn("Access-Control-Allow-Origin", headers)
        asks = {"Origin": "https://a.example.com", "Access-Control-Request-Method": "GET"}
        status, headers, _ = self.visit("shared", "/", method="OPTIONS", headers=asks)
        self.assertEqual((status, headers["Access-Control-Allow-Methods"]), (200, "GET"))


class Flood(Site):
    """S20.5: what strangers do to a site is absorbed; callers who sign do not feel it."""

    # Checked against Bounds::STANDARD and the listener's limits, which docs/s3-websites.md tells.
    STREAMS, STREAMS_OF_PEER, CONNECTIONS_OF_PEER = 128, 64, 1024
    LARGE = 8 << 20

    @classmethod
    def setUpClass(cls):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        super().setUpClass()

    def stranger(self, address):
        """A connection from one of the machine's many own addresses, which takes little at a time."""
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(60)
        sock.bind((address, 0))
        sock.connect(self.server.address)
        return sock

    def ask(self, sock, name, path, host=None):
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or f'{name}.s3-website.localhost'}\r\n\r\n".encode())

    def head(self, sock):
        """The status and headers of an answer, and what came of its body with them."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            piece = sock.recv(4096)
            self.assertTrue(piece, "the connection ended before an answer")
            seen += piece
        head, _, rest = seen.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return int(status.split()[1]), headers, rest

    def whole(self, sock):
        status, headers, body = self.head(sock)
        while len(body) < int(headers["content-length"]):
            body += sock.recv(65536)
        return status, headers, body

    def signed(self, connection, path):
        """A signed call on one connection that is kept."""
        host = "{}:{}".format(*self.server.address)
        request = botocore.awsrequest.AWSRequest("GET", f"http://{host}{path}", headers={"Host": host, "x-amz-content-sha256": hashlib.sha256().hexdigest()})
        keys = botocore.credentials.Credentials(self.server.root.key, self.server.root.secret)
        botocore.auth.S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        connection.request("GET", path, headers=dict(request.headers))
        answer = connection.getresponse()
        body = answer.read()
        self.assertEqual(answer.status, 200, body)
        return body

    def test_slow_readers_take_the_strangers_share_alone(self):
        self.site("slow", files={"index.html": b"home", "large": bytes(self.LARGE)})
        refused = []
        for address, count in (("127.0.0.2", self.STREAMS_OF_PEER), ("127.0.0.3", self.STREAMS - self.STREAMS_OF_PEER)):
            for _ in range(count):
                sock = self.stranger(address)
                self.ask(sock, "slow", "/large")
                self.assertEqual(self.head(sock)[0], 200)
            sock = self.stranger(address)
            self.ask(sock, "slow", "/large")
            refused.append(self.whole(sock))
        # All is taken: one more peer is told to slow down, in the form that it speaks.
        sock = self.stranger("127.0.0.4")
        self.ask(sock, "slow", "/large")
        refused.append(self.whole(sock))
        for status, headers, body in refused:
            self.assertEqual((status, headers["x-amz-error-code"]), (503, "SlowDown"))
            self.assertIn(b"<li>Code: SlowDown</li>", body)
        self.ask(sock, "slow", "/slow/large", host="127.0.0.1")
        status, _, body = self.whole(sock)
        self.assertEqual(status, 503)
        self.assertIn(b"<Code>SlowDown</Code><Message>Please reduce your request rate.</Message>", body)
        # What is small is served on, and who signs gets everything, on new connections too.
        self.ask(sock, "slow", "/")
        self.assertEqual(self.whole(sock)[0::2], (200, b"home"))
        mine = self.server.client("s3")
        mine.put_object(Bucket="slow", Key="mine", Body=bytes(self.LARGE))
        self.assertEqual(len(mine.get_object(Bucket="slow", Key="mine")["Body"].read()), self.LARGE)
        # The first refusal of a second is recorded.
        self.assertIn("SlowDown", self.server.ringwork("why", refused[0][1]["x-amz-request-id"]))
        # Once they are gone, strangers are served again.
        self.doCleanups()
        for _ in range(1000):
            sock = self.stranger("127.0.0.2")
            self.ask(sock, "slow", "/large")
            status, _, _ = self.head(sock)
            sock.close()
            if status == 200:
                break
        self.assertEqual(status, 200)

    def test_many_connections_take_places_from_each_other(self):
        self.site("crowded", files={"index.html": b"home"})
        kept = http.client.HTTPConnection(*self.server.address, timeout=60)
        self.addCleanup(kept.close)
        self.signed(kept, "/crowded?list-type=2")
        visitor = self.stranger("127.0.0.3")
        self.ask(visitor, "crowded", "/")
        self.assertEqual(self.whole(visitor)[0], 200)
        more = 6
        for address in ("127.0.0.2", "127.0.0.1"):
            crowd = []
            for _ in range(self.CONNECTIONS_OF_PEER + more):
                sock = self.stranger(address)
                self.ask(sock, "crowded", "/_ringwork/live")
                self.assertEqual(self.whole(sock)[0], 200)
                crowd.append(sock)
            # The oldest made room for the newest.
            for sock in crowd[:more]:
                self.assertEqual(sock.recv(1), b"")
            for sock in crowd[100::100]:
                self.ask(sock, "crowded", "/")
                self.assertEqual(self.whole(sock)[0::2], (200, b"home"))
            # The connection of a caller who signed is the same as before, also among strangers of the same host.
            self.signed(kept, "/crowded?list-type=2")
            self.assertEqual(self.server.client("s3").list_objects_v2(Bucket="crowded")["KeyCount"], 1)
            if address == "127.0.0.2":
                for sock in crowd:
                    sock.close()
        self.ask(visitor, "crowded", "/")
        self.assertEqual(self.whole(visitor)[0::2], (200, b"home"))

    def test_a_storm_of_requests_leaves_signed_calls_alone(self):
        self.site("storm", files={"index.html": b"home"})
        large = "GET / HTTP/1.1\r\nHost: storm.s3-website.localhost\r\nX-Large: " + "x" * (128 << 10) + "\r\n\r\n"
        answers, lock = [], threading.Lock()

        def flood(number):
            address = f"127.0.1.{number}"
            drips = [self.stranger(address) for _ in range(20)]
            for sock in drips:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: storm")
            sock, seen = self.stranger(address), []
            for at in range(100):
                self.ask(sock, "storm", "/" if at % 2 else "/none")
                seen.append(self.whole(sock)[0])
            heavy = self.stranger(address)
            try:
                heavy.sendall(large.encode())
                seen.append(self.whole(heavy)[0])
            except ConnectionError:
                seen.append(431)
            with lock:
                answers.extend(seen)

        threads = [threading.Thread(target=flood, args=(number,)) for number in range(1, 9)]
        for thread in threads:
            thread.start()
        for at in range(40):
            self.s3.put_object(Bucket="storm", Key=f"signed/{at}", Body=b"x" * 1000)
            self.assertEqual(self.s3.get_object(Bucket="storm", Key=f"signed/{at}")["Body"].read(), b"x" * 1000)
        for thread in threads:
            thread.join(120)
        self.assertEqual(len(answers), 8 * 101)
        self.assertLessEqual(set(answers), {200, 403, 431, 503})
        self.assertEqual(answers.count(431), 8)


if __name__ == "__main__":
    unittest.main()
