//! Endpoints of the genuine server that we don't have: 501, by name.

use super::answer::Outcome;
use super::call::Call;
use super::table::{Right, Table};
use crate::qdrant::unserved::Unserved;

pub(super) fn routes(table: Table) -> Table {
    snapshots(others(table))
}

fn others(table: Table) -> Table {
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
        .get("/issues", Key, not(Issues))
        .delete("/issues", Manage, not(Issues))
        .get("/cluster/telemetry", Key, not(ClusterTelemetry))
        .get("/locks", GlobalRead, not(Process))
        .post("/locks", Manage, not(Process))
        .get("/logger", GlobalRead, not(Process))
        .post("/logger", Manage, not(Process))
        .get("/stacktrace", Manage, not(Process))
}

fn snapshots(table: Table) -> Table {
    use Right::{CollectionRead, CollectionWrite, GlobalRead, Manage};
    use Unserved::Snapshots;
    table
        .get("/snapshots", GlobalRead, not(Snapshots))
        .post("/snapshots", Manage, not(Snapshots))
        .get("/snapshots/{snapshot}", GlobalRead, not(Snapshots))
        .delete("/snapshots/{snapshot}", Manage, not(Snapshots))
        .get("/collections/{name}/snapshots", CollectionRead, not(Snapshots))
        .post("/collections/{name}/snapshots", CollectionWrite, not(Snapshots))
        .get("/collections/{name}/snapshots/{snapshot}", CollectionRead, not(Snapshots))
        .delete("/collections/{name}/snapshots/{snapshot}", CollectionWrite, not(Snapshots))
        .put("/collections/{name}/snapshots/recover", Manage, not(Snapshots))
        .post("/collections/{name}/snapshots/upload", Manage, not(Snapshots))
        .get("/collections/{name}/shards/{shard}/snapshots", CollectionRead, not(Snapshots))
        .post("/collections/{name}/shards/{shard}/snapshots", CollectionWrite, not(Snapshots))
        .get("/collections/{name}/shards/{shard}/snapshots/{snapshot}", CollectionRead, not(Snapshots))
        .delete("/collections/{name}/shards/{shard}/snapshots/{snapshot}", CollectionWrite, not(Snapshots))
        .put("/collections/{name}/shards/{shard}/snapshots/recover", Manage, not(Snapshots))
        .post("/collections/{name}/shards/{shard}/snapshots/upload", Manage, not(Snapshots))
        .get("/collections/{name}/shards/{shard}/snapshot", CollectionWrite, not(Snapshots))
        .get("/collections/{name}/shards/{shard}/snapshot/partial/manifest", GlobalRead, not(Snapshots))
        .post("/collections/{name}/shards/{shard}/snapshot/partial/create", CollectionWrite, not(Snapshots))
        .post("/collections/{name}/shards/{shard}/snapshot/partial/recover", Manage, not(Snapshots))
        .post("/collections/{name}/shards/{shard}/snapshot/partial/recover_from", Manage, not(Snapshots))
}

fn not(what: Unserved) -> impl Fn(Call) -> std::future::Ready<Outcome> + Clone + Send + Sync + 'static {
    move |_| std::future::ready(Err(what.into()))
}
