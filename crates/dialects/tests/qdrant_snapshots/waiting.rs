//! Answers that do not wait for what they began.

use std::time::Duration;

use node::TaskState;
use serde_json::{Value, json};

use crate::form;
use crate::server::{Answer, NATIVE, Server};

impl Server {
    /// The task that an answer names, at its end.
    async fn ended(&self, answer: &Answer) -> node::Task {
        assert_eq!(answer.status, 202, "{}", answer.string());
        let value = answer.value();
        assert_eq!((&value["status"], value.as_object().unwrap().len()), (&json!("accepted"), 2), "{value}");
        let id =
            answer.header("location").strip_prefix(&format!("{NATIVE}/v1/tasks/")).unwrap().parse().unwrap();
        let end = async {
            loop {
                // It is known from the moment it is named.
                let task = self.node.task(id).unwrap();
                if task.state != TaskState::Running {
                    return task;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), end).await.unwrap()
    }
}

#[tokio::test]
async fn what_was_begun_can_be_followed() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    for list in ["/snapshots", "/collections/c/snapshots", "/collections/c/shards/0/snapshots"] {
        let answer = server.ask(&format!("POST {list}?wait=false")).await;
        assert_eq!(server.ended(&answer).await.state, TaskState::Succeeded, "{list}");
        let names = server.names(list).await;
        assert_eq!(names.len(), 1);
        let answer = server.ask(&format!("DELETE {list}/{}?wait=false", names[0])).await;
        assert_eq!(answer.status, 202);
        assert_eq!(server.names(list).await, [] as [String; 0]);
    }
}

#[tokio::test]
async fn a_restore_that_nobody_waits_for_ends_all_the_same() {
    let server = Server::start().await;
    server.fill("c", 1).await;
    let (made, bytes) = server.snapshot("/collections/c/snapshots").await;
    let location = server.url(&format!("/collections/c/snapshots/{}", made["name"].as_str().unwrap()));

    let answer =
        server.json("PUT /collections/d/snapshots/recover?wait=false", json!({"location": location})).await;
    assert_eq!(server.ended(&answer).await.state, TaskState::Succeeded);
    assert_eq!(server.count("d").await, 10);

    let answer = server.post("/collections/e/snapshots/upload?wait=false", form::archive(&bytes)).await;
    assert_eq!(server.ended(&answer).await.state, TaskState::Succeeded);
    assert_eq!(server.count("e").await, 10);

    // It fails where it can be seen.
    let answer = server
        .json("PUT /collections/f/snapshots/recover?wait=false", json!({"location": "http://127.0.0.1:1/"}))
        .await;
    if answer.status == 202 {
        let task = server.ended(&answer).await;
        assert_eq!(task.state, TaskState::Failed);
    } else {
        assert_eq!(answer.status, 500, "{}", answer.string());
    }
    assert_eq!(server.ask("GET /collections/f").await.status, 404);
}

#[tokio::test]
async fn what_is_refused_at_once_is_not_accepted() {
    let server = Server::start().await;
    server
        .refused(
            "POST /collections/x/snapshots?wait=false",
            Value::Null,
            404,
            "Not found: Collection `x` doesn't exist!",
        )
        .await;
    let body = json!({"location": "ftp://h/s"});
    let answer = server.json("PUT /collections/x/snapshots/recover?wait=false", body).await;
    assert_eq!(answer.status, 400);
}
