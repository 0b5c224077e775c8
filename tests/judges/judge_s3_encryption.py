"""Objects under every mode of server-side encryption, by boto3 and the AWS CLI: who may open them, what KMS and the trail see of
it, and what lies on the disk."""

import base64
import hashlib
import json
import os
import pathlib
import tempfile
import unittest

from server import Judge, statement

TEXT = b"The quick brown fox guards the payroll of November. " * 3000
PART = 5 << 20


class Sealed(Judge):
    """What these tests share: one server, one key, one bucket."""

    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")
        cls.kms = cls.server.client("kms")
        cls.key = cls.kms.create_key()["KeyMetadata"]["Arn"]
        cls.bucket = cls.made("judge-sealed")

    @classmethod
    def made(cls, name):
        cls.s3.create_bucket(Bucket=name)
        return name

    def put(self, name, body=TEXT, client=None, bucket=None, **more):
        return (client or self.s3).put_object(Bucket=bucket or self.bucket, Key=name, Body=body, **more)

    def get(self, name, client=None, bucket=None, **more):
        return (client or self.s3).get_object(Bucket=bucket or self.bucket, Key=name, **more)["Body"].read()

    def head(self, name, **more):
        return self.s3.head_object(Bucket=self.bucket, Key=name, **more)

    def by_kms(self, **more):
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key, **more}

    def arn(self, name, bucket=None):
        return f"arn:aws:s3:::{bucket or self.bucket}/{name}"

    def asked(self, operation, arn):
        """KMS's events of an operation for S3, by the ARN in their context."""
        found = []
        for event in self.events(operation):
            context = (event.get("requestParameters") or {}).get("encryptionContext") or {}
            if context.get("aws:s3:arn") == arn:
                found.append(event)
        return found

    def unreadable(self, *secrets):
        """None of these octets lies anywhere in the data folder."""
        self.assertTrue(list(self.server.data.rglob("*")))
        for file in self.server.data.rglob("*"):
            if file.is_file() and file.name != "root-credentials.json":
                octets = file.read_bytes()
                for secret in secrets:
                    self.assertNotIn(secret, octets, file)


class Default(Sealed):
    def test_every_object_is_encrypted_though_nobody_asked(self):
        """S21.1, S21.3, S21.5, S21.6, S21.7, S21.8: answers say AES256, reads give the bytes back, the disk has none of them."""
        made = self.put("plain")
        self.assertEqual(made["ServerSideEncryption"], "AES256")
        self.assertEqual(made["ETag"].strip('"'), hashlib.md5(TEXT).hexdigest())
        self.assertEqual(self.head("plain")["ServerSideEncryption"], "AES256")
        self.assertEqual(self.get("plain"), TEXT)
        self.assertEqual(self.get("plain", Range="bytes=70000-70020"), TEXT[70000:70021])
        self.put("small", b"a secret of few octets")
        self.assertEqual(self.get("small"), b"a secret of few octets")
        self.unreadable(TEXT[:40], b"a secret of few octets")
        rules = self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        self.assertEqual(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")

    def test_no_key_is_to_be_configured(self):
        """S21.3, S21.4: the mode of the service's own keys is no business of KMS, with or without bucket keys."""
        self.put("own", BucketKeyEnabled=True)
        self.assertEqual(self.get("own"), TEXT)
        self.assertEqual(self.asked("GenerateDataKey", self.arn("own")), [])
        self.assertEqual([key for key in self.kms.list_aliases()["Aliases"] if key["AliasName"] == "alias/aws/s3"], [])

    def test_the_cli_uploads_and_downloads(self):
        """S21.1: `aws s3 cp`, with nothing but a file."""
        with tempfile.TemporaryDirectory() as folder:
            there, back = pathlib.Path(folder, "there"), pathlib.Path(folder, "back")
            there.write_bytes(TEXT)
            aws = lambda *words: self.server.aws("s3api", *words)
            made = aws("put-object", "--bucket", self.bucket, "--key", "cli", "--body", str(there))
            self.assertEqual(made["ServerSideEncryption"], "AES256")
            read = aws("get-object", "--bucket", self.bucket, "--key", "cli", str(back))
            self.assertEqual((read["ServerSideEncryption"], back.read_bytes()), ("AES256", TEXT))


class Kms(Sealed):
    def test_the_flow_of_a_data_key(self):
        """S8.35, S21.11, S21.12, S21.13, S21.26: one GenerateDataKey for the write and one Decrypt for the read, by S3 for the caller."""
        made = self.put("flow", **self.by_kms())
        self.assertEqual((made["ServerSideEncryption"], made["SSEKMSKeyId"]), ("aws:kms", self.key))
        self.assertNotEqual(made["ETag"].strip('"'), hashlib.md5(TEXT).hexdigest())
        self.assertEqual(self.asked("Decrypt", self.arn("flow")), [])
        self.assertEqual(self.head("flow")["SSEKMSKeyId"], self.key)
        self.assertEqual(self.asked("Decrypt", self.arn("flow")), [])
        self.assertEqual(self.get("flow"), TEXT)
        for operation in ("GenerateDataKey", "Decrypt"):
            told = self.asked(operation, self.arn("flow"))
            self.assertEqual(len(told), 1, operation)
            self.assertEqual(told[0]["userIdentity"]["invokedBy"], "s3.amazonaws.com")
            self.assertEqual(told[0]["resources"][0]["ARN"], self.key)
        self.unreadable(TEXT[:40])

    def test_who_may_not_use_the_key_reads_nothing(self):
        """S20.4, S21.13: permission for the object is not enough, and only through S3 is the key for it."""
        self.put("shared", **self.by_kms())
        objects = statement(["s3:GetObject", "s3:PutObject"], self.arn("*"))
        through = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
        without = self.server.client("s3", self.user("without", objects))
        reader = self.server.client("s3", self.user("reader", objects, statement("kms:Decrypt", self.key, Condition=through)))
        writer = self.server.client("s3", self.user("writer", objects, statement("kms:GenerateDataKey", self.key)))
        denied = self.refused("AccessDenied", self.get, "shared", client=without, status=403)
        self.assertIn("kms:Decrypt", denied["Error"]["Message"])
        self.refused("AccessDenied", self.get, "shared", client=writer, status=403)
        self.assertEqual(self.get("shared", client=reader), TEXT)
        denied = self.refused("AccessDenied", self.put, "mine", client=reader, status=403, **self.by_kms())
        self.assertIn("kms:GenerateDataKey", denied["Error"]["Message"])
        self.put("mine", client=writer, **self.by_kms())
        self.assertEqual(self.get("mine"), TEXT)
        self.refused("AccessDenied", self.get, "shared", client=self.server.client("s3", "unsigned"), status=403)

    def test_a_disabled_key_stops_reads_and_writes_at_once(self):
        """S21.10, S21.11"""
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.put("held", **self.by_kms(SSEKMSKeyId=key))
        self.kms.disable_key(KeyId=key)
        self.refused("KMS.DisabledException", self.get, "held", status=400)
        self.refused("KMS.DisabledException", self.put, "held2", status=400, **self.by_kms(SSEKMSKeyId=key))
        self.kms.enable_key(KeyId=key)
        self.assertEqual(self.get("held"), TEXT)
        self.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        self.refused("KMS.KMSInvalidStateException", self.get, "held", status=400)

    def test_a_rotated_key_opens_what_it_closed_before(self):
        """S21.10"""
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.put("before", **self.by_kms(SSEKMSKeyId=key))
        self.kms.rotate_key_on_demand(KeyId=key)
        self.put("after", **self.by_kms(SSEKMSKeyId=key))
        self.assertEqual((self.get("before"), self.get("after")), (TEXT, TEXT))

    def test_keys_are_named_by_id_arn_and_alias(self):
        self.kms.create_alias(AliasName="alias/objects", TargetKeyId=self.key)
        alias = self.key.split(":key/")[0] + ":alias/objects"
        for number, name in enumerate((self.key.split("/")[-1], self.key, "alias/objects", alias)):
            made = self.put(f"named-{number}", **self.by_kms(SSEKMSKeyId=name))
            self.assertEqual(made["SSEKMSKeyId"], self.key)
            self.assertEqual(self.get(f"named-{number}"), TEXT)
        self.refused("KMS.NotFoundException", self.put, "x", status=400, **self.by_kms(SSEKMSKeyId="alias/none"))

    def test_the_aws_managed_key_is_made_at_its_first_use(self):
        """S8.13, S8.14: whoever asks for KMS and names no key gets the account's key for S3, which serves through S3 alone."""
        made = self.put("managed", ServerSideEncryption="aws:kms")
        aliases = {alias["AliasName"]: alias for alias in self.kms.list_aliases()["Aliases"]}
        self.assertTrue(made["SSEKMSKeyId"].endswith(aliases["alias/aws/s3"]["TargetKeyId"]))
        described = self.kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
        self.assertEqual(described["KeyManager"], "AWS")
        self.assertEqual(self.get("managed"), TEXT)
        self.refused("AccessDeniedException", self.kms.generate_data_key, KeyId="alias/aws/s3", KeySpec="AES_256")
        self.put("managed-again", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/aws/s3")
        self.assertEqual(len([1 for alias in self.kms.list_aliases()["Aliases"] if alias["AliasName"] == "alias/aws/s3"]), 1)

    def test_key_pairs_encrypt_no_objects(self):
        """S8.26"""
        for spec in ("RSA_2048", "ECC_NIST_P256"):
            usage = "ENCRYPT_DECRYPT" if spec == "RSA_2048" else "SIGN_VERIFY"
            key = self.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["Arn"]
            self.refused("KMS.InvalidKeyUsageException", self.put, "pair", status=400, **self.by_kms(SSEKMSKeyId=key))

    def test_the_request_adds_to_the_context(self):
        pairs = base64.b64encode(json.dumps({"team": "blue"}).encode()).decode()
        self.put("context", **self.by_kms(SSEKMSEncryptionContext=pairs))
        self.assertEqual(self.get("context"), TEXT)
        for operation in ("GenerateDataKey", "Decrypt"):
            told = self.asked(operation, self.arn("context"))[0]["requestParameters"]["encryptionContext"]
            self.assertEqual(told, {"aws:s3:arn": self.arn("context"), "team": "blue"})
        only = {"StringEquals": {"kms:EncryptionContext:team": "red"}}
        red = self.user("red", statement("s3:*"), statement("kms:*", self.key, Condition=only))
        self.refused("AccessDenied", self.get, "context", client=self.server.client("s3", red), status=403)
        for wrong in ("x", base64.b64encode(b"[1]").decode()):
            self.refused("InvalidArgument", self.put, "x", status=400, **self.by_kms(SSEKMSEncryptionContext=wrong))

    def test_two_layers(self):
        """DSSE-KMS: one data key of KMS, and reads of ranges through both layers."""
        made = self.put("double", **self.by_kms(ServerSideEncryption="aws:kms:dsse"))
        self.assertEqual((made["ServerSideEncryption"], made["SSEKMSKeyId"]), ("aws:kms:dsse", self.key))
        self.assertEqual(self.head("double")["ServerSideEncryption"], "aws:kms:dsse")
        self.assertEqual(self.get("double"), TEXT)
        self.assertEqual(self.get("double", Range="bytes=65530-65545"), TEXT[65530:65546])
        self.assertEqual(len(self.asked("GenerateDataKey", self.arn("double"))), 1)
        self.kms.disable_key(KeyId=self.key)
        self.addCleanup(self.kms.enable_key, KeyId=self.key)
        self.refused("KMS.DisabledException", self.get, "double", status=400)

    def test_headers_that_do_not_go_together(self):
        self.refused("InvalidArgument", self.put, "x", SSEKMSKeyId=self.key, status=400)
        self.refused("InvalidArgument", self.put, "x", ServerSideEncryption="AES256", SSEKMSKeyId=self.key, status=400)
        self.refused("InvalidArgument", self.put, "x", ServerSideEncryption="aws:fsx", status=400)

    def test_one_key_keeps_objects_passwords_and_parameters(self):
        """S8.4: S3, Secrets Manager and Parameter Store under one key, and the trail tells who asked for each."""
        key = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.put("database.dump", **self.by_kms(SSEKMSKeyId=key))
        self.server.client("secretsmanager").create_secret(Name="database", SecretString="password", KmsKeyId=key)
        ssm = self.server.client("ssm")
        ssm.put_parameter(Name="/api/key", Value="key", Type="SecureString", KeyId=key)
        self.assertEqual(self.get("database.dump"), TEXT)
        self.assertEqual(self.server.client("secretsmanager").get_secret_value(SecretId="database")["SecretString"], "password")
        self.assertEqual(ssm.get_parameter(Name="/api/key", WithDecryption=True)["Parameter"]["Value"], "key")
        mine = [event for event in self.events("Decrypt") if event["resources"][0]["ARN"] == key]
        through = sorted(event["userIdentity"]["invokedBy"] for event in mine)
        self.assertEqual(through, ["s3.amazonaws.com", "secretsmanager.amazonaws.com", "ssm.amazonaws.com"])


class BucketKeys(Sealed):
    def test_a_bucket_key_spares_kms(self):
        """S21.4: one data key of the bucket serves many objects of a caller for a while, each caller is judged by KMS once."""
        for number in range(10):
            made = self.put(f"many/{number}", b"%d" % number, **self.by_kms(BucketKeyEnabled=True))
            self.assertTrue(made["BucketKeyEnabled"])
        for number in range(10):
            self.assertEqual(self.get(f"many/{number}"), b"%d" % number)
        bucket = f"arn:aws:s3:::{self.bucket}"
        count = lambda: tuple(len(self.asked(operation, bucket)) for operation in ("GenerateDataKey", "Decrypt"))
        self.assertEqual(count(), (1, 1))
        self.assertTrue(self.head("many/0")["BucketKeyEnabled"])
        objects = statement(["s3:GetObject", "s3:PutObject"], self.arn("*"))
        other = self.server.client("s3", self.user("other", objects, statement("kms:*", self.key)))
        none = self.server.client("s3", self.user("none", objects))
        self.assertEqual({self.get(f"many/{number}", client=other) for number in range(3)}, {b"0", b"1", b"2"})
        self.refused("AccessDenied", self.get, "many/0", client=none, status=403)
        self.assertEqual(count(), (1, 2))
        self.server.ringwork("clock", "advance", "10m")
        self.put("many/later", **self.by_kms(BucketKeyEnabled=True))
        self.assertEqual(self.get("many/0"), b"0")
        self.assertEqual(count(), (2, 3))

    def test_the_bucket_may_ask_for_it_and_the_request_may_not(self):
        bucket = self.made("judge-bucket-keys")
        self.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key},
            "BucketKeyEnabled": True,
        }]})
        self.assertTrue(self.put("a", bucket=bucket)["BucketKeyEnabled"])
        self.assertNotIn("BucketKeyEnabled", self.put("b", bucket=bucket, BucketKeyEnabled=False))
        self.assertEqual(len(self.asked("GenerateDataKey", f"arn:aws:s3:::{bucket}")), 1)
        self.assertEqual(len(self.asked("GenerateDataKey", self.arn("b", bucket))), 1)
        self.assertEqual((self.get("a", bucket=bucket), self.get("b", bucket=bucket)), (TEXT, TEXT))


class Rules(Sealed):
    """What buckets ask for: default encryption, and policies that look at the headers."""

    def test_the_bucket_says_how_unless_the_request_does(self):
        """S21.11"""
        bucket = self.made("judge-default")
        for algorithm in ("aws:kms", "aws:kms:dsse"):
            self.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [
                {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, "KMSMasterKeyID": self.key}}]})
            made = self.put("a", bucket=bucket)
            self.assertEqual((made["ServerSideEncryption"], made["SSEKMSKeyId"]), (algorithm, self.key))
            self.assertEqual(self.get("a", bucket=bucket), TEXT)
        self.assertEqual(self.put("b", bucket=bucket, ServerSideEncryption="AES256")["ServerSideEncryption"], "AES256")
        self.s3.delete_bucket_encryption(Bucket=bucket)
        self.assertEqual(self.put("c", bucket=bucket)["ServerSideEncryption"], "AES256")

    def test_a_policy_demands_a_mode_and_a_key(self):
        """S21.11: AWS's own examples of policies that refuse uploads without the headers."""
        bucket = self.made("judge-demands")
        deny = lambda **condition: {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
                                    "Resource": f"arn:aws:s3:::{bucket}/*", "Condition": condition}
        key = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        self.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            deny(StringNotEquals={"s3:x-amz-server-side-encryption": "aws:kms"}),
            deny(StringNotEquals={key: self.key}),
        ]}))
        other = self.kms.create_key()["KeyMetadata"]["Arn"]
        for wrong in ({}, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms"},
                      self.by_kms(SSEKMSKeyId=other)):
            self.refused("AccessDenied", self.put, "x", bucket=bucket, status=403, **wrong)
        self.put("x", bucket=bucket, **self.by_kms())


class Customers(Sealed):
    """Keys that the customer gives with each request (SSE-C)."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.open(cls.bucket)
        cls.mine = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}

    @classmethod
    def open(cls, bucket):
        cls.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
        }]})

    def test_new_buckets_take_none(self):
        """S21.19: blocked until the bucket says NONE."""
        bucket = self.made("judge-blocked")
        blocked = lambda: self.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0][
            "BlockedEncryptionTypes"]["EncryptionType"]
        self.assertEqual(blocked(), ["SSE-C"])
        self.refused("AccessDenied", self.put, "x", bucket=bucket, status=403, **self.mine)
        self.refused("AccessDenied", self.s3.create_multipart_upload, Bucket=bucket, Key="x", status=403, **self.mine)
        self.open(bucket)
        self.assertEqual(blocked(), ["NONE"])
        self.put("x", bucket=bucket, **self.mine)
        self.assertEqual(self.get("x", bucket=bucket, **self.mine), TEXT)

    def test_only_the_key_opens(self):
        """S21.14, S21.15, S21.16, S21.17, S21.18: missing 400, wrong 403, and neither object nor key on the disk."""
        made = self.put("mine", **self.mine)
        md5 = base64.b64encode(hashlib.md5(self.mine["SSECustomerKey"]).digest()).decode()
        self.assertEqual((made["SSECustomerAlgorithm"], made["SSECustomerKeyMD5"]), ("AES256", md5))
        self.assertNotIn("ServerSideEncryption", made)
        self.assertEqual(self.get("mine", **self.mine), TEXT)
        self.assertEqual(self.get("mine", Range="bytes=1-9", **self.mine), TEXT[1:10])
        self.assertEqual(self.head("mine", **self.mine)["SSECustomerKeyMD5"], md5)
        wrong = {**self.mine, "SSECustomerKey": os.urandom(32)}
        missing = self.refused("InvalidRequest", self.get, "mine", status=400)
        self.assertIn("stored using a form of Server Side Encryption", missing["Error"]["Message"])
        self.refused("AccessDenied", self.get, "mine", status=403, **wrong)
        for given, status in (({}, 400), (wrong, 403)):
            self.refused(str(status), self.head, "mine", status=status, **given)
        self.put("other")
        self.refused("InvalidRequest", self.get, "other", status=400, **self.mine)
        key = self.mine["SSECustomerKey"]
        self.unreadable(TEXT[:40], key, base64.b64encode(key), key.hex().encode())

    def test_headers_are_checked(self):
        short = {**self.mine, "SSECustomerKey": os.urandom(16)}
        self.refused("InvalidArgument", self.put, "x", status=400, **short)
        # With the digest given, boto3 leaves the key as it is.
        other = {**self.mine, "SSECustomerKey": base64.b64encode(self.mine["SSECustomerKey"]).decode(),
                 "SSECustomerKeyMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
        self.refused("InvalidArgument", self.put, "x", status=400, **other)
        self.refused("InvalidEncryptionAlgorithmError", self.put, "x", status=400, **{**self.mine, "SSECustomerAlgorithm": "AES128"})
        self.refused("InvalidArgument", self.put, "x", status=400, SSECustomerKey=self.mine["SSECustomerKey"])
        self.refused("InvalidArgument", self.put, "x", status=400, ServerSideEncryption="AES256", **self.mine)

    def test_uploads_in_parts_need_the_same_key(self):
        other = {**self.mine, "SSECustomerKey": os.urandom(32)}
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="parts", **self.mine)["UploadId"]
        part = lambda number, body, **more: self.s3.upload_part(
            Bucket=self.bucket, Key="parts", UploadId=upload, PartNumber=number, Body=body, **more)
        self.refused("InvalidRequest", part, 1, b"x", status=400)
        self.refused("InvalidRequest", part, 1, b"x", status=400, **other)
        bodies = [os.urandom(PART), b"the end"]
        tags = [part(number, body, **self.mine)["ETag"] for number, body in enumerate(bodies, 1)]
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        self.s3.complete_multipart_upload(Bucket=self.bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}, **self.mine)
        self.assertEqual(self.get("parts", **self.mine), b"".join(bodies))
        self.refused("AccessDenied", self.get, "parts", status=403, **other)

    def test_copies_turn_one_mode_into_another(self):
        """From the customer's key to another one, to KMS and back to the service's own."""
        other = {**self.mine, "SSECustomerKey": os.urandom(32)}
        source = lambda name, given=None: {"CopySource": {"Bucket": self.bucket, "Key": name}, **{
            f"CopySource{key}": value for key, value in (given or {}).items()}}
        copy = lambda name, **more: self.s3.copy_object(Bucket=self.bucket, Key=name, **more)
        self.put("from", **self.mine)
        self.refused("InvalidRequest", copy, "to", status=400, **source("from"))
        self.refused("AccessDenied", copy, "to", status=403, **source("from", other))
        copy("to-other", **source("from", self.mine), **other)
        self.assertEqual(self.get("to-other", **other), TEXT)
        copied = copy("to-kms", **source("from", self.mine), **self.by_kms())
        self.assertEqual(copied["SSEKMSKeyId"], self.key)
        copied = copy("to-own", **source("to-kms"))
        self.assertEqual(copied["ServerSideEncryption"], "AES256")
        self.assertEqual((self.get("to-kms"), self.get("to-own")), (TEXT, TEXT))
        self.assertEqual(len(self.asked("GenerateDataKey", self.arn("to-kms"))), 1)

    def test_the_cli_has_options_for_it(self):
        with tempfile.TemporaryDirectory() as folder:
            there, back, key = (pathlib.Path(folder, name) for name in ("there", "back", "key"))
            there.write_bytes(TEXT)
            key.write_bytes(self.mine["SSECustomerKey"])
            more = ("--sse-customer-algorithm", "AES256", "--sse-customer-key", f"fileb://{key}")
            aws = lambda *words: self.server.aws("s3api", *words, *more)
            aws("put-object", "--bucket", self.bucket, "--key", "cli", "--body", str(there))
            aws("get-object", "--bucket", self.bucket, "--key", "cli", str(back))
            self.assertEqual(back.read_bytes(), TEXT)


class Parts(Sealed):
    def test_uploads_in_parts_under_every_mode(self):
        """S21.12: the upload has one data key, which KMS opens for each part's writer."""
        for name, more in (("own", {}), ("kms", self.by_kms()), ("bucket", self.by_kms(BucketKeyEnabled=True)),
                           ("double", self.by_kms(ServerSideEncryption="aws:kms:dsse"))):
            begun = self.s3.create_multipart_upload(Bucket=self.bucket, Key=name, **more)
            self.assertEqual(begun["ServerSideEncryption"], more.get("ServerSideEncryption", "AES256"))
            bodies, parts = [os.urandom(PART), os.urandom(1000)], []
            for number, body in enumerate(bodies, 1):
                made = self.s3.upload_part(
                    Bucket=self.bucket, Key=name, UploadId=begun["UploadId"], PartNumber=number, Body=body)
                self.assertEqual(made["ServerSideEncryption"], begun["ServerSideEncryption"])
                parts.append({"PartNumber": number, "ETag": made["ETag"]})
            done = self.s3.complete_multipart_upload(
                Bucket=self.bucket, Key=name, UploadId=begun["UploadId"], MultipartUpload={"Parts": parts})
            self.assertEqual(done["ServerSideEncryption"], begun["ServerSideEncryption"])
            whole = b"".join(bodies)
            self.assertEqual(self.get(name), whole)
            self.assertEqual(self.get(name, Range=f"bytes={PART - 5}-{PART + 5}"), whole[PART - 5:PART + 6])
            self.assertEqual(self.head(name)["ServerSideEncryption"], begun["ServerSideEncryption"])
        self.assertEqual(len(self.asked("GenerateDataKey", self.arn("kms"))), 1)


if __name__ == "__main__":
    unittest.main()
