"""Nomad's API by python-nomad. The client has no snapshots, so these are fetched and sent by `requests`."""

import base64
import hashlib
import os

import nomad
import pytest
import requests
from nomad.api import exceptions


@pytest.fixture(scope="module")
def address():
    address = os.environ.get("STILLPOINT_NOMAD")
    if not address:
        pytest.skip("STILLPOINT_NOMAD is not set: clients/run starts a server")
    return address


@pytest.fixture(scope="module")
def client(address):
    host, port = address.rsplit(":", 1)
    return nomad.Nomad(host=host, port=int(port))


@pytest.fixture(scope="module")
def snapshots(address):
    return f"http://{address}/v1/operator/snapshot"


@pytest.fixture
def kept(snapshots):
    """What the server held before the test is there again after it."""
    archive = save(snapshots)
    yield
    restore(snapshots, archive)


def save(snapshots, **parameters):
    answer = requests.get(snapshots, params=parameters, timeout=30)
    answer.raise_for_status()
    digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["Digest"] == f"sha-256={digest}"
    return answer.content


def restore(snapshots, archive):
    answer = requests.put(snapshots, data=archive, timeout=30)
    assert (answer.status_code, answer.text) == (200, "")


def a_job(name, priority=50):
    task = {"Name": "task", "Driver": "exec", "Config": {"command": "/bin/true"}}
    group = {"Name": "group", "Count": 1, "Tasks": [task]}
    return {
        "Job": {
            "ID": name,
            "Name": name,
            "Type": "service",
            "Priority": priority,
            "Datacenters": ["dc1"],
            "TaskGroups": [group],
        }
    }


def test_what_was_saved_comes_back(client, snapshots, kept):
    client.namespace.create_namespace({"Name": "python-saved", "Description": "before"})
    archive = save(snapshots)
    assert save(snapshots, stale="") == archive
    client.namespace.update_namespace("python-saved", {"Name": "python-saved", "Description": "after"})
    client.namespace.create_namespace({"Name": "python-later"})

    restore(snapshots, archive)
    assert client.namespace.get_namespace("python-saved")["Description"] == "before"
    with pytest.raises(exceptions.URLNotFoundNomadException):
        client.namespace.get_namespace("python-later")


def test_a_damaged_archive_is_refused_and_changes_nothing(client, snapshots):
    before = client.namespaces.get_namespaces()
    answer = requests.put(snapshots, data=save(snapshots)[:-1], timeout=30)
    assert answer.status_code == 500
    assert answer.text.startswith("failed to restore from snapshot: ")
    assert client.namespaces.get_namespaces() == before


def test_namespaces_are_listed_and_deleted(client):
    client.namespace.create_namespace({"Name": "python-namespace", "Meta": {"team": "a"}})
    assert client.namespace.get_namespace("python-namespace")["Meta"] == {"team": "a"}
    assert {"default", "python-namespace"} <= {each["Name"] for each in client.namespaces.get_namespaces()}
    client.namespace.delete_namespace("python-namespace")
    with pytest.raises(exceptions.URLNotFoundNomadException):
        client.namespace.get_namespace("python-namespace")


def test_a_variable_is_written_only_over_what_was_seen(client):
    path = "python/variable"
    payload = {"Path": path, "Items": {"user": "a"}}
    first = client.variable.create_variable(path, payload, cas=0)
    with pytest.raises(exceptions.VariableConflict):
        client.variable.create_variable(path, payload, cas=0)
    payload["Items"]["user"] = "b"
    second = client.variable.create_variable(path, payload, cas=first["ModifyIndex"])
    assert second["ModifyIndex"] > first["ModifyIndex"]
    assert client.variable.get_variable(path)["Items"] == {"user": "b"}
    assert path in [each["Path"] for each in client.variables.get_variables(prefix="python/")]
    with pytest.raises(exceptions.VariableConflict):
        client.variable.delete_variable(path, cas=first["ModifyIndex"])
    client.variable.delete_variable(path, cas=second["ModifyIndex"])
    with pytest.raises(exceptions.URLNotFoundNomadException):
        client.variable.get_variable(path)


def test_a_job_is_registered_stopped_and_purged(client):
    registered = client.job.register_job("python-job", a_job("python-job"))
    job = client.job.get_job("python-job")
    assert (job["JobModifyIndex"], job["Version"]) == (registered["JobModifyIndex"], 0)
    client.job.register_job("python-job", a_job("python-job", priority=70))
    assert client.job.get_job("python-job")["Priority"] == 70
    assert "python-job" in [each["ID"] for each in client.jobs.get_jobs()]
    client.job.deregister_job("python-job")
    assert client.job.get_job("python-job")["Stop"] is True
    client.job.deregister_job("python-job", purge=True)
    with pytest.raises(exceptions.URLNotFoundNomadException):
        client.job.get_job("python-job")


def test_a_restore_brings_back_jobs_and_the_values_of_variables(client, snapshots, kept):
    path = "python/saved"
    client.job.register_job("python-saved", a_job("python-saved"))
    client.variable.create_variable(path, {"Path": path, "Items": {"password": "before"}})
    archive = save(snapshots)
    client.job.deregister_job("python-saved", purge=True)
    client.variable.create_variable(path, {"Path": path, "Items": {"password": "after"}})
    restore(snapshots, archive)
    assert client.job.get_job("python-saved")["Stop"] is False
    assert client.variable.get_variable(path)["Items"] == {"password": "before"}


def test_the_leader_is_among_the_peers(client):
    leader = client.status.leader.get_leader()
    assert leader in client.status.peers.get_peers()
    servers = client.operator.get_configuration()["Servers"]
    assert [server["Address"] for server in servers if server["Leader"]] == [leader]


def test_the_agent_tells_its_region(client):
    assert client.agent.get_agent()["member"]["Tags"]["region"] in client.regions.get_regions()
