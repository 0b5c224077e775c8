"""CloudFormation's resource types, by boto3: what a template makes is there as the services tell it, changes in place, and goes."""

import json
import unittest

from botocore.exceptions import ClientError
from server import Judge, wait_for

TRUST = """
          Version: '2012-10-17'
          Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]
"""

IDENTITIES = """
Parameters:
  Note: {Type: String, Default: first}
  Action: {Type: String, Default: 's3:GetObject'}
Conditions:
  First: !Equals [!Ref Note, first]
Resources:
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Description: of a stack
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: !Ref Action, Resource: '*'}]
      Roles: [!Ref Role]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:""" + TRUST + """
      Description: !Ref Note
      ManagedPolicyArns: !If [First, ['arn:aws:iam::aws:policy/ReadOnlyAccess'], []]
      Policies:
        - PolicyName: own
          PolicyDocument:
            Version: '2012-10-17'
            Statement: {Effect: Allow, Action: !Ref Action, Resource: !Sub 'arn:aws:s3:::${AWS::StackName}/*'}
      Tags: [{Key: note, Value: !Ref Note}]
  Profile:
    Type: AWS::IAM::InstanceProfile
    Properties: {Roles: [!Ref Role]}
  Group:
    Type: AWS::IAM::Group
    Properties:
      Policies: [{PolicyName: of-group, PolicyDocument: {Version: '2012-10-17', Statement: {Effect: Deny, Action: 'ec2:*', Resource: '*'}}}]
  User:
    Type: AWS::IAM::User
    Properties:
      Path: !If [First, /a/, /b/]
      PermissionsBoundary: !If [First, !Ref Managed, !Ref 'AWS::NoValue']
      LoginProfile: {Password: '{{resolve:ssm-secure:/judge/password}}', PasswordResetRequired: true}
  Addition:
    Type: AWS::IAM::UserToGroupAddition
    Properties: {GroupName: !Ref Group, Users: [!Ref User]}
  Key:
    Type: AWS::IAM::AccessKey
    Properties: {UserName: !Ref User, Status: !If [First, Active, Inactive]}
  Inline:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: inline
      PolicyDocument: {Version: '2012-10-17', Statement: {Effect: Allow, Action: !Ref Action, Resource: '*'}}
      Users: [!Ref User]
      Groups: !If [First, [!Ref Group], []]
  OfRole:
    Type: AWS::IAM::RolePolicy
    Properties:
      PolicyName: of-role
      RoleName: !Ref Role
      PolicyDocument: {Version: '2012-10-17', Statement: {Effect: Allow, Action: 'sqs:*', Resource: '*'}}
Outputs:
  RoleArn: {Value: !GetAtt Role.Arn}
  Secret: {Value: !Sub '${AWS::StackName}:${Key.SecretAccessKey}'}
"""

KEYS = """
Parameters:
  Note: {Type: String, Default: first}
Conditions:
  First: !Equals [!Ref Note, first]
Resources:
  Key:
    Type: AWS::KMS::Key
    Properties:
      Description: !Ref Note
      EnableKeyRotation: !If [First, true, false]
      Enabled: !If [First, true, false]
      PendingWindowInDays: 7
      KeyPolicy:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}, Action: 'kms:*', Resource: '*'}]
      Tags: [{Key: note, Value: !Ref Note}]
  Other: {Type: AWS::KMS::Key}
  Alias:
    Type: AWS::KMS::Alias
    Properties: {AliasName: alias/judged, TargetKeyId: !If [First, !Ref Key, !Ref Other]}
  Secret:
    Type: AWS::SecretsManager::Secret
    Properties:
      Description: !Ref Note
      KmsKeyId: !Ref Other
      GenerateSecretString:
        SecretStringTemplate: '{"username": "ada"}'
        GenerateStringKey: password
        PasswordLength: 24
        ExcludePunctuation: true
  Plain:
    Type: AWS::SecretsManager::Secret
    Properties: {Name: judge/plain, SecretString: !Sub 'plain-${Note}'}
  Policy:
    Type: AWS::SecretsManager::ResourcePolicy
    Properties:
      SecretId: !Ref Secret
      BlockPublicPolicy: true
      ResourcePolicy:
        Version: '2012-10-17'
        Statement: [{Effect: Deny, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}, Action: 'secretsmanager:DeleteSecret', Resource: '*', Condition: {Bool: {'aws:SecureTransport': true}}}]
  Text:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub '${Note} {{resolve:secretsmanager:judge/plain}}'}
    DependsOn: Plain
Outputs:
  Arn: {Value: !GetAtt Key.Arn}
"""

FUNCTIONS = """
Parameters:
  Note: {Type: String, Default: first}
Conditions:
  First: !Equals [!Ref Note, first]
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:""" + TRUST + """
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: !If [First, 10, !Ref 'AWS::NoValue']
      ReservedConcurrentExecutions: 2
      Environment: {Variables: {NOTE: !Ref Note}}
      Code:
        ZipFile: !Sub |
          import os
          def handler(event, context):
              return "${Note} " + os.environ["NOTE"]
      Tags: [{Key: note, Value: !Ref Note}]
  Version:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref Function, Description: !Ref Note}
  Alias:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Function, Name: live, FunctionVersion: !GetAtt Version.Version}
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {FunctionName: !GetAtt Function.Arn, Action: 'lambda:InvokeFunction', Principal: secretsmanager.amazonaws.com}
  Events:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: !If [First, 1, 0]}
  Analyzer:
    Type: AWS::AccessAnalyzer::Analyzer
    Properties:
      Type: ACCOUNT
      ArchiveRules: [{RuleName: known, Filter: [{Property: resourceType, Eq: ['AWS::S3::Bucket']}]}]
      Tags: [{Key: note, Value: !Ref Note}]
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
"""

BUCKETS = """
Parameters:
  Note: {Type: String, Default: first}
Conditions:
  First: !Equals [!Ref Note, first]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: 'aws:kms'}, BucketKeyEnabled: true}]}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true}
      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}
      CorsConfiguration: !If [First, {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ['*'], ExposedHeaders: [x-a], MaxAge: 5, Id: one}]}, !Ref 'AWS::NoValue']
      LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, ExpirationInDays: 30, Prefix: logs/}, {Status: Enabled, NoncurrentVersionExpirationInDays: 3}]}
      WebsiteConfiguration: !If [First, {IndexDocument: index.html, ErrorDocument: error.html}, !Ref 'AWS::NoValue']
      Tags: [{Key: note, Value: !Ref Note}]
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Deny, Principal: '*', Action: 's3:PutObject', Resource: !Sub '${Bucket.Arn}/*', Condition: {Bool: {'aws:SecureTransport': 'true'}}}]
Outputs:
  Bucket: {Value: !Ref Bucket}
  Domain: {Value: !GetAtt Bucket.RegionalDomainName}
"""


class Types(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.formation = cls.server.client("cloudformation")

    def settled(self, name):
        """The stack when nothing is under way any more, and its events if something failed."""

        def at_rest():
            stack = self.formation.describe_stacks(StackName=name)["Stacks"][0]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

        stack = wait_for(at_rest, what=f"{name} is still under way")
        events = self.formation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [
            (event["LogicalResourceId"], event.get("ResourceStatusReason"))
            for event in events if event["ResourceStatus"].endswith("FAILED")
        ]
        return stack, failed

    def made(self, name, template, **parameters):
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        stack_id = self.formation.create_stack(
            StackName=name, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
        )["StackId"]
        stack, failed = self.settled(stack_id)
        self.assertEqual((stack["StackStatus"], failed), ("CREATE_COMPLETE", []))
        return self.told(name, stack)

    def changed(self, name, template, **parameters):
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        self.formation.update_stack(
            StackName=name, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"]
        )
        stack, failed = self.settled(name)
        self.assertEqual((stack["StackStatus"], failed), ("UPDATE_COMPLETE", []))
        return self.told(name, stack)

    def told(self, name, stack):
        resources = self.formation.describe_stack_resources(StackName=name)["StackResources"]
        ids = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        return ids, {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}, stack["StackId"]

    def removed(self, name, stack_id):
        self.formation.delete_stack(StackName=name)
        stack, failed = self.settled(stack_id)
        self.assertEqual((stack["StackStatus"], failed), ("DELETE_COMPLETE", []))

    def test_identities(self):
        iam, ssm = self.server.client("iam"), self.server.client("ssm")
        ssm.put_parameter(Name="/judge/password", Type="SecureString", Value="Correct-horse-7")
        ids, outputs, stack_id = self.made("identities", IDENTITIES)
        role = iam.get_role(RoleName=ids["Role"])["Role"]
        self.assertEqual((role["Description"], role["Arn"]), ("first", outputs["RoleArn"]))
        self.assertIn({"Key": "note", "Value": "first"}, role["Tags"])
        attached = iam.list_attached_role_policies(RoleName=ids["Role"])["AttachedPolicies"]
        self.assertEqual(
            {policy["PolicyArn"] for policy in attached},
            {"arn:aws:iam::aws:policy/ReadOnlyAccess", ids["Managed"]},
        )
        self.assertEqual(set(iam.list_role_policies(RoleName=ids["Role"])["PolicyNames"]), {"own", "of-role"})
        profile = iam.get_instance_profile(InstanceProfileName=ids["Profile"])["InstanceProfile"]
        self.assertEqual([role["RoleName"] for role in profile["Roles"]], [ids["Role"]])
        user = iam.get_user(UserName=ids["User"])["User"]
        self.assertEqual((user["Path"], user["PermissionsBoundary"]["PermissionsBoundaryArn"]), ("/a/", ids["Managed"]))
        self.assertTrue(iam.get_login_profile(UserName=ids["User"])["LoginProfile"]["PasswordResetRequired"])
        groups = iam.list_groups_for_user(UserName=ids["User"])["Groups"]
        self.assertEqual([group["GroupName"] for group in groups], [ids["Group"]])
        self.assertEqual(set(iam.list_group_policies(GroupName=ids["Group"])["PolicyNames"]), {"of-group", "inline"})
        key = iam.list_access_keys(UserName=ids["User"])["AccessKeyMetadata"][0]
        self.assertEqual((key["AccessKeyId"], key["Status"]), (ids["Key"], "Active"))

        ids, _, _ = self.changed("identities", IDENTITIES, Note="second", Action="s3:PutObject")
        self.assertEqual(iam.get_role(RoleName=ids["Role"])["Role"]["Description"], "second")
        attached = iam.list_attached_role_policies(RoleName=ids["Role"])["AttachedPolicies"]
        self.assertEqual([policy["PolicyArn"] for policy in attached], [ids["Managed"]])
        document = iam.get_role_policy(RoleName=ids["Role"], PolicyName="own")["PolicyDocument"]
        self.assertEqual(document["Statement"]["Action"], "s3:PutObject")
        version = iam.get_policy(PolicyArn=ids["Managed"])["Policy"]["DefaultVersionId"]
        self.assertEqual(version, "v2")
        user = iam.get_user(UserName=ids["User"])["User"]
        self.assertEqual((user["Path"], user.get("PermissionsBoundary")), ("/b/", None))
        self.assertEqual(iam.list_group_policies(GroupName=ids["Group"])["PolicyNames"], ["of-group"])
        key = iam.list_access_keys(UserName=ids["User"])["AccessKeyMetadata"][0]
        self.assertEqual(key["Status"], "Inactive")

        self.removed("identities", stack_id)
        for ask in (
            lambda: iam.get_role(RoleName=ids["Role"]),
            lambda: iam.get_user(UserName=ids["User"]),
            lambda: iam.get_group(GroupName=ids["Group"]),
            lambda: iam.get_policy(PolicyArn=ids["Managed"]),
            lambda: iam.get_instance_profile(InstanceProfileName=ids["Profile"]),
        ):
            with self.assertRaises(ClientError) as refused:
                ask()
            self.assertEqual(refused.exception.response["Error"]["Code"], "NoSuchEntity")

    def test_keys_and_secrets(self):
        """S10.10, S11.5"""
        kms, secrets, ssm = (self.server.client(name) for name in ("kms", "secretsmanager", "ssm"))
        ids, outputs, stack_id = self.made("keys", KEYS)
        key = kms.describe_key(KeyId="alias/judged")["KeyMetadata"]
        self.assertEqual((key["KeyId"], key["Arn"], key["Description"]), (ids["Key"], outputs["Arn"], "first"))
        self.assertTrue(kms.get_key_rotation_status(KeyId=ids["Key"])["KeyRotationEnabled"])
        secret = secrets.describe_secret(SecretId=ids["Secret"])
        self.assertEqual((secret["KmsKeyId"], secret["Description"]), (ids["Other"], "first"))
        value = json.loads(secrets.get_secret_value(SecretId=ids["Secret"])["SecretString"])
        self.assertEqual((value["username"], len(value["password"]), value["password"].isalnum()), ("ada", 24, True))
        self.assertIn("DeleteSecret", secrets.get_resource_policy(SecretId=ids["Secret"])["ResourcePolicy"])
        text = ssm.get_parameter(Name=ids["Text"])["Parameter"]["Value"]
        self.assertEqual(text, "first plain-first")

        ids, _, _ = self.changed("keys", KEYS, Note="second")
        self.assertEqual(kms.describe_key(KeyId="alias/judged")["KeyMetadata"]["KeyId"], ids["Other"])
        key = kms.describe_key(KeyId=ids["Key"])["KeyMetadata"]
        self.assertEqual((key["Description"], key["KeyState"]), ("second", "Disabled"))
        again = json.loads(secrets.get_secret_value(SecretId=ids["Secret"])["SecretString"])
        self.assertEqual(again, value)
        self.assertEqual(secrets.get_secret_value(SecretId="judge/plain")["SecretString"], "plain-second")
        self.assertEqual(ssm.get_parameter(Name=ids["Text"])["Parameter"]["Value"], "second plain-second")

        self.removed("keys", stack_id)
        self.assertEqual(kms.describe_key(KeyId=ids["Key"])["KeyMetadata"]["KeyState"], "PendingDeletion")
        with self.assertRaises(secrets.exceptions.ResourceNotFoundException):
            secrets.describe_secret(SecretId=ids["Secret"])

    def test_functions_and_analyzers(self):
        functions, analyzers = self.server.client("lambda"), self.server.client("accessanalyzer")
        ids, _, stack_id = self.made("functions", FUNCTIONS)
        name = ids["Function"]
        held = functions.get_function_configuration(FunctionName=name)
        self.assertEqual((held["Timeout"], held["Environment"]["Variables"]), (10, {"NOTE": "first"}))
        self.assertEqual(functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"], 2)
        self.assertEqual(functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"], "1")
        self.assertTrue(ids["Version"].endswith(":1"))
        statement = json.loads(functions.get_policy(FunctionName=name)["Policy"])["Statement"][0]
        self.assertEqual(statement["Sid"], ids["Permission"])
        events = functions.get_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")
        self.assertEqual(events["MaximumRetryAttempts"], 1)
        analyzer = ids["Analyzer"].rsplit("/", 1)[1]
        rules = analyzers.list_archive_rules(analyzerName=analyzer)["archiveRules"]
        self.assertEqual(rules[0]["filter"], {"resourceType": {"eq": ["AWS::S3::Bucket"]}})

        ids, _, _ = self.changed("functions", FUNCTIONS, Note="second")
        held = functions.get_function_configuration(FunctionName=name)
        self.assertEqual((held["Timeout"], held["Environment"]["Variables"]), (3, {"NOTE": "second"}))
        # A new description replaces the version, and the alias follows.
        self.assertTrue(ids["Version"].endswith(":2"))
        self.assertEqual(functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"], "2")
        self.assertEqual(analyzers.get_analyzer(analyzerName=analyzer)["analyzer"]["tags"]["note"], "second")
        answer = functions.invoke(FunctionName=name)
        self.assertEqual(json.loads(answer["Payload"].read()), "second second")

        self.removed("functions", stack_id)
        with self.assertRaises(functions.exceptions.ResourceNotFoundException):
            functions.get_function_configuration(FunctionName=name)
        self.assertEqual(analyzers.list_analyzers()["analyzers"], [])

    def test_buckets(self):
        s3 = self.server.client("s3")
        ids, outputs, stack_id = self.made("buckets", BUCKETS)
        name = outputs["Bucket"]
        self.assertEqual(outputs["Domain"], f"{name}.s3.us-east-1.amazonaws.com")
        self.assertEqual(s3.get_bucket_versioning(Bucket=name)["Status"], "Enabled")
        rule = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual((rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], rule["BucketKeyEnabled"]), ("aws:kms", True))
        self.assertTrue(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"])
        self.assertEqual(s3.get_bucket_cors(Bucket=name)["CORSRules"][0]["MaxAgeSeconds"], 5)
        rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
        self.assertEqual((rules[0]["Expiration"]["Days"], rules[0]["Filter"]), (30, {"Prefix": "logs/"}))
        self.assertEqual(s3.get_bucket_website(Bucket=name)["IndexDocument"], {"Suffix": "index.html"})
        self.assertIn("s3:PutObject", s3.get_bucket_policy(Bucket=name)["Policy"])
        ids, _, _ = self.changed("buckets", BUCKETS, Note="second")
        self.assertEqual(ids["Bucket"], name)
        with self.assertRaises(ClientError) as refused:
            s3.get_bucket_cors(Bucket=name)
        self.assertEqual(refused.exception.response["Error"]["Code"], "NoSuchCORSConfiguration")
        self.assertIn({"Key": "note", "Value": "second"}, s3.get_bucket_tagging(Bucket=name)["TagSet"])
        self.removed("buckets", stack_id)
        with self.assertRaises(ClientError):
            s3.head_bucket(Bucket=name)

    def test_what_is_not_built_is_refused_before_anything_is_made(self):
        for resources, said in (
            ("{A: {Type: AWS::SSM::Paramter}}", "Template format error: Unrecognized resource types: [AWS::SSM::Paramter]"),
            ("{A: {Type: AWS::EC2::VPC}}", "Resource types that are not implemented by this version of Ringwork: [AWS::EC2::VPC]"),
        ):
            with self.assertRaises(ClientError) as refused:
                self.formation.create_stack(StackName="none", TemplateBody=f"Resources: {resources}")
            error = refused.exception.response["Error"]
            self.assertEqual((error["Code"], error["Message"]), ("ValidationError", said))
        body = "Resources: {A: {Type: AWS::S3::Bucket, Properties: {Nope: 1}}}"
        stack_id = self.formation.create_stack(StackName="nope", TemplateBody=body)["StackId"]
        stack, failed = self.settled(stack_id)
        self.assertEqual(stack["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("extraneous key [Nope] is not permitted", failed[-1][1])


if __name__ == "__main__":
    unittest.main()
