// Runs a function's handler for Node.js, over Lambda's Runtime API.
//
// Source: Lambda Developer Guide, "Using the Lambda runtime API", "Define Lambda function handler in Node.js", "Using the Lambda
// context object to retrieve Node.js function information".

import { existsSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { createRequire, syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const API = "/2018-06-01/runtime";
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
// From Node.js 24 on, what a handler returns is its answer, and none is given a callback.
const modern = /nodejs(2[4-9]|[3-9]\d)\./.test(process.env.AWS_EXECUTION_ENV ?? "");
let requestId = "";

// What answers CloudFormation (the cfn-response module, the CDK's providers) puts its response to port 443 of the host that the URL names,
// without a look at the URL's port: on AWS there is no other. Here the response goes to the port where the host listens.
const own = process.env.AWS_ENDPOINT_URL ? new URL(process.env.AWS_ENDPOINT_URL) : undefined;
const bare = (name) => String(name).replace(/^\[|\]$/g, "");
const { request: secure } = https;
https.request = (options, ...rest) => {
  const response =
    own &&
    options?.method === "PUT" &&
    String(options.path).startsWith("/cloudformation-") &&
    bare(options.hostname ?? options.host) === bare(own.hostname) &&
    [undefined, null, 443, "443"].includes(options.port);
  if (!response) return secure(options, ...rest);
  const { protocol, port } = own;
  const there = { ...options, protocol, port, agent: undefined };
  return protocol === "http:" ? http.request(there, ...rest) : secure(there, ...rest);
};
syncBuiltinESMExports();

function ask(method, place, body, headers = {}) {
  return new Promise((resolve, reject) => {
    if (body !== undefined) headers["Content-Length"] = Buffer.byteLength(body);
    const request = http.request({ host, port, method, path: API + place, agent, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

class Faulty extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
    this.stack = "";
  }
}

function described(error) {
  if (error instanceof Error || (error && typeof error.message === "string" && typeof error.name === "string")) {
    return {
      errorType: error.name,
      errorMessage: error.message,
      trace: error.stack ? String(error.stack).split("\n") : [],
    };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

const json = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const ranks = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const least = ranks.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL ?? "INFO");

function errorFields(error) {
  const { errorType, errorMessage, trace } = described(error);
  return { errorType, errorMessage, stackTrace: trace };
}

/** What a function logs as JSON ("Using structured JSON logs with Node.js"). */
function structured(level, parts) {
  const record = { timestamp: new Date().toISOString(), level, requestId: requestId || undefined };
  const [first] = parts;
  const error = parts.find((part) => part instanceof Error);
  if (parts.length === 1 && typeof first === "object") {
    record.message = error ? errorFields(error) : first;
  } else {
    Object.assign(record, { message: format(...parts) }, error ? errorFields(error) : {});
  }
  try {
    return JSON.stringify(record);
  } catch {
    // It contains itself, or numbers that JSON has not.
    return JSON.stringify({ ...record, message: format(...parts) });
  }
}

/** Writes why a run has failed. */
function complain(kind, errorType, told) {
  const { errorMessage, trace } = told;
  if (json) process.stdout.write(structured("ERROR", [{ errorType, errorMessage, stackTrace: trace }]) + "\n");
  else console.error(`${kind} \t${JSON.stringify({ errorType, errorMessage, stack: trace })}`);
}

const levels = { log: "INFO", info: "INFO", debug: "DEBUG", warn: "WARN", error: "ERROR", trace: "TRACE" };
for (const [name, level] of Object.entries(levels)) {
  console[name] = (...parts) => {
    if (json) {
      if (ranks.indexOf(level) >= least) process.stdout.write(structured(level, parts) + "\n");
      return;
    }
    const text = `${new Date().toISOString()}\t${requestId || "undefined"}\t${level}\t${format(...parts)}`;
    process.stdout.write(text.replace(/\n/g, "\r") + "\n");
  };
}

/** `folder/module.function`, where the function may lie inside objects of the module. */
async function load(name) {
  const base = path.basename(name);
  const folder = name.slice(0, name.length - base.length);
  const dot = base.indexOf(".");
  if (dot < 1 || name.includes("..")) {
    throw new Faulty("Runtime.MalformedHandlerName", name.includes("..") ? `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.` : "Bad handler");
  }
  const file = path.resolve(process.env.LAMBDA_TASK_ROOT, folder, base.slice(0, dot));
  let loaded;
  try {
    loaded = await loadModule(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw renamed("Runtime.UserCodeSyntaxError", error);
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw renamed("Runtime.ImportModuleError", error);
    }
    throw error;
  }
  const handler = base.slice(dot + 1).split(".").reduce((inner, part) => inner?.[part], loaded);
  if (handler === undefined) throw new Faulty("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw new Faulty("Runtime.HandlerNotFound", `${name} is not a function`);
  if (modern && handler.length > 2) {
    throw new Faulty("Runtime.CallbackHandlerDeprecated", "Handlers that take a callback are not supported from Node.js 24 on; make the handler async.");
  }
  return handler;
}

function renamed(name, error) {
  const told = new Faulty(name, String(error));
  told.stack = error.stack;
  return told;
}

async function loadModule(file) {
  const require = createRequire(path.join(process.env.LAMBDA_TASK_ROOT, "index.js"));
  if (existsSync(`${file}.js`) || existsSync(`${file}.cjs`)) {
    const found = existsSync(`${file}.js`) ? `${file}.js` : `${file}.cjs`;
    try {
      return require(found);
    } catch (error) {
      if (error?.code !== "ERR_REQUIRE_ESM" && error?.code !== "ERR_REQUIRE_ASYNC_MODULE" && !isModuleSyntax(error)) throw error;
      return exported(await import(pathToFileURL(found).href));
    }
  }
  if (existsSync(`${file}.mjs`)) return exported(await import(pathToFileURL(`${file}.mjs`).href));
  return require(file);
}

function isModuleSyntax(error) {
  return error instanceof SyntaxError && /import statement outside a module|Unexpected token 'export'/.test(error.message);
}

function exported(module) {
  return module.default && typeof module.default === "object" ? { ...module.default, ...module } : module;
}

function contextOf(headers, done) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const read = (name) => (headers[name] ? JSON.parse(headers[name]) : undefined);
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: read("lambda-runtime-client-context"),
    identity: read("lambda-runtime-cognito-identity"),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done: (error, result) => done(error, result),
    succeed: (result) => done(null, result),
    fail: (error) => done(error ?? new Error("handled")),
  };
  return context;
}

/** The handler's result, whether it is async, calls back or both. */
function run(handler, event, headers) {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (error, result) => {
      if (settled) return;
      settled = true;
      const end = () => (error !== null && error !== undefined ? reject(error) : resolve(result));
      process.removeListener("beforeExit", drained);
      // A callback's answer waits for what the function has still going on, unless the function says otherwise.
      if (context.callbackWaitsForEmptyEventLoop) {
        process.once("beforeExit", end);
      } else {
        setImmediate(end);
      }
    };
    const context = contextOf(headers, settle);
    // A handler that neither calls back nor has anything going on any more answers nothing.
    const drained = () => resolve(null);
    let returned;
    try {
      returned = handler(event, context, settle);
    } catch (error) {
      reject(error);
      return;
    }
    if (returned && typeof returned.then === "function") {
      returned.then(resolve, reject);
    } else if (modern) {
      resolve(returned);
    } else if (!settled) {
      process.once("beforeExit", drained);
    }
  }).finally(() => process.removeAllListeners("beforeExit"));
}

function answerOf(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? "null";
  } catch (error) {
    throw new Faulty("Runtime.MarshalError", `Unable to stringify response body: ${error.message}`);
  }
}

async function postError(place, error) {
  const body = JSON.stringify(described(error));
  await ask("POST", place, body, {
    "Content-Type": "application/json",
    "Lambda-Runtime-Function-Error-Type": "Unhandled",
  });
}

async function die(kind, name, error) {
  const told = described(error);
  complain(kind, name ?? told.errorType, told);
  const body = new Faulty(name ?? told.errorType, told.errorMessage);
  body.stack = told.trace.join("\n");
  await postError(requestId ? `/invocation/${requestId}/error` : "/init/error", body).catch(() => {});
  process.exit(requestId ? 128 : 1);
}

process.on("uncaughtException", (error) => die("Uncaught Exception", undefined, error));
process.on("unhandledRejection", (reason) =>
  die("Unhandled Promise Rejection", "Runtime.UnhandledPromiseRejection", reason instanceof Error ? new Error(String(reason)) : reason),
);

let handler;
try {
  handler = await load(process.env._HANDLER ?? "");
} catch (error) {
  await die("Init Error", undefined, error);
}
for (;;) {
  const { status, headers, body } = await ask("GET", "/invocation/next").catch(() => process.exit(1));
  if (status !== 200) process.exit(1);
  requestId = headers["lambda-runtime-aws-request-id"];
  if (headers["lambda-runtime-trace-id"]) process.env._X_AMZN_TRACE_ID = headers["lambda-runtime-trace-id"];
  else delete process.env._X_AMZN_TRACE_ID;
  let answer;
  try {
    answer = answerOf(await run(handler, JSON.parse(body.toString("utf8")), headers));
  } catch (error) {
    const told = described(error);
    complain("Invoke Error", told.errorType, told);
    await postError(`/invocation/${requestId}/error`, error);
    continue;
  }
  await ask("POST", `/invocation/${requestId}/response`, answer, { "Content-Type": "application/json" });
}
