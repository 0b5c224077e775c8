//! Random passwords (S11.5).

use api::secretsmanager as model;
use api::secretsmanager::fault::invalid_parameter_exception;
use crypto::{Secret, random};
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;

/// Characters, unless told.
const LENGTH: i64 = 32;
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// Makes a password and forgets it.
pub struct GetRandomPassword;

impl Operation for GetRandomPassword {
    type Input = model::GetRandomPasswordRequest;
    type Output = model::GetRandomPasswordResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("secretsmanager:GetRandomPassword");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let types = types(&input);
        let length = input.password_length.unwrap_or(LENGTH);
        let length = usize::try_from(length).map_err(Fault::internal)?;
        let each = input.require_each_included_type != Some(false);
        let password = draw(call.random(), &types, length, each)?;
        let text = password.expose_text().map_err(Fault::internal)?;
        Ok(model::GetRandomPasswordResponse {
            random_password: Some(text.to_owned()),
        })
    }
}

/// The alphabets of the included types, without what is excluded.
fn types(input: &model::GetRandomPasswordRequest) -> Vec<String> {
    let included = |excluded: Option<bool>, letters| (excluded != Some(true)).then_some(letters);
    let space = (input.include_space == Some(true)).then_some(" ");
    let types = [
        included(input.exclude_uppercase, UPPERCASE),
        included(input.exclude_lowercase, LOWERCASE),
        included(input.exclude_numbers, NUMBERS),
        included(input.exclude_punctuation, PUNCTUATION),
        space,
    ];
    let excluded = input.exclude_characters.as_deref().unwrap_or_default();
    let kept = |letters: &str| {
        letters
            .chars()
            .filter(|letter| !excluded.contains(*letter))
            .collect::<String>()
    };
    types.into_iter().flatten().map(kept).collect()
}

/// Draws a password: one character of each type if asked, the rest from all types, in random order.
fn draw(source: &dyn crypto::Randomness, types: &[String], length: usize, each: bool) -> Result<Secret> {
    let all = types.concat();
    if all.is_empty() {
        return Err(invalid_parameter_exception(
            "The password can't be generated: every character is excluded.",
        ));
    }
    let mut parts = Vec::new();
    if each {
        if types.iter().any(String::is_empty) {
            return Err(invalid_parameter_exception(
                "The password can't be generated: every character of a required type is excluded.",
            ));
        }
        if types.len() > length {
            return Err(invalid_parameter_exception(
                "Password length is too short based on the required types.",
            ));
        }
        for letters in types {
            parts.push(random::text(source, letters, 1).map_err(Fault::internal)?);
        }
    }
    let rest = length.saturating_sub(parts.len());
    parts.push(random::text(source, &all, rest).map_err(Fault::internal)?);
    let mut letters = Vec::with_capacity(length);
    for part in &parts {
        letters.extend_from_slice(part.expose());
    }
    for last in (1..letters.len()).rev() {
        let bound = u64::try_from(last + 1).map_err(Fault::internal)?;
        let other = random::below(source, bound).map_err(Fault::internal)?;
        letters.swap(last, usize::try_from(other).map_err(Fault::internal)?);
    }
    Ok(Secret::new(letters))
}
