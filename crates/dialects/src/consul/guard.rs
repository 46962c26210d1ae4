//! What every request of a served endpoint passes first: its query, its method, and a net for panics.
//!
//! The order of the checks is that of `hashicorp/consul:agent/http.go`, `wrap`.

use axum::extract::{Request, State};
use axum::http::header::{ALLOW, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use node::Kind;
use records::consul::acl::DefaultPolicy;

use super::App;
use super::params::Query;
use super::reply::Failure;
use crate::http::caught;

const DEFAULT_ACL_POLICY: HeaderName = HeaderName::from_static("x-consul-default-acl-policy");

/// An endpoint's gate.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) app: App,
    /// The methods it takes, separated by commas, in the order in which the genuine server lists them.
    pub(super) allow: &'static str,
}

/// Lets a request through to its handler with its [`Query`] among the extensions, and gives the answer the
/// headers that every answer has.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut response = gate.admit(request, next).await.unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    headers.entry(DEFAULT_ACL_POLICY).or_insert(HeaderValue::from_static(default_policy(&gate.app)));
    headers.entry(VARY).or_insert(HeaderValue::from_static("Accept-Encoding"));
    response
}

fn default_policy(app: &App) -> &'static str {
    let access = &app.node.settings().access;
    match access.default_policy {
        DefaultPolicy::Deny if access.enabled => "deny",
        _ => "allow",
    }
}

impl Gate {
    async fn admit(&self, mut request: Request, next: Next) -> Result<Response, Failure> {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let query = query.ok_or_else(|| Failure::genuine(Kind::Invalid, ""))?;
        if request.method() == Method::OPTIONS {
            return Ok(self.allowed().into_response());
        }
        if !self.allow.split(',').any(|allowed| allowed == request.method().as_str()) {
            let text = format!("method {} not allowed", request.method());
            return Ok((StatusCode::METHOD_NOT_ALLOWED, self.allowed(), text).into_response());
        }
        request.extensions_mut().insert(query);
        caught(next.run(request)).await
    }

    fn allowed(&self) -> HeaderMap {
        let methods = HeaderValue::try_from(format!("OPTIONS,{}", self.allow));
        HeaderMap::from_iter([(ALLOW, methods.expect("names of methods are plain text"))])
    }
}
