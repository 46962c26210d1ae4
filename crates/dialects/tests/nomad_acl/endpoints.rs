//! Tokens, policies and roles as clients see them.

use axum::body::Body;
use serde_json::{Value, json};

use super::server::{MANAGEMENT, Server};

const READ: &str = r#"namespace "default" { policy = "read" }"#;

/// What differs from run to run, left out.
fn stripped(mut value: Value) -> Value {
    for name in ["AccessorID", "SecretID", "CreateTime", "Hash", "ID"] {
        if let Some(member) = value.get_mut(name) {
            assert!(member.as_str().is_some_and(|text| !text.is_empty()), "{name}");
            *member = json!("…");
        }
    }
    value
}

#[tokio::test]
async fn the_first_token_is_given_out_once() {
    let server = Server::with(true).await;
    let answer = server.send("POST /v1/acl/bootstrap", Body::empty()).await;
    assert_eq!(answer.header("x-nomad-index"), "2");
    // The order of the members is the genuine one, too.
    let members: Vec<String> = answer.text().split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(&members[..3], ["ExpirationTTL", "", "AccessorID"]);
    let expected = json!({
        "ExpirationTTL": "", "AccessorID": "…", "SecretID": "…", "Name": "Bootstrap Token", "Type": "management",
        "Policies": null, "Roles": null, "Global": true, "Hash": "…", "CreateTime": "…", "ExpirationTime": null,
        "CreateIndex": 2, "ModifyIndex": 2,
    });
    let token = answer.json();
    assert_eq!(stripped(token.clone()), expected);
    let again = server.send("POST /v1/acl/bootstrap", Body::empty()).await;
    again.refuses(400, "ACL bootstrap already done (reset index: 2)");
    let own = server.bearing(token["SecretID"].as_str().unwrap()).get("/v1/acl/token/self").await.json();
    assert_eq!(own, token);
    let fresh = Server::with(true).await;
    fresh
        .send("PUT /v1/acl/bootstrap", r#"{"BootstrapSecret":"root"}"#)
        .await
        .refuses(400, "invalid acl token");
}

#[tokio::test]
async fn an_operator_with_a_hand_on_the_disk_bootstraps_once_more() {
    let server = Server::guarded().await.anonymous();
    let file = server.data_dir().join("nomad-acl-bootstrap-reset");
    std::fs::write(&file, "7").unwrap();
    let wrong = server.send("PUT /v1/acl/bootstrap", Body::empty()).await;
    wrong.refuses(400, "Invalid bootstrap reset index (specified 7, reset index: 2)");
    // The file of the other scope says nothing here.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(server.data_dir().join("acl-bootstrap-reset"), "2").unwrap();
    server.send("PUT /v1/acl/bootstrap", Body::empty()).await.check(400, "already done");
    std::fs::write(&file, "2\n").unwrap();
    server.send("PUT /v1/acl/bootstrap", Body::empty()).await.check(200, "Bootstrap Token");
    assert!(!file.exists());
    server.bearing(MANAGEMENT).get("/v1/acl/tokens").await.check(200, "Bootstrap Token");
}

#[tokio::test]
async fn a_token_is_created_read_changed_listed_and_deleted() {
    let server = Server::guarded().await;
    let wish = json!({ "Name": "ci <&>", "Type": "client", "Policies": ["p"], "ExpirationTTL": "1h" });
    let answer = server.send("POST /v1/acl/token", wish.to_string()).await;
    let token = answer.json();
    assert_eq!(answer.header("x-nomad-index"), token["CreateIndex"].to_string());
    let expected = json!({
        "ExpirationTTL": "1h0m0s", "AccessorID": "…", "SecretID": "…", "Name": "ci <&>", "Type": "client",
        "Policies": ["p"], "Roles": null, "Global": false, "Hash": "…", "CreateTime": "…",
        "ExpirationTime": token["ExpirationTime"], "CreateIndex": 3, "ModifyIndex": 3,
    });
    assert_eq!(stripped(token.clone()), expected);
    let path = format!("/v1/acl/token/{}", token["AccessorID"].as_str().unwrap());
    let read = server.get(&path).await;
    assert_eq!((read.header("x-nomad-index"), read.json()), ("3", token.clone()));
    // Whoever knows the secret may see the token, and no other.
    let own = server.bearing(token["SecretID"].as_str().unwrap());
    assert_eq!(own.get(&path).await.json(), token);
    let root = server.get("/v1/acl/token/self").await.json()["AccessorID"].as_str().unwrap().to_owned();
    own.get(&format!("/v1/acl/token/{root}")).await.refuses(403, "Permission denied");
    own.send(&format!("DELETE {path}"), Body::empty()).await.refuses(403, "Permission denied");

    let mut changed = token.clone();
    changed["Policies"] = json!(["q"]);
    let answer = server.send(&format!("PUT {path}"), changed.to_string()).await.json();
    assert_eq!((&answer["Policies"], &answer["ModifyIndex"]), (&json!(["q"]), &json!(4)));
    let other = server.send(&format!("PUT /v1/acl/token/{root}"), changed.to_string()).await;
    other.refuses(400, "ACL token accessor does not match request path");
    let flawed = server.send("PUT /v1/acl/token", r#"{"Type":"client"}"#).await;
    flawed.refuses(400, "token 0 invalid: 1 error occurred:\n\t* client token missing policies or roles\n\n");

    let listed = server.get("/v1/acl/tokens").await;
    assert!(!listed.text().contains("SecretID") && !listed.text().contains("ExpirationTTL"));
    assert_eq!(listed.json().as_array().unwrap().len(), 2);
    let page = server.get("/v1/acl/tokens?per_page=1").await;
    assert_eq!(page.json()[0]["Name"], "Bootstrap Token");
    let next = format!("/v1/acl/tokens?per_page=1&next_token={}", page.header("x-nomad-nexttoken"));
    assert_eq!(server.get(&next).await.json()[0]["Name"], "ci <&>");
    assert_eq!(server.get("/v1/acl/tokens?reverse=true").await.json()[0]["Name"], "ci <&>");
    let client = server.get("/v1/acl/tokens?filter=Type==client+and+p+not+in+Policies").await;
    assert_eq!(client.json().as_array().unwrap().len(), 1);
    server.get("/v1/acl/tokens?filter=Type").await.check(400, "failed to read filter expression: 1:5 (4)");
    let nowhere = "failed to read result page: error finding value in datum: /Nope at part 0: couldn't find key: \
                   struct field with name \"Nope\"";
    server.get("/v1/acl/tokens?filter=Nope==1").await.refuses(400, nowhere);

    let gone = server.send(&format!("DELETE {path}"), Body::empty()).await;
    assert_eq!((gone.status.as_u16(), gone.text().as_str(), gone.header("x-nomad-index")), (200, "", "6"));
    server.get(&path).await.refuses(404, "ACL token not found");
    server
        .send(&format!("DELETE {path}"), Body::empty())
        .await
        .check(400, "Cannot delete nonexistent tokens: ");
    own.get("/v1/acl/token/self").await.refuses(403, "Permission denied");
}

#[tokio::test]
async fn a_one_time_token_stands_in_for_its_token_once() {
    const CREATE: &str = "PUT /v1/acl/token/onetime";
    const EXCHANGE: &str = "POST /v1/acl/token/onetime/exchange";
    let server = Server::guarded().await;
    let reader = server.ruled("reader", READ).await;
    let own = reader.get("/v1/acl/token/self").await.json();
    let create = async || reader.send(CREATE, Body::empty()).await.json();
    let exchange =
        |made: &Value| json!({ "OneTimeSecretID": made["OneTimeToken"]["OneTimeSecretID"] }).to_string();

    let first = create().await;
    assert_eq!(first["OneTimeToken"]["AccessorID"], own["AccessorID"]);
    assert_eq!(first["OneTimeToken"]["CreateIndex"], first["Index"]);
    let second = create().await;
    // There is one for each token, and who asks for another one gives up that.
    server.anonymous().send(EXCHANGE, exchange(&first)).await.refuses(403, "Permission denied");
    let given = server.anonymous().send(EXCHANGE, exchange(&second)).await.json();
    assert_eq!(given["Token"], own);
    server.anonymous().send(EXCHANGE, exchange(&second)).await.refuses(403, "Permission denied");
    server.send(EXCHANGE, "{}").await.refuses(500, "one-time token lookup failed: missing secret");

    let third = create().await;
    let path = format!("DELETE /v1/acl/token/{}", own["AccessorID"].as_str().unwrap());
    server.send(&path, Body::empty()).await.check(200, "");
    server.anonymous().send(EXCHANGE, exchange(&third)).await.refuses(403, "Permission denied");
}

#[tokio::test]
async fn policies_are_seen_by_who_has_them() {
    let server = Server::guarded().await;
    let reader = server.ruled("reader", READ).await;
    server.send("PUT /v1/acl/policy/other", json!({ "Name": "other", "Rules": READ }).to_string()).await;
    let expected = json!({
        "Name": "reader", "Description": "", "Rules": READ, "JobACL": null, "Hash": "…", "CreateIndex": 3,
        "ModifyIndex": 3,
    });
    let mut read = stripped(reader.get("/v1/acl/policy/reader").await.json());
    let spelled = read.as_object_mut().unwrap().remove("RulesJSON").unwrap();
    assert_eq!((&spelled["Raw"], read), (&json!(READ), expected));
    reader.get("/v1/acl/policy/other").await.refuses(403, "Permission denied");
    server.get("/v1/acl/policy/missing").await.refuses(404, "ACL policy not found");
    let names = async |server: &Server, path: &str| -> Vec<String> {
        let listed = server.get(path).await;
        assert!(!listed.text().contains("Rules"));
        listed
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["Name"].as_str().unwrap().into())
            .collect()
    };
    assert_eq!(names(&server, "/v1/acl/policies").await, ["other", "reader"]);
    assert_eq!(names(&reader, "/v1/acl/policies").await, ["reader"]);
    assert_eq!(names(&reader, "/v1/acl/policy/self").await, ["reader"]);
    let other = server.send("PUT /v1/acl/policy/x", json!({ "Name": "y" }).to_string()).await;
    other.refuses(400, "ACL policy name does not match request path");
    // Everyone may see what everyone may do.
    server
        .send("PUT /v1/acl/policy/anonymous", json!({ "Name": "anonymous", "Rules": READ }).to_string())
        .await;
    server.anonymous().get("/v1/acl/policy/anonymous").await.check(200, "default");
    assert_eq!(names(&server.anonymous(), "/v1/acl/policies").await, ["anonymous"]);
    server.send("PUT /v1/namespace", r#"{"Name":"default"}"#).await.check(200, "");
    server.anonymous().get("/v1/namespaces").await.check(200, "default");
}

#[tokio::test]
async fn roles_are_seen_by_who_has_them() {
    let server = Server::guarded().await;
    server
        .send("PUT /v1/acl/policy/p", json!({ "Name": "p", "Rules": READ }).to_string())
        .await
        .check(200, "");
    let role =
        server.send("PUT /v1/acl/role", r#"{"Name":"readers","Policies":[{"Name":"p"}]}"#).await.json();
    let expected = json!({
        "ID": "…", "Name": "readers", "Description": "", "Policies": [{ "Name": "p" }], "Hash": "…",
        "CreateIndex": 4, "ModifyIndex": 4,
    });
    assert_eq!(stripped(role.clone()), expected);
    server.send("PUT /v1/acl/role", r#"{"Name":"others","Policies":[{"Name":"p"}]}"#).await.check(200, "");
    let wish = r#"{"Type":"client","Roles":[{"Name":"readers"}]}"#;
    let token = server.send("PUT /v1/acl/token", wish).await.json();
    assert_eq!(token["Roles"], json!([{ "ID": role["ID"], "Name": "readers" }]));
    let reader = server.bearing(token["SecretID"].as_str().unwrap());
    assert_eq!(reader.get("/v1/acl/roles").await.json(), json!([role]));
    let path = format!("/v1/acl/role/{}", role["ID"].as_str().unwrap());
    assert_eq!(reader.get(&path).await.json(), role);
    assert_eq!(reader.get("/v1/acl/role/name/readers").await.json(), role);
    reader.get("/v1/acl/role/name/others").await.refuses(403, "Permission denied");
    server.send("PUT /v1/namespace", r#"{"Name":"default"}"#).await.check(200, "");
    reader.get("/v1/namespaces").await.check(200, "default");
    server.get("/v1/acl/role/name/missing").await.refuses(404, "ACL role not found");
    server.get("/v1/acl/role/name/").await.refuses(400, "missing ACL role name");
    server.get("/v1/acl/role/a/b").await.refuses(400, "invalid URI");
    let gone = server.send(&format!("DELETE {path}"), Body::empty()).await;
    assert_eq!((gone.status.as_u16(), gone.text().as_str()), (200, ""));
    server.send(&format!("DELETE {path}"), Body::empty()).await.refuses(500, "ACL role not found");
    // What gave the right is gone.
    assert_eq!(reader.get("/v1/namespaces").await.text(), "[]");
}
