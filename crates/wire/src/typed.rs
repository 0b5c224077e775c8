//! From documents to the generated types of `api` and back.
//!
//! Generated declarations use the macros here; they stay small because reading and writing is by name and by trait.

use std::collections::BTreeMap;

use crate::{Document, Timestamp};

/// A document that does not have the type that the model promises: a bug in the model's patches or the generator.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected} at {member}")]
pub struct Mismatch {
    pub expected: &'static str,
    pub member: &'static str,
}

impl From<Mismatch> for crate::Fault {
    fn from(mismatch: Mismatch) -> Self {
        Self::internal(mismatch)
    }
}

/// Reads a typed value out of a checked document.
pub trait FromDocument: Sized {
    /// Takes the document apart. Fails only if it was not checked against its shape.
    fn from_document(document: Document) -> Result<Self, Mismatch>;
}

/// Writes a typed value as a document.
pub trait IntoDocument {
    fn into_document(self) -> Document;
}

macro_rules! scalar {
    ($($type:ty, $variant:ident, $name:literal;)*) => {$(
        impl FromDocument for $type {
            fn from_document(document: Document) -> Result<Self, Mismatch> {
                match document {
                    Document::$variant(value) => Ok(value),
                    _ => Err(Mismatch { expected: $name, member: "" }),
                }
            }
        }
        impl IntoDocument for $type {
            fn into_document(self) -> Document {
                Document::$variant(self)
            }
        }
    )*};
}

scalar! {
    bool, Boolean, "boolean";
    i64, Integer, "integer";
    f64, Float, "float";
    String, String, "string";
    Timestamp, Timestamp, "timestamp";
}

impl FromDocument for i32 {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        let wide = i64::from_document(document)?;
        wide.try_into().map_err(|_| Mismatch {
            expected: "32-bit integer",
            member: "",
        })
    }
}

impl IntoDocument for i32 {
    fn into_document(self) -> Document {
        Document::Integer(self.into())
    }
}

impl FromDocument for Document {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        Ok(document)
    }
}

impl IntoDocument for Document {
    fn into_document(self) -> Document {
        self
    }
}

/// The bytes of a blob. A type of its own, so that a list of numbers is never taken for one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

impl FromDocument for Blob {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        match document {
            Document::Blob(bytes) => Ok(Self(bytes)),
            _ => Err(Mismatch {
                expected: "blob",
                member: "",
            }),
        }
    }
}

impl IntoDocument for Blob {
    fn into_document(self) -> Document {
        Document::Blob(self.0)
    }
}

impl<T: FromDocument> FromDocument for Vec<T> {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        match document {
            Document::List(items) => items.into_iter().map(T::from_document).collect(),
            _ => Err(Mismatch {
                expected: "list",
                member: "",
            }),
        }
    }
}

impl<T: IntoDocument> IntoDocument for Vec<T> {
    fn into_document(self) -> Document {
        Document::List(self.into_iter().map(T::into_document).collect())
    }
}

impl<T: FromDocument> FromDocument for BTreeMap<String, T> {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        match document {
            Document::Map(entries) => entries
                .into_iter()
                .map(|(key, value)| Ok((key, T::from_document(value)?)))
                .collect(),
            _ => Err(Mismatch {
                expected: "map",
                member: "",
            }),
        }
    }
}

impl<T: IntoDocument> IntoDocument for BTreeMap<String, T> {
    fn into_document(self) -> Document {
        Document::Map(
            self.into_iter()
                .map(|(key, value)| (key, value.into_document()))
                .collect(),
        )
    }
}

impl<T: FromDocument> FromDocument for Box<T> {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        T::from_document(document).map(Box::new)
    }
}

impl<T: IntoDocument> IntoDocument for Box<T> {
    fn into_document(self) -> Document {
        (*self).into_document()
    }
}

/// What an operation without an output answers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Empty;

impl FromDocument for Empty {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        members(document).map(|_| Self)
    }
}

impl IntoDocument for Empty {
    fn into_document(self) -> Document {
        Document::empty()
    }
}

/// The place of a streaming payload, whose bytes travel beside the document.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stream;

impl FromDocument for Stream {
    fn from_document(document: Document) -> Result<Self, Mismatch> {
        match document {
            Document::Stream => Ok(Self),
            _ => Err(Mismatch {
                expected: "stream",
                member: "",
            }),
        }
    }
}

impl IntoDocument for Stream {
    fn into_document(self) -> Document {
        Document::Stream
    }
}

/// A member of a generated structure: plain if the model requires it, in an `Option` otherwise.
pub trait Field: Sized {
    /// Reads a member that is there; `name` is for the error.
    fn read(document: Document, name: &'static str) -> Result<Self, Mismatch>;
    /// Appends the member to its structure, unless it is absent.
    fn write(self, name: &'static str, members: &mut Vec<(&'static str, Document)>);
}

impl<T: FromDocument + IntoDocument> Field for T {
    fn read(document: Document, name: &'static str) -> Result<Self, Mismatch> {
        T::from_document(document).map_err(|mismatch| mismatch.at(name))
    }

    fn write(self, name: &'static str, members: &mut Vec<(&'static str, Document)>) {
        members.push((name, self.into_document()));
    }
}

impl<T: FromDocument + IntoDocument> Field for Option<T> {
    fn read(document: Document, name: &'static str) -> Result<Self, Mismatch> {
        match document {
            Document::Null => Ok(None),
            document => T::read(document, name).map(Some),
        }
    }

    fn write(self, name: &'static str, members: &mut Vec<(&'static str, Document)>) {
        if let Some(value) = self {
            value.write(name, members);
        }
    }
}

impl Mismatch {
    /// Names the innermost member.
    fn at(mut self, name: &'static str) -> Self {
        if self.member.is_empty() {
            self.member = name;
        }
        self
    }
}

/// The members of a generated structure.
pub trait Members: Default {
    /// Sets the member with this name; one that the structure does not declare is passed over.
    fn set(&mut self, name: &str, document: Document) -> Result<(), Mismatch>;
}

/// Reads a generated structure.
pub fn read_structure<T: Members>(document: Document) -> Result<T, Mismatch> {
    let mut value = T::default();
    for (name, document) in members(document)? {
        value.set(name, document)?;
    }
    Ok(value)
}

fn members(document: Document) -> Result<Vec<(&'static str, Document)>, Mismatch> {
    match document {
        Document::Structure(members) => Ok(members),
        _ => Err(Mismatch {
            expected: "structure",
            member: "",
        }),
    }
}

/// Collects the members of a generated structure.
#[derive(Default)]
pub struct StructureWriter(Vec<(&'static str, Document)>);

impl StructureWriter {
    /// Appends a member, unless it is absent.
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Field) -> Self {
        value.write(name, &mut self.0);
        self
    }

    /// The structure.
    pub fn finish(self) -> Document {
        Document::Structure(self.0)
    }
}

/// The text of an enumerated value; generated code parses it.
pub fn text(document: Document) -> Result<String, Mismatch> {
    String::from_document(document)
}

/// Declares structures as `Name { field "Member" Type; … }`. Members that a structure does not declare are passed over.
#[macro_export]
macro_rules! structures {
    ($($name:ident { $($field:ident $member:literal $type:ty;)* })*) => {$(
        #[derive(Clone, Default)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl $crate::typed::Members for $name {
            fn set(&mut self, name: &str, document: $crate::Document) -> Result<(), $crate::typed::Mismatch> {
                match name {
                    $($member => self.$field = $crate::typed::Field::read(document, $member)?,)*
                    _ => drop(document),
                }
                Ok(())
            }
        }

        impl $crate::FromDocument for $name {
            fn from_document(document: $crate::Document) -> Result<Self, $crate::typed::Mismatch> {
                $crate::typed::read_structure(document)
            }
        }

        impl $crate::IntoDocument for $name {
            fn into_document(self) -> $crate::Document {
                $crate::typed::StructureWriter::default()$(.member($member, self.$field))*.finish()
            }
        }
    )*};
}

/// Declares enumerations as `Name { Variant "VALUE" … }`; the default is the first variant.
#[macro_export]
macro_rules! enumerations {
    ($($name:ident { $first:ident $first_value:literal $($variant:ident $value:literal)* })*) => {$(
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub enum $name {
            #[default]
            $first,
            $($variant,)*
        }

        impl $name {
            /// Every value, in the model's order.
            pub const ALL: &'static [Self] = &[Self::$first, $(Self::$variant,)*];

            /// The value on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_value,
                    $(Self::$variant => $value,)*
                }
            }

            /// The value with this spelling on the wire.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl $crate::FromDocument for $name {
            fn from_document(document: $crate::Document) -> Result<Self, $crate::typed::Mismatch> {
                let text = $crate::typed::text(document)?;
                Self::parse(&text).ok_or($crate::typed::Mismatch { expected: stringify!($name), member: "" })
            }
        }

        impl $crate::IntoDocument for $name {
            fn into_document(self) -> $crate::Document {
                $crate::Document::String(self.as_str().to_owned())
            }
        }
    )*};
}

/// Declares constructors of a service's errors as `name "Shape" "Code" status Side;`.
#[macro_export]
macro_rules! faults {
    ($($name:ident $shape:literal $code:literal $status:literal $side:ident;)*) => {$(
        #[doc = concat!("`", $shape, "`: ", $status, " with the code `", $code, "`.")]
        pub fn $name(message: impl Into<String>) -> $crate::Fault {
            $crate::Fault::modeled($shape, $code, $status, $crate::fault::Side::$side, message)
        }
    )*};
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "generated types are public, these tests are not")]
mod tests {
    use super::*;

    crate::structures! {
        Key {
            key_id "KeyId" String;
            state "State" Option<State>;
            size "Size" i32;
            parent "Parent" Option<Box<Key>>;
            tags "Tags" Option<BTreeMap<String, Vec<Blob>>>;
        }
        Nothing {
        }
    }

    crate::enumerations! {
        State { Enabled "Enabled" PendingDeletion "PENDING_DELETION" }
    }

    crate::faults! {
        not_found "NotFoundException" "NotFound" 404 Sender;
    }

    fn tree() -> Document {
        let parent = vec![
            ("KeyId", Document::String("b".into())),
            ("Size", Document::Integer(0)),
        ];
        let tags = vec![("t".to_owned(), Document::List(vec![Document::Blob(vec![1, 2])]))];
        Document::Structure(vec![
            ("KeyId", Document::String("a".into())),
            ("State", Document::String("PENDING_DELETION".into())),
            ("Size", Document::Integer(7)),
            ("Parent", Document::Structure(parent)),
            ("Tags", Document::Map(tags)),
        ])
    }

    #[test]
    fn a_structure_comes_back_as_it_went() {
        let key = Key::from_document(tree()).unwrap();
        assert_eq!(
            (key.key_id.as_str(), key.state, key.size),
            ("a", Some(State::PendingDeletion), 7)
        );
        assert_eq!(key.parent.as_ref().unwrap().key_id, "b");
        assert!(key.into_document() == tree());
        assert!(Nothing::from_document(tree()).unwrap().into_document() == Document::empty());
    }

    #[test]
    fn members_of_other_types_are_named_in_the_error() {
        let wrong = |member, value| {
            let error = Key::from_document(Document::Structure(vec![(member, value)]))
                .err()
                .unwrap();
            (error.expected, error.member)
        };
        assert_eq!(wrong("Size", Document::Boolean(true)), ("integer", "Size"));
        assert_eq!(
            wrong("Size", Document::Integer(1 << 40)),
            ("32-bit integer", "Size")
        );
        assert_eq!(
            wrong("State", Document::String("Disabled".into())),
            ("State", "State")
        );
        let parent = Document::Structure(vec![("KeyId", Document::Null)]);
        assert_eq!(wrong("Parent", parent), ("string", "KeyId"));
    }

    #[test]
    fn an_absent_or_null_member_is_none_and_is_not_written() {
        let null = Document::Structure(vec![("State", Document::Null), ("Unknown", Document::Stream)]);
        let key = Key::from_document(null).unwrap();
        assert!(key.state.is_none());
        let Document::Structure(members) = key.into_document() else {
            panic!("no structure")
        };
        assert_eq!(
            members.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ["KeyId", "Size"]
        );
    }

    #[test]
    fn enumerations_know_their_values() {
        assert_eq!(State::ALL.len(), 2);
        assert_eq!(State::default(), State::Enabled);
        assert_eq!(State::parse("PENDING_DELETION"), Some(State::PendingDeletion));
        assert_eq!(State::parse("pending_deletion"), None);
        assert_eq!(State::PendingDeletion.to_string(), "PENDING_DELETION");
    }

    #[test]
    fn a_fault_carries_the_models_code() {
        use crate::fault::{Code, Side};
        let fault = not_found("gone");
        let code = Code::Modeled {
            shape: "NotFoundException",
            code: "NotFound",
            status: 404,
            side: Side::Sender,
        };
        assert!(fault.code == code && fault.message == "gone");
    }
}
