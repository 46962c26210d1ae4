//! Endpoints of the genuine server that we don't have: 501, by name.

use super::answer::Outcome;
use super::call::Call;
use super::table::{Right, Table};
use crate::qdrant::unserved::Unserved;

pub(super) fn routes(table: Table) -> Table {
    use Right::{CollectionWrite, GlobalRead, Key, Manage, PointsRead};
    use Unserved::*;
    table
        .post("/collections/{name}/points/search/matrix/pairs", PointsRead, not(Matrix))
        .post("/collections/{name}/points/search/matrix/offsets", PointsRead, not(Matrix))
        .get("/collections/{name}/shards", PointsRead, not(ShardKeys))
        .put("/collections/{name}/shards", Manage, not(ShardKeys))
        .post("/collections/{name}/shards/delete", Manage, not(ShardKeys))
        .put("/collections/{name}/vectors/{vector_name}", CollectionWrite, not(VectorNames))
        .delete("/collections/{name}/vectors/{vector_name}", CollectionWrite, not(VectorNames))
        .get("/collections/{name}/optimizations", PointsRead, not(Optimizations))
        .get(
            "/collections/{name}/shards/{shard}/snapshot/partial/manifest",
            GlobalRead,
            not(PartialSnapshots),
        )
        .post(
            "/collections/{name}/shards/{shard}/snapshot/partial/create",
            CollectionWrite,
            not(PartialSnapshots),
        )
        .post("/collections/{name}/shards/{shard}/snapshot/partial/recover", Manage, not(PartialSnapshots))
        .post(
            "/collections/{name}/shards/{shard}/snapshot/partial/recover_from",
            Manage,
            not(PartialSnapshots),
        )
        .get("/issues", Key, not(Issues))
        .delete("/issues", Manage, not(Issues))
        .get("/cluster/telemetry", Key, not(ClusterTelemetry))
        .get("/locks", GlobalRead, not(Process))
        .post("/locks", Manage, not(Process))
        .get("/logger", GlobalRead, not(Process))
        .post("/logger", Manage, not(Process))
        .get("/stacktrace", Manage, not(Process))
}

fn not(what: Unserved) -> impl Fn(Call) -> std::future::Ready<Outcome> + Clone + Send + Sync + 'static {
    move |_| std::future::ready(Err(what.into()))
}
