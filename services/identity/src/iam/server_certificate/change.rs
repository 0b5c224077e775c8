//! A certificate's new name or path, and its end.

use api::iam as model;
use api::iam::fault::entity_already_exists_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::typed::Empty;

use super::{SERVER_CERTIFICATES, ServerCertificate, find, named};
use crate::iam::count::{self, Counted};

const UPDATE: Access = Access::write("iam:UpdateServerCertificate");

/// Renames or moves a certificate.
pub struct UpdateServerCertificate;

impl Operation for UpdateServerCertificate {
    type Input = model::UpdateServerCertificateRequest;
    type Output = Empty;
    type Target = ServerCertificate;
    const ACCESS: Access = UPDATE;
    const ALSO: &'static [Access] = &[UPDATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ServerCertificate>> {
        named(look, &input.server_certificate_name)
    }

    fn handle(
        call: &mut Call<'_>,
        certificate: Authorized<ServerCertificate>,
        input: Self::Input,
    ) -> Result<Empty> {
        let old = certificate.into_inner();
        let mut new = old.clone();
        if let Some(path) = input.new_path {
            new.path = path;
        }
        if let Some(name) = input.new_server_certificate_name {
            new.name = name;
        }
        if new.arn() == old.arn() {
            return Ok(Empty);
        }
        // Whoever changes a name needs the permission for both (IAM User Guide, "Rename a server certificate").
        call.also(UPDATE, &new.arn(), &old.account, Context::new())?;
        if new.name != old.name {
            if find(call, &new.name)?.is_some() {
                let message = format!("The Server Certificate with name {} already exists.", new.name);
                return Err(entity_already_exists_exception(message));
            }
            call.delete(&SERVER_CERTIFICATES, &old.row())?;
        }
        call.put(&SERVER_CERTIFICATES, &new.row(), new)?;
        Ok(Empty)
    }
}

/// Deletes a certificate with its private key.
pub struct DeleteServerCertificate;

impl Operation for DeleteServerCertificate {
    type Input = model::DeleteServerCertificateRequest;
    type Output = Empty;
    type Target = ServerCertificate;
    const ACCESS: Access = Access::write("iam:DeleteServerCertificate");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ServerCertificate>> {
        named(look, &input.server_certificate_name)
    }

    fn handle(
        call: &mut Call<'_>,
        certificate: Authorized<ServerCertificate>,
        _input: Self::Input,
    ) -> Result<Empty> {
        count::remove(call, Counted::ServerCertificates)?;
        call.delete(&SERVER_CERTIFICATES, &certificate.row())?;
        Ok(Empty)
    }
}
