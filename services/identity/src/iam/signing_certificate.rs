//! Signing certificates of users: X.509 certificates by which some older services know who signed a request.
//!
//! Invariant: a certificate stands once in an account, so that it names one user.

use api::iam as model;
use api::iam::fault::{
    duplicate_certificate_exception, limit_exceeded_exception, malformed_certificate_exception,
    no_such_entity_exception,
};
use crypto::certificate::UploadedCertificate;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use crate::iam::index::Present;
use crate::iam::owned::{self, Place};
use crate::iam::page::Page;
use crate::iam::server_certificate::expect_valid_now;
use crate::iam::user::{Holder, holder};

/// Certificates that a user may have (AWS General Reference, "IAM endpoints and quotas").
pub(crate) const CERTIFICATES_PER_USER_MAX: usize = 2;

/// A certificate.
#[derive(Clone, Serialize, Deserialize)]
pub struct SigningCertificate {
    /// 28 letters and digits.
    pub id: String,
    /// As answers show it.
    pub user_name: String,
    /// As it was uploaded.
    pub body: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    pub active: bool,
    /// Milliseconds since the epoch.
    pub uploaded: i64,
    /// When it was uploaded or last turned on or off, in milliseconds since the epoch.
    pub changed: i64,
}

store::record!(SigningCertificate, 1);

pub(crate) static SIGNING_CERTIFICATES: Table<Place, SigningCertificate> =
    Table::new(0x012d, "iam.signing_certificates");

/// By account and fingerprint.
static FINGERPRINTS: Table<(String, String), Present> =
    Table::new(0x0170, "iam.signing_certificate_fingerprints");

impl SigningCertificate {
    fn shown(&self) -> model::SigningCertificate {
        model::SigningCertificate {
            certificate_body: self.body.clone(),
            certificate_id: self.id.clone(),
            status: owned::status(self.active),
            upload_date: Some(Timestamp(self.uploaded)),
            user_name: self.user_name.clone(),
        }
    }
}

fn own(look: &mut Look<'_>, holder: &Holder, id: &str) -> Result<SigningCertificate> {
    let found = look.get(&SIGNING_CERTIFICATES, &owned::place(holder, id))?;
    found
        .map(|certificate| (*certificate).clone())
        .ok_or_else(|| no_such_entity_exception(format!("The Certificate with id {id} cannot be found.")))
}

/// A user's certificates, the older first, with when each last changed: what the credential report shows.
pub(crate) fn reported(look: &mut Look<'_>, account: &str, lower: &str) -> Result<Vec<(bool, i64)>> {
    let held = owned::of_holder(look, &SIGNING_CERTIFICATES, account, lower)?;
    let mut all: Vec<_> = held
        .iter()
        .map(|(id, certificate)| (certificate.uploaded, id, certificate.active, certificate.changed))
        .collect();
    all.sort_unstable();
    Ok(all
        .into_iter()
        .map(|(_, _, active, changed)| (active, changed))
        .collect())
}

/// Gives a user, or the caller, a certificate, which is active at once.
pub struct UploadSigningCertificate;

impl Operation for UploadSigningCertificate {
    type Input = model::UploadSigningCertificateRequest;
    type Output = model::UploadSigningCertificateResponse;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:UploadSigningCertificate");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let read = UploadedCertificate::from_pem(&input.certificate_body).ok_or_else(|| {
            malformed_certificate_exception(
                "Unable to parse certificate. Please ensure the certificate is in PEM format.",
            )
        })?;
        expect_valid_now(call, &read)?;
        let account = call.account().to_owned();
        let known = (account.clone(), read.fingerprint());
        if call.get(&FINGERPRINTS, &known)?.is_some() {
            let message = "The certificate is associated with an IAM user of the account already.";
            return Err(duplicate_certificate_exception(message));
        }
        let held = owned::of_holder(call, &SIGNING_CERTIFICATES, &account, &holder.lower())?;
        if held.len() >= CERTIFICATES_PER_USER_MAX {
            let message =
                format!("Cannot exceed quota for SigningCertificatesPerUser: {CERTIFICATES_PER_USER_MAX}");
            return Err(limit_exceeded_exception(message));
        }
        let id = crypto::random::text(call.random(), ALPHABET, 28).map_err(Fault::internal)?;
        let certificate = SigningCertificate {
            id: id.expose_text().map_err(Fault::internal)?.to_owned(),
            user_name: holder.name().to_owned(),
            body: input.certificate_body,
            fingerprint: known.1.clone(),
            active: true,
            uploaded: Timestamp::from_seconds(call.now.seconds()).0,
            changed: Timestamp::from_seconds(call.now.seconds()).0,
        };
        let shown = certificate.shown();
        call.put(&FINGERPRINTS, &known, Present)?;
        call.put(
            &SIGNING_CERTIFICATES,
            &owned::place(&holder, &certificate.id),
            certificate,
        )?;
        Ok(model::UploadSigningCertificateResponse { certificate: shown })
    }
}

/// Lists a user's certificates, or the caller's.
pub struct ListSigningCertificates;

impl Operation for ListSigningCertificates {
    type Input = model::ListSigningCertificatesRequest;
    type Output = model::ListSigningCertificatesResponse;
    type Target = Holder;
    const ACCESS: Access = Access::list("iam:ListSigningCertificates");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListSigningCertificates/{}", holder.lower());
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let account = call.account().to_owned();
        let held = owned::of_holder(call, &SIGNING_CERTIFICATES, &account, &holder.lower())?;
        let paged = page.of_sorted(call, held)?;
        Ok(model::ListSigningCertificatesResponse {
            certificates: paged
                .items
                .iter()
                .map(|certificate| certificate.shown())
                .collect(),
            is_truncated: paged.truncated(),
            marker: paged.marker,
        })
    }
}

/// Turns a certificate off or on.
pub struct UpdateSigningCertificate;

impl Operation for UpdateSigningCertificate {
    type Input = model::UpdateSigningCertificateRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:UpdateSigningCertificate");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let mut certificate = own(call, &holder, &input.certificate_id)?;
        certificate.active = owned::activity(input.status)?;
        certificate.changed = Timestamp::from_seconds(call.now.seconds()).0;
        call.put(
            &SIGNING_CERTIFICATES,
            &owned::place(&holder, &certificate.id),
            certificate,
        )?;
        Ok(Empty)
    }
}

/// Takes a certificate from its user; another may then bring it.
pub struct DeleteSigningCertificate;

impl Operation for DeleteSigningCertificate {
    type Input = model::DeleteSigningCertificateRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:DeleteSigningCertificate");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let certificate = own(call, &holder, &input.certificate_id)?;
        let account = call.account().to_owned();
        call.delete(&FINGERPRINTS, &(account, certificate.fingerprint))?;
        call.delete(&SIGNING_CERTIFICATES, &owned::place(&holder, &certificate.id))?;
        Ok(Empty)
    }
}
