//! The command line, and the environment variables that stand for its options.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;

const EXAMPLES: &str = "Examples:
  ringwork                                   serve on 127.0.0.1:4566 from ./ringwork-data
  eval \"$(ringwork env)\"                     point AWS clients of this shell at it
  aws sts get-caller-identity
  ringwork why 0199f0a2-7c1e-7d3f-9a54-2f6f0c1d2e3f";

/// The AWS security plane that you can run yourself.
#[derive(Parser)]
#[command(name = "ringwork", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What the command line asks for. Without a command it is `serve`, parsed as if it had been typed, so that the environment counts.
pub(crate) fn command() -> Command {
    let mut typed: Vec<OsString> = std::env::args_os().collect();
    match Arguments::parse_from(&typed).command {
        Some(command) => command,
        None => {
            typed.push("serve".into());
            let parsed = Arguments::parse_from(typed);
            parsed.command.unwrap_or_else(|| Command::Serve(Box::default()))
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start the server (the default)
    Serve(Box<Serve>),
    /// Print export lines that point AWS clients at the server
    Env(Env),
    /// Explain why a call was allowed or denied
    Why(Why),
    /// Say who can do something, over all principals and layers: who can ACTION on ARN
    #[command(
        after_help = "Examples:\n  ringwork who can kms:Decrypt on arn:aws:kms:us-east-1:000000000000:key/0c9a...\n  ringwork who can iam:PassRole on arn:aws:iam::000000000000:role/admin --with iam:PassedToService=ec2.amazonaws.com"
    )]
    Who(Reach),
    /// Say what a principal can do and become: what can ARN do
    #[command(after_help = "Example:\n  ringwork what can arn:aws:iam::000000000000:user/ana do")]
    What(Reach),
    /// List the keys: state, age, next rotation, last use, who may use them, and what is encrypted under each
    #[command(
        after_help = "Examples:\n  ringwork keys\n  ringwork keys alias/orders\n  ringwork keys --account 000000000000 --region eu-central-1 --json"
    )]
    Keys(Keys),
    /// Look for credentials that were left in an image, before it is shared
    #[command(
        after_help = "Exit codes: 0, nothing was found; 1, something was.\n\nExample:\n  ringwork image scan ami-0123456789abcdef0 --region eu-central-1 --json"
    )]
    Image(Image),
    /// Show what a Lambda function wrote
    #[command(
        after_help = "Examples:\n  ringwork logs rotate-orders\n  ringwork logs arn:aws:lambda:eu-central-1:000000000000:function:rotate-orders --limit 20 --json"
    )]
    Logs(Logs),
    /// Check and test policies without a server, or say what a changed policy changes
    Policy(Policy),
    /// Say which recorded calls would have another verdict under changed policies
    Replay(Replay),
    /// Say what the server is and does
    Status(Status),
    /// Check the installation and say what to mend
    Doctor(Doctor),
    /// Show, set, freeze, scale or advance the cloud's clock
    Clock(Clock),
    /// Change the opener of the seal, with the server stopped
    Seal(Seal),
    /// Save the server's state, or make a data folder from a saved one
    Snapshot(Snapshot),
    /// Write the deployment package of the functions that rotate the passwords of databases
    #[command(after_help = ROTATION_EXAMPLES)]
    RotationFunction(RotationFunction),
}

const ROTATION_EXAMPLES: &str = "The handler's name says which function it is:
  postgresql.single-user         a PostgreSQL user changes its own password
  postgresql.alternating-users   two PostgreSQL users take turns, changed by a superuser
  mysql.single-user              a MySQL or MariaDB user changes its own password
  mysql.alternating-users        two MySQL or MariaDB users take turns, changed by a superuser

Example:
  ringwork rotation-function --output rotation.zip
  aws lambda create-function --function-name rotate --runtime provided.al2023 --handler postgresql.single-user \\
    --role arn:aws:iam::000000000000:role/rotation --timeout 30 --zip-file fileb://rotation.zip
  aws lambda add-permission --function-name rotate --statement-id rotation --action lambda:InvokeFunction \\
    --principal secretsmanager.amazonaws.com
  aws secretsmanager rotate-secret --secret-id db --rotation-rules AutomaticallyAfterDays=30 \\
    --rotation-lambda-arn arn:aws:lambda:us-east-1:000000000000:function:rotate";

#[derive(Args)]
pub(crate) struct RotationFunction {
    /// The zip to write
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
}

const SERVE_EXAMPLES: &str = "Examples:
  ringwork serve --data /var/lib/ringwork --listen 127.0.0.1:4566
  ringwork serve --memory --seed accounts.yaml --root-credentials test:test
  ringwork serve --clock-control";

#[derive(Args, Default)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// The data folder
    #[arg(long, value_name = "DIR", env = "RINGWORK_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Addresses to listen on, separated by commas [default: 127.0.0.1:4566]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', env = "RINGWORK_LISTEN")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Keep everything in memory and forget it at the end
    #[arg(long)]
    pub(crate) memory: bool,
    /// The management account's id [default: the data folder's, or 000000000000 of a new one]
    #[arg(long, value_name = "ID", env = "RINGWORK_ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Fixed root credentials instead of random ones; on loopback only
    #[arg(
        long,
        value_name = "ID:SECRET",
        env = "RINGWORK_ROOT_CREDENTIALS",
        hide_env_values = true
    )]
    pub(crate) root_credentials: Option<String>,
    /// The file that opens the seal [default: DIR.key beside the data folder]
    #[arg(
        long,
        value_name = "FILE",
        env = "RINGWORK_SEAL_KEY_FILE",
        conflicts_with = "seal_passphrase_file"
    )]
    pub(crate) seal_key_file: Option<PathBuf>,
    /// A file whose first line is the passphrase that opens the seal
    #[arg(long, value_name = "FILE", env = "RINGWORK_SEAL_PASSPHRASE_FILE")]
    pub(crate) seal_passphrase_file: Option<PathBuf>,
    /// Keep large contents in the S3-compatible store that a JSON file names, instead of the data folder
    #[arg(
        long,
        value_name = "FILE",
        env = "RINGWORK_CONTENTS",
        conflicts_with = "memory"
    )]
    pub(crate) contents: Option<PathBuf>,
    /// Memory that decoded rows of the store may take, about; 0 keeps none [default: 128]
    #[arg(long, value_name = "MIB", env = "RINGWORK_CACHE")]
    pub(crate) cache: Option<u32>,
    /// Make the accounts, users, roles and policies of a YAML file, idempotently
    #[arg(long, value_name = "FILE", env = "RINGWORK_SEED")]
    pub(crate) seed: Option<PathBuf>,
    /// With --memory: begin with a state saved by `ringwork snapshot save`
    #[arg(long, value_name = "DIR", requires = "memory")]
    pub(crate) from: Option<PathBuf>,
    /// Let root move the cloud's clock (for tests)
    #[arg(long, env = "RINGWORK_CLOCK_CONTROL")]
    pub(crate) clock_control: bool,
    /// Run functions with the server's own rights where the host has no namespaces and the server is not root
    #[arg(long, env = "RINGWORK_UNCONFINED_FUNCTIONS")]
    pub(crate) unconfined_functions: bool,
    /// Serve no console
    #[arg(long, env = "RINGWORK_NO_CONSOLE")]
    pub(crate) no_console: bool,
    /// Enforce AWS's request quotas (ThrottlingException), with other rates for those that are named [default: none]
    #[arg(
        long,
        value_name = "aws[,SERVICE.QUOTA=RATE]",
        env = "RINGWORK_REQUEST_QUOTAS"
    )]
    pub(crate) request_quotas: Option<String>,
    /// Further names for the server's certificate, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "RINGWORK_NAMES")]
    pub(crate) names: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Server {
    /// The data folder of the server
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "RINGWORK_DATA",
        default_value = "ringwork-data"
    )]
    pub(crate) data: PathBuf,
}

#[derive(Args)]
#[command(after_help = "Example:\n  eval \"$(ringwork env --tls)\" && aws kms list-keys")]
pub(crate) struct Env {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Use HTTPS and trust the server's authority
    #[arg(long)]
    pub(crate) tls: bool,
    /// Print JSON instead of export lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  ringwork why 0199f0a2-7c1e-7d3f-9a54-2f6f0c1d2e3f\n  ringwork why --as arn:aws:iam::000000000000:user/alice --do iam:ListUsers --with aws:SourceIp=10.0.0.1\n\nEvery answer carries its request id; SDKs tell it with their errors, and CloudTrail shows it."
)]
pub(crate) struct Why {
    #[command(flatten)]
    pub(crate) server: Server,
    /// A request id or event id
    #[arg(required_unless_present = "caller", conflicts_with_all = ["caller", "action", "with"])]
    pub(crate) id: Option<String>,
    /// Judge a request that nobody made: the ARN of its user, role, session or root
    #[arg(long = "as", value_name = "ARN", requires = "action")]
    pub(crate) caller: Option<String>,
    /// Its action: s3:GetObject
    #[arg(long = "do", value_name = "ACTION", requires = "caller")]
    pub(crate) action: Option<String>,
    /// Its resource
    #[arg(long = "on", value_name = "ARN", default_value = "*")]
    pub(crate) resource: String,
    /// A condition key; said again, another value of it
    #[arg(long, value_name = "KEY=VALUE", requires = "caller")]
    pub(crate) with: Vec<String>,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) task: PolicyTask,
}

#[derive(Subcommand)]
pub(crate) enum PolicyTask {
    /// Run policy tests
    #[command(after_help = "Example:\n  ringwork policy test policies/*.test.yaml --junit report.xml")]
    Test {
        /// Files of tests, in YAML
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Write the results as JUnit XML
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Write the failures as SARIF
        #[arg(long, value_name = "FILE")]
        sarif: Option<PathBuf>,
    },
    /// Validate policies by the checks of IAM Access Analyzer
    #[command(
        after_help = "Examples:\n  ringwork policy check policy.json\n  ringwork policy check trust.json --kind trust\n  ringwork policy check bucket.json --kind AWS::S3::Bucket --sarif report.sarif"
    )]
    Check {
        /// Policies, in JSON
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What the policies are: identity, resource, trust, service-control, resource-control, or what they are attached to
        #[arg(long, value_name = "KIND", default_value = "identity")]
        kind: String,
        #[arg(long)]
        json: bool,
        /// Write the findings as SARIF
        #[arg(long, value_name = "FILE")]
        sarif: Option<PathBuf>,
    },
    /// Make the least policy that allows what a user or role did
    #[command(
        after_help = "Example:\n  ringwork policy new --as arn:aws:iam::000000000000:role/app --since 7d --resources"
    )]
    New {
        #[command(flatten)]
        server: Server,
        /// The ARN of the user or role
        #[arg(long = "as", value_name = "ARN")]
        caller: String,
        /// How far to look back: 7d, 12h, 30m
        #[arg(long, value_name = "TIME", default_value = "90d")]
        since: String,
        /// Name the very resources instead of all
        #[arg(long)]
        resources: bool,
    },
    /// Say what a changed policy newly allows and newly denies
    #[command(after_help = "Example:\n  ringwork policy diff old.json new.json --requests requests.yaml")]
    Diff {
        /// The policy as it was
        old: PathBuf,
        /// The policy as it will be
        new: PathBuf,
        /// The requests to judge: a file of tests, whose expectations are not looked at
        #[arg(long, value_name = "FILE")]
        requests: PathBuf,
        /// Where the policy stands: identity, boundary, session, resource, trust, key, service-control or resource-control
        #[arg(long, value_name = "LAYER", default_value = "identity")]
        layer: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  ringwork replay events.jsonl.gz --scp deny.json\n  ringwork replay ringwork-data --identity arn:aws:iam::000000000000:role/ci=ci.json --json\n\nEnds with 0 if nothing changes and 1 if a verdict does."
)]
pub(crate) struct Replay {
    /// CloudTrail's files (.json, .jsonl, .gz), or the data folder of a stopped server
    #[arg(required = true, value_name = "FILE")]
    pub(crate) inputs: Vec<PathBuf>,
    /// A YAML file of changed policies by layer
    #[arg(long, value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,
    /// The permissions of a user or role; in a data folder, also the new text of a managed policy
    #[arg(long, value_name = "ARN=FILE")]
    pub(crate) identity: Vec<String>,
    /// The permissions boundary of a user or role
    #[arg(long, value_name = "ARN=FILE")]
    pub(crate) boundary: Vec<String>,
    /// A service control policy that is attached beside those that are there
    #[arg(long, value_name = "[ACCOUNT=]FILE")]
    pub(crate) scp: Vec<String>,
    /// A resource control policy that is attached beside those that are there
    #[arg(long, value_name = "[ACCOUNT=]FILE")]
    pub(crate) rcp: Vec<String>,
    /// The policy of a resource: a bucket's, a key's, a role's trust policy
    #[arg(long, value_name = "ARN=FILE")]
    pub(crate) resource: Vec<String>,
    /// Threads that judge [default: one a core]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Reach {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The question
    #[arg(required = true, num_args = 1..)]
    pub(crate) words: Vec<String>,
    /// A condition key of the request, as often as there are values
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) with: Vec<String>,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    pub(crate) server: Server,
    /// One key, by its id, alias or ARN: everything that is known of it
    #[arg(conflicts_with_all = ["account", "region", "limit"])]
    pub(crate) key: Option<String>,
    /// Only those of an account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Only those of a region
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// So many keys at most [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Image {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) task: ImageTask,
}

#[derive(Subcommand)]
pub(crate) enum ImageTask {
    /// Say which files of an image hold credentials, and on which line
    Scan(ImageScan),
}

#[derive(Args)]
pub(crate) struct ImageScan {
    /// The image's id
    pub(crate) image: String,
    /// The region that it is in
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub(crate) region: String,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) server: Server,
    /// The function's name or ARN
    pub(crate) function: String,
    /// The account of a function that is named without its ARN [default: the management account]
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// The region of a function that is named without its ARN
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The last lines alone
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(after_help = "Example:\n  ringwork status --json --data /var/lib/ringwork")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) server: Server,
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  ringwork doctor --data /var/lib/ringwork\n  ringwork doctor --ledger --json > noted.json\n  ringwork doctor --noted noted.json\n\nThe store and the ledger of a folder at rest are always read from end to end."
)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) server: Server,
    #[arg(long)]
    pub(crate) json: bool,
    /// Verify the ledger of a running server too, from end to end
    #[arg(long)]
    pub(crate) ledger: bool,
    /// Verify that the ledger goes on from what an earlier `doctor --json` noted of it
    #[arg(long, value_name = "FILE")]
    pub(crate) noted: Option<PathBuf>,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  ringwork clock\n  ringwork clock advance 365d\n  ringwork clock set 2027-01-01T00:00:00Z\n  ringwork clock freeze\n  ringwork clock scale 60\n  ringwork clock follow"
)]
pub(crate) struct Clock {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) change: Option<ClockChange>,
}

#[derive(Subcommand)]
pub(crate) enum ClockChange {
    /// Move ahead, running what falls due on the way: 90s, 15m, 12h, 365d
    Advance { duration: String },
    /// Put the clock at a time (ISO 8601, UTC)
    Set { time: String },
    /// Stop the clock where it is
    Freeze,
    /// Let the clock run this many times as fast as the wall's
    Scale { rate: f64 },
    /// Follow the wall's clock again
    Follow,
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  ringwork seal show\n  ringwork seal change --key-file ringwork-data.key --to-passphrase-file pass.txt"
)]
pub(crate) struct Seal {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) change: SealChange,
}

#[derive(Subcommand)]
pub(crate) enum SealChange {
    /// Say how the seal opens
    Show,
    /// Wrap the data key anew: the data stays as it is
    #[command(
        after_help = "Example:\n  ringwork seal change --key-file ringwork-data.key --to-passphrase-file pass.txt"
    )]
    Change {
        /// What opens the seal now
        #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
        key_file: Option<PathBuf>,
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// What is to open it from now on; a key file that does not exist is made
        #[arg(long, value_name = "FILE", conflicts_with = "to_passphrase_file")]
        to_key_file: Option<PathBuf>,
        #[arg(long, value_name = "FILE")]
        to_passphrase_file: Option<PathBuf>,
    },
}

#[derive(Args)]
#[command(
    after_help = "Examples:\n  ringwork snapshot save before\n  ringwork snapshot load before --data again\n  ringwork serve --memory --from before"
)]
pub(crate) struct Snapshot {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(subcommand)]
    pub(crate) change: SnapshotChange,
}

#[derive(Subcommand)]
pub(crate) enum SnapshotChange {
    /// Save the running server's state into a new folder, with a key file of its own beside it
    Save { to: PathBuf },
    /// Make the data folder (--data) from a saved state; it must not exist yet
    Load { from: PathBuf },
}

/// An unknown `RINGWORK_` variable refuses the start: a misspelt one would be ignored in silence.
///
/// # Errors
/// Names the variable.
pub(crate) fn refuse_unknown_variables() -> Result<(), Error> {
    const KNOWN: [&str; 14] = [
        "RINGWORK_DATA",
        "RINGWORK_LISTEN",
        "RINGWORK_ACCOUNT",
        "RINGWORK_ROOT_CREDENTIALS",
        "RINGWORK_SEAL_KEY_FILE",
        "RINGWORK_SEAL_PASSPHRASE_FILE",
        "RINGWORK_SEED",
        "RINGWORK_CLOCK_CONTROL",
        "RINGWORK_UNCONFINED_FUNCTIONS",
        "RINGWORK_NAMES",
        "RINGWORK_CONTENTS",
        "RINGWORK_NO_CONSOLE",
        // What `ringwork env` exports: a server that starts in such a shell has one of its own.
        "RINGWORK_CONSOLE_URL",
        "RINGWORK_REQUEST_QUOTAS",
    ];
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("RINGWORK_")) else {
            continue;
        };
        if !KNOWN.contains(&name) {
            return Err(Error::Usage(format!(
                "the environment variable {name} is unknown; known are {}",
                KNOWN.join(", ")
            )));
        }
    }
    Ok(())
}
