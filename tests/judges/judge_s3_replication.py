"""Replication between buckets of this installation: regions, accounts, keys, refusals and a crash, by boto3 and the AWS CLI."""

import json
import unittest

from server import Credentials, Judge, policy, statement, wait_for

READS = ["s3:GetReplicationConfiguration", "s3:ListBucket", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl",
         "s3:GetObjectVersionTagging"]
WRITES = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"]
TRUST = policy({"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sts:AssumeRole"})


class Replication(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3, cls.iam = cls.server.client("s3"), cls.server.client("iam")
        cls.role("replicator", READS + WRITES)

    @classmethod
    def role(cls, name, actions, resource="*"):
        cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        cls.permit(name, actions, resource)

    @classmethod
    def permit(cls, name, actions, resource="*"):
        cls.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(statement(actions, resource)))

    def bucket(self, name, client=None, region=None, **more):
        client = client or self.s3
        if region:
            more["CreateBucketConfiguration"] = {"LocationConstraint": region}
        client.create_bucket(Bucket=name, **more)
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def replicate(self, source, target, role="replicator", destination=None, **more):
        rule = {
            "ID": "all", "Priority": 1, "Status": "Enabled", "Filter": {}, "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{target}", **(destination or {})}, **more,
        }
        role = f"arn:aws:iam::{self.server.account}:role/{role}"
        self.s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [rule]})

    def wait(self, wanted, bucket, key, client=None):
        """The object's answer to HEAD, once its replication status is the wanted one."""

        def copied():
            head = (client or self.s3).head_object(Bucket=bucket, Key=key)
            return head if head.get("ReplicationStatus") == wanted else None

        return wait_for(copied, what=f"{key} of {bucket} is not {wanted}")

    def test_objects_go_to_another_region(self):
        source, far = self.bucket("near-source"), self.server.client("s3", region="eu-west-1")
        self.bucket("far-copies", far, "eu-west-1")
        self.replicate(source, "far-copies", DeleteMarkerReplication={"Status": "Enabled"})
        put = self.s3.put_object(Bucket=source, Key="a/ä b", Body=b"x" * 300_000, Metadata={"author": "me"}, Tagging="team=blue",
                                 ContentType="text/plain", CacheControl="no-store")
        self.wait("COMPLETED", source, "a/ä b")
        copy = far.get_object(Bucket="far-copies", Key="a/ä b")
        self.assertEqual(copy["Body"].read(), b"x" * 300_000)
        told = (copy["ReplicationStatus"], copy["VersionId"], copy["ETag"], copy["Metadata"], copy["ContentType"], copy["CacheControl"])
        self.assertEqual(told, ("REPLICA", put["VersionId"], put["ETag"], {"author": "me"}, "text/plain", "no-store"))
        self.assertEqual(far.get_object_tagging(Bucket="far-copies", Key="a/ä b")["TagSet"], [{"Key": "team", "Value": "blue"}])
        # What changes of it later follows, and so does a delete marker; the removal of a version for good does not.
        self.s3.put_object_tagging(Bucket=source, Key="a/ä b", Tagging={"TagSet": [{"Key": "team", "Value": "red"}]})
        self.wait("COMPLETED", source, "a/ä b")
        self.assertEqual(far.get_object_tagging(Bucket="far-copies", Key="a/ä b")["TagSet"][0]["Value"], "red")
        marker = self.s3.delete_object(Bucket=source, Key="a/ä b")["VersionId"]
        self.s3.delete_object(Bucket=source, Key="a/ä b", VersionId=put["VersionId"])
        wait_for(lambda: far.list_object_versions(Bucket="far-copies").get("DeleteMarkers"))
        listed = far.list_object_versions(Bucket="far-copies")
        self.assertEqual([found["VersionId"] for found in listed["DeleteMarkers"]], [marker])
        self.assertEqual([found["VersionId"] for found in listed["Versions"]], [put["VersionId"]])

    def test_another_account_lets_the_role_in_and_owns_the_copies(self):
        """The other account's bucket policy decides; whether its bucket keeps versions is none of a stranger's business."""
        ours = self.server.client("organizations")
        ours.create_organization(FeatureSet="ALL")
        asked = ours.create_account(Email="other@example.com", AccountName="other")["CreateAccountStatus"]["Id"]
        status = {}
        while status.get("State") != "SUCCEEDED":
            status = ours.describe_create_account_status(CreateAccountRequestId=asked)["CreateAccountStatus"]
        other = status["AccountId"]
        admin = self.server.client("sts", self.user("reacher", statement("sts:AssumeRole"))).assume_role(
            RoleArn=f"arn:aws:iam::{other}:role/OrganizationAccountAccessRole", RoleSessionName="reach")
        theirs = self.server.client("s3", Credentials.of(admin))
        source = self.bucket("our-source")
        theirs.create_bucket(Bucket="their-copies", ObjectOwnership="ObjectWriter")
        given = {"Account": other, "AccessControlTranslation": {"Owner": "Destination"}}
        self.replicate(source, "their-copies", destination=given)
        failing = self.s3.put_object
        failing(Bucket=source, Key="unversioned", Body=b"x")
        self.wait("FAILED", source, "unversioned")
        theirs.put_bucket_versioning(Bucket="their-copies", VersioningConfiguration={"Status": "Enabled"})
        failing(Bucket=source, Key="uninvited", Body=b"x")
        self.wait("FAILED", source, "uninvited")
        role = f"arn:aws:iam::{self.server.account}:role/replicator"
        let = lambda *actions: theirs.put_bucket_policy(Bucket="their-copies", Policy=policy(
            {**statement(list(actions), "arn:aws:s3:::their-copies/*"), "Principal": {"AWS": role}}))
        let("s3:ReplicateObject")
        failing(Bucket=source, Key="unowned", Body=b"x")
        self.wait("FAILED", source, "unowned")
        let("s3:ReplicateObject", "s3:ObjectOwnerOverrideToBucketOwner")
        self.s3.put_object(Bucket=source, Key="given", Body=b"gift")
        self.wait("COMPLETED", source, "given")
        self.assertEqual(theirs.get_object(Bucket="their-copies", Key="given")["Body"].read(), b"gift")
        owner = theirs.get_bucket_acl(Bucket="their-copies")["Owner"]["ID"]
        self.assertEqual(theirs.get_object_acl(Bucket="their-copies", Key="given")["Owner"]["ID"], owner)
        self.assertEqual([found["Key"] for found in theirs.list_objects_v2(Bucket="their-copies")["Contents"]], ["given"])
        # Without the override the copy stays the source's owner's.
        self.replicate(source, "their-copies")
        self.s3.put_object(Bucket=source, Key="lent", Body=b"loan")
        self.wait("COMPLETED", source, "lent")
        self.refused("AccessDenied", theirs.get_object, Bucket="their-copies", Key="lent", status=403)
        # A bucket that lets nobody ask does not tell a stranger whether it keeps versions.
        theirs.create_bucket(Bucket="their-secret")
        self.replicate(source, "their-secret")

    def test_keys_of_both_ends_are_asked_as_the_role(self):
        """S21.26: Decrypt of the source's key and Encrypt of the copy's show in the trail, by the role for S3."""
        source, target = self.bucket("kms-source"), self.bucket("kms-copies")
        kms = self.server.client("kms")
        first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
        self.role("kms-replicator", READS + WRITES + ["kms:Decrypt"])
        named = {"EncryptionConfiguration": {"ReplicaKmsKeyID": second}}
        taken = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
        self.replicate(source, target, "kms-replicator", named, SourceSelectionCriteria=taken)
        put = {"Bucket": source, "Body": b"secret", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": first}
        self.s3.put_object(Key="refused", **put)
        self.wait("FAILED", source, "refused")
        self.permit("kms-replicator", READS + WRITES + ["kms:Decrypt", "kms:Encrypt"])
        self.s3.put_object(Key="taken", **put)
        self.wait("COMPLETED", source, "taken")
        copy = self.s3.get_object(Bucket=target, Key="taken")
        self.assertEqual((copy["Body"].read(), copy["SSEKMSKeyId"]), (b"secret", second))
        for name, key, bucket in (("Decrypt", first, source), ("Encrypt", second, target)):
            context = {"aws:s3:arn": f"arn:aws:s3:::{bucket}/taken"}
            events = [event for event in self.events(name) if (event["requestParameters"] or {}).get("encryptionContext") == context]
            by = [event for event in events if event["userIdentity"]["arn"].endswith(":assumed-role/kms-replicator/s3-replication")]
            self.assertEqual(len(by), 1, events)
            self.assertEqual(by[0]["userIdentity"]["invokedBy"], "s3.amazonaws.com")
        refused = [event for event in self.events("Encrypt") if event.get("errorCode") == "AccessDenied"]
        self.assertEqual(len(refused), 1)

    def test_what_a_kill_left_is_copied_after_the_start(self):
        """Every version that was acknowledged as PENDING is copied, whatever the process did meanwhile."""
        source, target = self.bucket("crash-source"), self.bucket("crash-copies")
        self.replicate(source, target)
        put = {}
        for number in range(60):
            key = f"k{number:02}"
            put[key] = self.s3.put_object(Bucket=source, Key=key, Body=key.encode() * (20_000 if number % 7 == 0 else 1))["VersionId"]
        self.server.kill()
        self.server.start()
        type(self).s3, type(self).iam = self.server.client("s3"), self.server.client("iam")
        for key in put:
            self.wait("COMPLETED", source, key)
        listed = self.s3.list_object_versions(Bucket=target)["Versions"]
        self.assertEqual({found["Key"]: found["VersionId"] for found in listed}, put)
        self.assertEqual(len(listed), len(put))

    def test_the_cli_configures_it(self):
        self.bucket("cli-source"), self.bucket("cli-copies")
        rule = {"ID": "docs", "Status": "Enabled", "Prefix": "docs/", "Destination": {"Bucket": "arn:aws:s3:::cli-copies", "StorageClass": "STANDARD_IA"}}
        configuration = {"Role": f"arn:aws:iam::{self.server.account}:role/replicator", "Rules": [rule]}
        self.server.aws("s3api", "put-bucket-replication", "--bucket", "cli-source", "--replication-configuration", json.dumps(configuration))
        self.assertEqual(self.server.aws("s3api", "get-bucket-replication", "--bucket", "cli-source")["ReplicationConfiguration"], configuration)
        self.s3.put_object(Bucket="cli-source", Key="docs/a", Body=b"x")
        self.s3.put_object(Bucket="cli-source", Key="a", Body=b"x")
        self.wait("COMPLETED", "cli-source", "docs/a")
        self.assertNotIn("ReplicationStatus", self.s3.head_object(Bucket="cli-source", Key="a"))
        copy = self.wait("REPLICA", "cli-copies", "docs/a")
        self.assertEqual(copy["StorageClass"], "STANDARD_IA")
        self.refused("MalformedXML", self.s3.put_bucket_replication, status=400, Bucket="cli-source", ReplicationConfiguration={
            **configuration, "Rules": [rule | {"ExistingObjectReplication": {"Status": "Enabled"}}]})


if __name__ == "__main__":
    unittest.main()
