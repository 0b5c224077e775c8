//! What an encoded authorization message says: why a call was refused, told only to those who may know.
//!
//! Invariant: a message is read only in the account of the caller who was refused, since it shows that account's conditions.

use api::sts as model;
use api::sts::fault::invalid_authorization_message_exception;
use pipeline::authorize::MESSAGE_PURPOSE;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

/// Decodes the message of a refusal of this Ringwork.
pub struct DecodeAuthorizationMessage;

impl Operation for DecodeAuthorizationMessage {
    type Input = model::DecodeAuthorizationMessageRequest;
    type Output = model::DecodeAuthorizationMessageResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("sts:DecodeAuthorizationMessage");
    /// It changes nothing, and the trail, which more people read, must not repeat what it tells.
    const READ_ONLY: bool = true;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let message = call.open_token(MESSAGE_PURPOSE, &input.encoded_message);
        let message = message.and_then(|message| message.expose_text().ok().map(str::to_owned));
        let message = message.filter(|message| refused_account(message).as_deref() == Some(call.account()));
        let message =
            message.ok_or_else(|| invalid_authorization_message_exception("Message is not valid"))?;
        Ok(model::DecodeAuthorizationMessageResponse {
            decoded_message: Some(message),
        })
    }
}

/// The account of the caller whom a message is about.
fn refused_account(message: &str) -> Option<String> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let arn = message.pointer("/context/principal/arn")?.as_str()?;
    policy::Arn::parse(arn).map(|arn| arn.account().to_owned())
}
