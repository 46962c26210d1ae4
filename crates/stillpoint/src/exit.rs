//! How the process ends, and what an error says about it.

use archive::{hashicorp, qdrant, state};

use crate::output;

/// The exit codes; scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// All was done.
    Ok = 0,
    /// It could not be done.
    Failed = 1,
    /// It was asked for in a way that can't be meant. clap ends with the same code.
    Usage = 2,
    /// An archive is damaged.
    Damaged = 4,
    /// There is nothing by that name.
    NotFound = 10,
    /// Not allowed.
    Denied = 12,
    /// A restore before the server's start failed: the code with which genuine Qdrant servers end then.
    NotRecovered = 101,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> std::process::ExitCode {
        std::process::ExitCode::from(code as u8)
    }
}

/// An error that knows its exit code, and perhaps what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    code: ExitCode,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), hint: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(ExitCode::Usage, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

/// What an error means for whoever called us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) code: ExitCode,
    pub(crate) hint: Option<String>,
}

impl Meaning {
    /// Goes through the error and its causes; the outermost one that says something counts.
    pub(crate) fn of(error: &anyhow::Error) -> Meaning {
        error
            .chain()
            .find_map(|cause| {
                None.or_else(|| cause.downcast_ref().map(of_failure))
                    .or_else(|| cause.downcast_ref().map(of_client))
                    .or_else(|| cause.downcast_ref().map(of_state))
                    .or_else(|| cause.downcast_ref().map(of_archive))
                    .or_else(|| cause.downcast_ref().map(of_points))
                    .or_else(|| cause.downcast_ref().map(of_closed))
                    .or_else(|| cause.downcast_ref().and_then(of_io))
            })
            .unwrap_or_else(|| ExitCode::Failed.into())
    }
}

impl From<ExitCode> for Meaning {
    fn from(code: ExitCode) -> Meaning {
        Meaning { code, hint: None }
    }
}

fn of_failure(failure: &Failure) -> Meaning {
    Meaning { code: failure.code, hint: failure.hint.clone() }
}

fn of_client(error: &client::Error) -> Meaning {
    let refusal = match error {
        client::Error::Refused(refusal) => refusal,
        client::Error::Token
        | client::Error::TokenFile { .. }
        | client::Error::Address(_)
        | client::Error::Tls(_)
        | client::Error::Identity
        | client::Error::ServerName(_) => return ExitCode::Usage.into(),
        client::Error::Untrusted { .. } => {
            let hint =
                "--ca-file FILE names the CAs to trust, --tls-server-name NAME what the server is called";
            return Meaning { code: ExitCode::Failed, hint: Some(hint.into()) };
        }
        client::Error::Digest { .. } => return ExitCode::Damaged.into(),
        client::Error::Unreachable { .. }
        | client::Error::Cut { .. }
        | client::Error::Stalled { .. }
        | client::Error::Foreign { .. } => return ExitCode::Failed.into(),
    };
    let code = match refusal.kind {
        client::Kind::Denied => ExitCode::Denied,
        client::Kind::NotFound => ExitCode::NotFound,
        client::Kind::Corrupt => ExitCode::Damaged,
        _ => ExitCode::Failed,
    };
    let hint = match refusal.status {
        401 => {
            let hint = "--token-file FILE, STILLPOINT_TOKEN or the token in --data-dir DIR prove who asks, to a \
                        qdrant:// URL --token-file FILE or QDRANT_API_KEY";
            Some(hint.into())
        }
        _ => None,
    };
    Meaning { code, hint: refusal.hint.clone().or(hint) }
}

fn of_state(error: &state::Error) -> Meaning {
    match error {
        state::Error::Archive(error) => of_archive(error),
        state::Error::Io(_) => ExitCode::Failed.into(),
        state::Error::WrongProduct { found, .. } => Meaning {
            code: ExitCode::Failed,
            hint: Some(format!("the scope for it is `{}`", found.to_string().to_lowercase())),
        },
        state::Error::UnknownKind { .. } => Meaning {
            code: ExitCode::Failed,
            hint: Some("--allow-unknown-records keeps such records as they are".into()),
        },
        _ => ExitCode::Damaged.into(),
    }
}

fn of_archive(error: &hashicorp::Error) -> Meaning {
    match error {
        hashicorp::Error::Io(_) => ExitCode::Failed.into(),
        _ => ExitCode::Damaged.into(),
    }
}

fn of_points(error: &qdrant::Error) -> Meaning {
    match error {
        qdrant::Error::Io(_) | qdrant::Error::Write(_) => ExitCode::Failed.into(),
        error if error.is_unsupported() => ExitCode::Failed.into(),
        _ => ExitCode::Damaged.into(),
    }
}

/// Whoever read our output has seen enough, as `head` does: no failure.
fn of_closed(_: &output::Closed) -> Meaning {
    ExitCode::Ok.into()
}

fn of_io(error: &std::io::Error) -> Option<Meaning> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Some(ExitCode::NotFound.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn the_meaning_survives_added_context() {
        let failure = Failure::usage("both").hint("choose one");
        let error = Err::<(), _>(failure).context("read the arguments").unwrap_err();
        let expected = Meaning { code: ExitCode::Usage, hint: Some("choose one".into()) };
        assert_eq!(Meaning::of(&error), expected);
    }

    #[test]
    fn a_refusal_ends_with_the_code_of_its_kind() {
        let meaning = |kind| {
            let refusal = client::Refusal { status: 500, kind, message: "no".into(), hint: None };
            Meaning::of(&client::Error::Refused(refusal).into()).code
        };
        assert_eq!(meaning(client::Kind::Denied), ExitCode::Denied);
        assert_eq!(meaning(client::Kind::NotFound), ExitCode::NotFound);
        assert_eq!(meaning(client::Kind::Corrupt), ExitCode::Damaged);
        assert_eq!(meaning(client::Kind::Conflict), ExitCode::Failed);
    }
}
