//! Typed tables and the records in them. Every stored record begins with the version of its form, so that a newer program
//! can read older rows and an older program refuses newer ones instead of guessing.

use std::marker::PhantomData;

use crate::{Error, Key, Result};

/// A stored value with a versioned form.
pub trait Record: Clone + Send + Sync + 'static {
    /// The version that [`Record::encode`] writes.
    const VERSION: u8;
    /// Whether records stay in the cache once they are decoded. Not for large ones that would push out what many calls need.
    const CACHED: bool = true;

    /// Appends the record's bytes.
    ///
    /// # Errors
    /// [`Error::Encode`] when the value has no stored form.
    fn encode(&self, out: &mut Vec<u8>) -> Result<()>;

    /// Reads the bytes of any version up to [`Record::VERSION`].
    ///
    /// # Errors
    /// [`Error::NewerRecord`] for a version that is not known, [`Error::Decode`] for bytes that do not fit.
    fn decode(version: u8, bytes: &[u8]) -> Result<Self>;
}

/// Stores a serde type as JSON: `record!(User, 1)`. A later form names what reads the older ones:
/// `record!(User, 2, |version, bytes| …)`, a `fn(u8, &[u8]) -> store::Result<User>`.
#[macro_export]
macro_rules! record {
    ($type:ty, $version:expr) => {
        $crate::record!($type, $version, |found, _bytes| Err(
            $crate::Error::NewerRecord {
                table: stringify!($type),
                found,
                known: $version,
            }
        ));
    };
    ($type:ty, $version:expr, $migrate:expr) => {
        impl $crate::Record for $type {
            const VERSION: u8 = $version;

            fn encode(&self, out: &mut Vec<u8>) -> $crate::Result<()> {
                $crate::json::encode(self, stringify!($type), out)
            }

            fn decode(version: u8, bytes: &[u8]) -> $crate::Result<Self> {
                if version == Self::VERSION {
                    return $crate::json::decode(stringify!($type), bytes);
                }
                if version > Self::VERSION {
                    return Err($crate::Error::NewerRecord {
                        table: stringify!($type),
                        found: version,
                        known: Self::VERSION,
                    });
                }
                let migrate: fn(u8, &[u8]) -> $crate::Result<$type> = $migrate;
                migrate(version, bytes)
            }
        }
    };
}

/// The stored form that [`record!`] gives to serde types.
pub mod json {
    use std::sync::Arc;

    use crate::{Error, Result};

    /// Appends `value` as JSON.
    ///
    /// # Errors
    /// [`Error::Encode`] when serde refuses the value.
    pub fn encode<T: serde::Serialize>(value: &T, table: &'static str, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(out, value).map_err(|error| Error::Encode {
            table,
            source: Arc::new(error),
        })
    }

    /// Reads JSON, of this version or (in a migration) of an older type.
    ///
    /// # Errors
    /// [`Error::Decode`] when the bytes do not fit the type.
    pub fn decode<T: serde::de::DeserializeOwned>(table: &'static str, bytes: &[u8]) -> Result<T> {
        serde_json::from_slice(bytes).map_err(|error| Error::Decode {
            table,
            source: Arc::new(error),
        })
    }
}

/// The declaration of a table: `static USERS: Table<(String, String), User> = Table::new(0x0101, "iam.users");`
/// The account comes first in the key, so that one account can be wiped.
pub struct Table<K, V> {
    id: u16,
    name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Record> Table<K, V> {
    /// Declares a table. Ids below `0x0100` belong to the store itself.
    #[must_use]
    pub const fn new(id: u16, name: &'static str) -> Self {
        assert!(
            id >= 0x0100 && id < 0xff00,
            "table ids from 0x0100 to 0xfeff are for services"
        );
        Table {
            id,
            name,
            types: PhantomData,
        }
    }

    /// The id that its rows are stored under.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.id
    }

    /// The name that errors give.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// The stored bytes of a record: its version, then its form.
pub(crate) fn pack<V: Record>(value: &V) -> Result<Vec<u8>> {
    let mut out = vec![V::VERSION];
    value.encode(&mut out)?;
    Ok(out)
}

pub(crate) fn unpack<V: Record>(table: &'static str, stored: &[u8]) -> Result<V> {
    match stored {
        [version, _rest @ ..] if *version > V::VERSION => Err(Error::NewerRecord {
            table,
            found: *version,
            known: V::VERSION,
        }),
        [version, rest @ ..] => V::decode(*version, rest),
        [] => Err(Error::Key("an empty row")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Old {
        name: String,
    }
    record!(Old, 1);

    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct New {
        names: Vec<String>,
    }
    record!(New, 2, |_version, bytes| {
        let old: Old = json::decode("New", bytes)?;
        Ok(New {
            names: vec![old.name],
        })
    });

    #[test]
    fn an_older_form_is_migrated_and_a_newer_one_refused() {
        let old = pack(&Old { name: "a".to_owned() }).unwrap();
        assert_eq!(
            unpack::<New>("t", &old).unwrap(),
            New {
                names: vec!["a".to_owned()]
            }
        );
        let new = pack(&New { names: vec![] }).unwrap();
        let error = unpack::<Old>("t", &new).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a record of t has version 2, and this program knows versions up to 1"
        );
        assert!(matches!(
            unpack::<Old>("t", &[0]).unwrap_err(),
            Error::NewerRecord { found: 0, .. }
        ));
    }

    #[test]
    fn bytes_that_do_not_fit_are_refused() {
        assert!(matches!(
            unpack::<Old>("t", &[1, b'{']).unwrap_err(),
            Error::Decode { .. }
        ));
        assert!(unpack::<Old>("t", &[]).is_err());
    }
}
