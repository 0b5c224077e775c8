"""Certificates, SSH keys, credentials of services and service-linked roles, by boto3 and the AWS CLI, with OpenSSL's and OpenSSH's own files."""

import base64
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from server import Judge, policy, statement, wait_for

OPENSSL, SSH_KEYGEN = shutil.which("openssl"), shutil.which("ssh-keygen")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


class Files(Judge):
    """A folder of a test's own."""

    OPTIONS = ("--clock-control",)

    def setUp(self):
        held = tempfile.TemporaryDirectory(prefix="ringwork-judge-")
        self.addCleanup(held.cleanup)
        self.folder = pathlib.Path(held.name)

    def path(self, name):
        return str(self.folder / name)

    def text(self, name):
        return (self.folder / name).read_text()

    def self_signed(self, name, kind="rsa:2048", *more):
        """A self-signed certificate, `name.pem`, and its key, `name.key`."""
        run(
            OPENSSL, "req", "-x509", "-newkey", kind, *more, "-nodes", "-days", "30", "-subj", f"/CN={name}.example.com",
            "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.pem"),
        )
        return self.text(f"{name}.pem"), self.text(f"{name}.key")


@unittest.skipUnless(OPENSSL, "needs openssl")
class Certificates(Files):
    def test_server_certificates_of_both_kinds_of_keys_are_kept_without_showing_the_key(self):
        iam = self.server.client("iam")
        elliptic = ("ec", "-pkeyopt", "ec_paramgen_curve:P-384")
        for name, kind in [("rsa", ("rsa:2048",)), ("ec", elliptic)]:
            body, key = self.self_signed(name, *kind)
            made = iam.upload_server_certificate(
                ServerCertificateName=name, CertificateBody=body, PrivateKey=key, Path="/cloudfront/judge/"
            )["ServerCertificateMetadata"]
            end = run(OPENSSL, "x509", "-enddate", "-noout", "-dateopt", "iso_8601", "-in", self.path(f"{name}.pem"))
            self.assertEqual(f"notAfter={made['Expiration']:%Y-%m-%d %H:%M:%SZ}", end.strip())
            shown = self.server.aws("iam", "get-server-certificate", "--server-certificate-name", name)
            self.assertEqual(shown["ServerCertificate"]["CertificateBody"].strip(), body.strip())
            self.assertNotIn("PrivateKey", str(shown))
        body, _ = self.self_signed("one")
        _, other = self.self_signed("two")
        pair = {"ServerCertificateName": "one", "CertificateBody": body, "PrivateKey": other}
        self.refused("KeyPairMismatch", iam.upload_server_certificate, **pair, status=400)
        wrong = {**pair, "CertificateBody": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}
        self.refused("MalformedCertificate", iam.upload_server_certificate, **wrong, status=400)
        pages = iam.get_paginator("list_server_certificates").paginate(PaginationConfig={"PageSize": 1})
        names = [each["ServerCertificateName"] for page in pages for each in page["ServerCertificateMetadataList"]]
        self.assertEqual(names, ["ec", "rsa"])
        iam.tag_server_certificate(ServerCertificateName="ec", Tags=[{"Key": "team", "Value": "red"}])
        iam.update_server_certificate(ServerCertificateName="ec", NewServerCertificateName="curve")
        tags = iam.list_server_certificate_tags(ServerCertificateName="curve")["Tags"]
        self.assertEqual(tags, [{"Key": "team", "Value": "red"}])
        for name in ["curve", "rsa"]:
            iam.delete_server_certificate(ServerCertificateName=name)
        self.refused("NoSuchEntity", iam.get_server_certificate, ServerCertificateName="rsa", status=404)
        for event in self.events("UploadServerCertificate"):
            self.assertNotIn("PRIVATE KEY", str(event))

    def test_a_chain_must_be_in_order(self):
        iam = self.server.client("iam")
        root, _ = self.self_signed("root")
        stranger, _ = self.self_signed("stranger")
        run(OPENSSL, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=leaf.example.com",
            "-keyout", self.path("leaf.key"), "-out", self.path("leaf.csr"))
        run(OPENSSL, "x509", "-req", "-in", self.path("leaf.csr"), "-CA", self.path("root.pem"),
            "-CAkey", self.path("root.key"), "-CAcreateserial", "-days", "7", "-out", self.path("leaf.pem"))
        leaf = {
            "ServerCertificateName": "leaf",
            "CertificateBody": self.text("leaf.pem"),
            "PrivateKey": self.text("leaf.key"),
        }
        wrong = {**leaf, "CertificateChain": stranger}
        error = self.refused("MalformedCertificate", iam.upload_server_certificate, **wrong)
        self.assertIn("Unable to validate certificate chain", error["Error"]["Message"])
        iam.upload_server_certificate(**leaf, CertificateChain=root)
        iam.delete_server_certificate(ServerCertificateName="leaf")

    def test_signing_certificates_are_two_a_user_and_keep_the_user(self):
        iam = self.server.client("iam")
        iam.create_user(UserName="sid")
        bodies = [self.self_signed(f"sign{number}")[0] for number in range(3)]
        ids = [
            iam.upload_signing_certificate(UserName="sid", CertificateBody=body)["Certificate"]["CertificateId"]
            for body in bodies[:2]
        ]
        more = {"UserName": "sid", "CertificateBody": bodies[2]}
        self.refused("LimitExceeded", iam.upload_signing_certificate, **more, status=409)
        again = {"CertificateBody": bodies[0]}
        self.refused("DuplicateCertificate", iam.upload_signing_certificate, **again, status=409)
        iam.update_signing_certificate(UserName="sid", CertificateId=ids[0], Status="Inactive")
        listed = self.server.aws("iam", "list-signing-certificates", "--user-name", "sid")["Certificates"]
        self.assertEqual({each["CertificateId"]: each["Status"] for each in listed}, {ids[0]: "Inactive", ids[1]: "Active"})
        self.refused("DeleteConflict", iam.delete_user, UserName="sid", status=409)
        for each in ids:
            iam.delete_signing_certificate(UserName="sid", CertificateId=each)
        iam.delete_user(UserName="sid")


@unittest.skipUnless(SSH_KEYGEN, "needs ssh-keygen")
class SshKeys(Files):
    def test_a_key_of_ssh_keygen_has_its_fingerprint_and_both_encodings(self):
        iam = self.server.client("iam")
        iam.create_user(UserName="sam")
        run(SSH_KEYGEN, "-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "sam@example.com", "-f", self.path("id"))
        body = self.text("id.pub").strip()
        made = iam.upload_ssh_public_key(UserName="sam", SSHPublicKeyBody=body)["SSHPublicKey"]
        told = run(SSH_KEYGEN, "-l", "-E", "md5", "-f", self.path("id.pub")).split()[1]
        self.assertEqual(f"MD5:{made['Fingerprint']}", told)
        key = {"UserName": "sam", "SSHPublicKeyId": made["SSHPublicKeyId"]}
        line = iam.get_ssh_public_key(**key, Encoding="SSH")["SSHPublicKey"]["SSHPublicKeyBody"]
        self.assertEqual(line, " ".join(body.split()[:2]))
        pem = self.server.aws(
            "iam", "get-ssh-public-key", "--user-name", "sam", "--ssh-public-key-id", made["SSHPublicKeyId"],
            "--encoding", "PEM",
        )["SSHPublicKey"]["SSHPublicKeyBody"]
        self.assertEqual(pem.strip(), run(SSH_KEYGEN, "-e", "-m", "PKCS8", "-f", self.path("id.pub")).strip())
        self.refused("DuplicateSSHPublicKey", iam.upload_ssh_public_key, UserName="sam", SSHPublicKeyBody=pem, status=400)
        run(SSH_KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", self.path("other"))
        other = {"UserName": "sam", "SSHPublicKeyBody": self.text("other.pub")}
        self.refused("UnrecognizedPublicKeyEncoding", iam.upload_ssh_public_key, **other, status=400)
        run(SSH_KEYGEN, "-q", "-t", "rsa", "-b", "1024", "-N", "", "-f", self.path("short"))
        short = {"UserName": "sam", "SSHPublicKeyBody": self.text("short.pub")}
        self.refused("InvalidPublicKey", iam.upload_ssh_public_key, **short, status=400)
        iam.update_ssh_public_key(**key, Status="Inactive")
        self.assertEqual(iam.list_ssh_public_keys(UserName="sam")["SSHPublicKeys"][0]["Status"], "Inactive")
        self.refused("DeleteConflict", iam.delete_user, UserName="sam", status=409)
        iam.delete_ssh_public_key(**key)
        iam.delete_user(UserName="sam")


class Services(Judge):
    OPTIONS = ("--clock-control",)

    def test_credentials_of_services_are_shown_once(self):
        iam = self.server.client("iam")
        iam.create_user(UserName="cody")
        git = {"UserName": "cody", "ServiceName": "codecommit.amazonaws.com"}
        made = iam.create_service_specific_credential(**git)["ServiceSpecificCredential"]
        self.assertEqual(made["ServiceUserName"], f"cody-at-{self.server.account}")
        listed = self.server.aws("iam", "list-service-specific-credentials", "--user-name", "cody")
        self.assertNotIn(made["ServicePassword"], str(listed))
        key = {"UserName": "cody", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
        reset = iam.reset_service_specific_credential(**key)["ServiceSpecificCredential"]
        self.assertNotEqual(reset["ServicePassword"], made["ServicePassword"])
        iam.create_service_specific_credential(**git)
        self.refused("LimitExceeded", iam.create_service_specific_credential, **git, status=409)
        none = {"UserName": "cody", "ServiceName": "s3.amazonaws.com"}
        self.refused("NotSupportedService", iam.create_service_specific_credential, **none, status=404)
        models = iam.create_service_specific_credential(
            UserName="cody", ServiceName="bedrock.amazonaws.com", CredentialAgeDays=5
        )["ServiceSpecificCredential"]
        inner = base64.b64decode(models["ServiceCredentialSecret"].removeprefix("ABSK")).decode()
        self.assertTrue(inner.startswith(models["ServiceCredentialAlias"] + ":"))
        self.assertEqual((models["ExpirationDate"] - models["CreateDate"]).days, 5)
        iam.update_service_specific_credential(**key, Status="Inactive")
        everybody = iam.list_service_specific_credentials(AllUsers=True)["ServiceSpecificCredentials"]
        self.assertEqual(sorted(each["Status"] for each in everybody), ["Active", "Active", "Inactive"])
        self.refused("DeleteConflict", iam.delete_user, UserName="cody", status=409)
        for each in everybody:
            iam.delete_service_specific_credential(
                UserName="cody", ServiceSpecificCredentialId=each["ServiceSpecificCredentialId"]
            )
        iam.delete_user(UserName="cody")

    def test_a_service_linked_role_is_made_protected_and_deleted(self):
        iam = self.server.client("iam")
        maker = self.user("maker", {
            **statement("iam:CreateServiceLinkedRole"),
            "Condition": {"StringEquals": {"iam:AWSServiceName": "guardduty.amazonaws.com"}},
        })
        his = self.server.client("iam", maker)
        self.refused("AccessDenied", his.create_service_linked_role, AWSServiceName="ecs.amazonaws.com", status=403)
        role = his.create_service_linked_role(AWSServiceName="guardduty.amazonaws.com")["Role"]
        name = role["RoleName"]
        self.assertEqual((name, role["Path"]), ("AWSServiceRoleForAmazonGuardDuty", "/aws-service-role/guardduty.amazonaws.com/"))
        self.assertEqual(
            role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"], {"Service": ["guardduty.amazonaws.com"]}
        )
        attached = self.server.aws("iam", "list-attached-role-policies", "--role-name", name)["AttachedPolicies"]
        self.assertEqual([each["PolicyName"] for each in attached], ["AmazonGuardDutyServiceRolePolicy"])
        self.refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="guardduty.amazonaws.com", status=400)
        own = {"PolicyName": "own", "PolicyDocument": policy(statement("s3:*"))}
        self.refused("UnmodifiableEntity", iam.delete_role, RoleName=name, status=400)
        self.refused("UnmodifiableEntity", iam.put_role_policy, RoleName=name, **own, status=400)
        iam.update_role_description(RoleName=name, Description="watches")
        task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
        self.server.ringwork("clock", "advance", "10s")
        status = lambda: iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"]
        wait_for(lambda: status() == "SUCCEEDED", what="the role was never deleted")
        self.refused("NoSuchEntity", iam.get_role, RoleName=name, status=404)


if __name__ == "__main__":
    unittest.main()
