"""EC2 instances that really run: their role's temporary keys by IMDSv2, unmodified clients inside, disks that outlive stops."""

import functools
import importlib.util
import io
import json
import pathlib
import shutil
import tarfile
import textwrap
import unittest

from server import Judge, Server, policy, statement, wait_for

IMAGE = "ami-00000000000000001"
# The AWS CLI and boto3 with what they need, all of it plain Python: instances have no index of packages to ask.
PACKAGES = ("awscli", "boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3", "docutils", "yaml", "rsa", "pyasn1", "colorama")
# Of the models only what is used, and what the CLI looks for before it does anything.
MODELS = ("s3", "sts", "sdb", "codedeploy", "config", "sagemaker-runtime", "sms-voice")

FETCH = """\
python3 - '{url}' <<'FETCH'
import sys, tarfile, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=20) as answer, tarfile.open(fileobj=answer, mode="r|gz") as tar:
    tar.extractall("/opt/aws")
FETCH
export PYTHONPATH=/opt/aws PYTHONDONTWRITEBYTECODE=1 AWS_DEFAULT_REGION=us-east-1
"""

LOOKS = """\
cat >/srv/looks.py <<'LOOKS'
import time, urllib.error, urllib.request
import boto3, botocore.exceptions
def status(path, method="GET", headers={}):
    request = urllib.request.Request("http://169.254.169.254/latest/" + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
def token():
    return status("api/token", "PUT", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})[1]
def told(path):
    return status("meta-data/" + path, headers={"X-aws-ec2-metadata-token": token()})
KEYS = "iam/security-credentials/"
session = boto3.Session()
used = session.get_credentials()
print("who:", session.client("sts").get_caller_identity()["Arn"])
print("key:", used.method, used.access_key[:4], bool(used.token))
print("without a session:", status("meta-data/" + KEYS)[0])
s3 = session.client("s3")
s3.put_object(Bucket="BUCKET", Key="out/boto3", Body=s3.get_object(Bucket="BUCKET", Key="in.txt")["Body"].read())
try:
    print("closed:", s3.get_object(Bucket="BUCKET", Key="closed.txt")["Body"].read())
except botocore.exceptions.ClientError as error:
    print("closed:", error.response["Error"]["Code"])
last = None
while True:
    try:
        s3.get_object(Bucket="BUCKET", Key="in.txt")
        seen = "allowed"
    except botocore.exceptions.ClientError as error:
        seen = error.response["Error"]["Code"]
    seen = f"now: {seen}, role {told(KEYS)}"
    if seen != last:
        print(seen, flush=True)
        last = seen
    time.sleep(0.1)
LOOKS
"""


def packed():
    """What instances fetch, from this interpreter's own packages."""
    held = io.BytesIO()

    def wanted(entry):
        parts = pathlib.PurePath(entry.name).parts
        if "__pycache__" in parts or entry.name.endswith((".so", ".pyc")) or "examples" in parts:
            return None
        within = entry.name.split("botocore/data/", 1)[1:]
        if within and "/" in within[0] and within[0].split("/")[0] not in MODELS:
            return None
        return entry

    with tarfile.open(fileobj=held, mode="w:gz", compresslevel=1) as tar:
        for name in PACKAGES:
            found = importlib.util.find_spec(name)
            path = pathlib.Path(found.origin)
            path = path.parent if path.name == "__init__.py" else path
            tar.add(path, path.name, filter=wanted)
    return held.getvalue()


def trusted(service="ec2.amazonaws.com"):
    return policy({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def lacking(server):
    """Why this machine runs no instances that these tests could look into; `None` if it does."""
    if not shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin"):
        return "the system itself has no python3, and instances see nothing else"
    findings = json.loads(server.ringwork("doctor", "--json"))
    isolation = next(finding for finding in findings if finding["check"] == "instances' isolation")
    return None if isolation["ok"] else isolation["detail"]


def start(ec2, script, image=IMAGE, **more):
    made = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=textwrap.dedent(script), **more
    )
    return made["Instances"][0]["InstanceId"]


def state(ec2, instance):
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found["State"]["Name"], found.get("StateReason", {}).get("Message")


def becomes(ec2, instance, name):
    wait_for(lambda: state(ec2, instance)[0] == name, 60)


def console(ec2, instance):
    return ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")


def says(ec2, instance, words, seconds=60):
    try:
        wait_for(lambda: words in console(ec2, instance), seconds)
    except AssertionError:
        raise AssertionError(f"{words!r} was not said: {console(ec2, instance)} {state(ec2, instance)}") from None


def processes_of(folder):
    """Processes that were started for instances of a data folder."""
    mark = f"={pathlib.Path(folder).resolve()}/instances/".encode()
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in process.read_bytes():
                found.append(process.parent.name)
        except OSError:
            continue
    return found


class Instances(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if why := lacking(cls.server):
            raise unittest.SkipTest(why)
        cls.ec2, cls.iam, cls.s3 = (cls.server.client(name) for name in ("ec2", "iam", "s3"))

    def profile(self, name, *statements):
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted())
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        self.iam.create_instance_profile(InstanceProfileName=name)
        self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return {"IamInstanceProfile": {"Name": name}}

    def test_unmodified_clients_inside_are_the_instances_role_and_nobody_else(self):
        """S1.13, S1.28"""
        bucket = "files-for-instances"
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket=bucket, Key="in.txt", Body=b"a pearl")
        self.s3.put_object(Bucket=bucket, Key="closed.txt", Body=b"an oyster")
        self.s3.put_object(Bucket=bucket, Key="aws.tar.gz", Body=packed())
        url = self.s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "aws.tar.gz"})
        objects = f"arn:aws:s3:::{bucket}"
        allowed = statement("s3:GetObject", f"{objects}/in.txt"), statement("s3:PutObject", f"{objects}/out/*")
        script = f"#!/bin/sh\n{FETCH.format(url=url)}{LOOKS.replace('BUCKET', bucket)}" + (
            f"python3 -m awscli s3 cp --quiet s3://{bucket}/in.txt /srv/in.txt && echo cli: $(cat /srv/in.txt)\n"
            "python3 /srv/looks.py\n"
        )
        instance = start(self.ec2, script, **self.profile("reads", *allowed))
        said = functools.partial(says, self.ec2, instance)
        said("now: allowed, role (200, 'reads')")
        text = console(self.ec2, instance)
        self.assertIn("cli: a pearl", text)
        self.assertIn("closed: AccessDenied", text)
        self.assertIn(f"who: arn:aws:sts::{self.server.account}:assumed-role/reads/{instance}", text)
        self.assertIn("key: iam-role ASIA True", text)
        self.assertIn("without a session: 401", text)
        self.assertEqual(self.s3.get_object(Bucket=bucket, Key="out/boto3")["Body"].read(), b"a pearl")
        asked = self.events("GetCallerIdentity")[0]
        self.assertEqual(asked["userIdentity"]["arn"].split(":")[-1], f"assumed-role/reads/{instance}")
        described = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        self.assertEqual(asked["sourceIPAddress"], described["PrivateIpAddress"])
        issued = [event for event in self.events("AssumeRole") if event["requestParameters"]["roleSessionName"] == instance]
        self.assertTrue(issued)
        self.assertEqual(issued[0]["userIdentity"], {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"})
        self.assertEqual(asked["userIdentity"]["accessKeyId"], issued[0]["responseElements"]["credentials"]["accessKeyId"])
        # What is taken from the role counts at once; without its profile an instance gets no more keys.
        self.iam.delete_role_policy(RoleName="reads", PolicyName="own")
        said("now: AccessDenied, role (200, 'reads')")
        association = self.ec2.describe_iam_instance_profile_associations(
            Filters=[{"Name": "instance-id", "Values": [instance]}]
        )["IamInstanceProfileAssociations"][0]
        self.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
        said("now: AccessDenied, role (404, '')")
        self.ec2.terminate_instances(InstanceIds=[instance])
        becomes(self.ec2, instance, "terminated")
        self.assertFalse((self.server.data / "instances" / instance).exists())

    def test_a_disk_outlives_a_stop_and_an_image_holds_no_user_data(self):
        """S3.12"""
        secret = "a-key-in-user-data"
        script = f"""\
            #!/bin/sh
            # {secret}
            mkdir -p /var/lib/cloud/scripts/per-boot
            printf '#!/bin/sh\\necho x >>/srv/boots; echo "boots: $(cat /srv/boots | wc -l)"\\n' >/var/lib/cloud/scripts/per-boot/count
            chmod +x /var/lib/cloud/scripts/per-boot/count
            echo finished
        """
        instance = start(self.ec2, script)
        says(self.ec2, instance, "finished")
        clear = self.server.data / "instances" / instance
        self.assertTrue((clear / "disk").exists())
        self.assertEqual(clear.parent.stat().st_mode & 0o777, 0o700)
        image = self.ec2.create_image(InstanceId=instance, Name="counts", NoReboot=True)["ImageId"]
        found = lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"]
        wait_for(lambda: found() == "available")
        self.ec2.stop_instances(InstanceIds=[instance])
        becomes(self.ec2, instance, "stopped")
        self.assertEqual(processes_of(self.server.data), [])
        wait_for(lambda: not clear.exists())
        for _ in (1, 2):
            self.ec2.start_instances(InstanceIds=[instance])
            becomes(self.ec2, instance, "running")
            says(self.ec2, instance, "boots: ")
            self.ec2.stop_instances(InstanceIds=[instance])
            becomes(self.ec2, instance, "stopped")
        self.assertIn("boots: 2", console(self.ec2, instance))
        looks = "#!/bin/sh\ngrep -rl %s /etc /home /opt /root /srv /tmp /var && echo leaked\nls /var/lib/cloud/scripts/per-boot\necho looked\n"
        other = start(self.ec2, looks % (secret[:9] + "[-]" + secret[10:]), image)
        says(self.ec2, other, "looked")
        self.assertIn("count\n", console(self.ec2, other))
        self.assertNotIn("leaked", console(self.ec2, other))
        self.ec2.terminate_instances(InstanceIds=[instance, other])
        becomes(self.ec2, other, "terminated")

    def test_an_instance_that_shuts_itself_down_stops(self):
        instance = start(self.ec2, "#!/bin/sh\nshutdown -h now\n")
        becomes(self.ec2, instance, "stopped")
        self.assertIn("Client.InstanceInitiatedShutdown", state(self.ec2, instance)[1])
        going = start(self.ec2, "#!/bin/sh\npoweroff\n", InstanceInitiatedShutdownBehavior="terminate")
        becomes(self.ec2, going, "terminated")


class Ends(unittest.TestCase):
    def test_nothing_outlives_a_killed_server_but_disks(self):
        server = Server()
        self.addCleanup(server.close)
        if why := lacking(server):
            self.skipTest(why)
        ec2 = server.client("ec2")
        script = """\
            #!/bin/sh
            mkdir -p /var/lib/cloud/scripts/per-boot
            printf '#!/bin/sh\\necho "again: $(wc -c </srv/kept)."\\n' >/var/lib/cloud/scripts/per-boot/tells
            chmod +x /var/lib/cloud/scripts/per-boot/tells
            echo pearl >>/srv/kept
            setsid sleep 1000 &
            echo finished
        """
        instance = start(ec2, script)
        says(ec2, instance, "finished")
        self.assertTrue(processes_of(server.data))
        server.kill()
        wait_for(lambda: not processes_of(server.data))
        server.start()
        ec2 = server.client("ec2")
        becomes(ec2, instance, "running")
        says(ec2, instance, "again: 6.")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(processes_of(server.data), [])
        server.start()
        # User data did not run again, in neither of the starts.
        says(server.client("ec2"), instance, "again: 6.")
        self.assertNotIn("finished", console(server.client("ec2"), instance))


if __name__ == "__main__":
    unittest.main()
