//! Which certificates there are, and what they say.

use api::iam as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::{SERVER_CERTIFICATES, ServerCertificate, named};
use crate::iam::page::{Page, path_fits};
use crate::iam::tag;

/// Shows a certificate and its chain, but never its private key.
pub struct GetServerCertificate;

impl Operation for GetServerCertificate {
    type Input = model::GetServerCertificateRequest;
    type Output = model::GetServerCertificateResponse;
    type Target = ServerCertificate;
    const ACCESS: Access = Access::read("iam:GetServerCertificate");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ServerCertificate>> {
        named(look, &input.server_certificate_name)
    }

    fn handle(
        _call: &mut Call<'_>,
        certificate: Authorized<ServerCertificate>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let mut tags = certificate.tags.clone();
        tags.sort();
        Ok(model::GetServerCertificateResponse {
            server_certificate: model::ServerCertificate {
                certificate_body: certificate.body.clone(),
                certificate_chain: certificate.chain.clone(),
                server_certificate_metadata: certificate.metadata(),
                tags: tag::shown(&tags),
            },
        })
    }
}

/// Lists the certificates below a path.
pub struct ListServerCertificates;

impl Operation for ListServerCertificates {
    type Input = model::ListServerCertificatesRequest;
    type Output = model::ListServerCertificatesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListServerCertificates");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = "ListServerCertificates";
        let page = Page::read(call, list, input.marker.as_deref(), input.max_items)?;
        let prefix = input.path_prefix.as_deref();
        let fits = |certificate: &ServerCertificate| path_fits(&certificate.path, prefix);
        let paged = page.of_table(call, &SERVER_CERTIFICATES, fits)?;
        Ok(model::ListServerCertificatesResponse {
            is_truncated: paged.truncated(),
            server_certificate_metadata_list: paged
                .items
                .iter()
                .map(|certificate| certificate.metadata())
                .collect(),
            marker: paged.marker,
        })
    }
}
