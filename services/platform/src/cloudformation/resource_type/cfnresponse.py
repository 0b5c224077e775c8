"""Tells CloudFormation what came of a custom resource's request."""

import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    response = {
        "Status": responseStatus,
        "Reason": reason or f"The function's log stream tells more: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "NoEcho": noEcho,
        "Data": responseData,
    }
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        response[name] = event[name]
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(response).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    try:
        with urllib.request.urlopen(request) as answer:
            print("The response was taken with status", answer.status)
    except OSError as error:
        print("The response was not taken:", error)
