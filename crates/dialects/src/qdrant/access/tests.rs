//! Tests of keys, tokens and the table of who may do what.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use node::{Node, Parts, Secret, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const SECRET: &str = "my-secret";

fn signed_with(secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

fn signed(claims: &Value) -> String {
    signed_with(SECRET, claims)
}

/// The answer to a token at this time.
fn decoded(token: &str, now_s: u64) -> Option<Result<Access, String>> {
    let decoded = claims::decode(token, &Secret::from(SECRET), now_s * 1000)?;
    Some(decoded.map(|claims| claims.access).map_err(told))
}

fn told(refused: Refused) -> String {
    match refused {
        Refused::Unauthorized(text) => format!("401 {text}"),
        Refused::Forbidden(text) => format!("403 {text}"),
        Refused::Failed(error) => panic!("{error}"),
    }
}

fn grants(mode: &str) -> Access {
    let claims = json!({"access": [{"collection": "c", "access": mode}]});
    decoded(&signed(&claims), 0).unwrap().unwrap()
}

/// Why something is refused; empty if it is not.
fn refusal(access: &Access, need: Need<'_>) -> String {
    access.check(need).map_or_else(|error| error.message().to_owned(), |()| String::new())
}

#[test]
fn everybody_may_do_what_the_table_says() {
    use Need::*;
    let (manage, read) = (Access::Manage, Access::Read);
    let (r, rw, prw) = (grants("r"), grants("rw"), grants("prw"));
    let global = "Global access is required";
    let manages = "Global manage access is required";
    let write = "Write access to collection c is required";
    let points = "Only points access is allowed for collection c";
    let table = [
        (GlobalRead, ["", "", global, global, global]),
        (Manage, ["", manages, global, global, global]),
        (PointsRead("c"), ["", "", "", "", ""]),
        (PointsWrite("c"), ["", manages, write, "", ""]),
        (CollectionRead("c"), ["", "", "", "", points]),
        (CollectionWrite("c"), ["", manages, write, "", points]),
        (CollectionManage("c"), ["", manages, write, "Manage access for this operation is required", points]),
    ];
    for (need, expected) in table {
        assert_eq!([&manage, &read, &r, &rw, &prw].map(|access| refusal(access, need)), expected, "{need:?}");
    }
    for access in [&r, &rw, &prw] {
        assert_eq!(refusal(access, PointsRead("d")), "Access to collection d is required");
        assert!(access.sees("c") && !access.sees("d"));
    }
    assert!(read.sees("d"));
}

#[test]
fn a_token_says_what_it_opens() {
    let table = [
        (json!({}), Access::Manage),
        (json!({"access": "m", "sub": "subscription", "subject": "me"}), Access::Manage),
        (json!({"access": "r", "aud": "somebody else", "nbf": 4_000_000_000_u64}), Access::Read),
        (json!({"access": []}), Access::Collections(Vec::new().into())),
    ];
    for (claims, access) in table {
        assert_eq!(decoded(&signed(&claims), 0), Some(Ok(access)), "{claims}");
    }
}

#[test]
fn a_token_ends_half_a_minute_late() {
    let token = signed(&json!({"exp": 1000}));
    assert_eq!(decoded(&token, 1030), Some(Ok(Access::Manage)));
    assert_eq!(decoded(&token, 1031), Some(Err("403 ExpiredSignature".into())));
}

#[test]
fn what_is_no_good_token_opens_nothing() {
    let other = signed_with("another", &json!({}));
    assert_eq!(decoded(&other, 0), Some(Err("403 InvalidSignature".into())));
    let (payload, twice) = (
        json!({"access": [{"collection": "c", "access": "r", "payload": {"user": 1}}]}),
        json!({"access": [{"collection": "c", "access": "r"}, {"collection": "c", "access": "rw"}]}),
    );
    for claims in [payload, twice] {
        let refused = decoded(&signed(&claims), 0).unwrap().unwrap_err();
        assert!(refused.starts_with("401 "), "{claims}: {refused}");
    }
    let bad = [
        json!({"access": "w"}),
        json!({"access": null}),
        json!({"access": [{"collection": "c", "access": "m"}]}),
        json!({"exp": "tomorrow"}),
        json!({"value_exists": {"collection": "c"}}),
    ];
    for claims in bad {
        assert_eq!(decoded(&signed(&claims), 0), None, "{claims}");
    }
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let stronger = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &json!({}), &key).unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", stronger.split('.').nth(1).unwrap());
    for token in ["", "a.b.c", "..", &stronger, &unsigned] {
        assert_eq!(decoded(token, 0), None, "{token}");
    }
}

async fn node() -> (Node, TempDir) {
    let dir = TempDir::new().unwrap();
    let node = Node::open(Settings::new(dir.path()), Parts::alone()).await.unwrap();
    (node, dir)
}

async fn access(node: &Node, keys: &Keys, headers: &[(&str, &str)]) -> Result<Access, String> {
    let header = |(name, value): &(&str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let headers: HeaderMap = headers.iter().map(header).collect();
    authenticate(node, keys, &headers).await.map_err(told)
}

#[tokio::test]
async fn keys_open_what_they_are_for() {
    let (node, _dir) = node().await;
    let open = Keys { api_key: Some("".into()), ..Keys::default() };
    assert!(!open.are_set());
    assert_eq!(access(&node, &open, &[]).await, Ok(Access::Manage));

    let none = "401 Must provide an API key or an Authorization bearer token";
    let invalid = "401 Invalid API key or JWT";
    let token = signed(&json!({"access": "r"}));
    let bearer = format!("Bearer {token}");
    let mut keys = Keys {
        api_key: Some(SECRET.into()),
        alt_api_key: Some("other".into()),
        read_only_api_key: Some("reader".into()),
        jwt_rbac: false,
    };
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let table: [(Headers, Result<Access, &str>); 9] = [
        (&[], Err(none)),
        (&[("authorization", SECRET)], Err(none)),
        (&[("authorization", "bearer my-secret")], Err(none)),
        (&[("api-key", SECRET)], Ok(Access::Manage)),
        (&[("authorization", "Bearer other")], Ok(Access::Manage)),
        (&[("api-key", "reader"), ("authorization", "Bearer other")], Ok(Access::Read)),
        (&[("api-key", "")], Err(invalid)),
        (&[("api-key", "my-secret2")], Err(invalid)),
        (&[("authorization", &bearer)], Err(invalid)),
    ];
    for (headers, expected) in table {
        assert_eq!(access(&node, &keys, headers).await, expected.map_err(str::to_owned), "{headers:?}");
    }

    keys.jwt_rbac = true;
    let by_alt = signed_with("other", &json!({"access": "r"}));
    for token in [&token, &by_alt] {
        assert_eq!(access(&node, &keys, &[("api-key", token)]).await, Ok(Access::Read));
    }
    let by_reader = signed_with("reader", &json!({}));
    let refused = access(&node, &keys, &[("api-key", &by_reader)]).await;
    assert_eq!(refused, Err("403 InvalidSignature".into()));
    assert_eq!(access(&node, &keys, &[("api-key", "no token")]).await, Err(invalid.into()));
    node.shutdown().await;
}

#[test]
fn keys_are_not_shown() {
    let keys = Keys { api_key: Some(SECRET.into()), ..Keys::default() };
    assert!(!format!("{keys:?}").contains(SECRET));
}
