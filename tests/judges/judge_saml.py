"""SAML federation: an identity provider of our own, whose signatures another library makes (signxml over lxml, which is libxml2),
and boto3 and the AWS CLI, which redeem what it says without credentials."""

import base64
import copy
import datetime
import hashlib
import json
import time
import unittest
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod, XMLSigner

from server import Credentials, Judge, policy, statement

ENTITY = "https://idp.corp.example/saml"
SIGN_IN = "https://signin.aws.amazon.com/saml"
AWS = "https://aws.amazon.com/SAML/Attributes/"
SPACES = {"saml": "urn:oasis:names:tc:SAML:2.0:assertion", "samlp": "urn:oasis:names:tc:SAML:2.0:protocol"}


def moment(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class IdentityProvider:
    """A corporate directory that signs assertions."""

    def __init__(self, key=None):
        self.key = key or rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.corp.example")])
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        # Long past: AWS does not judge the dates of certificates in metadata.
        builder = builder.not_valid_before(now - datetime.timedelta(days=900))
        builder = builder.not_valid_after(now - datetime.timedelta(days=100))
        self.certificate = builder.sign(self.key, hashes.SHA256())

    @property
    def metadata(self):
        pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()
        body = "".join(pem.splitlines(keepends=True)[1:-1])
        return f"""<?xml version="1.0"?>
<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{ENTITY}">
  <!-- {"x" * 500} -->
  <IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>
    <SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.corp.example/sso"/>
  </IDPSSODescriptor>
</EntityDescriptor>"""

    def sign(self, element, method=None):
        method = method or (
            SignatureMethod.ECDSA_SHA384 if isinstance(self.key, ec.EllipticCurvePrivateKey) else SignatureMethod.RSA_SHA256
        )
        signer = XMLSigner(
            signature_algorithm=method,
            digest_algorithm=DigestAlgorithm.SHA512,
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        return signer.sign(element, key=self.key, cert=[self.certificate], reference_uri=f"#{element.get('ID')}")

    def response(self, roles, name="ann", attributes=None, issued=0, sign="assertion", method=None):
        """A response, written as products write them: indented, with types, a comment and prefixes declared far from their use."""
        said = {AWS + "Role": roles, AWS + "RoleSessionName": [name], **(attributes or {})}
        statements = "".join(
            f"""
        <saml:Attribute Name="{key}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri">{"".join(
            f'<saml:AttributeValue xsi:type="xs:string">{value}</saml:AttributeValue>' for value in values
        )}</saml:Attribute>"""
            for key, values in said.items()
        )
        text = f"""<samlp:Response xmlns:samlp="{SPACES['samlp']}" xmlns:saml="{SPACES['saml']}"
    xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    ID="_{uuid.uuid4()}" Version="2.0" IssueInstant="{moment(issued)}" Destination="{SIGN_IN}">
  <saml:Issuer>{ENTITY}</saml:Issuer>
  <samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
  <saml:Assertion Version="2.0" ID="_{uuid.uuid4()}" IssueInstant="{moment(issued)}">
    <saml:Issuer>{ENTITY}</saml:Issuer>
    <saml:Subject>
      <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name}@corp.example</saml:NameID>
      <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
        <saml:SubjectConfirmationData NotOnOrAfter="{moment(300)}" Recipient="{SIGN_IN}"/>
      </saml:SubjectConfirmation>
    </saml:Subject>
    <!-- Ünïcode & < in a comment stay out of what is signed. -->
    <saml:Conditions NotBefore="{moment(-30)}" NotOnOrAfter="{moment(300)}">
      <saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction>
    </saml:Conditions>
    <saml:AuthnStatement AuthnInstant="{moment(0)}"><saml:AuthnContext><saml:AuthnContextClassRef
      >urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
    <saml:AttributeStatement>{statements}
    </saml:AttributeStatement>
  </saml:Assertion>
</samlp:Response>"""
        response = etree.fromstring(text)
        assertion = response.find("saml:Assertion", SPACES)
        if sign == "assertion":
            signed = self.sign(copy.deepcopy(assertion), method)
            response.replace(assertion, signed)
        elif sign == "response":
            response = self.sign(response, method)
        return response


def encoded(response):
    return base64.b64encode(etree.tostring(response, xml_declaration=True, encoding="UTF-8")).decode()


class Saml(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.idp = IdentityProvider()
        cls.iam = cls.server.client("iam")
        made = cls.iam.create_saml_provider(Name="Corp", SAMLMetadataDocument=cls.idp.metadata)
        cls.provider = made["SAMLProviderArn"]
        cls.role = cls.trusting("Staff", cls.provider)
        # Without any credentials, as tools for sign-on call it.
        cls.sts = cls.server.client("sts", "unsigned")

    @classmethod
    def trusting(cls, name, provider, **condition):
        text = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"Federated": provider},
                    "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
                    "Condition": {"StringEquals": {"SAML:aud": SIGN_IN, **condition}},
                },
            }
        )
        arn = cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)["Role"]["Arn"]
        cls.iam.put_role_policy(
            RoleName=name, PolicyName="own", PolicyDocument=policy(statement("iam:ListRoles"))
        )
        return arn

    def redeem(self, response, role=None, provider=None, **more):
        text = response if isinstance(response, str) else encoded(response)
        return self.sts.assume_role_with_saml(
            RoleArn=role or self.role, PrincipalArn=provider or self.provider, SAMLAssertion=text, **more
        )

    def pair(self, role=None):
        return f"{role or self.role},{self.provider}"

    def test_what_another_library_signs_is_believed(self):
        """S1.26, S6.1, S6.2, S6.4"""
        for sign in ["assertion", "response"]:
            answer = self.redeem(self.idp.response([self.pair()], sign=sign))
            self.assertEqual((answer["Subject"], answer["SubjectType"]), ("ann@corp.example", "persistent"))
            self.assertEqual((answer["Issuer"], answer["Audience"]), (ENTITY, SIGN_IN))
            text = f"{ENTITY}{self.server.account}/Corp".encode()
            self.assertEqual(answer["NameQualifier"], base64.b64encode(hashlib.sha1(text).digest()).decode())
            session = self.server.client("iam", Credentials.of(answer))
            self.assertTrue(session.list_roles()["Roles"])
            self.refused("AccessDenied", session.create_user, UserName="nobody", status=403)
            self.assertTrue(answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/Staff/ann"))

    def test_elliptic_curves_are_believed_too(self):
        """S6.2"""
        idp = IdentityProvider(ec.generate_private_key(ec.SECP384R1()))
        provider = self.iam.create_saml_provider(Name="Curves", SAMLMetadataDocument=idp.metadata)["SAMLProviderArn"]
        role = self.trusting("Curved", provider)
        answer = self.redeem(idp.response([f"{provider},{role}"]), role, provider)
        self.assertEqual(answer["Subject"], "ann@corp.example")
        # One provider's word does not count for another.
        self.refused("InvalidIdentityToken", self.redeem, idp.response([self.pair()]), status=400)

    def test_the_cli_redeems_an_assertion_with_tags(self):
        """S4.2, S6.1"""
        response = self.idp.response([self.pair()], "bob", {AWS + "PrincipalTag:Team": ["red"]})
        said = self.server.aws(
            "sts", "assume-role-with-saml", "--role-arn", self.role, "--principal-arn", self.provider,
            "--saml-assertion", encoded(response), "--duration-seconds", "900",
        )
        self.assertGreater(said["PackedPolicySize"], 0)
        who = self.server.client("sts", Credentials.of(said)).get_caller_identity()
        self.assertTrue(who["Arn"].endswith(":assumed-role/Staff/bob"))

    def test_forgeries_are_refused_and_the_trail_shows_no_assertion(self):
        """S6.4"""
        good = self.idp.response([self.pair()], "carl")
        evil = copy.deepcopy(good)
        evil.find(".//saml:NameID", SPACES).text = "eve@corp.example"
        wrapped = copy.deepcopy(evil)
        wrapped.append(copy.deepcopy(good.find("saml:Assertion", SPACES)))
        for forged in [
            evil,
            wrapped,
            self.idp.response([self.pair()], sign="nothing"),
            IdentityProvider().response([self.pair()]),
            self.idp.response([self.pair()], issued=90),
        ]:
            self.refused("InvalidIdentityToken", self.redeem, forged, status=400)
        old = self.idp.response([self.pair()], issued=-301)
        error = self.refused("ExpiredTokenException", self.redeem, old, status=400)
        self.assertEqual(error["Error"]["Message"], "Token must be redeemed within 5 minutes of issuance")
        other = self.trusting("Other", self.provider, **{"saml:sub": "dora@corp.example"})
        error = self.refused(
            "AccessDenied", self.redeem, self.idp.response([self.pair(other)], "carl"), other, status=403
        )
        self.assertEqual(error["Error"]["Message"], "Not authorized to perform sts:AssumeRoleWithSAML")
        self.redeem(good)
        self.refused("InvalidIdentityToken", self.redeem, good, status=400)
        events = self.events("AssumeRoleWithSAML")
        assertion = encoded(good)
        self.assertFalse(any(assertion[:60] in json.dumps(event) for event in events))
        carl = [event["userIdentity"] for event in events]
        carl = [user for user in carl if user.get("userName") == "carl@corp.example"]
        self.assertTrue(carl)
        self.assertEqual((carl[0]["type"], carl[0]["identityProvider"]), ("SAMLUser", self.provider))
        self.assertTrue(carl[0]["principalId"].endswith(":carl@corp.example"))

    def test_providers_are_kept_by_the_cli(self):
        """S6.2"""
        name = f"cli-{int(time.time())}"
        made = self.server.aws("iam", "create-saml-provider", "--name", name, "--saml-metadata-document", self.idp.metadata)
        arn = made["SAMLProviderArn"]
        shown = self.iam.get_saml_provider(SAMLProviderArn=arn)
        self.assertEqual(shown["SAMLMetadataDocument"], self.idp.metadata)
        self.assertIn(arn, [entry["Arn"] for entry in self.iam.list_saml_providers()["SAMLProviderList"]])
        bomb = self.idp.metadata.replace("<EntityDescriptor", "<!DOCTYPE x [<!ENTITY a 'b'>]><EntityDescriptor", 1)
        self.refused(
            "InvalidInput", self.iam.update_saml_provider, SAMLProviderArn=arn, SAMLMetadataDocument=bomb, status=400
        )
        self.iam.delete_saml_provider(SAMLProviderArn=arn)
        self.refused("NoSuchEntity", self.iam.get_saml_provider, SAMLProviderArn=arn, status=404)


if __name__ == "__main__":
    unittest.main()
