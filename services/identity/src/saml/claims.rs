//! What an assertion says, once its octets are known to be the provider's.
//!
//! Source: SAML 2.0 Core, section 2; Profiles, section 4.1.4; IAM User Guide, "Configure SAML assertions for the authentication
//! response".

use wire::Timestamp;

use super::ASSERTION;
use super::tree::Element;

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// An assertion's claims. Times are in milliseconds since the epoch.
pub struct Assertion {
    pub id: String,
    pub issuer: String,
    pub issued: i64,
    /// `NameID`, and its format if it names one.
    pub subject: Option<(String, Option<String>)>,
    /// `Recipient` of the bearer's confirmation.
    pub recipient: String,
    /// `NotOnOrAfter` of the bearer's confirmation.
    pub confirmed_until: i64,
    pub not_before: Option<i64>,
    pub not_on_or_after: Option<i64>,
    /// The audiences of each restriction: all restrictions must be met.
    pub audiences: Vec<Vec<String>>,
    /// The provider allows one use alone.
    pub one_time: bool,
    /// The earliest `SessionNotOnOrAfter`.
    pub session_ends: Option<i64>,
    pub claims: Vec<Claim>,
    /// `Destination` of the response, if the response is signed.
    pub destination: Option<String>,
}

/// An attribute.
pub struct Claim {
    pub name: String,
    pub values: Vec<String>,
}

impl Assertion {
    /// Reads an assertion; `None` if it is not of the form that AWS takes.
    pub(super) fn read(assertion: &Element) -> Option<Self> {
        let shaped = assertion.is(ASSERTION, "Assertion")
            && assertion.attribute("Version") == Some("2.0")
            && assertion.has_no_text();
        if !shaped {
            return None;
        }
        let issuer = assertion.only(ASSERTION, "Issuer")?.text()?;
        let subject = assertion.only(ASSERTION, "Subject")?;
        let (recipient, confirmed_until, confirmed_from) = confirmation(subject)?;
        let mut read = Self {
            id: assertion.attribute("ID").filter(|id| !id.is_empty())?.to_owned(),
            issuer: issuer.trim_ascii().to_owned(),
            issued: time(assertion, "IssueInstant")??,
            subject: name_id(subject)?,
            recipient,
            confirmed_until,
            not_before: confirmed_from,
            not_on_or_after: None,
            audiences: Vec::new(),
            one_time: false,
            session_ends: None,
            claims: Vec::new(),
            destination: None,
        };
        if assertion.named(ASSERTION, "Conditions").next().is_some() {
            read.restrict(assertion.only(ASSERTION, "Conditions")?)?;
        }
        for statement in assertion.named(ASSERTION, "AuthnStatement") {
            let ends = time(statement, "SessionNotOnOrAfter")?;
            read.session_ends = earliest(read.session_ends, ends);
        }
        for statement in assertion.named(ASSERTION, "AttributeStatement") {
            for attribute in statement.named(ASSERTION, "Attribute") {
                read.claim(attribute)?;
            }
        }
        Some(read)
    }

    /// The conditions; one that is not known here cannot be said to hold (Core, section 2.5.1.1).
    fn restrict(&mut self, conditions: &Element) -> Option<()> {
        let from = time(conditions, "NotBefore")?;
        self.not_before = self.not_before.max(from);
        self.not_on_or_after = time(conditions, "NotOnOrAfter")?;
        for condition in conditions.elements() {
            match condition.local.as_str() {
                _ if condition.namespace != ASSERTION => return None,
                "AudienceRestriction" => {
                    let texts = condition
                        .named(ASSERTION, "Audience")
                        .map(|audience| audience.text().map(|text| text.trim_ascii().to_owned()));
                    self.audiences.push(texts.collect::<Option<_>>()?);
                }
                "OneTimeUse" => self.one_time = true,
                // It binds those who would issue assertions of their own.
                "ProxyRestriction" => {}
                _ => return None,
            }
        }
        Some(())
    }

    /// Values with elements in them are no text that a policy could compare.
    fn claim(&mut self, attribute: &Element) -> Option<()> {
        let name = attribute.attribute("Name")?;
        let values = attribute
            .named(ASSERTION, "AttributeValue")
            .filter_map(Element::text);
        match self.claims.iter_mut().find(|claim| claim.name == name) {
            Some(claim) => claim.values.extend(values),
            None => self.claims.push(Claim {
                name: name.to_owned(),
                values: values.collect(),
            }),
        }
        Some(())
    }

    /// The values of an attribute.
    pub fn values(&self, name: &str) -> &[String] {
        let found = self.claims.iter().find(|claim| claim.name == name);
        found.map_or(&[], |claim| &claim.values)
    }
}

fn earliest(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A time in an attribute; `None` if it is no time, `Some(None)` without the attribute.
fn time(element: &Element, name: &str) -> Option<Option<i64>> {
    element
        .attribute(name)
        .map(|text| Timestamp::from_iso8601(text).map(|at| at.0))
        .map_or(Some(None), |read| read.map(Some))
}

/// The name, if there is one in the clear.
fn name_id(subject: &Element) -> Option<Option<(String, Option<String>)>> {
    if subject.named(ASSERTION, "NameID").next().is_none() {
        return Some(None);
    }
    let name = subject.only(ASSERTION, "NameID")?;
    let text = name.text()?.trim_ascii().to_owned();
    let format = name.attribute("Format").map(str::to_owned);
    Some((!text.is_empty()).then_some((text, format)))
}

/// AWS takes exactly one confirmation, with a recipient and an end.
fn confirmation(subject: &Element) -> Option<(String, i64, Option<i64>)> {
    let confirmation = subject.only(ASSERTION, "SubjectConfirmation")?;
    if confirmation.attribute("Method") != Some(BEARER) {
        return None;
    }
    let given = confirmation.only(ASSERTION, "SubjectConfirmationData")?;
    let recipient = given.attribute("Recipient")?.to_owned();
    Some((
        recipient,
        time(given, "NotOnOrAfter")??,
        time(given, "NotBefore")?,
    ))
}
