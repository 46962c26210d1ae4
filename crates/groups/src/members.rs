//! Who belongs to a group, and the bytes in which a state machine stores that.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::types::{NodeId, Position};

/// A node as a group knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The node's number.
    pub id: NodeId,
    /// Where its transport listens; read only by the [`Network`](crate::Network).
    pub address: String,
    /// Its name or uuid, for people and logs.
    pub name: String,
}

/// Who votes and who only listens, as of the log entry that said so.
///
/// Stored by the state machine beside its data; for it these are opaque bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Members {
    position: Option<Position>,
    /// One set of voters; two while the group moves from one to the other, and then both must agree.
    voters: Vec<BTreeSet<NodeId>>,
    /// Everyone, sorted by id.
    everyone: Vec<Member>,
}

/// The serialised form of [`Members`], not yet checked.
#[derive(Serialize, Deserialize)]
struct Stored {
    position: Option<Position>,
    voters: Vec<BTreeSet<NodeId>>,
    everyone: Vec<Member>,
}

/// The version in front of the bytes.
const VERSION: u8 = 1;

impl Members {
    /// Checks and builds a membership: no empty set of voters, every voter known, no id twice.
    pub(crate) fn new(
        position: Option<Position>,
        voters: Vec<BTreeSet<NodeId>>,
        mut everyone: Vec<Member>,
    ) -> Result<Self, Error> {
        everyone.sort_by_key(|member| member.id);
        if everyone.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(Error::Duplicate);
        }
        if voters.iter().any(BTreeSet::is_empty) {
            return Err(Error::NoVoters);
        }
        let members = Self { position, voters, everyone };
        match members.voters.iter().flatten().find(|id| members.get(**id).is_none()) {
            Some(stranger) => Err(Error::UnknownVoter(*stranger)),
            None => Ok(members),
        }
    }

    /// The entry that set this membership; `None` before the group is initialised.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The members that vote, by id.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.everyone.iter().filter(|member| self.is_voter(member.id))
    }

    /// The members that receive the log but do not vote, by id.
    pub fn learners(&self) -> impl Iterator<Item = &Member> {
        self.everyone.iter().filter(|member| !self.is_voter(member.id))
    }

    /// The member with this id, voter or learner.
    pub fn get(&self, id: NodeId) -> Option<&Member> {
        let found = self.everyone.binary_search_by_key(&id, |member| member.id).ok()?;
        self.everyone.get(found)
    }

    /// Whether this node votes, in either of the sets while the group moves between two.
    pub fn is_voter(&self, id: NodeId) -> bool {
        self.voters.iter().any(|set| set.contains(&id))
    }

    /// Whether the group has any members: false on a node that was never told of one.
    pub fn is_empty(&self) -> bool {
        self.everyone.is_empty()
    }

    /// The bytes to store. They carry a version.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        rmp_serde::encode::write_named(&mut bytes, self)
            .expect("a membership is plain data and a Vec takes all");
        bytes
    }

    /// Reads the bytes of [`to_bytes`](Self::to_bytes), refusing what they could not have held.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.split_first() {
            None => Err(Error::Malformed("no bytes".into())),
            Some((&VERSION, rest)) => {
                rmp_serde::from_slice(rest).map_err(|error| Error::Malformed(error.to_string()))
            }
            Some((&found, _)) => Err(Error::Newer { found, known: VERSION }),
        }
    }

    /// The sets of voters: one, or two while moving from the first to the second.
    pub(crate) fn voter_sets(&self) -> &[BTreeSet<NodeId>] {
        &self.voters
    }

    /// Voters and learners, by id.
    pub fn everyone(&self) -> &[Member] {
        &self.everyone
    }
}

impl TryFrom<Stored> for Members {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self, Error> {
        Self::new(stored.position, stored.voters, stored.everyone)
    }
}

impl From<Members> for Stored {
    fn from(members: Members) -> Self {
        Self { position: members.position, voters: members.voters, everyone: members.everyone }
    }
}

/// Bytes that are no membership.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes do not decode.
    #[error("malformed membership: {0}")]
    Malformed(String),
    /// A later release wrote them.
    #[error("membership format {found} is newer than the {known} that this release knows")]
    Newer {
        /// The version found.
        found: u8,
        /// The newest version we read.
        known: u8,
    },
    /// A set of voters is empty, so nothing could ever be agreed on.
    #[error("a membership without voters")]
    NoVoters,
    /// Two members have one id.
    #[error("two members with the same id")]
    Duplicate,
    /// A voter that is not among the members.
    #[error("voter {0} is not among the members")]
    UnknownVoter(NodeId),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64) -> Member {
        Member { id: NodeId(id), address: format!("10.0.0.{id}:7400"), name: format!("node-{id}") }
    }

    fn ids(members: impl IntoIterator<Item = u64>) -> BTreeSet<NodeId> {
        members.into_iter().map(NodeId).collect()
    }

    #[test]
    fn a_membership_survives_its_bytes() {
        let position = Some(Position { term: 3, index: 9 });
        let members = Members::new(
            position,
            vec![ids([1, 2]), ids([2, 3])],
            vec![member(3), member(1), member(2), member(7)],
        )
        .unwrap();

        let read = Members::from_bytes(&members.to_bytes()).unwrap();

        assert_eq!(read, members);
        assert_eq!(read.voters().map(|m| m.id.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(read.learners().map(|m| m.id.0).collect::<Vec<_>>(), [7]);
    }

    #[test]
    fn impossible_memberships_are_refused() {
        let check = |voters, everyone, expected| {
            let stored = Stored { position: None, voters, everyone };
            let mut bytes = vec![VERSION];
            rmp_serde::encode::write_named(&mut bytes, &stored).unwrap();
            let error = Members::from_bytes(&bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(vec![ids([])], vec![member(1)], "without voters");
        check(vec![ids([2])], vec![member(1)], "voter 2 is not among");
        check(vec![ids([1])], vec![member(1), member(1)], "same id");
    }

    #[test]
    fn every_truncation_of_a_membership_is_refused() {
        let bytes = Members::new(None, vec![ids([1])], vec![member(1)]).unwrap().to_bytes();
        for end in 0..bytes.len() {
            assert!(Members::from_bytes(&bytes[..end]).is_err(), "{end} bytes were accepted");
        }
    }

    #[test]
    fn a_newer_membership_format_is_refused_by_number() {
        let error = Members::from_bytes(&[9, 0, 0]).unwrap_err();
        assert_eq!(error, Error::Newer { found: 9, known: 1 });
    }
}
