"""Bodies of objects, large and small, on their way in, at rest and out: by boto3, the AWS CLI and bare sockets."""

import hashlib
import pathlib
import socket
import subprocess
import tempfile
import threading
import urllib.request

import boto3
import botocore.config

from server import BINARY, REGION, Judge, Server, clean_environment, wait_for

MIB = 1 << 20


def noise(size, seed=1):
    """Bytes that neither compress nor repeat, the same for the same seed."""
    block = hashlib.shake_256(bytes([seed])).digest(MIB)
    return b"".join(number.to_bytes(8, "big") + block[8:] for number in range(size // MIB + 1))[:size]


def files(server):
    """Files of contents, and files that were begun."""
    blobs = server.data / "blobs"
    begun = {path for path in (blobs / "staging").iterdir()}
    return sum(1 for path in blobs.rglob("*") if path.is_file() and path not in begun), len(begun)


class Bodies(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")
        cls.s3.create_bucket(Bucket="bodies")

    def get(self, key, client=None, **more):
        return (client or self.s3).get_object(Bucket="bodies", Key=key, **more)["Body"].read()

    def presigned(self, key, credentials=None):
        s3 = self.server.client("s3", credentials, signature_version="s3v4")
        return s3.generate_presigned_url("put_object", Params={"Bucket": "bodies", "Key": key})

    def head(self, key, length, *lines, credentials=None):
        """The head of a PUT that says it brings so many bytes."""
        target = "/" + self.presigned(key, credentials).split("/", 3)[3]
        host, port = self.server.address
        lines = [f"PUT {target} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {length}", *lines]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def test_sizes_round_what_lies_in_rows_and_files(self):
        for size in (0, 1, 32 * 1024, 32 * 1024 + 1, 65536, 3 * MIB + 7):
            body = noise(size)
            answer = self.s3.put_object(Bucket="bodies", Key="size", Body=body)
            self.assertEqual(answer["ETag"].strip('"'), hashlib.md5(body).hexdigest())
            self.assertEqual(self.get("size"), body)
            if size > 10:
                self.assertEqual(self.get("size", Range="bytes=5-9"), body[5:10])
                self.assertEqual(self.get("size", Range="bytes=-3"), body[-3:])
            self.assertEqual(self.s3.head_object(Bucket="bodies", Key="size")["ContentLength"], size)

    def test_signed_unsigned_and_chunked_payloads(self):
        body = noise(5 * MIB)
        for number, settings in enumerate(({"s3": {"payload_signing_enabled": True}}, {"s3": {"payload_signing_enabled": False}})):
            plain = boto3.client(
                "s3", region_name=REGION, endpoint_url=self.server.endpoint, config=botocore.config.Config(**settings),
                aws_access_key_id=self.server.root.key, aws_secret_access_key=self.server.root.secret,
            )
            plain.put_object(Bucket="bodies", Key=f"signed-{number}", Body=body)
            self.assertEqual(self.get(f"signed-{number}"), body)
        # Over TLS, clients send the checksum behind chunks that they do not sign.
        secure = self.server.client("s3", endpoint=self.server.https, verify=self.server.authority)
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            answer = secure.put_object(Bucket="bodies", Key="chunked", Body=body, ChecksumAlgorithm=algorithm)
            self.assertIn(f"Checksum{algorithm}", answer)
            self.assertEqual(self.get("chunked", secure), body)
        url = self.presigned("presigned")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(urllib.request.Request(url, data=body, method="PUT"))
        self.assertEqual(self.get("presigned"), body)

    def test_files_go_up_and_down_in_parts(self):
        body = noise(24 * MIB)
        with tempfile.TemporaryDirectory() as folder:
            up, down = pathlib.Path(folder) / "up", pathlib.Path(folder) / "down"
            up.write_bytes(body)
            self.server.aws("s3", "cp", "--no-progress", "--only-show-errors", str(up), "s3://bodies/parts")
            self.server.aws("s3", "cp", "--no-progress", "--only-show-errors", "s3://bodies/parts", str(down))
            self.assertTrue(down.read_bytes() == body)
        self.s3.copy({"Bucket": "bodies", "Key": "parts"}, "bodies", "copy")
        self.assertEqual(self.get("copy", Range=f"bytes={8 * MIB - 2}-{8 * MIB + 1}"), body[8 * MIB - 2:8 * MIB + 2])

    def test_a_client_is_asked_for_its_body_only_once_it_was_admitted(self):
        nobody = self.user("nobody-asks")
        host, port = self.server.address
        refused = self.head("asked", 10 * MIB, "Expect: 100-continue", credentials=nobody)
        admitted = self.head("asked", 10 * MIB, "Expect: 100-continue")
        with socket.create_connection((host, port), 30) as stream:
            stream.sendall(refused)
            self.assertRegex(stream.recv(4096), b"^HTTP/1.1 403 ")
        with socket.create_connection((host, port), 30) as stream:
            stream.sendall(admitted)
            self.assertRegex(stream.recv(4096), b"^HTTP/1.1 100 ")
            stream.sendall(noise(10 * MIB))
            self.assertRegex(stream.recv(4096), b"^HTTP/1.1 200 ")

    def test_a_client_that_breaks_off_leaves_nothing(self):
        self.s3.put_object(Bucket="bodies", Key="stays", Body=b"before")
        before = files(self.server)
        for sent in (0, 100_000, 3 * MIB):
            with socket.create_connection(self.server.address, 30) as stream:
                stream.sendall(self.head("stays", 10 * MIB) + noise(sent))
        wait_for(lambda: files(self.server) == before, what=lambda: f"{files(self.server)} is not {before}")
        self.assertEqual(self.get("stays"), b"before")


class Killed(Judge):
    def test_what_was_acknowledged_survives_and_nothing_else_is_left(self):
        server = self.server
        s3 = server.client("s3")
        s3.create_bucket(Bucket="killed")
        kept, stop = {}, threading.Event()

        def put(writer):
            client, number = server.client("s3"), 0
            while not stop.is_set():
                key, body = f"{writer}/{number % 3}", noise(300_000 + 1000 * number, writer + 1)
                try:
                    client.put_object(Bucket="killed", Key=key, Body=body)
                except Exception:
                    kept.setdefault(key, set()).add(hashlib.md5(body).hexdigest())
                    return
                kept[key] = {hashlib.md5(body).hexdigest()}
                number += 1

        writers = [threading.Thread(target=put, args=(writer,)) for writer in range(4)]
        for writer in writers:
            writer.start()
        wait_for(lambda: sum(map(len, list(kept.values()))) >= 12)
        server.kill()
        stop.set()
        for writer in writers:
            writer.join()
        server.start()
        s3 = server.client("s3")
        listed = {entry["Key"] for entry in s3.list_objects_v2(Bucket="killed").get("Contents", [])}
        for key in listed:
            body = s3.get_object(Bucket="killed", Key=key)["Body"].read()
            # The put that the end cut off may have come to its own end, unheard.
            self.assertIn(hashlib.md5(body).hexdigest(), kept[key])
        self.assertTrue({key for key, sums in kept.items() if len(sums) == 1} <= listed)
        wait_for(lambda: files(server) == (len(listed), 0), what=lambda: f"{files(server)} of {len(listed)}")
        self.assertEqual(files(server), (len(listed), 0), "a file for each object, and no other")
        self.snapshot(server, s3, listed)

    def snapshot(self, server, s3, listed):
        """What was saved is a server of its own, with every object."""
        with tempfile.TemporaryDirectory() as folder:
            saved, loaded = pathlib.Path(folder) / "saved", pathlib.Path(folder) / "loaded"
            server.ringwork("snapshot", "save", str(saved))
            key = sorted(listed)[0]
            body = s3.get_object(Bucket="killed", Key=key)["Body"].read()
            s3.delete_object(Bucket="killed", Key=key)
            ended = subprocess.run([BINARY, "snapshot", "--data", str(loaded), "load", str(saved)], env=clean_environment(), capture_output=True)
            self.assertEqual(ended.returncode, 0, ended.stderr)
            for state in (saved, loaded):
                other = Server(folder=str(state))
                try:
                    self.assertEqual(other.client("s3").get_object(Bucket="killed", Key=key)["Body"].read(), body)
                finally:
                    other.close()
