//! Random shapes and documents that fit them.

use wire::model::{Kind, Member, Operation, Service, Shape, ShapeId, Structure, TimestampFormat};
use wire::{Document, Timestamp};

use crate::model::{bare_service, plain_member};

/// The members of random structures.
pub(crate) const NAMES: [&str; 6] = ["alpha", "Beta", "gamma", "Delta", "epsilon", "Zeta"];

/// Makes shapes and documents out of random bytes; without bytes everything is as small as can be.
pub(crate) struct Gen<'b> {
    bytes: std::slice::Iter<'b, u8>,
    pub(crate) shapes: Vec<Shape>,
    /// The query protocols and XML have no null.
    nulls: bool,
}

impl<'b> Gen<'b> {
    pub(crate) fn new(bytes: &'b [u8], nulls: bool) -> Self {
        Self {
            bytes: bytes.iter(),
            shapes: Vec::new(),
            nulls,
        }
    }

    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn one_in(&mut self, chances: u8) -> bool {
        self.byte().is_multiple_of(chances)
    }

    fn word(&mut self) -> i64 {
        i64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn text(&mut self) -> String {
        let pool = [
            'a', 'Z', '0', ' ', '<', '&', '"', '\'', '\n', '\t', 'é', '😹', '%', '+', '=', '.', ',', '\\',
            '/',
        ];
        let length = self.byte() % 6;
        (0..length)
            .map(|_| pool[usize::from(self.byte()) % pool.len()])
            .collect()
    }

    pub(crate) fn add(&mut self, kind: Kind) -> ShapeId {
        let name = crate::model::leak(&format!("Shape{}", self.shapes.len()));
        self.shapes.push(Shape {
            name,
            kind,
            min: None,
            max: None,
            pattern: None,
            sensitive: false,
        });
        ShapeId(u32::try_from(self.shapes.len() - 1).unwrap())
    }

    fn member(&mut self, name: &'static str, depth: u8) -> Member {
        let shape = self.shape(depth);
        let wire_name = (self.one_in(3)).then(|| crate::model::leak(&format!("{name}Wire{}", shape.0)));
        Member {
            name,
            wire_name,
            shape,
            flattened: self.one_in(4),
            ..plain_member()
        }
    }

    pub(crate) fn structure(&mut self, depth: u8) -> ShapeId {
        let count = usize::from(self.byte()) % (NAMES.len() + 1);
        let members = NAMES
            .iter()
            .take(count)
            .map(|name| self.member(name, depth))
            .collect();
        self.add(Kind::Structure(Structure {
            members,
            ..Structure::default()
        }))
    }

    pub(crate) fn shape(&mut self, depth: u8) -> ShapeId {
        let sparse = self.nulls && self.one_in(2);
        match self.byte() % if depth == 0 { 7 } else { 10 } {
            0 => self.add(Kind::String { values: Vec::new() }),
            1 => self.add(Kind::Boolean),
            2 => {
                let width = [8, 16, 32, 64][usize::from(self.byte()) % 4];
                self.add(Kind::Integer(width))
            }
            3 => self.add(Kind::Float(64)),
            4 => self.add(Kind::Float(32)),
            5 => self.add(Kind::Blob),
            6 => {
                let formats = [
                    None,
                    Some(TimestampFormat::EpochSeconds),
                    Some(TimestampFormat::DateTime),
                    Some(TimestampFormat::HttpDate),
                ];
                let format = formats[usize::from(self.byte()) % 4];
                self.add(Kind::Timestamp(format))
            }
            7 => {
                let member = Member {
                    flattened: false,
                    ..self.member("member", depth - 1)
                };
                let flattened = self.one_in(4);
                self.add(Kind::List {
                    member,
                    flattened,
                    sparse,
                })
            }
            8 => {
                let key = self.add(Kind::String { values: Vec::new() });
                let value = Member {
                    flattened: false,
                    ..self.member("value", depth - 1)
                };
                let flattened = self.one_in(4);
                self.add(Kind::Map {
                    key: Member {
                        shape: key,
                        ..plain_member()
                    },
                    value,
                    flattened,
                    sparse,
                })
            }
            _ => self.structure(depth - 1),
        }
    }

    /// A document of a shape; `hollow` where an empty collection would leave no trace.
    pub(crate) fn document(&mut self, id: ShapeId, flat: bool) -> Document {
        let index = id.0 as usize;
        match &self.shapes[index].kind {
            Kind::String { .. } => Document::String(self.text()),
            Kind::Boolean => Document::Boolean(self.one_in(2)),
            Kind::Integer(width) => {
                let shift = 64 - u32::from(*width);
                Document::Integer(self.word() >> shift)
            }
            #[expect(clippy::cast_precision_loss, reason = "any float will do")]
            Kind::Float(64) => Document::Float(self.word() as f64 / 8.0),
            Kind::Float(_) => {
                Document::Float([0.5, f64::NAN, f64::INFINITY, -1.25][usize::from(self.byte()) % 4])
            }
            Kind::Blob => Document::Blob((0..self.byte() % 5).map(|_| self.byte()).collect()),
            Kind::Timestamp(_) => Document::Timestamp(Timestamp(self.word() % 60_000_000_000_000)),
            Kind::List {
                member,
                flattened,
                sparse,
            } => {
                let (shape, sparse, flat) = (member.shape, *sparse, flat || *flattened);
                let count = (self.byte() % 4).max(u8::from(flat));
                Document::List((0..count).map(|_| self.element(shape, sparse)).collect())
            }
            Kind::Map {
                value,
                flattened,
                sparse,
                ..
            } => {
                let (shape, sparse, flat) = (value.shape, *sparse, flat || *flattened);
                let count = (self.byte() % 4).max(u8::from(flat));
                let entry = |index: u8| (format!("{}{index}", self.text()), self.element(shape, sparse));
                Document::Map((0..count).map(entry).collect())
            }
            Kind::Structure(structure) => {
                let members: Vec<_> = structure
                    .members
                    .iter()
                    .map(|member| (member.name, member.shape, member.flattened))
                    .collect();
                let mut values = Vec::new();
                for (name, shape, flattened) in members {
                    if !self.one_in(4) {
                        values.push((name, self.document(shape, flattened)));
                    }
                }
                Document::Structure(values)
            }
            Kind::Untyped => Document::Null,
        }
    }

    fn element(&mut self, shape: ShapeId, sparse: bool) -> Document {
        if sparse && self.one_in(4) {
            Document::Null
        } else {
            self.document(shape, false)
        }
    }

    pub(crate) fn service(self, root: ShapeId, operation: Operation) -> Service {
        let operation = Operation {
            input: Some(root),
            output: Some(root),
            ..operation
        };
        Service {
            operations: vec![operation],
            shapes: self.shapes,
            ..bare_service()
        }
    }
}
