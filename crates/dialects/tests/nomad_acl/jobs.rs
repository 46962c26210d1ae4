//! What registering a job asks for beside the right to register it, and what it notes of who did.

use serde_json::{Value, json};

use super::server::Server;

fn job(id: &str, group: Value) -> String {
    let mut of_job =
        json!({"Name": "g", "Tasks": [{"Name": "t", "Driver": "exec", "Config": {"command": "a"}}]});
    of_job.as_object_mut().unwrap().extend(group.as_object().unwrap().clone());
    json!({"Job": {"ID": id, "TaskGroups": [of_job]}}).to_string()
}

#[tokio::test]
async fn volumes_and_plugins_ask_for_rights_of_their_own() {
    let server = Server::guarded().await;
    server.node.initialize().await.unwrap();
    const SUBMIT: &str = r#"namespace "default" { capabilities = ["submit-job"] }"#;
    let csi = json!({"Volumes": {"v": {"Type": "csi", "Source": "disk", "AccessMode": "single-node-writer",
        "AttachmentMode": "file-system"}}});
    let host = |read_only: bool| json!({"Volumes": {"v": {"Type": "host", "Source": "disk", "ReadOnly": read_only}}});
    let plugin = json!({"Tasks": [{"Name": "t", "Driver": "exec", "Config": {"command": "a"},
        "CSIPluginConfig": {"ID": "p", "Type": "node"}}]});
    let reads = r#"host_volume "disk" { policy = "read" }"#;
    let writes = r#"host_volume "disk" { policy = "write" }"#;
    let mounts = r#"plugin { policy = "read" } namespace "default" { capabilities = ["csi-mount-volume"] }"#;
    let registers = r#"namespace "default" { capabilities = ["csi-register-plugin"] }"#;
    for (at, (group, rules, is_allowed)) in [
        (json!({}), "", true),
        (host(true), "", false),
        (host(true), reads, true),
        (host(false), reads, false),
        (host(false), writes, true),
        (csi.clone(), "", false),
        (csi, mounts, true),
        (plugin.clone(), mounts, false),
        (plugin, registers, true),
    ]
    .into_iter()
    .enumerate()
    {
        let bearer = server.ruled(&format!("p{at}"), &format!("{SUBMIT}\n{rules}")).await;
        let answer = bearer.send("PUT /v1/jobs", job("web", group)).await;
        assert_eq!(answer.status == 200, is_allowed, "{at}: {}", answer.text());
        assert!(is_allowed || answer.status == 403, "{at}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_job_notes_whose_token_registered_it() {
    let server = Server::guarded().await;
    server.node.initialize().await.unwrap();
    let first = server.send("PUT /v1/jobs", job("web", json!({"Count": 1}))).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let own = server.get("/v1/acl/token/self").await.json()["AccessorID"].clone();
    assert_eq!(server.get("/v1/job/web").await.json()["NomadTokenID"], own);
    server.send("PUT /v1/jobs", job("web", json!({"Count": 2}))).await.check(200, "EvalID");
    let rules = r#"namespace "default" { capabilities = ["revert-job", "read-job"] }"#;
    let other = server.ruled("reverter", rules).await;
    other.send("PUT /v1/job/web/revert", r#"{"JobID":"web","JobVersion":0}"#).await.check(200, "EvalID");
    let job = server.get("/v1/job/web").await.json();
    assert_eq!(job["NomadTokenID"], other.get("/v1/acl/token/self").await.json()["AccessorID"]);
    assert_eq!(job["TaskGroups"][0]["Count"], json!(1));
    other.send("PUT /v1/jobs", self::job("web", json!({}))).await.refuses(403, "Permission denied");
}
