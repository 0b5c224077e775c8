//! Instances as the pipeline sees them: what is to run with what, and what came of it. `planes` runs them, shut in on this machine.
//!
//! The plane is told what to do by errands of jobs (`Call::instance`), asks its `Attendant` for credentials at the moment of a
//! request to the metadata service, and tells it when an instance ends by itself.
//!
//! Invariant: credentials and user data are `Secret`s until the instance's own metadata service hands them out; the plane keeps no
//! credentials longer than an answer takes.
//!
//! Source: Amazon EC2 User Guide, "Use instance metadata to manage your EC2 instance", "Instance lifecycle".

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use crypto::Secret;
use wire::{Fault, Timestamp};

use crate::call::Call;
use crate::errand::{Errand, Outcome};
use crate::operation::Result;

/// Bytes of the disk of an instance, as a tar. A disk that holds more cannot be taken (`Failure::DiskTooLarge`).
pub const DISK_BYTES_MAX: u64 = 256 << 20;
/// Bytes of the console's output that are kept, the last ones (EC2 API Reference, `GetConsoleOutput`: 64 KB).
pub const CONSOLE_BYTES_MAX: usize = 64 << 10;
/// Bytes of user data in clear (EC2 User Guide, "Run commands when you launch an EC2 instance": 16 KB).
pub const USER_DATA_BYTES_MAX: usize = 16 << 10;

/// A future of the plane's.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Which instance, and which of its runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InstanceRef {
    /// Twelve digits.
    pub account: String,
    pub region: String,
    /// `i-` and 17 hexadecimal digits; unique in this Ringwork.
    pub instance_id: String,
    /// Counts the starts of the instance, from 1. What is told of another run than the present one is out of date.
    pub boot: u64,
}

/// One start of an instance, with all that it takes.
#[derive(Clone)]
pub struct Launch {
    pub instance: InstanceRef,
    /// As the instance type has them.
    pub vcpus: u32,
    pub memory_mib: u32,
    /// What lies over the built-in image (this host's own userland, read-only): an uncompressed POSIX tar of paths below `/`, at
    /// most `DISK_BYTES_MAX`. Of the image at the first start, of the instance itself at later ones. `None`: nothing.
    pub disk: Option<Bytes>,
    /// The server stopped while the instance ran: if the plane still has the instance's files, they are used instead of `disk`.
    pub resume: bool,
    /// What the instance was launched with, base64 taken off. It runs if it is the first start and it begins with `#!`.
    pub user_data: Option<Secret>,
    /// The first start: user data run, what is made once (host keys, machine id) is made.
    pub first: bool,
    pub metadata: Metadata,
    /// The cloud's time.
    pub now: Timestamp,
}

/// What an instance's metadata service answers, and in which way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metadata {
    pub options: MetadataOptions,
    pub ami_id: String,
    /// 0 for the first of a launch.
    pub ami_launch_index: u32,
    pub instance_type: String,
    /// `ip-172-31-1-2.ec2.internal`
    pub local_hostname: String,
    /// The address of the instance's own interface.
    pub private_ip: Ipv4Addr,
    /// `02:…`
    pub mac: String,
    pub reservation_id: String,
    pub availability_zone: String,
    /// `use1-az1`
    pub availability_zone_id: String,
    pub region: String,
    pub account: String,
    /// Name and OpenSSH line of the key pair, if the instance was launched with one.
    pub public_key: Option<(String, String)>,
    /// Shown below `tags/instance/` if the options say so.
    pub tags: Vec<(String, String)>,
    /// JSON, served as `dynamic/instance-identity/document`. Nobody signs it here.
    pub identity_document: String,
}

/// How the metadata service of an instance behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataOptions {
    /// `HttpEndpoint`: disabled answers 403 to everything.
    pub enabled: bool,
    /// `HttpTokens`: `required` is IMDSv2 alone; 401 without a token.
    pub tokens_required: bool,
    /// `HttpPutResponseHopLimit`: 1 to 64, the IP TTL of the answer to `PUT /latest/api/token`.
    pub hop_limit: u8,
    /// `InstanceMetadataTags`.
    pub tags: bool,
}

/// How an instance asked its metadata service; policies see it as `ec2:RoleDelivery`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// IMDSv1: without a token.
    V1,
    /// IMDSv2.
    V2,
}

impl Delivery {
    /// As `ec2:RoleDelivery` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }
}

/// An instance's profile, asked for at the moment of a request: `iam/info`, `iam/security-credentials/`.
pub struct Profile {
    pub arn: String,
    /// `AIPA…`
    pub id: String,
    /// The name of the role in the profile; absent if it holds none (`iam/security-credentials/` is empty then).
    pub role_name: Option<String>,
    /// When the credentials, or the refusal, became what they are.
    pub last_updated: Timestamp,
    /// The role's credentials, or why there are none.
    pub issued: std::result::Result<RoleCredentials, Unissued>,
}

/// Temporary credentials of a role: `iam/security-credentials/ROLE` with `Code: Success`, `Type: AWS-HMAC`.
pub struct RoleCredentials {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
    /// By the cloud's clock.
    pub expiration: Timestamp,
}

/// Why a profile gives no credentials: `Code` and `Message` of what the metadata service answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unissued {
    /// `AssumeRoleUnauthorizedAccess`, `InstanceProfileNotFound` …
    pub code: &'static str,
    pub message: String,
}

/// What the plane asks and tells. Implemented over the pipeline by the binary.
pub trait Attendant: Send + Sync {
    /// The profile of a running instance with its role's credentials; `None` if it has no profile. An error is the store's or a bug's:
    /// the metadata service answers 500.
    fn profile<'a>(
        &'a self,
        instance: &'a InstanceRef,
        delivery: Delivery,
    ) -> Doing<'a, Result<Option<Profile>>>;

    /// An instance ended by itself. Its files and console stay until `stop` or `terminate` is asked for, as the instance's shutdown
    /// behaviour says.
    fn ended<'a>(&'a self, instance: &'a InstanceRef, ending: Ending) -> Doing<'a, ()>;
}

/// How an instance ended by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Shut down from inside, in an orderly way.
    ShutDown,
    /// It was killed or crashed: out of memory, say. The reason is a sentence.
    Failed { reason: String },
}

/// What a plane is asked to do.
pub enum Task {
    Start(Box<Launch>),
    /// Ends the instance and gives its disk. `force`: without waiting for it to shut down.
    Stop {
        instance: InstanceRef,
        force: bool,
    },
    /// Ends the instance and removes its files. `force`: without waiting for it to shut down.
    Terminate {
        instance: InstanceRef,
        force: bool,
    },
    /// Ends what runs in the instance and starts it anew on the same files, user data aside. The run keeps its number.
    Reboot {
        instance: InstanceRef,
    },
    /// Gives the disk of a running instance; `still` stops what runs while it is read and reboots it (`NoReboot: false`).
    Snapshot {
        instance: InstanceRef,
        still: bool,
    },
}

/// What came of a task.
#[derive(Debug)]
pub enum Done {
    /// It runs, or runs no more, or has been rebooted.
    Well,
    /// The disk, as in `Launch::disk`; empty bytes if the instance wrote nothing.
    Disk(Bytes),
}

/// Why a task was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// This host cannot run instances, or not one more such; `what` says what is lacking, in a sentence.
    Unable { what: String },
    /// The instance does not run here and has no files here: the server was restarted, say.
    Unknown,
    /// More than `DISK_BYTES_MAX`.
    DiskTooLarge,
    /// Anything else of the host's, in a sentence.
    Failed { reason: String },
    /// This Ringwork runs no instances, it is stopping, or the call asked too often.
    Refused,
}

/// What came of a task, or why it was not done.
pub type Outturn = std::result::Result<Done, Failure>;

/// The runner of instances. Implemented over processes by `planes`, and by tests.
pub trait Instances: Send + Sync {
    /// What this host lacks to run instances at all, in a sentence; `None` if it can. Cheap: asked by every `RunInstances`.
    fn lacks(&self) -> Option<String>;

    /// Does a task. Starting returns once the instance's metadata service answers and its first process runs.
    fn perform<'a>(&'a self, task: &'a Task) -> Doing<'a, Outturn>;

    /// The console's output of an instance, the last `CONSOLE_BYTES_MAX`, with the time of the last byte. It stays after the instance
    /// ended, until `forget`.
    fn console(&self, instance_id: &str) -> Option<(Bytes, Timestamp)>;

    /// What the metadata service of a running instance answers from now on. No error if it does not run.
    fn update(&self, instance: &InstanceRef, metadata: Metadata);

    /// The disk that a stop gave is kept elsewhere now: the files go. Until then a stop that is asked for again gives them again.
    fn settled(&self, _instance: &InstanceRef) {}

    /// Nobody asks for this instance any more: what is left of it goes.
    fn forget(&self, instance_id: &str);

    /// Whom to ask and tell; given once, before the first task.
    fn attend(&self, attendant: Arc<dyn Attendant>);
}

impl Call<'_> {
    /// Has the plane do a task, as an errand: `name` is as in `Call::errand`.
    ///
    /// # Errors
    /// As `Call::errand`.
    pub fn instance(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<Task>,
    ) -> Result<Arc<Outcome>> {
        let refused = || Outcome::Instance(Err(Failure::Refused));
        self.errand(name, refused, |call| {
            make(call).map(Box::new).map(Errand::Instance)
        })
    }

    /// The runner of instances, for what is done at once: `lacks`, `console`, `update`, `forget`.
    ///
    /// # Errors
    /// A fault where this Ringwork runs none.
    pub fn instances(&self) -> Result<Arc<dyn Instances>> {
        let instances = &self.look.environment.outdoors.errands.instances;
        instances
            .clone()
            .ok_or_else(|| Fault::plain("Unsupported", 400, "This installation runs no instances."))
    }
}
