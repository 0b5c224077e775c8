//! Why a document is refused: AWS's own message where AWS has one, and the place in the text.
//!
//! Sources: IAM `MalformedPolicyDocument` messages; IAM User Guide, "Grammar of the IAM JSON policy language".

use std::fmt;

/// A place in a document's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Byte offset, from 0.
    pub offset: usize,
}

impl Position {
    /// The place of byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            offset: before.len(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a document is refused. `Display` is the message for the caller (AWS's where there is one).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct Error {
    fault: Fault,
    at: Position,
}

impl Error {
    pub(crate) fn new(text: &str, offset: usize, fault: Fault) -> Self {
        Self {
            fault,
            at: Position::of(text, offset),
        }
    }

    /// Where in the text.
    pub fn position(&self) -> Position {
        self.at
    }

    /// What is wrong in our words where AWS only says "Syntax errors in policy."; else nothing.
    pub fn detail(&self) -> Option<&str> {
        match &self.fault {
            Fault::Syntax(detail) => Some(detail),
            _ => None,
        }
    }

    /// Message, detail and place in one line, for files that people write by hand.
    pub fn located(&self) -> String {
        match self.detail() {
            Some(detail) => format!("{self} {}: {detail}", self.at),
            None => format!("{self} ({})", self.at),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("Syntax errors in policy.")]
    Syntax(String),
    #[error("Policy document must be version 2012-10-17 or greater.")]
    Version,
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    DuplicateSid,
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    Sid,
    #[error("Policy statement must contain resources.")]
    NoResource,
    #[error("Policy statement must contain actions.")]
    NoAction,
    #[error("Missing required field {0}")]
    Missing(&'static str),
    #[error("Has prohibited field {0}")]
    Prohibited(&'static str),
    #[error("Policy document should not specify a principal.")]
    PrincipalForbidden,
    #[error("Invalid principal in policy: {0}")]
    Principal(String),
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    #[error("Vendor {0} is not valid")]
    Vendor(String),
    #[error("Actions/Condition can contain only one colon.")]
    Colons,
    #[error("Resource {0} must be in ARN format or \"*\".")]
    Resource(String),
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    TrustAction,
    #[error("Invalid Condition type : {0}")]
    ConditionType(String),
    #[error("The provided policy document does not meet the requirements of the specified policy type.")]
    PolicyType,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        assert_eq!(
            Position::of("ab\né{x", 6),
            Position {
                line: 2,
                column: 3,
                offset: 6
            }
        );
        assert_eq!(
            Position::of("", 9),
            Position {
                line: 1,
                column: 1,
                offset: 0
            }
        );
    }
}
