//! CloudTrail's files: any bytes, in any pieces, are events or are refused; the same events whatever the pieces.
#![no_main]

#[path = "../../src/command/replay/cloudtrail/mod.rs"]
#[expect(dead_code, reason = "the command uses more of it")]
mod cloudtrail;

use cloudtrail::split::{Malformed, Splitter};
use cloudtrail::{action, event};

fn events(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut splitter = Splitter::default();
    let mut events = Vec::new();
    for piece in bytes.chunks(piece) {
        splitter.feed(piece, |event| events.push(event.to_vec()))?;
    }
    splitter.finish().map(|()| events)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = events(bytes, usize::MAX);
    assert_eq!(whole, events(bytes, 3), "pieces do not matter");
    for found in whole.unwrap_or_default() {
        assert_eq!(found.first(), Some(&b'{'), "an event is an object");
        if let Ok(read) = event::read(&found) {
            let _ = action::action(&read.event_source, &read.event_name);
        }
    }
    let _ = event::read(bytes);
});
