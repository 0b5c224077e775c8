//! Signing certificates of users and of the root user, through the pipeline.

use serde_json::{Value, json};

use crate::report::{fetched, state};
use crate::scene::{Scene, code};
use crate::server_certificates::issued;

fn body() -> String {
    issued(0).0.certificate_pem()
}

fn upload(scene: &Scene, user: &str, body: &str) -> Value {
    let input = json!({"UserName": user, "CertificateBody": body});
    scene.root("UploadSigningCertificate", input)["Certificate"].clone()
}

#[test]
fn a_certificate_is_of_one_user_of_the_account() {
    let scene = Scene::new();
    scene.user("ana");
    scene.user("ben");
    let first = body();
    let made = upload(&scene, "ana", &first);
    assert_eq!(
        (&made["CertificateBody"], &made["Status"]),
        (&first.clone().into(), &"Active".into())
    );
    assert_eq!(made["CertificateId"].as_str().unwrap().len(), 28);
    let put = |user: &str, body: &str| json!({"UserName": user, "CertificateBody": body});
    assert_eq!(
        code(&scene, "UploadSigningCertificate", put("ben", &first)),
        "DuplicateCertificate"
    );
    // The same certificate in other lines is the same certificate.
    let broken = first.replace('\n', "\r\n");
    assert_eq!(
        code(&scene, "UploadSigningCertificate", put("ben", &broken)),
        "DuplicateCertificate"
    );
    assert_eq!(
        code(&scene, "UploadSigningCertificate", put("ben", "text")),
        "MalformedCertificate"
    );
    let early = issued(-4000).0.certificate_pem();
    assert_eq!(
        code(&scene, "UploadSigningCertificate", put("ben", &early)),
        "MalformedCertificate"
    );
    upload(&scene, "ana", &body());
    assert_eq!(
        code(&scene, "UploadSigningCertificate", put("ana", &body())),
        "LimitExceeded"
    );
    let one = json!({"UserName": "ana", "CertificateId": made["CertificateId"]});
    let foreign = json!({"UserName": "ben", "CertificateId": made["CertificateId"]});
    assert_eq!(code(&scene, "DeleteSigningCertificate", foreign), "NoSuchEntity");
    scene.root("DeleteSigningCertificate", one);
    upload(&scene, "ben", &first);
    let listed = scene.root("ListSigningCertificates", json!({"UserName": "ben"}))["Certificates"].clone();
    assert_eq!(
        (listed.as_array().unwrap().len(), &listed[0]["CertificateBody"]),
        (1, &first.into())
    );
}

/// S3.11: the report tells of both certificates, when each last changed, and the summary of root's.
#[test]
fn the_report_and_the_summary_tell_of_certificates() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let made = upload(&scene, "ana", &body());
    scene.root("UploadSigningCertificate", json!({"CertificateBody": body()}));
    let summary = scene.root("GetAccountSummary", json!({}))["SummaryMap"].clone();
    assert_eq!(summary["AccountSigningCertificatesPresent"], 1);
    scene.cloud.advance(3_600_000);
    upload(&scene, "ana", &body());
    let off = json!({"UserName": "ana", "CertificateId": made["CertificateId"], "Status": "Inactive"});
    scene.cloud.advance(3_600_000);
    scene.root("UpdateSigningCertificate", off);
    state(&scene);
    scene.cloud.advance(2_000);
    let report = fetched(&scene);
    let cell = |column: &str| report["ana"][column].clone();
    assert_eq!(
        (cell("cert_1_active"), cell("cert_2_active")),
        ("false".to_owned(), "true".to_owned())
    );
    // The first was turned off after the second came.
    assert!(cell("cert_1_last_rotated") > cell("cert_2_last_rotated"));
    assert_eq!(report["<root_account>"]["cert_1_active"], "true");
    assert_eq!(report["<root_account>"]["cert_2_last_rotated"], "N/A");
    let failure = scene.refused("DeleteUser", json!({"UserName": "ana"}));
    assert_eq!(failure.code, "DeleteConflict");
    assert!(
        failure.message.contains("signing certificates"),
        "{}",
        failure.message
    );
}
