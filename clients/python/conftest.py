"""The servers under test, as `clients/run` names it in the environment, and a place in it for each test."""

import os

import consul
import pytest


@pytest.fixture(scope="session")
def client():
    address = os.environ.get("STILLPOINT_CONSUL")
    if not address:
        pytest.exit("STILLPOINT_CONSUL is not set: run clients/run, which starts a server", returncode=2)
    host, port = address.rsplit(":", 1)
    with consul.Consul(host=host, port=int(port)) as client:
        yield client


@pytest.fixture(scope="session")
def guarded():
    """Makes clients of the server that controls access."""
    address = os.environ.get("STILLPOINT_GUARDED")
    if not address:
        pytest.skip("STILLPOINT_GUARDED is not set: clients/run starts a guarded server")
    host, port = address.rsplit(":", 1)
    certificates = os.environ["STILLPOINT_CERTIFICATES"]
    own = (f"{certificates}/client.pem", f"{certificates}/client-key.pem")

    def connect(**settings):
        settings = {"verify": f"{certificates}/ca.pem", "cert": own} | settings
        return consul.Consul(host=host, port=int(port), scheme="https", **settings)

    return connect


@pytest.fixture
def place(client, request):
    """A prefix of the test's own, empty before and after it."""
    prefix = f"python/{request.node.name}/"
    client.kv.delete(prefix, recurse=True)
    yield prefix
    client.kv.delete(prefix, recurse=True)
