//! What stands in the query of a request, and its rules.
//!
//! Follows `qdrant/qdrant:src/actix/api/{collections_api,read_params}.rs` and `src/common/update.rs`.

use super::failure::Failure;
use crate::http::Query;

/// The query of a request. What is not known is passed over.
pub(super) struct Params(Query);

impl Params {
    pub(super) fn parse(raw: Option<&str>) -> Params {
        Params(Query::lenient(raw.unwrap_or_default()))
    }

    /// Of a change of points: whether the answer is to say that it is done. It always is by then.
    pub(super) fn update(&self) -> Result<bool, Failure> {
        self.check_timeout()?;
        if let Some(ordering) = self.one("ordering")? {
            let orderings = ["weak", "medium", "strong"];
            if !orderings.contains(&ordering) {
                let known = "expected one of `weak`, `medium`, `strong`";
                return Err(refuse(&format!("unknown variant `{ordering}`, {known}")));
            }
        }
        Ok(self.flag("wait")?.unwrap_or(false))
    }

    /// Of a reading of points. There is one consistency here, the strongest.
    pub(super) fn read(&self) -> Result<(), Failure> {
        self.check_timeout()?;
        match self.one("consistency")? {
            None | Some("" | "majority" | "quorum" | "all") => Ok(()),
            Some(factor) if factor.parse().is_ok_and(|factor: usize| factor > 0) => Ok(()),
            Some(_) => Err(refuse("failed to deserialize read consistency query parameter value")),
        }
    }

    /// Of a change of collections.
    pub(super) fn meta(&self) -> Result<(), Failure> {
        match self.number("timeout")? {
            Some(0) => Err(Failure::unprocessable(
                "Validation error in query parameters: [timeout: value 0 invalid, must be 1 or larger]",
            )),
            _ => Ok(()),
        }
    }

    /// Of snapshots: whether the answer is to wait for what was asked.
    pub(super) fn wait(&self) -> Result<bool, Failure> {
        Ok(self.flag("wait")?.unwrap_or(true))
    }

    /// A text, whatever it says.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        self.one(name)
    }

    /// A number.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<u64>, Failure> {
        let parse = |text: &str| text.parse().map_err(|error| refuse(&format!("{error}")));
        self.one(name)?.map(parse).transpose()
    }

    fn check_timeout(&self) -> Result<(), Failure> {
        match self.number("timeout")? {
            Some(0) => Err(refuse("invalid value: integer `0`, expected a nonzero u64")),
            _ => Ok(()),
        }
    }

    fn flag(&self, name: &'static str) -> Result<Option<bool>, Failure> {
        match self.one(name)? {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(refuse("provided string was not `true` or `false`")),
        }
    }

    fn one(&self, name: &'static str) -> Result<Option<&str>, Failure> {
        let mut values = self.0.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(refuse(&format!("duplicate field `{name}`"))),
            (value, None) => Ok(value),
        }
    }
}

pub(super) fn refuse(text: &str) -> Failure {
    Failure::bare(format!("Deserialize error in query parameters: {text}"))
}
