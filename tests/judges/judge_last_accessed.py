"""Last accessed details, by boto3 and the AWS CLI."""

import unittest

from server import Judge, statement, wait_for


class LastAccessed(Judge):
    def report(self, iam, arn, granularity="SERVICE_LEVEL"):
        job = iam.generate_service_last_accessed_details(Arn=arn, Granularity=granularity)["JobId"]

        def made():
            answer = iam.get_service_last_accessed_details(JobId=job, MaxItems=1000)
            if answer["JobStatus"] != "IN_PROGRESS":
                return answer
            self.assertNotIn("JobCompletionDate", answer)

        answer = wait_for(made, what="the report was not made")
        self.assertEqual(answer["JobStatus"], "COMPLETED")
        return job, {one["ServiceNamespace"]: one for one in answer["ServicesLastAccessed"]}

    def test_an_attempt_is_told_whether_it_was_allowed_or_not(self):
        iam = self.server.client("iam")
        lara = self.user("lara", statement(["iam:ListUsers", "kms:*"]))
        user = f"arn:aws:iam::{self.server.account}:user/lara"
        own = self.server.client("iam", lara)
        _, before = self.report(iam, user)
        self.assertEqual(set(before), {"iam", "kms"})
        self.assertNotIn("LastAuthenticated", before["iam"])
        self.refused("AccessDenied", own.list_roles)
        _, refused = self.report(iam, user)
        self.assertEqual(refused["iam"]["LastAuthenticatedEntity"], user)
        own.list_users()
        job, actions = self.report(iam, user, "ACTION_LEVEL")
        tracked = {one["ActionName"]: one for one in actions["iam"]["TrackedActionsLastAccessed"]}
        self.assertEqual(list(tracked), ["ListUsers"])
        self.assertEqual(tracked["ListUsers"]["LastAccessedRegion"], "us-east-1")
        entities = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="iam")
        self.assertEqual([one["EntityInfo"]["Name"] for one in entities["EntityDetailsList"]], ["lara"])

    def test_the_command_line_lists_the_policies_that_grant(self):
        iam = self.server.client("iam")
        user = iam.create_user(UserName="grace")["User"]["Arn"]
        managed = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
        iam.attach_user_policy(UserName="grace", PolicyArn=managed)
        told = self.server.aws(
            "iam", "list-policies-granting-service-access", "--arn", user, "--service-namespaces", "s3", "sqs"
        )
        granting = {
            one["ServiceNamespace"]: [held["PolicyArn"] for held in one["Policies"]]
            for one in told["PoliciesGrantingServiceAccess"]
        }
        self.assertEqual(granting, {"s3": [managed], "sqs": []})
        job = self.server.aws("iam", "generate-service-last-accessed-details", "--arn", managed)["JobId"]
        told = self.server.aws("iam", "get-service-last-accessed-details", "--job-id", job)
        self.assertIn(told["JobStatus"], {"IN_PROGRESS", "COMPLETED"})


if __name__ == "__main__":
    unittest.main()
