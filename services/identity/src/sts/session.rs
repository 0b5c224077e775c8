//! Sessions of a user's or root's own: the same identity for a while, without the long-term key.

use api::sts as model;
use pipeline::identity::Session;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};

use super::grant::{self, grant};
use crate::iam::mfa;
use crate::iam::tag::Tags;

/// Issues credentials of the caller's own identity for 15 minutes to 36 hours, for root to one hour (S4.7).
pub struct GetSessionToken;

impl Operation for GetSessionToken {
    type Input = model::GetSessionTokenRequest;
    type Output = model::GetSessionTokenResponse;
    type Target = AccountScope;
    // IAM User Guide, "Granting permissions to create temporary security credentials": no permission is needed, and none
    // can be taken away.
    const ACCESS: Access = Access::open("sts:GetSessionToken");
    // So CloudTrail has it (IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail").
    const READ_ONLY: bool = false;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let holder = grant::long_term_holder(call, "GetSessionToken")?;
        let shown = mfa::show(call, input.serial_number.as_deref(), input.token_code.as_deref())?;
        if let Some(shown) = &shown {
            shown.spend(call)?;
        }
        let session = Session {
            mfa: shown.map(|shown| shown.at),
            ..Session::default()
        };
        let seconds = grant::seconds(&holder, input.duration_seconds);
        let account = call.account().to_owned();
        let size_min = input.minimum_session_token_size;
        let credentials = grant(call, &account, holder, Tags::new(), session, seconds, size_min)?;
        let (session_token_size, session_token_utilization) = grant::token_size(&credentials);
        Ok(model::GetSessionTokenResponse {
            credentials: Some(credentials),
            session_token_size,
            session_token_utilization,
        })
    }
}
