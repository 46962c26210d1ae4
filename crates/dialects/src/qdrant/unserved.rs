//! What the genuine server does and we don't, each with the sentence that says so.

/// Something that is answered with 501 or `UNIMPLEMENTED`. `docs/formats/qdrant.md` lists all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// Vectors that the server is to make of text, images or objects.
    Inference,
    /// Queries that score by the words of a text.
    TextScoring,
    /// Similarities of all pairs of a sample.
    Matrix,
    /// Shards that clients name.
    ShardKeys,
    /// Vectors that a collection is given, or loses, after it was made.
    VectorNames,
    /// Snapshots of what a shard has that another lacks.
    PartialSnapshots,
    /// What the optimizer has done and will do.
    Optimizations,
    /// Advice about collections.
    Issues,
    /// The telemetry of all nodes at once.
    ClusterTelemetry,
    /// Locks, log settings and stack traces of the process.
    Process,
}

impl Unserved {
    /// Everything.
    pub const ALL: [Unserved; 10] = [
        Unserved::Inference,
        Unserved::TextScoring,
        Unserved::Matrix,
        Unserved::ShardKeys,
        Unserved::VectorNames,
        Unserved::PartialSnapshots,
        Unserved::Optimizations,
        Unserved::Issues,
        Unserved::ClusterTelemetry,
        Unserved::Process,
    ];

    /// What clients are told.
    pub fn sentence(self) -> &'static str {
        match self {
            Unserved::Inference => {
                "Stillpoint makes no vectors of text, images or objects: send the vectors themselves"
            }
            Unserved::TextScoring => "Stillpoint does not score by the words of a text",
            Unserved::Matrix => "Stillpoint does not serve distance matrices",
            Unserved::ShardKeys => "Stillpoint does not shard by keys of clients: leave the shard key out",
            Unserved::VectorNames => {
                "Stillpoint does not add vectors to a collection or remove them: make a new collection"
            }
            Unserved::PartialSnapshots => {
                "Stillpoint does not serve partial snapshots: use those of whole shards or collections"
            }
            Unserved::Optimizations => "Stillpoint does not list optimizations",
            Unserved::Issues => "Stillpoint does not collect issues",
            Unserved::ClusterTelemetry => "Stillpoint does not collect the telemetry of other nodes",
            Unserved::Process => {
                "Stillpoint does not show or change locks, log settings or stack traces here"
            }
        }
    }
}
