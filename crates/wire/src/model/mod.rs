//! AWS's interfaces as data: services, operations and shapes, without a word of prose.
//!
//! Invariant: a model is parsed once, on first use, and lives as long as the process, so that names are `&'static`.

pub mod load;

/// The protocols of AWS's wire, as the server speaks them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Protocol {
    AwsJson10,
    AwsJson11,
    AwsQuery,
    Ec2Query,
    RestJson1,
    RestXml,
    RpcV2Cbor,
}

/// One AWS service: an API version of botocore's.
pub struct Service {
    /// botocore's name: `kms`, `elbv2`, `accessanalyzer`.
    pub name: &'static str,
    /// `2014-11-01`; awsQuery and ec2Query clients send it as `Version`.
    pub api_version: &'static str,
    /// What the model calls `serviceId`: `KMS`, `Secrets Manager`.
    pub service_id: &'static str,
    /// The service name in credential scopes: `kms`, `elasticloadbalancing`.
    pub signing_name: &'static str,
    /// The first label of the service's host.
    pub endpoint_prefix: &'static str,
    /// CloudTrail's `eventSource` without `.amazonaws.com`: the endpoint prefix unless the patches say otherwise.
    pub event_source: &'static str,
    /// Signed and recorded in one region whatever the client's (IAM, Organizations, Route 53, CloudFront).
    pub global: bool,
    /// `X-Amz-Target` prefixes, the model's own first, then those that query-compatible clients send.
    pub target_prefixes: Vec<&'static str>,
    /// Every protocol that clients of the service may speak, the model's preferred one first.
    pub protocols: Vec<Protocol>,
    /// XML namespace of the service (query, restXml).
    pub xml_namespace: Option<&'static str>,
    /// JSON and CBOR clients expect `x-amzn-query-error`.
    pub query_compatible: bool,
    /// restXml errors stand alone in `Error`, with no `ErrorResponse` around, and the request id has S3's header.
    pub bare_errors: bool,
    /// Sorted by name.
    pub operations: Vec<Operation>,
    pub shapes: Vec<Shape>,
}

/// The index of a shape in its service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShapeId(pub u32);

/// One operation of a service.
pub struct Operation {
    pub name: &'static str,
    /// `POST`, `GET`, …
    pub method: &'static str,
    /// The URI pattern as segments, for the REST protocols.
    pub uri: UriPattern,
    /// The HTTP status of success; 200 unless the model says otherwise.
    pub status: u16,
    pub input: Option<ShapeId>,
    pub output: Option<ShapeId>,
    /// awsQuery's element around the result.
    pub result_wrapper: Option<&'static str>,
    /// restXml's root element and namespace of the input, when it has no payload member.
    pub input_root: Option<(&'static str, Option<&'static str>)>,
    pub errors: Vec<ShapeId>,
    /// Served without a signature (`authtype: none`), such as `AssumeRoleWithWebIdentity`.
    pub anonymous: bool,
    /// The signature may leave the payload out (`auth: unsigned payload`).
    pub unsigned_payload: bool,
}

/// A URI pattern such as `/{Bucket}/{Key+}?list-type=2`.
#[derive(Default)]
pub struct UriPattern {
    pub segments: Vec<Segment>,
    /// Query literals that must be there, with their value (empty: present with none).
    pub query: Vec<(&'static str, &'static str)>,
}

/// One segment of a URI pattern.
pub enum Segment {
    Literal(&'static str),
    /// A label, by the member's location name.
    Label(&'static str),
    /// A label that takes the rest of the path (`{Key+}`).
    Greedy(&'static str),
}

/// One shape of a service.
pub struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    /// Least and greatest length (strings: characters; blobs: bytes; lists and maps: entries) or value (numbers).
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub pattern: Option<&'static str>,
    /// Never to be logged or recorded.
    pub sensitive: bool,
}

/// What a shape is.
pub enum Kind {
    Structure(Structure),
    List {
        member: Member,
        flattened: bool,
        sparse: bool,
    },
    Map {
        key: Member,
        value: Member,
        flattened: bool,
        sparse: bool,
    },
    /// `values` is empty unless it is an enumeration.
    String {
        values: Vec<&'static str>,
    },
    Blob,
    Boolean,
    /// The width in bits: 8, 16, 32 or 64.
    Integer(u8),
    /// The width in bits: 32 or 64.
    Float(u8),
    Timestamp(Option<TimestampFormat>),
    /// Untyped (`document` trait).
    Untyped,
}

/// A structure, union or error.
#[derive(Default)]
pub struct Structure {
    pub members: Vec<Member>,
    /// The member that is the whole body (`payload`), by index.
    pub payload: Option<usize>,
    pub union: bool,
    pub error: Option<ErrorTrait>,
    /// This structure is an event stream.
    pub event_stream: bool,
}

/// What makes a structure an error.
pub struct ErrorTrait {
    /// The code on the wire; the shape's name unless the model says otherwise.
    pub code: &'static str,
    pub status: u16,
    pub sender: bool,
}

/// Where a member of a top-level structure travels; `None` in `Member::location` is the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Location {
    Header,
    /// A map whose keys get this member's wire name as header prefix.
    HeaderPrefix,
    Query,
    /// A map of whole query parameters.
    QueryMap,
    Label,
    Status,
}

/// How a timestamp is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampFormat {
    EpochSeconds,
    DateTime,
    HttpDate,
}

/// A member of a structure, or the element of a list or map.
pub struct Member {
    /// The model's own name.
    pub name: &'static str,
    /// `locationName`, if it differs from the name.
    pub wire_name: Option<&'static str>,
    /// `queryName` (ec2Query).
    pub query_name: Option<&'static str>,
    pub shape: ShapeId,
    pub required: bool,
    pub location: Option<Location>,
    /// The member (not the shape) says flattened (query and XML).
    pub flattened: bool,
    pub xml_attribute: bool,
    pub xml_namespace: Option<(Option<&'static str>, &'static str)>,
    pub timestamp_format: Option<TimestampFormat>,
    pub streaming: bool,
    pub sensitive: bool,
    pub idempotency_token: bool,
    /// A JSON value in a header or string (`jsonvalue`).
    pub json_value: bool,
    /// Is sent in the host name as well (`hostLabel`).
    pub host_label: bool,
}

impl Service {
    /// The operation by its name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations
            .binary_search_by(|operation| operation.name.cmp(name))
            .ok()
            .and_then(|i| self.operations.get(i))
    }

    /// The shape by its index. `None` only for an index of another service.
    pub fn shape(&self, id: ShapeId) -> Option<&Shape> {
        self.shapes.get(id.0 as usize)
    }
}
