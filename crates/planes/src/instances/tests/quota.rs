//! What an instance may hold on the disk.

use std::time::Duration;

use pipeline::instances::{Done, Ending, Instances as _, Launch, Task};

use super::{Place, instance};

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
