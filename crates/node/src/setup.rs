//! What a scope begins with, added wherever it is missing: at the start, by a new leader, by a restore.

use records::consul::acl;
use records::{Op, Reply, Scope, View, consul, nomad};

use crate::error::{Error, Kind, Result};
use crate::node::Node;

impl Node {
    /// Makes sure that everything is there that a scope begins with: in Consul's, if access is controlled, built-in
    /// policies, the anonymous token and the operator's management token; in Nomad's a root key, the cluster's id
    /// and the default namespace. Fails unless this node leads.
    ///
    /// Each start and each new leader does this, and so does each restore and undo, in the log entry that
    /// commits it: what an archive lacks of these comes on top of it. The genuine servers do the same in
    /// several steps after a restore (`hashicorp/consul:agent/consul/leader.go`, `hashicorp/nomad:nomad/leader.go`).
    pub async fn initialize(&self) -> Result<()> {
        self.confirm_leader().await?;
        let _only = self.hold_beginnings().await;
        for scope in Scope::ALL {
            let Some(initialize) = self.to_add(&self.records().view(scope)?)? else { continue };
            let refused = match self.propose(initialize).await?.1 {
                Reply::Consul(consul::Reply::Acl(acl::Reply::Failed(why))) => why,
                Reply::Nomad(nomad::Reply::Refused(why)) => why.to_string(),
                _ => continue,
            };
            return Err(Error::new(Kind::Conflict, format!("initialize scope {scope}: {refused}")));
        }
        Ok(())
    }

    /// The change that adds what a generation lacks of what its scope begins with, if it lacks anything.
    pub(crate) fn to_add(&self, view: &View) -> Result<Option<Op>> {
        match view.scope() {
            Scope::Consul => self.access_to_add(view),
            Scope::Nomad => self.keyring_to_add(view),
        }
    }
}
