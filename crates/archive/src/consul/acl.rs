//! The records of Consul's access control, field by field. What is decoded from a community archive and encoded
//! again is the same bytes (`hashicorp/consul:agent/structs/acl.go`).

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};

use super::entries::{decode_list, decode_map, decode_text, encode_list, encode_text};
use crate::msgpack::{Cursor, Encoder, Error, Time};

/// A token: what its secret lets its bearer do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclToken {
    /// A UUID by which people speak of the token.
    pub accessor_id: String,
    /// What the bearer shows, in clear. A UUID, but for `anonymous` and tokens from configuration.
    pub secret_id: String,
    /// What people say about it.
    pub description: String,
    /// The policies it is linked to.
    pub policies: Option<Vec<Link>>,
    /// The roles it is linked to.
    pub roles: Option<Vec<Link>>,
    /// Services it may act as.
    pub service_identities: Option<Vec<ServiceIdentity>>,
    /// Nodes it may act as.
    pub node_identities: Option<Vec<NodeIdentity>>,
    /// Policies made from templates.
    pub templated_policies: Option<Vec<TemplatedPolicy>>,
    /// Whether it is valid in its own datacenter alone.
    pub local: bool,
    /// The auth method that created it, or empty.
    pub auth_method: String,
    /// When it ends to be valid.
    pub expiration_time: Option<Time>,
    /// How long it was asked to live, in nanoseconds. Genuine servers turn it into a time and store 0.
    pub expiration_ttl_ns: i64,
    /// When it was created.
    pub create_time: Time,
    /// [`AclToken::content_hash`] at the time of writing; 32 bytes.
    pub hash: Option<Vec<u8>>,
    /// The index at which it was created.
    pub create_index: u64,
    /// The index at which it was last changed.
    pub modify_index: u64,
    /// Of Consul Enterprise; not encoded.
    pub namespace: String,
    /// Of Consul Enterprise; not encoded.
    pub partition: String,
}

/// Names a policy or a role. The id decides; the name is what it was called when the link was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// A UUID.
    pub id: String,
    /// May be empty or out of date.
    pub name: String,
}

/// The rights that a service needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceIdentity {
    /// The service.
    pub service_name: String,
    /// Where the rights hold; everywhere if there are none.
    pub datacenters: Option<Vec<String>>,
}

/// The rights that a node needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The node.
    pub node_name: String,
    /// Where the rights hold.
    pub datacenter: String,
}

/// A policy made from one of the server's templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplatedPolicy {
    /// The template's UUID.
    pub template_id: String,
    /// The template, such as `builtin/service`.
    pub template_name: String,
    /// What is put into it.
    pub variables: Option<TemplateVariables>,
    /// Where the rights hold; everywhere if there are none.
    pub datacenters: Option<Vec<String>>,
}

/// What is put into a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateVariables {
    /// The service or node that the rights are for.
    pub name: String,
}

/// Rules under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclPolicy {
    /// A UUID.
    pub id: String,
    /// No two policies share one.
    pub name: String,
    /// What people say about it.
    pub description: String,
    /// The rules, in HCL or JSON.
    pub rules: String,
    /// Where the rules hold; everywhere if there are none.
    pub datacenters: Option<Vec<String>>,
    /// [`AclPolicy::content_hash`] at the time of writing; 32 bytes.
    pub hash: Option<Vec<u8>>,
    /// The index at which it was created.
    pub create_index: u64,
    /// The index at which it was last changed.
    pub modify_index: u64,
    /// Of Consul Enterprise; not encoded.
    pub namespace: String,
    /// Of Consul Enterprise; not encoded.
    pub partition: String,
}

/// Policies and identities under a name, for tokens to link to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclRole {
    /// A UUID.
    pub id: String,
    /// No two roles share one.
    pub name: String,
    /// What people say about it.
    pub description: String,
    /// The policies it is linked to.
    pub policies: Option<Vec<Link>>,
    /// Services its tokens may act as.
    pub service_identities: Option<Vec<ServiceIdentity>>,
    /// Nodes its tokens may act as.
    pub node_identities: Option<Vec<NodeIdentity>>,
    /// Policies made from templates.
    pub templated_policies: Option<Vec<TemplatedPolicy>>,
    /// [`AclRole::content_hash`] at the time of writing; 32 bytes.
    pub hash: Option<Vec<u8>>,
    /// The index at which it was created.
    pub create_index: u64,
    /// The index at which it was last changed.
    pub modify_index: u64,
    /// Of Consul Enterprise; not encoded.
    pub namespace: String,
    /// Of Consul Enterprise; not encoded.
    pub partition: String,
}

impl Default for AclToken {
    fn default() -> AclToken {
        AclToken {
            accessor_id: String::new(),
            secret_id: String::new(),
            description: String::new(),
            policies: None,
            roles: None,
            service_identities: None,
            node_identities: None,
            templated_policies: None,
            local: false,
            auth_method: String::new(),
            expiration_time: None,
            expiration_ttl_ns: 0,
            create_time: Time::ZERO,
            hash: None,
            create_index: 0,
            modify_index: 0,
            namespace: String::new(),
            partition: String::new(),
        }
    }
}

impl AclToken {
    /// Decodes the value of an `ACLToken` record.
    pub fn decode(bytes: &[u8]) -> Result<AclToken, Error> {
        let mut token = AclToken::default();
        decode_map(bytes, |key, value| {
            match key {
                b"AccessorID" => token.accessor_id = value.text()?.into(),
                b"AuthMethod" => token.auth_method = value.text()?.into(),
                b"CreateIndex" => token.create_index = value.uint()?,
                b"CreateTime" => token.create_time = value.time()?.unwrap_or(Time::ZERO),
                b"Description" => token.description = value.text()?.into(),
                b"ExpirationTTL" => token.expiration_ttl_ns = value.int()?,
                b"ExpirationTime" => token.expiration_time = value.time()?,
                b"Hash" => token.hash = decode_hash(value)?,
                b"Local" => token.local = value.bool()?,
                b"ModifyIndex" => token.modify_index = value.uint()?,
                b"Namespace" => token.namespace = value.text()?.into(),
                b"NodeIdentities" => token.node_identities = decode_list(value, NodeIdentity::decode)?,
                b"Partition" => token.partition = value.text()?.into(),
                b"Policies" => token.policies = decode_list(value, Link::decode)?,
                b"Roles" => token.roles = decode_list(value, Link::decode)?,
                b"SecretID" => token.secret_id = value.text()?.into(),
                b"ServiceIdentities" => {
                    token.service_identities = decode_list(value, ServiceIdentity::decode)?;
                }
                b"TemplatedPolicies" => {
                    token.templated_policies = decode_list(value, TemplatedPolicy::decode)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(token)
    }

    /// Encodes the value of an `ACLToken` record of the community edition.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.map(16);
        out.raw("AccessorID").raw(&self.accessor_id);
        out.raw("AuthMethod").raw(&self.auth_method);
        out.raw("CreateIndex").uint(self.create_index);
        out.raw("CreateTime").time(self.create_time);
        out.raw("Description").raw(&self.description);
        out.raw("ExpirationTTL").int(self.expiration_ttl_ns);
        out.raw("ExpirationTime");
        match self.expiration_time {
            Some(time) => out.time(time),
            None => out.nil(),
        };
        out.raw("Hash").raw_or_nil(self.hash.as_ref());
        out.raw("Local").bool(self.local);
        out.raw("ModifyIndex").uint(self.modify_index);
        out.raw("NodeIdentities");
        encode_list(&mut out, self.node_identities.as_deref(), NodeIdentity::encode);
        out.raw("Policies");
        encode_list(&mut out, self.policies.as_deref(), Link::encode);
        out.raw("Roles");
        encode_list(&mut out, self.roles.as_deref(), Link::encode);
        out.raw("SecretID").raw(&self.secret_id);
        out.raw("ServiceIdentities");
        encode_list(&mut out, self.service_identities.as_deref(), ServiceIdentity::encode);
        out.raw("TemplatedPolicies");
        encode_list(&mut out, self.templated_policies.as_deref(), TemplatedPolicy::encode);
        out.into_bytes()
    }

    /// BLAKE2b-256 of what a change can change. Servers compare it to see whether a token differs elsewhere.
    pub fn content_hash(&self) -> Vec<u8> {
        let mut hash = Hash::new();
        hash.text(&self.description);
        hash.text(if self.local { "local" } else { "global" });
        hash.links(&self.policies);
        hash.links(&self.roles);
        hash.identities(&self.service_identities, &self.node_identities, &self.templated_policies);
        hash.finish(&self.namespace, &self.partition)
    }
}

impl AclPolicy {
    /// Decodes the value of an `ACLPolicy` record.
    pub fn decode(bytes: &[u8]) -> Result<AclPolicy, Error> {
        let mut policy = AclPolicy::default();
        decode_map(bytes, |key, value| {
            match key {
                b"CreateIndex" => policy.create_index = value.uint()?,
                b"Datacenters" => policy.datacenters = decode_list(value, decode_text)?,
                b"Description" => policy.description = value.text()?.into(),
                b"Hash" => policy.hash = decode_hash(value)?,
                b"ID" => policy.id = value.text()?.into(),
                b"ModifyIndex" => policy.modify_index = value.uint()?,
                b"Name" => policy.name = value.text()?.into(),
                b"Namespace" => policy.namespace = value.text()?.into(),
                b"Partition" => policy.partition = value.text()?.into(),
                b"Rules" => policy.rules = value.text()?.into(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(policy)
    }

    /// Encodes the value of an `ACLPolicy` record of the community edition.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.map(8);
        out.raw("CreateIndex").uint(self.create_index);
        out.raw("Datacenters");
        encode_list(&mut out, self.datacenters.as_deref(), encode_text);
        out.raw("Description").raw(&self.description);
        out.raw("Hash").raw_or_nil(self.hash.as_ref());
        out.raw("ID").raw(&self.id);
        out.raw("ModifyIndex").uint(self.modify_index);
        out.raw("Name").raw(&self.name);
        out.raw("Rules").raw(&self.rules);
        out.into_bytes()
    }

    /// BLAKE2b-256 of what a change can change, as [`AclToken::content_hash`].
    pub fn content_hash(&self) -> Vec<u8> {
        let mut hash = Hash::new();
        hash.text(&self.name);
        hash.text(&self.description);
        hash.text(&self.rules);
        hash.texts(&self.datacenters);
        hash.finish(&self.namespace, &self.partition)
    }
}

impl AclRole {
    /// Decodes the value of an `ACLRole` record.
    pub fn decode(bytes: &[u8]) -> Result<AclRole, Error> {
        let mut role = AclRole::default();
        decode_map(bytes, |key, value| {
            match key {
                b"CreateIndex" => role.create_index = value.uint()?,
                b"Description" => role.description = value.text()?.into(),
                b"Hash" => role.hash = decode_hash(value)?,
                b"ID" => role.id = value.text()?.into(),
                b"ModifyIndex" => role.modify_index = value.uint()?,
                b"Name" => role.name = value.text()?.into(),
                b"Namespace" => role.namespace = value.text()?.into(),
                b"NodeIdentities" => role.node_identities = decode_list(value, NodeIdentity::decode)?,
                b"Partition" => role.partition = value.text()?.into(),
                b"Policies" => role.policies = decode_list(value, Link::decode)?,
                b"ServiceIdentities" => {
                    role.service_identities = decode_list(value, ServiceIdentity::decode)?;
                }
                b"TemplatedPolicies" => {
                    role.templated_policies = decode_list(value, TemplatedPolicy::decode)?;
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(role)
    }

    /// Encodes the value of an `ACLRole` record of the community edition.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new();
        out.map(10);
        out.raw("CreateIndex").uint(self.create_index);
        out.raw("Description").raw(&self.description);
        out.raw("Hash").raw_or_nil(self.hash.as_ref());
        out.raw("ID").raw(&self.id);
        out.raw("ModifyIndex").uint(self.modify_index);
        out.raw("Name").raw(&self.name);
        out.raw("NodeIdentities");
        encode_list(&mut out, self.node_identities.as_deref(), NodeIdentity::encode);
        out.raw("Policies");
        encode_list(&mut out, self.policies.as_deref(), Link::encode);
        out.raw("ServiceIdentities");
        encode_list(&mut out, self.service_identities.as_deref(), ServiceIdentity::encode);
        out.raw("TemplatedPolicies");
        encode_list(&mut out, self.templated_policies.as_deref(), TemplatedPolicy::encode);
        out.into_bytes()
    }

    /// BLAKE2b-256 of what a change can change, as [`AclToken::content_hash`].
    pub fn content_hash(&self) -> Vec<u8> {
        let mut hash = Hash::new();
        hash.text(&self.name);
        hash.text(&self.description);
        hash.links(&self.policies);
        hash.identities(&self.service_identities, &self.node_identities, &self.templated_policies);
        hash.finish(&self.namespace, &self.partition)
    }
}

impl Link {
    fn decode(cursor: &mut Cursor) -> Result<Link, Error> {
        let mut link = Link::default();
        cursor.fields(|key, value| {
            match key {
                b"ID" => link.id = value.text()?.into(),
                b"Name" => link.name = value.text()?.into(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(link)
    }

    fn encode(&self, out: &mut Encoder) {
        out.map(2).raw("ID").raw(&self.id).raw("Name").raw(&self.name);
    }
}

impl ServiceIdentity {
    fn decode(cursor: &mut Cursor) -> Result<ServiceIdentity, Error> {
        let mut identity = ServiceIdentity::default();
        cursor.fields(|key, value| {
            match key {
                b"Datacenters" => identity.datacenters = decode_list(value, decode_text)?,
                b"ServiceName" => identity.service_name = value.text()?.into(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(identity)
    }

    fn encode(&self, out: &mut Encoder) {
        out.map(2).raw("Datacenters");
        encode_list(out, self.datacenters.as_deref(), encode_text);
        out.raw("ServiceName").raw(&self.service_name);
    }
}

impl NodeIdentity {
    fn decode(cursor: &mut Cursor) -> Result<NodeIdentity, Error> {
        let mut identity = NodeIdentity::default();
        cursor.fields(|key, value| {
            match key {
                b"Datacenter" => identity.datacenter = value.text()?.into(),
                b"NodeName" => identity.node_name = value.text()?.into(),
                _ => {}
            }
            Ok(())
        })?;
        Ok(identity)
    }

    fn encode(&self, out: &mut Encoder) {
        out.map(2).raw("Datacenter").raw(&self.datacenter).raw("NodeName").raw(&self.node_name);
    }
}

impl TemplatedPolicy {
    fn decode(cursor: &mut Cursor) -> Result<TemplatedPolicy, Error> {
        let mut policy = TemplatedPolicy::default();
        cursor.fields(|key, value| {
            match key {
                b"Datacenters" => policy.datacenters = decode_list(value, decode_text)?,
                b"TemplateID" => policy.template_id = value.text()?.into(),
                b"TemplateName" => policy.template_name = value.text()?.into(),
                b"TemplateVariables" => policy.variables = TemplateVariables::decode(value)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(policy)
    }

    fn encode(&self, out: &mut Encoder) {
        out.map(4).raw("Datacenters");
        encode_list(out, self.datacenters.as_deref(), encode_text);
        out.raw("TemplateID").raw(&self.template_id);
        out.raw("TemplateName").raw(&self.template_name);
        out.raw("TemplateVariables");
        match &self.variables {
            Some(variables) => out.map(1).raw("Name").raw(&variables.name),
            None => out.nil(),
        };
    }
}

impl TemplateVariables {
    fn decode(cursor: &mut Cursor) -> Result<Option<TemplateVariables>, Error> {
        let mut variables = TemplateVariables::default();
        let is_map = cursor.fields(|key, value| {
            if key == b"Name" {
                variables.name = value.text()?.into();
            }
            Ok(())
        })?;
        Ok(is_map.then_some(variables))
    }
}

fn decode_hash(cursor: &mut Cursor) -> Result<Option<Vec<u8>>, Error> {
    match cursor.take_nil()? {
        true => Ok(None),
        false => Ok(Some(cursor.raw()?.to_vec())),
    }
}

/// The genuine hash runs over the bare texts, one after the other, without anything between them.
struct Hash(Blake2b<U32>);

impl Hash {
    fn new() -> Hash {
        Hash(Blake2b::new())
    }

    fn text(&mut self, text: &str) {
        self.0.update(text);
    }

    fn texts(&mut self, texts: &Option<Vec<String>>) {
        texts.iter().flatten().for_each(|text| self.text(text));
    }

    /// Names are left out: they change without the link changing.
    fn links(&mut self, links: &Option<Vec<Link>>) {
        links.iter().flatten().for_each(|link| self.text(&link.id));
    }

    fn identities(
        &mut self,
        services: &Option<Vec<ServiceIdentity>>,
        nodes: &Option<Vec<NodeIdentity>>,
        templated: &Option<Vec<TemplatedPolicy>>,
    ) {
        for service in services.iter().flatten() {
            self.text(&service.service_name);
            self.texts(&service.datacenters);
        }
        for node in nodes.iter().flatten() {
            self.text(&node.node_name);
            self.text(&node.datacenter);
        }
        for policy in templated.iter().flatten() {
            self.text(&policy.template_id);
            self.text(&policy.template_name);
            policy.variables.iter().for_each(|variables| self.text(&variables.name));
            self.texts(&policy.datacenters);
        }
    }

    /// Enterprise adds where the record belongs; in the community edition both are empty.
    fn finish(mut self, namespace: &str, partition: &str) -> Vec<u8> {
        self.text(namespace);
        self.text(partition);
        self.0.finalize().to_vec()
    }
}
