//! What an instance may hold on the disk.

use std::time::Duration;

use pipeline::instances::{Done, Ending, Instances as _, Launch, Task};

use super::super::disk;
use super::{ID, Place, instance};

const THREAD: &str = r#"python3 -c '
import ctypes, os, threading, time
def hold():
    if ctypes.CDLL(None).unshare(0x400): os._exit(1)
    file = os.open("/var/large", os.O_RDWR | os.O_CREAT)
    os.unlink("/var/large")
    for _ in range(32): os.write(file, bytes(1 << 20))
    time.sleep(600)
threading.Thread(target=hold).start()
'"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_holds_too_much_of_the_disk_is_ended_however_it_holds_it() {
    let Some(place) = Place::new() else { return };
    place.machines.0.bounds.lock().bytes = 16 << 20;
    let ways = [
        "dd if=/dev/zero of=/var/large bs=1M count=32 2>/dev/null",
        // Open, and without a name.
        "exec 9>/var/large; rm /var/large; dd if=/dev/zero bs=1M count=32 >&9 2>/dev/null",
        // In a folder that nobody may list.
        "mkdir /var/closed; chmod 000 /var/closed; dd if=/dev/zero of=/var/closed/large bs=1M count=32 2>/dev/null",
        // Open and without a name, in a thread that shares its descriptors with no other.
        THREAD,
    ];
    for (boot, way) in (1..).zip(ways) {
        let script = format!("#!/bin/sh\n{way}\necho written\nsleep 600\n");
        place.start(boot, &script, |launch| launch.first = true).await;
        let ended = async {
            while place.attends.ended.lock().len() < usize::try_from(boot).unwrap() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
        assert!(ended.is_ok(), "{way}: {}", place.console());
        let reason = match place.attends.ended.lock().last() {
            Some(Ending::Failed { reason }) => reason.clone(),
            other => panic!("{way}: {other:?}"),
        };
        assert_eq!(reason, "Its disk held more than 16 MiB.", "{way}");
        assert!(place.console().contains("Out of disk"), "{}", place.console());
        assert_eq!(place.processes(), 0);
        let end = Task::Stop {
            instance: instance(boot),
            force: true,
        };
        assert!(matches!(place.machines.perform(&end).await, Ok(Done::Disk(_))));
        place.machines.settled(&instance(boot));
    }
    place.machines.stop().await;
}

/// Or else nobody could make room on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_too_large_already_can_be_started_but_does_not_grow() {
    let Some(place) = Place::new() else { return };
    let script = "#!/bin/sh\ndd if=/dev/zero of=/var/large bs=1M count=32 2>/dev/null\necho written\n";
    place.start(1, script, |_| {}).await;
    place.says("written").await;
    let disk = place.stop(1).await;
    place.machines.settled(&instance(1));
    place.machines.0.bounds.lock().bytes = 16 << 20;
    let script = "#!/bin/sh\nsleep 3\necho still here\nrm /var/large\n";
    let again = |launch: &mut Launch| (launch.disk, launch.first) = (Some(disk), true);
    place.start(2, script, again).await;
    place.says("still here").await;
    assert!(place.attends.ended.lock().is_empty(), "{}", place.console());
    place.machines.stop().await;
}

/// Whatever it writes while it starts up.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_writes_before_it_reboots_is_not_taken_for_what_was_there() {
    let Some(place) = Place::new() else { return };
    let script = "#!/bin/sh\ndd if=/dev/zero of=/var/large bs=1M count=8 2>/dev/null\necho written\n";
    place.start(1, script, |_| {}).await;
    place.says("written").await;
    let machine = place.machines.0.known(ID).unwrap();
    let before = *machine.base.lock();
    assert!(before.is_some());
    let task = Task::Reboot {
        instance: instance(1),
    };
    assert!(place.machines.perform(&task).await.is_ok());
    assert_eq!(*machine.base.lock(), before);
    // It holds more than the bound by now, and less than it held when it was rebooted.
    place.machines.0.bounds.lock().bytes = 4 << 20;
    let ended = async {
        while place.attends.ended.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await;
    assert!(ended.is_ok(), "{}", place.console());
    place.machines.stop().await;
}

/// What is closed to the server is counted by the instance's own root, bytes and names, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_closed_to_the_server_is_weighed_whole_and_in_time() {
    let Some(place) = Place::new() else { return };
    let script = "#!/bin/sh\nmkdir /var/closed\ncd /var/closed\n: >a\nfor n in $(seq 500); do ln a $n; done\n\
                  dd if=/dev/zero of=large bs=1M count=8 2>/dev/null\nchmod 000 .\necho written\n";
    place.start(1, script, |_| {}).await;
    place.says("written").await;
    let machine = place.machines.0.known(ID).unwrap();
    let view = place.machines.0.view().unwrap();
    let weigh = |time| disk::weigh(view, &machine.places, machine.user, time);
    let (bytes, entries) = weigh(Duration::from_secs(30)).await.unwrap().unwrap();
    assert!((8 << 20..64 << 20).contains(&bytes), "{bytes}");
    assert!((500..1000).contains(&entries), "{entries}");
    assert_eq!(weigh(Duration::ZERO).await.unwrap(), None);
    place.machines.stop().await;
}
