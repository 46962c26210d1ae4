//! `meta.json`: what a snapshot says about itself (`hashicorp/raft:snapshot.go`, `SnapshotMeta`).
//!
//! Written exactly as Go's `encoding/json` does, read as liberally as it reads.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::go_text::json_string;
use crate::msgpack;

/// The suffrage of a server that votes; 1 is a non-voter, 2 one that is becoming a voter.
pub const VOTER: i64 = 0;

/// The description of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The version of this structure: 1, or 0 in old archives.
    pub version: i64,
    /// `<term>-<index>-<unix milliseconds>`.
    pub id: String,
    /// The Raft index that the snapshot stands for.
    pub index: u64,
    /// The Raft term of that index.
    pub term: u64,
    /// The addresses of the voters in the form older servers read, see [`Configuration::legacy_peers`].
    /// Written as `null` when empty.
    pub peers: Vec<u8>,
    /// The servers of the cluster. Ignored by a restore.
    pub configuration: Configuration,
    /// The Raft index at which that configuration was committed.
    pub configuration_index: u64,
    /// The length of `state.bin` in bytes.
    pub size: i64,
}

/// The servers of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// In the order of the Raft configuration. Written as `null` when empty.
    pub servers: Vec<Server>,
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// [`VOTER`] or another role.
    pub suffrage: i64,
    /// The server's UUID, or its address in old clusters.
    pub id: String,
    /// `ip:port` of its Raft transport.
    pub address: String,
}

impl Configuration {
    /// What [`Meta::peers`] holds for this configuration: a msgpack array of the voters' addresses.
    pub fn legacy_peers(&self) -> Vec<u8> {
        let voters: Vec<&Server> = self.servers.iter().filter(|server| server.suffrage == VOTER).collect();
        let mut peers = msgpack::Encoder::new();
        peers.array(voters.len());
        for voter in voters {
            peers.raw(&voter.address);
        }
        peers.into_bytes()
    }
}

impl Meta {
    /// The content of `meta.json`: compact, keys in genuine order, a line feed at the end.
    pub fn to_json(&self) -> String {
        let peers = match self.peers.is_empty() {
            true => "null".into(),
            false => format!("\"{}\"", STANDARD.encode(&self.peers)),
        };
        let servers: Vec<String> = self.configuration.servers.iter().map(server_json).collect();
        let servers = match servers.is_empty() {
            true => "null".into(),
            false => format!("[{}]", servers.join(",")),
        };
        let fields = [
            format!("\"Version\":{}", self.version),
            format!("\"ID\":{}", json_string(&self.id)),
            format!("\"Index\":{}", self.index),
            format!("\"Term\":{}", self.term),
            format!("\"Peers\":{peers}"),
            format!("\"Configuration\":{{\"Servers\":{servers}}}"),
            format!("\"ConfigurationIndex\":{}", self.configuration_index),
            format!("\"Size\":{}", self.size),
        ];
        format!("{{{}}}\n", fields.join(","))
    }

    /// Parses the content of `meta.json`. As in Go, key case does not matter, unknown keys are ignored,
    /// and what is missing or null is zero.
    pub fn from_json(json: &[u8]) -> Result<Meta, serde_json::Error> {
        let mut meta = Meta::default();
        meta.merge_json(json)?;
        Ok(meta)
    }

    /// Parses `json` over `self`: what it doesn't mention stays. An archive may repeat `meta.json`.
    pub(super) fn merge_json(&mut self, json: &[u8]) -> Result<(), serde_json::Error> {
        // Go puts U+FFFD in the place of what is not UTF-8.
        let json = String::from_utf8_lossy(json);
        let mut parser = serde_json::Deserializer::from_str(&json);
        Fields(self).deserialize(&mut parser)?;
        parser.end()
    }
}

fn server_json(server: &Server) -> String {
    let Server { suffrage, id, address } = server;
    format!("{{\"Suffrage\":{suffrage},\"ID\":{},\"Address\":{}}}", json_string(id), json_string(address))
}

/// A Go struct that JSON is parsed over.
trait GoStruct {
    /// Sets the field that `key`, in lower case, names; ignores any other.
    fn set<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

impl GoStruct for Meta {
    fn set<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "version" => assign(&mut self.version, map),
            "id" => assign(&mut self.id, map),
            "index" => assign(&mut self.index, map),
            "term" => assign(&mut self.term, map),
            "peers" => {
                self.peers =
                    map.next_value::<Option<Base64>>()?.map(|Base64(bytes)| bytes).unwrap_or_default();
                Ok(())
            }
            "configuration" => map.next_value_seed(Fields(&mut self.configuration)),
            "configurationindex" => assign(&mut self.configuration_index, map),
            "size" => assign(&mut self.size, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl GoStruct for Configuration {
    fn set<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "servers" => {
                self.servers = map.next_value::<Option<Vec<Server>>>()?.unwrap_or_default();
                Ok(())
            }
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl GoStruct for Server {
    fn set<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "suffrage" => assign(&mut self.suffrage, map),
            "id" => assign(&mut self.id, map),
            "address" => assign(&mut self.address, map),
            _ => map.next_value::<IgnoredAny>().map(drop),
        }
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(parser: D) -> Result<Server, D::Error> {
        let mut server = Server::default();
        Fields(&mut server).deserialize(parser)?;
        Ok(server)
    }
}

/// Null leaves a field as it is.
fn assign<'de, A: MapAccess<'de>, T: Deserialize<'de>>(field: &mut T, map: &mut A) -> Result<(), A::Error> {
    if let Some(value) = map.next_value::<Option<T>>()? {
        *field = value;
    }
    Ok(())
}

struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(parser: D) -> Result<Base64, D::Error> {
        // Go passes over line breaks and does not look at the bits that fill up the last character.
        const LENIENT: GeneralPurpose = GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
        );
        let text = String::deserialize(parser)?.replace(['\r', '\n'], "");
        LENIENT.decode(text).map(Base64).map_err(serde::de::Error::custom)
    }
}

/// Parses an object over the struct it holds.
struct Fields<'a, T>(&'a mut T);

impl<'de, T: GoStruct> DeserializeSeed<'de> for Fields<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de, T: GoStruct> Visitor<'de> for Fields<'_, T> {
    type Value = ();

    fn expecting(&self, text: &mut fmt::Formatter) -> fmt::Result {
        text.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.set(&key.to_ascii_lowercase(), &mut map)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENUINE: &str = concat!(
        r#"{"Version":1,"ID":"2-62-1710350056693","Index":62,"Term":2,"#,
        r#""Peers":"ka4xMjcuMC4wLjE6ODMwMA==","Configuration":{"Servers":[{"Suffrage":0,"#,
        r#""ID":"065c1172-84a8-0bd1-269c-d24b2d0fb903","Address":"127.0.0.1:8300"}]},"#,
        r#""ConfigurationIndex":1,"Size":25469}"#,
        "\n"
    );

    #[test]
    fn a_genuine_description_is_reproduced_to_the_byte() {
        let meta = Meta::from_json(GENUINE.as_bytes()).unwrap();
        assert_eq!(meta.to_json(), GENUINE);
        assert_eq!(meta.configuration.legacy_peers(), meta.peers);
        assert_eq!((meta.index, meta.term, meta.size), (62, 2, 25469));
    }

    #[test]
    fn an_empty_description_has_nulls_where_go_has() {
        let expected = r#"{"Version":0,"ID":"","Index":0,"Term":0,"Peers":null,"Configuration":{"Servers":null},"ConfigurationIndex":0,"Size":0}"#;
        assert_eq!(Meta::default().to_json(), format!("{expected}\n"));
    }

    #[test]
    fn case_unknown_keys_nulls_and_gaps_do_not_matter() {
        let json = br#" {"INDEX":7,"size":1,"size":null,"Peers":null,"new":{"a":[1]},"iD":"x","Size":2,
            "Configuration":{"servers":[null,{"id":"n"}],"x":1}, "Term":null} "#;
        let meta = Meta::from_json(json).unwrap();
        assert_eq!((meta.index, meta.size, meta.id.as_str(), meta.term), (7, 2, "x", 0));
        assert_eq!(meta.configuration.servers.len(), 2);
        assert_eq!(meta.configuration.servers[1].id, "n");
        assert_eq!(Meta::from_json(b"null").unwrap(), Meta::default());
    }

    #[test]
    fn wrong_types_and_trailing_text_are_refused() {
        for json in ["", "[]", "1", "{", "{\"Index\":-1}", "{\"Index\":1.5}", "{\"Size\":\"1\"}", "{} x"] {
            assert!(Meta::from_json(json.as_bytes()).is_err(), "{json}");
        }
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        assert!(Meta::from_json(deep.as_bytes()).is_err());
    }
}
