//! The engine alone, in a process of its own, so that its memory can be told from that of who measures. It
//! does what each line of its standard input says, and answers with a line of numbers.

use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use points::Operation;
use points::config::CreateCollection;
use points::engine::{
    CreateIndex, EdgeShard, FieldIndexOperations, NamedQuery, QueryEnum, QueryRequest, ScoringQuery,
    UpdateOperation, VectorInternal,
};
use tempfile::TempDir;

use super::data::{self, INDEXES, Size};
use crate::bare::{FileLog, RedbLog};
use crate::memory;

/// What each change is appended to before it is applied.
#[derive(Clone, Copy)]
pub(crate) enum Log {
    /// A plain file, written and synced.
    File,
    /// The engine of the server's log.
    Redb,
}

/// Results that a search asks for.
pub(crate) const LIMIT: usize = 10;

/// A process with the engine in it. Dropped, it is killed.
pub(crate) struct Engine {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _dir: TempDir,
}

impl Engine {
    /// Starts it on an empty directory in `dir`.
    pub(crate) fn start(dir: &Path, size: Size) -> anyhow::Result<Engine> {
        let dir = tempfile::tempdir_in(dir)?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--engine-in")
            .arg(dir.path())
            .args(["--points", &format!("{}x{}", size.points, size.dims)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the engine")?;
        let orders = child.stdin.take().expect("it was piped");
        let answers = BufReader::new(child.stdout.take().expect("it was piped"));
        Ok(Engine { child, orders, answers, _dir: dir })
    }

    /// Takes all points in batches, each after it was appended to the log; how long that took, less the time it
    /// takes to make them up.
    pub(crate) fn ingest(&mut self, log: Log) -> anyhow::Result<Duration> {
        let took = self.order(match log {
            Log::File => "ingest file",
            Log::Redb => "ingest redb",
        })?;
        Ok(took.into_iter().sum())
    }

    /// Builds the index.
    pub(crate) fn optimise(&mut self) -> anyhow::Result<()> {
        self.order("optimise").map(drop)
    }

    /// How long each of the searches `first..end` took.
    pub(crate) fn search(&mut self, first: u64, end: u64) -> anyhow::Result<Vec<Duration>> {
        self.order(&format!("search {first} {end}"))
    }

    /// A field of its `/proc/pid/status`; KiB.
    pub(crate) fn memory_kib(&self, field: &str) -> anyhow::Result<u64> {
        memory::kib(self.child.id(), field)
    }

    fn order(&mut self, order: &str) -> anyhow::Result<Vec<Duration>> {
        writeln!(self.orders, "{order}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let line = line.strip_suffix('\n').with_context(|| format!("the engine failed to {order}"))?;
        line.split_terminator(' ').map(|number| Ok(Duration::from_nanos(number.parse()?))).collect()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is that process.
pub(crate) fn be_the_engine(dir: &Path, size: Size) -> anyhow::Result<()> {
    let bare = Bare::create(dir, size)?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let order: Vec<&str> = line.split(' ').collect();
        let took = match order[..] {
            ["ingest", "file"] => {
                let mut log = FileLog::create(dir)?;
                bare.ingest(|entry| log.write(entry))?
            }
            ["ingest", "redb"] => {
                let mut log = RedbLog::create(dir)?;
                bare.ingest(|entry| log.commit([entry]))?
            }
            ["optimise"] => {
                bare.shard.optimize()?;
                bare.shard.flush()?;
                Vec::new()
            }
            ["search", first, end] => bare.search(first.parse()?, end.parse()?)?,
            _ => bail!("unknown order: {line}"),
        };
        let numbers: String = took.iter().map(|took| format!("{} ", took.as_nanos())).collect();
        let mut out = io::stdout().lock();
        writeln!(out, "{numbers}")?;
        out.flush()?;
    }
    Ok(())
}

/// A shard of the engine as the server would make it, without anything around it.
struct Bare {
    shard: EdgeShard,
    size: Size,
}

impl Bare {
    fn create(dir: &Path, size: Size) -> anyhow::Result<Bare> {
        let settings: CreateCollection = serde_json::from_value(data::settings(size, true))?;
        let config = settings.into_config(Default::default())?.to_edge_config();
        let shard = dir.join("shard");
        std::fs::create_dir(&shard)?;
        let shard = EdgeShard::new(&shard, config)?;
        for (field, kind) in INDEXES {
            let field_name = field.parse().ok().context("a field's name")?;
            let index = CreateIndex { field_name, field_schema: Some(serde_json::from_value(kind.into())?) };
            shard.update(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index)))?;
        }
        Ok(Bare { shard, size })
    }

    fn ingest(&self, mut append: impl FnMut(&[u8]) -> anyhow::Result<()>) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        for ids in data::batches(self.size) {
            let operation = Operation::new(data::operation(ids, self.size.dims)?)?;
            let (entry, update) = (operation.encode(), operation.update().clone());
            let began = Instant::now();
            append(&entry)?;
            self.shard.update(update)?;
            took.push(began.elapsed());
        }
        self.shard.flush()?;
        Ok(took)
    }

    fn search(&self, first: u64, end: u64) -> anyhow::Result<Vec<Duration>> {
        let mut took = Vec::new();
        for id in first..end {
            let vector = VectorInternal::Dense(data::vector(id, self.size.dims));
            let mut request = QueryRequest::new(LIMIT);
            request.query = Some(ScoringQuery::Vector(QueryEnum::Nearest(NamedQuery::new(vector, ""))));
            let began = Instant::now();
            black_box(self.shard.query(request)?);
            took.push(began.elapsed());
        }
        Ok(took)
    }
}
