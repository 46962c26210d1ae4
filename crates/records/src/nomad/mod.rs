//! Nomad's rules.
//!
//! Genuine behaviour, bit by bit: every rule names the file of the genuine server that it follows.

pub mod acl;
