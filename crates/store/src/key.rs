//! Keys as ordered tuples: their bytes sort as the tuples do, and every component delimits itself, so that the bytes of a
//! leading part are a prefix of exactly the keys that begin with it.

use crate::{Error, Result};

/// A value that can stand for a key of type `K` without owning it: `&str` for `String`, `(&str, u64)` for `(String, u64)`.
pub trait AsKey<K: ?Sized> {
    /// Appends the ordered bytes of this key.
    fn encode(&self, out: &mut Vec<u8>);
}

/// The key of a table: strings, bytes, integers, and tuples of up to five of them.
pub trait Key: AsKey<Self> + Sized + Clone + Send + Sync + 'static {
    /// Takes one key from the front of `input`.
    ///
    /// # Errors
    /// [`Error::Key`] when the bytes are not such a key.
    fn decode(input: &mut &[u8]) -> Result<Self>;
}

/// The leading components of a key: `()` for all keys, `(account,)`, `(account, name)`, …, up to the whole tuple.
pub trait Prefix<K> {
    /// Appends the ordered bytes of the prefix.
    fn encode(&self, out: &mut Vec<u8>);
}

impl<K: Key> Prefix<K> for () {
    fn encode(&self, _out: &mut Vec<u8>) {}
}

/// Appends bytes so that they sort as given and end in a mark that no other value begins with.
pub(crate) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out);
    out.extend_from_slice(&[0, 0]);
}

/// Appends bytes without the end mark, which makes them a prefix of all values that begin with them.
pub(crate) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    for (place, part) in bytes.split(|byte| *byte == 0).enumerate() {
        if place > 0 {
            out.extend_from_slice(&[0, 1]);
        }
        out.extend_from_slice(part);
    }
}

pub(crate) fn decode_bytes(input: &mut &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        match *input {
            [0, 0, rest @ ..] => {
                *input = rest;
                return Ok(out);
            }
            [0, 1, rest @ ..] => {
                out.push(0);
                *input = rest;
            }
            [byte, rest @ ..] if *byte != 0 => {
                out.push(*byte);
                *input = rest;
            }
            _ => return Err(Error::Key("bytes without an end mark")),
        }
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N]> {
    let (head, rest) = input
        .split_first_chunk::<N>()
        .ok_or(Error::Key("too few bytes"))?;
    *input = rest;
    Ok(*head)
}

macro_rules! unsigned {
    ($($int:ty)*) => {$(
        impl AsKey<$int> for $int {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
        impl Key for $int {
            fn decode(input: &mut &[u8]) -> Result<Self> {
                Ok(<$int>::from_be_bytes(take(input)?))
            }
        }
    )*};
}
unsigned!(u8 u16 u32 u64 u128);

impl AsKey<i64> for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        // The sign bit is turned over, so that negative numbers sort first.
        out.extend_from_slice(&(self.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    }
}

impl Key for i64 {
    fn decode(input: &mut &[u8]) -> Result<Self> {
        Ok((u64::from_be_bytes(take(input)?) ^ (1 << 63)).cast_signed())
    }
}

macro_rules! variable {
    ($own:ty: $($borrowed:ty),*) => {$(
        impl AsKey<$own> for $borrowed {
            fn encode(&self, out: &mut Vec<u8>) {
                encode_bytes(self.as_ref(), out);
            }
        }
    )*};
}
variable!(String: String, str, &str, &String);
variable!(Vec<u8>: Vec<u8>, [u8], &[u8], &Vec<u8>);

impl Key for String {
    fn decode(input: &mut &[u8]) -> Result<Self> {
        String::from_utf8(decode_bytes(input)?).map_err(|_| Error::Key("not UTF-8"))
    }
}

impl Key for Vec<u8> {
    fn decode(input: &mut &[u8]) -> Result<Self> {
        decode_bytes(input)
    }
}

impl<const N: usize> AsKey<[u8; N]> for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Key for [u8; N] {
    fn decode(input: &mut &[u8]) -> Result<Self> {
        take(input)
    }
}

macro_rules! tuple {
    ($($part:ident $key:ident $at:tt),+) => {
        impl<$($part: AsKey<$key>, $key: Key),+> AsKey<($($key,)+)> for ($($part,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$at.encode(out);)+
            }
        }
        impl<$($key: Key),+> Key for ($($key,)+) {
            fn decode(input: &mut &[u8]) -> Result<Self> {
                Ok(($($key::decode(input)?,)+))
            }
        }
        prefix!([$($part $key $at),+] []);
    };
}

/// Makes every left part `(A,)`, `(A, B)`, … a prefix of the tuple `(A, B, rest…)`.
macro_rules! prefix {
    ([$($part:ident $key:ident $at:tt),+] [$($rest:ident),*]) => {
        impl<$($part: AsKey<$key>, $key: Key,)+ $($rest: Key),*> Prefix<($($key,)+ $($rest,)*)> for ($($part,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$at.encode(out);)+
            }
        }
    };
}

tuple!(A X 0);
tuple!(A X 0, B Y 1);
tuple!(A X 0, B Y 1, C Z 2);
tuple!(A X 0, B Y 1, C Z 2, D U 3);
tuple!(A X 0, B Y 1, C Z 2, D U 3, E V 4);
prefix!([A X 0][Y]);
prefix!([A X 0][Y, Z]);
prefix!([A X 0][Y, Z, U]);
prefix!([A X 0][Y, Z, U, V]);
prefix!([A X 0, B Y 1][Z]);
prefix!([A X 0, B Y 1][Z, U]);
prefix!([A X 0, B Y 1][Z, U, V]);
prefix!([A X 0, B Y 1, C Z 2][U]);
prefix!([A X 0, B Y 1, C Z 2][U, V]);
prefix!([A X 0, B Y 1, C Z 2, D U 3][V]);

/// The least byte string above everything that begins with `prefix`. A table's id is never `0xffff`, so there is one.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last != u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![u8::MAX; 3]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes<K: Key>(key: &K) -> Vec<u8> {
        let mut out = Vec::new();
        AsKey::encode(key, &mut out);
        out
    }

    proptest! {
        #[test]
        fn bytes_sort_as_tuples_do_and_come_back(
            a in any::<(Vec<u8>, i64, String, u64, [u8; 3])>(),
            b in any::<(Vec<u8>, i64, String, u64, [u8; 3])>(),
        ) {
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
            let encoded = bytes(&a);
            let mut input = encoded.as_slice();
            prop_assert_eq!(<(Vec<u8>, i64, String, u64, [u8; 3])>::decode(&mut input).unwrap(), a);
            prop_assert!(input.is_empty());
        }

        #[test]
        fn short_values_that_share_a_beginning_sort_too(
            a in (prop::collection::vec(0_u8..3, 0..4), any::<u16>()),
            b in (prop::collection::vec(0_u8..3, 0..4), any::<u16>()),
        ) {
            prop_assert_eq!(bytes(&a).cmp(&bytes(&b)), a.cmp(&b));
        }

        #[test]
        fn a_prefix_covers_exactly_its_keys(
            account in prop::collection::vec(0_u8..2, 0..3),
            key in (prop::collection::vec(0_u8..2, 0..3), any::<u8>()),
        ) {
            let mut prefix = Vec::new();
            Prefix::<(Vec<u8>, u8)>::encode(&(account.as_slice(),), &mut prefix);
            let encoded = bytes(&key);
            let inside = encoded >= prefix && encoded < end_of(&prefix);
            prop_assert_eq!(inside, key.0 == account);
        }

        #[test]
        fn foreign_bytes_are_refused_without_a_panic(input in any::<Vec<u8>>()) {
            let mut rest = input.as_slice();
            if let Ok(key) = <(String, i64)>::decode(&mut rest) {
                let taken = input.len() - rest.len();
                prop_assert_eq!(bytes(&key), &input[..taken]);
            }
        }
    }

    #[test]
    fn the_end_of_a_prefix_carries() {
        assert_eq!(end_of(&[1, 0xff, 0xff]), vec![2]);
        assert_eq!(end_of(&[1, 2]), vec![1, 3]);
    }
}
