//! Jobs, as state.

use archive::nomad::kinds;
use serde_json::{Value, json};

use crate::server::{Answer, Server, fixture, records_of};

const NOTHING_RUNS: &str =
    "1 warning:\n\n* Nothing is scheduled here: the job is kept as registered, and not run";

fn job(id: &str, memory: u64) -> Value {
    json!({"ID": id, "Datacenters": ["dc1"], "TaskGroups": [{"Name": "front", "Count": 2, "Tasks": [{
        "Name": "server", "Driver": "exec", "Config": {"command": "/bin/sleep"}, "Resources": {"MemoryMB": memory},
    }]}]})
}

async fn register(server: &Server, job: Value) -> Answer {
    server.send("PUT /v1/jobs", json!({"Job": job}).to_string()).await
}

fn body(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_job_is_registered_and_answered() {
    let server = Server::start().await;
    let answer = register(&server, job("web", 300)).await;
    let index = answer.index();
    let warnings = serde_json::to_string(NOTHING_RUNS).unwrap();
    answer.check(
        200,
        &format!(
            r#"{{"EvalID":"","EvalCreateIndex":0,"JobModifyIndex":{index},"Warnings":{warnings},"Index":{index},"LastContact":0,"KnownLeader":false,"NextToken":""}}"#
        ),
    );
    let answer = server.send("DELETE /v1/job/web", "").await;
    let index = answer.index();
    answer.check(
        200,
        &format!(
            r#"{{"EvalID":"","EvalCreateIndex":0,"JobModifyIndex":{index},"VolumeEvalID":"","VolumeEvalIndex":0,"Index":{index},"LastContact":0,"KnownLeader":false,"NextToken":""}}"#
        ),
    );
}

#[tokio::test]
async fn a_job_has_what_genuine_servers_add() {
    let server = Server::start().await;
    let index = register(&server, job("team/web", 300)).await.index();
    let answer = server.get("/v1/job/team/web").await;
    assert_eq!(answer.index(), index);
    let job = body(&answer);
    assert_eq!(job["Status"], "pending");
    assert_eq!(job["StatusDescription"], "kept as registered: nothing is scheduled here");
    assert_eq!(
        (&job["Type"], &job["Priority"], &job["NodePool"]),
        (&json!("service"), &json!(50), &json!("default"))
    );
    assert_eq!(job["TaskGroups"][0]["RestartPolicy"]["Interval"], 1_800_000_000_000_u64);
    assert_eq!(
        (&job["Version"], &job["CreateIndex"], &job["JobModifyIndex"]),
        (&json!(0), &json!(index), &json!(index))
    );
    assert!(job["SubmitTime"].as_u64() > Some(0));

    let list = body(&server.get("/v1/jobs?prefix=team").await);
    assert_eq!(list[0]["ID"], "team/web");
    assert_eq!(list[0]["JobSummary"]["Summary"]["front"]["Queued"], 0);
    assert_eq!(body(&server.get("/v1/jobs?prefix=other").await), json!([]));
    let summary = body(&server.get("/v1/job/team%2Fweb/summary").await);
    assert_eq!((&summary["JobID"], &summary["Children"]["Dead"]), (&json!("team/web"), &json!(0)));
    for none in ["evaluations", "allocations", "deployments"] {
        server.get(&format!("/v1/job/team/web/{none}")).await.check(200, "[]");
    }
    server.get("/v1/job/team/web/deployment").await.check(200, "null");
}

#[tokio::test]
async fn what_does_not_change_a_job_makes_no_version() {
    let server = Server::start().await;
    let first = register(&server, job("web", 300)).await.index();
    assert_eq!(register(&server, job("web", 300)).await.index(), first);
    for memory in 301..=309 {
        register(&server, job("web", memory)).await;
    }
    let versions = body(&server.get("/v1/job/web/versions").await);
    let numbers: Vec<_> =
        versions["Versions"].as_array().unwrap().iter().map(|job| &job["Version"]).collect();
    assert_eq!(numbers, [9, 8, 7, 6, 5, 4]);
    assert_eq!(versions["Diffs"], Value::Null);
    assert_eq!(versions["Versions"][0], body(&server.get("/v1/job/web").await));
    assert_eq!(versions["Versions"][5]["CreateIndex"], first);
}

#[tokio::test]
async fn the_index_of_a_job_can_be_enforced() {
    let server = Server::start().await;
    let put = async |memory, index: u64| {
        let body = json!({"Job": job("web", memory), "EnforceIndex": true, "JobModifyIndex": index});
        server.send("POST /v1/job/web", body.to_string()).await
    };
    put(1, 7).await.check(500, "Enforcing job modify index 7: job does not exist");
    let index = put(1, 0).await.index();
    put(2, 0).await.check(500, "Enforcing job modify index 0: job already exists");
    put(2, 1).await.check(
        500,
        &format!("Enforcing job modify index 1: job exists with conflicting job modify index: {index}"),
    );
    assert_eq!(put(2, index).await.status, 200);
}

#[tokio::test]
async fn a_job_is_stopped_and_purged() {
    let server = Server::start().await;
    let submission = json!({"Source": "job {}", "Format": "hcl2", "VariableFlags": {"a": "b c"}});
    let request = json!({"Job": job("web", 1), "Submission": submission});
    let first = server.send("PUT /v1/jobs", request.to_string()).await.index();
    let stopped = server.send("DELETE /v1/job/web", "").await;
    assert!(stopped.index() > first);
    let job = body(&server.get("/v1/job/web").await);
    assert_eq!((&job["Stop"], &job["Status"], &job["Version"]), (&json!(true), &json!("dead"), &json!(1)));
    assert_eq!(body(&server.get("/v1/job/web/submission?version=1").await)["VariableFlags"]["a"], "b c");
    server.get("/v1/job/web/submission").await.check(400, "Unable to parse job submission version parameter");

    server.send("DELETE /v1/job/web?purge=true", "").await;
    server.get("/v1/job/web").await.check(404, "job not found");
    server.get("/v1/job/web/summary").await.check(404, "job not found");
    server.get("/v1/job/web/versions").await.check(404, "job versions not found");
    server.get("/v1/job/web/submission?version=1").await.check(404, "job source not found");
    let left = [kinds::JOB, kinds::JOB_VERSION, kinds::JOB_SUMMARY, kinds::JOB_SUBMISSION];
    assert!(records_of(&server.save().await).iter().all(|record| !left.contains(&record.kind)));
    // As with genuine servers, there is nothing to complain about.
    assert_eq!(server.send("DELETE /v1/job/web", "").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_is_refused() {
    let server = Server::start().await;
    let put = async |uri: &str, body: Value| server.send(&format!("PUT {uri}"), body.to_string()).await;
    put("/v1/jobs", json!({})).await.check(400, "Job must be specified");
    put("/v1/jobs", json!({"Job": {}})).await.check(400, "Job ID hasn't been provided");
    put("/v1/job/other", json!({"Job": job("web", 1)})).await.check(400, "Job ID does not match name");
    put("/v1/jobs", json!({"Job": {"ID": "web"}}))
        .await
        .check(500, "1 error occurred:\n\t* Missing job task groups\n\n");
    put("/v1/jobs?namespace=none", json!({"Job": job("web", 1)}))
        .await
        .check(500, "job \"web\" is in nonexistent namespace \"none\"");
    let mut connected = job("web", 1);
    connected["TaskGroups"][0]["Services"] = json!([{"Connect": {"Native": true}}]);
    put("/v1/jobs", json!({"Job": connected}))
        .await
        .check(501, "Stillpoint does not serve jobs with Consul Connect");
    put("/v1/job/web/plan", json!({})).await.check(501, "Stillpoint does not serve /v1/job/:id/plan");
    assert_eq!(put("/v1/jobs", json!({"Job": {"ID": 7}})).await.text(), "Job.ID: expected a string");
    register(&server, job("web", 1)).await;
    let mut batch = job("web", 1);
    batch["Type"] = "batch".into();
    register(&server, batch).await.check(500, "cannot update job from type \"service\" to \"batch\"");
}

#[tokio::test]
async fn jobs_of_a_genuine_archive_are_served() {
    let server = Server::start().await;
    assert_eq!(server.restore(fixture("server.snap")).await.status, 200);
    let list = body(&server.get("/v1/jobs?namespace=*").await);
    let jobs = list.as_array().unwrap().iter().map(|job| {
        (job["Namespace"].as_str().unwrap(), job["ID"].as_str().unwrap(), job["JobSummary"].is_object())
    });
    assert_eq!(
        jobs.collect::<Vec<_>>(),
        [
            ("default", "nightly", true),
            ("default", "on-demand", true),
            ("default", "web", true),
            ("team-a", "web", true)
        ]
    );
    let web = body(&server.get("/v1/job/web?namespace=team-a").await);
    assert_eq!((&web["Version"], &web["TaskGroups"][0]["Count"]), (&json!(1), &json!(3)));
    let versions = body(&server.get("/v1/job/web/versions").await);
    assert_eq!(versions["Versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(server.get("/v1/job/web/evaluations").await.status, 501, "there are some");
    // What it came with goes with it.
    assert_eq!(server.send("DELETE /v1/job/web?purge=true&namespace=team-a", "").await.status, 200);
    let policies = |archive: &[u8]| {
        records_of(archive).iter().filter(|record| record.kind == kinds::SCALING_POLICY).count()
    };
    assert_eq!(policies(&fixture("server.snap")) - policies(&server.save().await), 1);
}
