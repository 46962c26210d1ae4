"""The servers under test, as `clients/run` names it in the environment, and a place in it for each test."""

import os

import consul
import pytest
from qdrant_client import QdrantClient


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


@pytest.fixture(scope="session")
def qdrant_address():
    """Host, REST port and gRPC port."""
    address, grpc = os.environ.get("STILLPOINT_QDRANT"), os.environ.get("STILLPOINT_QDRANT_GRPC")
    if not address or not grpc:
        pytest.skip("STILLPOINT_QDRANT and STILLPOINT_QDRANT_GRPC are not set: clients/run starts a server")
    host, port = address.rsplit(":", 1)
    return host, int(port), int(grpc.rsplit(":", 1)[1])


@pytest.fixture(scope="session", params=["rest", "grpc"])
def qdrant(request, qdrant_address):
    """A client of Qdrant's API, over each of its two transports."""
    host, port, grpc_port = qdrant_address
    client = QdrantClient(
        host=host, port=port, grpc_port=grpc_port, prefer_grpc=request.param == "grpc", timeout=60
    )
    yield client
    client.close()
