"""Nested stacks by boto3: templates of S3 as resources of a stack, which are made, changed, taken back and removed with it."""

import json

from server import REGION, Judge, policy, statement, wait_for

BUCKET = "nested-templates"


def parameter(value, name=None):
    properties = {"Type": "String", "Value": value}
    return {"Type": "AWS::SSM::Parameter", "Properties": {**properties, **({"Name": name} if name else {})}}


def nested(key, parameters=None, **more):
    url = f"https://s3.{REGION}.amazonaws.com/{BUCKET}/{key}"
    properties = {"TemplateURL": url, **({"Parameters": parameters} if parameters else {}), **more}
    return {"Type": "AWS::CloudFormation::Stack", "Properties": properties}


def inner(note="first"):
    return {
        "Parameters": {"Value": {"Type": "String"}},
        "Resources": {"It": parameter({"Fn::Sub": "${Value} " + note})},
        "Outputs": {"Held": {"Value": {"Fn::GetAtt": "It.Value"}}, "Name": {"Value": {"Ref": "It"}}},
    }


FAILING = {"Resources": {"It": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "Strange", "Value": "x"}}}}


class NestedStacks(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.client("s3").create_bucket(Bucket=BUCKET)

    def setUp(self):
        self.stacks = self.server.client("cloudformation")
        self.ssm = self.server.client("ssm")

    def put(self, key, template):
        self.server.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(template))

    def described(self, name):
        return self.stacks.describe_stacks(StackName=name)["Stacks"][0]

    def ended(self, name, status):
        def look():
            seen = self.described(name)
            return None if seen["StackStatus"].endswith("_IN_PROGRESS") else seen

        stack = wait_for(look)
        self.assertEqual(stack["StackStatus"], status, self.reasons(name))
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def reasons(self, name):
        events = self.stacks.describe_stack_events(StackName=name)["StackEvents"]
        return [event["ResourceStatusReason"] for event in events if "ResourceStatusReason" in event]

    def made(self, name, resources, status="CREATE_COMPLETE", outputs=None, client=None, **more):
        body = json.dumps({"Resources": resources, "Outputs": outputs or {}})
        (client or self.stacks).create_stack(StackName=name, TemplateBody=body, **more)
        return self.ended(name, status)

    def changed(self, name, resources, status="UPDATE_COMPLETE", outputs=None):
        body = json.dumps({"Resources": resources, "Outputs": outputs or {}})
        self.stacks.update_stack(StackName=name, TemplateBody=body)
        return self.ended(name, status)

    def physical(self, name, logical):
        told = self.stacks.describe_stack_resource(StackName=name, LogicalResourceId=logical)
        return told["StackResourceDetail"]["PhysicalResourceId"]

    def test_a_stack_of_stacks_is_made_changed_and_removed(self):
        self.put("inner", inner())
        middle = {
            "Resources": {"Inner": nested("inner", {"Value": "deep"})},
            "Outputs": {"Held": {"Value": {"Fn::GetAtt": "Inner.Outputs.Held"}}},
        }
        self.put("middle", middle)
        resources = {"Middle": nested("middle"), "After": parameter({"Fn::GetAtt": "Middle.Outputs.Held"})}
        outputs = {"Held": {"Value": {"Fn::GetAtt": "After.Value"}}}
        told = self.made("outer", resources, outputs=outputs, Tags=[{"Key": "team", "Value": "a"}])
        self.assertEqual(told, {"Held": "deep first"})
        outer, middle = self.described("outer"), self.described(self.physical("outer", "Middle"))
        within = self.described(self.physical(middle["StackId"], "Inner"))
        self.assertTrue(middle["StackName"].startswith("outer-Middle-"))
        self.assertNotIn("RootId", outer)
        self.assertEqual((middle["ParentId"], middle["RootId"]), (outer["StackId"], outer["StackId"]))
        self.assertEqual((within["ParentId"], within["RootId"]), (middle["StackId"], outer["StackId"]))
        self.assertEqual(within["Tags"], [{"Key": "team", "Value": "a"}])
        # What lies at the same address may be another template, so every update looks.
        self.put("inner", inner("second"))
        self.assertEqual(self.changed("outer", resources, outputs=outputs), {"Held": "deep second"})
        self.assertEqual(self.physical("outer", "Middle"), middle["StackId"])
        # Only the root is protected, and it protects what is within.
        self.stacks.update_termination_protection(StackName="outer", EnableTerminationProtection=True)
        protect, within = self.stacks.update_termination_protection, within["StackId"]
        self.refused("ValidationError", protect, StackName=within, EnableTerminationProtection=True)
        self.refused("ValidationError", self.stacks.delete_stack, StackName=within)
        self.stacks.update_termination_protection(StackName="outer", EnableTerminationProtection=False)
        self.stacks.delete_stack(StackName="outer")
        self.ended(outer["StackId"], "DELETE_COMPLETE")
        for stack in (middle["StackId"], within):
            self.assertEqual(self.described(stack)["StackStatus"], "DELETE_COMPLETE")

    def test_a_nested_stack_that_fails_fails_its_parent(self):
        self.put("failing", FAILING)
        self.made("bad", {"Child": nested("failing")}, status="ROLLBACK_COMPLETE")
        self.assertTrue(any("was not successfully created: The following resource(s) failed to create: [It]" in reason
                            for reason in self.reasons("bad")), self.reasons("bad"))
        self.assertEqual(self.described(self.physical("bad", "Child"))["StackStatus"], "DELETE_COMPLETE")
        self.made("absent", {"Child": nested("nothing")}, status="ROLLBACK_COMPLETE")
        self.made("notified", {"Child": nested("inner", NotificationARNs=["arn:aws:sns:us-east-1:0:t"])}, status="ROLLBACK_COMPLETE")

    def test_an_update_that_fails_takes_nested_stacks_back(self):
        self.put("back", inner())
        child = nested("back", {"Value": "a"})
        self.made("back", {"Child": child})
        name = next(output["OutputValue"] for output in self.described(self.physical("back", "Child"))["Outputs"]
                    if output["OutputKey"] == "Name")
        self.put("back", inner("second"))
        bad = {**FAILING["Resources"]["It"], "DependsOn": "Child"}
        self.changed("back", {"Child": nested("back", {"Value": "b"}), "Bad": bad}, status="UPDATE_ROLLBACK_COMPLETE")
        self.assertEqual(self.ssm.get_parameter(Name=name)["Parameter"]["Value"], "a first")
        events = self.stacks.describe_stack_events(StackName=self.physical("back", "Child"))["StackEvents"]
        done = [event for event in events if event["ResourceStatus"] == "UPDATE_COMPLETE" and event["LogicalResourceId"] == "It"]
        self.assertEqual(len(done), 2)
        # A nested stack that is no longer named goes.
        stack = self.physical("back", "Child")
        self.changed("back", {"Other": parameter("x")})
        self.assertEqual(self.described(stack)["StackStatus"], "DELETE_COMPLETE")

    def test_nested_stacks_act_as_the_role_of_the_outer_one(self):
        self.put("inner", inner())
        iam = self.server.client("iam")
        trusts = statement("sts:AssumeRole", Principal={"Service": "cloudformation.amazonaws.com"})
        del trusts["Resource"]
        role = iam.create_role(RoleName="nests", AssumeRolePolicyDocument=policy(trusts))["Role"]["Arn"]
        own = policy(statement(["cloudformation:*", "s3:GetObject", "ssm:*"]))
        iam.put_role_policy(RoleName="nests", PolicyName="own", PolicyDocument=own)
        self.made("as-role", {"Child": nested("inner", {"Value": "x"})}, RoleARN=role)
        child = self.described(self.physical("as-role", "Child"))
        self.assertEqual(child["RoleARN"], role)
        self.changed("as-role", {"Child": nested("inner", {"Value": "y"})})
        self.stacks.delete_stack(StackName="as-role")
        self.assertEqual(wait_for(lambda: (seen := self.described(child["StackId"])["StackStatus"]).startswith("DELETE_C") and seen),
                         "DELETE_COMPLETE")

    def test_the_caller_must_be_allowed_to_make_the_nested_stack(self):
        self.put("inner", inner())
        own = f"arn:aws:cloudformation:{REGION}:*:stack/narrow/*"
        allowed = statement("cloudformation:*", own), statement(["s3:GetObject", "ssm:*"])
        narrow = self.server.client("cloudformation", self.user("narrow", *allowed))
        self.made("narrow", {"Child": nested("inner", {"Value": "x"})}, status="ROLLBACK_COMPLETE", client=narrow)
        self.assertTrue(any("not authorized to perform: cloudformation:CreateStack" in reason for reason in self.reasons("narrow")))
