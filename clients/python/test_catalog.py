"""Nodes, services and their health by py-consul."""

import pytest


@pytest.fixture
def node(client, request):
    """A node of the test's own with a service of the same name, gone after it."""
    name = f"python-{request.node.name}"
    service = {"ID": name, "Service": name, "Port": 80, "Tags": ["blue"]}
    check = {"Node": name, "CheckID": name, "Name": "check", "Status": "passing", "ServiceID": name}
    assert client.catalog.register(name, "10.0.0.1", service=service, check=check) is True
    yield name
    assert client.catalog.deregister(name) is True


def test_a_registration_is_found(client, node):
    assert node in [listed["Node"] for listed in client.catalog.nodes()[1]]
    assert client.catalog.services()[1][node] == ["blue"]
    (instance,) = client.catalog.service(node, tag="blue")[1]
    assert (instance["Node"], instance["ServicePort"]) == (node, 80)
    assert list(client.catalog.node(node)[1]["Services"]) == [node]


def test_health_is_what_checks_say(client, node):
    (entry,) = client.health.service(node, passing=True)[1]
    assert entry["Service"]["ID"] == node
    assert [check["Status"] for check in entry["Checks"]] == ["passing"]
    assert [check["CheckID"] for check in client.health.checks(node)[1]] == [node]
    assert [check["CheckID"] for check in client.health.node(node)[1]] == [node]
    assert node in [check["CheckID"] for check in client.health.state("passing")[1]]
