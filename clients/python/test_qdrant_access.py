"""Keys and tokens of Qdrant's API, over TLS: who may do what is what genuine servers say."""

import base64
import hashlib
import hmac
import json
import os
import time

import grpc
import pytest
import requests
from qdrant_client import grpc as qdrant

COLLECTION = "python-access"



def token(secret, **claims):
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + part(json.dumps(claims).encode())
    return (head + b"." + part(hmac.digest(secret.encode(), head, hashlib.sha256))).decode()


@pytest.fixture(scope="module")
def server():
    address = os.environ.get("STILLPOINT_GUARDED_QDRANT")
    if not address:
        pytest.skip("STILLPOINT_GUARDED_QDRANT is not set: clients/run starts a guarded server")
    return Guarded(address, os.environ["STILLPOINT_GUARDED_QDRANT_GRPC"], os.environ["STILLPOINT_CERTIFICATES"])


class Guarded:
    def __init__(self, address, grpc_address, certificates):
        self.url = f"https://{address}"
        self.session = requests.Session()
        self.session.cert = (f"{certificates}/client.pem", f"{certificates}/client-key.pem")
        self.authority = f"{certificates}/ca.pem"
        read = [open(f"{certificates}/{name}", "rb").read() for name in ["ca.pem", "client-key.pem", "client.pem"]]
        self.channel = grpc.secure_channel(grpc_address, grpc.ssl_channel_credentials(*read))
        self.key = os.environ["STILLPOINT_QDRANT_KEY"]
        self.reader = os.environ["STILLPOINT_QDRANT_READER"]

    def rest(self, key, method, path, body=None):
        headers = {"api-key": key} if key else {}
        # Said for each request, for the environment wins over a session.
        return self.session.request(
            method, self.url + path, json=body, headers=headers, timeout=30, verify=self.authority
        )

    def keys(self):
        def granted(access, collection=COLLECTION):
            return token(self.key, access=[{"collection": collection, "access": access}])

        return {
            "manage": [self.key, token(self.key, access="m"), token(self.key)],
            "global r": [self.reader, token(self.key, access="r")],
            "r": [granted("r")],
            "rw": [granted("rw")],
            "prw": [granted("prw")],
            "another": [granted("rw", "another")],
        }


@pytest.fixture(scope="module", autouse=True)
def collection(server):
    path = f"/collections/{COLLECTION}"
    server.rest(server.key, "DELETE", path)
    created = server.rest(server.key, "PUT", path, {"vectors": {"size": 2, "distance": "Dot"}})
    assert created.status_code == 200, created.text
    points = [{"id": 1, "vector": [1, 2], "payload": {"token": "valid"}}]
    assert server.rest(server.key, "PUT", f"{path}/points?wait=true", {"points": points}).status_code == 200
    yield
    server.rest(server.key, "DELETE", path)


C = f"/collections/{COLLECTION}"
EVERYBODY = {"manage", "global r", "r", "rw", "prw"}
WRITERS = {"manage", "rw", "prw"}
IDS = {"points": [99]}
VECTOR = {"vector": [1, 2], "limit": 1}

# What is asked, and who may ask it.
TABLE = [
    ("GET", C, None, EVERYBODY),
    ("GET", f"{C}/exists", None, EVERYBODY),
    ("GET", f"{C}/aliases", None, EVERYBODY),
    ("GET", f"{C}/cluster", None, EVERYBODY - {"prw"}),
    ("PATCH", C, {}, {"manage"}),
    ("PUT", f"{C}-new", {}, {"manage"}),
    ("DELETE", f"{C}-new", None, {"manage"}),
    ("POST", "/collections/aliases", {"actions": []}, {"manage"}),
    ("GET", f"{C}/points/1", None, EVERYBODY),
    ("POST", f"{C}/points", {"ids": [1]}, EVERYBODY),
    ("POST", f"{C}/points/scroll", {}, EVERYBODY),
    ("POST", f"{C}/points/count", {}, EVERYBODY),
    ("POST", f"{C}/points/search", VECTOR, EVERYBODY),
    ("POST", f"{C}/points/search/batch", {"searches": [VECTOR]}, EVERYBODY),
    ("POST", f"{C}/points/recommend", {"positive": [1], "limit": 1}, EVERYBODY),
    ("POST", f"{C}/points/query", {"query": [1, 2]}, EVERYBODY),
    ("POST", f"{C}/points/query/batch", {"searches": [{"query": [1, 2]}]}, EVERYBODY),
    ("POST", f"{C}/points/query/groups", {"query": [1, 2], "group_by": "token"}, EVERYBODY),
    ("POST", f"{C}/facet", {"key": "token"}, EVERYBODY),
    ("PUT", f"{C}/points", {"points": [{"id": 99, "vector": [1, 2]}]}, WRITERS),
    ("PUT", f"{C}/points/vectors", {"points": [{"id": 99, "vector": [2, 2]}]}, WRITERS),
    ("POST", f"{C}/points/vectors/delete", {**IDS, "vector": [""]}, WRITERS),
    ("POST", f"{C}/points/payload", {**IDS, "payload": {"a": 1}}, WRITERS),
    ("PUT", f"{C}/points/payload", {**IDS, "payload": {"a": 1}}, WRITERS),
    ("POST", f"{C}/points/payload/delete", {**IDS, "keys": ["a"]}, WRITERS),
    ("POST", f"{C}/points/payload/clear", IDS, WRITERS),
    ("POST", f"{C}/points/batch", {"operations": [{"delete": IDS}]}, WRITERS),
    ("POST", f"{C}/points/delete", IDS, WRITERS),
    ("PUT", f"{C}/index", {"field_name": "token", "field_schema": "keyword"}, {"manage", "rw"}),
    ("DELETE", f"{C}/index/token", None, {"manage", "rw"}),
    ("GET", f"{C}/snapshots", None, EVERYBODY - {"prw"}),
    ("POST", f"{C}/snapshots", None, {"manage", "rw"}),
    ("GET", f"{C}/snapshots/missing", None, EVERYBODY - {"prw"}),
    ("DELETE", f"{C}/snapshots/missing", None, {"manage", "rw"}),
    ("PUT", f"{C}/snapshots/recover", {"location": "file:///missing"}, {"manage"}),
    ("POST", f"{C}/snapshots/upload", None, {"manage"}),
    ("GET", f"{C}/shards/0/snapshots", None, EVERYBODY - {"prw"}),
    ("POST", f"{C}/shards/0/snapshots", None, {"manage", "rw"}),
    ("GET", f"{C}/shards/0/snapshots/missing", None, EVERYBODY - {"prw"}),
    ("DELETE", f"{C}/shards/0/snapshots/missing", None, {"manage", "rw"}),
    ("PUT", f"{C}/shards/0/snapshots/recover", {"location": "missing"}, {"manage"}),
    ("POST", f"{C}/shards/0/snapshots/upload", None, {"manage"}),
    ("GET", f"{C}/shards/0/snapshot", None, {"manage", "rw"}),
    ("GET", "/snapshots", None, {"manage", "global r"}),
    ("POST", "/snapshots", None, {"manage"}),
    ("GET", "/snapshots/missing", None, {"manage", "global r"}),
    ("DELETE", "/snapshots/missing", None, {"manage"}),
    ("GET", "/collections", None, EVERYBODY | {"another"}),
    ("GET", "/aliases", None, EVERYBODY | {"another"}),
    ("GET", "/telemetry", None, EVERYBODY | {"another"}),
    ("GET", "/cluster", None, {"manage", "global r"}),
    ("GET", "/metrics", None, {"manage", "global r"}),
    ("GET", "/", None, EVERYBODY | {"another", "none"}),
    ("GET", "/healthz", None, EVERYBODY | {"another", "none"}),
    ("GET", "/readyz", None, EVERYBODY | {"another", "none"}),
    ("GET", "/livez", None, EVERYBODY | {"another", "none"}),
]


@pytest.mark.parametrize("method,path,body,who", TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_rest(server, method, path, body, who):
    for name, keys in server.keys().items():
        for key in keys:
            answer = server.rest(key, method, path, body)
            told = f"{name}: {answer.status_code} {answer.text}"
            if name in who:
                assert answer.status_code < 500 and answer.status_code not in (401, 403), told
            else:
                assert answer.status_code == 403, told
                assert answer.json()["status"]["error"].startswith("Forbidden: "), told
    stranger = server.rest(None, method, path, body)
    if "none" in who:
        assert stranger.status_code == 200, stranger.text
    else:
        must = "Must provide an API key or an Authorization bearer token"
        assert (stranger.status_code, stranger.text) == (401, must)


def asked(call, request, key=None):
    """The status of a call."""
    try:
        call(request, metadata=[("api-key", key)] if key else [], timeout=30)
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""


def test_grpc(server):
    points, collections = qdrant.PointsStub(server.channel), qdrant.CollectionsStub(server.channel)
    snapshots = qdrant.SnapshotsStub(server.channel)
    keys = server.keys()
    name = {"collection_name": COLLECTION}
    table = [
        (collections.List, qdrant.ListCollectionsRequest(), EVERYBODY | {"another"}),
        (collections.Get, qdrant.GetCollectionInfoRequest(**name), EVERYBODY),
        (collections.Delete, qdrant.DeleteCollection(collection_name="python-access-new"), {"manage"}),
        (points.Count, qdrant.CountPoints(**name), EVERYBODY),
        (points.Scroll, qdrant.ScrollPoints(**name), EVERYBODY),
        (
            points.Delete,
            qdrant.DeletePoints(
                **name,
                points=qdrant.PointsSelector(points=qdrant.PointsIdsList(ids=[qdrant.PointId(num=99)])),
            ),
            WRITERS,
        ),
        (
            points.CreateFieldIndex,
            qdrant.CreateFieldIndexCollection(**name, field_name="token", field_type="FieldTypeKeyword"),
            {"manage", "rw"},
        ),
        (snapshots.List, qdrant.ListSnapshotsRequest(**name), EVERYBODY - {"prw"}),
        (snapshots.Create, qdrant.CreateSnapshotRequest(**name), {"manage", "rw"}),
        (snapshots.ListFull, qdrant.ListFullSnapshotsRequest(), {"manage", "global r"}),
        (snapshots.CreateFull, qdrant.CreateFullSnapshotRequest(), {"manage"}),
    ]
    for call, request, who in table:
        for holder, own in keys.items():
            for key in own:
                status, text = asked(call, request, key)
                if holder in who:
                    assert status == "OK", (request, holder, status, text)
                else:
                    assert status == "PERMISSION_DENIED" and "Forbidden: " in text, (request, holder, status, text)
        must = "Must provide an API key or an Authorization bearer token"
        assert asked(call, request) == ("UNAUTHENTICATED", must)
        assert asked(call, request, "wrong") == ("UNAUTHENTICATED", "Invalid API key or JWT")
    health = qdrant.QdrantStub(server.channel).HealthCheck
    assert asked(health, qdrant.HealthCheckRequest()) == ("OK", "")


def test_tokens_end(server):
    def status(key):
        answer = server.rest(key, "GET", C)
        return answer.status_code, answer.text if answer.status_code in (401, 403) else ""

    now = int(time.time())
    assert status(token(server.key, exp=now - 10))[0] == 200
    assert status(token(server.key, exp=now - 100)) == (403, "ExpiredSignature")
    assert status(token("forged", exp=now + 100)) == (403, "InvalidSignature")
    payload = token(server.key, access=[{"collection": COLLECTION, "access": "r", "payload": {"a": 1}}])
    assert status(payload)[0] == 401


def test_tokens_hold_while_their_point_exists(server):
    def status(collection, value):
        exists = {"collection": collection, "matches": [{"key": "token", "value": value}]}
        answer = server.rest(token(server.key, value_exists=exists), "GET", C)
        return answer.status_code, answer.text if answer.status_code != 200 else ""

    failed = "Invalid JWT, stateful validation failed"
    assert status(COLLECTION, "valid") == (200, "")
    assert status(COLLECTION, "withdrawn") == (401, failed)
    assert status("no-such-collection", "valid") == (403, failed)


def test_lists_show_what_may_be_seen(server):
    def names(key):
        answer = server.rest(key, "GET", "/collections").json()
        return [collection["name"] for collection in answer["result"]["collections"]]

    keys = server.keys()
    assert COLLECTION in names(keys["global r"][0])
    assert names(keys["prw"][0]) == [COLLECTION]
    assert names(keys["another"][0]) == []
