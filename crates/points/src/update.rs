//! What clients change in a collection.

mod check;
mod resolve;

use qdrant_edge::{
    Filter, JsonPath, Payload, PointId, PointStructPersisted, PointVectorsPersisted, UpdateMode,
};

/// Which points a change is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Selector {
    /// These.
    Ids(Vec<PointId>),
    /// Those that match when the change is made.
    Filter(Filter),
}

/// One change of a collection, as a client asks for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// Puts whole points: what stood under their ids before is replaced.
    Upsert {
        /// The points.
        points: Vec<PointStructPersisted>,
        /// Replaces existing points only if they match.
        filter: Option<Filter>,
        /// Whether to insert, to replace, or both.
        mode: UpdateMode,
    },
    /// Removes points; missing ones are no error.
    Delete(Selector),
    /// Replaces the named vectors of existing points and keeps their others.
    UpdateVectors {
        /// The points with their new vectors.
        points: Vec<PointVectorsPersisted>,
        /// Changes only points that match.
        filter: Option<Filter>,
    },
    /// Removes vectors of points.
    DeleteVectors {
        /// Whose.
        of: Selector,
        /// Their names; the default vector's is empty.
        names: Vec<String>,
    },
    /// Merges keys into payloads.
    SetPayload {
        /// Whose.
        of: Selector,
        /// The keys and values.
        payload: Payload,
        /// Where in the payload they go; at its top if `None`.
        key: Option<JsonPath>,
    },
    /// Replaces payloads.
    OverwritePayload {
        /// Whose.
        of: Selector,
        /// The new payload.
        payload: Payload,
    },
    /// Removes keys from payloads.
    DeletePayload {
        /// Whose.
        of: Selector,
        /// The keys.
        keys: Vec<JsonPath>,
    },
    /// Removes payloads.
    ClearPayload(Selector),
}
