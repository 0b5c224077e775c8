"""Custom resources and wait conditions by boto3: functions that really run answer by the URL that they are given, each in the way of its
language's modules, and programs without credentials signal by theirs."""

import json
import shutil
import sys
import unittest
import urllib.error
import urllib.request

from server import Judge, wait_for

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"

# The way of a module that a package brings along.
OWN = """
import json, urllib.request
def handler(event, context):
    body = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    given = event["ResourceProperties"]
    body |= {"Status": given.get("Status", "SUCCESS"), "Reason": "as asked", "PhysicalResourceId": "thing-" + given["Name"]}
    body["Data"] = {"Type": event["RequestType"], "Name": given["Name"]}
    if event["RequestType"] == "Delete":
        body["Status"] = "SUCCESS"
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), {"content-type": ""}, method="PUT")
    urllib.request.urlopen(request)
"""

# The module that inline code has at hand.
MODULE = """
import cfnresponse
def handler(event, context):
    cfnresponse.send(event, context, cfnresponse.SUCCESS, {"Name": event["ResourceProperties"]["Name"]}, "module")
"""

NODE_MODULE = """
const response = require("cfn-response");
exports.handler = (event, context) => {
  response.send(event, context, response.SUCCESS, { Name: event.ResourceProperties.Name }, "module");
};
"""

# The way of modules that speak TLS to port 443, as those of AWS and of the CDK do.
NODE_OWN = """
const https = require("https");
const url = require("url");
exports.handler = (event, context) => new Promise((resolve, reject) => {
  const body = JSON.stringify({
    Status: "SUCCESS", Reason: "", PhysicalResourceId: "own", StackId: event.StackId, RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId, Data: { Name: event.ResourceProperties.Name },
  });
  const parsed = url.parse(event.ResponseURL);
  const options = {
    hostname: parsed.hostname, port: 443, path: parsed.path, method: "PUT",
    headers: { "content-type": "", "content-length": body.length },
  };
  const request = https.request(options, (answer) => resolve(answer.statusCode));
  request.on("error", reject);
  request.write(body);
  request.end();
});
"""


def template(code, runtime, name="one", **more):
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }}}
    function = {"Type": "AWS::Lambda::Function", "Properties": {
        "Runtime": runtime, "Handler": "index.handler", "Role": {"Fn::GetAtt": "Role.Arn"}, "Code": {"ZipFile": code}, "Timeout": 30,
    }}
    thing = {"Type": "Custom::Thing", "Properties": {"ServiceToken": {"Fn::GetAtt": "Function.Arn"}, "Name": name, **more}}
    return json.dumps({
        "Resources": {"Role": role, "Function": function, "Thing": thing},
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": "Thing.Name"}}, "Id": {"Value": {"Ref": "Thing"}}},
    })


class CustomResources(Judge):
    def setUp(self):
        self.stacks = self.server.client("cloudformation")

    def ended(self, name, status):
        def look():
            stack = self.stacks.describe_stacks(StackName=name)["Stacks"][0]
            return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

        stack = wait_for(look)
        events = self.stacks.describe_stack_events(StackName=name)["StackEvents"]
        self.assertEqual(stack["StackStatus"], status, [event.get("ResourceStatusReason") for event in events])
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def made(self, name, body, status="CREATE_COMPLETE"):
        self.stacks.create_stack(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        return self.ended(name, status)

    def gone(self, name):
        stack = self.stacks.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.stacks.delete_stack(StackName=name)
        self.ended(stack, "DELETE_COMPLETE")

    def test_a_function_makes_changes_and_removes_its_thing(self):
        outputs = self.made("own", template(OWN, PYTHON))
        self.assertEqual(outputs, {"Name": "one", "Id": "thing-one"})
        body = template(OWN, PYTHON, name="two")
        self.stacks.update_stack(StackName="own", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
        self.assertEqual(self.ended("own", "UPDATE_COMPLETE"), {"Name": "two", "Id": "thing-two"})
        events = self.stacks.describe_stack_events(StackName="own")["StackEvents"]
        removed = [event["PhysicalResourceId"] for event in events if event["ResourceStatus"] == "DELETE_COMPLETE"]
        self.assertEqual(removed, ["thing-one"])
        self.gone("own")

    def test_a_function_that_fails_rolls_back(self):
        self.made("failing", template(OWN, PYTHON, Status="FAILED"), status="ROLLBACK_COMPLETE")
        events = self.stacks.describe_stack_events(StackName="failing")["StackEvents"]
        reasons = [event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
        self.assertIn("Received response status [FAILED] from custom resource. Message returned: as asked", reasons[0])

    def test_inline_code_has_the_module(self):
        self.assertEqual(self.made("module", template(MODULE, PYTHON)), {"Name": "one", "Id": "module"})
        self.gone("module")

    @unittest.skipUnless(shutil.which("node"), "Node.js is not there")
    def test_node_answers_by_its_module_and_by_its_own_means(self):
        self.assertEqual(self.made("node-module", template(NODE_MODULE, "nodejs22.x")), {"Name": "one", "Id": "module"})
        self.assertEqual(self.made("node-own", template(NODE_OWN, "nodejs22.x")), {"Name": "one", "Id": "own"})

    def test_signals_end_a_wait(self):
        handle, condition = {"Type": "AWS::CloudFormation::WaitConditionHandle"}, "AWS::CloudFormation::WaitCondition"
        waits = {"Type": condition, "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "300", "Count": 2}}
        outputs = {"Told": {"Value": {"Fn::GetAtt": "Wait.Data"}}}
        body = json.dumps({"Resources": {"Wait": waits, "Handle": handle}, "Outputs": outputs})
        self.stacks.create_stack(StackName="waits", TemplateBody=body)

        def url():
            held = self.stacks.describe_stack_resources(StackName="waits")["StackResources"]
            return next((row.get("PhysicalResourceId") for row in held if row["LogicalResourceId"] == "Handle"), None)

        there = wait_for(url)
        for unique in ("one", "two"):
            signal = json.dumps({"Status": "SUCCESS", "UniqueId": unique, "Reason": "", "Data": f"data of {unique}"}).encode()
            request = urllib.request.Request(there, signal, {"Content-Type": ""}, method="PUT")
            with urllib.request.urlopen(request) as answer:
                self.assertEqual(answer.status, 200)
        told = json.loads(self.ended("waits", "CREATE_COMPLETE")["Told"])
        self.assertEqual(told, {"one": "data of one", "two": "data of two"})
        forged = urllib.request.Request(there[:-8] + "AAAAAAAA", b"{}", method="PUT")
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged)
        self.assertEqual(refused.exception.code, 403)


if __name__ == "__main__":
    unittest.main()
