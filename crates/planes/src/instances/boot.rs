//! One run of an instance, from its first process until its metadata service answers.
//!
//! Invariant: limits hold before anything of the instance runs; what a disk holds has no say in how it is shut in.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use pipeline::instances::{Doing, Failure, Launch};
use rustix::process::{Pid, Resource};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::agent::{Hello, READY};
use super::disk::{failed, mark};
use super::life::Life;
use super::link::{Links, serve_endpoint, serve_metadata};
use super::machine::{Machine, Run, unable};
use super::metadata::Service;
use super::runner::Runner;
use super::view::Network;
use crate::functions::Endpoint;
use crate::jail::family::MARK;
use crate::jail::{self, WAIT, tools_path};

/// Time for the first process to say that it is ready.
const BOOT_TIME: Duration = Duration::from_secs(30);
/// Bytes of what the first process says once it is ready, and more.
const ANSWER_BYTES_MAX: u64 = 64;
/// Bytes of private memory that a process may map beyond what its instance has: what is reserved and hardly used.
const MAPPED_EXTRA: u64 = 512 << 20;
const DESCRIPTORS_MAX: u64 = 4096;
const PROCESSES_MAX: u64 = 1024;
/// Bytes of a file: a disk that held a larger one could not be kept.
const FILE_BYTES_MAX: u64 = pipeline::instances::DISK_BYTES_MAX;
/// The certificate of the server's authority, among the sockets.
const AUTHORITY: &str = "ca.pem";

impl Runner {
    /// Starts an instance's first process on its disk. `first`: user data is run.
    pub(super) fn boot<'a>(
        self: &'a Arc<Self>,
        machine: &'a Arc<Machine>,
        launch: &'a Arc<Launch>,
        first: bool,
    ) -> Doing<'a, Result<Run, Failure>> {
        // A run that ends by itself may begin another: the future would hold itself.
        Box::pin(self.boot_once(machine, launch, first))
    }

    async fn boot_once(
        self: &Arc<Self>,
        machine: &Arc<Machine>,
        launch: &Arc<Launch>,
        first: bool,
    ) -> Result<Run, Failure> {
        let attendant = self.attendant.get().map(Arc::clone).ok_or(Failure::Refused)?;
        let (end, ended) = watch::channel(false);
        let service = Service::new(
            launch.instance.clone(),
            launch.metadata.clone(),
            launch.user_data.clone(),
            attendant,
            ended.clone(),
        );
        let service = service.map_err(|error| failed(&io::Error::other(error)))?;
        let service = Arc::new(service);
        let endpoint = self.endpoint.lock().clone();
        let begun = self.begin(machine, launch, (first, endpoint), &service).await;
        let Begun {
            child,
            pid,
            control,
            serving,
        } = begun.map_err(|failure| self.told(machine, failure))?;
        *machine.service.lock() = Some(service);
        let (orders, taken) = mpsc::unbounded_channel();
        let life = Life {
            runner: Arc::downgrade(self),
            machine: Arc::clone(machine),
            launch: Arc::clone(launch),
            child,
            pid,
            control,
            serving,
        };
        tokio::spawn(life.live(taken, end));
        Ok(Run {
            launch: Arc::clone(launch),
            orders,
            ended,
        })
    }

    /// Has the console say why the instance did not start.
    fn told(&self, machine: &Machine, failure: Failure) -> Failure {
        if let Failure::Failed { reason } = &failure {
            machine.wrote(format!("The instance did not start: {reason}\n").as_bytes());
        }
        failure
    }

    async fn begin(
        &self,
        machine: &Arc<Machine>,
        launch: &Launch,
        (first, endpoint): (bool, Option<Endpoint>),
        service: &Arc<Service>,
    ) -> Result<Begun, Failure> {
        let view = self.view().map_err(unable)?;
        let places = &machine.places;
        let links = places
            .make(machine.user)
            .and_then(|()| Links::bind(&places.link))
            .map_err(|error| failed(&error))?;
        let server = endpoint.as_ref().and_then(address);
        let foreign = server
            .filter(|server| !server.ip().is_loopback())
            .map(|server| server.ip().to_string());
        let name = launch
            .metadata
            .local_hostname
            .split('.')
            .next()
            .unwrap_or_default();
        let words = view.words(
            places,
            machine.user,
            name,
            &Network::Linked(foreign.as_deref()),
            view.agent(),
        );
        let authority = endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.authority.as_deref());
        write_authority(machine, authority).map_err(|error| failed(&error))?;
        let (child, pid) = spawn(machine, launch, words)
            .await
            .map_err(|error| failed(&error))?;
        let mut serving = JoinSet::new();
        serving.spawn(serve_metadata(links.metadata, Arc::clone(service)));
        if let Some(server) = server {
            let origin = (self.origins.clone(), launch.metadata.private_ip.into());
            serving.spawn(serve_endpoint(
                links.endpoint,
                server,
                origin,
                Arc::clone(service),
            ));
        }
        let mut begun = Begun {
            child,
            pid,
            control: None,
            serving,
        };
        let hello = hello(launch, first, endpoint.as_ref());
        let greeted = timeout(
            BOOT_TIME,
            begun.greet(machine, &links.control, &hello, launch, first),
        )
        .await;
        let greeted =
            greeted.unwrap_or_else(|_| Err(io::Error::other("its first process was not ready in time")));
        if let Err(error) = greeted {
            jail::family::kill(pid, machine.user, &places.folder);
            let _ = begun.child.wait().await;
            return Err(failed(&error));
        }
        Ok(begun)
    }
}

/// A run that has begun.
struct Begun {
    child: Child,
    pid: Pid,
    control: Option<(BufReader<OwnedReadHalf>, OwnedWriteHalf)>,
    serving: JoinSet<()>,
}

impl Begun {
    /// Tells the first process what it has to know, and waits until it is ready. What it writes meanwhile goes to the console.
    async fn greet(
        &mut self,
        machine: &Machine,
        listener: &tokio::net::UnixListener,
        hello: &Hello,
        launch: &Launch,
        first: bool,
    ) -> io::Result<()> {
        let mut told = serde_json::to_vec(hello)?;
        told.push(b'\n');
        let user_data = launch.user_data.as_ref().filter(|_| first);
        let greet = async {
            // The first to connect is the first process: nothing else runs yet.
            let (stream, _) = listener.accept().await?;
            let (read, mut write) = UnixStream::into_split(stream);
            write.write_all(&told).await?;
            if let Some(user_data) = user_data {
                write.write_all(user_data.expose()).await?;
            }
            let mut read = BufReader::new(read);
            let mut line = String::new();
            // What is on the disk may have a say in what answers.
            let mut answer = (&mut read).take(ANSWER_BYTES_MAX);
            answer.read_line(&mut line).await?;
            if line.trim_end() != READY {
                return Err(io::Error::other("its first process ended before it was ready"));
            }
            Ok((read, write))
        };
        let mut out = self.child.stdout.take();
        let listen = async {
            let mut buffer = [0; 4096];
            while let Some(count) = read_some(out.as_mut(), &mut buffer).await {
                machine.wrote(buffer.get(..count).unwrap_or_default());
            }
            self.child.wait().await
        };
        let control = tokio::select! {
            biased;
            control = greet => control?,
            status = listen => {
                let status = status?;
                return Err(io::Error::other(format!("its first process ended with {status}")));
            }
        };
        self.child.stdout = out;
        self.control = Some(control);
        Ok(())
    }
}

/// Reads what there is, until the end.
pub(super) async fn read_some(
    out: Option<&mut tokio::process::ChildStdout>,
    buffer: &mut [u8],
) -> Option<usize> {
    out?.read(buffer).await.ok().filter(|count| *count > 0)
}

fn hello(launch: &Launch, first: bool, endpoint: Option<&Endpoint>) -> Hello {
    let mut environment = Vec::new();
    if let Some(endpoint) = endpoint {
        environment.push(("AWS_ENDPOINT_URL".to_owned(), endpoint.url.clone()));
        if endpoint.authority.is_some() {
            let file = format!("/.instance/link/{AUTHORITY}");
            environment.push(("AWS_CA_BUNDLE".to_owned(), file));
        }
    }
    let user_data = launch.user_data.as_ref().filter(|_| first);
    Hello {
        instance_id: launch.instance.instance_id.clone(),
        hostname: launch.metadata.local_hostname.clone(),
        first,
        server: endpoint.and_then(address),
        environment,
        user_data_bytes: user_data.map_or(0, crypto::Secret::len),
    }
}

/// Where the server is, by its URL.
fn address(endpoint: &Endpoint) -> Option<SocketAddr> {
    let (_, address) = endpoint.url.split_once("://")?;
    address.parse().ok()
}

fn write_authority(machine: &Machine, authority: Option<&str>) -> io::Result<()> {
    let path = machine.places.link.join(AUTHORITY);
    let Some(pem) = authority else { return Ok(()) };
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::write(&path, pem)?,
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
}

/// Starts the words, with limits.
async fn spawn(
    machine: &Machine,
    launch: &Launch,
    words: Vec<std::ffi::OsString>,
) -> io::Result<(Child, Pid)> {
    let mut command = Command::new("/bin/sh");
    // What the script and the first process say is the beginning of the console.
    command
        .args(["-c", &format!("exec 2>&1; {WAIT} </dev/null"), "instance"])
        .args(words)
        .env_clear()
        .env("PATH", tools_path())
        .env(MARK, mark(&machine.places))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let pid = id.and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::other("the process ended at once"))?;
    let memory = u64::from(launch.memory_mib) << 20;
    jail::limit(
        pid,
        &[
            (Resource::Core, 0),
            (Resource::Data, memory.saturating_add(MAPPED_EXTRA)),
            (Resource::Fsize, FILE_BYTES_MAX),
            (Resource::Nofile, DESCRIPTORS_MAX),
            (Resource::Nproc, PROCESSES_MAX),
        ],
    )?;
    confine(pid, launch.vcpus)?;
    let stdin = child.stdin.take();
    let mut stdin = stdin.ok_or_else(|| io::Error::other("the process has no input"))?;
    stdin.write_all(b"go\n").await?;
    Ok((child, pid))
}

/// Lets a process run on so many of this host's processors: those that follow one another from a place that goes by the process.
fn confine(pid: Pid, vcpus: u32) -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let mut processors: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|number| allowed.is_set(*number))
        .collect();
    let wanted = usize::try_from(vcpus.max(1)).unwrap_or(usize::MAX);
    if wanted >= processors.len() {
        return Ok(());
    }
    let turn = usize::try_from(pid.as_raw_nonzero().get()).unwrap_or_default() % processors.len();
    processors.rotate_left(turn);
    let mut set = CpuSet::new();
    for number in processors.into_iter().take(wanted) {
        set.set(number);
    }
    sched_setaffinity(Some(pid), &set)?;
    Ok(())
}
