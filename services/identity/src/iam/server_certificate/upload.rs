//! A certificate comes, with its chain and its private key.

use api::iam as model;
use api::iam::fault::{
    entity_already_exists_exception, key_pair_mismatch_exception, malformed_certificate_exception,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use crypto::certificate::{UploadedCertificate, UploadedKey};
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Timestamp;

use super::tags::TAG_SERVER_CERTIFICATE;
use super::{SEALED_IN, SERVER_CERTIFICATES, ServerCertificate, arn, expect_valid_now, find, unreadable};
use crate::iam::count::{self, Counted};
use crate::iam::tag::{self, Tags};

/// Stores a certificate under a name.
pub struct UploadServerCertificate;

impl Operation for UploadServerCertificate {
    type Input = model::UploadServerCertificateRequest;
    type Output = model::UploadServerCertificateResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:UploadServerCertificate");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_SERVER_CERTIFICATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = arn(look.account(), path, &input.server_certificate_name);
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_SERVER_CERTIFICATE, &target.arn(), target.account(), context)?;
        }
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerServerCertificate")?;
        let key = Secret::from(input.private_key);
        let read = check(
            call,
            &input.certificate_body,
            input.certificate_chain.as_deref(),
            &key,
        )?;
        let name = input.server_certificate_name;
        if find(call, &name)?.is_some() {
            return Err(entity_already_exists_exception(format!(
                "The Server Certificate with name {name} already exists."
            )));
        }
        count::add(call, Counted::ServerCertificates)?;
        let id = call.unique_id(IdPrefix::Certificate)?;
        let sealed = call.seal(SEALED_IN, id.as_bytes(), key.expose())?;
        let certificate = ServerCertificate {
            account: call.account().to_owned(),
            name,
            path: input.path.unwrap_or_else(|| "/".to_owned()),
            id,
            uploaded: Timestamp::from_seconds(call.now.seconds()).0,
            expires: Timestamp::from_seconds(read.not_after()).0,
            body: input.certificate_body.trim().to_owned(),
            chain: input.certificate_chain.map(|chain| chain.trim().to_owned()),
            key: STANDARD.encode(sealed),
            tags,
        };
        let metadata = certificate.metadata();
        let mut sorted = certificate.tags.clone();
        sorted.sort();
        call.mention(certificate.arn(), &certificate.account, ServerCertificate::TYPE);
        call.put(&SERVER_CERTIFICATES, &certificate.row(), certificate)?;
        Ok(model::UploadServerCertificateResponse {
            server_certificate_metadata: Some(metadata),
            tags: tag::shown(&sorted),
        })
    }
}

/// The certificate, once it is known to be valid now, to be of the key, and to be signed by its chain.
fn check(look: &Look<'_>, body: &str, chain: Option<&str>, key: &Secret) -> Result<UploadedCertificate> {
    let read = UploadedCertificate::from_pem(body).ok_or_else(unreadable)?;
    expect_valid_now(look, &read)?;
    let key = UploadedKey::from_pem(key).ok_or_else(|| {
        malformed_certificate_exception(
            "Invalid Private Key. It must be in PEM format and must not be encrypted.",
        )
    })?;
    if !read.belongs_to(&key) {
        return Err(key_pair_mismatch_exception(
            "The public key of the certificate and the private key do not match.",
        ));
    }
    if let Some(chain) = chain {
        let chain = UploadedCertificate::all_from_pem(chain).ok_or_else(unreadable)?;
        let signed = std::iter::once(&read).chain(&chain);
        let wrong = signed
            .zip(&chain)
            .position(|(signed, issuer)| !signed.is_signed_by(issuer));
        if let Some(index) = wrong {
            return Err(malformed_certificate_exception(format!(
                "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, \
                 followed by any intermediaries in order. The index within the chain of the invalid certificate is: {index}"
            )));
        }
    }
    Ok(read)
}
