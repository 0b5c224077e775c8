//! What the fuzz targets share: a request made from arbitrary bytes, and operations chosen by them.
//!
//! Invariant: the same bytes make the same request, so a finding can be shown again.

pub mod draw;

use http::{HeaderMap, HeaderName, HeaderValue};
use wire::constraints;
use wire::model::{Operation, Protocol, Service};
use wire::protocol::{self, Parts};

/// A request cut from bytes: a method, the target and the header lines end at a zero byte each; the rest is the body.
pub struct Request<'a> {
    method: &'static str,
    target: &'a str,
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Cuts the bytes; `None` for what no listener lets through.
    pub fn cut(bytes: &'a [u8]) -> Option<Self> {
        const METHODS: [&str; 5] = ["POST", "GET", "PUT", "DELETE", "HEAD"];
        let (first, rest) = bytes.split_first()?;
        let mut parts = rest.splitn(3, |byte| *byte == 0);
        let target = std::str::from_utf8(parts.next()?).ok()?;
        // A listener refuses targets that are not visible ASCII.
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut headers = HeaderMap::new();
        for line in parts
            .next()
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
            .take(64)
        {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = line.split_at(colon);
            let name = HeaderName::from_bytes(name).ok()?;
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
        let method = METHODS.get(usize::from(*first) % METHODS.len())?;
        Some(Self {
            method,
            target,
            headers,
            body: parts.next().unwrap_or_default(),
        })
    }

    pub const fn method(&self) -> &'static str {
        self.method
    }

    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub fn parts(&self) -> Parts<'_> {
        let (path, query) = self.target.split_once('?').unwrap_or((self.target, ""));
        Parts {
            method: self.method,
            path,
            query,
            headers: &self.headers,
            body: self.body,
        }
    }
}

/// Every operation of every service that speaks the protocol.
fn operations(protocol: Protocol) -> Vec<(&'static Service, &'static Operation)> {
    let services = api::models::names().filter_map(api::models::service);
    let speaking = services.filter(|service| service.protocols.contains(&protocol));
    speaking
        .flat_map(|service| {
            service
                .operations
                .iter()
                .map(move |operation| (service, operation))
        })
        .collect()
}

/// Decodes a request to an operation that the first two bytes choose, and checks its constraints.
pub struct Decoder {
    protocol: Protocol,
    operations: Vec<(&'static Service, &'static Operation)>,
}

impl Decoder {
    pub fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            operations: operations(protocol),
        }
    }

    pub fn run(&self, bytes: &[u8]) {
        let [high, low, rest @ ..] = bytes else { return };
        let place = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((service, operation)) = self.operations.get(place % self.operations.len().max(1)) else {
            return;
        };
        let Some(request) = Request::cut(rest) else { return };
        let decoded = protocol::decode(service, operation, self.protocol, &request.parts());
        let (Ok(document), Some(input)) = (&decoded, operation.input) else {
            if let Err(fault) = &decoded {
                protocol::encode_fault(Some(service), self.protocol, fault, "0");
            }
            return;
        };
        if let Err(fault) = constraints::check(service, input, document) {
            protocol::encode_fault(Some(service), self.protocol, &fault, "0");
        }
    }
}

/// A stand-in for hash functions whose result nothing here depends on.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    for (at, byte) in bytes.iter().enumerate() {
        out[at % 32] ^= byte.rotate_left((at % 7) as u32);
    }
    out
}
