//! The rule: which layers are asked, and what their answers add up to. The only place where that is written.
//!
//! Source: IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access" and "Cross-account
//! policy evaluation logic"; KMS Developer Guide, "Troubleshooting AWS KMS permissions"; checklist S2.9 to S2.17.

use crate::{
    action::Asked,
    arn::account_of,
    document::{PolicyKind, Statement},
    layers::{Attached, KeyLayer, Layers, Request},
    pattern::Case,
    principal::{Principal, Strength, spared},
    reason::{Decision, Layer, Reason},
};
use std::slice::from_ref;

/// Reads one layer: quickly for a decision, thoroughly for an explanation.
pub(crate) trait Judge {
    /// Whether to go on after an explicit deny.
    const THOROUGH: bool;
    fn policies(&mut self, layer: Layer, level: usize, policies: &[Attached]) -> Verdict;
    fn grants(&mut self, key: &KeyLayer<'_>) -> Option<(usize, Strength)>;
    /// The layer does not exist for the request, or does not bind this caller.
    fn skipped(&mut self, layer: Layer, exempt: bool);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) policy: usize,
    pub(crate) statement: usize,
}

/// What a layer says: the first matching Deny, the first of the most direct matching Allows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verdict {
    pub(crate) deny: Option<At>,
    pub(crate) allow: Option<(At, Strength)>,
}

/// The request with what every statement asks of it.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) asked: Asked<'a>,
    /// A caller with a boundary is never spared by `NotPrincipal`.
    bounded: bool,
}

impl<'a> Query<'a> {
    pub(crate) fn new(request: &'a Request<'a>, layers: &Layers<'_>) -> Self {
        Self {
            request,
            asked: Asked::new(request.action),
            bounded: layers.boundary.is_some(),
        }
    }

    /// How directly a matching statement names the caller; `None` if it does not match.
    pub(crate) fn fits(&self, statement: &Statement) -> Option<Strength> {
        if !self.action_fits(statement) || !self.resource_fits(statement) {
            return None;
        }
        let strength = self.principal_strength(statement)?;
        let context = self.request.context;
        statement
            .conditions
            .iter()
            .all(|test| test.holds(context))
            .then_some(strength)
    }

    pub(crate) fn action_fits(&self, statement: &Statement) -> bool {
        statement
            .actions
            .match_action(self.asked.text, self.request.context)
    }

    pub(crate) fn resource_fits(&self, statement: &Statement) -> bool {
        let Some(resources) = &statement.resources else {
            return true;
        };
        let request = self.request;
        let matched = resources
            .patterns
            .iter()
            .any(|pattern| pattern.matches(request.resource, request.context, Case::Sensitive));
        matched != resources.negated
    }

    pub(crate) fn principal_strength(&self, statement: &Statement) -> Option<Strength> {
        let Some(principals) = &statement.principal else {
            return Some(Strength::Direct);
        };
        let Request {
            principal, context, ..
        } = *self.request;
        if principals.negated {
            let bounded = self.bounded && principal.account().is_some();
            return (bounded || !spared(&principals.entries, principal, context)).then_some(Strength::Direct);
        }
        principals
            .entries
            .iter()
            .filter_map(|entry| entry.names(principal, context))
            .max()
    }
}

/// Decides by the answers of `judge`.
pub(crate) fn evaluate<J: Judge>(request: &Request<'_>, layers: &Layers<'_>, judge: &mut J) -> Decision {
    let mut hearing = Hearing { judge, denied: None };
    let Some(answers) = hearing.gather(request, layers) else {
        return hearing.refusal();
    };
    if hearing.denied.is_some() {
        return hearing.refusal();
    }
    match answers.missing_level(layers) {
        Some((layer, level)) => implicit(layer, level),
        None => answers.sum(request, layers),
    }
}

struct Hearing<'j, J> {
    judge: &'j mut J,
    denied: Option<Reason>,
}

struct Answers {
    resource_control: Option<bool>,
    /// The first level of the organization that does not allow.
    silent_level: Option<usize>,
    resource: Verdict,
    resource_layer: Layer,
    grant: Option<(usize, Strength)>,
    identity: Verdict,
    /// `None`: absent, limits nothing.
    boundary: Option<bool>,
    session: Option<bool>,
    endpoint: Option<bool>,
}

impl<J: Judge> Hearing<'_, J> {
    /// Asks every layer, in AWS's order; `None` once a denial makes the rest idle.
    fn gather(&mut self, request: &Request<'_>, layers: &Layers<'_>) -> Option<Answers> {
        let principal = request.principal;
        let linked = principal.is_service_linked_role();
        // Organizations User Guide, "Resource control policies": these are not restricted.
        let retiring = request.action.eq_ignore_ascii_case("kms:RetireGrant");
        let resource_control = self.optional(
            Layer::ResourceControl,
            (!layers.resource_control.is_empty()).then_some(layers.resource_control),
            linked || retiring,
        )?;
        let silent_level = self.service_control(layers, linked || principal.account().is_none())?;
        let resource_layer = resource_layer(layers);
        let (resource, grant) = match &layers.key {
            Some(key) => {
                let verdict = self.ask(Layer::Key, 0, from_ref(key.policy))?;
                (verdict, self.judge.grants(key))
            }
            None => match layers.resource {
                Some(attached) => (self.ask(resource_layer, 0, from_ref(attached))?, None),
                None => {
                    self.judge.skipped(resource_layer, false);
                    (Verdict::default(), None)
                }
            },
        };
        let rooted = matches!(principal, Principal::Root { .. });
        let selfless = rooted || principal.account().is_none();
        let identity = if selfless {
            self.judge.skipped(Layer::Identity, true);
            Verdict::default()
        } else {
            self.ask(Layer::Identity, 0, layers.identity)?
        };
        let boundary = self.optional(Layer::Boundary, layers.boundary.map(from_ref), selfless)?;
        let session = self.optional(Layer::Session, layers.session, principal.account().is_none())?;
        let endpoint = self.optional(Layer::Endpoint, layers.endpoint.map(from_ref), false)?;
        let answers = Answers {
            resource_control,
            silent_level,
            resource,
            resource_layer,
            grant,
            identity,
            boundary,
            session,
            endpoint,
        };
        Some(answers)
    }

    fn service_control(&mut self, layers: &Layers<'_>, exempt: bool) -> Option<Option<usize>> {
        if exempt || layers.service_control.is_empty() {
            self.judge.skipped(
                Layer::ServiceControl,
                exempt && !layers.service_control.is_empty(),
            );
            return Some(None);
        }
        let mut silent = None;
        for (level, policies) in layers.service_control.iter().enumerate() {
            let verdict = self.ask(Layer::ServiceControl, level, policies)?;
            if verdict.allow.is_none() {
                silent = silent.or(Some(level));
            }
        }
        Some(silent)
    }

    /// A layer that only limits: whether it allows, or `None` within if it is absent.
    fn optional(
        &mut self,
        layer: Layer,
        policies: Option<&[Attached]>,
        exempt: bool,
    ) -> Option<Option<bool>> {
        match policies {
            Some(policies) if !exempt => Some(Some(self.ask(layer, 0, policies)?.allow.is_some())),
            present => {
                self.judge.skipped(layer, exempt && present.is_some());
                Some(None)
            }
        }
    }

    fn ask(&mut self, layer: Layer, level: usize, policies: &[Attached]) -> Option<Verdict> {
        let verdict = self.judge.policies(layer, level, policies);
        if let (Some(At { policy, statement }), None) = (verdict.deny, self.denied) {
            self.denied = Some(Reason::ExplicitDeny {
                layer,
                level,
                policy,
                statement,
            });
        }
        (self.denied.is_none() || J::THOROUGH).then_some(verdict)
    }

    fn refusal(&self) -> Decision {
        let reason = self.denied.unwrap_or(Reason::ImplicitDeny {
            layer: Layer::Identity,
            level: 0,
        });
        Decision {
            allowed: false,
            reason,
        }
    }
}

impl Answers {
    fn missing_level(&self, layers: &Layers<'_>) -> Option<(Layer, usize)> {
        if self.resource_control == Some(false) && !layers.resource_control.is_empty() {
            return Some((Layer::ResourceControl, 0));
        }
        self.silent_level.map(|level| (Layer::ServiceControl, level))
    }

    /// What the answers add up to, once nothing denies and the organization allows.
    fn sum(&self, request: &Request<'_>, layers: &Layers<'_>) -> Decision {
        let decision = self.grant(request, layers);
        if decision.allowed && self.endpoint == Some(false) {
            return implicit(Layer::Endpoint, 0);
        }
        decision
    }

    fn grant(&self, request: &Request<'_>, layers: &Layers<'_>) -> Decision {
        let principal = request.principal;
        let by_resource = self
            .resource
            .allow
            .map(|(at, strength)| (strength, allowed(self.resource_layer, at)));
        let by_grant = self
            .grant
            .map(|(policy, strength)| (strength, allowed(Layer::Grant, At { policy, statement: 0 })));
        let Some(own_account) = principal.account() else {
            // A service, a provider's user or an anonymous caller has only what the resource gives.
            let given = by_resource.or(by_grant);
            return given.map_or(implicit(self.resource_layer, 0), |(_, decision)| decision);
        };
        let owner = request
            .resource_account
            .or_else(|| account_of(request.resource))
            .unwrap_or(own_account);
        let cross = owner != own_account;
        // A grant is permission in itself, also across accounts; one to a whole account delegates as a policy does.
        if let Some((strength, decision)) = by_grant.filter(|(strength, _)| *strength > Strength::Account)
            && (strength == Strength::Direct || self.limiting_layer(principal).is_none())
        {
            return decision;
        }
        let given = by_resource.max_by_strength(by_grant);
        // Trust and key policies must allow explicitly, and so must any resource of another account.
        let demanding = cross || layers.key.is_some() || self.resource_layer == Layer::Trust;
        if given.is_none() && demanding {
            return implicit(self.resource_layer, 0);
        }
        if let Some((strength, decision)) = given.filter(|_| !cross) {
            match strength {
                Strength::Direct => return decision,
                Strength::Behind => {
                    let limit = self.limiting_layer(principal);
                    return limit.map_or(decision, |layer| implicit(layer, 0));
                }
                Strength::Account => {}
            }
        }
        let own = self.own(principal);
        match given {
            Some((_, decision)) if own.allowed && cross => decision,
            _ => own,
        }
    }

    /// What the caller's own account says: identity policies, limited by boundary and session policies.
    fn own(&self, principal: &Principal) -> Decision {
        let granted = match self.identity.allow {
            Some((at, _)) => allowed(Layer::Identity, at),
            None if matches!(principal, Principal::Root { .. }) => allowed(
                Layer::Root,
                At {
                    policy: 0,
                    statement: 0,
                },
            ),
            None => return implicit(Layer::Identity, 0),
        };
        self.limiting_layer(principal)
            .map_or(granted, |layer| implicit(layer, 0))
    }

    /// The boundary or session layer, if it does not allow. A federated user without session policies has no
    /// permissions but those given to it directly.
    fn limiting_layer(&self, principal: &Principal) -> Option<Layer> {
        let federated = matches!(principal, Principal::FederatedUser { .. });
        if self.boundary == Some(false) {
            Some(Layer::Boundary)
        } else if self.session == Some(false) || (federated && self.session.is_none()) {
            Some(Layer::Session)
        } else {
            None
        }
    }
}

trait MaxByStrength {
    fn max_by_strength(self, other: Self) -> Self;
}

impl MaxByStrength for Option<(Strength, Decision)> {
    /// The more direct of two grants; the first of equals.
    fn max_by_strength(self, other: Self) -> Self {
        match (&self, &other) {
            (Some((one, _)), Some((two, _))) if two > one => other,
            (None, _) => other,
            _ => self,
        }
    }
}

pub(crate) fn resource_layer(layers: &Layers<'_>) -> Layer {
    match layers.resource {
        _ if layers.key.is_some() => Layer::Key,
        Some(attached) if attached.policy.kind == PolicyKind::Trust => Layer::Trust,
        _ => Layer::Resource,
    }
}

fn allowed(layer: Layer, at: At) -> Decision {
    let At { policy, statement } = at;
    Decision {
        allowed: true,
        reason: Reason::Allowed {
            layer,
            policy,
            statement,
        },
    }
}

fn implicit(layer: Layer, level: usize) -> Decision {
    Decision {
        allowed: false,
        reason: Reason::ImplicitDeny { layer, level },
    }
}
