//! Variables: statuses, bodies and headers as genuine clients expect them.

use serde_json::{Value, json};

use crate::server::{Answer, Server, fixture};

impl Answer {
    #[track_caller]
    fn json(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[tokio::test]
async fn a_variable_is_set_read_listed_and_deleted() {
    let server = Server::start().await;
    let answer = server.send("PUT /v1/var/app/db?cas=0", r#"{"Path":"other","Items":{"k":"<v>"}}"#).await;
    let set = answer.json(200);
    assert_eq!((&set["Namespace"], &set["Path"]), (&json!("default"), &json!("app/db")));
    assert_eq!((&set["Items"], &set["Lock"]), (&json!({"k": "<v>"}), &Value::Null));
    assert_eq!(set["ModifyIndex"], answer.index());

    let read = server.get("/v1/var/app/db").await;
    assert_eq!((read.json(200), read.index()), (set.clone(), answer.index()));
    let mut listed = set.clone();
    listed.as_object_mut().unwrap().remove("Items");
    assert_eq!(server.get("/v1/vars?prefix=app").await.json(200), json!([listed]));
    assert_eq!(server.get("/v1/vars?prefix=b").await.json(200), json!([]));
    assert_eq!(server.get("/v1/vars?namespace=other").await.json(200), json!([]));
    let other = server.send("POST /v1/var/b?namespace=other", r#"{"Items":{"k":"v"}}"#).await;
    assert_eq!(other.json(200)["Namespace"], "other");
    let first = server.get("/v1/vars?namespace=*&per_page=1").await;
    assert_eq!(first.header("x-nomad-nexttoken"), "other.b");
    let second = server.get("/v1/vars?namespace=*&per_page=1&next_token=other.b").await;
    assert_eq!(second.json(200)[0]["Path"], "b");

    let filtered = server.get("/v1/vars?namespace=*&filter=VariableMetadata.Path==b").await;
    assert_eq!(filtered.json(200).as_array().unwrap().len(), 1);
    let locked = server.get("/v1/vars?filter=VariableMetadata.Lock+is+not+nil").await;
    locked.check(200, "[]");
    let refused = server.get("/v1/vars?filter=Path==b").await;
    assert!(
        refused.text().starts_with("failed to read result page: error finding value"),
        "{}",
        refused.text()
    );

    let conflict = server.send("DELETE /v1/var/app/db?cas=7777", "").await;
    assert_eq!((conflict.json(409), conflict.index()), (set, answer.index()));
    let deleted = server.send("DELETE /v1/var/app/db", "").await;
    deleted.check(204, "");
    assert!(deleted.index() > answer.index());
    server.get("/v1/var/app/db").await.check(404, "variable not found");
    let conflict = server.send("PUT /v1/var/app/db?cas=5", r#"{"Items":{"k":"v"}}"#).await;
    assert_eq!(
        (&conflict.json(409)["Path"], conflict.json(409)["ModifyIndex"].as_u64()),
        (&json!("app/db"), Some(0))
    );
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_the_genuine_text() {
    let server = Server::start().await;
    let too_much = json!({"Items": {"k": "v".repeat(65_536)}}).to_string();
    let fits = json!({"Items": {"k": "v".repeat(65_535)}}).to_string();
    for (request, body, status, text) in [
        ("GET /v1/var/", "", 400, "missing variable path"),
        ("PUT /v1/var/a", "", 400, "Request body is empty"),
        ("PUT /v1/var/a", "{}", 400, "variable missing required Items object"),
        (
            "PUT /v1/var/a?cas=x",
            r#"{"Items":{"k":"v"}}"#,
            400,
            "can not parse cas: strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        ("PUT /v1/var/a", &too_much, 400, "variables are limited to 64KiB in total size"),
        ("PUT /v1/var/a.b", r#"{"Items":{"k":"v"}}"#, 400, "invalid path \"a.b\""),
        (
            "PUT /v1/var/a?namespace=*",
            r#"{"Items":{"k":"v"}}"#,
            400,
            "can not target wildcard (\"*\")namespace",
        ),
        (
            "PUT /v1/var/a",
            r#"{"Items":{"k":"v"},"Lock":{"TTL":"15s"}}"#,
            400,
            "variable should not contain lock definition",
        ),
        ("PUT /v1/var/a?lock-acquire&lock-renew", "{}", 400, "multiple lock operations"),
        ("PUT /v1/var/a?lock-acquire&cas=1", "{}", 400, "CAS can't be used with lock operations"),
        (
            "PUT /v1/var/a?lock-acquire",
            r#"{"Lock":{"TTL":"9s"}}"#,
            400,
            "TTL must be between 10 seconds and 24 hours",
        ),
        ("PUT /v1/var/a?lock-release", "{}", 400, "missing lock information"),
        ("PUT /v1/var/a?lock-renew", r#"{"Lock":{"ID":"x"}}"#, 404, "variable doesn't exist"),
        ("PUT /v1/var/a?lock-release", r#"{"Lock":{"ID":"x"}}"#, 500, "variable doesn't exist"),
    ] {
        let answer = server.send(request, body.to_owned()).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (status, text), "{request} {body:.40}");
    }
    assert_eq!(server.get("/v1/vars").await.json(200), json!([]));
    server.send("PUT /v1/var/a", fits).await.json(200);
}

#[tokio::test]
async fn a_lock_is_acquired_renewed_and_released() {
    let server = Server::start().await;
    let held = server.send("PUT /v1/var/leader?lock-acquire", r#"{"Items":{"me":"1"}}"#).await.json(200);
    let lock = &held["Lock"];
    assert_eq!((&lock["TTL"], &lock["LockDelay"]), (&json!("15s"), &json!("15s")));
    let mine = json!({"Lock": {"ID": lock["ID"]}}).to_string();
    let other = r#"{"Lock":{"ID":"0b0e1bbe-0000-4000-8000-000000000009"}}"#;

    for request in ["PUT /v1/var/leader?lock-acquire", "PUT /v1/var/leader?lock-release"] {
        let conflict = server.send(request, other).await.json(409);
        assert_eq!((&conflict["Path"], conflict.get("Items")), (&json!("leader"), None));
    }
    server.send("DELETE /v1/var/leader", "").await.json(409);
    let renewed = server.send("PUT /v1/var/leader?lock-renew", mine.clone()).await.json(200);
    assert_eq!((&renewed["Lock"], renewed.get("Items")), (lock, None));
    let refused = server.send("PUT /v1/var/leader?lock-renew", other).await;
    refused.check(409, "attempting to modify locked variable");
    let update = json!({"Items": {"me": "2"}, "Lock": {"ID": lock["ID"]}}).to_string();
    assert_eq!(server.send("PUT /v1/var/leader", update).await.json(200)["Lock"], *lock);
    let released = server.send("PUT /v1/var/leader?lock-release", mine.clone()).await.json(200);
    assert_eq!((released.get("Lock"), released.get("Items")), (None, None));
    assert_eq!(server.get("/v1/var/leader").await.json(200)["Items"], json!({"me": "2"}));
    let refused = server.send("PUT /v1/var/leader?lock-renew", mine).await;
    refused.check(409, "variable doesn't hold a lock");
}

#[tokio::test]
async fn a_read_waits_for_a_change() {
    let server = Server::start().await;
    let set = server.send("PUT /v1/var/a", r#"{"Items":{"k":"1"}}"#).await;
    let waiting = {
        let (server, index) = (server.clone(), set.index());
        tokio::spawn(async move { server.get(&format!("/v1/var/a?index={index}&wait=60s")).await })
    };
    let next = server.send("PUT /v1/var/a", r#"{"Items":{"k":"2"}}"#).await;
    let seen = waiting.await.unwrap();
    assert_eq!((&seen.json(200)["Items"], seen.index()), (&json!({"k": "2"}), next.index()));
}

#[tokio::test]
async fn variables_of_a_genuine_archive_are_read_and_come_back_from_ours() {
    let server = Server::start().await;
    server.restore(fixture("server.snap")).await;
    let read = async || server.get("/v1/var/app/config").await.json(200);
    let genuine = read().await;
    assert_eq!(genuine["Items"]["host"], "db.example");
    server.send("PUT /v1/var/new", r#"{"Items":{"k":"v"}}"#).await.json(200);
    let ours = server.save().await;
    server.send("DELETE /v1/var/app/config", "").await.check(204, "");
    assert_eq!(server.restore(ours).await.status, 200);
    assert_eq!(read().await, genuine);
    assert_eq!(server.get("/v1/var/new").await.json(200)["Items"], json!({"k": "v"}));
}
