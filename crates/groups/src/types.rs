//! The nouns of replication: positions in the log, members of a group, entries.
//!
//! Own types throughout, so that neither stored bytes nor callers depend on the Raft library.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A place in a group's log. Ordered by term, then index; indexes start at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The term of the leader that wrote the entry.
    pub term: u64,
    /// The entry's number in the log.
    pub index: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.term, self.index)
    }
}

/// The number by which a group knows a node. Unique for ever: a node that lost its log needs a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for NodeId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

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

/// The version in front of the bytes of [`Members::to_bytes`].
const MEMBERS_VERSION: u8 = 1;

impl Members {
    /// Checks and builds a membership: no empty set of voters, every voter known, no id twice.
    pub(crate) fn new(
        position: Option<Position>,
        voters: Vec<BTreeSet<NodeId>>,
        mut everyone: Vec<Member>,
    ) -> Result<Self, MembersError> {
        everyone.sort_by_key(|member| member.id);
        if everyone.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(MembersError::Duplicate);
        }
        if voters.iter().any(BTreeSet::is_empty) {
            return Err(MembersError::NoVoters);
        }
        let members = Self { position, voters, everyone };
        match members.voters.iter().flatten().find(|id| members.get(**id).is_none()) {
            Some(stranger) => Err(MembersError::UnknownVoter(*stranger)),
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
        let mut bytes = vec![MEMBERS_VERSION];
        rmp_serde::encode::write_named(&mut bytes, self)
            .expect("a membership is plain data and a Vec takes all");
        bytes
    }

    /// Reads the bytes of [`to_bytes`](Self::to_bytes), refusing what they could not have held.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MembersError> {
        match bytes.split_first() {
            None => Err(MembersError::Malformed("no bytes".into())),
            Some((&MEMBERS_VERSION, rest)) => {
                rmp_serde::from_slice(rest).map_err(|error| MembersError::Malformed(error.to_string()))
            }
            Some((&found, _)) => Err(MembersError::Newer { found, known: MEMBERS_VERSION }),
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
    type Error = MembersError;

    fn try_from(stored: Stored) -> Result<Self, MembersError> {
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
pub enum MembersError {
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

/// How far a state machine has come: the last entry it applied and the membership as of then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The last entry applied, of whatever kind; `None` on a machine that saw none.
    pub position: Option<Position>,
    /// The last membership among the entries applied.
    pub members: Members,
}

/// What an entry carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// A change of membership.
    Members(Members),
    /// A command of the state machine.
    Command(Bytes),
}

/// One entry of the log, committed by the time a state machine sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place.
    pub position: Position,
    /// What it carries.
    pub payload: Payload,
}

/// Who a node stands behind in a term: its vote, or the leader it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) term: u64,
    pub(crate) node: NodeId,
    /// Whether a quorum granted it: the node leads that term.
    pub(crate) granted: bool,
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
            let mut bytes = vec![MEMBERS_VERSION];
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
        assert_eq!(error, MembersError::Newer { found: 9, known: 1 });
    }
}
