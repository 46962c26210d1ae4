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
    put(11, 7).await.check(500, "Enforcing job modify index 7: job does not exist");
    let index = put(11, 0).await.index();
    put(12, 0).await.check(500, "Enforcing job modify index 0: job already exists");
    put(12, 1).await.check(
        500,
        &format!("Enforcing job modify index 1: job exists with conflicting job modify index: {index}"),
    );
    assert_eq!(put(12, index).await.status, 200);
}

#[tokio::test]
async fn a_job_is_stopped_and_purged() {
    let server = Server::start().await;
    let submission = json!({"Source": "job {}", "Format": "hcl2", "VariableFlags": {"a": "b c"}});
    let request = json!({"Job": job("web", 10), "Submission": submission});
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
    put("/v1/job/other", json!({"Job": job("web", 10)})).await.check(400, "Job ID does not match name");
    put("/v1/jobs", json!({"Job": {"ID": "web"}}))
        .await
        .check(500, "1 error occurred:\n\t* Missing job task groups\n\n");
    put("/v1/jobs?namespace=none", json!({"Job": job("web", 10)}))
        .await
        .check(500, "1 error occurred:\n\t* job \"web\" is in nonexistent namespace \"none\"\n\n");
    let mut scheduled = job("web", 10);
    scheduled["TaskGroups"][0]["Tasks"][0]["Schedule"] = json!({"Cron": {"Start": "0 9 * * *"}});
    put("/v1/jobs", json!({"Job": scheduled}))
        .await
        .check(500, "1 error occurred:\n\t* task schedules requires Nomad Enterprise\n\n");
    put("/v1/job/web/plan", json!({})).await.check(501, "Stillpoint does not serve /v1/job/:id/plan");
    assert_eq!(put("/v1/jobs", json!({"Job": {"ID": 7}})).await.text(), "Job.ID: expected a string");
    register(&server, job("web", 10)).await;
    let mut batch = job("web", 10);
    batch["Type"] = "batch".into();
    register(&server, batch).await.check(500, "cannot update job from type \"service\" to \"batch\"");
}

fn scaled(id: &str, count: u64) -> Value {
    json!({"ID": id, "TaskGroups": [{"Name": "front", "Count": count,
        "Scaling": {"Min": 1, "Max": 5, "Policy": {"cooldown": "1m"}},
        "Tasks": [{"Name": "server", "Driver": "exec", "Config": {"command": "/bin/sleep"}}],
    }]})
}

async fn versions(server: &Server, id: &str) -> Vec<Value> {
    body(&server.get(&format!("/v1/job/{id}/versions")).await)["Versions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_job_has_its_scaling_policies_with_it() {
    let server = Server::start().await;
    let index = register(&server, scaled("web", 2)).await.index();
    let list = body(&server.get("/v1/scaling/policies").await);
    let id = list[0]["ID"].as_str().unwrap().to_owned();
    assert_eq!(list[0]["Target"], json!({"Group": "front", "Job": "web", "Namespace": "default"}));
    assert_eq!(
        (&list[0]["Type"], &list[0]["Enabled"], &list[0]["CreateIndex"]),
        (&json!("horizontal"), &json!(true), &json!(index))
    );
    let policy = body(&server.get(&format!("/v1/scaling/policy/{id}")).await);
    assert_eq!(
        (&policy["Min"], &policy["Max"], &policy["Policy"]["cooldown"]),
        (&json!(1), &json!(5), &json!("1m"))
    );
    assert_eq!(body(&server.get("/v1/job/web").await)["TaskGroups"][0]["Scaling"]["ID"], json!(id));
    // It keeps its id, and whoever registers the same again makes no version.
    assert_eq!(register(&server, scaled("web", 2)).await.index(), index);
    let changed = register(&server, scaled("web", 3)).await.index();
    assert!(changed > index);
    let policy = body(&server.get(&format!("/v1/scaling/policy/{id}")).await);
    assert_eq!(policy["ModifyIndex"], json!(index), "the policy is as it was");
    assert_eq!(body(&server.get("/v1/scaling/policies?job=other").await), json!([]));

    server.send("DELETE /v1/job/web", "").await;
    assert_eq!(body(&server.get("/v1/scaling/policies").await)[0]["Enabled"], json!(false));
    server.send("DELETE /v1/job/web?purge=true", "").await;
    assert_eq!(body(&server.get("/v1/scaling/policies").await), json!([]));
    server.get(&format!("/v1/scaling/policy/{id}")).await.check(404, "policy not found");
    let left = [kinds::SCALING_POLICY, kinds::SCALING_EVENTS];
    assert!(records_of(&server.save().await).iter().all(|record| !left.contains(&record.kind)));
}

#[tokio::test]
async fn a_group_is_scaled_within_its_bounds() {
    let server = Server::start().await;
    register(&server, scaled("web", 2)).await;
    let scale = async |body: Value| server.send("POST /v1/job/web/scale", body.to_string()).await;
    let target = json!({"Group": "front"});
    let answer =
        scale(json!({"Target": target, "Count": 4, "Message": "more", "Meta": {"by": "hand", "n": 1}})).await;
    assert_eq!(body(&answer)["JobModifyIndex"], json!(answer.index()));
    let job = body(&server.get("/v1/job/web").await);
    assert_eq!((&job["TaskGroups"][0]["Count"], &job["Version"]), (&json!(4), &json!(1)));
    let status = body(&server.get("/v1/job/web/scale").await);
    assert_eq!(
        (&status["JobStopped"], &status["TaskGroups"]["front"]["Desired"]),
        (&json!(false), &json!(4))
    );
    let event = &status["TaskGroups"]["front"]["Events"][0];
    assert_eq!(
        (&event["Count"], &event["PreviousCount"], &event["EvalID"]),
        (&json!(4), &json!(2), &Value::Null)
    );
    assert_eq!(event["Meta"], json!({"by": "hand", "n": 1.0}));

    // What is only noted makes no version.
    assert_eq!(scale(json!({"Target": target, "Message": "failed", "Error": true})).await.status, 200);
    assert_eq!(versions(&server, "web").await.len(), 2);
    let status = body(&server.get("/v1/job/web/scale").await);
    assert_eq!(status["TaskGroups"]["front"]["Events"][0]["Count"], Value::Null);
    for (request, status, text) in [
        (
            json!({"Target": target, "Count": 9}),
            400,
            "group count was greater than scaling policy maximum: 9 > 5",
        ),
        (
            json!({"Target": target, "Count": 0}),
            400,
            "group count was less than scaling policy minimum: 0 < 1",
        ),
        (json!({"Target": target, "Count": -1}), 400, "scaling action count can't be negative"),
        (json!({"Count": 1}), 400, "missing task group name for scaling action"),
        (
            json!({"Target": {"Group": "x"}}),
            400,
            "task group \"x\" specified for scaling does not exist in job",
        ),
        (json!({"Target": {"Group": "front", "Job": "x"}}), 400, "job ID in payload did not match URL"),
        (
            json!({"Target": {"Group": "front", "Namespace": "x"}}),
            400,
            "namespace in payload did not match header",
        ),
    ] {
        scale(request).await.check(status, text);
    }
    server
        .send("PUT /v1/job/none/scale", json!({"Target": target}).to_string())
        .await
        .check(404, "job \"none\" not found");
    server.get("/v1/job/none/scale").await.check(404, "job not found");
    // Who keeps counts keeps this one.
    let request = json!({"Job": scaled("web", 1), "PreserveCounts": true});
    server.send("PUT /v1/jobs", request.to_string()).await;
    assert_eq!(body(&server.get("/v1/job/web").await)["TaskGroups"][0]["Count"], json!(4));
}

#[tokio::test]
async fn a_version_is_tagged_marked_and_gone_back_to() {
    let server = Server::start().await;
    register(&server, job("web", 100)).await;
    register(&server, job("web", 200)).await;
    let put = async |uri: &str, body: Value| server.send(&format!("PUT {uri}"), body.to_string()).await;
    let answer = body(&put("/v1/job/web/versions/good/tag", json!({"Version": 0, "Description": "d"})).await);
    assert_eq!((&answer["Name"], &answer["Description"]), (&json!("good"), &json!("d")));
    assert!(answer["TaggedTime"].as_i64() > Some(0));
    put("/v1/job/web/versions/good/tag", json!({"Version": 1}))
        .await
        .check(500, "tag \"good\" already exists on a different version of job \"web\"");
    put("/v1/job/web/versions/x/tag", json!({"Version": 7}))
        .await
        .check(500, "job \"web\" version 7 not found");
    let stable = json!({"JobID": "web", "JobVersion": 0, "Stable": true});
    assert_eq!(put("/v1/job/web/stable", stable).await.status, 200);
    let kept = versions(&server, "web").await;
    assert_eq!((&kept[1]["VersionTag"]["Name"], &kept[1]["Stable"]), (&json!("good"), &json!(true)));
    assert_eq!(body(&server.get("/v1/job/web").await)["Version"], json!(1), "the current one is as it was");

    let revert = |version: u64, prior: Value| json!({"JobID": "web", "JobVersion": version, "EnforcePriorVersion": prior});
    put("/v1/job/web/revert", revert(1, Value::Null)).await.check(500, "can't revert to current version");
    put("/v1/job/web/revert", revert(0, json!(7)))
        .await
        .check(500, "Current job has version 1; enforcing version 7");
    put("/v1/job/web/revert", revert(9, Value::Null))
        .await
        .check(500, "job \"web\" in namespace \"default\" at version 9 not found");
    put("/v1/job/other/revert", revert(0, Value::Null)).await.check(400, "Job ID does not match");
    assert_eq!(put("/v1/job/web/revert", revert(0, json!(1))).await.status, 200);
    let job = body(&server.get("/v1/job/web").await);
    let memory = &job["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"];
    assert_eq!((&job["Version"], memory), (&json!(2), &json!(100)));
    assert_eq!((&job["VersionTag"], &job["Stable"]), (&Value::Null, &json!(false)));

    // What is tagged is kept, however many come after.
    for memory in 300..310 {
        register(&server, self::job("web", memory)).await;
    }
    let kept: Vec<_> = versions(&server, "web").await.iter().map(|job| job["Version"].clone()).collect();
    assert_eq!(kept, [12, 11, 10, 9, 8, 7, 0]);
    assert_eq!(server.send("DELETE /v1/job/web/versions/good/tag", "").await.status, 200);
    server
        .send("DELETE /v1/job/web/versions/good/tag", "")
        .await
        .check(500, "tag \"good\" not found on job \"web\"");
    server.send("DELETE /v1/job/a/b/versions/good/tag", "").await.check(404, "invalid job tag endpoint");
}

#[tokio::test]
async fn a_parameterized_job_is_dispatched() {
    let server = Server::start().await;
    let job = json!({"ID": "ask", "Type": "batch", "Meta": {"k": "v"},
        "ParameterizedJob": {"Payload": "required", "MetaRequired": ["who"], "MetaOptional": ["why"]},
        "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "exec", "Config": {"command": "a"}}]}]});
    register(&server, job).await;
    let dispatch = async |uri: &str, body: Value| server.send(&format!("PUT {uri}"), body.to_string()).await;
    let uri = "/v1/job/ask/dispatch";
    dispatch(uri, json!({"Meta": {"who": "me"}}))
        .await
        .check(500, "Payload is not provided but required by parameterized job");
    dispatch(uri, json!({"Payload": "aGVsbG8="}))
        .await
        .check(500, "Dispatch did not provide required meta keys: [who]");
    dispatch(uri, json!({"Payload": "aGVsbG8=", "Meta": {"who": "me", "other": "x"}}))
        .await
        .check(500, "Dispatch request included unpermitted metadata keys: [other]");
    let request = json!({"Payload": "aGVsbG8=", "Meta": {"who": "me"}, "IdPrefixTemplate": "now"});
    let answer = body(&dispatch("/v1/job/ask/dispatch?idempotency_token=once", request.clone()).await);
    let id = answer["DispatchedJobID"].as_str().unwrap();
    assert!(id.starts_with("ask/dispatch-now-"), "{id}");
    assert_eq!(answer["EvalID"], "");
    let again = body(&dispatch("/v1/job/ask/dispatch?idempotency_token=once", request).await);
    assert_eq!(again["DispatchedJobID"], id);
    let child = body(&server.get(&format!("/v1/job/{id}")).await);
    assert_eq!(
        (&child["ParentID"], &child["Dispatched"], &child["Status"]),
        (&json!("ask"), &json!(true), &json!("pending"))
    );
    assert_eq!((&child["Payload"], &child["Meta"]), (&json!("aGVsbG8="), &json!({"k": "v", "who": "me"})));
    let children = |summary: &Value| summary["Children"].clone();
    let summary = body(&server.get("/v1/job/ask/summary").await);
    assert_eq!(children(&summary), json!({"Pending": 1, "Running": 0, "Dead": 0}));
    server.send(&format!("DELETE /v1/job/{id}"), "").await;
    let summary = body(&server.get("/v1/job/ask/summary").await);
    assert_eq!(children(&summary), json!({"Pending": 0, "Running": 0, "Dead": 1}));
    // A payload can also be all that a request holds, then without meta.
    server
        .send("PUT /v1/job/ask/dispatch/payload", "hello")
        .await
        .check(500, "Dispatch did not provide required meta keys: [who]");
    dispatch("/v1/job/none/dispatch", json!({})).await.check(500, "parameterized job not found");
}

#[tokio::test]
async fn a_periodic_job_is_launched() {
    let server = Server::start().await;
    let job = json!({"ID": "nightly", "Type": "batch", "Periodic": {"Specs": ["0 3 * * *"]},
        "TaskGroups": [{"Name": "g", "Tasks": [{"Name": "t", "Driver": "exec", "Config": {"command": "a"}}]}]});
    register(&server, job).await;
    assert_eq!(server.send("PUT /v1/job/nightly/periodic/force", "").await.status, 200);
    let list = body(&server.get("/v1/jobs").await);
    assert_eq!(list.as_array().unwrap().len(), 2);
    let child = &list[1];
    assert!(child["ID"].as_str().unwrap().starts_with("nightly/periodic-"));
    assert_eq!((&child["ParentID"], &child["Periodic"]), (&json!("nightly"), &json!(false)));
    let reversed = body(&server.get("/v1/jobs?reverse=true&per_page=1").await);
    assert_eq!(reversed[0]["ID"], child["ID"]);
    let children =
        body(&server.get("/v1/jobs?filter=ParentID==nightly+and+TaskGroups.0.Tasks.0.Driver==exec").await);
    assert_eq!((children.as_array().unwrap().len(), &children[0]["ID"]), (1, &child["ID"]));
    let launched = body(&server.get("/v1/jobs?filter=Periodic+is+nil").await);
    assert_eq!((launched.as_array().unwrap().len(), &launched[0]["ID"]), (1, &child["ID"]));
    assert_eq!(server.get("/v1/jobs?filter=Nothing+%3D%3D+1").await.status, 400);
    register(&server, self::job("web", 10)).await;
    server.send("PUT /v1/job/web/periodic/force", "").await.check(500, "can't force launch non-periodic job");
}

#[tokio::test]
async fn a_job_is_validated_without_being_registered() {
    let server = Server::start().await;
    let check =
        async |job: Value| body(&server.send("PUT /v1/validate/job", json!({"Job": job}).to_string()).await);
    assert_eq!(
        check(job("web", 300)).await,
        json!({"DriverConfigValidated": true, "ValidationErrors": null, "Error": "", "Warnings": ""})
    );
    let found = check(json!({"ID": "a b", "Namespace": "none"})).await;
    assert_eq!(
        found["ValidationErrors"],
        json!([
            "job \"a b\" is in nonexistent namespace \"none\"",
            "Job ID contains a space",
            "Missing job task groups"
        ])
    );
    assert!(found["Error"].as_str().unwrap().starts_with("3 errors occurred:\n"));
    assert_eq!(body(&server.get("/v1/jobs").await), json!([]));
}

#[tokio::test]
async fn a_plugin_is_known_while_a_job_runs_it() {
    let server = Server::start().await;
    let plugin = |id: &str| {
        let mut job = job("ebs", 100);
        job["TaskGroups"][0]["Tasks"][0]["CSIPluginConfig"] = json!({"ID": id, "Type": "node"});
        job
    };
    let known = async || {
        let archive = server.save().await;
        let plugins = records_of(&archive).into_iter().filter(|record| record.kind == kinds::CSI_PLUGIN);
        let plugins = plugins.map(|record| archive::nomad::CsiPlugin::decode(&record.bytes).unwrap());
        plugins.map(|plugin| (plugin.id, plugin.nodes_expected)).collect::<Vec<_>>()
    };
    register(&server, plugin("a")).await;
    assert_eq!(known().await, [("a".to_owned(), 2)]);
    register(&server, plugin("b")).await;
    assert_eq!(known().await, [("a".to_owned(), 0), ("b".to_owned(), 2)]);
    server.send("DELETE /v1/job/ebs?purge=true", "").await;
    assert_eq!(known().await, [("a".to_owned(), 0)], "as with genuine servers, until nothing refers to it");
}

#[tokio::test]
async fn what_is_asked_in_a_wrong_way_is_refused() {
    let server = Server::start().await;
    register(&server, job("web", 10)).await;
    for request in ["GET /v1/job/web/revert", "PUT /v1/job/web/summary", "DELETE /v1/job/web/scale"] {
        server.send(request, "").await.check(405, "Invalid method");
    }
    assert_eq!(body(&server.get("/v1/job/web/services").await), json!([]));
    assert_eq!(body(&server.get("/v1/job/web/actions").await), json!([]));
    server.get("/v1/job/none/services").await.check(404, "job not found");
    let mut system = scaled("sys", 1);
    system["Type"] = "system".into();
    register(&server, system)
        .await
        .check(400, "Task groups with job type system do not support scaling blocks");
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
