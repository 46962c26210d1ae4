//! A Qdrant archive, verified as far as that goes without the engine of points.

use std::io::{self, BufReader, Read};

use anyhow::Context;
use archive::qdrant::{self, CollectionContents, Contents, Kind, Limits, ShardContents, Sums};
use client::Hashing;
use client::native::{CollectionState, Count, PointsState};
use client::qdrant::Scope;

use super::kind_name;
use crate::exit::{ExitCode, Failure};
use crate::output::Output;
use crate::stage::Source;

/// The archive is read in pieces of this size.
const READ_BYTES: usize = 256 << 10;

/// A verified archive and its digest.
#[derive(Debug)]
pub(in crate::commands) struct Archive {
    contents: Contents,
    /// In hex.
    pub(super) sha256: String,
}

impl Archive {
    /// How many points it holds, if its segments tell.
    pub(super) fn count(&self) -> Option<Count> {
        count(&self.contents)
    }

    /// Its side of a plan.
    pub(super) fn state(&self) -> PointsState {
        let named = self.contents.collections.iter().filter_map(|collection| {
            Some(CollectionState { name: collection.name.clone()?, points: points(collection)? })
        });
        PointsState { points: self.count().map(Count::number), collections: named.collect() }
    }

    /// What to know before it is restored.
    pub(super) fn warnings(&self) -> Vec<String> {
        match self.contents.sums {
            Sums::Checked => Vec::new(),
            Sums::Absent => vec!["the archive carries no hashes: damage within a file goes unnoticed".into()],
        }
    }
}

/// Reads an archive of `scope` to its end and checks all of it.
pub(in crate::commands) fn verify(archive: impl Read, scope: &Scope) -> anyhow::Result<Option<Count>> {
    Ok(count(&contents(archive, scope)?))
}

/// The same, with its digest.
pub(in crate::commands) fn verify_source(
    source: &Source,
    scope: &Scope,
    output: Output,
) -> anyhow::Result<Archive> {
    let bar = output.progress("verify", Some(source.length));
    let mut hashing = Hashing::new(bar.wrap_read(source.rewound()?));
    let contents = contents(&mut hashing, scope).with_context(|| source.name.clone())?;
    // What a reader need not look at belongs to the file all the same.
    io::copy(&mut hashing, &mut io::sink()).with_context(|| source.name.clone())?;
    Ok(Archive { contents, sha256: hashing.sha256() })
}

fn contents(archive: impl Read, scope: &Scope) -> anyhow::Result<Contents> {
    let contents = qdrant::verify(BufReader::with_capacity(READ_BYTES, archive), Limits::default())?;
    let expected = match scope {
        Scope::Storage => Kind::Full,
        Scope::Collection(_) => Kind::Collection,
        Scope::Shard(..) => Kind::Shard,
    };
    if contents.kind == expected {
        return Ok(contents);
    }
    let like = match contents.kind {
        Kind::Full => "qdrant",
        Kind::Collection => "qdrant/COLLECTION",
        Kind::Shard => "qdrant/COLLECTION/SHARD",
    };
    let message = format!("this is a {}, not a {}", kind_name(contents.kind), kind_name(expected));
    Err(Failure::new(ExitCode::Failed, message).hint(format!("the scope for it is like `{like}`")).into())
}

fn count(contents: &Contents) -> Option<Count> {
    contents.collections.iter().map(points).sum::<Option<u64>>().map(Count::Points)
}

fn points(collection: &CollectionContents) -> Option<u64> {
    collection.shards.iter().map(ShardContents::points).sum()
}
