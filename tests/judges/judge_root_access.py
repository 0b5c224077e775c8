"""Central root access by boto3 and the AWS CLI: privileged sessions in member accounts, and the roles that keep an organization going."""

import json
import unittest

import botocore.exceptions

from server import Credentials, Judge, Refused, Server, policy, statement, wait_for

TASKS = "arn:aws:iam::aws:policy/root-task"


class RootAccess(Judge):
    """One organization with a member that it made."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        cls.organizations = cls.server.client("organizations")
        cls.iam = cls.server.client("iam")
        cls.organizations.create_organization(FeatureSet="ALL")
        asked = cls.organizations.create_account(Email="member@example.com", AccountName="Member")
        cls.member = cls.wait(lambda: cls.made(asked["CreateAccountStatus"]["Id"]))
        cls.organizations.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
        cls.iam.enable_organizations_root_credentials_management()
        cls.iam.enable_organizations_root_sessions()
        cls.iam.create_user(UserName="administrator")
        document = policy(statement("sts:AssumeRoot"))
        cls.iam.put_user_policy(UserName="administrator", PolicyName="root", PolicyDocument=document)
        key = cls.iam.create_access_key(UserName="administrator")
        cls.administrator = Credentials.of(key)

    @classmethod
    def made(cls, request):
        status = cls.organizations.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
        return status.get("AccountId")

    @staticmethod
    def wait(ready):
        """What `ready` tells once it tells something."""
        return wait_for(ready, what="nothing came of it in time")

    def assume(self, task):
        sts = self.server.client("sts", self.administrator)
        return sts.assume_root(TargetPrincipal=self.member, TaskPolicyArn={"arn": f"{TASKS}/{task}"}, DurationSeconds=900)

    def test_features_are_listed(self):
        features = self.iam.list_organizations_features()
        self.assertEqual(features["EnabledFeatures"], ["RootCredentialsManagement", "RootSessions"])
        self.assertRegex(features["OrganizationId"], "^o-")

    def test_a_session_audits_the_member_s_root_user(self):
        answer = self.server.aws(
            "sts", "assume-root", "--target-principal", self.member,
            "--task-policy-arn", f"arn={TASKS}/IAMAuditRootUserCredentials", credentials=self.administrator,
        )
        session = Credentials.of(answer)
        iam = self.server.client("iam", session)
        self.assertEqual(iam.get_user()["User"]["Arn"], f"arn:aws:iam::{self.member}:root")
        self.assertEqual(iam.list_access_keys()["AccessKeyMetadata"], [])
        self.assertEqual(iam.get_account_summary()["SummaryMap"]["AccountPasswordPresent"], 0)
        with self.assertRaises(botocore.exceptions.ClientError) as refused:
            iam.create_access_key()
        self.assertEqual(refused.exception.response["Error"]["Code"], "AccessDenied")
        with self.assertRaises(Refused):
            self.server.aws("iam", "list-users", credentials=session)

    def test_root_s_password_is_recovered_and_deleted(self):
        creating = self.server.client("iam", Credentials.of(self.assume("IAMCreateRootUserPassword")))
        self.assertEqual(creating.create_login_profile()["LoginProfile"]["UserName"], "root")
        deleting = self.server.client("iam", Credentials.of(self.assume("IAMDeleteRootUserCredentials")))
        deleting.delete_login_profile()
        with self.assertRaises(deleting.exceptions.NoSuchEntityException):
            deleting.get_login_profile()

    def test_the_trail_tells_of_the_session(self):
        key = self.assume("IAMAuditRootUserCredentials")["Credentials"]["AccessKeyId"]
        trail = self.server.client("cloudtrail")
        events = trail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "AssumeRoot"}]
        )["Events"]
        told = [json.loads(event["CloudTrailEvent"]) for event in events]
        told = next(event for event in told if (event["responseElements"] or {}).get("credentials", {}).get("accessKeyId") == key)
        self.assertEqual(told["requestParameters"]["targetPrincipal"], self.member)
        self.assertEqual(told["requestParameters"]["taskPolicyArn"]["arn"], f"{TASKS}/IAMAuditRootUserCredentials")

    def test_root_and_strangers_get_no_session(self):
        audit = {"arn": f"{TASKS}/IAMAuditRootUserCredentials"}
        sts = self.server.client("sts")
        administrator = self.server.client("sts", self.administrator)
        for client, account in [(sts, self.member), (administrator, self.server.account), (administrator, "999999999999")]:
            with self.assertRaises(botocore.exceptions.ClientError) as refused:
                client.assume_root(TargetPrincipal=account, TaskPolicyArn=audit)
            self.assertEqual(refused.exception.response["Error"]["Code"], "AccessDenied", account)

    def test_a_report_tells_of_the_member_and_an_analyzer_sees_it(self):
        root = self.organizations.list_roots()["Roots"][0]["Id"]
        organization = self.organizations.describe_organization()["Organization"]["Id"]
        self.organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
        session = self.server.client("iam", Credentials.of(self.assume("IAMAuditRootUserCredentials")))
        session.get_account_summary()
        job = self.iam.generate_organizations_access_report(EntityPath=f"{organization}/{root}")["JobId"]

        def made():
            report = self.iam.get_organizations_access_report(JobId=job, SortKey="LAST_AUTHENTICATED_TIME_DESCENDING")
            return report if report["JobStatus"] != "IN_PROGRESS" else None

        report = self.wait(made)
        self.assertEqual(report["JobStatus"], "COMPLETED")
        first = report["AccessDetails"][0]
        self.assertEqual(first["ServiceNamespace"], "iam")
        self.assertEqual(first["EntityPath"], f"{organization}/{root}/{self.member}")

        self.organizations.enable_aws_service_access(ServicePrincipal="access-analyzer.amazonaws.com")
        analyzers = self.server.client("accessanalyzer")
        arn = analyzers.create_analyzer(analyzerName="organization", type="ORGANIZATION")["arn"]
        owners = self.wait(lambda: {
            held["resourceOwnerAccount"] for held in analyzers.list_analyzed_resources(analyzerArn=arn)["analyzedResources"]
        } if len(analyzers.list_analyzed_resources(analyzerArn=arn)["analyzedResources"]) > 2 else None)
        self.assertEqual(owners, {self.server.account, self.member})
        # The role by which the management account reaches into the member is trust within the organization.
        self.assertEqual(analyzers.list_findings_v2(analyzerArn=arn)["findings"], [])

    def test_the_organization_s_role_stays_while_it_is_needed(self):
        role = "AWSServiceRoleForOrganizations"
        task = self.iam.delete_service_linked_role(RoleName=role)["DeletionTaskId"]

        def ended():
            status = self.iam.get_service_linked_role_deletion_status(DeletionTaskId=task)
            return status if status["Status"] not in ("IN_PROGRESS", "NOT_STARTED") else None

        status = self.wait(ended)
        self.assertEqual(status["Status"], "FAILED")
        self.assertIn(":organization/o-", status["Reason"]["RoleUsageList"][0]["Resources"][0])
        self.assertEqual(self.iam.get_role(RoleName=role)["Role"]["Path"], "/aws-service-role/organizations.amazonaws.com/")


if __name__ == "__main__":
    unittest.main()
