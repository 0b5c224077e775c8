//! Instances that really run, where this machine allows it: this very program is their agent.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crypto::Secret;
use parking_lot::Mutex;
use pipeline::instances::{
    Attendant, Delivery, Doing, Done, Ending, Failure, InstanceRef, Instances as _, Launch, Profile,
    RoleCredentials, Task,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wire::Timestamp;

use super::metadata::tests::metadata;
use super::{Agent, Machines};
use crate::functions::Endpoint;

mod quota;

const ID: &str = "i-0123456789abcdef0";

/// Not a test: what instances of the tests run first.
#[test]
fn agent_of_the_tests() {
    if Path::new("/.instance/link/control").exists() {
        let ended = super::run_agent();
        let code = [0_u8, super::agent::REBOOTS]
            .into_iter()
            .find(|code| std::process::ExitCode::from(*code) == ended);
        std::process::exit(code.map_or(1, i32::from));
    }
}

#[derive(Default)]
struct Attends {
    ended: Mutex<Vec<Ending>>,
}

impl Attendant for Attends {
    fn profile<'a>(
        &'a self,
        _: &'a InstanceRef,
        _: Delivery,
    ) -> Doing<'a, pipeline::Result<Option<Profile>>> {
        Box::pin(async {
            Ok(Some(Profile {
                arn: "arn:aws:iam::111122223333:instance-profile/web".to_owned(),
                id: "AIPAEXAMPLE".to_owned(),
                role_name: Some("reads".to_owned()),
                last_updated: Timestamp(0),
                issued: Ok(RoleCredentials {
                    access_key_id: "ASIAEXAMPLE".to_owned(),
                    secret_access_key: Secret::from("secret"),
                    session_token: Secret::from("token"),
                    expiration: Timestamp(1_700_021_600_000),
                }),
            }))
        })
    }

    fn ended<'a>(&'a self, _: &'a InstanceRef, ending: Ending) -> Doing<'a, ()> {
        self.ended.lock().push(ending);
        Box::pin(async {})
    }
}

/// A runner in a folder of its own, which goes away.
struct Place {
    machines: Machines,
    attends: Arc<Attends>,
    folder: PathBuf,
    _whole: Option<tempfile::TempDir>,
}

impl Place {
    /// `None` where this machine runs no instances, which is said.
    fn new() -> Option<Self> {
        let whole = tempfile::tempdir().unwrap();
        let place = Self::at(whole.path().join("instances"));
        if let Some(lacking) = place.machines.lacks() {
            eprintln!("skipped: {lacking}");
            return None;
        }
        Some(Self {
            _whole: Some(whole),
            ..place
        })
    }

    fn at(folder: PathBuf) -> Self {
        let agent = Agent {
            program: std::env::current_exe().unwrap(),
            arguments: ["--exact", "instances::tests::agent_of_the_tests", "--nocapture"]
                .map(OsString::from)
                .to_vec(),
        };
        let machines = Machines::open(&folder, agent).unwrap();
        let attends = Arc::new(Attends::default());
        machines.attend(Arc::clone(&attends) as Arc<dyn Attendant>);
        Self {
            machines,
            attends,
            folder,
            _whole: None,
        }
    }

    async fn start(&self, boot: u64, script: &str, change: impl FnOnce(&mut Launch)) {
        let mut launch = launch(boot, script);
        change(&mut launch);
        let done = self.machines.perform(&Task::Start(Box::new(launch))).await;
        assert!(matches!(done, Ok(Done::Well)), "{done:?} {}", self.console());
    }

    async fn stop(&self, boot: u64) -> Bytes {
        let task = Task::Stop {
            instance: instance(boot),
            force: false,
        };
        match self.machines.perform(&task).await {
            Ok(Done::Disk(disk)) => disk,
            other => panic!("{other:?}"),
        }
    }

    fn console(&self) -> String {
        let console = self
            .machines
            .console(ID)
            .map(|(bytes, _)| bytes)
            .unwrap_or_default();
        String::from_utf8_lossy(&console).into_owned()
    }

    async fn says(&self, words: &str) {
        let said = async {
            while !self.console().contains(words) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let said = tokio::time::timeout(Duration::from_secs(30), said).await;
        assert!(said.is_ok(), "it never said {words:?}: {}", self.console());
    }

    /// Processes that were started in the folder.
    fn processes(&self) -> usize {
        let mark = format!("{}/", self.folder.canonicalize().unwrap().display());
        let all = std::fs::read_dir("/proc").unwrap().flatten();
        all.filter(|process| {
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mark)
        })
        .count()
    }
}

fn instance(boot: u64) -> InstanceRef {
    InstanceRef {
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        instance_id: ID.to_owned(),
        boot,
    }
}

fn launch(boot: u64, script: &str) -> Launch {
    Launch {
        instance: instance(boot),
        vcpus: 1,
        memory_mib: 1024,
        disk: None,
        resume: false,
        user_data: Some(Secret::from(script)),
        first: boot == 1,
        metadata: metadata(),
        now: Timestamp(1_700_000_000_000),
    }
}

/// S1.13
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_gets_its_roles_keys_by_a_session_and_by_nothing_else() {
    let Some(place) = Place::new() else { return };
    let script = r#"#!/usr/bin/python3
import json, urllib.error, urllib.request
BASE = "http://169.254.169.254/latest/"
def get(path, method="GET", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return urllib.request.urlopen(urllib.request.Request(BASE + path, method=method, headers=headers), timeout=5).read().decode()
keys = "meta-data/iam/security-credentials/"
try:
    get(keys)
except urllib.error.HTTPError as error:
    print("without a token:", error.code)
token = get("api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
role = get(keys, X_aws_ec2_metadata_token=token)
print("role:", role, json.loads(get(keys + role, X_aws_ec2_metadata_token=token))["AccessKeyId"])
print("finished", flush=True)
"#;
    place.start(1, script, |_| {}).await;
    place.says("finished").await;
    let console = place.console();
    assert!(console.contains("without a token: 401\n"), "{console}");
    assert!(console.contains("role: reads ASIAEXAMPLE\n"), "{console}");
    place.machines.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_sees_its_own_disk_processes_and_network_alone() {
    let Some(place) = Place::new() else { return };
    let secret = place.folder.with_file_name("secret");
    std::fs::write(&secret, "x").unwrap();
    let script = format!(
        r#"#!/bin/sh
echo "id: $(id -u) $(hostname) $HOME"
test -e {secret} || echo "secret: hidden"
test -e {folder} || echo "folder: hidden"
ls /home /opt /srv | grep . | tr '\n' ' '
echo "first: $(tr '\0' ' ' </proc/1/cmdline | cut -d' ' -f1)"
echo "addresses: $(ip -o address | awk '{{print $4}}' | sort | tr '\n' ' ')"
echo "routes: $(ip route | wc -l)"
(echo x >/usr/x) 2>/dev/null || echo "usr: read-only"
(: >/.instance/link/ca.pem) 2>/dev/null || echo "link: read-only"
(echo 1 >/proc/sys/kernel/core_pattern) 2>/dev/null || echo "kernel: read-only"
mount -t tmpfs none /mnt 2>/dev/null || echo "mount: refused"
echo to-the-console >/dev/console
echo "processors: $(nproc)"
echo finished
"#,
        secret = secret.display(),
        folder = place.folder.display(),
    );
    place.start(1, &script, |_| {}).await;
    place.says("finished").await;
    place.says("User data ended well.").await;
    place.says("to-the-console").await;
    let console = place.console();
    for line in [
        "id: 0 ip-172-31-0-5 /root\n",
        "secret: hidden\n",
        "folder: hidden\n",
        "first: /.instance/agent\n",
        "addresses: 127.0.0.1/8 169.254.169.254/32 ::1/128 \n",
        "routes: 0\n",
        "usr: read-only\n",
        "link: read-only\n",
        "kernel: read-only\n",
        "mount: refused\n",
        "processors: 1\n",
    ] {
        assert!(console.contains(line), "{line:?} is not in {console}");
    }
    place.machines.stop().await;
    assert_eq!(place.processes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_outlives_stops_and_becomes_that_of_an_image() {
    let Some(place) = Place::new() else { return };
    let script = "#!/bin/sh\necho kept >/srv/file\nln -s /etc/shadow /srv/link\nmkdir -m 0500 /srv/closed\n\
                  truncate -s 100M /var/sparse\nchmod 4755 /srv/file\nmkfifo /tmp/pipe\necho finished\nsleep 1000\n";
    place.start(1, script, |_| {}).await;
    place.says("finished").await;
    let taken = place
        .machines
        .perform(&Task::Snapshot {
            instance: instance(1),
            still: false,
        })
        .await;
    let Ok(Done::Disk(image)) = taken else {
        panic!("{taken:?}")
    };
    assert!(image.len() < 1 << 20, "sparse stays sparse: {}", image.len());
    let disk = place.stop(1).await;
    assert_eq!(place.processes(), 0);
    for (boot, tar) in [(2, disk), (3, image)] {
        let script = "#!/bin/sh\ncat /srv/file\nreadlink /srv/link\nstat -c '%a %u %s' /srv/file /srv/closed /var/sparse\ngrep -c root /etc/passwd\necho finished\n";
        place
            .start(boot, script, |launch| {
                launch.disk = Some(tar);
                launch.first = true;
            })
            .await;
        place.says("finished").await;
        let console = place.console();
        for line in ["kept\n/etc/shadow\n", "4755 0 5\n", "500 0 ", "644 0 104857600\n"] {
            assert!(console.contains(line), "{line:?} is not in {console}");
        }
        place.stop(boot).await;
    }
    place
        .start(4, "#!/bin/sh\nls /srv/file\n", |launch| launch.resume = true)
        .await;
    let terminated = place
        .machines
        .perform(&Task::Terminate {
            instance: instance(4),
            force: false,
        })
        .await;
    assert!(matches!(terminated, Ok(Done::Well)), "{terminated:?}");
    assert!(!place.folder.join(ID).exists());
    let gone = place
        .machines
        .perform(&Task::Stop {
            instance: instance(4),
            force: false,
        })
        .await;
    assert_eq!(gone.unwrap_err(), Failure::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_disk_leads_nowhere() {
    let Some(place) = Place::new() else { return };
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "whole").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("etc")).unwrap();
    std::os::unix::fs::symlink(outside.path(), at("etc/ssl")).unwrap();
    std::os::unix::fs::symlink(&victim, at("etc/environment")).unwrap();
    std::os::unix::fs::symlink(outside.path(), at("var")).unwrap();
    let packed = std::process::Command::new("tar")
        .arg("-C")
        .arg(folder.path())
        .args(["-c", "etc", "var"])
        .output()
        .unwrap();
    let launch = Launch {
        disk: Some(packed.stdout.into()),
        ..launch(1, "#!/bin/sh\necho x >/etc/environment\necho finished")
    };
    // Whether it is refused or starts, nothing outside changes.
    let done = place.machines.perform(&Task::Start(Box::new(launch))).await;
    if done.is_ok() {
        place.says("finished").await;
    }
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "whole");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    place.machines.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_shuts_itself_down_and_reboots_itself() {
    let Some(place) = Place::new() else { return };
    place
        .start(1, "#!/bin/sh\necho $$ >/srv/pid\necho begun\nreboot\n", |_| {})
        .await;
    place.says("Rebooting.").await;
    let up = async {
        while place.console().matches("is up.").count() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), up).await.unwrap();
    assert_eq!(
        place.console().matches("begun\n").count(),
        1,
        "user data runs once"
    );
    assert!(place.attends.ended.lock().is_empty());
    place.stop(1).await;
    place
        .start(2, "#!/bin/sh\nshutdown -h now\n", |launch| launch.first = true)
        .await;
    place.says("Powered off.").await;
    let told = async {
        while place.attends.ended.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
    assert_eq!(*place.attends.ended.lock(), [Ending::ShutDown]);
    place.stop(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_much_memory_is_killed() {
    let Some(place) = Place::new() else { return };
    // What is shared with nobody is no less than what can't be shared.
    for (boot, takes) in [(1, "bytearray"), (2, "shared")] {
        let script = format!(
            "#!/bin/sh\npython3 -c '\nimport mmap, time\ndef shared(_):\n  held = mmap.mmap(-1, 300 << 20)\n  \
             for at in range(0, 300 << 20, 4096): held[at] = 1\n  return held\n\
             held = {takes}(b\"x\" * (300 << 20) if \"{takes}\" == \"bytearray\" else b\"\")\ntime.sleep(600)'\necho \"ended: $?\"\n"
        );
        let small = |launch: &mut Launch| (launch.memory_mib, launch.first) = (128, true);
        place.start(boot, &script, small).await;
        place.says("ended: 137").await;
        assert!(place.console().contains("Out of memory"), "{}", place.console());
        place.stop(boot).await;
    }
    place.machines.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_servers_address_reach_the_server() {
    let Some(place) = Place::new() else { return };
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    place.machines.serve_at(Endpoint {
        url: url.clone(),
        authority: None,
    });
    let script = "#!/usr/bin/python3\nimport os, urllib.request\nprint(urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL']).read())\n\
                  print(open('/etc/environment').read(), flush=True)\n";
    place.start(1, script, |_| {}).await;
    let (mut stream, peer) = tokio::time::timeout(Duration::from_secs(30), server.accept())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(place.machines.origins().of(peer).ip().to_string(), "172.31.0.5");
    let mut buffer = [0; 1024];
    assert!(stream.read(&mut buffer).await.unwrap() > 0);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        .await
        .unwrap();
    place.says("hello").await;
    place.says(&format!("AWS_ENDPOINT_URL={url}\n")).await;
    place.machines.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_on_loopback_is_found_at_its_own_address() {
    let Some(place) = Place::new() else { return };
    place.machines.serve_at(Endpoint {
        url: "https://192.0.2.1:4566".to_owned(),
        authority: Some("a certificate\n".to_owned()),
    });
    let script = "#!/bin/sh\nip -o address | grep -c 192.0.2.1/32\ncat $AWS_CA_BUNDLE\ncat /proc/net/tcp | grep -c 010200C0:11D6\necho finished\n";
    place.start(1, script, |_| {}).await;
    place.says("finished").await;
    let console = place.console();
    assert!(console.contains("1\na certificate\n1\nfinished"), "{console}");
    place.machines.stop().await;
}

/// What a stop gave is there until somebody says that it is kept, whatever becomes of the server meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_was_given_is_given_again_until_it_is_kept() {
    let Some(place) = Place::new() else { return };
    place
        .start(1, "#!/bin/sh\necho kept >/srv/file\necho finished\n", |_| {})
        .await;
    place.says("finished").await;
    let given = place.stop(1).await;
    let again = Place::at(place.folder.clone());
    assert!(!again.stop(1).await.is_empty());
    again.machines.settled(&instance(1));
    let gone = async {
        while again.folder.join(ID).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    // A fill that broke off is not taken for the disk.
    let broken = Bytes::from(given.slice(..given.len() / 2).to_vec());
    let launch_of = |tar: &Bytes| Launch {
        disk: Some(tar.clone()),
        resume: true,
        first: true,
        ..launch(2, "#!/bin/sh\ncat /srv/file\necho looked\n")
    };
    let task = Task::Start(Box::new(launch_of(&broken)));
    assert!(again.machines.perform(&task).await.is_err());
    let task = Task::Start(Box::new(launch_of(&given)));
    assert!(again.machines.perform(&task).await.is_ok());
    again.says("kept\nlooked").await;
    // The task is done again after a crash: nothing runs twice.
    assert!(again.machines.perform(&task).await.is_ok());
    again.machines.stop().await;
    let third = Place::at(place.folder.clone());
    assert!(third.machines.perform(&task).await.is_ok());
    third.says("is up.").await;
    third.machines.stop().await;
    assert!(!third.console().contains("looked"), "{}", third.console());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_comes_after_the_end_comes_too_late() {
    let Some(place) = Place::new() else { return };
    let end = Task::Terminate {
        instance: instance(1),
        force: false,
    };
    assert!(place.machines.perform(&end).await.is_ok());
    let start = Task::Start(Box::new(launch(1, "#!/bin/sh\n")));
    assert_eq!(
        place.machines.perform(&start).await.unwrap_err(),
        Failure::Unknown
    );
    assert_eq!(place.processes(), 0);
}

/// A crash in the midst of making or removing a disk leaves none.
#[test]
fn a_part_of_a_disk_is_none() {
    let whole = tempfile::tempdir().unwrap();
    let folder = whole.path().join("instances");
    let at = |name: &str| folder.join(name);
    std::fs::create_dir_all(at("i-0123456789abcdef1/disk/etc")).unwrap();
    std::fs::create_dir_all(at("going-0-i-0123456789abcdef2/disk/root")).unwrap();
    std::fs::create_dir_all(at("i-0123456789abcdef3/disk/root")).unwrap();
    let _place = Place::at(folder.clone());
    assert!(!at("i-0123456789abcdef1").exists());
    assert!(!at("going-0-i-0123456789abcdef2").exists());
    assert!(at("i-0123456789abcdef3").exists());
}

/// A program that builds or leaves the view may do more than the instance: it must not load what the disk's `/etc` names.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_disk_has_programs_load_runs_with_the_instances_rights_alone() {
    let Some(place) = Place::new() else { return };
    if !std::process::Command::new("cc")
        .arg("--version")
        .output()
        .is_ok_and(|told| told.status.success())
    {
        eprintln!("skipped: this host has no C compiler");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["etc", "srv", "opt"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    let code = r#"#include <stdio.h>
__attribute__((constructor)) static void loaded(void) {
  char line[256]; FILE *status = fopen("/proc/self/status", "r"), *out = fopen("/srv/loaded", "a");
  if (!out) out = fopen("/disk/srv/loaded", "a");
  while (status && out && fgets(line, sizeof line, status)) {
    unsigned long long all; if (sscanf(line, "CapBnd: %llx", &all) == 1) fprintf(out, "%d\n", (int)(all >> 21 & 1));
  }
  if (out) fclose(out);
}
"#;
    std::fs::write(at("opt/l.c"), code).unwrap();
    let made = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([at("opt/l.so"), at("opt/l.c")])
        .status();
    assert!(made.unwrap().success());
    std::fs::write(at("etc/ld.so.preload"), "/opt/l.so\n/disk/opt/l.so\n").unwrap();
    let packed = std::process::Command::new("tar")
        .arg("-C")
        .arg(folder.path())
        .args(["-c", "etc", "srv", "opt"])
        .output();
    let packed = packed.unwrap().stdout;
    let script =
        "#!/bin/sh\nsleep 0.1\necho \"with: $(sort -u /srv/loaded | tr '\\n' ' ')\"\necho finished\n";
    let disk = Bytes::from(packed);
    place.start(1, script, |launch| launch.disk = Some(disk)).await;
    place.says("finished").await;
    // It is loaded where it should be, and nowhere with the right to mount (`CAP_SYS_ADMIN`).
    assert!(place.console().contains("with: 0 \n"), "{}", place.console());
    let taken = place.stop(1).await;
    let text = String::from_utf8_lossy(&taken);
    assert!(text.contains("srv/loaded"));
    let loaded = std::fs::read_to_string(place.folder.join(ID).join("disk/srv/loaded")).unwrap();
    assert!(!loaded.contains('1'), "{loaded}");
}

/// A reset of the cloud forgets instances, whatever is on its way to start them.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_comes_after_its_instance_was_forgotten_starts_nothing() {
    let whole = tempfile::tempdir().unwrap();
    let place = Place::at(whole.path().join("instances"));
    place.machines.forget(ID);
    let start = Task::Start(Box::new(launch(1, "#!/bin/sh\nsleep 1000\n")));
    let done = place.machines.perform(&start).await;
    assert!(matches!(done, Err(Failure::Unknown)), "{done:?}");
    assert_eq!(place.processes(), 0);
    assert!(!place.folder.join(ID).exists());
    place.machines.stop().await;
}
