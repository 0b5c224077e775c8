//! Contents of any size, sealed in chunks: AES-256-GCM under random keys of their own, one for each layer.
//!
//! Invariant: a key seals one content and is drawn here, so counting nonces never repeat. Every chunk is bound to the content's id,
//! the layer, its place and whether it is the last, so that truncation, extension, reordering and swapping are found (the STREAM
//! construction: Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance").
//!
//! The second layer seals the first one's output chunk by chunk, so that ranges open alike under one and under two.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::cipher::{KEY, TAG};
use crate::{Error, Randomness as _, Result, Secret, SystemRandomness};

/// Bytes of a chunk in clear; only the last one of a content may be shorter.
pub const CHUNK_BYTES: usize = 64 << 10;
/// The most layers that a content may have.
pub const LAYERS_MAX: u8 = 2;
/// The format, as part of what every chunk is bound to.
const FORMAT: u8 = 1;
/// Format, id, layer, layers.
const BOUND: usize = 1 + 16 + 2;

/// Bytes that content of `size` takes when it is sealed in `layers`. Empty content is one chunk too.
#[must_use]
pub const fn sealed_size(size: u64, layers: u8) -> u64 {
    let chunks = chunks(size);
    size.saturating_add(chunks.saturating_mul(TAG as u64 * layers as u64))
}

/// Chunks of content of `size`; an empty one has one.
#[must_use]
pub const fn chunks(size: u64) -> u64 {
    let chunks = size.div_ceil(CHUNK_BYTES as u64);
    if chunks == 0 { 1 } else { chunks }
}

/// One layer: its key, and what its chunks are bound to.
struct Layer {
    key: LessSafeKey,
    bound: [u8; BOUND],
}

impl Layer {
    fn new(id: [u8; 16], layer: u8, layers: u8, key: &[u8]) -> Result<Self> {
        let refused = |_| Error::Library {
            attempt: "use the key of a content",
        };
        let mut bound = [0; BOUND];
        let parts = [FORMAT].into_iter().chain(id).chain([layer, layers]);
        for (place, byte) in bound.iter_mut().zip(parts) {
            *place = byte;
        }
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(refused)?),
            bound,
        })
    }
}

/// The nonce of a chunk: its place, and whether it is the last.
fn nonce(chunk: u32, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let parts = [0; 7]
        .into_iter()
        .chain(chunk.to_be_bytes())
        .chain([u8::from(last)]);
    for (place, byte) in bytes.iter_mut().zip(parts) {
        *place = byte;
    }
    Nonce::assume_unique_for_key(bytes)
}

/// Seals one content, piece by piece. It holds at most one chunk in clear.
pub struct ContentSealer {
    layers: Vec<Layer>,
    next: u32,
    size: u64,
    pending: Zeroizing<Vec<u8>>,
}

impl ContentSealer {
    /// Begins a content under fresh keys: one a layer, the innermost first. The keys are needed to open it and are kept nowhere else.
    ///
    /// # Errors
    /// [`Error::Randomness`], [`Error::Library`].
    pub fn new(id: [u8; 16], layers: u8) -> Result<(Self, Vec<Secret>)> {
        let count = layers.clamp(1, LAYERS_MAX);
        let (mut keys, mut sealing) = (Vec::new(), Vec::new());
        for layer in 0..count {
            let mut key = Zeroizing::new([0; KEY]);
            SystemRandomness.fill(key.as_mut())?;
            sealing.push(Layer::new(id, layer, count, key.as_ref())?);
            keys.push(Secret::copy_of(key.as_ref()));
        }
        let sealer = Self {
            layers: sealing,
            next: 0,
            size: 0,
            pending: Zeroizing::new(Vec::new()),
        };
        Ok((sealer, keys))
    }

    /// Makes room for the chunk that waits, which otherwise is made when one does.
    pub fn make_room(&mut self) {
        let room = CHUNK_BYTES.saturating_sub(self.pending.len());
        self.pending.reserve_exact(room);
    }

    /// Takes the next bytes and appends the chunks that they complete to `out`, sealed.
    ///
    /// # Errors
    /// [`Error::Library`], also for more than 2^32 chunks.
    pub fn write(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            // A full chunk waits until it is known not to be the last.
            if self.pending.len() == CHUNK_BYTES {
                let pending = std::mem::take(&mut *self.pending);
                let mut pending = Zeroizing::new(pending);
                self.seal(&pending, false, out)?;
                pending.clear();
                self.pending = pending;
            }
            if self.pending.is_empty()
                && let Some((chunk, rest)) = bytes
                    .split_at_checked(CHUNK_BYTES)
                    .filter(|(_, rest)| !rest.is_empty())
            {
                self.seal(chunk, false, out)?;
                bytes = rest;
                continue;
            }
            // Room for a whole chunk first: growing later would leave clear bytes in the freed block.
            let room = CHUNK_BYTES - self.pending.len();
            self.pending.reserve_exact(room);
            let room = room.min(bytes.len());
            let (taken, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.pending.extend_from_slice(taken);
            bytes = rest;
        }
        Ok(())
    }

    /// Appends the last chunk and tells the size of the content in clear.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<u64> {
        let pending = std::mem::take(&mut *self.pending);
        let pending = Zeroizing::new(pending);
        self.seal(&pending, true, out)?;
        Ok(self.size)
    }

    fn seal(&mut self, chunk: &[u8], last: bool, out: &mut Vec<u8>) -> Result<()> {
        let refused = Error::Library {
            attempt: "seal a content",
        };
        let (start, place) = (out.len(), self.next);
        // Grown at once, so that no clear bytes stay behind in a freed block.
        out.reserve(chunk.len() + TAG * self.layers.len());
        out.extend_from_slice(chunk);
        for layer in &self.layers {
            let Some(body) = out.get_mut(start..) else {
                return Err(refused);
            };
            let tag = layer
                .key
                .seal_in_place_separate_tag(nonce(place, last), Aad::from(&layer.bound), body);
            match tag {
                Ok(tag) => out.extend_from_slice(tag.as_ref()),
                Err(_) => {
                    out.truncate(start);
                    return Err(refused);
                }
            }
        }
        match place.checked_add(1) {
            Some(next) => self.next = next,
            None if last => {}
            None => return Err(refused),
        }
        Ok(())
    }
}

/// Opens chunks of one content, in any order.
pub struct ContentOpener {
    layers: Vec<Layer>,
    size: u64,
}

impl ContentOpener {
    /// For content of `size` bytes in clear that was sealed under `keys`, the innermost first.
    ///
    /// # Errors
    /// [`Error::Library`] for keys that cannot be any.
    pub fn new(id: [u8; 16], size: u64, keys: &[Secret]) -> Result<Self> {
        let count = u8::try_from(keys.len())
            .ok()
            .filter(|count| (1..=LAYERS_MAX).contains(count))
            .ok_or(Error::Library {
                attempt: "open a content without its keys",
            })?;
        let layers = keys
            .iter()
            .zip(0..)
            .map(|(key, layer)| Layer::new(id, layer, count, key.expose()));
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            size,
        })
    }

    /// Bytes of a full chunk as it is stored.
    #[must_use]
    pub fn sealed_chunk(&self) -> usize {
        CHUNK_BYTES + TAG * self.layers.len()
    }

    /// The place of a chunk in the stored bytes; `None` behind the last.
    #[must_use]
    pub fn place(&self, chunk: u64) -> Option<std::ops::Range<u64>> {
        let count = chunks(self.size);
        if chunk >= count {
            return None;
        }
        let begin = chunk.checked_mul(self.sealed_chunk() as u64)?;
        let end = begin.saturating_add(self.sealed_chunk() as u64);
        Some(begin..end.min(sealed_size(self.size, u8::try_from(self.layers.len()).ok()?)))
    }

    /// Opens a stored chunk where it is, and gives its bytes.
    ///
    /// # Errors
    /// [`Error::ContentAltered`] unless the bytes are exactly this chunk of this content.
    pub fn open<'a>(&self, chunk: u64, sealed: &'a mut [u8]) -> Result<&'a mut [u8]> {
        let altered = || Error::ContentAltered;
        let place = self.place(chunk).ok_or_else(altered)?;
        if place.end - place.start != sealed.len() as u64 {
            return Err(altered());
        }
        let last = chunk + 1 == chunks(self.size);
        let number = u32::try_from(chunk).map_err(|_| altered())?;
        let mut body = sealed;
        for layer in self.layers.iter().rev() {
            body = layer
                .key
                .open_in_place(nonce(number, last), Aad::from(&layer.bound), body)
                .map_err(|_| altered())?;
        }
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: [u8; 16] = [7; 16];

    fn sealed(text: &[u8], layers: u8, cut: usize) -> (Vec<u8>, Vec<Secret>) {
        let (mut sealer, keys) = ContentSealer::new(ID, layers).unwrap();
        let mut out = Vec::new();
        for piece in text.chunks(cut.max(1)) {
            sealer.write(piece, &mut out).unwrap();
        }
        assert_eq!(sealer.finish(&mut out).unwrap(), text.len() as u64);
        assert_eq!(out.len() as u64, sealed_size(text.len() as u64, layers));
        (out, keys)
    }

    /// All chunks, or the first failure.
    fn opened(id: [u8; 16], size: usize, keys: &[Secret], stored: &[u8]) -> Result<Vec<u8>> {
        let opener = ContentOpener::new(id, size as u64, keys)?;
        let (mut out, mut chunk) = (Vec::new(), 0);
        while let Some(place) = opener.place(chunk) {
            let place = usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap();
            let mut bytes = stored.get(place).ok_or(Error::ContentAltered)?.to_vec();
            out.extend_from_slice(opener.open(chunk, &mut bytes)?);
            chunk += 1;
        }
        Ok(out)
    }

    fn text(size: usize) -> Vec<u8> {
        (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
    }

    #[test]
    fn sizes_round_the_chunk_come_back_in_one_and_two_layers() {
        for size in [
            0,
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            2 * CHUNK_BYTES,
            3 * CHUNK_BYTES + 5,
        ] {
            for (layers, cut) in [(1, 1000), (2, usize::MAX), (1, CHUNK_BYTES), (2, CHUNK_BYTES + 1)] {
                let (stored, keys) = sealed(&text(size), layers, cut);
                assert_eq!(keys.len(), usize::from(layers));
                assert!(
                    opened(ID, size, &keys, &stored).unwrap() == text(size),
                    "{size} {layers} {cut}"
                );
            }
        }
    }

    #[test]
    fn truncation_at_a_chunk_and_extension_are_found_whatever_size_is_claimed() {
        let size = 3 * CHUNK_BYTES;
        let (stored, keys) = sealed(&text(size), 1, 4096);
        let whole = CHUNK_BYTES + TAG;
        for chunks in [1, 2] {
            let cut = stored.get(..chunks * whole).unwrap();
            assert!(opened(ID, chunks * CHUNK_BYTES, &keys, cut).is_err());
        }
        let mut longer = stored.clone();
        longer.extend_from_slice(stored.get(..whole).unwrap());
        assert!(opened(ID, 4 * CHUNK_BYTES, &keys, &longer).is_err());
        assert!(opened(ID, size, &keys, &stored).is_ok());
    }

    #[test]
    fn chunks_open_only_at_their_place_in_their_content() {
        let size = 2 * CHUNK_BYTES + 9;
        let (stored, keys) = sealed(&text(size), 1, 4096);
        let whole = CHUNK_BYTES + TAG;
        let mut swapped = stored.clone();
        let (first, rest) = swapped.split_at_mut(whole);
        first.swap_with_slice(rest.get_mut(..whole).unwrap());
        assert!(opened(ID, size, &keys, &swapped).is_err());
        assert!(opened([8; 16], size, &keys, &stored).is_err());
        let (_, others) = sealed(&text(size), 1, 4096);
        assert!(opened(ID, size, &others, &stored).is_err());
    }

    #[test]
    fn layers_are_not_exchangeable() {
        let (stored, keys) = sealed(&text(100), 2, 4096);
        let turned: Vec<Secret> = keys.iter().rev().cloned().collect();
        assert!(opened(ID, 100, &turned, &stored).is_err());
        // What is inside the outer layer is no content of one layer.
        let outer = ContentOpener::new(ID, 100, &keys).unwrap();
        let mut bytes = stored.clone();
        let layer = outer.layers.get(1).unwrap();
        let inner = layer
            .key
            .open_in_place(nonce(0, true), Aad::from(&layer.bound), &mut bytes)
            .unwrap();
        let first = keys.get(..1).unwrap();
        assert!(opened(ID, 100, first, inner).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_flipped_bit_anywhere_is_found(size in 0..200_000_usize, at in any::<prop::sample::Index>(), bit in 0..8_u8, layers in 1..=2_u8) {
            let (mut stored, keys) = sealed(&text(size), layers, 8192);
            let at = at.index(stored.len());
            stored[at] ^= 1 << bit;
            prop_assert!(opened(ID, size, &keys, &stored).is_err());
        }

        #[test]
        fn a_wrong_size_is_found(size in 0..200_000_usize, claimed in 0..200_000_usize) {
            let (stored, keys) = sealed(&text(size), 1, 8192);
            prop_assert_eq!(opened(ID, claimed, &keys, &stored).is_ok(), size == claimed);
        }

        #[test]
        fn a_range_needs_only_its_chunks(size in 1..200_000_usize, at in any::<prop::sample::Index>()) {
            let (stored, keys) = sealed(&text(size), 1, 8192);
            let at = at.index(size);
            let opener = ContentOpener::new(ID, size as u64, &keys).unwrap();
            let chunk = at / CHUNK_BYTES;
            let place = opener.place(chunk as u64).unwrap();
            let mut bytes = stored[usize::try_from(place.start).unwrap()..usize::try_from(place.end).unwrap()].to_vec();
            let open = opener.open(chunk as u64, &mut bytes).unwrap();
            prop_assert_eq!(open[at % CHUNK_BYTES], text(size)[at]);
        }

        #[test]
        fn arbitrary_bytes_never_open_nor_panic(stored in proptest::collection::vec(any::<u8>(), 0..200), size in any::<u64>(), chunk in any::<u64>()) {
            let keys = [Secret::new(vec![1; 32])];
            let opener = ContentOpener::new(ID, size, &keys).unwrap();
            let mut bytes = stored;
            prop_assert!(opener.open(chunk, &mut bytes).is_err());
            let _ = opener.place(chunk);
        }
    }
}
