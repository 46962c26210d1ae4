//! From what clients ask to what shards understand: ids become vectors, and what cannot be meant is refused.
//! Follows `qdrant/qdrant:lib/collection/src/operations/universal_query/collection_query.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qdrant_edge::{
    Condition, ContextPair, ContextQuery, DiscoverQuery, FeedbackItem, FeedbackNaiveQuery, Filter,
    NaiveFeedbackStrategy, NamedQuery, OrderBy, PointId, QueryEnum, RecommendQuery, Record, SearchParams,
    VectorInternal, VectorRef, WithPayloadInterface, WithVector, avg_vector_for_recommendation,
};

use super::formula::Computation;
use super::request::{Fusion, RecommendStrategy, Retrieve, Scoring, Stage, VectorInput};
use super::shards::{Others, Shards, by_id};
use crate::error::{Error, Kind, Result};

/// How deep stages may be nested (`qdrant/qdrant:lib/shard/src/query/planned_query.rs`).
const DEPTH_MAX: usize = 64;

/// A stage without ids.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub prefetch: Vec<Step>,
    pub rule: Rule,
    pub filter: Option<Filter>,
    pub params: Option<SearchParams>,
    pub score_threshold: Option<f32>,
    pub limit: usize,
}

/// How a step finds or scores its points.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    ById,
    Vector(QueryEnum),
    Diverse(Diverse),
    OrderBy(OrderBy),
    Sample,
    Fusion(Fusion),
    Formula(Computation),
}

/// Results near `vector` that differ from one another.
#[derive(Clone, Debug)]
pub(super) struct Diverse {
    pub vector: VectorInternal,
    pub using: String,
    /// From 0, only differences count, to 1, only nearness does.
    pub relevance: f32,
    pub candidates: usize,
}

impl Stage {
    /// The other collections that this stage and those before it name, as they name them.
    pub fn others(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.visit(&mut |stage| {
            if let (Some(lookup), true) = (&stage.lookup_from, stage.ids().next().is_some()) {
                names.insert(lookup.collection.as_str());
            }
        });
        names
    }

    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Stage)) {
        see(self);
        for stage in &self.prefetch {
            stage.visit(see);
        }
    }

    fn depth(&self) -> usize {
        self.prefetch.iter().map(|stage| stage.depth() + 1).max().unwrap_or(0)
    }

    fn ids(&self) -> impl Iterator<Item = PointId> {
        self.scoring.iter().flat_map(Scoring::inputs).filter_map(|input| match input {
            VectorInput::Id(id) => Some(*id),
            VectorInput::Vector(_) => None,
        })
    }

    /// In which collection its ids are looked up: `None` for the collection that is asked.
    fn collection(&self) -> Option<&str> {
        self.lookup_from.as_ref().map(|lookup| lookup.collection.as_str())
    }

    /// Which vector of the points that its ids name is meant.
    fn vector(&self) -> &str {
        self.lookup_from.as_ref().and_then(|lookup| lookup.vector.as_deref()).unwrap_or(&self.using)
    }

    fn check(&self) -> Result<()> {
        let merged = !self.prefetch.is_empty();
        let refuse = |text: &str| Err(Error::invalid(text));
        match &self.scoring {
            None if merged => refuse(
                "A query is needed to merge the prefetches. Can't have prefetches without defining a query.",
            ),
            None if self.score_threshold.is_some() => refuse(
                "A query is needed to use the score_threshold. Can't have score_threshold without defining a query.",
            ),
            Some(Scoring::OrderBy(_)) if self.score_threshold.is_some() => {
                refuse("Can't use score_threshold with an order_by query.")
            }
            Some(Scoring::Fusion(_)) if !self.using.is_empty() => {
                refuse("Fusion queries cannot be combined with the 'using' field.")
            }
            Some(Scoring::Formula(_)) if !merged => {
                refuse("Validation failed: cannot apply Formula without prefetches")
            }
            Some(Scoring::Fusion(_)) if !merged => {
                refuse("Validation failed: cannot apply Fusion without prefetches")
            }
            Some(Scoring::Fusion(Fusion::Rrf { weights: Some(weights), .. }))
                if weights.len() != self.prefetch.len() =>
            {
                Err(Error::invalid(format!(
                    "Validation failed: RRF weights length ({}) does not match number of prefetches ({})",
                    weights.len(),
                    self.prefetch.len()
                )))
            }
            _ => Ok(()),
        }
    }
}

impl Scoring {
    fn inputs(&self) -> Vec<&VectorInput> {
        fn both(pairs: &[(VectorInput, VectorInput)]) -> Vec<&VectorInput> {
            pairs.iter().flat_map(|(positive, negative)| [positive, negative]).collect()
        }
        match self {
            Scoring::Nearest(input) | Scoring::Diverse { nearest: input, .. } => vec![input],
            Scoring::Recommend { positive, negative, .. } => positive.iter().chain(negative).collect(),
            Scoring::Discover { target, context } => {
                let mut inputs = both(context);
                inputs.push(target);
                inputs
            }
            Scoring::Context(context) => both(context),
            Scoring::Feedback { target, examples, .. } => {
                let mut inputs: Vec<_> = examples.iter().map(|(input, _)| input).collect();
                inputs.push(target);
                inputs
            }
            Scoring::Formula(_) | Scoring::OrderBy(_) | Scoring::Fusion(_) | Scoring::Sample => Vec::new(),
        }
    }
}

impl Shards {
    /// The steps of `stage`. Points of this collection that any of its stages names are kept out of the results.
    pub(super) fn resolve(&self, stage: Stage, others: &Others) -> Result<Step> {
        let depth = stage.depth();
        if depth > DEPTH_MAX {
            let text = format!("Validation failed: prefetches depth {depth} exceeds max depth {DEPTH_MAX}");
            return Err(Error::invalid(text));
        }
        let named = Named::find(self, &stage, others)?;
        let mut own = BTreeSet::new();
        stage.visit(&mut |stage| {
            if stage.collection().is_none_or(|collection| collection == self.name) {
                own.extend(stage.ids());
            }
        });
        let mut step = named.step(stage)?;
        if !own.is_empty() {
            let except = Filter::new_must_not(Condition::HasId(own.into_iter().collect()));
            step.filter = Filter::merge_opts(Some(except), step.filter);
        }
        Ok(step)
    }
}

/// The points that a query names, by collection.
struct Named(BTreeMap<Option<String>, HashMap<PointId, Record>>);

impl Named {
    fn find(shards: &Shards, stage: &Stage, others: &Others) -> Result<Named> {
        let mut wanted: BTreeMap<Option<&str>, (BTreeSet<PointId>, BTreeSet<&str>)> = BTreeMap::new();
        stage.visit(&mut |stage| {
            if stage.ids().next().is_some() {
                let (ids, vectors) = wanted.entry(stage.collection()).or_default();
                ids.extend(stage.ids());
                vectors.insert(stage.vector());
            }
        });
        let mut found = BTreeMap::new();
        for (collection, (ids, vectors)) in wanted {
            let shards = match collection {
                Some(name) if name != shards.name => others.get(name).ok_or_else(|| no_collection(name))?,
                _ => shards,
            };
            let records = by_id(shards.retrieve(Retrieve {
                ids: ids.iter().copied().collect(),
                with_payload: WithPayloadInterface::Bool(false),
                with_vector: WithVector::Selector(vectors.into_iter().map(str::to_owned).collect()),
            })?);
            if let Some(id) = ids.iter().find(|id| !records.contains_key(id)) {
                return Err(Error::new(Kind::NotFound, format!("No point with id {id} found")));
            }
            found.insert(collection.map(str::to_owned), records);
        }
        Ok(Named(found))
    }

    fn step(&self, stage: Stage) -> Result<Step> {
        stage.check()?;
        let place = Place {
            points: self.0.get(&stage.collection().map(str::to_owned)),
            vector: stage.vector().to_owned(),
        };
        let Stage { prefetch, scoring, using, filter, params, score_threshold, limit, lookup_from: _ } =
            stage;
        let rule = match scoring {
            None => Rule::ById,
            Some(Scoring::OrderBy(order_by)) => Rule::OrderBy(order_by),
            Some(Scoring::Sample) => Rule::Sample,
            Some(Scoring::Fusion(fusion)) => Rule::Fusion(fusion),
            Some(Scoring::Formula(formula)) => Rule::Formula(Computation::new(formula)?),
            Some(Scoring::Diverse { nearest, diversity, candidates }) => Rule::Diverse(Diverse {
                vector: place.one(nearest)?,
                using,
                relevance: 1.0 - diversity,
                candidates: candidates.unwrap_or(limit),
            }),
            Some(scoring) => Rule::Vector(place.score(scoring, using)?),
        };
        let prefetch = prefetch.into_iter().map(|stage| self.step(stage)).collect::<Result<_>>()?;
        Ok(Step { prefetch, rule, filter, params, score_threshold, limit })
    }
}

/// Where one stage finds the vectors of its ids.
struct Place<'a> {
    points: Option<&'a HashMap<PointId, Record>>,
    vector: String,
}

impl Place<'_> {
    fn score(&self, scoring: Scoring, using: String) -> Result<QueryEnum> {
        let pairs = |pairs: Vec<(VectorInput, VectorInput)>| -> Result<Vec<_>> {
            let pair = |(positive, negative)| {
                Ok(ContextPair { positive: self.one(positive)?, negative: self.one(negative)? })
            };
            pairs.into_iter().map(pair).collect()
        };
        Ok(match scoring {
            Scoring::Nearest(input) => QueryEnum::Nearest(NamedQuery::new(self.one(input)?, using)),
            Scoring::Recommend { positive, negative, strategy } => {
                let examples = RecommendQuery::new(self.any(positive), self.any(negative));
                match strategy {
                    RecommendStrategy::AverageVector => {
                        let average = avg_vector_for_recommendation(
                            examples.positives.iter().map(VectorRef::from),
                            examples.negatives.iter().map(VectorRef::from).peekable(),
                        )?;
                        QueryEnum::Nearest(NamedQuery::new(average, using))
                    }
                    _ if examples.flat_iter().next().is_none() => {
                        return Err(Error::invalid("At least one positive or negative example is needed"));
                    }
                    RecommendStrategy::BestScore => {
                        QueryEnum::RecommendBestScore(NamedQuery::new(examples, using))
                    }
                    RecommendStrategy::SumScores => {
                        QueryEnum::RecommendSumScores(NamedQuery::new(examples, using))
                    }
                }
            }
            Scoring::Discover { target, context } => {
                let query = DiscoverQuery { target: self.one(target)?, pairs: pairs(context)? };
                QueryEnum::Discover(NamedQuery::new(query, using))
            }
            Scoring::Context(context) => {
                QueryEnum::Context(NamedQuery::new(ContextQuery { pairs: pairs(context)? }, using))
            }
            Scoring::Feedback { target, examples, coefficients: [a, b, c] } => {
                let item = |(input, score): (VectorInput, f32)| {
                    Ok(FeedbackItem { vector: self.one(input)?, score: score.into() })
                };
                let query = FeedbackNaiveQuery {
                    target: self.one(target)?,
                    feedback: examples.into_iter().map(item).collect::<Result<_>>()?,
                    coefficients: NaiveFeedbackStrategy { a: a.into(), b: b.into(), c: c.into() },
                };
                QueryEnum::FeedbackNaive(NamedQuery::new(query, using))
            }
            Scoring::Diverse { .. }
            | Scoring::Formula(_)
            | Scoring::OrderBy(_)
            | Scoring::Fusion(_)
            | Scoring::Sample => {
                return Err(Error::new(Kind::Internal, "a rule without vectors was to be scored by vectors"));
            }
        })
    }

    /// The vector that is meant. `NotFound` if the point named has none of that name.
    fn one(&self, input: VectorInput) -> Result<VectorInternal> {
        self.find(input).ok_or_else(|| {
            let text = format!("Vector with name {:?} for point not found", self.vector);
            Error::new(Kind::NotFound, text)
        })
    }

    /// The vectors that are meant, without those that don't exist.
    fn any(&self, inputs: Vec<VectorInput>) -> Vec<VectorInternal> {
        inputs.into_iter().filter_map(|input| self.find(input)).collect()
    }

    fn find(&self, input: VectorInput) -> Option<VectorInternal> {
        let mut vector = match input {
            VectorInput::Vector(vector) => vector,
            VectorInput::Id(id) => self.points?.get(&id)?.get_vector_by_name(&self.vector)?.to_owned(),
        };
        // Sorts the dimensions of a sparse vector.
        vector.preprocess();
        Some(vector)
    }
}

pub(super) fn no_collection(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("Collection {name} not found"))
}
