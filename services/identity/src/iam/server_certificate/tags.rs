//! The tags of server certificates.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::{SERVER_CERTIFICATES, ServerCertificate, named};
use crate::iam::page::Page;
use crate::iam::tag;

pub(super) const TAG_SERVER_CERTIFICATE: Access = Access::tagging("iam:TagServerCertificate");

/// Sets tags of a certificate.
pub struct TagServerCertificate;

impl Operation for TagServerCertificate {
    type Input = model::TagServerCertificateRequest;
    type Output = Empty;
    type Target = ServerCertificate;
    const ACCESS: Access = TAG_SERVER_CERTIFICATE;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ServerCertificate>> {
        named(look, &input.server_certificate_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(
        call: &mut Call<'_>,
        certificate: Authorized<ServerCertificate>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut certificate = certificate.into_inner();
        tag::merge(
            &mut certificate.tags,
            tag::read(Some(input.tags))?,
            "TagsPerServerCertificate",
        )?;
        call.put(&SERVER_CERTIFICATES, &certificate.row(), certificate)?;
        Ok(Empty)
    }
}

/// Removes tags of a certificate.
pub struct UntagServerCertificate;

impl Operation for UntagServerCertificate {
    type Input = model::UntagServerCertificateRequest;
    type Output = Empty;
    type Target = ServerCertificate;
    const ACCESS: Access = Access::tagging("iam:UntagServerCertificate");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ServerCertificate>> {
        named(look, &input.server_certificate_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(
        call: &mut Call<'_>,
        certificate: Authorized<ServerCertificate>,
        input: Self::Input,
    ) -> Result<Empty> {
        let mut certificate = certificate.into_inner();
        tag::remove(&mut certificate.tags, &input.tag_keys);
        call.put(&SERVER_CERTIFICATES, &certificate.row(), certificate)?;
        Ok(Empty)
    }
}

/// Lists the tags of a certificate, sorted by key.
pub struct ListServerCertificateTags;

impl Operation for ListServerCertificateTags {
    type Input = model::ListServerCertificateTagsRequest;
    type Output = model::ListServerCertificateTagsResponse;
    type Target = ServerCertificate;
    const ACCESS: Access = Access::list("iam:ListServerCertificateTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ServerCertificate>> {
        named(look, &input.server_certificate_name)
    }

    fn handle(
        call: &mut Call<'_>,
        certificate: Authorized<ServerCertificate>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListServerCertificateTags/{}", certificate.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = certificate.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListServerCertificateTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
