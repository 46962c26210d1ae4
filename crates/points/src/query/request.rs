//! What clients ask of a collection, independent of the form in which they do.

use std::collections::BTreeSet;

use qdrant_edge::{
    Filter, Formula, JsonPath, OrderBy, PointId, SearchParams, VectorInternal, WithPayloadInterface,
    WithVector,
};

/// Points by id. Ids that do not exist are left out of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrieve {
    /// Which.
    pub ids: Vec<PointId>,
    /// Which payload to answer.
    pub with_payload: WithPayloadInterface,
    /// Which vectors to answer.
    pub with_vector: WithVector,
}

/// A page of points in the order of their ids, or of a payload field.
#[derive(Clone, Debug, PartialEq)]
pub struct Scroll {
    /// Where the page begins; not with `order_by`.
    pub offset: Option<PointId>,
    /// How many points, at least one.
    pub limit: usize,
    /// Only points that match.
    pub filter: Option<Filter>,
    /// Orders by a payload field that is indexed as a number or a time.
    pub order_by: Option<OrderBy>,
    /// Which payload to answer.
    pub with_payload: WithPayloadInterface,
    /// Which vectors to answer.
    pub with_vector: WithVector,
}

/// How many points match.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// Only points that match.
    pub filter: Option<Filter>,
    /// Whether an estimate is not enough.
    pub exact: bool,
}

/// How many points there are of each value of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// The field; it must be indexed.
    pub key: JsonPath,
    /// How many values, those with most points first.
    pub limit: usize,
    /// Only points that match.
    pub filter: Option<Filter>,
    /// Whether an estimate is not enough.
    pub exact: bool,
}

/// The universal query: stages that find candidates, and a last one that scores them.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The last stage. Its `limit` counts from `offset` on.
    pub stage: Stage,
    /// How many of the best results to leave out.
    pub offset: usize,
    /// Which payload to answer.
    pub with_payload: WithPayloadInterface,
    /// Which vectors to answer.
    pub with_vector: WithVector,
}

impl Query {
    /// The results of `stage`, without payloads and vectors.
    pub fn new(stage: Stage) -> Query {
        let (with_payload, with_vector) = (WithPayloadInterface::Bool(false), WithVector::Bool(false));
        Query { stage, offset: 0, with_payload, with_vector }
    }

    /// The other collections that the query names, as it names them.
    pub fn others(&self) -> BTreeSet<&str> {
        self.stage.others()
    }
}

/// One stage of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Earlier stages, whose results are this one's candidates; all points if there are none.
    pub prefetch: Vec<Stage>,
    /// How to score; by id, unscored, if `None`.
    pub scoring: Option<Scoring>,
    /// Which vector to compare; the default vector's name is empty.
    pub using: String,
    /// Only points that match.
    pub filter: Option<Filter>,
    /// How to search.
    pub params: Option<SearchParams>,
    /// Leaves out what scores worse.
    pub score_threshold: Option<f32>,
    /// How many results.
    pub limit: usize,
    /// Where ids in `scoring` are looked up; in the collection itself if `None`.
    pub lookup_from: Option<Lookup>,
}

impl Stage {
    /// All points in the order of their ids, at most `limit`; the fields say what else.
    pub fn new(limit: usize) -> Stage {
        Stage {
            prefetch: Vec::new(),
            scoring: None,
            using: String::new(),
            filter: None,
            params: None,
            score_threshold: None,
            limit,
            lookup_from: None,
        }
    }
}

/// Where the vectors of ids in a query come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The collection, or an alias of it.
    pub collection: String,
    /// The vector's name; that of the stage if `None`.
    pub vector: Option<String>,
}

/// How a stage scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Scoring {
    /// By similarity to one vector.
    Nearest(VectorInput),
    /// By similarity to one vector, but so that results differ from one another.
    Diverse {
        /// The vector.
        nearest: VectorInput,
        /// From 0, like `Nearest`, to 1, as different as can be.
        diversity: f32,
        /// Among how many of the nearest points to choose; the stage's limit if `None`.
        candidates: Option<usize>,
    },
    /// By similarity to examples, and dissimilarity to others.
    Recommend {
        /// What results should be like.
        positive: Vec<VectorInput>,
        /// What they should not be like.
        negative: Vec<VectorInput>,
        /// How examples become a score.
        strategy: RecommendStrategy,
    },
    /// By similarity to a target, within the side of the context pairs.
    Discover {
        /// The target.
        target: VectorInput,
        /// Pairs of a positive and a negative example.
        context: Vec<(VectorInput, VectorInput)>,
    },
    /// By the side of the context pairs alone.
    Context(Vec<(VectorInput, VectorInput)>),
    /// By similarity to a target, moved by how well other vectors fit.
    Feedback {
        /// The target.
        target: VectorInput,
        /// Vectors, and how well each fits: the more, the better.
        examples: Vec<(VectorInput, f32)>,
        /// How much the target counts, the confidence in a pair, and the similarity to a pair
        /// (`qdrant/qdrant:lib/segment/src/vector_storage/query/feedback_query.rs`).
        coefficients: [f32; 3],
    },
    /// By a formula from the scores of the stages before, payloads and conditions.
    Formula(Formula),
    /// By a payload field.
    OrderBy(OrderBy),
    /// By the ranks or scores of the stages before.
    Fusion(Fusion),
    /// At random.
    Sample,
}

/// A vector, or the point whose vector is meant. That point is left out of the results.
#[derive(Clone, Debug, PartialEq)]
pub enum VectorInput {
    /// The vector of this point.
    Id(PointId),
    /// This vector.
    Vector(VectorInternal),
}

/// How examples become a score (`qdrant/qdrant:lib/segment/src/vector_storage/query/reco_query.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecommendStrategy {
    /// One vector: the average of the positive ones, moved away from that of the negative ones.
    AverageVector,
    /// The best of the similarities.
    BestScore,
    /// The sum of the similarities.
    SumScores,
}

/// How the results of several stages become one list.
#[derive(Clone, Debug, PartialEq)]
pub enum Fusion {
    /// Reciprocal ranks.
    Rrf {
        /// Added to each rank.
        k: usize,
        /// One weight per stage; all the same if `None`.
        weights: Option<Vec<f32>>,
    },
    /// Scores, normalised by their distribution.
    Dbsf,
}

/// A query whose results are grouped by a payload field.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// The query. Its `limit` and `offset` are not used.
    pub query: Query,
    /// The field, a keyword or an integer.
    pub group_by: JsonPath,
    /// How many groups.
    pub groups: usize,
    /// How many results in each.
    pub group_size: usize,
    /// Where points named by the groups' values are looked up.
    pub with_lookup: Option<GroupLookup>,
}

impl Groups {
    /// The other collections that the query names, as it names them.
    pub fn others(&self) -> BTreeSet<&str> {
        let mut names = self.query.others();
        names.extend(self.with_lookup.iter().map(|lookup| lookup.collection.as_str()));
        names
    }
}

/// Points of another collection to answer with each group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupLookup {
    /// The collection, or an alias of it.
    pub collection: String,
    /// Which payload to answer.
    pub with_payload: WithPayloadInterface,
    /// Which vectors to answer.
    pub with_vector: WithVector,
}
