//! Qdrant's gRPC API. Translates; decides nothing.
//!
//! * `qdrant.Qdrant`, `grpc.health.v1.Health` -- whether anybody is there
//! * `qdrant.Collections` -- collections and aliases
//! * `qdrant.Points` -- points, written and asked for
//! * `qdrant.Snapshots` -- stored snapshots of collections and of everything
//!
//! Messages and traits are those that the client's crate publishes. What is not served is answered with
//! `UNIMPLEMENTED` and the sentence that REST has for it.

mod check;
mod collections;
mod compress;
mod face;
mod filter;
mod formula;
mod health;
mod index;
mod info;
mod legacy;
mod limits;
mod operation;
mod payload;
mod point;
mod points;
mod query;
mod reply;
mod select;
mod settings;
mod snapshots;
mod status;
#[cfg(test)]
mod tests;
mod update;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use node::Node;
use qdrant_client::qdrant::collections_server::CollectionsServer;
use qdrant_client::qdrant::points_server::PointsServer;
use qdrant_client::qdrant::qdrant_server::QdrantServer;
use qdrant_client::qdrant::snapshots_server::SnapshotsServer;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;

pub use operation::operation;

use super::access::{Access, Keys, authenticate};
use crate::request::Failed;
use face::Face;

/// The longest message that is taken, in bytes, once it is unpacked. Genuine servers take any; a client that sends
/// more at once than a log entry should hold is better told so.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The services, for a listener that speaks HTTP/2 without being asked. `keys` open them.
pub fn router(node: Node, keys: Keys) -> Router {
    let face = Arc::new(Face { node: node.clone() });
    let mut routes = Routes::builder();
    macro_rules! serve {
        ($server:ident, $service:expr) => {
            routes.add_service(
                $server::from_arc($service)
                    .accept_compressed(Gzip)
                    .send_compressed(Gzip)
                    .max_decoding_message_size(MESSAGE_BYTES_MAX),
            )
        };
    }
    serve!(QdrantServer, Arc::new(health::Health));
    serve!(HealthServer, Arc::new(health::Health));
    serve!(CollectionsServer, Arc::clone(&face));
    serve!(PointsServer, Arc::clone(&face));
    serve!(SnapshotsServer, face);
    let gate = Arc::new(Gate { node, keys });
    routes.routes().into_axum_router().layer(from_fn_with_state(gate, pass))
}

/// Who may come in at all.
struct Gate {
    node: Node,
    keys: Keys,
}

/// Finds out who asks, before anything of the body is read.
async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let access = match health::PATHS.contains(&request.uri().path()) {
        true => Ok(Access::Collections([].into())),
        false => authenticate(&gate.node, &gate.keys, request.headers()).await,
    };
    let mut response = match access {
        Ok(access) => {
            request.extensions_mut().insert(access);
            next.run(request).await
        }
        Err(why) => status::refused(why).into_http(),
    };
    if let Some(kind) = status::kind(response.headers()) {
        response.extensions_mut().insert(Failed(kind));
    }
    response
}
