"""Runs a function's handler for Python, over Lambda's Runtime API.

Source: Lambda Developer Guide, "Using the Lambda runtime API", "Define Lambda function handler in Python", "Using the Lambda
context object to retrieve Python function information".
"""

import decimal
import http.client
import importlib
import json
import logging
import os
import site
import sys
import time
import traceback

API = "/2018-06-01/runtime"
JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
LEVELS = {
    "TRACE": logging.NOTSET,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
# What every record of a log has: the rest was given by the function.
OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class Client:
    """One connection to the Runtime API, opened again if it was closed while it was idle."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(address)

    def ask(self, method, path, body=None, headers=None):
        for last in (False, True):
            try:
                self.connection.request(method, API + path, body, headers or {})
                answer = self.connection.getresponse()
                return answer, answer.read()
            except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
                self.connection.close()
                if last:
                    raise


class ClientContext:
    class Client:
        def __init__(self, told):
            self.installation_id = told.get("installation_id")
            self.app_title = told.get("app_title")
            self.app_version_name = told.get("app_version_name")
            self.app_version_code = told.get("app_version_code")
            self.app_package_name = told.get("app_package_name")

    def __init__(self, told):
        self.custom = told.get("custom")
        self.env = told.get("env")
        self.client = self.Client(told["client"]) if isinstance(told.get("client"), dict) else None


class CognitoIdentity:
    def __init__(self, told):
        self.cognito_identity_id = told.get("cognitoIdentityId")
        self.cognito_identity_pool_id = told.get("cognitoIdentityPoolId")


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        told = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = ClientContext(json.loads(told)) if told else None
        told = headers.get("Lambda-Runtime-Cognito-Identity")
        self.identity = CognitoIdentity(json.loads(told) if told else {})
        self._deadline = int(headers.get("Lambda-Runtime-Deadline-Ms") or 0)

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


def timestamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def write(told):
    sys.stdout.write(json.dumps(told, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def structured(record, request_id):
    """A record of the log as JSON ("Using structured JSON logs with Python")."""
    told = {
        "timestamp": timestamp(record.created),
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
    }
    if record.exc_info and record.exc_info[0]:
        kind, error, trace = record.exc_info
        told["stackTrace"] = traceback.format_tb(trace)
        told["errorType"] = kind.__name__
        told["errorMessage"] = str(error)
        told["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
    if request_id:
        told["requestId"] = request_id
    given = {name: value for name, value in vars(record).items() if name not in OWN and name not in told}
    return {**told, **given}


class Lines(logging.Handler):
    """What the function logs, with the level, the time and the request's id."""

    def __init__(self):
        super().__init__()
        form = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
        )
        form.converter = time.gmtime
        self.setFormatter(form)
        self.request_id = ""

    def emit(self, record):
        if JSON:
            write(structured(record, self.request_id))
            return
        record.aws_request_id = self.request_id
        sys.stdout.write(self.format(record))
        sys.stdout.flush()


class Faulty(Exception):
    """A function that cannot be loaded."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind, self.message, self.trace = kind, message, list(trace)


def plain(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def described(message, kind, trace, request_id=""):
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def load(name):
    """The handler that `module.function` names."""
    module, dot, function = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise Faulty("Runtime.MalformedHandlerName", message)
    try:
        if module.split(".")[0] in sys.builtin_module_names:
            raise Faulty("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module} as a handler module")
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Faulty("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {(error.text or "").rstrip()}']
        raise Faulty("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", trace) from error
    try:
        return getattr(loaded, function)
    except AttributeError as error:
        raise Faulty("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module}'") from error


def own_frames(error):
    """The stack of an error without the frames of this file."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    # Frames of the machinery that imports modules tell nothing.
    frames = [frame for frame in frames if not frame.filename.startswith("<frozen importlib")]
    return [line if line.endswith("\n") else line + "\n" for line in traceback.format_list(frames)]


def report(kind, message, trace, request_id=""):
    if JSON:
        write({"timestamp": timestamp(time.time()), "level": "ERROR", **described(message, kind, trace, request_id)})
        return
    lines = [f"[ERROR] {kind}: {message}" if kind else f"[ERROR] {message}"]
    if trace:
        lines.append("Traceback (most recent call last):")
        lines.extend(line.rstrip("\n") for line in trace)
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def post_error(client, path, body):
    headers = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": "Unhandled"}
    client.ask("POST", path, json.dumps(body).encode(), headers)


def init(client):
    """The handler, or the end of the process."""
    try:
        return load(os.environ.get("_HANDLER", ""))
    except Faulty as error:
        kind, message, trace = error.kind, error.message, error.trace
    except Exception as error:
        kind, message, trace = type(error).__name__, str(error), own_frames(error)
    report(kind, message, trace)
    post_error(client, "/init/error", described(message, kind, trace))
    sys.exit(1)


def main():
    # In the place of this file's own folder.
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    # Where the layers are, if there are any.
    for layers in sys.argv[1:2]:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        packages = os.path.join(layers, "python", "lib", version, "site-packages")
        if os.path.isdir(packages):
            site.addsitedir(packages)
            sys.path.remove(packages)
        sys.path[1:1] = [packages, os.path.join(layers, "python")]
    sys.argv = [__file__]
    lines = Lines()
    logging.root.addHandler(lines)
    if JSON:
        logging.root.setLevel(LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL"), logging.INFO))
    client = Client(os.environ["AWS_LAMBDA_RUNTIME_API"])
    handler = init(client)
    while True:
        answer, body = client.ask("GET", "/invocation/next")
        if answer.status != 200:
            sys.exit(1)
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        lines.request_id = request_id
        trace_id = answer.headers.get("Lambda-Runtime-Trace-Id")
        if trace_id:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        try:
            try:
                event = json.loads(body)
            except ValueError as error:
                raise Faulty("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error
            result = handler(event, Context(answer.headers))
            try:
                answer_body = json.dumps(result, ensure_ascii=False, default=plain).encode("utf-8", "surrogatepass")
            except (TypeError, ValueError) as error:
                message = f"Unable to marshal response: {error}"
                raise Faulty("Runtime.MarshalError", message) from error
        except Faulty as error:
            report(error.kind, error.message, error.trace, request_id)
            told = described(error.message, error.kind, error.trace, request_id)
            post_error(client, f"/invocation/{request_id}/error", told)
        except Exception as error:
            kind, message, trace = type(error).__name__, str(error), own_frames(error)
            report(kind, message, trace, request_id)
            post_error(client, f"/invocation/{request_id}/error", described(message, kind, trace, request_id))
        else:
            sys.stdout.flush()
            headers = {"Content-Type": "application/json"}
            client.ask("POST", f"/invocation/{request_id}/response", answer_body, headers)


main()
