//! The instances that there are, and what is done with them.
//!
//! Invariants: a disk stays until whoever keeps it says that it is kept, or its instance is terminated or forgotten; it goes at once, so
//! that nobody takes a part of one for the whole. What was told to end does not start.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pipeline::instances::{Attendant, Done, Ending, Failure, InstanceRef, Launch, Metadata, Outturn, Task};
use tokio::time::timeout;
use wire::Timestamp;

use super::console::Console;
use super::machine::{Machine, Order, is_id, unable};
use super::quota::{self, Bounds};
use super::view::View;
use super::{Agent, disk};
use crate::functions::Endpoint;
use crate::jail::{self, family, users};
use crate::origins::Origins;

/// Instances that run at a time.
const RUNNING_MAX: usize = 64;
/// What the names of folders begin with that are being removed.
const GOING: &str = "going-";
/// Time for all instances to shut down.
const STOP_TIME: Duration = Duration::from_secs(10);

/// The runner's own state.
pub(super) struct Runner {
    pub(super) folder: PathBuf,
    agent: Agent,
    view: OnceLock<Result<View, String>>,
    pub(super) endpoint: Mutex<Option<Endpoint>>,
    pub(super) origins: Origins,
    /// What each instance may hold on the disk.
    pub(super) bounds: Mutex<Bounds>,
    pub(super) attendant: OnceLock<Arc<dyn Attendant>>,
    machines: Mutex<HashMap<String, Arc<Machine>>>,
    /// Instances that were told to end, until they are forgotten, and those that were forgotten without having been told to end: a start
    /// that was on its way comes too late.
    terminated: Mutex<HashSet<String>>,
    stopping: Mutex<bool>,
}

impl Runner {
    pub(super) fn open(folder: &Path, agent: Agent) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let folder = folder.canonicalize()?;
        family::sweep(&folder);
        let root = users::is_root_of_the_host();
        if root {
            let first = users::first(users::INSTANCES, &folder);
            family::sweep_users(first..first + users::BLOCK);
        }
        let mut machines = HashMap::new();
        for entry in fs::read_dir(&folder)? {
            let Ok(name) = entry?.file_name().into_string() else {
                continue;
            };
            if name.starts_with(GOING) {
                jail::remove(&folder.join(name))?;
                continue;
            }
            if !is_id(&name) {
                continue;
            }
            let mut machine = Machine::new(&folder, &name, None);
            let Some(owner) = machine.places.owner() else {
                // A disk that was never finished. It tells no user, and without one it would be the server's.
                jail::remove(&machine.places.folder)?;
                continue;
            };
            machine.user = root.then_some(owner);
            machines.insert(name, Arc::new(machine));
        }
        Ok(Self {
            folder,
            agent,
            view: OnceLock::new(),
            endpoint: Mutex::default(),
            origins: Origins::default(),
            bounds: Mutex::new(quota::STANDARD),
            attendant: OnceLock::new(),
            machines: Mutex::new(machines),
            terminated: Mutex::default(),
            stopping: Mutex::new(false),
        })
    }

    pub(super) fn serve_at(&self, endpoint: Endpoint) {
        *self.endpoint.lock() = Some(endpoint);
    }

    pub(super) fn attend(&self, attendant: Arc<dyn Attendant>) {
        let _ = self.attendant.set(attendant);
    }

    /// Found out when it is asked for first: a server that runs no instances spends nothing on it.
    pub(super) fn view(&self) -> Result<&View, String> {
        let found = self
            .view
            .get_or_init(|| View::found(&self.folder, self.agent.clone()));
        found.as_ref().map_err(|lacking| format!("{lacking}."))
    }

    pub(super) fn lacks(&self) -> Option<String> {
        self.view().err()
    }

    pub(super) fn console(&self, instance_id: &str) -> Option<(Bytes, Timestamp)> {
        let machine = self.known(instance_id)?;
        let console = machine.console.lock();
        console.as_ref().map(Console::read)
    }

    pub(super) fn update(&self, instance: &InstanceRef, metadata: Metadata) {
        let service = self.known(&instance.instance_id);
        let service = service.and_then(|machine| machine.service.lock().clone());
        if let Some(service) = service {
            service.update(metadata);
        }
    }

    pub(super) fn forget(self: &Arc<Self>, instance_id: &str) {
        {
            let mut terminated = self.terminated.lock();
            // What ended in order is not started by anybody; what is given up may be on its way, and its id is never used again.
            if !terminated.remove(instance_id) {
                terminated.insert(instance_id.to_owned());
            }
        }
        let Some(machine) = self.machines.lock().remove(instance_id) else {
            return;
        };
        tokio::spawn(async move {
            let mut turn = machine.turn.lock().await;
            if let Some(mut run) = turn.take() {
                run.end(Order::Kill).await;
            }
            remove(&machine).await
        });
    }

    pub(super) fn settled(&self, instance: &InstanceRef) {
        let Some(machine) = self.known(&instance.instance_id) else {
            return;
        };
        // Who has the turn starts it anew or ends it, and sees to its files.
        if let Ok(turn) = machine.turn.try_lock()
            && turn.is_none()
            && machine.places.is_given()
            && let Ok(Some(going)) = put_aside(&machine)
        {
            tokio::task::spawn_blocking(move || jail::remove(&going));
        }
    }

    pub(super) fn known(&self, instance_id: &str) -> Option<Arc<Machine>> {
        self.machines.lock().get(instance_id).map(Arc::clone)
    }

    fn known_or_new(&self, instance_id: &str) -> Result<Arc<Machine>, Failure> {
        if !is_id(instance_id) {
            return Err(Failure::Unknown);
        }
        let view = self.view().map_err(unable)?;
        let mut machines = self.machines.lock();
        if let Some(known) = machines.get(instance_id) {
            return Ok(Arc::clone(known));
        }
        let taken: HashSet<Option<u32>> = machines.values().map(|machine| machine.user).collect();
        let mut users = (1..users::BLOCK).map(|number| view.user(number));
        let user = users.find(|user| user.is_none() || !taken.contains(user));
        let user =
            user.ok_or_else(|| unable("This host has no user left for another instance.".to_owned()))?;
        let machine = Arc::new(Machine::new(&self.folder, instance_id, user));
        machines.insert(instance_id.to_owned(), Arc::clone(&machine));
        Ok(machine)
    }

    /// Refuses to start what was told to end meanwhile.
    fn expect_wanted(&self, launch: &Launch) -> Result<(), Failure> {
        if self.terminated.lock().contains(&launch.instance.instance_id) {
            return Err(Failure::Unknown);
        }
        Ok(())
    }

    /// Refuses one instance more than this host takes.
    fn expect_room(&self) -> Result<(), Failure> {
        let machines = self.machines.lock();
        let running = |machine: &&Arc<Machine>| machine.service.lock().is_some();
        if machines.values().filter(running).count() < RUNNING_MAX {
            return Ok(());
        }
        let what = format!("This host runs {RUNNING_MAX} instances already, which is as many as it takes.");
        Err(unable(what))
    }

    pub(super) async fn perform(self: &Arc<Self>, task: &Task) -> Outturn {
        if *self.stopping.lock() {
            return Err(Failure::Refused);
        }
        match task {
            Task::Start(launch) => self.start(launch).await,
            Task::Stop { instance, force } => self.stop_one(instance, *force).await,
            Task::Terminate { instance, force } => self.terminate(instance, *force).await,
            Task::Reboot { instance } => self.reboot(instance).await,
            Task::Snapshot { instance, still } => self.snapshot(instance, *still).await,
        }
    }

    async fn start(self: &Arc<Self>, launch: &Launch) -> Outturn {
        self.expect_wanted(launch)?;
        let runner = Arc::clone(self);
        // Trying a view blocks, once.
        let tried = tokio::task::spawn_blocking(move || runner.lacks()).await;
        if let Some(what) = tried.map_err(|_| Failure::Refused)? {
            return Err(unable(what));
        }
        let machine = self.known_or_new(&launch.instance.instance_id)?;
        let mut turn = machine.turn.lock().await;
        self.expect_wanted(launch)?;
        if let Some(run) = turn.as_mut() {
            if run.is_of(&launch.instance) && !run.has_ended() {
                return Ok(Done::Well);
            }
            run.end(Order::Kill).await;
        }
        *turn = None;
        self.expect_room()?;
        *machine.console.lock() = Some(Console::new(launch.now));
        self.lay(&machine, launch).await?;
        quota::begin(self, &machine).await;
        let launch = Arc::new(Launch {
            disk: None,
            ..launch.clone()
        });
        // Only once for a disk, though the task may be done again after a crash.
        let first = launch.first && !machine.places.is_begun();
        *turn = Some(self.boot(&machine, &launch, first).await?);
        machine.places.set_begun().map_err(|error| disk::failed(&error))?;
        Ok(Done::Well)
    }

    /// Makes the disk, unless the one that is there is to be used.
    async fn lay(&self, machine: &Machine, launch: &Launch) -> Result<(), Failure> {
        let failed = |error: io::Error| disk::failed(&error);
        let view = self.view().map_err(unable)?;
        let places = &machine.places;
        // What was never given to anybody is all that there is of it, `launch.resume` or not.
        if places.owner().is_some() && !places.is_given() {
            return Ok(());
        }
        remove(machine).await.map_err(failed)?;
        places.make(machine.user).map_err(failed)?;
        let Some(tar) = launch.disk.as_ref().filter(|tar| !tar.is_empty()) else {
            return Ok(());
        };
        // Until it is whole, it is not what there is of it.
        places.set_given(true).map_err(failed)?;
        disk::fill(view, places, machine.user, tar).await?;
        places.set_given(false).map_err(failed)
    }

    /// The instance, if it has a disk here.
    fn present(&self, instance: &InstanceRef) -> Result<Arc<Machine>, Failure> {
        let machine = self.known(&instance.instance_id);
        machine
            .filter(|machine| machine.places.owner().is_some())
            .ok_or(Failure::Unknown)
    }

    async fn stop_one(self: &Arc<Self>, instance: &InstanceRef, force: bool) -> Outturn {
        let machine = self.present(instance)?;
        let mut turn = machine.turn.lock().await;
        if let Some(mut run) = turn.take() {
            run.end(if force { Order::Kill } else { Order::Stop }).await;
        }
        let view = self.view().map_err(unable)?;
        let taken = disk::take(view, &machine.places, machine.user).await?;
        machine
            .places
            .set_given(true)
            .map_err(|error| disk::failed(&error))?;
        Ok(Done::Disk(taken))
    }

    async fn terminate(&self, instance: &InstanceRef, force: bool) -> Outturn {
        self.terminated.lock().insert(instance.instance_id.clone());
        // What is not here any more is gone, which is what was asked for.
        let Some(machine) = self.known(&instance.instance_id) else {
            return Ok(Done::Well);
        };
        let mut turn = machine.turn.lock().await;
        if let Some(mut run) = turn.take() {
            run.end(if force { Order::Kill } else { Order::Stop }).await;
        }
        remove(&machine).await.map_err(|error| disk::failed(&error))?;
        Ok(Done::Well)
    }

    async fn reboot(self: &Arc<Self>, instance: &InstanceRef) -> Outturn {
        let machine = self.present(instance)?;
        let mut turn = machine.turn.lock().await;
        let mut run = turn.take().ok_or(Failure::Unknown)?;
        run.end(Order::Stop).await;
        *turn = Some(self.boot(&machine, &run.launch, false).await?);
        Ok(Done::Well)
    }

    async fn snapshot(self: &Arc<Self>, instance: &InstanceRef, still: bool) -> Outturn {
        let machine = self.present(instance)?;
        let view = self.view().map_err(unable)?;
        let mut turn = machine.turn.lock().await;
        let still = still && turn.as_ref().is_some_and(|run| !run.has_ended());
        let mut stopped = None;
        if still && let Some(mut run) = turn.take() {
            run.end(Order::Stop).await;
            stopped = Some(run);
        }
        let taken = disk::take(view, &machine.places, machine.user).await;
        if let Some(run) = stopped {
            match self.boot(&machine, &run.launch, false).await {
                Ok(run) => *turn = Some(run),
                Err(failure) => {
                    drop(turn);
                    self.not_again(&run.launch.instance, &failure).await;
                }
            }
        }
        taken.map(Done::Disk)
    }

    /// Tells that an instance that was to go on could not be started again.
    async fn not_again(&self, instance: &InstanceRef, failure: &Failure) {
        let reason = format!("The instance could not be started again: {failure:?}.");
        if let Some(attendant) = self.attendant.get() {
            attendant.ended(instance, Ending::Failed { reason }).await;
        }
    }

    /// A run ended without having been told to.
    pub(super) async fn ended_by_itself(
        self: Arc<Self>,
        machine: Arc<Machine>,
        launch: Arc<Launch>,
        ending: Ended,
    ) {
        let mut turn = machine.turn.lock().await;
        // Somebody else may have begun another one meanwhile.
        if !turn
            .as_ref()
            .is_some_and(|run| Arc::ptr_eq(&run.launch, &launch) && run.has_ended())
        {
            return;
        }
        let ending = match ending {
            Ended::Rebooting => match self.boot(&machine, &launch, false).await {
                Ok(run) => {
                    *turn = Some(run);
                    return;
                }
                Err(failure) => Ending::Failed {
                    reason: format!("The instance could not be started again: {failure:?}."),
                },
            },
            Ended::ShutDown => Ending::ShutDown,
            Ended::Failed(reason) => Ending::Failed { reason },
        };
        drop(turn);
        if let Some(attendant) = self.attendant.get() {
            attendant.ended(&launch.instance, ending).await;
        }
    }

    pub(super) async fn stop(&self) {
        *self.stopping.lock() = true;
        let machines: Vec<Arc<Machine>> = self.machines.lock().values().map(Arc::clone).collect();
        let ends = machines.into_iter().map(|machine| async move {
            let mut turn = machine.turn.lock().await;
            let Some(mut run) = turn.take() else { return };
            if timeout(STOP_TIME, run.end(Order::Stop)).await.is_err() {
                run.end(Order::Kill).await;
            }
        });
        futures_util::future::join_all(ends).await;
    }
}

/// How a run ended by itself.
pub(super) enum Ended {
    Rebooting,
    ShutDown,
    Failed(String),
}

/// Removes an instance's files, none of which is in use.
async fn remove(machine: &Machine) -> io::Result<()> {
    let Some(going) = put_aside(machine)? else {
        return Ok(());
    };
    let removed = tokio::task::spawn_blocking(move || jail::remove(&going)).await;
    removed.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Gives an instance's folder another name under which it is gone, also for a server that comes after a crash: a folder of which a part
/// was removed looks like a whole one.
fn put_aside(machine: &Machine) -> io::Result<Option<PathBuf>> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = &machine.places.folder;
    let mut name = OsString::from(GOING);
    name.push(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
    name.push("-");
    name.push(folder.file_name().unwrap_or_default());
    let going = folder.with_file_name(name);
    match fs::rename(folder, &going) {
        Ok(()) => Ok(Some(going)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
