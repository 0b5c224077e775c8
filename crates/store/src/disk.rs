//! The disk engine: SQLite as an ordered store of one table. WAL with `synchronous=FULL`, one writer, readers on snapshots from
//! a small pool. One process holds a folder at a time.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::engine::{META, STREAMS};
use crate::{Batch, Direction, Engine, Error, Result, Row, Snapshot, Version};

/// The name of the store's file in the data folder.
pub const FILE: &str = "store.db";
const LOCK: &str = "store.lock";
/// "RWRK", in the file's header.
const APPLICATION: i64 = 0x5257_524b;
/// The layout of rows that this program writes. Older ones would be converted, newer ones are refused.
const FORMAT: i64 = 1;
/// Read connections that are kept open while nobody reads.
const IDLE_MAX: usize = 4;
/// The row that is rewritten to overwrite whatever a failed commit left in the log.
const EPOCH: [u8; 3] = [0, 0, 1];

const UPSERT: &str =
    "INSERT INTO rows (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

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

/// Whether the file is new and empty; refuses files of other programs and of newer formats.
fn is_new(connection: &Connection, path: &Path) -> Result<bool> {
    let failed = |error| failed(path, "read the store's header")(error);
    let application = pragma(connection, "application_id").map_err(failed)?;
    let format = pragma(connection, "user_version").map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    match (application, format) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION, FORMAT) => Ok(false),
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

/// Makes the table and the header, all or nothing.
fn initialise(connection: &mut Connection, version: Version) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        [],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.execute(UPSERT, params![META.as_slice(), version.to_be_bytes().as_slice()])?;
    transaction.commit()
}

fn read_version(connection: &Connection) -> rusqlite::Result<Version> {
    let value: [u8; 8] = connection
        .prepare_cached("SELECT value FROM rows WHERE key = ?1")?
        .query_row([META.as_slice()], |row| row.get(0))?;
    Ok(Version::from_be_bytes(value))
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
    pub(crate) fn open(dir: &Path) -> Result<Disk> {
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
        if is_new(&writer, &path)? {
            initialise(&mut writer, 0).map_err(failed(&path, "create the store"))?;
        }
        read_version(&writer).map_err(failed(&path, "read the store's version"))?;
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
            transaction.execute("DELETE FROM rows WHERE key >= ?1", [STREAMS.as_slice()])?;
        }
        let mut upsert = transaction.prepare_cached(UPSERT)?;
        let mut delete = transaction.prepare_cached("DELETE FROM rows WHERE key = ?1")?;
        for (key, value) in &batch.writes {
            match value {
                Some(value) => upsert.execute(params![&**key, value.as_slice()])?,
                None => delete.execute([&**key])?,
            };
        }
        upsert.execute(params![META.as_slice(), batch.version.to_be_bytes().as_slice()])?;
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
            // The first read fixes what this connection sees.
            let version = read_version(&connection)?;
            Ok((connection, version))
        };
        let (connection, version) = open().map_err(failed(path, "begin a read"))?;
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
        let renew = || {
            let mut connection = connect_writer(&self.pool.path)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let version = read_version(&transaction)?;
            transaction.execute(
                "INSERT INTO rows (key, value) VALUES (?1, randomblob(8)) ON CONFLICT (key) DO UPDATE SET value = randomblob(8)",
                [EPOCH.as_slice()],
            )?;
            transaction.commit()?;
            Ok((connection, version))
        };
        let (connection, version) =
            renew().map_err(failed(&self.pool.path, "recover after a failed commit"))?;
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
        inspect(&connection, &self.pool.path)
    }
}

fn inspect(connection: &Connection, path: &Path) -> Result<()> {
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(failed(path, "check the store"))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(Error::Corrupt {
            path: path.to_owned(),
            detail: found,
        })
    }
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
    if is_new(&connection, path)? {
        return Err(Error::Foreign {
            path: path.to_owned(),
            detail: "it is empty".to_owned(),
        });
    }
    inspect(&connection, path)?;
    let read = || {
        let mut statement = connection.prepare("SELECT key, value FROM rows WHERE key >= ?1")?;
        let rows = statement.query_map([STREAMS.as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<rusqlite::Result<Vec<Row>>>()
    };
    read().map_err(failed(path, "read the snapshot"))
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
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT value FROM rows WHERE key = ?1")?;
            statement.query_row([key], |row| row.get(0)).optional()
        })
    }

    fn range(&self, from: &[u8], to: &[u8], direction: Direction, limit: usize) -> Result<Vec<Row>> {
        let query = match direction {
            Direction::Forward => {
                "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
            }
            Direction::Reverse => {
                "SELECT key, value FROM rows WHERE key >= ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3"
            }
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(query)?;
            let rows = statement.query_map(params![from, to, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }
}
