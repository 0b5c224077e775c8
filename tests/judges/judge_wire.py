"""Signatures, protocols and limits as clients meet them."""

import datetime
import gzip
import http.client
import json
import os
import socket
import ssl
import subprocess
import unittest
import unittest.mock
import urllib.error
import urllib.parse
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.compat
import botocore.credentials
from server import REGION, Credentials, Judge, Refused, Server, StartRefused, statement


class Signatures(Judge):
    def test_an_unsigned_call_is_refused(self):
        """S1.14, S1.15: who shows no credential is nobody."""
        sts = self.server.client("sts", "unsigned")
        self.refused("MissingAuthenticationToken", sts.get_caller_identity, status=403)
        kms = self.server.client("kms", "unsigned")
        self.refused("MissingAuthenticationTokenException", kms.list_keys)

    def test_a_wrong_secret_is_refused_with_what_should_have_been_signed(self):
        """S1.1: the credential is verified before anything else."""
        root = self.server.root
        sts = self.server.client("sts", Credentials(root.key, "x" * 40))
        error = self.refused("SignatureDoesNotMatch", sts.get_caller_identity, status=403)["Error"]
        self.assertIn("The request signature we calculated does not match", error["Message"])
        with self.assertRaises(Refused) as caught:
            self.server.aws("sts", "get-caller-identity", credentials=Credentials(root.key, "x" * 40))
        self.assertIn("SignatureDoesNotMatch", caught.exception.words)

    def test_an_unknown_key_is_refused(self):
        sts = self.server.client("sts", Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40))
        self.refused("InvalidClientTokenId", sts.get_caller_identity, status=403)
        kms = self.server.client("kms", Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40))
        self.refused("UnrecognizedClientException", kms.list_keys)

    def skewed(self, minutes):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(minutes=minutes)
        return unittest.mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: now)

    def test_a_clock_may_be_fifteen_minutes_off_and_no_more(self):
        sts = self.server.client("sts")
        for minutes in (-14, 14):
            with self.skewed(minutes):
                sts.get_caller_identity()
        for minutes in (-16, 16):
            with self.skewed(minutes):
                error = self.refused("SignatureDoesNotMatch", sts.get_caller_identity, status=403)["Error"]
                self.assertRegex(error["Message"], "Signature (expired|not yet current)")

    def presigned(self, seconds, credentials=None, minutes=0):
        sts = self.server.client("sts", credentials)
        with self.skewed(minutes):
            return sts.generate_presigned_url("get_caller_identity", ExpiresIn=seconds, HttpMethod="GET")

    def get(self, url):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def test_a_presigned_address_works_until_it_expires(self):
        status, body = self.get(self.presigned(60))
        self.assertEqual(status, 200, body)
        self.assertIn(f"arn:aws:iam::{self.server.account}:root", body)
        status, body = self.get(self.presigned(60, minutes=-2))
        self.assertEqual(status, 403, body)
        self.assertRegex(body, "<Code>(ExpiredToken|SignatureDoesNotMatch|RequestExpired|AccessDenied)</Code>")
        self.assertIn("xpired", body)

    def test_a_presigned_address_cannot_be_changed(self):
        url = self.presigned(60)
        for changed in (url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), url + "&Extra=1"):
            status, body = self.get(changed)
            self.assertEqual((status, "SignatureDoesNotMatch" in body), (403, True), body)

    def test_a_session_token_that_was_changed_is_refused(self):
        session = Credentials.of(self.server.client("sts", self.user("tamper")).get_session_token())
        self.server.client("sts", session).get_caller_identity()
        middle = len(session.token) // 2
        other = "A" if session.token[middle] != "A" else "B"
        changed = session.token[:middle] + other + session.token[middle + 1:]
        for token in (changed, session.token[:-8], None, "x"):
            tampered = Credentials(session.key, session.secret, token)
            self.refused("InvalidClientTokenId", self.server.client("sts", tampered).get_caller_identity, status=403)

    def test_a_body_that_was_not_signed_is_refused(self):
        request = signed(self.server, "sts", "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", FORM)
        request.data = b"Action=GetSessionToken&Version=2011-06-15"
        status, _, body = send(self.server, request)
        self.assertEqual((status, b"SignatureDoesNotMatch" in body), (403, True), body)

    def test_a_refused_signature_is_recorded(self):
        """S12.1: calls that fail authentication are in the trail too."""
        user = self.user("recorded")
        self.refused(
            "SignatureDoesNotMatch", self.server.client("sts", Credentials(user.key, "y" * 40)).get_session_token
        )
        events = self.events("GetSessionToken", errorCode="SignatureDoesNotMatch")
        self.assertIn(user.key, [event["userIdentity"].get("accessKeyId") for event in events])


FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def signed(server, service, method, path, body=b"", headers=None, credentials=None):
    """A request signed by botocore, to be changed on its way."""
    keys = credentials or server.root
    request = botocore.awsrequest.AWSRequest(
        method=method, url=server.endpoint + path, data=body, headers=dict(headers or {})
    )
    keys = botocore.credentials.Credentials(keys.key, keys.secret, keys.token)
    botocore.auth.SigV4Auth(keys, service, REGION).add_auth(request)
    return request


def send(server, request):
    """Sends a request as it is, and tells status, headers and body."""
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    try:
        address = urllib.parse.urlsplit(request.url)
        target = address.path + (f"?{address.query}" if address.query else "")
        connection.request(request.method, target, body=request.data, headers=dict(request.headers))
        answer = connection.getresponse()
        return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read()
    finally:
        connection.close()


class Protocols(Judge):
    # One operation of each protocol that is not built yet, by the client that speaks it.
    NOT_BUILT = [
        ("restXml", "s3", "get_object_torrent", {"Bucket": "abc", "Key": "a"}),
        ("restXml with a body", "cloudfront", "list_distributions", {}),
        ("restXml", "route53", "list_hosted_zones", {}),
        ("restJson1", "lambda", "list_event_source_mappings", {}),
        ("restJson1 with a path", "lambda", "list_function_url_configs", {"FunctionName": "a"}),
        ("ec2Query", "ec2", "describe_vpcs", {}),
        ("awsQuery", "sns", "list_topics", {}),
        ("awsQuery", "elbv2", "describe_load_balancers", {}),
        ("awsJson1.1", "kinesis", "list_streams", {}),
        ("awsJson1.0", "sqs", "list_queues", {}),
        ("this client's choice of three", "cloudwatch", "describe_alarms", {}),
        ("awsJson1.1", "logs", "describe_log_groups", {}),
    ]

    def test_what_is_not_built_says_so_in_the_clients_protocol(self):
        for protocol, service, operation, arguments in self.NOT_BUILT:
            with self.subTest(protocol=protocol, service=service):
                client = self.server.client(service)
                answer = self.refused("NotImplemented", getattr(client, operation), status=501, **arguments)
                name = client.meta.method_to_api_mapping[operation]
                self.assertIn(name, answer["Error"]["Message"])
                self.assertTrue(answer["ResponseMetadata"].get("RequestId"))

    def test_what_is_not_built_is_not_told_to_strangers(self):
        """S1.2: authorization comes after authentication, and so does everything else."""
        for protocol, service, operation, arguments in self.NOT_BUILT:
            with self.subTest(protocol=protocol, service=service):
                client = self.server.client(service, Credentials("AKIAIOSFODNN7EXAMPLE", "x" * 40))
                with self.assertRaises(botocore.exceptions.ClientError) as caught:
                    getattr(client, operation)(**arguments)
                answer = caught.exception.response
                self.assertIn(answer["ResponseMetadata"]["HTTPStatusCode"], (400, 401, 403))
                self.assertNotEqual(answer["Error"]["Code"], "NotImplemented")

    def metrics(self, headers, body, path="/"):
        return send(self.server, signed(self.server, "monitoring", "POST", path, body, headers))

    def test_cloudwatch_is_spoken_in_three_protocols(self):
        status, _, body = self.metrics(FORM, b"Action=DescribeAlarms&Version=2010-08-01")
        self.assertEqual((status, b"<Code>NotImplemented</Code>" in body), (501, True), body)
        target = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "GraniteServiceVersion20100801.DescribeAlarms"}
        status, _, body = self.metrics(target, b"{}")
        self.assertEqual((status, json.loads(body)["__type"].split("#")[-1]), (501, "NotImplemented"))
        cbor = {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms"
        status, headers, body = self.metrics(cbor, b"\xa0", path)
        self.assertEqual((status, headers.get("smithy-protocol"), b"NotImplemented" in body), (501, "rpc-v2-cbor", True))

    def test_an_operation_that_no_model_has_is_refused(self):
        status, _, body = send(self.server, signed(self.server, "sts", "POST", "/", b"Action=Nothing&Version=2011-06-15", FORM))
        self.assertEqual((status, b"<Code>InvalidAction</Code>" in body), (400, True), body)
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.Nothing"}
        status, _, body = send(self.server, signed(self.server, "kms", "POST", "/", b"{}", headers))
        self.assertEqual((status, b"UnknownOperationException" in body), (400, True), body)

    def kms(self, operation, body):
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{operation}"}
        status, _, body = send(self.server, signed(self.server, "kms", "POST", "/", body, headers))
        return status, json.loads(body)

    def test_a_malformed_body_is_a_serialization_error(self):
        for body in (b"{", b"[]", b'{"KeyId": 7}', b'{"KeyId": "a", "Plaintext": "*"}', b"\xff\xfe", b"[" * 5000, b'"x"'):
            with self.subTest(body=body[:20]):
                status, answer = self.kms("Encrypt", body)
                self.assertEqual((status, answer["__type"].split("#")[-1]), (400, "SerializationException"))

    def test_a_broken_constraint_is_a_validation_error(self):
        status, answer = self.kms("ScheduleKeyDeletion", b'{"KeyId": "", "PendingWindowInDays": 0}')
        self.assertEqual((status, answer["__type"].split("#")[-1]), (400, "ValidationException"), answer)
        status, answer = self.kms("Encrypt", b"{}")
        self.assertEqual((status, answer["__type"].split("#")[-1]), (400, "ValidationException"), answer)
        iam = self.server.client("iam", parameter_validation=False)
        self.refused("ValidationError", iam.create_user, UserName="", status=400)
        self.refused("ValidationError", iam.create_user, UserName="a b", status=400)

    def test_malformed_queries_and_xml_are_refused(self):
        for body in (b"Action=CreateUser&Version=2010-05-08&UserName=%ff", b"Action=ListUsers&Version=2010-05-08&MaxItems=x"):
            status, _, answer = send(self.server, signed(self.server, "iam", "POST", "/", body, FORM))
            self.assertEqual((status, b"<Error>" in answer), (400, True), answer)
        for body in (b"<", b"<Tagging><TagSet>", b'<!DOCTYPE x [<!ENTITY a "b">]><Tagging>&a;</Tagging>'):
            request = signed(
                self.server, "s3", "PUT", "/bucket?tagging", body, {"content-type": "application/xml", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
            )
            status, _, answer = send(self.server, request)
            self.assertIn(status, (400, 403, 501), answer)

    def test_a_compressed_body_is_read(self):
        body = gzip.compress(b"{}")
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "TrentService.ListKeys", "content-encoding": "gzip"}
        status, _, answer = send(self.server, signed(self.server, "kms", "POST", "/", body, headers))
        self.assertEqual((status, "Keys" in json.loads(answer)), (200, True), answer)

    def test_every_answer_has_a_request_id_that_the_trail_knows(self):
        answer = self.server.client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"]
        self.assertIn(answer, [event["requestID"] for event in self.events("GetCallerIdentity")])


class Endpoint(Judge):
    def test_https_is_spoken_on_the_same_port(self):
        """S8.29: data in transit is protected by TLS."""
        sts = self.server.client("sts", endpoint=self.server.https, verify=self.server.authority)
        self.assertEqual(sts.get_caller_identity()["Account"], self.server.account)
        identity = self.server.aws(
            "sts", "get-caller-identity", AWS_CA_BUNDLE=self.server.authority, AWS_ENDPOINT_URL_STS=self.server.https
        )
        self.assertEqual(identity["Account"], self.server.account)
        self.assertTrue(any("tlsDetails" in event for event in self.events("GetCallerIdentity")))

    def test_who_does_not_know_the_authority_does_not_trust_it(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            with socket.create_connection(self.server.address) as plain:
                ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")

    def test_env_prints_what_a_shell_needs(self):
        script = 'eval "$(ringwork env --tls --data "$1")" && aws sts get-caller-identity --query Account --output text'
        environment = self.server.environment()
        for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
            environment.pop(name)
        ended = subprocess.run(
            ["bash", "-ec", script, "shell", str(self.server.data)], env=environment, capture_output=True, text=True
        )
        self.assertEqual((ended.returncode, ended.stdout.strip()), (0, self.server.account), ended.stderr)

    def test_commands_end_quietly_when_nobody_reads_them(self):
        read, write = os.pipe()
        os.close(read)
        try:
            ended = subprocess.run(
                ["ringwork", "status", "--data", str(self.server.data)],
                env=self.server.environment(), stdout=write, stderr=subprocess.PIPE, text=True,
            )
        finally:
            os.close(write)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_health_is_told_without_credentials(self):
        for name in ("health", "live", "ready"):
            with urllib.request.urlopen(f"{self.server.endpoint}/_ringwork/{name}") as answer:
                self.assertEqual(answer.status, 200)
        with urllib.request.urlopen(f"{self.server.endpoint}/_ringwork/health") as answer:
            self.assertEqual(json.load(answer)["services"]["kms"], "available")

    def test_control_paths_are_roots_alone(self):
        admin = self.user("control", statement("*"))
        for credentials, status in ((self.server.root, 200), (admin, 403), (Credentials("AKIAIOSFODNN7EXAMPLE", "x"), 403)):
            request = signed(self.server, "ringwork", "GET", "/_ringwork/status", credentials=credentials)
            self.assertEqual(send(self.server, request)[0], status)
        request = signed(self.server, "ringwork", "GET", "/_ringwork/status")
        del request.headers["Authorization"]
        self.assertEqual(send(self.server, request)[0], 403)

    def raw(self, *parts):
        with socket.create_connection(self.server.address, timeout=30) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:
                pass  # The server may close before everything is sent; what it said is read below.
            return connection.makefile("rb").readline()

    def test_what_is_too_large_is_refused(self):
        head = b"POST / HTTP/1.1\r\nhost: localhost\r\n"
        many = b"".join(b"x-filler-%d: %s\r\n" % (number, b"y" * 1000) for number in range(200))
        self.assertIn(b" 431 ", self.raw(head + many + b"\r\n"))
        self.assertIn(b" 413 ", self.raw(head + b"content-length: 999999999999\r\n\r\n"))
        self.assertIn(b" 400 ", self.raw(b"what is this\r\n\r\n"))
        self.server.client("sts").get_caller_identity()

    def test_an_unknown_option_or_variable_refuses_the_start(self):
        for arguments, variables in ((["--no-such-option"], {}), ([], {"RINGWORK_LISTN": "127.0.0.1:1"})):
            ended = subprocess.run(
                [os.environ["JUDGED_BINARY"], "serve", "--memory", "--listen", "127.0.0.1:0", *arguments],
                env={**self.server.environment(), **variables}, capture_output=True, text=True, timeout=30,
            )
            self.assertEqual(ended.returncode, 2, ended.stderr)

    def test_a_second_server_on_the_same_folder_is_refused(self):
        with self.assertRaises(StartRefused):
            Server(folder=self.server.data)
        self.server.client("sts").get_caller_identity()


if __name__ == "__main__":
    unittest.main()
