"""Points for the tests of Qdrant's API: the same ones each time, with values in which no two scores are equal."""

import datetime
import uuid

import numpy
from qdrant_client import models

CITIES = ["Berlin", "Oslo", "Lima", "Quito", "Zürich"]
TEXT, IMAGE, WORDS, PARTS = "text", "image", "words", "parts"


def vectors_config():
    return {
        TEXT: models.VectorParams(size=32, distance=models.Distance.COSINE),
        IMAGE: models.VectorParams(size=8, distance=models.Distance.EUCLID, on_disk=True),
        PARTS: models.VectorParams(
            size=4,
            distance=models.Distance.DOT,
            multivector_config=models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM),
        ),
    }


def sparse_config():
    return {WORDS: models.SparseVectorParams()}


def dense(random, size):
    return random.standard_normal(size).astype(numpy.float32).tolist()


def sparse(random, dimensions=200, count=12):
    indices = numpy.sort(random.choice(dimensions, size=count, replace=False))
    values = random.uniform(0.1, 2.0, size=count).astype(numpy.float32)
    return models.SparseVector(indices=indices.tolist(), values=values.tolist())


def point(number, random):
    """Every seventh point has a UUID, every fifth no words, every eleventh no city."""
    vector = {TEXT: dense(random, 32), IMAGE: dense(random, 8), PARTS: [dense(random, 4) for _ in range(3)]}
    words = sparse(random)
    if number % 5:
        vector[WORDS] = words
    payload = {
        "number": number,
        "group": f"g{number % 23}",
        "tags": [f"t{number % 3}", f"t{number % 4}"],
        "price": round(float(random.uniform(0, 100)), 6),
        "nested": {"flag": number % 2 == 0, "deep": [{"n": number % 6}, {"n": number % 10}]},
        "when": (datetime.datetime(2024, 1, 1) + datetime.timedelta(minutes=number)).isoformat() + "Z",
    }
    if number % 11:
        payload["city"] = CITIES[number % len(CITIES)]
    identity = str(uuid.UUID(int=number + (1 << 100))) if number % 7 == 0 else number
    return models.PointStruct(id=identity, vector=vector, payload=payload)


def points(count, seed=7):
    random = numpy.random.default_rng(seed)
    return [point(number, random) for number in range(1, count + 1)]


def batches(items, size):
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
