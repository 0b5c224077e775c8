//! Reading and judging on all cores: one reader hands out pieces of the input, workers judge them and count, the counts are added up.
//!
//! Invariant: a worker holds one piece at a time and few wait, so memory does not grow with the input.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use pipeline::ledger::LedgerChain;
use pipeline::replay::{self, Kept};
use store::Store;

use super::change::Changes;
use super::cloudtrail::event;
use super::cloudtrail::split::Splitter;
use super::tally::Tally;
use super::verdict::Judge;
use super::{ledger, report};
use crate::arguments::Replay;
use crate::error::Error;
use crate::folder::Folder;

/// Bytes of one piece of work.
const PIECE_BYTES: usize = 256 * 1024;
/// Batches of the ledger read at once.
const BATCHES: usize = 64;

/// A piece of the input: events behind each other with their ends, or packed batches of the ledger. `from` is the place of its first.
struct Piece {
    from: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    ledger: bool,
}

/// What the progress bar shows.
#[derive(Default)]
struct Progress {
    calls: AtomicU64,
    bytes: AtomicU64,
    total: AtomicU64,
}

/// Runs the command: 0 if nothing changes, 1 if a verdict does.
pub(crate) fn run(options: &Replay) -> Result<(), Error> {
    let changes = Changes::of(options)?;
    let begun = Instant::now();
    let threads = options
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1)
        .clamp(1, 256);
    let store = options
        .inputs
        .iter()
        .find(|path| path.is_dir())
        .map(|path| open(path))
        .transpose()?;
    if store.is_some() && options.inputs.len() > 1 {
        return Err(Error::Usage("a data folder is replayed alone".to_owned()));
    }
    let progress = Progress::default();
    let tally = std::thread::scope(|scope| {
        let (send, receive) = sync_channel::<Piece>(threads * 2);
        let receive = Arc::new(Mutex::new(receive));
        let shown = std::io::stderr().is_terminal() && !options.json;
        let (ended, end) = sync_channel::<()>(1);
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let receive = Arc::clone(&receive);
                let (changes, progress, store) = (&changes, &progress, store.as_ref());
                scope.spawn(move || work(&receive, changes, store, progress))
            })
            .collect();
        // The reader gives up once no worker listens any more.
        drop(receive);
        let watched = &progress;
        let bar = shown.then(|| scope.spawn(move || show(watched, &end)));
        let read = match &store {
            Some(store) => feed_ledger(store, &send),
            None => feed_files(&options.inputs, &send, &progress),
        };
        drop(send);
        let mut tally = Tally::default();
        let mut failed = None;
        for worker in workers {
            match worker.join() {
                Ok(Ok(counted)) => tally.merge(counted),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some(Error::Pipeline("a worker stopped".to_owned())),
            }
        }
        drop(ended);
        if let Some(bar) = bar {
            let _ = bar.join();
        }
        match failed {
            Some(error) => Err(error),
            None => read.map(|()| tally),
        }
    })?;
    report::print(&tally, begun.elapsed().as_secs_f64(), options.json)?;
    if tally.changed() > 0 {
        return Err(Error::Unhealthy(format!(
            "{} calls change their verdict",
            tally.changed()
        )));
    }
    Ok(())
}

/// Opens a data folder whose server is stopped. None of its rows are written.
fn open(path: &Path) -> Result<Store, Error> {
    if !Folder::at(path).store_file().exists() {
        return Err(Error::Usage(format!("{} is no data folder", path.display())));
    }
    Store::open_unconverted(path, Box::new(LedgerChain::default())).map_err(|source| Error::Store {
        path: path.to_owned(),
        source,
    })
}

fn work(
    receive: &Mutex<Receiver<Piece>>,
    changes: &Changes,
    store: Option<&Store>,
    progress: &Progress,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    let mut judge = Judge::new(changes);
    let mut kept = store
        .map(Kept::of)
        .transpose()
        .map_err(|fault| Error::fault(&fault))?;
    loop {
        let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(piece) = next else { return Ok(tally) };
        let before = tally.calls;
        let mut start = 0;
        for (place, end) in (piece.from..).zip(&piece.ends) {
            let bytes = piece.bytes.get(start..*end).unwrap_or_default();
            start = *end;
            match &mut kept {
                Some(kept) if piece.ledger => {
                    of_ledger(bytes, kept, changes, &mut tally, place)
                        .map_err(|fault| Error::fault(&fault))?;
                }
                _ => of_event(bytes, &mut judge, &mut tally, place),
            }
        }
        progress.calls.fetch_add(tally.calls - before, Ordering::Relaxed);
    }
}

fn of_event(bytes: &[u8], judge: &mut Judge<'_>, tally: &mut Tally, place: u64) {
    let bytes = bytes.trim_ascii();
    if bytes.is_empty() {
        return;
    }
    let read = event::read(bytes);
    let wrapper = read.as_ref().is_ok_and(|event| event.records.is_some());
    if wrapper || bytes.first() == Some(&b'[') {
        // A line that is a whole log file, or a list of events.
        let mut splitter = Splitter::default();
        let split = splitter.feed(bytes, |one| of_event(one, judge, tally, place));
        if split.is_err() {
            tally.unreadable += 1;
        }
        return;
    }
    match read {
        Ok(event) if event.event_name.is_empty() => tally.unreadable += 1,
        Ok(event) => tally.add(judge.judge(&event), &event.id, place),
        Err(_) => tally.unreadable += 1,
    }
}

fn of_ledger(
    bytes: &[u8],
    kept: &mut Kept,
    changes: &Changes,
    tally: &mut Tally,
    place: u64,
) -> pipeline::Result<()> {
    for record in replay::records(bytes)? {
        match ledger::judge(&record, kept, changes)? {
            Some(judged) => tally.add(judged, &record.event, place),
            None => {
                *tally
                    .not_judged
                    .entry("no decision was made".to_owned())
                    .or_default() += 1
            }
        }
    }
    Ok(())
}

fn feed_ledger(store: &Store, send: &SyncSender<Piece>) -> Result<(), Error> {
    let failed = |fault: wire::Fault| Error::fault(&fault);
    let mut place = 0;
    for stream in replay::streams(store).map_err(failed)? {
        let mut from = 0;
        while let Some((batches, next)) = replay::batches(store, &stream, from, BATCHES).map_err(failed)? {
            from = next;
            let mut piece = Piece {
                from: place,
                bytes: Vec::new(),
                ends: Vec::new(),
                ledger: true,
            };
            for batch in batches {
                piece.bytes.extend_from_slice(&batch);
                piece.ends.push(piece.bytes.len());
                place += 1;
            }
            if send.send(piece).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Counts what is read of a file, compressed or not.
struct Counted<'a>(File, &'a Progress);

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn feed_files(inputs: &[PathBuf], send: &SyncSender<Piece>, progress: &Progress) -> Result<(), Error> {
    let mut place = 0;
    let mut opened = Vec::new();
    for path in inputs {
        let failed = |source| Error::File {
            doing: "read",
            path: path.clone(),
            source,
        };
        let length = std::fs::metadata(path).map_err(failed)?.len();
        progress.total.fetch_add(length, Ordering::Relaxed);
        opened.push(path);
    }
    for path in opened {
        let failed = |source| Error::File {
            doing: "read",
            path: path.clone(),
            source,
        };
        let file = Counted(File::open(path).map_err(failed)?, progress);
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let bare = name.strip_suffix(".gz").unwrap_or(&name);
        let lines = bare.ends_with(".jsonl") || bare.ends_with(".ndjson");
        let reader: Box<dyn Read + '_> = if name.ends_with(".gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let reader = BufReader::with_capacity(PIECE_BYTES, reader);
        if lines {
            feed_lines(reader, send, &mut place).map_err(failed)?;
        } else {
            feed_stream(reader, send, &mut place, path)?;
        }
    }
    Ok(())
}

/// Lines are found without looking into them.
fn feed_lines(mut reader: impl BufRead, send: &SyncSender<Piece>, place: &mut u64) -> std::io::Result<()> {
    loop {
        let mut piece = Piece {
            from: *place,
            bytes: Vec::with_capacity(PIECE_BYTES + PIECE_BYTES / 4),
            ends: Vec::new(),
            ledger: false,
        };
        while piece.bytes.len() < PIECE_BYTES {
            if reader.read_until(b'\n', &mut piece.bytes)? == 0 {
                break;
            }
            piece.ends.push(piece.bytes.len());
            *place += 1;
        }
        if piece.ends.is_empty() || send.send(piece).is_err() {
            return Ok(());
        }
    }
}

fn feed_stream(
    mut reader: impl BufRead,
    send: &SyncSender<Piece>,
    place: &mut u64,
    path: &Path,
) -> Result<(), Error> {
    let failed = |source| Error::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let malformed = |error: super::cloudtrail::split::Malformed| Error::Content {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut splitter = Splitter::default();
    loop {
        let bytes = reader.fill_buf().map_err(failed)?;
        if bytes.is_empty() {
            return splitter.finish().map_err(malformed);
        }
        let length = bytes.len();
        let mut piece = Piece {
            from: *place,
            bytes: Vec::with_capacity(length),
            ends: Vec::new(),
            ledger: false,
        };
        let fed = splitter.feed(bytes, |event| {
            piece.bytes.extend_from_slice(event);
            piece.ends.push(piece.bytes.len());
        });
        fed.map_err(malformed)?;
        reader.consume(length);
        *place += piece.ends.len() as u64;
        if !piece.ends.is_empty() && send.send(piece).is_err() {
            return Ok(());
        }
    }
}

/// The progress bar, on a terminal.
fn show(progress: &Progress, end: &Receiver<()>) {
    const WIDTH: u64 = 30;
    let begun = Instant::now();
    let mut error = std::io::stderr();
    while end.recv_timeout(Duration::from_millis(200)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
        let calls = progress.calls.load(Ordering::Relaxed);
        let milliseconds = u64::try_from(begun.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let total = progress.total.load(Ordering::Relaxed);
        let filled = progress.bytes.load(Ordering::Relaxed) * WIDTH / total.max(1);
        let bar: String = (0..WIDTH)
            .map(|place| {
                if total == 0 {
                    '·'
                } else if place < filled {
                    '█'
                } else {
                    '░'
                }
            })
            .collect();
        let rate = calls.saturating_mul(1000) / milliseconds;
        let _ = write!(error, "\r{bar} {calls} calls, {rate} a second ");
        let _ = error.flush();
    }
    let _ = write!(error, "\r\x1b[K");
}
