//! The request context: condition keys and their values, as a policy sees them.
//!
//! Keys are compared without case. Values are text: AWS compares dates, numbers and booleans by parsing
//! the text by the operator, not by the key.

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Room for the keys of most requests, made with the first.
const KEYS: usize = 12;

/// The text of one value; static text costs nothing to insert.
pub type Value = Cow<'static, str>;

/// Condition keys with one or many values. Built once for each request.
#[derive(Debug, Clone, Default)]
pub struct Context {
    entries: Vec<Entry>,
    canonical_user: Option<Box<str>>,
}

#[derive(Debug, Clone)]
struct Entry {
    hash: u64,
    key: Value,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    One(Value),
    Many(Vec<Value>),
}

impl Context {
    /// An empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty context with room for `keys`.
    pub fn with_capacity(keys: usize) -> Self {
        Self {
            entries: Vec::with_capacity(keys),
            canonical_user: None,
        }
    }

    /// Sets a single-valued key, replacing what it held.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) {
        self.set(key.into(), Values::One(value.into()));
    }

    /// Sets a multivalued key. Without any value the key counts as absent, as in AWS.
    pub fn insert_many<V: Into<Value>>(
        &mut self,
        key: impl Into<Value>,
        values: impl IntoIterator<Item = V>,
    ) {
        self.set(
            key.into(),
            Values::Many(values.into_iter().map(Into::into).collect()),
        );
    }

    /// The same as [`Context::insert`], for building in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<Value>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| !entry.key.eq_ignore_ascii_case(key));
    }

    /// The values of `key`, compared without case; `None` if it is absent or has no value.
    pub fn get(&self, key: &str) -> Option<&[Value]> {
        self.find(fold_hash(key), key)
    }

    /// Sets the caller's canonical user ID, which `"Principal": {"CanonicalUser": …}` is compared to.
    pub fn set_canonical_user(&mut self, id: &str) {
        self.canonical_user = Some(id.into());
    }

    /// All keys with their values, in the order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[Value])> {
        self.entries
            .iter()
            .map(|entry| (entry.key.as_ref(), entry.values.as_slice()))
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn canonical_user(&self) -> Option<&str> {
        self.canonical_user.as_deref()
    }

    pub(crate) fn find(&self, hash: u64, key: &str) -> Option<&[Value]> {
        let held = |entry: &&Entry| entry.hash == hash && entry.key.eq_ignore_ascii_case(key);
        let values = self.entries.iter().find(held)?.values.as_slice();
        (!values.is_empty()).then_some(values)
    }

    /// The value of a key that has exactly one: only such a key may be a policy variable.
    pub(crate) fn single(&self, hash: u64, key: &str) -> Option<&str> {
        match self.find(hash, key)? {
            [only] => Some(only),
            _ => None,
        }
    }

    fn set(&mut self, key: Value, values: Values) {
        let hash = fold_hash(&key);
        let held = |entry: &&mut Entry| entry.hash == hash && entry.key.eq_ignore_ascii_case(&key);
        match self.entries.iter_mut().find(held) {
            Some(entry) => entry.values = values,
            None => {
                if self.entries.capacity() == 0 {
                    self.entries.reserve(KEYS);
                }
                self.entries.push(Entry { hash, key, values });
            }
        }
    }
}

/// For people a list of pairs, each of a key and the list of its values; for programs a map, with a single value as it is.
impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_seq(self.iter());
        }
        let mut map = serializer.serialize_map(Some(self.entries.len()))?;
        for entry in &self.entries {
            match &entry.values {
                Values::One(value) => map.serialize_entry(&*entry.key, &**value)?,
                Values::Many(values) => map.serialize_entry(&*entry.key, values)?,
            }
        }
        map.end()
    }
}

/// Either form.
impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Forms)
    }
}

struct Forms;

impl<'de> Visitor<'de> for Forms {
    type Value = Context;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("condition keys with their values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Context, A::Error> {
        let mut context = Context::default();
        while let Some((key, values)) = pairs.next_element::<(String, Vec<String>)>()? {
            context.insert_many(key, values);
        }
        Ok(context)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Context, A::Error> {
        let mut context = Context::default();
        while let Some((key, values)) = map.next_entry::<String, Values>()? {
            context.set(key.into(), values);
        }
        Ok(context)
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value or a list of them")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Values, E> {
                Ok(Values::One(value.to_owned().into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element::<String>()? {
                    values.push(value.into());
                }
                Ok(Values::Many(values))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl Values {
    fn as_slice(&self) -> &[Value] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// A hash that is equal for texts that differ only in the case of ASCII letters. Eight bytes at a time: every key of every request,
/// and every action, goes through it.
pub(crate) fn fold_hash(text: &str) -> u64 {
    /// The bit that tells a small letter from its capital; other characters that differ by it alone merely meet.
    const CASE: u64 = 0x2020_2020_2020_2020;
    let mix = |hash: u64, word: [u8; 8]| {
        let mixed = (hash ^ (u64::from_le_bytes(word) | CASE)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    };
    let bytes = text.as_bytes();
    let (words, rest) = bytes.as_chunks();
    // The last word may say again what the one before it said.
    let last = bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut short = [0; 8];
        short.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        short
    });
    let hash = words
        .iter()
        .fold(text.len() as u64, |hash, word| mix(hash, *word));
    mix(hash, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_without_case() {
        let mut context = Context::new().with("aws:CurrentTime", "now");
        assert_eq!(context.get("AWS:currenttime"), Some(&["now".into()][..]));
        context.insert("AWS:CURRENTTIME", "later");
        assert_eq!(context.iter().count(), 1);
        context.remove("aws:currentTime");
        assert_eq!(context.get("aws:CurrentTime"), None);
    }

    #[test]
    fn a_context_comes_back_from_its_text() {
        let mut context = Context::new().with("kms:KeySpec", "RSA_2048");
        context.insert_many("kms:ResourceAliases", ["alias/a", "alias/b"]);
        let text = serde_json::to_string(&context).unwrap();
        let pairs = r#"[["kms:KeySpec",["RSA_2048"]],["kms:ResourceAliases",["alias/a","alias/b"]]]"#;
        assert_eq!(text, pairs);
        let back: Context = serde_json::from_str(&text).unwrap();
        assert!(back.iter().eq(context.iter()));
    }

    #[test]
    fn hashes_differ_by_more_than_case() {
        let texts = [
            "",
            "a",
            "aws:SourceIp",
            "aws:SourceArn",
            "kms:EncryptionContext:a",
            "kms:EncryptionContext:b",
        ];
        for one in texts {
            assert_eq!(fold_hash(one), fold_hash(&one.to_ascii_uppercase()));
            let equal = texts.iter().filter(|other| fold_hash(one) == fold_hash(other));
            assert_eq!(equal.count(), 1, "{one}");
        }
    }

    #[test]
    fn a_key_without_values_is_absent() {
        let mut context = Context::new();
        context.insert_many("aws:TagKeys", Vec::<String>::new());
        assert_eq!(context.get("aws:TagKeys"), None);
    }
}
