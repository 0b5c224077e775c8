//! Receives a request's body whole: bounded in bytes and time, and without a copy when it comes in one piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::limits::Limits;

/// A body grows from this many bytes at the most, whatever length the client claims: what is claimed is not yet sent.
const FIRST_ROOM_MAX: usize = 256 << 10;

/// Why a body is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortfall {
    /// More than the limit. The bytes were read and dropped as far as the limits allow.
    TooLarge,
    /// Not within the time that its size allows.
    TooSlow,
    /// All bodies together would take more memory than they may.
    NoRoom,
    /// The client broke off, or its framing is wrong.
    Broken,
}

/// Whose memory it is: each kind has its own bound, of which the later ones are part of the earlier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// Of connections on which somebody proved who they are: all of it.
    Proven,
    /// Of requests that show a signature, which is not verified yet.
    Claimed,
    /// Of requests without one.
    Unsigned,
}

/// The memory that all bodies share, in bytes.
pub(crate) struct Room {
    /// By tier: what is taken by it and those that follow, and how much that may be.
    bounds: [(AtomicUsize, usize); 3],
}

/// A part of the [`Room`], given back when dropped.
pub(crate) struct Share<'a> {
    room: &'a Room,
    tier: Tier,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(limits: &Limits) -> Self {
        let maxima = [
            limits.bodies_bytes_max,
            limits.unproven_bytes_max,
            limits.unsigned_bytes_max,
        ];
        Self {
            bounds: maxima.map(|max| (AtomicUsize::new(0), max)),
        }
    }

    pub(crate) fn share(&self, tier: Tier) -> Share<'_> {
        Share {
            room: self,
            tier,
            bytes: 0,
        }
    }

    fn of(&self, tier: Tier) -> impl Iterator<Item = &(AtomicUsize, usize)> {
        self.bounds.iter().take(tier as usize + 1)
    }

    /// Takes bytes; `false` if that is more than there are. They are to be given back in either case.
    fn take(&self, bytes: usize, tier: Tier) -> bool {
        let mut fits = true;
        for (taken, max) in self.of(tier) {
            fits &= taken.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= *max;
        }
        fits
    }

    fn give_back(&self, bytes: usize, tier: Tier) {
        for (taken, _) in self.of(tier) {
            taken.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

/// A part of the [`Room`] that an answer holds as long as it is on its way.
pub(crate) struct Place {
    room: Arc<Room>,
    tier: Tier,
    bytes: usize,
}

impl Place {
    /// Takes it, if there is room.
    pub(crate) fn take(room: &Arc<Room>, bytes: usize, tier: Tier) -> Option<Self> {
        let fits = room.take(bytes, tier);
        let place = Self {
            room: Arc::clone(room),
            tier,
            bytes,
        };
        fits.then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.give_back(self.bytes, self.tier);
    }
}

impl Share<'_> {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Shortfall> {
        self.bytes += bytes;
        if self.room.take(bytes, self.tier) {
            Ok(())
        } else {
            Err(Shortfall::NoRoom)
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.give_back(self.bytes, self.tier);
        }
    }
}

/// Receives `body` whole. With `awaits_continue` the client holds its bytes back until it is told to send them, so an
/// oversized body is refused without asking for it.
pub(crate) async fn receive<B>(
    mut body: B,
    limits: &Limits,
    share: &mut Share<'_>,
    awaits_continue: bool,
) -> Result<Bytes, Shortfall>
where
    B: Body<Data = Bytes> + Unpin,
{
    let begun = Instant::now();
    let claimed = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if claimed > limits.body_bytes_max {
        if !awaits_continue {
            discard(&mut body, limits, begun, 0).await;
        }
        return Err(Shortfall::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    let mut received = 0_usize;
    while let Some(piece) = next(&mut body, limits, begun, received).await? {
        received = received.saturating_add(piece.len());
        if received > limits.body_bytes_max {
            drop((first, rest));
            discard(&mut body, limits, begun, received).await;
            return Err(Shortfall::TooLarge);
        }
        share.grow(piece.len())?;
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&piece),
            None if first.is_empty() => first = piece,
            None => {
                let room = claimed.max(received).min(FIRST_ROOM_MAX.max(received));
                let mut joined = BytesMut::with_capacity(room);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&piece);
                first = Bytes::new();
                rest = Some(joined);
            }
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// The next piece of data; `None` at the end. Trailers are not passed on: AWS's checksums travel inside the body.
async fn next<B>(
    body: &mut B,
    limits: &Limits,
    begun: Instant,
    received: usize,
) -> Result<Option<Bytes>, Shortfall>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        match timeout_at(begun + limits.body_due(received), body.frame()).await {
            Err(_elapsed) => return Err(Shortfall::TooSlow),
            Ok(None) => return Ok(None),
            Ok(Some(Err(_broken))) => return Err(Shortfall::Broken),
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads and drops what a well-meaning client still sends, within bounds; `false` if that was not all.
pub(crate) async fn discard<B>(body: &mut B, limits: &Limits, begun: Instant, mut received: usize) -> bool
where
    B: Body<Data = Bytes> + Unpin,
{
    while received <= limits.discard_bytes_max {
        match next(body, limits, begun, received).await {
            Ok(Some(piece)) => received = received.saturating_add(piece.len()),
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    /// A body of given pieces, of which it does not tell the length.
    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn pieces(parts: &[&'static str]) -> Pieces {
        Pieces(
            parts
                .iter()
                .map(|part| Bytes::from_static(part.as_bytes()))
                .collect(),
        )
    }

    /// A room of so many bytes.
    fn of(bytes: usize) -> Room {
        Room::new(&Limits {
            bodies_bytes_max: bytes,
            ..Limits::default()
        })
    }

    fn limits(body_bytes_max: usize) -> Limits {
        Limits {
            body_bytes_max,
            ..Limits::default()
        }
    }

    #[tokio::test]
    async fn one_piece_is_passed_on_without_a_copy() {
        let sent = Bytes::from(b"payload".to_vec());
        let room = of(100);
        let got = receive(
            Pieces([sent.clone()].into()),
            &limits(7),
            &mut room.share(Tier::Proven),
            false,
        )
        .await
        .unwrap();
        assert_eq!(got.as_ptr(), sent.as_ptr());
    }

    #[tokio::test]
    async fn many_pieces_are_joined_in_order() {
        let room = of(100);
        let got = receive(
            pieces(&["a", "bc", "", "def"]),
            &limits(6),
            &mut room.share(Tier::Proven),
            false,
        )
        .await
        .unwrap();
        assert_eq!(got, "abcdef");
    }

    #[tokio::test]
    async fn one_byte_too_many_is_too_large() {
        let room = of(100);
        let got = receive(
            pieces(&["abc", "defg"]),
            &limits(6),
            &mut room.share(Tier::Proven),
            false,
        )
        .await;
        assert_eq!(got, Err(Shortfall::TooLarge));
    }

    #[test]
    fn answers_on_their_way_share_the_room_too() {
        let room = Arc::new(of(5));
        let held = Place::take(&room, 3, Tier::Proven).unwrap();
        assert!(Place::take(&room, 3, Tier::Proven).is_none());
        drop(held);
        assert!(Place::take(&room, 3, Tier::Proven).is_some());
    }

    /// S20.5: what strangers take leaves room for callers who sign, and what these claim leaves some for those who proved it.
    #[test]
    fn who_is_known_better_has_more_of_the_room() {
        let room = Arc::new(Room::new(&Limits {
            bodies_bytes_max: 10,
            unproven_bytes_max: 7,
            unsigned_bytes_max: 4,
            ..Limits::default()
        }));
        let held = Place::take(&room, 4, Tier::Unsigned).unwrap();
        assert!(room.share(Tier::Unsigned).grow(1).is_err());
        assert!(room.share(Tier::Claimed).grow(4).is_err());
        assert!(room.share(Tier::Claimed).grow(3).is_ok());
        assert!(room.share(Tier::Proven).grow(6).is_ok());
        assert!(room.share(Tier::Proven).grow(7).is_err());
        drop(held);
        assert!(room.share(Tier::Unsigned).grow(4).is_ok());
    }

    #[tokio::test]
    async fn bodies_share_their_room_and_give_it_back() {
        let room = of(5);
        let mut held = room.share(Tier::Proven);
        receive(pieces(&["abc"]), &limits(6), &mut held, false)
            .await
            .unwrap();
        let refused = receive(pieces(&["def"]), &limits(6), &mut room.share(Tier::Proven), false).await;
        assert_eq!(refused, Err(Shortfall::NoRoom));
        drop(held);
        receive(pieces(&["def"]), &limits(6), &mut room.share(Tier::Proven), false)
            .await
            .unwrap();
    }
}
