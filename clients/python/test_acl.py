"""Access control and TLS by py-consul, on a server that takes neither strangers nor clients without a certificate."""

import consul
import pytest
import requests


@pytest.fixture(scope="session")
def manager(guarded):
    """A client that may do everything."""
    with guarded() as stranger:
        secret = stranger.acl.bootstrap()["SecretID"]
    with guarded(token=secret) as manager:
        yield manager


@pytest.fixture
def reader(manager, guarded):
    """A client that may read what is below shown/."""
    rules = {"key_prefix": {"shown/": {"policy": "read"}}, "acl": "read"}
    policy = manager.acl.policy.create("python-reader", rules=rules)
    token = manager.acl.token.create(policies_name=["python-reader"], description="python")
    with guarded(token=token["SecretID"]) as reader:
        yield reader
    manager.acl.token.delete(token["AccessorID"])
    manager.acl.policy.delete(policy["ID"])


def test_a_cluster_is_bootstrapped_once(manager, guarded):
    assert manager.acl.token.read_self()["Policies"][0]["Name"] == "global-management"
    with guarded() as stranger, pytest.raises(consul.ACLPermissionDenied, match="reset index: "):
        stranger.acl.bootstrap()


def test_policies_and_roles_are_written_read_and_deleted(manager):
    policy = manager.acl.policy.create("python-policy", description="d", rules={"operator": "read"})
    assert manager.acl.policy.read(policy["ID"]) == policy
    assert policy["ID"] in [listed["ID"] for listed in manager.acl.policy.list()]
    renamed = manager.acl.policy.update(policy["ID"], "python-renamed")
    assert (renamed["ID"], renamed["Name"]) == (policy["ID"], "python-renamed")

    role = manager.acl.role.create("python-role", policies_name=["python-renamed"])
    assert role["Policies"] == [{"ID": policy["ID"], "Name": "python-renamed"}]
    assert manager.acl.role.read(role["ID"]) == role
    changed = manager.acl.role.update(role["ID"], "python-role", description="changed")
    assert (changed["Description"], "Policies" in changed) == ("changed", False)

    assert manager.acl.role.delete(role["ID"]) is True
    assert manager.acl.policy.delete(policy["ID"]) is True
    assert manager.acl.policy.read(policy["ID"]) is None


def test_rules_that_are_none_are_refused(manager):
    with pytest.raises(consul.ConsulException, match="Invalid operator policy"):
        manager.acl.policy.create("python-bad", rules={"operator": "dance"})


def test_tokens_are_written_read_cloned_and_deleted(manager, guarded):
    made = manager.acl.token.create(
        description="python",
        service_identities=[{"ServiceName": "python-web"}],
        node_identities=["n1:dc1"],
        expiration_ttl="1h",
    )
    assert manager.acl.token.read(made["AccessorID"]) == made
    with guarded(token=made["SecretID"]) as own:
        assert own.acl.token.read_self() == made
    changed = manager.acl.token.update(made["AccessorID"], description="changed")
    assert (changed["Description"], changed["SecretID"]) == ("changed", made["SecretID"])
    assert manager.acl.token.list(servicename="python-web") == []
    clone = manager.acl.token.clone(made["AccessorID"], description="clone")
    assert clone["Description"] == "clone"
    for token in [made, clone]:
        assert manager.acl.token.delete(token["AccessorID"]) is True
    with pytest.raises(consul.ACLPermissionDenied, match="ACL not found"):
        manager.acl.token.read(made["AccessorID"])


def test_a_token_allows_what_its_policy_says_and_nothing_else(manager, reader, guarded):
    manager.kv.put("shown/a", "1")
    manager.kv.put("other/a", "1")
    assert reader.kv.get("shown/a")[1]["Value"] == b"1"
    with pytest.raises(consul.ACLPermissionDenied, match="lacks permission 'key:write'"):
        reader.kv.put("shown/a", "2")
    with pytest.raises(consul.ACLPermissionDenied, match="lacks permission 'key:read'"):
        reader.kv.get("other/a")
    with guarded() as stranger, pytest.raises(consul.ACLPermissionDenied, match="anonymous token"):
        stranger.kv.get("shown/a")
    assert all(listed["SecretID"] == "<hidden>" for listed in reader.acl.token.list())
    with pytest.raises(consul.ACLPermissionDenied, match="lacks permission 'acl:write'"):
        reader.acl.token.create()


def test_a_snapshot_takes_a_manager_and_brings_tokens_back(manager, reader, guarded):
    for refused in [reader.snapshot.save, lambda: reader.snapshot.restore(b"")]:
        with pytest.raises(consul.ACLPermissionDenied, match="lacks permission 'acl:write'"):
            refused()
    before = manager.acl.token.create(description="before")
    archive = manager.snapshot.save()
    later = manager.acl.token.create(description="later")
    manager.acl.token.delete(before["AccessorID"])
    assert manager.snapshot.restore(archive) is True
    with guarded(token=before["SecretID"]) as own:
        assert own.acl.token.read_self() == before
    with guarded(token=later["SecretID"]) as own, pytest.raises(consul.ACLPermissionDenied, match="ACL not found"):
        own.acl.token.read_self()
    manager.acl.token.delete(before["AccessorID"])


def test_a_server_that_controls_no_access_says_so(client):
    with pytest.raises(consul.ACLDisabled, match="ACL support disabled"):
        client.acl.token.list()


def test_without_a_certificate_nobody_is_let_in(guarded):
    with guarded(cert=None) as stranger, pytest.raises(requests.exceptions.ConnectionError):
        stranger.status.leader()


def test_a_server_that_nobody_vouches_for_is_refused(guarded):
    with guarded(verify=True) as client, pytest.raises(requests.exceptions.SSLError):
        client.status.leader()
