//! The disk engine: SQLite as an ordered store. WAL with `synchronous=FULL`, one writer, readers on snapshots from
//! a small pool. One process holds a folder at a time.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::checked::{self, FORMAT, UNCHECKED, Writer};
use crate::engine::META;
use crate::{Batch, Direction, Engine, Error, Result, Row, Snapshot, Version};

/// The name of the store's file in the data folder.
pub const FILE: &str = "store.db";
const LOCK: &str = "store.lock";
/// "RWRK", in the file's header.
const APPLICATION: i64 = 0x5257_524b;
/// Read connections that are kept open while nobody reads.
const IDLE_MAX: usize = 4;
/// The row that is rewritten to overwrite whatever a failed commit left in the log.
const EPOCH: [u8; 3] = [0, 0, 1];

/// Rows in a SQLite file.
pub(crate) struct Disk {
    /// `None` after a failed commit, until [`Engine::recover`] opened a new one.
    writer: Mutex<Option<Connection>>,
    pool: Arc<Pool>,
    /// Held as long as the engine lives.
    _lock: File,
}

struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

/// Names the file when SQLite finds it damaged, and the operation otherwise.
fn failed<'a>(path: &'a Path, what: &'static str) -> impl FnOnce(rusqlite::Error) -> Error + 'a {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt {
            path: path.to_owned(),
            detail: error.to_string(),
        },
        _ => Error::engine(what, error),
    }
}

fn connect(path: &Path, cache_kib: i64) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On systems whose plain flush does not reach the platter; without effect elsewhere.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn connect_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, 4096)?;
    let _: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    // A log that grew under a long reader shrinks again.
    let _: i64 =
        connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |row| row.get(0))?;
    Ok(connection)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// The format of the file, `None` if it is new and empty; refuses files of other programs and of newer formats.
fn format_of(connection: &Connection, path: &Path) -> Result<Option<i64>> {
    let failed = |error| failed(path, "read the store's header")(error);
    let application = pragma(connection, "application_id").map_err(failed)?;
    let format = pragma(connection, "user_version").map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    match (application, format) {
        (0, 0) if tables == 0 => Ok(None),
        (APPLICATION, UNCHECKED..=FORMAT) => Ok(Some(format)),
        (APPLICATION, found) if found > FORMAT => Err(Error::NewerFormat {
            path: path.to_owned(),
            found,
            known: FORMAT,
        }),
        (APPLICATION, found) => Err(Error::Corrupt {
            path: path.to_owned(),
            detail: format!("format {found} was never written"),
        }),
        (found, _) => Err(Error::Foreign {
            path: path.to_owned(),
            detail: format!("its application id is {found:#x}"),
        }),
    }
}

/// Makes the tables and the header, all or nothing.
fn initialise(connection: &mut Connection, version: Version) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    checked::create(&transaction)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Writer::prepare(&transaction)?.write(&META, &version.to_be_bytes())?;
    transaction.commit()
}

/// Brings a file of an older format to this one, all or nothing. Once, it reads and writes the whole ledger, and the log of it
/// takes as much room as the ledger.
fn convert(connection: &mut Connection, format: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    checked::convert(&transaction, format)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// The number in one of the store's own rows.
fn read_number(connection: &Connection, key: &[u8], path: &Path) -> Result<Option<u64>> {
    let found = checked::find(connection, key).map_err(failed(path, "read the store's version"))?;
    let Some(found) = found else { return Ok(None) };
    let (_, value) = found.checked(path)?;
    let value = value.try_into().map_err(|_| Error::Corrupt {
        path: path.to_owned(),
        detail: "its version is not a number".to_owned(),
    })?;
    Ok(Some(u64::from_be_bytes(value)))
}

fn read_version(connection: &Connection, path: &Path) -> Result<Version> {
    read_number(connection, &META, path)?.ok_or_else(|| Error::Corrupt {
        path: path.to_owned(),
        detail: "its version is missing".to_owned(),
    })
}

fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

fn sync_folder(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| Error::io("flush the folder", dir, error))
}

impl Disk {
    /// Opens the file of a folder. One of an older format is brought to this one, or refused if it is not to be `converted`.
    pub(crate) fn open(dir: &Path, converted: bool) -> Result<Disk> {
        fs::create_dir_all(dir).map_err(|error| Error::io("create the folder", dir, error))?;
        let lock_path = dir.join(LOCK);
        let lock = create_private(&lock_path).map_err(|error| Error::io("open", &lock_path, error))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => Error::Locked { dir: dir.to_owned() },
            fs::TryLockError::Error(error) => Error::io("lock", &lock_path, error),
        })?;
        let path = dir.join(FILE);
        if !path.exists() {
            // Only the owner may read it, and its log inherits that.
            create_private(&path).map_err(|error| Error::io("create", &path, error))?;
            sync_folder(dir)?;
        }
        let mut writer = connect_writer(&path).map_err(failed(&path, "open the store"))?;
        match format_of(&writer, &path)? {
            None => initialise(&mut writer, 0).map_err(failed(&path, "create the store"))?,
            Some(FORMAT) => {}
            Some(found) if !converted => {
                return Err(Error::OlderFormat {
                    path,
                    found,
                    known: FORMAT,
                });
            }
            Some(format) => convert(&mut writer, format).map_err(failed(&path, "convert the store"))?,
        }
        read_version(&writer, &path)?;
        let pool = Arc::new(Pool {
            path,
            idle: Mutex::default(),
        });
        Ok(Disk {
            writer: Mutex::new(Some(writer)),
            pool,
            _lock: lock,
        })
    }
}

fn apply(connection: &mut Connection, batch: &Batch) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        if batch.wipe {
            checked::wipe(&transaction)?;
        }
        let mut writer = Writer::prepare(&transaction)?;
        for (key, value) in &batch.writes {
            match value {
                Some(value) => writer.write(key, value)?,
                None => writer.delete(key)?,
            }
        }
        writer.write(&META, &batch.version.to_be_bytes())?;
    }
    transaction.commit()
}

impl Engine for Disk {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>> {
        let path = &self.pool.path;
        let pooled = self.pool.idle.lock().pop();
        let open = || {
            let connection = match pooled {
                Some(connection) => connection,
                None => {
                    let connection = connect(path, 1024)?;
                    connection.pragma_update(None, "query_only", true)?;
                    connection
                }
            };
            connection.prepare_cached("BEGIN")?.execute([])?;
            Ok(connection)
        };
        let connection = open().map_err(failed(path, "begin a read"))?;
        // The first read fixes what this connection sees.
        let version = read_version(&connection, path)?;
        Ok(Box::new(View {
            connection: Some(connection),
            pool: Arc::clone(&self.pool),
            version,
        }))
    }

    fn commit(&self, batch: &Batch) -> Result<()> {
        let mut writer = self.writer.lock();
        let Some(connection) = writer.as_mut() else {
            return Err(Error::Poisoned);
        };
        let applied = apply(connection, batch);
        if applied.is_err() {
            *writer = None;
        }
        applied.map_err(failed(&self.pool.path, "commit"))
    }

    /// A commit whose flush failed may have left complete frames in the log, which a restart would replay. A durable write by
    /// a new connection goes over them at the same place, and the chained checksums void what is left behind it.
    fn recover(&self) -> Result<Version> {
        let mut writer = self.writer.lock();
        *writer = None;
        let path = &self.pool.path;
        let failed = |error| failed(path, "recover after a failed commit")(error);
        let mut connection = connect_writer(path).map_err(failed)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let version = read_version(&transaction, path)?;
        let epoch = read_number(&transaction, &EPOCH, path)?.unwrap_or(0);
        Writer::prepare(&transaction)
            .and_then(|mut writer| writer.write(&EPOCH, &epoch.wrapping_add(1).to_be_bytes()))
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        *writer = Some(connection);
        Ok(version)
    }

    fn save(&self, path: &Path) -> Result<()> {
        publish(path, |partial| {
            let connection =
                connect(&self.pool.path, 1024).map_err(failed(&self.pool.path, "open the store"))?;
            let name = partial.to_string_lossy();
            connection
                .execute("VACUUM INTO ?1", [&*name])
                .map_err(failed(&self.pool.path, "copy the store"))?;
            Ok(())
        })
    }

    fn check(&self) -> Result<()> {
        let connection = connect(&self.pool.path, 1024).map_err(failed(&self.pool.path, "open the store"))?;
        inspect(&connection, &self.pool.path)?;
        checked::inspect(&connection, &self.pool.path, |error| {
            failed(&self.pool.path, "check the store")(error)
        })
    }
}

fn inspect(connection: &Connection, path: &Path) -> Result<()> {
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(failed(path, "check the store"))?;
    if found != "ok" {
        return Err(Error::Corrupt {
            path: path.to_owned(),
            detail: found,
        });
    }
    Ok(())
}

/// Writes a file under a passing name and gives it its own name when it is complete and durable.
fn publish(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = PathBuf::from(name);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::io("remove", &partial, error));
        }
        _ => {}
    }
    // Made here, so that only the owner may read it.
    create_private(&partial).map_err(|error| Error::io("create", &partial, error))?;
    write(&partial)?;
    File::open(&partial)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| Error::io("write", path, error))?;
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    sync_folder(dir)
}

/// Writes `rows` to a file in the disk engine's format.
pub(crate) fn export(path: &Path, version: Version, rows: Vec<Row>) -> Result<()> {
    publish(path, |partial| {
        let fill = || {
            let mut connection = connect(partial, 4096)?;
            initialise(&mut connection, version)?;
            let writes = rows
                .into_iter()
                .map(|(key, value)| (Arc::from(key), Some(value)))
                .collect();
            apply(
                &mut connection,
                &Batch {
                    version,
                    wipe: false,
                    writes,
                },
            )
        };
        fill().map_err(failed(partial, "write the snapshot"))
    })
}

/// Reads a file that [`Engine::save`] wrote, after checking it from end to end.
pub(crate) fn import(path: &Path) -> Result<Vec<Row>> {
    if !path.exists() {
        return Err(Error::io("read", path, std::io::Error::from(ErrorKind::NotFound)));
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(failed(path, "open the snapshot"))?;
    let Some(format) = format_of(&connection, path)? else {
        return Err(Error::Foreign {
            path: path.to_owned(),
            detail: "it is empty".to_owned(),
        });
    };
    inspect(&connection, path)?;
    checked::all(&connection, format, path, |error| {
        failed(path, "read the snapshot")(error)
    })
}

struct View {
    connection: Option<Connection>,
    pool: Arc<Pool>,
    version: Version,
}

impl View {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = self.connection.as_ref().ok_or(Error::Closed)?;
        read(connection).map_err(failed(&self.pool.path, "read the store"))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let ended = connection
            .prepare_cached("COMMIT")
            .and_then(|mut statement| statement.execute([]))
            .is_ok();
        let mut idle = self.pool.idle.lock();
        if ended && idle.len() < IDLE_MAX {
            idle.push(connection);
        }
    }
}

impl Snapshot for View {
    fn version(&self) -> Version {
        self.version
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.read(|connection| checked::find(connection, key))?;
        let row = found.map(|found| found.checked(&self.pool.path)).transpose()?;
        Ok(row.map(|(_, value)| value))
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, limit: usize) -> Result<Vec<Row>> {
        let found = self.read(|connection| checked::range(connection, (from, to), direction, limit))?;
        found
            .into_iter()
            .map(|found| found.checked(&self.pool.path))
            .collect()
    }
}
