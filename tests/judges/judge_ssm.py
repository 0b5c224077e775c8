"""Parameter Store, by boto3 and the AWS CLI."""

import datetime
import json
import unittest

from server import Judge, Refused, statement


class Parameters(Judge):
    OPTIONS = ("--clock-control",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ssm = cls.server.client("ssm")
        cls.key = cls.server.client("kms").create_key()["KeyMetadata"]["KeyId"]

    def put(self, name, value="v", client=None, **more):
        more = more if "Overwrite" in more else {"Type": "String", **more}
        return (client or self.ssm).put_parameter(Name=name, Value=value, **more)

    def value(self, name, client=None, **more):
        return (client or self.ssm).get_parameter(Name=name, **more)["Parameter"]["Value"]

    def test_values_are_put_by_path_and_read(self):
        """S10.1, S10.2, S10.3, S10.8: nothing is provisioned first; plain and list values come back as they went."""
        made = self.put("/prod/db/mysql/db-string", "Server=db;Port=3306")
        self.assertEqual((made["Version"], made["Tier"]), (1, "Standard"))
        self.put("/prod/licenses", "AAA,BBB", Type="StringList")
        self.assertEqual(self.value("/prod/db/mysql/db-string"), "Server=db;Port=3306")
        read = self.ssm.get_parameter(Name="/prod/licenses")["Parameter"]
        self.assertEqual((read["Type"], read["Value"].split(",")), ("StringList", ["AAA", "BBB"]))
        self.assertEqual(self.value(read["ARN"]), "AAA,BBB")
        self.refused("ParameterAlreadyExists", self.put, "/prod/licenses", status=400)
        self.refused("ParameterNotFound", self.ssm.get_parameter, Name="/prod/none", status=400)
        self.ssm.delete_parameter(Name="/prod/licenses")
        self.refused("ParameterNotFound", self.ssm.delete_parameter, Name="/prod/licenses")

    def test_secure_values_are_encrypted_by_kms_as_the_caller(self):
        """S10.3: the key's policy counts, KMS is told through whom it was asked, and neither disk nor record has the value."""
        secret = "correct-horse-battery-staple"
        for tier in ("Standard", "Advanced"):
            name = f"/secret/{tier}"
            self.put(name, secret, Type="SecureString", KeyId=self.key, Tier=tier)
            self.assertEqual(self.value(name, WithDecryption=True), secret)
            self.assertNotIn(secret, self.value(name))
        reader = self.user("reader", statement("ssm:*"))
        client = self.server.client("ssm", reader)
        denied = self.refused("AccessDeniedException", client.get_parameter, Name="/secret/Standard", WithDecryption=True)
        self.assertIn("kms:Decrypt", denied["Error"]["Message"])
        through = {"StringEquals": {"kms:ViaService": "ssm.us-east-1.amazonaws.com"}}
        able = self.user("able", statement("ssm:GetParameter"), statement("kms:Decrypt", Condition=through))
        self.assertEqual(self.value("/secret/Advanced", self.server.client("ssm", able), WithDecryption=True), secret)
        self.put("/secret/own", secret, Type="SecureString")
        self.assertEqual(self.value("/secret/own", WithDecryption=True), secret)
        self.refused("InvalidKeyId", self.put, "/secret/none", Type="SecureString", KeyId="alias/none")
        event = self.events("Decrypt")[0]
        self.assertEqual(event["userIdentity"]["invokedBy"], "ssm.amazonaws.com")
        context = event["requestParameters"]["encryptionContext"]
        self.assertEqual(list(context), ["PARAMETER_ARN"])
        self.assertEqual(self.events("PutParameter")[0]["requestParameters"]["value"], "HIDDEN_DUE_TO_SECURITY_REASONS")
        for file in self.server.data.rglob("*"):
            if file.is_file():
                self.assertNotIn(secret.encode(), file.read_bytes(), file)

    def test_a_hierarchy_has_fifteen_levels(self):
        """S10.5"""
        self.put("/d" * 15)
        self.refused("HierarchyLevelLimitExceededException", self.put, "/d" * 16, status=400)
        for wrong in ("a b", "a/b", "ssm-name", "/a//b"):
            self.refused("ValidationException", self.put, wrong)

    def test_versions_and_labels(self):
        """S10.6: each put makes a version, all are readable, and a hundred are kept."""
        self.put("/versions", "1")
        for number in range(2, 102):
            self.assertEqual(self.put("/versions", str(number), Overwrite=True)["Version"], number)
        pages = self.ssm.get_paginator("get_parameter_history").paginate(Name="/versions")
        history = [version for page in pages for version in page["Parameters"]]
        self.assertEqual([version["Version"] for version in history], list(range(2, 102)))
        self.assertEqual(self.value("/versions:7"), "7")
        self.refused("ParameterVersionNotFound", self.ssm.get_parameter, Name="/versions:1")
        self.ssm.label_parameter_version(Name="/versions", ParameterVersion=2, Labels=["live"])
        self.assertEqual(self.value("/versions:live"), "2")
        self.refused("ParameterMaxVersionLimitExceeded", self.put, "/versions", Overwrite=True)
        self.ssm.unlabel_parameter_version(Name="/versions", ParameterVersion=2, Labels=["live"])
        self.assertEqual(self.put("/versions", Overwrite=True)["Version"], 102)

    def test_policies_expire_and_tell(self):
        """S10.7: in the advanced tier alone, by the cloud's clock."""
        end = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
        policies = json.dumps([
            {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": end}},
            {"Type": "ExpirationNotification", "Version": "1.0", "Attributes": {"Before": "4", "Unit": "Days"}},
            {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "48", "Unit": "Hours"}},
        ])
        self.refused("ValidationException", self.put, "/ttl", Policies=policies)
        self.put("/ttl", Policies=policies, Tier="Advanced")
        shown = self.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/ttl"]}])["Parameters"][0]
        self.assertEqual({policy["PolicyStatus"] for policy in shown["Policies"]}, {"Pending"})
        self.server.ringwork("clock", "advance", "6d")
        self.assertEqual(self.value("/ttl"), "v")
        self.server.ringwork("clock", "advance", "4d")
        self.refused("ParameterNotFound", self.ssm.get_parameter, Name="/ttl")
        for kind in ("NoChangeNotification", "ExpirationNotification", "Expiration"):
            told = self.events(kind)
            self.assertEqual(len(told), 1, kind)

    def test_what_lies_under_a_path(self):
        """S10.9"""
        names = ["/tree/a", "/tree/b/c", "/tree/b/d/e", "/treetop"]
        for name in names:
            self.put(name)
        under = lambda **more: [
            parameter["Name"]
            for page in self.ssm.get_paginator("get_parameters_by_path").paginate(**more)
            for parameter in page["Parameters"]
        ]
        self.assertEqual(under(Path="/tree"), ["/tree/a"])
        self.assertEqual(under(Path="/tree", Recursive=True, PaginationConfig={"PageSize": 1}), names[:3])
        self.assertEqual(under(Path="/tree/b/", Recursive=True), names[1:3])
        self.ssm.label_parameter_version(Name="/tree/a", Labels=["live"])
        live = [{"Key": "Label", "Values": ["live"]}]
        self.assertEqual(under(Path="/tree", Recursive=True, ParameterFilters=live), ["/tree/a"])

    def test_access_is_granted_to_a_path(self):
        """S2.16, S10.11: by the ARN of the path; and GetParametersByPath is judged on the path that is asked for."""
        for name in ("/teams/red/a", "/teams/blue/a"):
            self.put(name)
        arn = f"arn:aws:ssm:us-east-1:{self.server.account}:parameter/teams"
        deny = statement("ssm:*", f"{arn}/red/a", effect="Deny")
        red = self.server.client("ssm", self.user("red", statement("ssm:*", f"{arn}/red/*")))
        self.assertEqual(self.value("/teams/red/a", red), "v")
        self.put("/teams/red/b", client=red)
        self.refused("AccessDeniedException", red.get_parameter, Name="/teams/blue/a")
        self.refused("AccessDeniedException", red.get_parameter, Name="/teams/blue/none")
        self.refused("AccessDeniedException", red.get_parameters, Names=["/teams/red/a", "/teams/blue/a"])
        self.refused("AccessDeniedException", red.get_parameters_by_path, Path="/teams")
        pathed = self.server.client("ssm", self.user("pathed", statement("ssm:*", f"{arn}/red"), deny))
        found = pathed.get_parameters_by_path(Path="/teams/red")["Parameters"]
        self.assertEqual([parameter["Name"] for parameter in found], ["/teams/red/a", "/teams/red/b"])
        self.refused("AccessDeniedException", pathed.get_parameter, Name="/teams/red/a")

    def test_the_tiers_have_limits(self):
        """S10.12: 4 KB in the standard tier, 8 KB in the advanced one."""
        self.put("/size/standard", "v" * 4096)
        self.refused("ValidationException", self.put, "/size/more", "v" * 4097)
        self.put("/size/advanced", "v" * 8192, Tier="Advanced")
        self.refused("ValidationException", self.put, "/size/most", "v" * 8193, Tier="Advanced")
        self.assertEqual(self.put("/size/clever", "v" * 5000, Tier="Intelligent-Tiering")["Tier"], "Advanced")
        tier = "/ssm/parameter-store/default-parameter-tier"
        self.ssm.update_service_setting(SettingId=tier, SettingValue="Intelligent-Tiering")
        self.assertEqual(self.put("/size/default", "v" * 5000)["Tier"], "Advanced")
        self.assertEqual(self.ssm.reset_service_setting(SettingId=tier)["ServiceSetting"]["Status"], "Default")

    def test_a_parameter_is_shared_with_another_account(self):
        """By a resource policy, for reading alone, and by its ARN."""
        self.put("/shared/a", "ours", Tier="Advanced")
        arn = f"arn:aws:ssm:us-east-1:{self.server.account}:parameter/shared/a"
        allowed = statement(["ssm:GetParameter", "ssm:GetParameters"], arn, Principal={"AWS": self.server.account})
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        made = self.ssm.put_resource_policy(ResourceArn=arn, Policy=policy)
        held = self.ssm.get_resource_policies(ResourceArn=arn)["Policies"]
        self.assertEqual([(one["PolicyId"], one["Policy"]) for one in held], [(made["PolicyId"], policy)])
        # Of the same account, whoever the policy names needs no policy of their own.
        named = json.dumps({"Version": "2012-10-17", "Statement": [
            {**allowed, "Principal": {"AWS": f"arn:aws:iam::{self.server.account}:user/sharer"}}]})
        sharer = self.server.client("ssm", self.user("sharer"))
        self.refused("AccessDeniedException", sharer.get_parameter, Name=arn)
        self.ssm.put_resource_policy(ResourceArn=arn, Policy=named, PolicyId=made["PolicyId"], PolicyHash=made["PolicyHash"])
        self.assertEqual(self.value(arn, sharer), "ours")
        self.refused("AccessDeniedException", sharer.delete_parameter, Name="/shared/a")
        self.refused("ResourcePolicyConflictException", self.ssm.delete_resource_policy, ResourceArn=arn, **{
            name: made[name] for name in ("PolicyId", "PolicyHash")})
        now = self.ssm.get_resource_policies(ResourceArn=arn)["Policies"][0]
        self.ssm.delete_resource_policy(ResourceArn=arn, PolicyId=now["PolicyId"], PolicyHash=now["PolicyHash"])
        self.refused("AccessDeniedException", sharer.get_parameter, Name=arn)

    def test_the_id_of_an_image_is_validated_after_the_answer(self):
        wrong = self.put("/golden/wrong", "ami-golden", DataType="aws:ec2:image")
        absent = self.put("/golden/absent", "ami-0abcdef1234567890", DataType="aws:ec2:image")
        image = self.server.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        right = self.put("/golden/right", image, DataType="aws:ec2:image")
        self.assertEqual((wrong["Version"], absent["Version"], right["Version"]), (1, 1, 1))
        # The clock ends what is due before it answers.
        self.server.ringwork("clock", "advance", "1s")
        self.assertEqual(self.value("/golden/right"), image)
        for name in ("/golden/wrong", "/golden/absent"):
            self.refused("ParameterNotFound", self.ssm.get_parameter, Name=name)
        told = {event["serviceEventDetails"]["name"]: event["serviceEventDetails"] for event in self.events("ParameterStoreChange")}
        for name in ("/golden/wrong", "/golden/absent"):
            self.assertEqual(told[name]["exception"], "Unable to Describe Resource")
        self.assertNotIn("exception", told["/golden/right"])


class CommandLine(Judge):
    def test_the_story_of_a_parameter(self):
        """S10.2, S10.6, S10.9: by the AWS CLI."""
        aws = lambda *words: self.server.aws("ssm", *words)
        aws("put-parameter", "--name", "/cli/a", "--value", "1", "--type", "String", "--tags", "Key=team,Value=red")
        aws("put-parameter", "--name", "/cli/a", "--value", "2", "--overwrite")
        self.assertEqual(aws("get-parameter", "--name", "/cli/a")["Parameter"]["Value"], "2")
        self.assertEqual(aws("get-parameter", "--name", "/cli/a:1")["Parameter"]["Value"], "1")
        self.assertEqual(len(aws("get-parameters-by-path", "--path", "/cli")["Parameters"]), 1)
        filters = aws("describe-parameters", "--parameter-filters", "Key=tag:team,Values=red")
        self.assertEqual([parameter["Name"] for parameter in filters["Parameters"]], ["/cli/a"])
        tags = aws("list-tags-for-resource", "--resource-type", "Parameter", "--resource-id", "/cli/a")
        self.assertEqual(tags["TagList"], [{"Key": "team", "Value": "red"}])
        several = aws("get-parameters", "--names", "/cli/a", "/cli/b")
        self.assertEqual(several["InvalidParameters"], ["/cli/b"])
        with self.assertRaises(Refused) as caught:
            aws("put-parameter", "--name", "/cli/a", "--value", "3", "--type", "String")
        self.assertIn("(ParameterAlreadyExists) when calling the PutParameter operation", caught.exception.words)
        self.assertEqual(aws("delete-parameters", "--names", "/cli/a")["DeletedParameters"], ["/cli/a"])

    def test_a_secret_is_read_as_a_parameter(self):
        """The user guide's commands for secrets of Secrets Manager."""
        aws = lambda *words: self.server.aws("ssm", *words)
        secrets = self.server.client("secretsmanager")
        made = secrets.create_secret(Name="team/s1-secret", SecretString="first")
        secrets.put_secret_value(SecretId="team/s1-secret", SecretString="second")
        name = "/aws/reference/secretsmanager/team/s1-secret"
        read = aws("get-parameter", "--name", name, "--with-decryption")["Parameter"]
        self.assertEqual((read["Name"], read["Type"], read["Value"], read["Version"]), (name, "SecureString", "second", 0))
        self.assertEqual((read["ARN"], json.loads(read["SourceResult"])["SecretString"]), (made["ARN"], "second"))
        for selector in (":AWSPREVIOUS", f":{made['VersionId']}"):
            read = aws("get-parameter", "--name", name + selector, "--with-decryption")["Parameter"]
            self.assertEqual((read["Value"], read["Selector"]), ("first", selector))
        with self.assertRaises(Refused) as caught:
            aws("get-parameter", "--name", name)
        self.assertIn("WithDecryption flag must be True", caught.exception.words)
        event = self.events("GetSecretValue")[0]
        self.assertEqual(event["userIdentity"]["invokedBy"], "ssm.amazonaws.com")

    def test_what_aws_publishes_of_itself(self):
        """S10.2, S10.9: the user guide's commands for public parameters, which nobody can write."""
        aws = lambda *words: self.server.aws("ssm", *words)
        base = "/aws/service/global-infrastructure"
        listed = aws("get-parameters-by-path", "--path", "/aws/service/list")["Parameters"]
        self.assertEqual([parameter["Value"] for parameter in listed], [f"{base}/"])
        # The CLI follows the pages.
        regions = aws("get-parameters-by-path", "--path", f"{base}/regions", "--query", "Parameters[].Value")
        self.assertGreater(len(regions), 30)
        self.assertLessEqual({"us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1"}, set(regions))
        services = aws("get-parameters-by-path", "--path", f"{base}/services", "--query", "Parameters[].Value | sort(@)")
        self.assertLessEqual({"iam", "kms", "s3", "ssm", "sts"}, set(services))
        zones = aws(
            "get-parameters-by-path", "--path", f"{base}/regions/us-east-2/availability-zones", "--query", "Parameters[].Value"
        )
        self.assertEqual(zones, ["use2-az1", "use2-az2", "use2-az3"])
        name = f"{base}/regions/us-east-2/services/ssm/endpoint"
        read = aws("get-parameter", "--name", name)["Parameter"]
        self.assertEqual((read["Value"], read["Version"]), ("ssm.us-east-2.amazonaws.com", 1))
        self.assertEqual(read["ARN"], f"arn:aws:ssm:us-east-1::parameter{name}")
        self.assertEqual(aws("get-parameter", "--name", read["ARN"])["Parameter"]["Value"], read["Value"])
        self.assertEqual(aws("get-parameter", "--name", f"{base}/current-region")["Parameter"]["Value"], "us-east-1")
        found = aws("describe-parameters", "--parameter-filters", f"Key=Name,Option=BeginsWith,Values={base}/regions/us-east-1/geo")
        self.assertEqual(len(found["Parameters"]), 2)
        for words in (
            ("put-parameter", "--name", name, "--value", "mine", "--type", "String"),
            ("delete-parameter", "--name", name),
            ("label-parameter-version", "--name", name, "--labels", "mine"),
        ):
            with self.assertRaises(Refused) as caught:
                aws(*words)
            self.assertIn("(AccessDeniedException) when calling the", caught.exception.words)
            self.assertIn(f"No access to reserved parameter name: {name}.", caught.exception.words)


if __name__ == "__main__":
    unittest.main()
