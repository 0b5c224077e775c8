//! What one principal can do: what its statements come to in every layer, the roles that it can become, and the published ways by
//! which it could gain more.

use std::collections::{BTreeMap, VecDeque};

use pipeline::{Look, Result};
use policy::{Effect, reference};
use serde::{Deserialize, Serialize};

use super::escalation::{self, Escalation};
use super::population::{Actor, Kind, Population};
use super::question::{Need, Question, Resources, Way, way};

/// Actions of one service that are allowed on what one statement names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// `s3`
    pub service: String,
    /// `GetObject`, in byte order.
    pub actions: Vec<String>,
    /// How many actions the service has: as many as `actions` means all.
    pub of: usize,
    /// As the statement names it.
    pub resource: String,
    /// The policy of the statement, and its number in it from 0.
    pub origin: String,
    pub statement: usize,
    /// Conditions that the statement, or a layer that limits it, asks for.
    pub needs: Vec<Need>,
}

/// Actions that a statement allows and another layer or a Deny refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub service: String,
    pub resource: String,
    /// How many.
    pub actions: usize,
}

/// A role that the principal can become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub arn: String,
    /// The roles that are assumed before it.
    pub through: Vec<String>,
    pub needs: Vec<Need>,
    /// Everything is allowed to it.
    pub administrator: bool,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WhatCan {
    pub principal: String,
    /// Everything is allowed on everything.
    pub administrator: bool,
    pub granted: Vec<Granted>,
    pub refused: Vec<Refused>,
    pub roles: Vec<Role>,
    pub escalations: Vec<Escalation>,
}

/// Asks for one principal: the ARN of a user, a role or a root user; `None` if there is none of that ARN.
///
/// # Errors
/// The store's, as internal faults.
pub fn what_can(
    look: &mut Look<'_>,
    population: &Population,
    arn: &str,
    given: &BTreeMap<String, Vec<String>>,
    resources: Resources<'_>,
) -> Result<Option<WhatCan>> {
    let Some((at, actor)) = population
        .actors
        .iter()
        .enumerate()
        .find(|(_, actor)| actor.arn == arn)
    else {
        return Ok(None);
    };
    let administrator = is_administrator(look, actor, given, resources)?;
    let (granted, refused) = granted(look, actor, given, resources)?;
    let roles = roles(look, population, at, given, resources)?;
    let mut escalations = Vec::new();
    if !administrator {
        escalation::find(look, population, (actor, &[]), given, resources, &mut escalations)?;
    }
    for role in roles
        .iter()
        .filter(|role| role.needs.is_empty() && !role.administrator)
    {
        let Some(actor) = population.actors.iter().find(|actor| actor.arn == role.arn) else {
            continue;
        };
        let mut through = role.through.clone();
        through.push(role.arn.clone());
        escalation::find(
            look,
            population,
            (actor, &through),
            given,
            resources,
            &mut escalations,
        )?;
    }
    Ok(Some(WhatCan {
        principal: arn.to_owned(),
        administrator,
        granted,
        refused,
        roles,
        escalations,
    }))
}

/// An action that no service has is allowed only by what allows everything.
pub(super) fn is_administrator(
    look: &mut Look<'_>,
    actor: &Actor,
    given: &BTreeMap<String, Vec<String>>,
    resources: Resources<'_>,
) -> Result<bool> {
    let question = Question {
        action: "anything:Whatever",
        resource: "*",
        given,
    };
    let way = way(look, actor, &question, resources)?;
    Ok(way.is_some_and(|way| way.needs.is_empty()))
}

/// A statement's actions on one of its resources, by service.
type Asked = BTreeMap<(String, String), Vec<String>>;

/// Every action that an Allow statement of the principal names, on what it names, put to the evaluator. A statement with
/// `NotResource` is asked about everything, which its exceptions do not change.
fn granted(
    look: &mut Look<'_>,
    actor: &Actor,
    given: &BTreeMap<String, Vec<String>>,
    resources: Resources<'_>,
) -> Result<(Vec<Granted>, Vec<Refused>)> {
    let mut asked = Asked::new();
    for attached in &actor.standing.policies.identity {
        for statement in attached.policy.statements() {
            if statement.effect() == Effect::Allow {
                collect(statement, &mut asked);
            }
        }
    }
    let (mut granted, mut refused) = (Vec::new(), Vec::new());
    for ((service, resource), mut actions) in asked {
        actions.sort_unstable();
        actions.dedup();
        let mut ways: Vec<(Way, Vec<String>)> = Vec::new();
        let mut denied = 0;
        for action in actions {
            let full = format!("{service}:{action}");
            let question = Question {
                action: &full,
                resource: &resource,
                given,
            };
            match way(look, actor, &question, resources)? {
                None => denied += 1,
                Some(way) => match ways.iter_mut().find(|(known, _)| *known == way) {
                    Some((_, actions)) => actions.push(action),
                    None => ways.push((way, vec![action])),
                },
            }
        }
        if denied > 0 {
            refused.push(Refused {
                service: service.clone(),
                resource: resource.clone(),
                actions: denied,
            });
        }
        let of = reference::service(&service).map_or(0, |service| service.actions().count());
        granted.extend(ways.into_iter().map(|(way, actions)| Granted {
            service: service.clone(),
            actions,
            of,
            resource: resource.clone(),
            origin: way.origin,
            statement: way.statement,
            needs: way.needs,
        }));
    }
    Ok((granted, refused))
}

fn collect(statement: policy::StatementView<'_>, asked: &mut Asked) {
    let (negated, actions) = statement.actions();
    let (not_resource, resources) = statement.resources();
    let resources: Vec<String> = if not_resource {
        vec!["*".to_owned()]
    } else {
        resources.collect()
    };
    let patterns: Vec<String> = actions.collect();
    let sources: &[String] = if negated { &["*".to_owned()] } else { &patterns };
    for source in sources {
        for action in reference::actions_matching(source) {
            for resource in &resources {
                let key = (action.service().prefix().to_owned(), resource.clone());
                asked.entry(key).or_default().push(action.name().to_owned());
            }
        }
    }
}

/// The roles that the principal can become, nearest first, each by one way.
fn roles(
    look: &mut Look<'_>,
    population: &Population,
    from: usize,
    given: &BTreeMap<String, Vec<String>>,
    resources: Resources<'_>,
) -> Result<Vec<Role>> {
    let mut reached: BTreeMap<usize, Role> = BTreeMap::new();
    let mut order = Vec::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        let Some(actor) = population.actors.get(at).filter(|actor| actor.kind != Kind::Root) else {
            continue;
        };
        let (through, needs) = match reached.get(&at) {
            Some(role) => {
                let through = role.through.iter().chain([&role.arn]).cloned().collect();
                (through, role.needs.clone())
            }
            None => (Vec::new(), Vec::new()),
        };
        for (number, role) in population.roles() {
            if number == from || reached.contains_key(&number) {
                continue;
            }
            let question = Question {
                action: "sts:AssumeRole",
                resource: &role.arn,
                given,
            };
            let Some(step) = way(look, actor, &question, resources)? else {
                continue;
            };
            let found = Role {
                arn: role.arn.clone(),
                through: Vec::clone(&through),
                needs: needs.iter().cloned().chain(step.needs).collect(),
                administrator: is_administrator(look, role, given, resources)?,
            };
            reached.insert(number, found);
            order.push(number);
            queue.push_back(number);
        }
    }
    Ok(order
        .into_iter()
        .filter_map(|number| reached.remove(&number))
        .collect())
}
