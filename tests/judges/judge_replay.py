"""`ringwork replay`, on files in CloudTrail's forms, and on the ledger of a server that the AWS CLI talked to."""

import gzip
import json
import pathlib
import subprocess
import tempfile
import unittest

from server import BINARY, Credentials, Server, clean_environment, policy, statement

ROLE = "arn:aws:iam::111122223333:role/app"


def event(number, name="GetObject", source="s3.amazonaws.com", **more):
    """An event in CloudTrail's form."""
    return {
        "eventVersion": "1.11", "eventID": f"{number:08}-0000-4000-8000-000000000000", "eventType": "AwsApiCall",
        "eventTime": "2026-11-01T10:00:00Z", "eventSource": source, "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2", "requestParameters": {"x": ["}", {"y": None}]},
        "responseElements": None,
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAEXAMPLE:job", "accountId": "111122223333",
            "arn": "arn:aws:sts::111122223333:assumed-role/app/job",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "arn": ROLE, "accountId": "111122223333"},
                "attributes": {"creationDate": "2026-11-01T09:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        **more,
    }


def replay(*arguments, expect):
    """Runs the command and tells its JSON."""
    ended = subprocess.run(
        [BINARY, "replay", *map(str, arguments), "--json"], env=clean_environment(), capture_output=True, text=True, timeout=120
    )
    if ended.returncode != expect:
        raise AssertionError(f"it ended with {ended.returncode}: {ended.stderr}{ended.stdout}")
    return json.loads(ended.stdout) if ended.stdout else ended.stderr


class Files(unittest.TestCase):
    def setUp(self):
        self.held = tempfile.TemporaryDirectory(prefix="ringwork-judge-")
        self.addCleanup(self.held.cleanup)
        self.folder = pathlib.Path(self.held.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    def test_every_form_of_file_says_the_same(self):
        events = [event(number) for number in range(200)] + [event(500, "DescribeRegions", "ec2.amazonaws.com")]
        deny = self.file("deny.json", policy(statement("ec2:*", effect="Deny")))
        wrapped = json.dumps({"Records": events}, indent=1)
        for name, text in {
            "a.json": wrapped, "a.json.gz": wrapped, "b.jsonl": "\n".join(map(json.dumps, events)),
            "b.jsonl.gz": "\n".join(map(json.dumps, events)), "c.json": json.dumps(events),
        }.items():
            for threads in "1", "3":
                told = replay(self.file(name, text), "--scp", deny, "--threads", threads, expect=1)
                self.assertEqual((told["calls"], told["newly_denied"], told["unchanged"]), (201, 1, 200), name)
                (group,) = told["groups"]
                self.assertEqual((group["action"], group["principal"]), ("ec2:DescribeRegions", ROLE))
                self.assertEqual(group["first"], "00000500-0000-4000-8000-000000000000")

    def test_denied_calls_are_lifted_by_the_layer_that_denied(self):
        message = (
            "User: x is not authorized to perform: ec2:DescribeRegions because no identity-based policy allows the "
            "ec2:DescribeRegions action"
        )
        refused = event(1, "DescribeRegions", "ec2.amazonaws.com", errorCode="Client.UnauthorizedOperation", errorMessage=message)
        file = self.file("e.jsonl", json.dumps(refused))
        allow = self.file("allow.json", policy(statement("ec2:*")))
        told = replay(file, "--identity", f"{ROLE}={allow}", expect=1)
        self.assertEqual(told["groups"][0]["change"], "newly-allowed")
        other = self.file("other.json", policy(statement("s3:*")))
        self.assertEqual(replay(file, "--identity", f"{ROLE}={other}", expect=0)["unchanged"], 1)

    def test_what_is_not_recorded_is_undecided(self):
        condition = {"StringNotEquals": {"aws:PrincipalTag/team": "a"}}
        deny = self.file("deny.json", policy(statement("*", effect="Deny", Condition=condition)))
        told = replay(self.file("e.jsonl", json.dumps(event(1))), "--scp", deny, expect=0)
        self.assertEqual((told["undecided"], told["groups"][0]["because"]), (1, "aws:PrincipalTag/team"))

    def test_bad_input_is_told(self):
        deny = self.file("deny.json", policy(statement("*", effect="Deny")))
        replay(self.file("cut.json", '{"Records":[{"eventName":'), "--scp", deny, expect=3)
        replay(self.folder / "none.json", "--scp", deny, expect=3)
        replay(self.file("e.jsonl", ""), expect=2)
        told = replay(self.file("odd.jsonl", 'nonsense\n{"a":1}\n'), "--scp", deny, expect=0)
        self.assertEqual((told["calls"], told["unreadable"]), (0, 2))


class Ledger(unittest.TestCase):
    def test_a_stopped_server_is_replayed_from_what_it_kept(self):
        server = Server()
        self.addCleanup(server.close)
        iam = server.client("iam")
        iam.create_user(UserName="vera")
        arn = iam.create_policy(PolicyName="readers", PolicyDocument=policy(statement(["iam:List*"])))["Policy"]["Arn"]
        iam.attach_user_policy(UserName="vera", PolicyArn=arn)
        key = iam.create_access_key(UserName="vera")["AccessKey"]
        vera = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        own = server.client("iam", vera)
        own.list_users()
        own.list_roles()
        with self.assertRaises(own.exceptions.ClientError):
            own.create_group(GroupName="g")
        server.stop()
        with tempfile.TemporaryDirectory() as folder:
            narrow = pathlib.Path(folder) / "narrow.json"
            narrow.write_text(policy(statement(["iam:ListUsers", "iam:CreateGroup"])))
            told = replay(server.data, "--identity", f"{arn}={narrow}", expect=1)
        changes = {(group["change"], group["action"]): group["count"] for group in told["groups"]}
        self.assertEqual(changes, {("newly-denied", "iam:ListRoles"): 1, ("newly-allowed", "iam:CreateGroup"): 1})
        self.assertTrue(all(group["principal"].endswith(":user/vera") for group in told["groups"]))


if __name__ == "__main__":
    unittest.main()
