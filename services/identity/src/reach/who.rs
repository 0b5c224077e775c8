//! Who can do one thing to one resource, itself or as a role that it can become.

use std::collections::{BTreeMap, VecDeque};

use pipeline::{Look, Result};
use serde::{Deserialize, Serialize};

use super::population::{Kind, Population};
use super::question::{Question, Resources, Way, way};

/// A principal that can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Able {
    pub arn: String,
    /// The roles that it assumes one after the other, the last of which does it; empty if it does it itself.
    pub through: Vec<String>,
    /// What allows the last step, with every condition of the whole way.
    pub way: Way,
}

/// The answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WhoCan {
    pub action: String,
    pub resource: String,
    /// Allowed as asked, nearest first.
    pub can: Vec<Able>,
    /// Allowed only under conditions that the question did not give.
    pub conditionally: Vec<Able>,
    /// How many principals were asked.
    pub asked: usize,
}

/// Asks every principal of every account. Each is named once, by its shortest way; a way without conditions counts before one
/// with.
///
/// # Errors
/// The store's, as internal faults.
pub fn who_can(
    look: &mut Look<'_>,
    population: &Population,
    (action, resource): (&str, &str),
    given: &BTreeMap<String, Vec<String>>,
    resources: Resources<'_>,
) -> Result<WhoCan> {
    let question = Question {
        action,
        resource,
        given,
    };
    let mut found: Vec<Option<Able>> = Vec::with_capacity(population.actors.len());
    for actor in &population.actors {
        let way = way(look, actor, &question, resources)?;
        found.push(way.map(|way| Able {
            arn: actor.arn.clone(),
            through: Vec::new(),
            way,
        }));
    }
    let mut edges = Edges {
        population,
        given,
        resources,
        known: BTreeMap::new(),
    };
    let (sure, unsure) = (
        spread(look, &mut edges, &found, false)?,
        spread(look, &mut edges, &found, true)?,
    );
    let mut answer = WhoCan {
        action: action.to_owned(),
        resource: resource.to_owned(),
        asked: population.actors.len(),
        ..WhoCan::default()
    };
    for (sure, unsure) in sure.into_iter().zip(unsure) {
        match (sure, unsure) {
            (Some(able), _) => answer.can.push(able),
            (None, Some(able)) => answer.conditionally.push(able),
            (None, None) => {}
        }
    }
    answer.can.sort_by_key(|able| able.through.len());
    answer.conditionally.sort_by_key(|able| able.through.len());
    Ok(answer)
}

/// Who can assume which role, asked once each.
struct Edges<'a> {
    population: &'a Population,
    given: &'a BTreeMap<String, Vec<String>>,
    resources: Resources<'a>,
    known: BTreeMap<(usize, usize), Option<Way>>,
}

impl Edges<'_> {
    fn get(&mut self, look: &mut Look<'_>, from: usize, role: usize) -> Result<Option<Way>> {
        if let Some(known) = self.known.get(&(from, role)) {
            return Ok(known.clone());
        }
        let actors = &self.population.actors;
        let found = match (actors.get(from), actors.get(role)) {
            // The root user assumes no role.
            (Some(actor), Some(role)) if actor.kind != Kind::Root => {
                let question = Question {
                    action: "sts:AssumeRole",
                    resource: &role.arn,
                    given: self.given,
                };
                way(look, actor, &question, self.resources)?
            }
            _ => None,
        };
        self.known.insert((from, role), found.clone());
        Ok(found)
    }
}

/// From those who can by themselves to all who can become one of them, nearest first. With `unsure`, ways with conditions count.
fn spread(
    look: &mut Look<'_>,
    edges: &mut Edges<'_>,
    found: &[Option<Able>],
    unsure: bool,
) -> Result<Vec<Option<Able>>> {
    let counts = |way: &Way| unsure || way.needs.is_empty();
    let mut reached: Vec<Option<Able>> = found
        .iter()
        .map(|able| able.clone().filter(|able| counts(&able.way)))
        .collect();
    let mut queue: VecDeque<usize> = edges
        .population
        .roles()
        .map(|(at, _)| at)
        .filter(|at| reached.get(*at).is_some_and(Option::is_some))
        .collect();
    while let Some(role) = queue.pop_front() {
        let Some(Some(end)) = reached.get(role).cloned() else {
            continue;
        };
        for from in 0..reached.len() {
            if from == role || reached.get(from).is_some_and(Option::is_some) {
                continue;
            }
            let Some(step) = edges.get(look, from, role)?.filter(counts) else {
                continue;
            };
            let Some(actor) = edges.population.actors.get(from) else {
                continue;
            };
            let mut able = Able {
                arn: actor.arn.clone(),
                through: vec![end.arn.clone()],
                way: end.way.clone(),
            };
            able.through.extend(end.through.iter().cloned());
            able.way.needs.splice(0..0, step.needs);
            if let Some(place) = reached.get_mut(from) {
                *place = Some(able);
            }
            if actor.kind == Kind::Role {
                queue.push_back(from);
            }
        }
    }
    Ok(reached)
}
