//! What an image holds, read by those who may launch it.

use std::io::Read as _;

use bytes::Bytes;
use network::ec2::image_content;
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::json;

use crate::scene::{BUILT_IN, Scene};

const OTHER: &str = "444455556666";

/// The whole disk, as an account reads it; the message where it may not.
fn read(scene: &Scene, account: &str, image: &str) -> Result<Option<Vec<u8>>, String> {
    let opened = scene
        .cloud
        .gateway
        .system(REGION, |call| image_content::open(call, account, image));
    let disk = opened.map_err(|fault| fault.message)?.disk;
    Ok(disk.map(|mut disk| {
        let mut bytes = Vec::new();
        disk.read_to_end(&mut bytes).unwrap();
        bytes
    }))
}

/// S35.7: small disks and large ones come as they were taken, to the owner and to whom the image is shared with.
#[test]
fn who_may_launch_an_image_reads_it() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    for (name, size) in [("small", 700), ("large", 3_000_000)] {
        let disk: Vec<u8> = (0_u8..=250).cycle().take(size).collect();
        *scene.plane.disk.lock() = Bytes::from(disk.clone());
        let made = scene.ok(
            "CreateImage",
            &json!({ "InstanceId": id, "Name": name, "NoReboot": true }),
        );
        let image = made["ImageId"].as_str().unwrap();
        let pending = read(&scene, ACCOUNT, image);
        assert_eq!(pending, Err("The image is not available".to_owned()));
        scene.cloud.advance(0);
        assert!(read(&scene, ACCOUNT, image).unwrap().unwrap() == disk, "{name}");
        assert!(read(&scene, OTHER, image).unwrap_err().contains("does not exist"));
        let shared = json!({ "ImageId": image, "LaunchPermission": { "Add": [{ "UserId": OTHER }] } });
        scene.ok("ModifyImageAttribute", &shared);
        assert!(read(&scene, OTHER, image).unwrap().unwrap() == disk, "{name}");
    }
    assert_eq!(read(&scene, ACCOUNT, BUILT_IN), Ok(None));
    assert!(
        read(&scene, ACCOUNT, "ami-0123456789abcdef0")
            .unwrap_err()
            .contains("does not exist")
    );
}
