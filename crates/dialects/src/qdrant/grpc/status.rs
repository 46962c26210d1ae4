//! Failures as gRPC knows them: a code, and the sentence that REST has for the same
//! (`qdrant/qdrant:lib/storage/src/content_manager/errors.rs`, `lib/api/src/grpc/conversions.rs`).

use axum::http::HeaderMap;
use node::{Error, Kind, points};
use tonic::{Code, Status};

use crate::qdrant::access::Refused;
use crate::qdrant::failure;
use crate::qdrant::unserved::Unserved;

/// The answer to a request that failed.
pub(super) fn failed(error: &Error) -> Status {
    match error.cause::<points::Error>().map(|cause| cause.kind) {
        Some(points::Kind::Unprocessable) => {
            Status::invalid_argument(format!("Validation error in body: {}", error.message()))
        }
        Some(points::Kind::Full) => {
            Status::resource_exhausted(format!("Insufficient storage: {}", error.message()))
        }
        _ => Status::new(code(error.kind()), failure::sentence(error)),
    }
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::Invalid | Kind::TooLarge => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::Conflict => Code::AlreadyExists,
        Kind::Denied => Code::PermissionDenied,
        Kind::NotLeader | Kind::Unavailable => Code::Unavailable,
        Kind::Unsupported => Code::Unimplemented,
        Kind::Corrupt | Kind::Internal => Code::Internal,
    }
}

/// The answer to a request that may do nothing at all.
pub(super) fn refused(why: Refused) -> Status {
    match why {
        Refused::Unauthorized(text) => Status::unauthenticated(text),
        Refused::Forbidden(text) => Status::permission_denied(text),
        Refused::Failed(error) => failed(&error),
    }
}

/// The answer to what we don't do.
pub(super) fn unserved(what: Unserved) -> Status {
    Status::unimplemented(what.sentence())
}

/// The kind of failure that an answer's head tells of, for the log: gRPC says 200 to all.
pub(super) fn kind(headers: &HeaderMap) -> Option<Kind> {
    let code = headers.get("grpc-status")?;
    Some(match Code::from_bytes(code.as_bytes()) {
        Code::Ok => return None,
        Code::InvalidArgument | Code::OutOfRange | Code::FailedPrecondition => Kind::Invalid,
        Code::NotFound => Kind::NotFound,
        Code::AlreadyExists | Code::Aborted => Kind::Conflict,
        Code::PermissionDenied | Code::Unauthenticated => Kind::Denied,
        Code::ResourceExhausted => Kind::TooLarge,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Kind::Unavailable,
        Code::Unimplemented => Kind::Unsupported,
        Code::Internal | Code::Unknown | Code::DataLoss => Kind::Internal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_sentences_are_those_of_the_kinds() {
        let plain = |kind| failed(&Error::new(kind, "text"));
        for (kind, code, text) in [
            (Kind::Invalid, Code::InvalidArgument, "Wrong input: text"),
            (Kind::NotFound, Code::NotFound, "Not found: text"),
            (Kind::Conflict, Code::AlreadyExists, "Wrong input: text"),
            (Kind::Denied, Code::PermissionDenied, "Forbidden: text"),
            (Kind::NotLeader, Code::Unavailable, "Shard temporarily unavailable: text"),
            (Kind::Unsupported, Code::Unimplemented, "text"),
            (Kind::Internal, Code::Internal, "Service internal error: text"),
        ] {
            let status = plain(kind);
            assert_eq!((status.code(), status.message()), (code, text), "{kind:?}");
            assert!(super::kind(status.into_http::<()>().headers()).is_some(), "{kind:?}");
        }
        let of = |kind| failed(&points::Error::new(kind, "[a: b]").into());
        let status = of(points::Kind::Unprocessable);
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, "Validation error in body: [a: b]")
        );
        assert_eq!(of(points::Kind::Full).code(), Code::ResourceExhausted);
    }
}
