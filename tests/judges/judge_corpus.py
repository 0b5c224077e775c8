"""The decision corpus over the wire: real calls by principals of three accounts where a call can be brought into the case, and
AWS's simulator for those that only policies and condition keys make. The verdicts must be those that the files tell."""

import json
import pathlib
import tempfile
import unittest

import botocore.exceptions
import yaml

from server import Credentials, Judge, Server

FOLDER = pathlib.Path(__file__).parent.parent / "corpus"
HOME, OTHERS = "111122223333", ("444455556666", "777788889999")
USERS = {HOME: ("alice", "bob"), **{other: ("eve",) for other in OTHERS}}
ROLES = ("worker", "admin")
INHERITED = ("as", "do", "on", "owner", "source", "expect")
PREFIX = "kms:EncryptionContext:"


class Loader(yaml.SafeLoader):
    """Dates and account ids are text here, as they are to policies."""


Loader.yaml_implicit_resolvers = {
    letter: [rule for rule in rules if rule[0] in ("tag:yaml.org,2002:merge",)]
    for letter, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def over(above, own):
    """A test with what stands above it for whatever it does not say."""
    merged = {key: own.get(key, above.get(key)) for key in INHERITED}
    merged["given"] = {**above.get("given", {}), **own.get("given", {})}
    merged["with"] = {**above.get("with", {}), **own.get("with", {})}
    merged["name"] = ": ".join(part for part in (above.get("name"), own.get("name")) if part)
    return merged


def cases(name):
    """The cases of a file, each with all that it is made of."""
    document = yaml.load((FOLDER / name).read_text(), Loader)
    found = []

    def walk(above, test):
        merged = over(above, test)
        for case in test.get("cases", []):
            walk(merged, case)
        if not test.get("cases"):
            found.append(merged)

    for test in document["tests"]:
        walk({key: value for key, value in document.items() if key != "tests"}, test)
    return found


def text(policy):
    return policy if isinstance(policy, str) else json.dumps(policy)


def values(value):
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


class Corpus(Judge):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="ringwork-corpus-")
        cls.addClassCleanup(folder.cleanup)
        accounts = []
        for number, (account, users) in enumerate(USERS.items()):
            trust = {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:user/{users[0]}"}, "Action": "sts:AssumeRole"},
            ]}
            accounts.append({
                "id": account, "name": f"account-{number}",
                "users": [
                    {"name": name, "groups": ["admins"] if name == "keeper" else [], "access_keys": [
                        {"id": f"AKIACORPUS{number}{name.upper():0<9}", "secret": f"secret-of-{name}-{account}"},
                    ]}
                    for name in (*users, "keeper")
                ],
                "roles": [{"name": name, "trust": trust} for name in ROLES],
                "groups": [{"name": "admins", "policies": ["arn:aws:iam::aws:policy/IAMFullAccess"]}],
            })
        seed = pathlib.Path(folder.name) / "seed.yaml"
        seed.write_text(yaml.safe_dump({"accounts": accounts}))
        cls.server = Server("--account", HOME, "--seed", str(seed))
        cls.addClassCleanup(cls.server.close)
        cls.keys = {
            f"arn:aws:iam::{account['id']}:user/{user['name']}": Credentials(user["access_keys"][0]["id"], user["access_keys"][0]["secret"])
            for account in accounts for user in account["users"]
        }
        cls.keys[f"arn:aws:iam::{HOME}:root"] = cls.server.root
        # Every account has somebody who sets its cases up.
        cls.iam = {HOME: cls.server.client("iam")}
        for other in OTHERS:
            cls.iam[other] = cls.server.client("iam", cls.keys[f"arn:aws:iam::{other}:user/keeper"])

    def named(self, arn):
        """(account, kind, name) of a user, or of a role behind a session that can be had; `None` for all others."""
        parts = arn.split(":")
        if len(parts) != 6 or parts[4] != HOME:
            return None
        kind, _, rest = parts[5].partition("/")
        if kind == "user" and arn in self.keys:
            return parts[4], "user", rest
        if kind == "assumed-role" and rest.split("/")[0] in ROLES:
            return parts[4], "role", rest.split("/")[0]
        return (parts[4], "root", "") if kind == "root" else None

    def dress(self, arn, given):
        """Gives a user or role exactly the identity policies and boundary of a case; tells credentials to act with."""
        _, kind, name = self.named(arn)
        if kind == "root":
            return self.keys[arn]
        iam, named = self.iam[HOME], {("UserName" if kind == "user" else "RoleName"): name}
        for policy in getattr(iam, f"list_{kind}_policies")(**named)["PolicyNames"]:
            getattr(iam, f"delete_{kind}_policy")(**named, PolicyName=policy)
        for number, policy in enumerate(given.get("identity") or []):
            getattr(iam, f"put_{kind}_policy")(**named, PolicyName=f"p{number}", PolicyDocument=text(policy))
        boundary = getattr(iam, f"get_{kind}")(**named)[kind.capitalize()].get("PermissionsBoundary")
        if boundary:
            getattr(iam, f"delete_{kind}_permissions_boundary")(**named)
            iam.delete_policy(PolicyArn=boundary["PermissionsBoundaryArn"])
        if given.get("boundary"):
            made = iam.create_policy(PolicyName="bound", PolicyDocument=text(given["boundary"]))
            getattr(iam, f"put_{kind}_permissions_boundary")(**named, PermissionsBoundary=made["Policy"]["Arn"])
        if kind == "user":
            return self.keys[arn]
        session = {"Policy": text(given["session"][0])} if given.get("session") else {}
        sts = self.server.client("sts", self.keys[f"arn:aws:iam::{HOME}:user/alice"])
        role = f"arn:aws:iam::{HOME}:role/{name}"
        return Credentials.of(sts.assume_role(RoleArn=role, RoleSessionName=arn.rsplit("/", 1)[-1] + "-x", **session))

    def verdict(self, call, **arguments):
        try:
            call(**arguments)
        except botocore.exceptions.ClientError as error:
            self.assertIn(error.response["Error"]["Code"], ("AccessDenied", "AccessDeniedException"), error)
            return "deny"
        return "allow"

    def test_key_policies_meet_real_decryptions(self):
        """S2.14, S2.17."""
        kms, made = self.server.client("kms"), 0
        for case in cases("keys.yaml"):
            given, keys = case["given"], case["with"]
            plain = all(key.startswith(PREFIX) for key in keys)
            layers = set(given) <= {"key", "identity", "boundary", "session"}
            if not plain or not layers or case["do"] != "kms:Decrypt" or not self.named(case["as"]):
                continue
            made += 1
            context = {key.removeprefix(PREFIX): values(value)[0] for key, value in keys.items()}
            with self.subTest(case["name"]):
                key = kms.create_key()["KeyMetadata"]["KeyId"]
                blob = kms.encrypt(KeyId=key, Plaintext=b"a", EncryptionContext=context)["CiphertextBlob"]
                caller = self.dress(case["as"], given)
                kms.put_key_policy(KeyId=key, Policy=text(given["key"]), BypassPolicyLockoutSafetyCheck=True)
                client = self.server.client("kms", caller)
                said = self.verdict(client.decrypt, KeyId=key, CiphertextBlob=blob, EncryptionContext=context)
                self.assertEqual(said, case["expect"])
        self.assertGreater(made, 20)

    def test_trust_policies_meet_real_assumptions(self):
        """S6.4, S6.5, S6.7, S6.8."""
        iam, made = self.iam[HOME], 0
        names = {"sts:ExternalId": "ExternalId", "sts:RoleSessionName": "RoleSessionName"}
        for number, case in enumerate(cases("trust.yaml")):
            known = set(case["with"]) <= set(names) and set(case["given"]) <= {"trust", "identity"}
            if not known or case["do"] != "sts:AssumeRole" or case["as"] not in self.keys or case["as"].endswith(":root"):
                continue
            made += 1
            with self.subTest(case["name"]):
                iam.create_role(RoleName=f"t{number}", AssumeRolePolicyDocument=text(case["given"]["trust"]))
                caller = self.keys[case["as"]]
                account, name = case["as"].split(":")[4], case["as"].rsplit("/", 1)[-1]
                if account != HOME:
                    self.give(account, name, case["given"].get("identity") or [])
                else:
                    caller = self.dress(case["as"], case["given"])
                arguments = {"RoleSessionName": "judged", **{names[key]: values(value)[0] for key, value in case["with"].items()}}
                sts = self.server.client("sts", caller)
                said = self.verdict(sts.assume_role, RoleArn=f"arn:aws:iam::{HOME}:role/t{number}", **arguments)
                self.assertEqual(said, case["expect"])
        self.assertGreater(made, 10)

    def give(self, account, name, policies):
        """Gives a user of another account exactly these policies."""
        client = self.iam[account]
        for policy in client.list_user_policies(UserName=name)["PolicyNames"]:
            client.delete_user_policy(UserName=name, PolicyName=policy)
        for number, policy in enumerate(policies):
            client.put_user_policy(UserName=name, PolicyName=f"p{number}", PolicyDocument=text(policy))

    def test_the_simulator_agrees_about_policies_and_condition_keys(self):
        """S2.1, S2.2, S2.4 to S2.10, S2.16."""
        iam, made = self.iam[HOME], 0
        for file in sorted(path.name for path in FOLDER.glob("*.yaml")):
            for case in cases(file):
                given = case["given"]
                user = case["as"].startswith(f"arn:aws:iam::{HOME}:user/") and case["as"] in self.keys
                if not user or not given.get("identity") or not set(given) <= {"identity", "boundary"} or case.get("owner"):
                    continue
                made += 1
                more = {"PermissionsBoundaryPolicyInputList": [text(given["boundary"])]} if given.get("boundary") else {}
                entries = [
                    {"ContextKeyName": key, "ContextKeyType": "stringList" if isinstance(value, list) else "string", "ContextKeyValues": values(value)}
                    for key, value in {"aws:PrincipalArn": case["as"], **case["with"]}.items()
                ]
                with self.subTest(f"{file}: {case['name']}"):
                    answer = iam.simulate_custom_policy(
                        PolicyInputList=[text(policy) for policy in given["identity"]], ActionNames=[case["do"]],
                        ResourceArns=[case["on"] or "*"], CallerArn=case["as"], ContextEntries=entries, **more,
                    )
                    said = "allow" if answer["EvaluationResults"][0]["EvalDecision"] == "allowed" else "deny"
                    self.assertEqual(said, case["expect"])
        self.assertGreater(made, 250)


if __name__ == "__main__":
    unittest.main()
