//! Snapshots that are restored before anybody is served: `--snapshot`, `--storage-snapshot`, `--force-snapshot`.
//!
//! Sentences and the exit code of a failure are those of `qdrant/qdrant:src/snapshots.rs`, where a failure is a panic.
//! There what existed is removed before the new is in its place; here each archive is an ordinary restore, and all
//! of them are read completely before the first is begun.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use archive::qdrant::{Contents, Kind, Limits, verify};
use node::collections::PointsRestore;
use node::{Node, Origin, PointsScope, body_of_file};

use crate::args::QdrantArgs;
use crate::exit::{ExitCode, Failure};

/// The archives are read in pieces of this size.
const READ_BYTES: usize = 256 << 10;

/// What is to be restored.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    snapshots: Vec<Snapshot>,
    /// Whether what exists may be replaced.
    force: bool,
}

/// An archive, and what it is to become.
#[derive(Debug, PartialEq, Eq)]
struct Snapshot {
    file: PathBuf,
    scope: PointsScope,
}

impl Recovery {
    /// Reads the arguments. Nothing is opened yet.
    pub(super) fn of(args: &QdrantArgs) -> Result<Recovery, Failure> {
        let snapshots = match &args.storage_snapshot {
            Some(file) => {
                if !args.snapshot.is_empty() {
                    tracing::warn!("--storage-snapshot wins over --snapshot, which is ignored");
                }
                vec![Snapshot { file: file.clone(), scope: PointsScope::Storage }]
            }
            None => args.snapshot.iter().map(|text| Snapshot::parse(text)).collect::<Result<_, _>>()?,
        };
        Ok(Recovery { snapshots, force: args.force_snapshot })
    }

    /// Restores everything, or fails before anything was changed, or keeps for `stillpoint undo` what was.
    pub(super) async fn run(self, node: &Node) -> anyhow::Result<()> {
        if self.snapshots.is_empty() {
            return Ok(());
        }
        let existing = Existing::of(node).await?;
        if !self.force {
            let named = self.snapshots.iter().filter_map(|snapshot| snapshot.scope.collection());
            existing.check_collections(named)?;
        }
        for snapshot in &self.snapshots {
            let contents = snapshot.verify().await?;
            if !self.force && snapshot.scope == PointsScope::Storage {
                let names = contents.collections.iter().filter_map(|collection| collection.name.as_deref());
                existing.check_collections(names)?;
                existing.check_aliases(contents.aliases.keys())?;
            }
        }
        for snapshot in self.snapshots {
            snapshot.restore(node).await?;
        }
        Ok(())
    }
}

/// What must not be replaced unless that was asked for.
struct Existing {
    collections: BTreeSet<String>,
    aliases: BTreeSet<String>,
}

impl Existing {
    async fn of(node: &Node) -> node::Result<Existing> {
        let collections = node.collections().await?.into_iter().collect();
        let aliases = node.aliases().await?.into_iter().map(|(alias, _)| alias).collect();
        Ok(Existing { collections, aliases })
    }

    /// Each of these is new, also to those before it.
    fn check_collections<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for name in names {
            if self.collections.contains(name) || !seen.insert(name) {
                let message =
                    format!("Collection {name} already exists. Use --force-snapshot to overwrite it.");
                return Err(not_recovered(message));
            }
        }
        Ok(())
    }

    fn check_aliases<'a>(&self, mut names: impl Iterator<Item = &'a String>) -> Result<(), Failure> {
        match names.find(|name| self.aliases.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(not_recovered(format!(
                "Alias {name} already exists. Use --force-snapshot to overwrite it."
            ))),
        }
    }
}

impl Snapshot {
    /// Takes `FILE:COLLECTION`; the name of a collection holds no colon.
    fn parse(text: &str) -> Result<Snapshot, Failure> {
        let Some((file, name)) = text.rsplit_once(':') else {
            return Err(not_recovered(format!("Collection name is missing: {text}")));
        };
        let refused = match (file, name) {
            ("", _) => Some(format!("Snapshot path is missing: {text}")),
            (_, "") => Some(format!("Collection name is missing: {text}")),
            (_, name) if name.contains('/') => {
                Some(format!("Collection name must not contain slashes: {name}"))
            }
            _ => None,
        };
        match refused {
            Some(message) => Err(not_recovered(message)),
            None => Ok(Snapshot { file: file.into(), scope: PointsScope::Collection(name.to_owned()) }),
        }
    }

    /// Reads all of it, and checks all that can be checked without the engine.
    async fn verify(&self) -> Result<Contents, Failure> {
        let file = self.open()?;
        let verifying = tokio::task::spawn_blocking(move || {
            verify(BufReader::with_capacity(READ_BYTES, file), Limits::default())
        });
        let contents = verifying.await.map_err(|error| self.failed(error))?;
        let contents = contents.map_err(|error| self.failed(error))?;
        let is_full = self.scope == PointsScope::Storage;
        match contents.kind {
            Kind::Full if is_full => Ok(contents),
            Kind::Collection if !is_full => Ok(contents),
            Kind::Full => Err(self.failed("it is a full snapshot, which --storage-snapshot restores")),
            Kind::Collection => Err(self.failed("it is of a collection, which --snapshot restores")),
            Kind::Shard => {
                Err(self.failed("it is of one shard, which only a collection that exists can take"))
            }
        }
    }

    async fn restore(self, node: &Node) -> Result<(), Failure> {
        let (file, scope) = (self.file.display(), self.scope.to_string());
        tracing::info!(%file, scope, "restoring a snapshot before anybody is served");
        // As genuine servers do it, who replace files.
        let request =
            PointsRestore { keep_others: true, adopt: true, ..PointsRestore::of(self.scope.clone()) };
        let origin = Origin::Body(body_of_file(self.open()?));
        let restored = node.restore_points(request, origin).await.map_err(|error| self.failed(error))?;
        for warning in &restored.warnings {
            tracing::warn!(scope, "{warning}");
        }
        tracing::info!(scope, points = restored.records, "restored");
        Ok(())
    }

    fn open(&self) -> Result<File, Failure> {
        File::open(&self.file).map_err(|error| self.failed(format!("{}: {error}", self.file.display())))
    }

    fn failed(&self, why: impl Display) -> Failure {
        let name = self.scope.collection().map(Path::new).unwrap_or(&self.file);
        not_recovered(format!("Failed to recover snapshot {}: {why}", name.display()))
    }
}

fn not_recovered(message: String) -> Failure {
    Failure::new(ExitCode::NotRecovered, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colon_parts_file_and_collection() {
        let parse = |text: &str| Snapshot::parse(text).map_err(|failure| failure.to_string());
        let found = parse("/a:b/c.snapshot:cities").unwrap();
        assert_eq!(found.file, Path::new("/a:b/c.snapshot"));
        assert_eq!(found.scope, PointsScope::Collection("cities".into()));
        for (text, message) in [
            ("cities", "Collection name is missing: cities"),
            ("c.snapshot:", "Collection name is missing: c.snapshot:"),
            (":cities", "Snapshot path is missing: :cities"),
            ("c.snapshot:a/b", "Collection name must not contain slashes: a/b"),
        ] {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }

    #[test]
    fn a_full_snapshot_wins_over_those_of_collections() {
        let args = QdrantArgs {
            snapshot: vec!["c.snapshot:cities".into()],
            storage_snapshot: Some("full.snapshot".into()),
            force_snapshot: true,
            ..QdrantArgs::default()
        };
        let recovery = Recovery::of(&args).unwrap();
        assert_eq!(
            recovery.snapshots,
            [Snapshot { file: "full.snapshot".into(), scope: PointsScope::Storage }]
        );
        assert!(recovery.force);
    }
}
