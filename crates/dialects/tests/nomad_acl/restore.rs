//! Save and restore where access is controlled: the tokens come with the archive.

use super::server::Server;

const SNAPSHOT: &str = "/v1/operator/snapshot";

#[tokio::test]
async fn saving_is_a_right_of_its_own_and_restoring_is_for_management_tokens() {
    let server = Server::guarded().await;
    let reader = server.ruled("reader", r#"operator { policy = "read" }"#).await;
    reader.get(SNAPSHOT).await.refuses(403, "Permission denied");
    let saver = server.ruled("saver", r#"operator { capabilities = ["snapshot-save"] }"#).await;
    let writer = server.ruled("writer", r#"operator { policy = "write" }"#).await;
    for allowed in [&saver, &writer] {
        let archive = allowed.get(SNAPSHOT).await;
        assert_eq!(archive.status, 200);
        allowed.send(&format!("PUT {SNAPSHOT}"), archive.body).await.refuses(403, "Permission denied");
    }
}

#[tokio::test]
async fn a_restore_brings_back_who_could_do_what_and_says_whose_token_is_lost() {
    let server = Server::guarded().await;
    let before = server.get(SNAPSHOT).await.body;
    let wish = r#"{"Name":"later","Type":"management"}"#;
    let later = server.send("PUT /v1/acl/token", wish).await.json();
    let later = server.bearing(later["SecretID"].as_str().unwrap());
    let restored = later.send(&format!("PUT {SNAPSHOT}"), before.clone()).await;
    restored.check(200, "");
    assert!(restored.header("x-stillpoint-warning").contains("no longer valid"), "{restored:?}");
    later.get("/v1/acl/tokens").await.refuses(403, "Permission denied");
    let again = server.send(&format!("POST {SNAPSHOT}"), before).await;
    assert_eq!((again.status.as_u16(), again.header("x-stillpoint-warning")), (200, ""));
    server.send("PUT /v1/acl/bootstrap", "").await.check(400, "already done");

    // Of a server without access control: whoever is first there gets everything.
    let bare = Server::with(false).await.get(SNAPSHOT).await.body;
    let opened = server.send(&format!("PUT {SNAPSHOT}"), bare).await;
    let warnings: Vec<_> = opened.headers.get_all("x-stillpoint-warning").iter().collect();
    assert!(warnings.iter().any(|warning| warning.to_str().unwrap().contains("ACL bootstrap")), "{opened:?}");
    server.anonymous().send("PUT /v1/acl/bootstrap", "").await.check(200, "Bootstrap Token");
}
