"""Who may do what in S3 by more than one permission: conditions on parts of a write, objects of other accounts, how a request was signed,
who pays, and codes of a device. By boto3 and the AWS CLI."""

import json
import unittest
import urllib.error
import urllib.request

from judge_mfa import Device
from server import Credentials, Judge, Refused, policy, statement, wait_for


class Grants(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def bucket(self, name, *statements, acls=False):
        more = {"ObjectOwnership": "ObjectWriter"} if acls else {}
        self.s3.create_bucket(Bucket=name, **more)
        if statements:
            self.policy(name, *statements)
        return name

    def policy(self, name, *statements, client=None, **more):
        (client or self.s3).put_bucket_policy(Bucket=name, Policy=policy(*statements), **more)

    def other_account(self):
        """An administrator of another account, and its number."""
        organizations = self.server.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        asked = organizations.create_account(Email="other@example.com", AccountName="other")["CreateAccountStatus"]["Id"]
        made = lambda: organizations.describe_create_account_status(CreateAccountRequestId=asked)["CreateAccountStatus"]
        wait_for(lambda: made()["State"] == "SUCCEEDED")
        number = made()["AccountId"]
        admin = self.user("crosser", statement("sts:AssumeRole"))
        role = f"arn:aws:iam::{number}:role/OrganizationAccountAccessRole"
        answer = self.server.client("sts", admin).assume_role(RoleArn=role, RoleSessionName="other")
        return Credentials.of(answer), number

    def test_conditions_reach_every_permission_that_a_write_needs(self):
        deny = lambda action, **condition: statement(
            action, "arn:aws:s3:::of-parts/*", "Deny", Principal="*", Condition={"StringEquals": condition}
        )
        self.bucket("of-parts", acls=True)
        self.policy(
            "of-parts",
            deny("s3:PutObjectTagging", **{"s3:RequestObjectTag/secret": "no"}),
            deny("s3:PutObjectAcl", **{"s3:x-amz-acl": "authenticated-read"}),
        )
        put = lambda **more: self.s3.put_object(Bucket="of-parts", Key="k", Body=b"x", **more)
        self.refused("AccessDenied", put, Tagging="secret=no", status=403)
        self.refused("AccessDenied", put, ACL="authenticated-read", status=403)
        put(Tagging="secret=yes", ACL="bucket-owner-full-control")
        begin = self.s3.create_multipart_upload
        self.refused("AccessDenied", begin, Bucket="of-parts", Key="k", Tagging="secret=no", status=403)

    def test_another_accounts_objects_and_who_pays(self):
        """One other account serves for both."""
        other, number = self.other_account()
        theirs = self.server.client("s3", other)
        allow = lambda name, principal: statement(
            ["s3:PutObject", "s3:GetObject", "s3:PutObjectAcl"], f"arn:aws:s3:::{name}/*", Principal={"AWS": principal}
        )
        own, root = f"arn:aws:iam::{self.server.account}:root", f"arn:aws:iam::{number}:root"
        self.bucket("of-many", allow("of-many", [own, root]), acls=True)
        reader = self.server.client("s3", self.user("reader", statement("s3:GetObject")))
        get = lambda client, **more: client.get_object(Bucket="of-many", Key="k", **more)
        theirs.put_object(Bucket="of-many", Key="k", Body=b"theirs")
        self.refused("AccessDenied", get, self.s3, status=403)
        self.refused("AccessDenied", get, reader, status=403)
        theirs.put_object_acl(Bucket="of-many", Key="k", ACL="bucket-owner-full-control")
        self.assertEqual(get(reader)["Body"].read(), b"theirs")
        self.policy("of-many", statement("s3:GetObject", "arn:aws:s3:::of-many/*", "Deny", Principal={"AWS": root}))
        self.refused("AccessDenied", get, theirs, status=403)
        self.s3.delete_object(Bucket="of-many", Key="k")

        self.bucket("of-payers", allow("of-payers", root))
        self.s3.put_object(Bucket="of-payers", Key="k", Body=b"dear")
        self.s3.put_bucket_request_payment(Bucket="of-payers", RequestPaymentConfiguration={"Payer": "Requester"})
        read = lambda client, **more: client.get_object(Bucket="of-payers", Key="k", **more)
        self.refused("AccessDenied", read, theirs, status=403)
        paid = read(theirs, RequestPayer="requester")
        self.assertEqual((paid["Body"].read(), paid["RequestCharged"]), (b"dear", "requester"))
        self.assertNotIn("RequestCharged", read(self.s3))
        self.refused("AccessDenied", read, self.server.client("s3", "unsigned"), status=403)
        aws = lambda *words: self.server.aws("s3api", "head-object", "--bucket", "of-payers", "--key", "k", *words, credentials=other)
        with self.assertRaises(Refused):
            aws()
        self.assertEqual(aws("--request-payer", "requester")["RequestCharged"], "requester")

    def test_policies_see_how_requests_are_signed_and_what_they_come_over(self):
        self.bucket("of-signers")
        self.s3.put_object(Bucket="of-signers", Key="k", Body=b"x")
        signer = self.server.client("s3", signature_version="s3v4")
        url = signer.generate_presigned_url("get_object", Params={"Bucket": "of-signers", "Key": "k"}, ExpiresIn=60)
        secure = self.server.client("s3", endpoint=self.server.https, verify=self.server.authority)

        def tried(condition):
            """Whether a denial on this condition stops a signed header, a presigned URL and a request over TLS."""
            self.policy("of-signers", statement("s3:GetObject", "arn:aws:s3:::of-signers/*", "Deny", Principal="*", Condition=condition))
            told = []
            for client in [self.s3, secure]:
                try:
                    client.get_object(Bucket="of-signers", Key="k")
                    told.append(False)
                except client.exceptions.ClientError as error:
                    told.append(error.response["Error"]["Code"] == "AccessDenied")
            try:
                urllib.request.urlopen(url, timeout=10).close()
                presigned = False
            except urllib.error.HTTPError as error:
                presigned = error.code == 403
                error.close()
            return told[0], presigned, told[1]

        self.assertEqual(tried({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}), (False, True, False))
        self.assertEqual(tried({"StringNotEquals": {"s3:authType": "REST-QUERY-STRING"}}), (True, False, True))
        self.assertEqual(tried({"StringNotEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}}), (False, False, False))
        self.assertEqual(tried({"NumericLessThan": {"s3:signatureAge": "600000"}}), (False, True, False))
        self.assertEqual(tried({"NumericLessThan": {"s3:TlsVersion": "9"}}), (False, False, True))
        self.assertEqual(tried({"Bool": {"aws:SecureTransport": "false"}}), (True, True, False))

    def test_a_bucket_is_made_again_and_only_root_comes_back_from_a_policy(self):
        self.bucket("of-again", acls=True)
        self.s3.delete_public_access_block(Bucket="of-again")
        self.s3.put_bucket_acl(Bucket="of-again", ACL="public-read")
        self.s3.create_bucket(Bucket="of-again")
        self.assertEqual(len(self.s3.get_bucket_acl(Bucket="of-again")["Grants"]), 1)
        again = self.s3.create_bucket
        self.refused("BucketAlreadyOwnedByYou", again, Bucket="of-again", ObjectLockEnabledForBucket=True, status=409)
        keeper = self.server.client("s3", self.user("keeper", statement("s3:*")))
        deny = statement("s3:PutBucketPolicy", "arn:aws:s3:::of-again", "Deny", Principal="*")
        self.policy("of-again", deny, client=keeper)
        self.refused("AccessDenied", self.policy, "of-again", deny, client=keeper, ConfirmRemoveSelfBucketAccess=True, status=403)
        self.policy("of-again", deny)
        self.assertEqual(json.loads(self.s3.get_bucket_policy(Bucket="of-again")["Policy"])["Statement"], [deny])

    def test_conditions_of_uploads_and_answers_of_restorations(self):
        self.bucket("of-old-things")
        self.s3.put_bucket_versioning(Bucket="of-old-things", VersioningConfiguration={"Status": "Enabled"})
        named = {"Bucket": "of-old-things", "Key": "k"}
        upload = self.s3.create_multipart_upload(**named)["UploadId"]
        tag = self.s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
        complete = lambda **more: self.s3.complete_multipart_upload(
            **named, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}, **more
        )
        self.s3.put_object(**named, Body=b"x", StorageClass="GLACIER")
        self.refused("PreconditionFailed", complete, IfNoneMatch="*", status=412)
        version = self.s3.head_object(**named)["VersionId"]
        self.s3.delete_object(**named)
        self.refused("ConditionalRequestConflict", complete, IfNoneMatch="*", status=409)
        listed = self.s3.list_object_versions(Bucket="of-old-things")["Versions"]
        self.assertEqual([one["StorageClass"] for one in listed], ["GLACIER"])
        restore = lambda: self.s3.restore_object(**named, VersionId=version, RestoreRequest={"Days": 1})["ResponseMetadata"]["HTTPStatusCode"]
        self.assertEqual(restore(), 202)
        self.server.ringwork("clock", "advance", "6h")
        self.assertEqual(restore(), 200)


class Codes(Judge):
    """With a clock of its own, which the device follows."""

    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = cls.server.client("s3")

    def test_versions_go_for_good_with_a_code_alone(self):
        self.s3.create_bucket(Bucket="of-codes")
        iam = self.server.client("iam")
        device = Device(iam.create_virtual_mfa_device(VirtualMFADeviceName="root-account-mfa-device"))
        iam.enable_mfa_device(UserName="root", SerialNumber=device.serial, **device.pair())
        secure = self.server.client("s3", endpoint=self.server.https, verify=self.server.authority)
        shown = lambda: f"{device.serial} {device.next(self.server)}"
        on = {"Status": "Enabled", "MFADelete": "Enabled"}
        versioning = lambda client, **more: client.put_bucket_versioning(Bucket="of-codes", VersioningConfiguration=on, **more)
        self.refused("AccessDenied", versioning, secure, status=403)
        self.refused("AccessDenied", versioning, secure, MFA=f"{device.serial} 000000", status=403)
        # A code does not go over the wire in clear.
        self.refused("InvalidRequest", versioning, self.s3, MFA=shown(), status=400)
        versioning(secure, MFA=shown())
        self.assertEqual(self.s3.get_bucket_versioning(Bucket="of-codes")["MFADelete"], "Enabled")
        version = self.s3.put_object(Bucket="of-codes", Key="k", Body=b"x")["VersionId"]
        delete = lambda **more: secure.delete_object(Bucket="of-codes", Key="k", VersionId=version, **more)
        self.refused("AccessDenied", delete, status=403)
        root = Credentials(self.server.root.key, self.server.root.secret)
        self.assertEqual(self.s3.get_object(Bucket="of-codes", Key="k")["Body"].read(), b"x")
        self.server.aws(
            "s3api", "delete-object", "--bucket", "of-codes", "--key", "k", "--version-id", version, "--mfa", shown(),
            "--endpoint-url", self.server.https, "--ca-bundle", self.server.authority, credentials=root,
        )
        self.refused("NoSuchKey", self.s3.get_object, Bucket="of-codes", Key="k", status=404)


if __name__ == "__main__":
    unittest.main()
