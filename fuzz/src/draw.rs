//! Inputs of operations, drawn from arbitrary bytes by the model's shapes: what is there is kept, and what the bytes choose is changed.
//!
//! Invariant: no bytes, no change.

use wire::model::{Kind, Operation, Service, ShapeId, Structure};
use wire::{Document, Timestamp};

/// Deeper than inputs that mean anything.
const DEPTH_MAX: usize = 6;
/// Whole numbers around which handlers err.
const NUMBERS: [i64; 16] = [
    0,
    1,
    2,
    7,
    59,
    60,
    365,
    1000,
    3600,
    86_400,
    -1,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
    5_368_709_121,
];
/// Texts that something here gives a meaning.
const TEXTS: [&str; 48] = [
    "",
    "*",
    "existing",
    "missing",
    "$LATEST",
    "latest",
    "1",
    "-1",
    "/",
    "//",
    "a/b/../c",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::111122223333:user/existing",
    "arn:aws:iam::111122223333:role/existing",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:s3:::existing",
    "arn:aws:s3:::existing/a*",
    "arn:aws:lambda:eu-central-1:111122223333:function:existing",
    "arn:aws:lambda:eu-central-1:111122223333:function:existing:$LATEST",
    "arn:aws:kms:eu-central-1:111122223333:alias/existing",
    "arn:aws:ssm:eu-central-1:111122223333:parameter/existing",
    "arn:aws:ec2:eu-central-1:111122223333:instance/*",
    "arn:::::",
    "alias/existing",
    "alias/aws/s3",
    "111122223333",
    "eu-central-1",
    "us-east-1",
    "eu-central-1a",
    "rate(1 day)",
    "rate(99999 days)",
    "cron(0 8 ? * 2#5 *)",
    "cron(59/9 23 LW FEB ? 2199)",
    "4h",
    "{}",
    "[]",
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#,
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"aws:PrincipalTag/a":"${aws:username}"}}}}"#,
    "m1 + SUM([m1, m1]) / RATE(m1)",
    "bytes=0-0",
    "existing/existing?versionId=null",
    "a=b&c=d",
    "id=\"c4c1\"",
    "2199-12-31T23:59:59Z",
    "aws:username",
    "é€\u{10ffff}",
    "AWSCURRENT",
    "null",
];

/// A document as a person would write it down, for whoever looks into a finding.
pub fn shown(document: &Document) -> String {
    let all = |parts: Vec<String>| parts.join(", ");
    match document {
        Document::Boolean(value) => value.to_string(),
        Document::Integer(value) => value.to_string(),
        Document::Float(value) => value.to_string(),
        Document::String(text) => format!("{text:?}"),
        Document::Blob(bytes) => format!("{bytes:?}"),
        Document::Timestamp(at) => format!("@{}", at.0),
        Document::List(items) => format!("[{}]", all(items.iter().map(shown).collect())),
        Document::Map(pairs) => {
            let pairs = pairs
                .iter()
                .map(|(key, value)| format!("{key:?}: {}", shown(value)));
            format!("{{{}}}", all(pairs.collect()))
        }
        Document::Structure(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", shown(value)));
            format!("{{{}}}", all(members.collect()))
        }
        Document::Null => "null".to_owned(),
        Document::Stream => "stream".to_owned(),
    }
}

/// What is left of the bytes.
pub struct Draw<'a>(&'a [u8]);

impl<'a> Draw<'a> {
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; zero at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A place below `count`, which is no more than 65536.
    pub fn place(&mut self, count: usize) -> usize {
        let high = if count > 256 { self.byte() } else { 0 };
        usize::from(u16::from_be_bytes([high, self.byte()])) % count.max(1)
    }

    /// So many bytes as the next one says; all that are left if it is the greatest.
    pub fn bytes(&mut self) -> &'a [u8] {
        let count = match self.byte() {
            255 => self.0.len(),
            count => usize::from(count).min(self.0.len()),
        };
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn text(&mut self) -> String {
        let place = usize::from(self.byte());
        match TEXTS.get(place) {
            Some(text) => (*text).to_owned(),
            None => String::from_utf8_lossy(self.bytes()).into_owned(),
        }
    }

    fn number(&mut self) -> i64 {
        match self.byte() {
            place @ 0..128 => NUMBERS[usize::from(place) % NUMBERS.len()],
            small => i64::from(small) - 128,
        }
    }

    /// Changes as many members of an operation's input as the bytes say.
    pub fn change(&mut self, service: &Service, operation: &Operation, input: Document) -> Document {
        let Some(Kind::Structure(structure)) = operation
            .input
            .and_then(|id| service.shape(id))
            .map(|shape| &shape.kind)
        else {
            return input;
        };
        let Document::Structure(mut members) = input else {
            return input;
        };
        let changes = if structure.members.is_empty() {
            0
        } else {
            self.byte() % 5
        };
        for _ in 0..changes {
            let member = &structure.members[self.place(structure.members.len())];
            members.retain(|(name, _)| *name != member.name);
            // Streams have no place in a document.
            if self.byte() % 16 != 0 && !member.streaming {
                members.push((member.name, self.value(service, member.shape, 0)));
            }
        }
        Document::Structure(members)
    }

    fn value(&mut self, service: &Service, id: ShapeId, depth: usize) -> Document {
        let shape = service.shape(id).expect("every index leads somewhere");
        match &shape.kind {
            Kind::Structure(structure) => self.structure(service, structure, depth),
            Kind::List { member, .. } => {
                let count = if depth < DEPTH_MAX { self.byte() % 4 } else { 0 };
                Document::List(
                    (0..count)
                        .map(|_| self.value(service, member.shape, depth + 1))
                        .collect(),
                )
            }
            Kind::Map { key, value, .. } => {
                let count = if depth < DEPTH_MAX { self.byte() % 4 } else { 0 };
                let mut pairs: Vec<(String, Document)> = Vec::new();
                for _ in 0..count {
                    let Document::String(key) = self.value(service, key.shape, depth + 1) else {
                        continue;
                    };
                    if pairs.iter().all(|(held, _)| *held != key) {
                        pairs.push((key, self.value(service, value.shape, depth + 1)));
                    }
                }
                Document::Map(pairs)
            }
            Kind::String { values } if !values.is_empty() => {
                Document::String(values[self.place(values.len())].to_owned())
            }
            Kind::String { .. } => Document::String(self.text()),
            Kind::Blob => Document::Blob(self.bytes().to_vec()),
            Kind::Boolean => Document::Boolean(self.byte() % 2 == 1),
            Kind::Integer(width) => {
                let most = i64::MAX >> (64 - u32::from(*width));
                Document::Integer(self.number().clamp(-most - 1, most))
            }
            Kind::Float(_) => Document::Float(match self.byte() {
                0 => f64::MAX,
                1 => f64::MIN_POSITIVE,
                2 => -0.5,
                _ => self.number() as f64,
            }),
            Kind::Timestamp(_) => {
                let moments = [
                    0,
                    1,
                    1_795_305_600,
                    1_795_305_540,
                    1_795_392_000,
                    4_102_444_800,
                    253_402_300_799,
                    -1,
                ];
                let moment = moments[self.place(moments.len())];
                Document::Timestamp(Timestamp::from_seconds(moment))
            }
            Kind::Untyped => Document::Null,
        }
    }

    fn structure(&mut self, service: &Service, structure: &Structure, depth: usize) -> Document {
        if depth >= DEPTH_MAX || structure.members.is_empty() {
            return Document::empty();
        }
        if structure.union {
            let member = &structure.members[self.place(structure.members.len())];
            return Document::Structure(vec![(member.name, self.value(service, member.shape, depth + 1))]);
        }
        let (mut members, mut chosen) = (Vec::new(), 0);
        for (at, member) in structure.members.iter().enumerate() {
            if at % 8 == 0 {
                chosen = self.byte();
            }
            // Half of what need not be there, and nearly always what must.
            let there = chosen >> (at % 8) & 1 == 1;
            if (there || (member.required && chosen != 0xaa)) && !self.is_empty() {
                members.push((member.name, self.value(service, member.shape, depth + 1)));
            }
        }
        Document::Structure(members)
    }
}
