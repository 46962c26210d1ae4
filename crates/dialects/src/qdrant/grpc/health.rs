//! `qdrant.Qdrant` and `grpc.health.v1.Health`: whether anybody is there. Nobody needs a key to ask.

use qdrant_client::qdrant::qdrant_server::Qdrant;
use qdrant_client::qdrant::{HealthCheckReply, HealthCheckRequest};
use tonic::{Request, Response, Status};
use tonic_health::pb;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server;
use tonic_health::server::WatchStream;

use super::face::Reply;
use crate::qdrant::{TITLE, VERSION};

/// The paths of the two questions.
pub(super) const PATHS: [&str; 2] = ["/qdrant.Qdrant/HealthCheck", "/grpc.health.v1.Health/Check"];

/// Answers as long as the process runs.
pub(super) struct Health;

#[tonic::async_trait]
impl Qdrant for Health {
    async fn health_check(&self, _request: Request<HealthCheckRequest>) -> Reply<HealthCheckReply> {
        let (title, version) = (TITLE.to_owned(), VERSION.to_owned());
        Ok(Response::new(HealthCheckReply { title, version, commit: None }))
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    /// `SERVING`, whichever service is meant, as with the genuine server.
    async fn check(&self, _request: Request<pb::HealthCheckRequest>) -> Reply<pb::HealthCheckResponse> {
        Ok(Response::new(pb::HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    type WatchStream = WatchStream;

    async fn watch(&self, _request: Request<pb::HealthCheckRequest>) -> Reply<WatchStream> {
        Err(Status::unimplemented("Health is not watched: ask again with Check"))
    }
}
