//! Lists of the catalog with `?filter`.

use serde_json::{Value, json};

use super::server::Server;

async fn filled() -> Server {
    let server = Server::start().await;
    for body in [
        r#"{"Node":"n1","Address":"10.0.0.1","NodeMeta":{"rack":"a"},
            "Service":{"Service":"web","ID":"web-1","Port":80,"Tags":["blue"]},
            "Check":{"CheckID":"c1","Name":"alive","Status":"passing","ServiceID":"web-1"}}"#,
        r#"{"Node":"n2","Address":"10.0.0.2","NodeMeta":{"rack":"b"},
            "Service":{"Service":"web","ID":"web-2","Port":8080,"Tags":["green"]},
            "Check":{"CheckID":"c2","Name":"alive","Status":"critical","ServiceID":"web-2"}}"#,
        r#"{"Node":"n2","Address":"10.0.0.2","NodeMeta":{"rack":"b"},"Service":{"Service":"db","Port":5432}}"#,
    ] {
        server.send("PUT /v1/catalog/register", body).await.check(200, "true");
    }
    server
}

#[tokio::test]
async fn an_expression_keeps_what_it_is_true_of() {
    let server = filled().await;
    for (list, expression, member, expected) in [
        ("catalog/nodes", "Meta.rack == a", "/Node", &["n1"][..]),
        ("catalog/nodes", "Meta.none != a", "/Node", &["n1", "n2"]),
        ("catalog/nodes", "Address matches `2$`", "/Node", &["n2"]),
        ("catalog/service/web", "blue in ServiceTags", "/ServiceID", &["web-1"]),
        ("catalog/service/web", "ServicePort == 8080 and NodeMeta.rack == b", "/ServiceID", &["web-2"]),
        ("health/service/web", "Checks.Status == critical", "/Service/ID", &["web-2"]),
        ("health/service/web", "Service.Meta is empty and Node.Node == n1", "/Service/ID", &["web-1"]),
        ("health/service/web", "Service.Weights.Passing == 1", "/Service/ID", &["web-1", "web-2"]),
        ("health/state/any", "not CheckID == c1", "/CheckID", &["c2"]),
        ("health/node/n1", "Status != passing", "/CheckID", &[]),
        ("health/checks/web", "Name contains live", "/CheckID", &["c1", "c2"]),
    ] {
        let uri = format!(
            "/v1/{list}?filter={}",
            expression.replace(' ', "+").replace('`', "%60").replace('$', "%24")
        );
        let answer = server.get(&uri).await;
        assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
        let rows: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
        let found: Vec<&str> =
            rows.iter().map(|row| row.pointer(member).unwrap().as_str().unwrap()).collect();
        assert_eq!(found, expected, "{uri}");
    }
    let at = async |uri: &str| -> Value { serde_json::from_slice(&server.get(uri).await.body).unwrap() };
    assert_eq!(
        at("/v1/catalog/services?filter=ServicePort+!=+80").await,
        json!({ "db": [], "web": ["green"] })
    );
    let node = at("/v1/catalog/node/n2?filter=Service==db").await;
    assert_eq!(node["Services"].as_object().unwrap().keys().collect::<Vec<_>>(), ["db"]);
    let node = at("/v1/catalog/node-services/n2?filter=Port==8080").await;
    assert_eq!(node["Services"][0]["ID"], "web-2");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_the_genuine_text() {
    let server = filled().await;
    let context = "Failed to create boolean expression evaluator: ";
    for (expression, text) in [
        ("Nope==1", "Selector \"Nope\" is not valid"),
        ("Meta.a.b==1", "Selector \"Meta.a.b\" is not valid"),
        ("Meta==a", "Invalid match operator \"Equal\" for selector \"Meta\""),
        ("CreateIndex==1", "Selector \"CreateIndex\" is not valid"),
        ("Node==", "1:7 (6): no match found"),
    ] {
        let answer = server.get(&format!("/v1/catalog/nodes?filter={expression}")).await;
        answer.check(500, &format!("{context}{text}"));
    }
    let port = server.get("/v1/catalog/service/web?filter=ServicePort==x").await;
    let why = "Failed to coerce value \"x\" for selector \"ServicePort\": strconv.ParseInt: parsing \"x\": invalid syntax";
    port.check(500, &format!("{context}{why}"));
}
