//! A small object store of test operations on S3's model, and a client that signs and sends to it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crypto::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use store::blobs::Blobs;
use store::{Store, Table};
use wire::protocol::Parts;
use wire::sigv4::{PathStyle, hex};
use wire::{Document, Fault, FromDocument, Timestamp};

use crate::blobs::{Checksum, ChecksumSet, Content, Intake, Segment, Source};
use crate::call::{Call, Look};
use crate::front::{Answer, Arriving, Body, Incoming, Interrupted};
use crate::gateway::Tables;
use crate::identity::{Credential, Directory, Identity, IdentityType, PrincipalPolicies, Refusal};
use crate::ledger::LedgerChain;
use crate::ledger::record::Record;
use crate::operation::{Access, Endpoint, Operation, Result};
use crate::resource::{AccountScope, Authorized, Found};
use crate::testing::{ACCOUNT, BEGINNING, Cloud, REGION};

pub(super) const SECRET: &str = "a secret access key of forty characters!";
/// More than a test body, so that what must be refused is refused by something else.
pub(super) const BYTES_MAX: u64 = 5 << 20;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) segments: Vec<Content>,
    /// In clear, which only a test may do.
    pub(super) keys: Vec<Vec<Vec<u8>>>,
}
store::record!(Stored, 1);

static OBJECTS: Table<String, Stored> = Table::new(0x0f2f, "tests.objects");

impl Stored {
    pub(super) fn source(&self) -> Source {
        let segments = self.segments.iter().zip(&self.keys);
        let segments = segments.map(|(content, keys)| Segment {
            content: content.clone(),
            keys: keys.iter().cloned().map(Secret::new).collect(),
        });
        Source {
            segments: segments.collect(),
            range: None,
        }
    }
}

/// The input as the wire decoded it.
pub(super) struct Raw(Document);

impl FromDocument for Raw {
    fn from_document(document: Document) -> std::result::Result<Self, wire::typed::Mismatch> {
        Ok(Self(document))
    }
}

impl Raw {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.member(name).and_then(Document::as_str)
    }

    fn key(&self) -> &str {
        self.text("Key").unwrap_or_default()
    }
}

fn scope(look: &mut Look<'_>, _: &Raw) -> Result<Found<AccountScope>> {
    Ok(AccountScope::of(look))
}

fn no_such_key() -> Fault {
    Fault::plain("NoSuchKey", 404, "The specified key does not exist.")
}

pub(super) fn intake(layers: u8) -> Intake {
    Intake {
        layers,
        bytes_max: BYTES_MAX,
        digests: ChecksumSet::of(Checksum::Md5),
    }
}

fn exposed(keys: &[Secret]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| key.expose().to_vec()).collect()
}

/// Puts an object in the place of the one before.
fn replace(call: &mut Call<'_>, key: &str, stored: Stored) -> Result<()> {
    if let Some(old) = call.get(&OBJECTS, key)? {
        for content in &old.segments {
            call.release(content)?;
        }
    }
    call.put(&OBJECTS, key, stored)
}

/// The redirect location says how it is done: `DSSE` in two layers, `SHY` is refused after the body came, `MORE` appends.
pub(super) struct PutObject;

impl Operation for PutObject {
    type Input = Raw;
    type Output = Document;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("s3:PutObject");

    fn target(look: &mut Look<'_>, input: &Raw) -> Result<Found<AccountScope>> {
        scope(look, input)
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Raw) -> Result<Document> {
        let class = input
            .text("WebsiteRedirectLocation")
            .unwrap_or_default()
            .to_owned();
        let layers = if class == "DSSE" { 2 } else { 1 };
        let received = call.receive(intake(layers))?;
        if class == "SHY" {
            return Err(Fault::plain("InvalidRequest", 400, "Not that one."));
        }
        call.keep(&received.content)?;
        let mut stored = Stored {
            segments: vec![received.content.clone()],
            keys: vec![exposed(&received.keys)],
        };
        if class == "MORE"
            && let Some(old) = call.get(&OBJECTS, input.key())?
        {
            stored.segments = [old.segments.clone(), stored.segments].concat();
            stored.keys = [old.keys.clone(), stored.keys].concat();
            call.put(&OBJECTS, input.key(), stored)?;
        } else {
            replace(call, input.key(), stored)?;
        }
        let md5 = received.digests.get(Checksum::Md5).map(hex).unwrap_or_default();
        Ok(Document::Structure(vec![("ETag", Document::String(md5))]))
    }
}

pub(super) struct GetObject;

impl Operation for GetObject {
    type Input = Raw;
    type Output = Document;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("s3:GetObject");

    fn target(look: &mut Look<'_>, input: &Raw) -> Result<Found<AccountScope>> {
        scope(look, input)
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Raw) -> Result<Document> {
        let stored = call.get(&OBJECTS, input.key())?.ok_or_else(no_such_key)?;
        let mut source = stored.source();
        // `bytes=3-5`, in this form alone.
        let range = input.text("Range").and_then(|range| range.strip_prefix("bytes="));
        source.range = range.and_then(|range| {
            let (first, last) = range.split_once('-')?;
            Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1)
        });
        call.deliver(source)?;
        Ok(Document::Structure(vec![("Body", Document::Stream)]))
    }
}

pub(super) struct CopyObject;

impl Operation for CopyObject {
    type Input = Raw;
    type Output = Document;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("s3:PutObject");

    fn target(look: &mut Look<'_>, input: &Raw) -> Result<Found<AccountScope>> {
        scope(look, input)
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Raw) -> Result<Document> {
        let from = input.text("CopySource").unwrap_or_default();
        let from = from.trim_start_matches("bucket/").to_owned();
        let stored = call.get(&OBJECTS, &from)?.ok_or_else(no_such_key)?;
        let received = call.transfer(stored.source(), intake(1))?;
        call.keep(&received.content)?;
        let copy = Stored {
            segments: vec![received.content.clone()],
            keys: vec![exposed(&received.keys)],
        };
        replace(call, input.key(), copy)?;
        Ok(Document::empty())
    }
}

/// Lets other objects name the contents of one.
pub(super) fn share(cloud: &Cloud, key: &str, others: &[&str]) {
    let shared = cloud.gateway.system(REGION, |call| {
        let mut stored = (*call.get(&OBJECTS, key)?.ok_or_else(no_such_key)?).clone();
        for other in others {
            for content in &mut stored.segments {
                *content = call.share(content)?;
            }
            call.put(&OBJECTS, *other, stored.clone())?;
        }
        call.put(&OBJECTS, key, stored)
    });
    assert!(shared.is_ok());
}

pub(super) struct DeleteObject;

impl Operation for DeleteObject {
    type Input = Raw;
    type Output = Document;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("s3:DeleteObject");

    fn target(look: &mut Look<'_>, input: &Raw) -> Result<Found<AccountScope>> {
        scope(look, input)
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Raw) -> Result<Document> {
        let stored = call.get(&OBJECTS, input.key())?.ok_or_else(no_such_key)?;
        for content in &stored.segments {
            call.release(content)?;
        }
        call.delete(&OBJECTS, input.key())?;
        Ok(Document::empty())
    }
}

static OPERATIONS: &[Endpoint] = &[
    Endpoint::of::<PutObject>("s3", "PutObject"),
    Endpoint::of::<GetObject>("s3", "GetObject"),
    Endpoint::of::<CopyObject>("s3", "CopyObject"),
    Endpoint::of::<DeleteObject>("s3", "DeleteObject"),
];

/// Knows root, and somebody who may do nothing.
struct Two;

impl Directory for Two {
    fn credential(
        &self,
        _: &mut Look<'_>,
        access_key_id: &str,
        _: Option<&str>,
    ) -> std::result::Result<Credential, Refusal> {
        let root = Identity::root(ACCOUNT);
        let identity = match access_key_id {
            "AKIDROOT" => root,
            "AKIDNOBODY" => Identity {
                kind: IdentityType::IamUser,
                principal: policy::Principal::User {
                    arn: format!("arn:aws:iam::{ACCOUNT}:user/nobody"),
                    account: ACCOUNT.to_owned(),
                    id: "AIDANOBODY".to_owned(),
                },
                ..root
            },
            _ => return Err(Refusal::Unknown),
        };
        Ok(Credential {
            secret: Secret::from(SECRET),
            identity: Arc::new(Identity {
                access_key_id: access_key_id.into(),
                ..identity
            }),
        })
    }

    fn policies(&self, _: &mut Look<'_>, _: &Identity, _: Option<&str>) -> Result<PrincipalPolicies> {
        Ok(PrincipalPolicies::default())
    }

    fn resource_control(&self, _: &mut Look<'_>, _: &str, _: &str, _: &str) -> Result<Vec<policy::Attached>> {
        Ok(Vec::new())
    }

    fn used(&self, _: &mut Call<'_>) -> Result<()> {
        Ok(())
    }

    fn account_exists(&self, _: &mut Look<'_>, _: &str) -> Result<bool> {
        Ok(true)
    }
}

/// The cloud over a store.
pub(super) fn over(store: Store) -> Cloud {
    let tables = Tables {
        operations: vec![OPERATIONS],
        ..Tables::default()
    };
    Cloud::over(store, Box::new(Two), &tables)
}

pub(super) fn chain() -> Box<LedgerChain> {
    Box::new(LedgerChain::default())
}

pub(super) fn cloud() -> Cloud {
    over(Store::memory(chain()))
}

/// Files of contents.
pub(super) fn files(blobs: &Arc<dyn Blobs>) -> usize {
    (0..=u8::MAX).map(|shard| blobs.list(shard).unwrap().len()).sum()
}

/// Rows that say that something names a file, and rows of small contents.
pub(super) fn rows(cloud: &Cloud) -> (usize, usize) {
    let mut tx = cloud.gateway.store().begin();
    let files = tx
        .range(&crate::blobs::row::FILES, &(), None, usize::MAX)
        .unwrap();
    let small = tx
        .range(&crate::blobs::row::CONTENTS, &(), None, usize::MAX)
        .unwrap();
    (files.len(), small.len())
}

pub(super) fn stored(cloud: &Cloud, key: &str) -> Option<Stored> {
    let mut tx = cloud.gateway.store().begin();
    tx.get(&OBJECTS, key).unwrap().map(|stored| (*stored).clone())
}

/// How the payload is signed.
pub(super) enum Signed<'a> {
    /// By its hash.
    Whole,
    /// By the hash of something else.
    As(&'a [u8]),
    /// `x-amz-content-sha256` says so.
    Said(&'a str),
}

/// One request, and how it is sent.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) key: &'a str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) access_key_id: &'static str,
    pub(super) signed: Signed<'a>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, key: &'a str) -> Self {
        Self {
            method,
            key,
            headers: Vec::new(),
            body: Vec::new(),
            access_key_id: "AKIDROOT",
            signed: Signed::Whole,
        }
    }

    pub(super) fn put(key: &'a str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::new(Method::PUT, key)
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The signed head. The second answer is the signature.
    pub(super) fn head(&self) -> (HeaderMap, String) {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("s3.eu-central-1.amazonaws.com"));
        for (name, value) in &self.headers {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let payload = match self.signed {
            Signed::Whole => hex(&crypto::digest::sha256(&self.body)),
            Signed::As(bytes) => hex(&crypto::digest::sha256(bytes)),
            Signed::Said(text) => text.to_owned(),
        };
        let seconds = Timestamp(BEGINNING).seconds();
        let time = wire::sigv4::basic_time(seconds);
        let day = time.get(..8).unwrap();
        let set = |headers: &mut HeaderMap, name: &'static str, value: &str| {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        };
        set(&mut headers, "x-amz-date", &time);
        set(&mut headers, "x-amz-content-sha256", &payload);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let names = names.join(";");
        let scope = format!("{day}/{REGION}/s3/aws4_request");
        let authorization = |signature: &str| {
            let key = self.access_key_id;
            format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}")
        };
        set(&mut headers, "authorization", &authorization(&"0".repeat(64)));
        let path = format!("/bucket/{}", self.key);
        let text = {
            let parts = Parts {
                method: self.method.as_str(),
                path: &path,
                query: "",
                headers: &headers,
                body: &[],
            };
            let claim = wire::sigv4::parse(&parts)
                .unwrap_or_else(|fault| panic!("{}", fault.message))
                .unwrap();
            wire::sigv4::string_to_sign(&claim, &parts, PathStyle::Raw, crypto::digest::sha256).text
        };
        let signature = hex(&key().sign(&text));
        set(&mut headers, "authorization", &authorization(&signature));
        (headers, signature)
    }

    /// The request, with its body whole.
    pub(super) fn request(self) -> Incoming {
        let body = self.body.clone();
        self.incoming(Body::Whole(body.into()))
    }

    fn incoming(self, body: Body<Box<dyn Arriving>>) -> Incoming {
        let (headers, _) = self.head();
        Incoming {
            path: format!("/bucket/{}", self.key),
            method: self.method,
            query: String::new(),
            headers,
            body,
            peer: "127.0.0.1:50000".parse().unwrap(),
            standing: crate::front::Standing::default(),
            tls: None,
        }
    }

    /// Sends it with its body whole.
    pub(super) fn whole(self, cloud: &Cloud) -> Said {
        said(cloud, cloud.serve(self.request()))
    }

    /// Sends it as a stream of pieces of this size.
    pub(super) fn stream(self, cloud: &Cloud, piece: usize) -> Said {
        self.pieces(cloud, piece, None).0
    }

    /// Sends it as a stream that may break off behind a number of pieces. Tells how many pieces were asked for.
    pub(super) fn pieces(
        self,
        cloud: &Cloud,
        piece: usize,
        end: Option<(usize, Interrupted)>,
    ) -> (Said, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let pieces = self.body.chunks(piece).map(Bytes::copy_from_slice);
        let sending = Sending {
            pieces: pieces.take(end.map_or(usize::MAX, |(count, _)| count)).collect(),
            end: end.map(|(_, interrupted)| interrupted),
            asked: Arc::clone(&asked),
        };
        let answer = cloud.serve(self.incoming(Body::Stream(Box::new(sending))));
        (said(cloud, answer), asked.load(Ordering::Relaxed))
    }
}

pub(super) fn key() -> crypto::signature::SigningKey {
    let time = wire::sigv4::basic_time(Timestamp(BEGINNING).seconds());
    crypto::signature::SigningKey::derive(&Secret::from(SECRET), time.get(..8).unwrap(), REGION, "s3")
}

/// A body that comes in pieces of this size.
pub(super) fn arriving(bytes: &[u8], piece: usize) -> Body<Box<dyn Arriving>> {
    Body::Stream(Box::new(Sending {
        pieces: bytes.chunks(piece).map(Bytes::copy_from_slice).collect(),
        end: None,
        asked: Arc::default(),
    }))
}

struct Sending {
    pieces: VecDeque<Bytes>,
    end: Option<Interrupted>,
    asked: Arc<AtomicUsize>,
}

impl Arriving for Sending {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Option<Bytes>, Interrupted>> + Send + '_>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let next = match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Ok(Some(piece)),
            (None, Some(interrupted)) => Err(interrupted),
            (None, None) => Ok(None),
        };
        Box::pin(async move { next })
    }
}

/// What was answered.
pub(super) struct Said {
    pub(super) status: u16,
    /// What came of it before the end, or before it broke off.
    pub(super) body: Vec<u8>,
    pub(super) broken: bool,
    pub(super) streamed: bool,
}

impl Said {
    /// The error's code.
    pub(super) fn code(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let code = text
            .split("<Code>")
            .nth(1)
            .and_then(|rest| rest.split("</Code>").next());
        code.unwrap_or_default().to_owned()
    }
}

/// Takes an answer to its end.
pub(super) fn said(cloud: &Cloud, answer: Answer) -> Said {
    let (mut body, mut broken) = (Vec::new(), false);
    let streamed = match answer.body {
        Body::Whole(bytes) => {
            body.extend_from_slice(&bytes);
            false
        }
        Body::Stream(mut stream) => {
            let size = stream.size();
            while let Some(next) = cloud.wait(std::future::poll_fn(|cx| stream.poll_next(cx))) {
                match next {
                    Ok(bytes) => body.extend_from_slice(&bytes),
                    Err(_) => {
                        broken = true;
                        break;
                    }
                }
            }
            assert!(broken || size == body.len() as u64);
            true
        }
    };
    Said {
        status: answer.status,
        body,
        broken,
        streamed,
    }
}

/// The last record of the trail.
pub(super) fn last(cloud: &Cloud) -> Record {
    cloud.records(ACCOUNT, REGION).pop().unwrap()
}

/// Bytes that differ from place to place.
pub(super) fn text(size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap())
        .collect()
}
