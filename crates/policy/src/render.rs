//! Derivations and suggestions as people read them: a ladder of layers, with a caret under the JSON that decided.

use crate::{
    document::Effect,
    explain::{Derivation, Element, Excerpt, Failure, LayerTrace, PolicyTrace, Standing, StatementTrace},
    reason::{Layer, Reason},
    suggest::{Step, Suggestion},
};
use std::fmt;

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.decision.allowed {
            "ALLOWED"
        } else {
            "DENIED"
        };
        writeln!(f, "{verdict}  {} on {}", self.action, self.resource)?;
        writeln!(f, "  for {}", self.principal)?;
        if !self.because.is_empty() {
            writeln!(f, "  {}", self.because)?;
        }
        writeln!(f)?;
        for trace in &self.layers {
            self.layer(f, trace)?;
        }
        Ok(())
    }
}

impl Derivation {
    fn layer(&self, f: &mut fmt::Formatter<'_>, trace: &LayerTrace) -> fmt::Result {
        let decided = self.decided(trace);
        let mark = if decided { ">" } else { " " };
        let name = match trace.layer {
            Layer::ServiceControl
                if trace.standing != Standing::Absent && trace.standing != Standing::Exempt =>
            {
                format!("service control policies, level {}", trace.level + 1)
            }
            layer => heading(layer).to_owned(),
        };
        writeln!(f, "{mark} {name:<36} {}", standing(trace.standing))?;
        for grant in &trace.grants {
            match &grant.failure {
                None => writeln!(f, "      grant {}: allows", grant.id)?,
                Some(part) => writeln!(f, "      grant {}: {part} does not fit", grant.id)?,
            }
        }
        for (index, policy) in trace.policies.iter().enumerate() {
            self.policy(f, trace, index, policy)?;
        }
        Ok(())
    }

    fn policy(
        &self,
        f: &mut fmt::Formatter<'_>,
        trace: &LayerTrace,
        index: usize,
        policy: &PolicyTrace,
    ) -> fmt::Result {
        writeln!(f, "      {}", policy.origin)?;
        let other = |held: &&StatementTrace| matches!(&held.failure, Some(failure) if failure.element == Element::Action);
        for held in policy.statements.iter().filter(|held| !other(held)) {
            let decided = self.decided(trace) && self.at(index, held.index);
            statement(f, held, decided)?;
        }
        match policy.statements.iter().filter(other).count() {
            0 => Ok(()),
            1 => writeln!(f, "        1 statement about other actions"),
            many => writeln!(f, "        {many} statements about other actions"),
        }
    }

    fn decided(&self, trace: &LayerTrace) -> bool {
        match self.decision.reason {
            Reason::ExplicitDeny { layer, level, .. } | Reason::ImplicitDeny { layer, level } => {
                trace.layer == layer && trace.level == level
            }
            Reason::Allowed {
                layer: Layer::Root, ..
            } => trace.layer == Layer::Identity,
            Reason::Allowed { layer, .. } => trace.layer == layer,
        }
    }

    fn at(&self, policy_at: usize, statement_at: usize) -> bool {
        match self.decision.reason {
            Reason::ExplicitDeny {
                policy, statement, ..
            }
            | Reason::Allowed {
                policy, statement, ..
            } => (policy, statement) == (policy_at, statement_at),
            Reason::ImplicitDeny { .. } => false,
        }
    }
}

fn statement(f: &mut fmt::Formatter<'_>, held: &StatementTrace, decided: bool) -> fmt::Result {
    let mark = if decided { ">" } else { " " };
    let effect = if held.effect == Effect::Allow {
        "Allow"
    } else {
        "Deny"
    };
    let sid = held
        .sid
        .as_ref()
        .map(|sid| format!(" \"{sid}\""))
        .unwrap_or_default();
    write!(f, "      {mark} statement {}{sid} ({effect}): ", held.index + 1)?;
    match &held.failure {
        None => writeln!(f, "matches")?,
        Some(failure) => writeln!(f, "{failure}")?,
    }
    match &held.excerpt {
        Some(excerpt) if decided || held.failure.is_some() => write!(f, "{excerpt}"),
        _ => Ok(()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.wanted.join(", ");
        let actual = self.actual.join(", ");
        match (self.element, &self.condition) {
            (Element::Condition, Some((operator, key))) if self.actual.is_empty() => {
                write!(f, "{operator} wants {key} {wanted}, and the request has no {key}")
            }
            (Element::Condition, Some((operator, key))) => {
                write!(f, "{operator} wants {key} {wanted}, and the request has {actual}")
            }
            (Element::Resource, _) => write!(f, "its resources do not match {actual}"),
            (Element::Principal, _) => write!(f, "its principals do not match {actual}"),
            _ => write!(f, "its actions do not match {actual}"),
        }
    }
}

/// Columns of a line that are shown; AWS's own policies are often one long line.
const COLUMNS_SHOWN: usize = 96;
/// Columns shown before the caret, if the line is cut.
const COLUMNS_BEFORE: usize = 32;

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.column.saturating_sub(1);
        let length = self.text.chars().count();
        let skipped = if length > COLUMNS_SHOWN {
            at.saturating_sub(COLUMNS_BEFORE)
        } else {
            0
        };
        let head = if skipped > 0 { "…" } else { "" };
        let tail = if length - skipped > COLUMNS_SHOWN {
            "…"
        } else {
            ""
        };
        let shown: String = self.text.chars().skip(skipped).take(COLUMNS_SHOWN).collect();
        writeln!(f, "        {:>4} | {head}{shown}{tail}", self.line)?;
        let before: String = head
            .chars()
            .chain(shown.chars().take(at - skipped))
            .map(blank)
            .collect();
        let width = self.width.min(COLUMNS_SHOWN.saturating_sub(at - skipped)).max(1);
        writeln!(f, "             | {before}{}", "^".repeat(width))
    }
}

/// A tab stays a tab, so that the caret stands where the eye looks.
fn blank(letter: char) -> char {
    if letter == '\t' { '\t' } else { ' ' }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            match step {
                Step::Add {
                    layer,
                    to,
                    statement,
                    nearly,
                    ..
                } => {
                    if let Some(nearly) = nearly {
                        let number = nearly.statement + 1;
                        let failure = &nearly.failure;
                        writeln!(
                            f,
                            "Meet the condition of statement {number} in {}: {failure}; or",
                            nearly.origin
                        )?;
                    }
                    writeln!(f, "Add to the {} of {to}:", layer.title())?;
                    for line in statement.lines() {
                        writeln!(f, "    {line}")?;
                    }
                }
                Step::Narrow {
                    layer,
                    origin,
                    statement,
                    sid,
                    conditions,
                    excerpt,
                } => {
                    let sid = sid.as_ref().map(|sid| format!(" \"{sid}\"")).unwrap_or_default();
                    let title = layer.title();
                    write!(
                        f,
                        "Narrow or remove the Deny, statement {}{sid} of the {title} {origin}",
                        statement + 1
                    )?;
                    match conditions.first() {
                        Some((operator, key)) => writeln!(f, ", or change what {operator} wants of {key}:")?,
                        None => writeln!(f, ":")?,
                    }
                    if let Some(excerpt) = excerpt {
                        write!(f, "{excerpt}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn heading(layer: Layer) -> &'static str {
    match layer {
        Layer::ResourceControl => "resource control policies",
        Layer::ServiceControl => "service control policies",
        Layer::Resource => "resource-based policy",
        Layer::Trust => "role trust policy",
        Layer::Key => "key policy",
        Layer::Grant => "grants",
        Layer::Identity | Layer::Root => "identity-based policies",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policies",
        Layer::Endpoint => "VPC endpoint policy",
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Absent => "absent",
        Standing::Exempt => "does not bind this caller",
        Standing::Denies => "denies",
        Standing::Allows => "allows",
        Standing::Delegates => "allows the account, whose policies decide",
        Standing::Silent => "does not allow",
    }
}
