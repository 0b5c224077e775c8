//! An identity provider for tests. It writes its messages in canonical form to begin with, so that it signs them without any
//! canonicalizer, ours least of all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::digest::sha256;
use crypto::testing::SigningCertificate;
use pipeline::testing::{ACCOUNT, BEGINNING};
use wire::Timestamp;

pub(crate) const ENTITY: &str = "https://idp.corp.example/saml";
pub(crate) const PROVIDER: &str = "arn:aws:iam::111122223333:saml-provider/Corp.AD";
pub(crate) const SIGN_IN: &str = "https://signin.aws.amazon.com/saml";
pub(crate) const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

pub(crate) fn role_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/Staff")
}

/// A time so many seconds after the beginning of every test.
pub(crate) fn at(seconds: i64) -> String {
    Timestamp::from_seconds(BEGINNING / 1000 + seconds).iso8601()
}

/// What an assertion says; a test changes what it is about.
#[derive(Clone)]
pub(crate) struct Says {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) issued: String,
    pub(crate) subject: String,
    pub(crate) confirmation: String,
    pub(crate) conditions: String,
    pub(crate) session: String,
    pub(crate) attributes: Vec<(String, Vec<String>)>,
    pub(crate) destination: String,
    pub(crate) status: String,
}

pub(crate) fn aws(name: &str) -> String {
    format!("https://aws.amazon.com/SAML/Attributes/{name}")
}

impl Default for Says {
    fn default() -> Self {
        let pair = format!("{},{PROVIDER}", role_arn());
        Self {
            id: "_a1".to_owned(),
            issuer: ENTITY.to_owned(),
            issued: at(0),
            subject: name_id("ann@corp.example"),
            confirmation: confirmation(SIGN_IN, &at(300)),
            conditions: conditions(&at(-5), &at(300), "urn:amazon:webservices"),
            session: String::new(),
            attributes: vec![
                (aws("Role"), vec![pair]),
                (aws("RoleSessionName"), vec!["ann".to_owned()]),
            ],
            destination: SIGN_IN.to_owned(),
            status: SUCCESS.to_owned(),
        }
    }
}

pub(crate) fn name_id(name: &str) -> String {
    format!(
        r#"<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{name}</saml:NameID>"#
    )
}

pub(crate) fn confirmation(recipient: &str, until: &str) -> String {
    format!(
        r#"<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{recipient}"></saml:SubjectConfirmationData></saml:SubjectConfirmation>"#
    )
}

pub(crate) fn conditions(from: &str, until: &str, audience: &str) -> String {
    format!(
        r#"<saml:Conditions NotBefore="{from}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"#
    )
}

impl Says {
    pub(crate) fn with(mut self, name: &str, values: &[&str]) -> Self {
        self.attributes.retain(|(known, _)| known != name);
        let values = values.iter().map(ToString::to_string).collect();
        self.attributes.push((name.to_owned(), values));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.attributes.retain(|(known, _)| known != name);
        self
    }

    /// The assertion in canonical form, unsigned.
    pub(crate) fn assertion(&self) -> String {
        let Self {
            id,
            issuer,
            issued,
            subject,
            confirmation,
            conditions,
            session,
            ..
        } = self;
        let attributes: String = self
            .attributes
            .iter()
            .map(|(name, values)| {
                let values: String = values
                    .iter()
                    .map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>"))
                    .collect();
                format!(r#"<saml:Attribute Name="{name}">{values}</saml:Attribute>"#)
            })
            .collect();
        format!(
            r#"<saml:Assertion xmlns:saml="{SAML}" ID="{id}" IssueInstant="{issued}" Version="2.0"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject>{subject}{confirmation}</saml:Subject>{conditions}<saml:AuthnStatement AuthnInstant="{issued}"{session}></saml:AuthnStatement><saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"#
        )
    }

    /// A response around assertions, in canonical form, unsigned.
    pub(crate) fn response(&self, inside: &str) -> String {
        let Self {
            issued,
            destination,
            status,
            ..
        } = self;
        format!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Destination="{destination}" ID="_r1" IssueInstant="{issued}" Version="2.0"><saml:Issuer xmlns:saml="{SAML}">{ENTITY}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{status}"></samlp:StatusCode></samlp:Status>{inside}</samlp:Response>"#
        )
    }
}

/// The algorithms that a signature names.
#[derive(Clone, Copy)]
pub(crate) struct Named {
    pub(crate) canonicalization: &'static str,
    pub(crate) method: &'static str,
    pub(crate) transforms: &'static [&'static str],
    pub(crate) digest: &'static str,
}

pub(crate) const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(crate) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

pub(crate) const RSA: Named = Named {
    canonicalization: EXCLUSIVE,
    method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    transforms: &[ENVELOPED, EXCLUSIVE],
    digest: "http://www.w3.org/2001/04/xmlenc#sha256",
};
pub(crate) const ECDSA: Named = Named {
    method: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    ..RSA
};

/// The provider.
pub(crate) struct Idp {
    pub(crate) certificate: SigningCertificate,
    pub(crate) named: Named,
}

impl Idp {
    pub(crate) fn rsa() -> Self {
        Self {
            certificate: SigningCertificate::rsa(),
            named: RSA,
        }
    }

    pub(crate) fn ecdsa() -> Self {
        Self {
            certificate: SigningCertificate::ecdsa(),
            named: ECDSA,
        }
    }

    pub(crate) fn metadata(&self) -> String {
        metadata(ENTITY, "", &[&STANDARD.encode(self.certificate.der())])
    }

    /// The signature of an element with the id, over octets of it that are canonical.
    pub(crate) fn signature(&self, id: &str, octets: &str) -> String {
        let Named {
            canonicalization,
            method,
            transforms,
            digest,
        } = self.named;
        let transforms: String = transforms
            .iter()
            .map(|name| format!(r#"<ds:Transform Algorithm="{name}"></ds:Transform>"#))
            .collect();
        let value = STANDARD.encode(sha256(octets.as_bytes()));
        let info = |declared: &str| {
            format!(
                r##"<ds:SignedInfo{declared}><ds:CanonicalizationMethod Algorithm="{canonicalization}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod><ds:Reference URI="#{id}"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod Algorithm="{digest}"></ds:DigestMethod><ds:DigestValue>{value}</ds:DigestValue></ds:Reference></ds:SignedInfo>"##
            )
        };
        let signed = info(r#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#""#);
        let signature = STANDARD.encode(self.certificate.sign(signed.as_bytes()));
        format!(
            r#"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{}<ds:SignatureValue>{signature}</ds:SignatureValue></ds:Signature>"#,
            info("")
        )
    }

    /// The element with its signature behind its issuer.
    pub(crate) fn signed(&self, id: &str, octets: &str) -> String {
        let signature = self.signature(id, octets);
        octets.replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1)
    }

    /// A response whose assertion is signed.
    pub(crate) fn respond(&self, says: &Says) -> String {
        says.response(&self.signed(&says.id, &says.assertion()))
    }

    /// A response that is signed as a whole.
    pub(crate) fn respond_whole(&self, says: &Says) -> String {
        self.signed("_r1", &says.response(&says.assertion()))
    }
}

/// Metadata of AWS's least length.
pub(crate) fn metadata(entity: &str, until: &str, certificates: &[&str]) -> String {
    let keys: String = certificates
        .iter()
        .map(|certificate| {
            format!(
                r#"<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
{certificate}
</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"#
            )
        })
        .collect();
    let filler = " ".repeat(1000);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><!--{filler}--><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}"{until}><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.corp.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>"#
    )
}

pub(crate) fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}
