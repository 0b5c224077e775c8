//! Starting and stopping: the folder, the seal, the store, the pipeline, the listener, in this order, and back.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crypto::certificate::Authority;
use crypto::{KeyFile, Opener, Seal, SealHeader, Secret, SystemRandomness};
use identity::iam::directory::IdentityDirectory;
use pipeline::ledger::LedgerChain;
use pipeline::{Clock, Gateway, Rates};
use planes::{Https, Listener, ListenerConfig, TlsMaterial};
use store::Store;

use crate::arguments::Serve;
use crate::control::{self, Control, Posture};
use crate::error::Error;
use crate::folder::{self, Folder, RootCredentials};
use crate::front::Front;
use crate::{account, contents, functions, instances, memory, seed, services};

const DEFAULT_DATA: &str = "ringwork-data";
const DEFAULT_LISTEN: &str = "127.0.0.1:4566";

/// Runs the server until it is asked to stop.
pub(crate) async fn run(options: Serve) -> Result<(), Error> {
    let memory_locked = memory::shield()?;
    let mut settings = Settings::of(options)?;
    let (store, seal, seal_words) = open(&settings)?;
    bound_cache(&store, settings.cache);
    settings.account = account::of(&store, settings.folder.path(), settings.asked_account.as_deref())?;
    let sandboxes = functions::open(&settings.folder, settings.unconfined_functions)?;
    let runner = Arc::clone(&sandboxes) as Arc<dyn pipeline::functions::Functions>;
    let machines = instances::open(&settings.folder)?;
    let gateway = gateway(store, seal, &settings).with_functions(runner);
    let gateway =
        Arc::new(gateway.with_instances(Arc::clone(&machines) as Arc<dyn pipeline::instances::Instances>));
    let moved = control::restore(&gateway)
        .map_err(|fault| Error::first_look(settings.folder.store_file(), &fault))?;
    if moved && !settings.clock_control {
        let message = "this folder's clock is not the wall's; start with --clock-control to go on with it";
        return Err(Error::Usage(message.to_owned()));
    }
    let (root, replaced) = root_credentials(&gateway, &settings)?;
    if let Some(file) = &settings.seed {
        seed::apply(&gateway, &settings.folder, file).await?;
    }
    let tls = tls_material(&gateway, &settings)?;
    let config = ListenerConfig {
        tls: Some(tls),
        origins: machines.origins(),
        ..ListenerConfig::default()
    };
    let listener = Listener::bind(&settings.listen, config)
        .await
        .map_err(Error::Listen)?;
    let addresses = listener.addresses().iter();
    let endpoints: Vec<String> = addresses.map(|address| format!("http://{address}")).collect();
    let console = console_at(&endpoints, &settings);
    note_addresses(&settings, &endpoints, console.as_deref())?;
    let reached = functions::endpoint(listener.addresses(), &settings.folder);
    sandboxes.serve_at(reached.clone());
    gateway
        .system("us-east-1", data::s3::resume_storage_metrics)
        .map_err(|fault| Error::first_look(settings.folder.store_file(), &fault))?;
    gateway.serve_at(&reached.url);
    instances::begin(&machines, &gateway, reached)
        .map_err(|fault| Error::first_look(settings.folder.store_file(), &fault))?;
    functions::close_inherited();
    let posture = Posture {
        memory: settings.memory,
        clock_control: settings.clock_control,
        account: settings.account.clone(),
        data: settings.folder.path().to_owned(),
        seal: seal_words,
        console,
        endpoints,
        root,
        memory_locked,
    };
    banner(&posture, &replaced);
    let front = Arc::new(Front {
        gateway: Arc::clone(&gateway),
        console: settings
            .console
            .then(|| console::Console::new(Arc::clone(&gateway))),
        control: Control {
            gateway: Arc::clone(&gateway),
            posture,
            clock_turn: tokio::sync::Mutex::default(),
        },
    });
    let tending = tokio::spawn(tend(Arc::clone(&gateway)));
    let jobs = tokio::spawn(run_jobs(Arc::clone(&gateway)));
    let served = listener.serve(front, asked_to_stop()).await;
    jobs.abort();
    keep_measured(&gateway).await;
    tending.abort();
    tokio::join!(sandboxes.stop(), machines.stop());
    println!(
        "Stopped after {} requests; {} connections were cut off.",
        served.requests, served.cut_off
    );
    Ok(())
}

fn bound_cache(store: &Store, mebibytes: Option<u32>) {
    if let Some(mebibytes) = mebibytes {
        let mebibytes = usize::try_from(mebibytes).unwrap_or(usize::MAX);
        store.bound_cache(mebibytes.saturating_mul(1 << 20));
    }
}

/// Tells `ringwork env` where the server and its console are.
fn note_addresses(settings: &Settings, endpoints: &[String], console: Option<&str>) -> Result<(), Error> {
    if let Some(first) = endpoints.first() {
        folder::write(&settings.folder.endpoint(), first.as_bytes())?;
    }
    folder::write(&settings.folder.console(), console.unwrap_or_default().as_bytes())
}

/// Writes what was measured and not yet written.
async fn keep_measured(gateway: &Gateway) {
    if let Err(fault) = gateway.flush_telemetry().await {
        eprintln!(
            "ringwork: what was measured last is lost: {}",
            Error::fault(&fault).chain()
        );
    }
}

/// The pipeline, with its way out and the quotas that are asked for.
fn gateway(store: Store, seal: Seal, settings: &Settings) -> Gateway {
    let directory = Box::new(IdentityDirectory::default());
    let (random, clock, tables) = (Arc::new(SystemRandomness), Clock::system(), services::tables());
    let gateway = Gateway::new(store, seal, random, clock, directory, &settings.account, &tables);
    let gateway = gateway
        .with_outside(Arc::new(Https::default()))
        .with_names(&settings.names);
    match &settings.quotas {
        Some(rates) => gateway.with_quotas(services::quotas(), rates.clone()),
        None => gateway,
    }
}

/// The options, checked and completed.
struct Settings {
    folder: Folder,
    listen: Vec<SocketAddr>,
    memory: bool,
    asked_account: Option<String>,
    /// Settled once the store is open.
    account: String,
    given_root: Option<(String, Secret)>,
    seal_key_file: Option<PathBuf>,
    seal_passphrase_file: Option<PathBuf>,
    contents: Option<PathBuf>,
    /// MiB.
    cache: Option<u32>,
    seed: Option<PathBuf>,
    from: Option<PathBuf>,
    clock_control: bool,
    unconfined_functions: bool,
    console: bool,
    names: Vec<String>,
    quotas: Option<Rates>,
}

impl Settings {
    fn of(options: Serve) -> Result<Self, Error> {
        let usage = |message: &str| Error::Usage(message.to_owned());
        let listen = if options.listen.is_empty() {
            vec![
                DEFAULT_LISTEN
                    .parse()
                    .map_err(|_| usage("the default address is malformed"))?,
            ]
        } else {
            options.listen
        };
        let twelve =
            |account: &String| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !options.account.as_ref().is_none_or(twelve) {
            return Err(usage("--account takes twelve digits"));
        }
        let given_root = match options.root_credentials {
            None => None,
            Some(text) => {
                if !listen.iter().all(|address| address.ip().is_loopback()) {
                    return Err(usage(
                        "fixed root credentials are allowed only on loopback addresses",
                    ));
                }
                let pair = text
                    .split_once(':')
                    .filter(|(id, secret)| !id.is_empty() && !secret.is_empty());
                let (id, secret) = pair.ok_or_else(|| usage("--root-credentials takes ID:SECRET"))?;
                Some((id.to_owned(), Secret::from(secret)))
            }
        };
        let data = options.data.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
        Ok(Self {
            folder: Folder::at(&data),
            listen,
            memory: options.memory,
            asked_account: options.account,
            account: String::new(),
            given_root,
            seal_key_file: options.seal_key_file,
            seal_passphrase_file: options.seal_passphrase_file,
            contents: options.contents,
            cache: options.cache,
            seed: options.seed,
            from: options.from,
            clock_control: options.clock_control,
            unconfined_functions: options.unconfined_functions,
            console: !options.no_console,
            names: options.names,
            quotas: options.request_quotas.as_deref().map(quotas).transpose()?,
        })
    }
}

/// `aws`, and the rates that differ from AWS's.
fn quotas(text: &str) -> Result<Rates, Error> {
    let wrong = |message: String| Error::Usage(format!("--request-quotas: {message}"));
    let (first, rest) = text.split_once(',').unwrap_or((text, ""));
    if first != "aws" {
        return Err(wrong("it begins with aws".to_owned()));
    }
    Rates::parse(rest, &services::quotas()).map_err(wrong)
}

fn open(settings: &Settings) -> Result<(Store, Seal, &'static str), Error> {
    settings.folder.make()?;
    let path = settings.folder.path().to_owned();
    let store_error = |source| Error::Store {
        path: path.clone(),
        source,
    };
    if settings.memory {
        if settings.folder.store_file().exists() {
            let message = format!(
                "{} holds a durable Ringwork; name another --data for --memory",
                path.display()
            );
            return Err(Error::Usage(message));
        }
        let store = Store::memory(Box::new(LedgerChain::default()));
        let Some(from) = &settings.from else {
            let seal = Seal::ephemeral().map_err(|source| Error::Seal {
                path: path.clone(),
                source,
            })?;
            return Ok((store, seal, "ephemeral"));
        };
        let saved = Folder::at(from);
        let (seal, _) = open_seal(&saved, None, None, false)?;
        store.load(&saved.store_file()).map_err(store_error)?;
        store.blobs().load(saved.path()).map_err(store_error)?;
        return Ok((store, seal, "ephemeral, from a snapshot"));
    }
    let fresh = !settings.folder.store_file().exists();
    if fresh && settings.folder.seal_header().exists() {
        // An empty store in its place would drop what SQLite's log still holds, and begin anew in silence.
        let reason = "the store is missing, though its seal is here; restore it, or remove the whole folder to begin anew";
        return Err(Error::Content {
            path: settings.folder.store_file(),
            reason: reason.to_owned(),
        });
    }
    // The store first: its lock keeps a second server from touching the seal.
    let engine = Store::disk_engine(settings.folder.path()).map_err(store_error)?;
    let blobs = contents::open(&settings.folder, settings.contents.as_deref())?;
    let chain = Box::new(LedgerChain::default());
    let store = Store::with_engine_and_blobs(engine, blobs, chain).map_err(store_error)?;
    let fresh = fresh || store.version() == 0;
    let key_file = settings.seal_key_file.as_deref();
    let (seal, words) = open_seal(
        &settings.folder,
        key_file,
        settings.seal_passphrase_file.as_deref(),
        fresh,
    )?;
    Ok((store, seal, words))
}

/// The opener that the options name, or the key file beside the folder.
pub(crate) fn opener(
    folder: &Folder,
    key_file: Option<&Path>,
    passphrase: Option<&Path>,
) -> Result<Opener, Error> {
    let failed = |source| Error::Seal {
        path: folder.path().to_owned(),
        source,
    };
    if let Some(passphrase) = passphrase {
        return folder::read_passphrase(passphrase).map(Opener::Passphrase);
    }
    let path = key_file.map_or_else(|| folder.key_file(), Path::to_owned);
    KeyFile::new(&path, folder.path())
        .map(Opener::KeyFile)
        .map_err(failed)
}

fn open_seal(
    folder: &Folder,
    key_file: Option<&Path>,
    passphrase: Option<&Path>,
    fresh: bool,
) -> Result<(Seal, &'static str), Error> {
    let failed = |source| Error::Seal {
        path: folder.path().to_owned(),
        source,
    };
    let opener = opener(folder, key_file, passphrase)?;
    let words = if matches!(opener, Opener::Passphrase(_)) {
        "passphrase"
    } else {
        "key file"
    };
    match folder::read(&folder.seal_header())? {
        Some(bytes) => {
            let header = SealHeader::from_bytes(&bytes).map_err(failed)?;
            Seal::unlock(&opener, &header)
                .map(|seal| (seal, words))
                .map_err(failed)
        }
        None if fresh => {
            let (seal, header) = Seal::create(&opener).map_err(failed)?;
            folder::write(&folder.seal_header(), &header.to_bytes())?;
            Ok((seal, words))
        }
        None => {
            let reason =
                "the seal's header is missing, so nothing sealed in the store can be read".to_owned();
            Err(Error::Content {
                path: folder.seal_header(),
                reason,
            })
        }
    }
}

/// A root key's id and secret, and the ids of the keys that it takes the place of.
type RootKeys = ((String, Secret), Vec<String>);

/// Makes the management account at the first start, and the file by which local clients become its root user.
fn root_credentials(gateway: &Gateway, settings: &Settings) -> Result<RootKeys, Error> {
    let kept = settings.folder.read_root_credentials()?;
    let kept = kept.filter(|kept| !settings.memory && kept.account == settings.account);
    let given = settings
        .given_root
        .clone()
        .or_else(|| kept.map(|kept| (kept.access_key_id, Secret::from(kept.secret_access_key))));
    let given = given.as_ref().map(|(id, secret)| (id.as_str(), secret));
    let failed = |fault| Error::first_look(settings.folder.store_file(), &fault);
    let (id, secret) = bootstrap(gateway, &settings.account, given).map_err(failed)?;
    let replaced = match &settings.given_root {
        None => Vec::new(),
        Some(_) => gateway
            .system("us-east-1", |call| {
                identity::iam::bootstrap::settle_given_root_key(call, &settings.account, &id)
            })
            .map_err(failed)?,
    };
    let text = secret.expose_text().map_err(Error::Certificate)?;
    let credentials = RootCredentials {
        account: settings.account.clone(),
        access_key_id: id.clone(),
        secret_access_key: text.to_owned(),
    };
    let bytes =
        serde_json::to_vec_pretty(&credentials).map_err(|error| Error::Pipeline(error.to_string()))?;
    folder::write(
        &settings.folder.root_credentials(),
        &zeroize::Zeroizing::new(bytes),
    )?;
    Ok(((id, secret), replaced))
}

/// Makes sure that the management account and its root access key exist; tells the key.
pub(crate) fn bootstrap(
    gateway: &Gateway,
    account: &str,
    given: Option<(&str, &Secret)>,
) -> pipeline::Result<(String, Secret)> {
    let root = gateway.system("us-east-1", |call| {
        account::keep(call, account)?;
        identity::iam::bootstrap::bootstrap(call, account, given)
    })?;
    Ok((root.access_key_id, root.secret_access_key))
}

/// The server's certificate, from the authority that the first start made.
fn tls_material(gateway: &Gateway, settings: &Settings) -> Result<TlsMaterial, Error> {
    const ROW: &[u8] = b"ca.key";
    let folder = &settings.folder;
    let seal = gateway.seal();
    let seal_error = |source| Error::Seal {
        path: folder.path().to_owned(),
        source,
    };
    let now = gateway.clock().wall().seconds();
    let kept = folder::read(&folder.authority())?.zip(folder::read(&folder.authority_key())?);
    let authority = match kept.filter(|_| !settings.memory) {
        Some((certificate, sealed)) => {
            let key = seal.open("authority", ROW, &sealed).map_err(seal_error)?;
            let certificate = String::from_utf8_lossy(&certificate).into_owned();
            Authority::from_pem(&certificate, &key).map_err(|error| Error::Content {
                path: folder.authority(),
                reason: error.to_string(),
            })?
        }
        None => {
            let authority = Authority::create(now).map_err(Error::Certificate)?;
            let sealed = seal
                .seal("authority", ROW, authority.key_pem().expose())
                .map_err(seal_error)?;
            folder::write(&folder.authority_key(), &sealed)?;
            folder::write(&folder.authority(), authority.certificate_pem().as_bytes())?;
            authority
        }
    };
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1", "*.localhost", "*.s3.localhost"]
        .map(str::to_owned)
        .into();
    names.extend(settings.listen.iter().map(|address| address.ip().to_string()));
    names.extend(settings.names.iter().cloned());
    names.sort();
    names.dedup();
    names.retain(|name| name != "0.0.0.0" && name != "::");
    let certificate = authority.issue(&names, now).map_err(Error::Certificate)?;
    Ok(TlsMaterial {
        certificate_chain_der: certificate.chain_der().to_vec(),
        private_key_der: zeroize::Zeroizing::new(certificate.key_der().expose().to_vec()),
    })
}

/// The console's address, unless it is left out.
fn console_at(endpoints: &[String], settings: &Settings) -> Option<String> {
    let first = endpoints.first().filter(|_| settings.console)?;
    Some(format!("{first}{}/", console::PATH))
}

fn banner(posture: &Posture, replaced: &[String]) {
    let engine = if posture.memory {
        "memory (forgotten at the end)"
    } else {
        "disk (durable)"
    };
    let clock = if posture.clock_control {
        "may be moved by root"
    } else {
        "the wall's"
    };
    let data = posture.data.display();
    println!("Ringwork {}", env!("CARGO_PKG_VERSION"));
    println!(
        "  endpoint  {}  (HTTPS on the same port)",
        posture.endpoints.join(", ")
    );
    if let Some(console) = &posture.console {
        println!("  console   {console}");
    }
    println!("  data      {data}");
    println!("  account   {}", posture.account);
    println!("  engine    {engine}");
    println!("  seal      {}", posture.seal);
    println!("  clock     {clock}");
    if !replaced.is_empty() {
        let ids = replaced.join(", ");
        println!("  root      the keys of earlier starts were removed: {ids}");
    }
    println!(
        "Next, in another shell:  eval \"$(ringwork env --data {data})\" && aws sts get-caller-identity"
    );
}

async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = interrupted.await;
        return;
    };
    tokio::select! {
        _ = interrupted => {}
        _ = terminated.recv() => {}
    }
}

/// Runs jobs as they fall due. One that fails by itself is set back, one that has an errand done goes beside; only where the store fails
/// do all wait, since none behind it may overtake one that works.
async fn run_jobs(gateway: Arc<Gateway>) {
    const PAUSE: Duration = Duration::from_secs(5);
    const IDLE: Duration = Duration::from_secs(3600);
    loop {
        let now = gateway.clock().now();
        let wait = match gateway.start_due(now).await.and_then(|_| gateway.next_due()) {
            Err(fault) => {
                eprintln!("ringwork: jobs wait: {}", Error::fault(&fault).chain());
                PAUSE
            }
            Ok(None) => IDLE,
            Ok(Some(due)) => wall_until(&gateway, due).unwrap_or(IDLE).min(IDLE),
        };
        // What was measured is kept by the wall too, or a cloud whose clock stands still would never keep it.
        let wait = gateway.telemetry_waits().map_or(wait, |waits| waits.min(wait));
        let replanned = gateway.replanned();
        let _ = tokio::time::timeout(wait, replanned).await;
    }
}

/// Removes what calls left in the folder of contents whose process died: at the start, and every now and then.
async fn tend(gateway: Arc<Gateway>) {
    const PAUSE: Duration = Duration::from_secs(6 * 3600);
    loop {
        let sweeper = Arc::clone(&gateway);
        let swept = tokio::task::spawn_blocking(move || sweeper.sweep()).await;
        if let Ok(Err(error)) = swept {
            eprintln!("ringwork: the contents could not be swept: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How long the wall's clock runs until the cloud's is `due`; `None` while it is frozen.
fn wall_until(gateway: &Gateway, due: i64) -> Option<Duration> {
    let rate = gateway.clock().posture().map_or(1.0, |posture| posture.rate);
    let ahead = u64::try_from(due.saturating_sub(gateway.clock().now().0)).unwrap_or(0);
    let wait = Duration::from_millis(ahead).as_secs_f64() / rate;
    (rate > 0.0).then(|| Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
}
