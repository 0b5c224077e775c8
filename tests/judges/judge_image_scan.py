"""An image is looked into before it is shared: credentials that were left in it are found, by path and line."""

import json
import shutil
import subprocess
import textwrap
import unittest
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Signing
from server import BINARY, Judge, clean_environment, statement, wait_for

BUILT_IN = "ami-00000000000000001"
# What an instance gets at its first start, and what is made in it there, is no part of a golden image.
CLEANED = "cd / && rm -rf etc/ssh/ssh_host_* home/*/.ssh"


class Images(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ec2 = cls.server.client("ec2")
        findings = json.loads(cls.server.ringwork("doctor", "--json"))
        isolation = [finding for finding in findings if finding["check"] == "instances' isolation"]
        cls.lacking = next((finding["detail"] for finding in isolation if not finding["ok"]), None)

    def scan(self, image, expect):
        """By the command; its report and what it prints for people."""
        shown = []
        for more in (["--json"], []):
            ended = subprocess.run(
                [BINARY, "image", "--data", str(self.server.data), "scan", image, *more],
                env=clean_environment(), capture_output=True, text=True, timeout=120,
            )
            self.assertEqual(ended.returncode, expect, ended.stderr + ended.stdout)
            shown.append(ended.stdout)
        return json.loads(shown[0]), shown[1]

    def ask(self, image, credentials):
        """By the control path, as any principal."""
        url = f"{self.server.endpoint}/_ringwork/image-scan"
        body = json.dumps({"image": image, "region": "us-east-1"})
        request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
        SigV4Auth(Signing(credentials.key, credentials.secret, credentials.token), "ringwork", "us-east-1").add_auth(request)
        sent = urllib.request.Request(url, data=body.encode(), headers=dict(request.headers.items()), method="POST")
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def made(self, name, script):
        """An image of an instance in which the script was run."""
        if self.lacking:
            self.skipTest(self.lacking)
        if not shutil.which("sh", path="/bin:/usr/bin"):
            self.skipTest("this machine has no shell in its own folders")
        data = "#!/bin/sh\nset -e\n" + textwrap.dedent(script) + "\necho all written\n"
        run = self.ec2.run_instances(ImageId=BUILT_IN, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=data)
        instance = run["Instances"][0]["InstanceId"]
        console = lambda: self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")
        try:
            wait_for(lambda: "all written" in console(), 60)
        except AssertionError:
            self.fail(f"the script did not end: {console()}")
        image = self.ec2.create_image(InstanceId=instance, Name=name, NoReboot=True)["ImageId"]
        state = lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]
        wait_for(lambda: state()["State"] != "pending", 60)
        self.assertEqual(state()["State"], "available", state())
        self.ec2.terminate_instances(InstanceIds=[instance])
        return image

    def test_what_was_left_in_an_image_is_found(self):
        """S3.12, S35.7, S37.5: a live access key, a private key and a login key, each by its file, and the customer's to mend."""
        iam = self.server.client("iam")
        iam.create_user(UserName="leaked")
        key = iam.create_access_key(UserName="leaked")["AccessKey"]
        image = self.made("leaky", f"""\
            {CLEANED}
            mkdir -p opt/app home/ann/.ssh
            printf '[aws]\\naws_access_key_id = %s\\naws_secret_access_key = %s\\n' \\
                '{key["AccessKeyId"]}' '{key["SecretAccessKey"]}' >/opt/app/settings.ini
            {{
                echo '-----BEGIN PRIVATE KEY-----'
                head -c 600 /dev/urandom | base64
                echo '-----END PRIVATE KEY-----'
            }} >/opt/app/server.pem
            echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEy0Yx9vC1Vd3mJt6fR2hQ8bW7nK5sL4aZ ann@laptop' >home/ann/.ssh/authorized_keys
        """)
        report, shown = self.scan(image, 1)
        found = {finding["rule"]: finding for finding in report["findings"]}
        self.assertEqual(set(found), {"aws-access-key", "private-key", "ssh-authorized-key"}, report)
        place = lambda rule: (found[rule]["path"], found[rule]["line"], found[rule]["severity"])
        self.assertEqual(place("aws-access-key"), ("opt/app/settings.ini", 2, "CRITICAL"))
        self.assertEqual(place("private-key"), ("opt/app/server.pem", 1, "HIGH"))
        self.assertEqual(place("ssh-authorized-key"), ("home/ann/.ssh/authorized_keys", 1, "MEDIUM"))
        self.assertEqual({finding["responsibility"] for finding in report["findings"]}, {"customer"})
        alive = {"account": self.server.account, "status": "Active"}
        self.assertEqual(found["aws-access-key"]["access_key"], alive)
        self.assertIn("/opt/app/settings.ini:2  aws-access-key", shown)
        self.assertNotIn(key["SecretAccessKey"], json.dumps(report) + shown)
        iam.update_access_key(UserName="leaked", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        report, _ = self.scan(image, 1)
        told = [finding["access_key"] for finding in report["findings"] if "access_key" in finding]
        self.assertEqual(told, [{**alive, "status": "Inactive"}])
        # It is as free as the image is: who may describe it, and may launch it.
        stranger = self.user("stranger", statement("s3:*"))
        status, answer = self.ask(image, stranger)
        self.assertEqual(status, 403)
        self.assertIn("ec2:DescribeImages", answer["message"])
        reader = self.user("reader", statement("ec2:DescribeImages"))
        status, answer = self.ask(image, reader)
        self.assertEqual((status, len(answer.get("findings", []))), (200, 3), answer)

    def test_a_clean_image_has_no_findings(self):
        """S35.7: an image without credentials ends the command well, and so does the built-in one, over which nothing lies."""
        report, shown = self.scan(BUILT_IN, 0)
        self.assertEqual((report["findings"], report["files"]), ([], 0))
        self.assertIn("0 findings", shown)
        self.assertIn("does not exist", self.server.ringwork("image", "scan", "ami-0123456789abcdef0", expect=5))
        image = self.made("clean", f"""\
            {CLEANED}
            mkdir -p /opt/app
            echo 'key = AKIAIOSFODNN7EXAMPLE, fetched from the role' >/opt/app/notes.txt
        """)
        report, _ = self.scan(image, 0)
        self.assertEqual(report["findings"], [])
        self.assertGreater(report["files"], 0)


if __name__ == "__main__":
    unittest.main()
