// Tells CloudFormation what came of a custom resource's request.

exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = (event, context, status, data, physicalResourceId, noEcho) =>
  new Promise((resolve) => {
    const body = JSON.stringify({
      Status: status,
      Reason: `The function's log stream tells more: ${context.logStreamName}`,
      PhysicalResourceId: physicalResourceId || context.logStreamName,
      StackId: event.StackId,
      RequestId: event.RequestId,
      LogicalResourceId: event.LogicalResourceId,
      NoEcho: noEcho || false,
      Data: data,
    });
    const url = new URL(event.ResponseURL);
    const done = (...said) => {
      console.log(...said);
      context.done();
      resolve();
    };
    const headers = { "content-type": "", "content-length": Buffer.byteLength(body) };
    const request = require(url.protocol.slice(0, -1)).request(url, { method: "PUT", headers }, (answer) => {
      answer.resume();
      done("The response was taken with status", answer.statusCode);
    });
    request.on("error", (error) => done("The response was not taken:", error.message));
    request.end(body);
  });
