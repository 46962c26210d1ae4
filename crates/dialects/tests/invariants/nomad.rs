//! Nomad's: what belongs to a job, what variables take of their namespace, and a variable that is checked and set.

use std::collections::BTreeMap;

use archive::hashicorp::Reader;
use archive::nomad::{Job, JobSummary, RootKey, Variable, VariablesQuota, kinds};
use node::Node;
use records::Scope;
use records::nomad::keyring::Cipher;
use serde_json::{Value, json};

use super::nomad_server::{Server, records_of};
use super::suite::{ACCOUNTS, EACH, Product, Saved, Standing, check_saves};

/// The variable whose items are the accounts.
const ACCOUNTS_PATH: &str = "accounts";

fn items(accounts: &BTreeMap<String, u64>) -> String {
    let items: BTreeMap<_, _> = accounts.iter().map(|(name, value)| (name, value.to_string())).collect();
    json!({ "Items": items }).to_string()
}

fn accounts(items: &Value) -> BTreeMap<String, u64> {
    let items = items.as_object().unwrap().iter();
    items.map(|(name, value)| (name.clone(), value.as_str().unwrap().parse().unwrap())).collect()
}

fn ladder(climber: usize) -> String {
    format!("ladder-{climber}")
}

impl Product for Server {
    const SCOPE: Scope = Scope::Nomad;

    fn node(&self) -> &Node {
        &self.node
    }

    async fn open_accounts(&self) {
        let accounts = (0..ACCOUNTS).map(|account| (account.to_string(), EACH)).collect();
        let answer = self.send(&format!("PUT /v1/var/{ACCOUNTS_PATH}"), items(&accounts)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// A job has one version more, and each is the job, a version of it and its summary. A variable of the same
    /// name is as long as the climber has come.
    async fn climb(&self, climber: usize, step: u64) {
        let task = json!({ "Name": "t", "Driver": "exec" });
        let job = json!({ "ID": ladder(climber), "Datacenters": ["dc1"], "Meta": { "step": step.to_string() },
            "TaskGroups": [{ "Name": "g", "Tasks": [task] }] });
        let answer = self.send("PUT /v1/jobs", json!({ "Job": job }).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let length = usize::try_from(step % 1_000).unwrap();
        let long = json!({ "Items": { "long": "x".repeat(length) } }).to_string();
        let answer = self.send(&format!("PUT /v1/var/{}", ladder(climber)), long).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    async fn transfer(&self, from: u64, to: u64, amount: u64) -> bool {
        let read = self.get(&format!("/v1/var/{ACCOUNTS_PATH}")).await;
        let read: Value = serde_json::from_slice(&read.body).unwrap();
        let mut accounts = accounts(&read["Items"]);
        let amount = amount.min(accounts[&from.to_string()]);
        *accounts.get_mut(&from.to_string()).unwrap() -= amount;
        *accounts.get_mut(&to.to_string()).unwrap() += amount;
        let request = format!("PUT /v1/var/{ACCOUNTS_PATH}?cas={}", read["ModifyIndex"]);
        let answer = self.send(&request, items(&accounts)).await;
        assert!(matches!(answer.status.as_u16(), 200 | 409), "{}", answer.text());
        answer.status == 200
    }

    async fn save(&self, stale: bool) -> Saved {
        let saved =
            self.get(if stale { "/v1/operator/snapshot?stale" } else { "/v1/operator/snapshot" }).await;
        let index = Reader::new(saved.body.as_slice()).read_meta().unwrap().unwrap().index;
        Saved { archive: saved.body, index }
    }

    fn standing(saved: &Saved, climbers: usize) -> Standing {
        let records = records_of(&saved.archive);
        let of =
            |kind| records.iter().filter(move |record| record.kind == kind).map(|record| &record.bytes[..]);
        let variables: Vec<_> = of(kinds::VARIABLE).map(|bytes| Variable::decode(bytes).unwrap()).collect();
        let jobs: Vec<_> = of(kinds::JOB).map(|bytes| Job::decode(bytes).unwrap()).collect();
        let versions: Vec<_> = of(kinds::JOB_VERSION).map(|bytes| Job::decode(bytes).unwrap()).collect();
        let summaries: Vec<_> =
            of(kinds::JOB_SUMMARY).map(|bytes| JobSummary::decode(bytes).unwrap()).collect();
        let indexes = variables.iter().map(|variable| variable.modify_index);
        let mut indexes = indexes.chain(jobs.iter().map(|job| job.modify_index));
        assert!(indexes.all(|modified| modified <= saved.index), "a change from after the index");

        let taken: usize = variables.iter().map(|variable| variable.data.as_ref().unwrap().0.len()).sum();
        let quota = of(kinds::VARIABLES_QUOTA).next().map(|bytes| VariablesQuota::decode(bytes).unwrap());
        assert_eq!(quota.unwrap().size_bytes, i64::try_from(taken).unwrap(), "half a variable");

        let key = RootKey::decode(of(kinds::ROOT_KEY).next().unwrap()).unwrap();
        let held = variables.iter().find(|variable| variable.path == ACCOUNTS_PATH).unwrap();
        let opened = Cipher::unwrap(&key).unwrap().open(&held.data.as_ref().unwrap().0).unwrap();
        let height = |climber| {
            let Some(job) = jobs.iter().find(|job| job.id == ladder(climber)) else { return 0 };
            let latest = versions.iter().filter(|version| version.id == job.id).max_by_key(|job| job.version);
            assert_eq!(latest, Some(job), "half a registration");
            assert!(summaries.iter().any(|summary| summary.job_id == job.id), "a job without its summary");
            job.version + 1
        };
        Standing {
            money: opened.values().map(|value| value.parse::<u64>().unwrap()).sum(),
            heights: (0..climbers).map(height).collect(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_archive_satisfies_what_writers_keep() {
    let server = Server::start().await;
    check_saves(&server, &server).await;
}
