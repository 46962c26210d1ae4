//! What an operator can set, resolved: every value is meant as it stands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::access::AccessSettings;

/// The settings of a node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where everything lies.
    pub data_dir: PathBuf,
    /// The name shown to people and in Consul's and Nomad's answers.
    pub node_name: String,
    /// Our own datacenter.
    pub datacenter: String,
    /// Other datacenters by name: the URL of a Consul API there.
    pub datacenters: BTreeMap<String, String>,
    /// Our own region, as Nomad calls it.
    pub region: String,
    /// Other regions by name: the URL of a Nomad API there.
    pub regions: BTreeMap<String, String>,
    /// The address other nodes and archives know this node by.
    pub address: String,
    /// Who may do what in the Consul scope.
    pub access: AccessSettings,
    /// Whether access to the Nomad scope is controlled. If so, what no rule grants is denied.
    pub nomad_access: bool,
    /// The largest archive taken in, in bytes.
    pub restore_max_bytes: u64,
    /// The largest value of one key, in bytes.
    pub kv_max_value_bytes: usize,
    /// How long a replaced generation is kept for undo.
    pub undo_keep: Duration,
    /// Where stored snapshots of points lie as files; `snapshots` in the data directory if `None`.
    pub snapshots_dir: Option<PathBuf>,
    /// Where archives are received, if that is on the file system of the data directory; otherwise, and if `None`,
    /// at a place of its own there.
    pub temp_dir: Option<PathBuf>,
    /// Writes are refused when the disk has less than this free, so that deletes and saves still work.
    pub disk_reserve_bytes: u64,
}

impl Settings {
    /// The settings of a node that was told nothing but its directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Settings {
        Settings {
            data_dir: data_dir.into(),
            node_name: "stillpoint".to_owned(),
            datacenter: "dc1".to_owned(),
            datacenters: BTreeMap::new(),
            region: "global".to_owned(),
            regions: BTreeMap::new(),
            address: "127.0.0.1:7400".to_owned(),
            access: AccessSettings::default(),
            nomad_access: false,
            restore_max_bytes: 64 << 30,
            // Genuine Consul's `kv_max_value_size`.
            kv_max_value_bytes: 512 << 10,
            undo_keep: Duration::from_secs(24 * 3600),
            snapshots_dir: None,
            temp_dir: None,
            disk_reserve_bytes: 64 << 20,
        }
    }
}
