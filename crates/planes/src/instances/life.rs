//! What goes on while an instance runs: its console is read, its memory and its disk are watched, it is told to end or ends by itself.
//!
//! Invariant: when the end of a run is told, none of its processes is left.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Weak};
use std::time::Duration;

use pipeline::instances::Launch;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::agent::{REBOOTS, STOP};
use super::boot::read_some;
use super::machine::{Machine, Order};
use super::quota;
use super::runner::{Ended, Runner};
use crate::jail::family;

/// How often the memory of an instance is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Time for an instance to shut down; its agent takes less.
const SHUTDOWN_TIME: Duration = Duration::from_secs(20);
/// Time for what is left of the console's output.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What the task of a run owns.
pub(super) struct Life {
    pub(super) runner: Weak<Runner>,
    pub(super) machine: Arc<Machine>,
    pub(super) launch: Arc<Launch>,
    pub(super) child: Child,
    pub(super) pid: Pid,
    /// The first process ends when this is closed.
    pub(super) control: Option<(BufReader<OwnedReadHalf>, OwnedWriteHalf)>,
    pub(super) serving: JoinSet<()>,
}

impl Life {
    /// Until the run has ended.
    pub(super) async fn live(mut self, mut orders: mpsc::UnboundedReceiver<Order>, end: watch::Sender<bool>) {
        let mut asked = false;
        let mut deadline = None;
        let mut look = Instant::now() + LOOK;
        let mut out = self.child.stdout.take();
        let mut buffer = [0; 8192];
        let weighing = quota::watch(self.runner.clone(), Arc::clone(&self.machine), self.pid);
        let mut weighing = std::pin::pin!(weighing);
        let mut too_much = None;
        let status = loop {
            tokio::select! {
                biased;
                status = self.child.wait() => break status.ok(),
                order = orders.recv() => {
                    asked = true;
                    match order {
                        Some(Order::Stop) if deadline.is_none() => {
                            deadline = Some(Instant::now() + SHUTDOWN_TIME);
                            self.tell_to_stop().await;
                        }
                        Some(Order::Stop) => {}
                        Some(Order::Kill) | None => break self.kill().await,
                    }
                }
                () = sleep_until(deadline.unwrap_or(look)), if deadline.is_some() => break self.kill().await,
                reason = &mut weighing => {
                    self.machine.wrote(format!("Out of disk: the instance was ended. {reason}\n").as_bytes());
                    too_much = Some(reason);
                    break self.kill().await;
                }
                () = sleep_until(look) => {
                    self.watch_memory();
                    look = Instant::now() + LOOK;
                }
                count = read_some(out.as_mut(), &mut buffer), if out.is_some() => match count {
                    Some(count) => self.machine.wrote(buffer.get(..count).unwrap_or_default()),
                    None => out = None,
                },
            }
        };
        family::kill(self.pid, self.machine.user, &self.machine.places.folder);
        let rest = async {
            while let Some(count) = read_some(out.as_mut(), &mut buffer).await {
                self.machine.wrote(buffer.get(..count).unwrap_or_default());
            }
        };
        let _ = timeout(DRAIN_TIME, rest).await;
        self.serving.shutdown().await;
        *self.machine.service.lock() = None;
        end.send_replace(true);
        if let Some(runner) = self.runner.upgrade().filter(|_| !asked) {
            runner
                .ended_by_itself(
                    self.machine,
                    self.launch,
                    too_much.map_or_else(|| how(status), Ended::Failed),
                )
                .await;
        }
    }

    async fn tell_to_stop(&mut self) {
        if let Some((_, control)) = &mut self.control {
            let _ = control.write_all(format!("{STOP}\n").as_bytes()).await;
        }
    }

    async fn kill(&mut self) -> Option<ExitStatus> {
        family::kill(self.pid, self.machine.user, &self.machine.places.folder);
        self.child.wait().await.ok()
    }

    /// Ends the process that takes most, if all together take more than the instance has.
    fn watch_memory(&self) {
        let most = u64::from(self.launch.memory_mib) << 20;
        if family::resident(self.pid) <= most {
            return;
        }
        if let Some((pid, bytes)) = family::heaviest(self.pid) {
            let words = format!(
                "Out of memory: a process that held {} MiB of the instance's {} MiB was killed.\n",
                bytes >> 20,
                self.launch.memory_mib
            );
            self.machine.wrote(words.as_bytes());
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn how(status: Option<ExitStatus>) -> Ended {
    let Some(status) = status else {
        return Ended::Failed("What became of its first process is not known.".to_owned());
    };
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::ShutDown,
        (Some(code), _) if code == i32::from(REBOOTS) => Ended::Rebooting,
        (Some(code), _) => Ended::Failed(format!("Its first process ended with {code}.")),
        (None, signal) => Ended::Failed(format!(
            "Its first process was killed by signal {}.",
            signal.unwrap_or_default()
        )),
    }
}
