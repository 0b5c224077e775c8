//! Faults in each protocol's clothes.
//!
//! Invariant: encoding a fault cannot fail; members that cannot be written are left out, and of an internal fault
//! nothing but the request id is told.

use http::HeaderValue;
use http::header::HeaderName;

use crate::fault::{Code, Common, Side};
use crate::model::{Kind, Protocol, Service, Shape};
use crate::{Document, Fault};

use super::spelling::{Spelling, error_shape, query_code, spell};
use super::{
    Encoded, Unwritable, cbor_write, content_type, host_id, json_content_type, json_write, name_request,
    rest_write, xml_write,
};

/// What a `__type` of JSON 1.0 starts with for faults that no service's model names.
const SHARED_NAMESPACE: &str = "com.amazon.coral.service";

/// Encodes a fault as clients of the protocol expect it; without a service (before routing) in its plain form.
pub fn encode_fault(
    service: Option<&Service>,
    protocol: Protocol,
    fault: &Fault,
    request_id: &str,
) -> Encoded {
    let spelling = spell(service, protocol, fault);
    let mut answer = Encoded {
        status: spelling.status,
        headers: http::HeaderMap::new(),
        body: Vec::new(),
    };
    name_request(
        service.is_some_and(|service| service.bare_errors),
        &mut answer.headers,
        request_id,
    );
    let telling = Telling {
        service,
        protocol,
        fault,
        spelling,
        message: shown_message(fault, request_id),
        request_id,
    };
    match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RestJson1 => telling.json(&mut answer),
        Protocol::RpcV2Cbor => telling.cbor(&mut answer),
        Protocol::AwsQuery | Protocol::RestXml => telling.xml(&mut answer),
        Protocol::Ec2Query => telling.ec2(&mut answer),
    }
    telling.query_error(&mut answer);
    if answer.status == 304 {
        // It has no content, and says nothing of one (RFC 9110, section 15.4.5).
        answer.body.clear();
        answer.headers.remove(http::header::CONTENT_TYPE);
    }
    answer
}

/// What the caller reads. The inside of an internal fault is for the log.
pub(super) fn shown_message(fault: &Fault, request_id: &str) -> String {
    match fault.code {
        Code::Common(Common::Internal) => format!("Internal failure, request id {request_id}"),
        _ => fault.message.clone(),
    }
}

/// The wire name of the member that carries an error's message.
pub(super) fn message_member(shape: &Shape) -> Option<&'static str> {
    let Kind::Structure(structure) = &shape.kind else {
        return None;
    };
    let member = structure
        .members
        .iter()
        .find(|member| member.name.eq_ignore_ascii_case("message"))?;
    Some(member.wire_name.unwrap_or(member.name))
}

/// Whether the model says nothing of what an error carries.
fn has_no_members(shape: &Shape) -> bool {
    matches!(&shape.kind, Kind::Structure(structure) if structure.members.is_empty())
}

struct Telling<'a> {
    service: Option<&'a Service>,
    protocol: Protocol,
    fault: &'a Fault,
    spelling: Spelling,
    message: String,
    request_id: &'a str,
}

impl<'a> Telling<'a> {
    /// The error's shape in the model, with its service.
    fn modeled(&self) -> Option<(&'a Service, &'a Shape)> {
        let name = match &self.fault.code {
            Code::Modeled { shape, .. } => *shape,
            Code::Plain { code, .. } => code.as_ref(),
            Code::Common(_) => self.spelling.code.as_ref(),
        };
        let service = self.service?;
        error_shape(service, name).map(|shape| (service, shape))
    }

    /// The members that are written beside the message.
    fn members(&self) -> Vec<(&'static str, Document)> {
        let is_message = |name: &str| name.eq_ignore_ascii_case("message");
        self.fault
            .members
            .iter()
            .filter(|(name, _)| !is_message(name))
            .cloned()
            .collect()
    }

    /// JSON 1.0 and CBOR clients know the name's namespace, 1.1 clients the name alone.
    fn type_name(&self) -> String {
        let code = self.spelling.code.as_ref();
        if self.protocol == Protocol::AwsJson11 {
            return code.to_owned();
        }
        match (self.modeled(), self.service) {
            (Some((service, _)), _) => {
                let namespace: String = service
                    .service_id
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .collect();
                format!("com.amazonaws.{}#{code}", namespace.to_ascii_lowercase())
            }
            _ => format!("{SHARED_NAMESPACE}#{code}"),
        }
    }

    fn message_name(&self) -> &'static str {
        match (self.modeled(), &self.fault.code) {
            (Some((_, shape)), _) => message_member(shape).unwrap_or("message"),
            // So spelled by AWS's shared authorization, whatever the service calls the member elsewhere.
            (None, Code::Common(Common::AccessDenied)) => "Message",
            (None, _) => "message",
        }
    }

    fn json(&self, answer: &mut Encoded) {
        content_type(&mut answer.headers, json_content_type(self.protocol));
        let rest = self.protocol == Protocol::RestJson1;
        if rest {
            self.error_type(answer);
        }
        let out = &mut answer.body;
        out.push(b'{');
        if !rest {
            out.extend_from_slice(b"\"__type\":");
            write_json(out, &self.type_name());
        }
        if !self.message.is_empty() {
            separate(out);
            write_json(out, self.message_name());
            out.push(b':');
            write_json(out, &self.message);
        }
        if let Some((service, shape)) = self.modeled() {
            self.located(service, shape, rest, answer);
            let mut inner = Vec::new();
            let members = Document::Structure(self.members());
            let written = json_write::value(&mut inner, service, shape, None, &members);
            let inner = inner
                .strip_prefix(b"{")
                .and_then(|inner| inner.strip_suffix(b"}"));
            if let (Ok(()), Some(inner)) = (written, inner)
                && !inner.is_empty()
            {
                separate(&mut answer.body);
                answer.body.extend_from_slice(inner);
            }
        }
        answer.body.push(b'}');
    }

    /// REST errors may bind members to headers.
    fn located(&self, service: &Service, shape: &Shape, rest: bool, answer: &mut Encoded) {
        let Kind::Structure(structure) = &shape.kind else {
            return;
        };
        if !rest {
            return;
        }
        for (name, value) in &self.fault.members {
            if let Ok((_, member)) = json_write::find(structure, shape, name) {
                // The status is the fault's, and a header that cannot be written is left out.
                let _ = rest_write::located(service, member, value, &mut answer.headers);
            }
        }
    }

    fn error_type(&self, answer: &mut Encoded) {
        if let Ok(value) = HeaderValue::from_str(&self.spelling.code) {
            answer
                .headers
                .insert(HeaderName::from_static("x-amzn-errortype"), value);
        }
    }

    fn cbor(&self, answer: &mut Encoded) {
        content_type(&mut answer.headers, "application/cbor");
        answer
            .headers
            .insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        let (name, members) = (self.type_name(), self.members());
        let written = cbor_write::error(&mut answer.body, self.modeled(), &name, &self.message, &members);
        if written.is_err() {
            answer.body.clear();
            // Two texts in memory: nothing of it can fail.
            let _ = cbor_write::error(&mut answer.body, None, &name, &self.message, &[]);
        }
    }

    /// Query and restXml: in `ErrorResponse`, or bare for S3.
    fn xml(&self, answer: &mut Encoded) {
        let bare =
            self.protocol == Protocol::RestXml && self.service.is_some_and(|service| service.bare_errors);
        let rest = self.protocol == Protocol::RestXml;
        content_type(
            &mut answer.headers,
            if rest { "application/xml" } else { "text/xml" },
        );
        let out = &mut answer.body;
        if bare {
            out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        } else {
            xml_write::open_root(
                out,
                "ErrorResponse",
                self.service.and_then(|service| service.xml_namespace),
            );
        }
        xml_write::open(out, "Error");
        if !bare {
            xml_write::leaf(out, "Type", side_word(self.spelling.side));
        }
        xml_write::leaf(out, "Code", &self.spelling.code);
        xml_write::leaf(out, "Message", &self.message);
        if let Some((service, shape)) = self.modeled() {
            self.located(service, shape, rest, answer);
            let mut inner = Vec::new();
            if self.xml_members(&mut inner, service, shape).is_ok() {
                answer.body.extend_from_slice(&inner);
            }
        }
        if bare && self.modeled().is_none_or(|(_, shape)| has_no_members(shape)) {
            self.loose_members(answer);
        }
        let out = &mut answer.body;
        if bare {
            xml_write::leaf(out, "RequestId", self.request_id);
            xml_write::leaf(out, "HostId", &host_id(self.request_id));
            xml_write::close(out, "Error");
        } else {
            xml_write::close(out, "Error");
            xml_write::leaf(out, "RequestId", self.request_id);
            xml_write::close(out, "ErrorResponse");
        }
    }

    /// Members of an error whose shape the model does not tell: S3's error documents name what they are about. A header's name, which
    /// has no capital, makes a header.
    fn loose_members(&self, answer: &mut Encoded) {
        for (name, value) in self.members() {
            let Document::String(text) = value else { continue };
            if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                if let Ok(value) = HeaderValue::from_str(&text) {
                    answer.headers.insert(HeaderName::from_static(name), value);
                }
            } else {
                xml_write::leaf(&mut answer.body, name, &text);
            }
        }
    }

    fn xml_members(&self, out: &mut Vec<u8>, service: &Service, shape: &Shape) -> Result<(), Unwritable> {
        let Kind::Structure(structure) = &shape.kind else {
            return Ok(());
        };
        xml_write::elements(out, service, shape, structure, &self.members())
    }

    fn ec2(&self, answer: &mut Encoded) {
        content_type(&mut answer.headers, "text/xml;charset=UTF-8");
        let out = &mut answer.body;
        out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        for name in ["Response", "Errors", "Error"] {
            xml_write::open(out, name);
        }
        xml_write::leaf(out, "Code", &self.spelling.code);
        xml_write::leaf(out, "Message", &self.message);
        if let Some((service, shape)) = self.modeled() {
            let mut inner = Vec::new();
            if self.xml_members(&mut inner, service, shape).is_ok() {
                out.extend_from_slice(&inner);
            }
        }
        xml_write::close(out, "Error");
        xml_write::close(out, "Errors");
        xml_write::leaf(out, "RequestID", self.request_id);
        xml_write::close(out, "Response");
    }

    /// What clients of a service that once spoke query still go by.
    fn query_error(&self, answer: &mut Encoded) {
        let moved = matches!(
            self.protocol,
            Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor
        );
        if !moved || !self.service.is_some_and(|service| service.query_compatible) {
            return;
        }
        let (code, side) = query_code(self.fault);
        if let Ok(value) = HeaderValue::from_str(&format!("{code};{}", side_word(side))) {
            answer
                .headers
                .insert(HeaderName::from_static("x-amzn-query-error"), value);
        }
    }
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Sender => "Sender",
        Side::Receiver => "Receiver",
    }
}

/// A comma, unless the object has just begun.
fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
}

fn write_json(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}
