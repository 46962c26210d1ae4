//! Random histories, with restarts, crashes and repeated ends of the log in between: a shard always holds what a
//! simple model does. Guards against: changes lost at a flush or an exchange of generations, changes of other ids
//! lost to a failing one, and a log whose repetition leads elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use points::engine::{
    CreateIndex, FieldIndexOperations, PayloadFieldSchema, PayloadSchemaType, UpdateOperation,
};
use points::{Keeper, Operation, Position, Shard};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::common::{agrees, apply, config, entry, open_with, settle};
use super::model::{Change, Model};

const IDS: u64 = 60;

/// Nothing is flushed but by a step.
pub(crate) const NEVER: Duration = Duration::from_secs(1 << 20);

#[derive(Clone, Debug)]
enum Step {
    Change(Change),
    Index,
    Sync,
    /// Closed and opened.
    Restart,
    /// Opened as the files lie, without anything that was still in memory.
    Crash,
    /// The end of the log once more, from so far back.
    Repeat(usize),
    Settle,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_shard_holds_what_the_model_does(steps in prop::collection::vec(step(), 1..50)) {
        run(&steps);
    }
}

struct History {
    dir: PathBuf,
    keeper: Keeper,
    shard: Arc<Shard>,
    log: Vec<Operation>,
    model: Model,
}

fn run(steps: &[Step]) {
    let home = tempfile::tempdir().unwrap();
    let keeper = Keeper::new(1);
    let dir = home.path().join("0");
    let shard = open_with(&dir, &keeper, config(), NEVER);
    let mut history = History { dir, keeper, shard, log: Vec::new(), model: Model::new() };
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Change(change) => {
                history.apply(change.operation());
                change.apply(&mut history.model);
            }
            Step::Index => history.apply(city_index()),
            Step::Sync => history.shard.sync().unwrap(),
            Step::Restart => {
                history.shard.close().unwrap();
                history.reopen();
            }
            Step::Crash => {
                // While files are copied nothing may change them: kills at any moment are another test's.
                settle(&history.shard);
                let image = home.path().join(format!("{}", number + 1));
                copy(&history.dir, &image);
                history.shard.close().unwrap();
                history.dir = image;
                history.reopen();
            }
            Step::Repeat(back) => history.replay(history.log.len().saturating_sub(*back)),
            Step::Settle => settle(&history.shard),
        }
        agrees(&history.shard.live().unwrap(), &history.model);
    }
    history.shard.close().unwrap();
}

impl History {
    fn apply(&mut self, operation: Operation) {
        self.log.push(operation);
        let index = self.log.len() as u64 - 1;
        apply(&self.shard, index, &self.log[index as usize]);
    }

    fn reopen(&mut self) {
        self.shard = open_with(&self.dir, &self.keeper, config(), NEVER);
        let next = self.shard.applied().position.map_or(0, |position: Position| position.index + 1);
        self.replay(next as usize);
    }

    /// Applies the log from `from` on.
    fn replay(&self, from: usize) {
        let entries = (from..self.log.len()).map(|index| entry(index as u64, &self.log[index]));
        self.shard.apply(entries.collect()).unwrap();
    }
}

/// The files of a shard as they lie, with nothing that is only in memory.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").args(["-r", "--sparse=always"]).arg(from).arg(to).output().unwrap();
    assert!(to.join("live").exists(), "{copied:?}");
}

fn city_index() -> Operation {
    let index = CreateIndex {
        field_name: "city".parse().unwrap(),
        field_schema: Some(PayloadFieldSchema::FieldType(PayloadSchemaType::Keyword)),
    };
    Operation::new(UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index))).unwrap()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => change().prop_map(Step::Change),
        1 => Just(Step::Index),
        2 => Just(Step::Sync),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
        2 => (0_usize..30).prop_map(Step::Repeat),
        1 => Just(Step::Settle),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let ids = || prop::collection::vec(0..IDS, 1..40);
    let seed = || (-50_i8..50).prop_map(f32::from);
    let whole = (0..IDS, seed(), any::<bool>(), payload());
    prop_oneof![
        6 => prop::collection::vec(whole, 1..40).prop_map(Change::Upsert),
        1 => (ids(), seed()).prop_map(|(mut ids, seed)| {
            // A point that comes twice, wrong and right, is another matter.
            ids.sort_unstable();
            ids.dedup();
            Change::UpsertHalfWrong(ids, seed)
        }),
        2 => ids().prop_map(Change::Delete),
        2 => (ids(), seed()).prop_map(|(ids, seed)| Change::UpdateB(ids, seed)),
        1 => ids().prop_map(Change::DeleteB),
        2 => (ids(), payload()).prop_map(|(ids, payload)| Change::Set(ids, payload)),
        1 => (ids(), payload()).prop_map(|(ids, payload)| Change::SetNested(ids, payload)),
        1 => (ids(), payload()).prop_map(|(ids, payload)| Change::Overwrite(ids, payload)),
        1 => ids().prop_map(|ids| Change::DeleteKeys(ids, vec!["city"])),
        1 => ids().prop_map(Change::Clear),
    ]
}

fn payload() -> impl Strategy<Value = Map<String, Value>> {
    let city = prop::option::of(prop::sample::select(vec!["Oslo", "Rome", "Lima"]));
    let nested = prop::option::of(0..3);
    (city, prop::option::of(any::<i64>()), nested).prop_map(|(city, number, nested)| {
        let mut payload = Map::new();
        if let Some(city) = city {
            payload.insert("city".into(), json!(city));
        }
        if let Some(number) = number {
            payload.insert("number".into(), json!(number));
        }
        if let Some(nested) = nested {
            payload.insert("nested".into(), json!({"depth": nested, "list": [nested, null, 0.5]}));
        }
        payload
    })
}
