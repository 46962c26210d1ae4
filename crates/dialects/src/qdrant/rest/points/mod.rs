//! Points: changed, read, searched.

mod query;
mod read;
mod update;

use super::table::{Right, Table};
pub(super) use update::UpdateResult;

pub(super) fn routes(table: Table) -> Table {
    use Right::{PointsRead, PointsWrite};
    table
        .put("/collections/{name}/points", PointsWrite, update::upsert)
        .post("/collections/{name}/points/delete", PointsWrite, update::delete)
        .put("/collections/{name}/points/vectors", PointsWrite, update::update_vectors)
        .post("/collections/{name}/points/vectors/delete", PointsWrite, update::delete_vectors)
        .post("/collections/{name}/points/payload", PointsWrite, update::set_payload)
        .put("/collections/{name}/points/payload", PointsWrite, update::overwrite_payload)
        .post("/collections/{name}/points/payload/delete", PointsWrite, update::delete_payload)
        .post("/collections/{name}/points/payload/clear", PointsWrite, update::clear_payload)
        .post("/collections/{name}/points/batch", PointsWrite, update::batch)
        .get("/collections/{name}/points/{id}", PointsRead, read::one)
        .post("/collections/{name}/points", PointsRead, read::several)
        .post("/collections/{name}/points/scroll", PointsRead, read::scroll)
        .post("/collections/{name}/points/count", PointsRead, read::count)
        .post("/collections/{name}/facet", PointsRead, read::facet)
        .post("/collections/{name}/points/query", PointsRead, query::query)
        .post("/collections/{name}/points/query/batch", PointsRead, query::query_batch)
        .post("/collections/{name}/points/query/groups", PointsRead, query::query_groups)
        .post("/collections/{name}/points/search", PointsRead, query::search)
        .post("/collections/{name}/points/search/batch", PointsRead, query::search_batch)
        .post("/collections/{name}/points/search/groups", PointsRead, query::search_groups)
        .post("/collections/{name}/points/recommend", PointsRead, query::recommend)
        .post("/collections/{name}/points/recommend/batch", PointsRead, query::recommend_batch)
        .post("/collections/{name}/points/recommend/groups", PointsRead, query::recommend_groups)
        .post("/collections/{name}/points/discover", PointsRead, query::discover)
        .post("/collections/{name}/points/discover/batch", PointsRead, query::discover_batch)
}
