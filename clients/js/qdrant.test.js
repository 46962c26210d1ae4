// Qdrant's REST API by the npm client `@qdrant/js-client-rest`.
"use strict";

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { afterEach, beforeEach, test } = require("node:test");
const { QdrantClient } = require("@qdrant/js-client-rest");

const address = process.env.STILLPOINT_QDRANT;
const count = 10000;
const collection = "js-round";
const other = "js-other";
const alias = "js-alias";

if (!address) {
  test("Qdrant's API", { skip: "STILLPOINT_QDRANT is not set: clients/run starts a server" });
} else {
  const client = new QdrantClient({ url: `http://${address}` });

  const clear = async () => {
    for (const name of [collection, other]) {
      await client.deleteCollection(name);
    }
  };
  beforeEach(clear);
  afterEach(clear);

  /** Numbers between 0 and 1, the same ones each time. */
  function numbers(seed) {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
  }

  function points() {
    const next = numbers(1);
    const dense = (size) => Array.from({ length: size }, () => next() - 0.5);
    return Array.from({ length: count }, (_, at) => ({
      id: at + 1,
      vector: {
        text: dense(16),
        words: { indices: [at % 50, 50 + (at % 70)], values: [next() + 0.1, next() + 0.1] },
      },
      payload: { number: at, colour: ["red", "green", "blue"][at % 3] },
    }));
  }

  const colour = (value) => ({ must: [{ key: "colour", match: { value } }] });
  const counted = async (name, filter) => (await client.count(name, { filter, exact: true })).count;

  test("a full round", async () => {
    assert.equal(
      await client.createCollection(collection, {
        vectors: { text: { size: 16, distance: "Cosine", on_disk: true } },
        sparse_vectors: { words: {} },
        shard_number: 2,
      }),
      true,
    );
    assert.equal((await client.collectionExists(collection)).exists, true);
    const wait = true;
    await client.createPayloadIndex(collection, { wait, field_name: "colour", field_schema: "keyword" });

    const data = points();
    for (let begin = 0; begin < count; begin += 500) {
      const answer = await client.upsert(collection, { wait, points: data.slice(begin, begin + 500) });
      assert.equal(answer.status, "completed");
    }
    assert.equal(await counted(collection), count);
    assert.equal(await counted(collection, colour("red")), data.filter((p) => p.payload.colour === "red").length);

    const info = await client.getCollection(collection);
    assert.equal(info.points_count, count);
    assert.equal(info.config.params.shard_number, 2);
    assert.equal(info.payload_schema.colour.data_type, "keyword");

    const searched = await client.search(collection, {
      vector: { name: "text", vector: data[41].vector.text },
      filter: colour(data[41].payload.colour),
      params: { exact: true },
      limit: 3,
      with_payload: true,
    });
    assert.equal(searched[0].id, 42);
    assert.ok(Math.abs(searched[0].score - 1) < 1e-5);
    assert.deepEqual(searched[0].payload, data[41].payload);
    const { points: fused } = await client.query(collection, {
      prefetch: [
        { query: data[41].vector.text, using: "text", limit: 20 },
        { query: data[41].vector.words, using: "words", limit: 20 },
      ],
      query: { fusion: "rrf" },
      limit: 1,
    });
    assert.equal(fused[0].id, 42);

    const ids = new Set();
    let offset;
    do {
      const page = await client.scroll(collection, { limit: 999, offset, with_payload: false });
      page.points.forEach((point) => ids.add(point.id));
      offset = page.next_page_offset;
    } while (offset != null);
    assert.equal(ids.size, count);

    await client.setPayload(collection, { wait, payload: { colour: "grey" }, filter: colour("red") });
    assert.equal(await counted(collection, colour("red")), 0);
    await client.overwritePayload(collection, { wait, payload: { only: 1 }, points: [1] });
    await client.deletePayload(collection, { wait, keys: ["number"], points: [2] });
    await client.clearPayload(collection, { wait, points: [3] });
    const changed = await client.retrieve(collection, { ids: [1, 2, 3], with_payload: true });
    const payloads = Object.fromEntries(changed.map((record) => [record.id, record.payload]));
    assert.deepEqual([payloads[1], payloads[2]], [{ only: 1 }, { colour: "green" }]);
    assert.deepEqual(payloads[3] ?? {}, {});

    await client.createCollection(other, { vectors: { size: 4, distance: "Dot" } });
    const create = (name) => ({ create_alias: { alias_name: alias, collection_name: name } });
    await client.updateCollectionAliases({ actions: [create(collection)] });
    assert.equal(await counted(alias), count);
    await client.updateCollectionAliases({ actions: [{ delete_alias: { alias_name: alias } }, create(other)] });
    assert.equal(await counted(alias), 0);

    await client.delete(collection, { wait, filter: colour("blue") });
    assert.equal(await counted(collection, colour("blue")), 0);
    assert.equal(await client.deleteCollection(collection), true);
  });

  // The client itself writes and reads such ids from Node 22 on only.
  test("ids of 64 bits come back whole", async () => {
    await client.createCollection(collection, { vectors: { size: 2, distance: "Dot" } });
    const points = `http://${address}/collections/${collection}/points`;
    const headers = { "Content-Type": "application/json" };
    const body = '{"points": [{"id": 18446744073709551615, "vector": [1, 2]}]}';
    assert.equal((await fetch(`${points}?wait=true`, { method: "PUT", headers, body })).status, 200);
    const page = await fetch(`${points}/scroll`, { method: "POST", headers, body: "{}" });
    assert.match(await page.text(), /"id":18446744073709551615\b/);
  });

  test("snapshots are made, listed, restored and removed", async () => {
    const wait = true;
    await client.createCollection(collection, { vectors: { size: 2, distance: "Dot" }, shard_number: 2 });
    const some = Array.from({ length: 50 }, (_, at) => ({ id: at + 1, vector: [at, 1] }));
    await client.upsert(collection, { wait, points: some });
    for (const { name } of await client.listSnapshots(collection)) {
      await client.deleteSnapshot(collection, name);
    }
    const made = await client.createSnapshot(collection);
    assert.deepEqual(await client.listSnapshots(collection), [made]);
    const location = `http://${address}/collections/${collection}/snapshots/${made.name}`;
    const archive = Buffer.from(await (await fetch(location)).arrayBuffer());
    assert.equal(createHash("sha256").update(archive).digest("hex"), made.checksum);

    await client.delete(collection, { wait, filter: {} });
    const recovery = { location, priority: "snapshot", checksum: made.checksum };
    assert.equal(await client.recoverSnapshot(collection, recovery), true);
    assert.equal(await counted(collection), some.length);
    assert.equal(await client.recoverSnapshot(other, { location }), true);
    assert.equal(await counted(other), some.length);
    const wrong = client.recoverSnapshot(collection, { location, checksum: "0".repeat(64) });
    await assert.rejects(wrong, (error) => error.status === 400);

    const shard = await client.createShardSnapshot(collection, 0, { wait });
    assert.deepEqual(await client.listShardSnapshots(collection, 0), [shard]);
    const place = `http://${address}/collections/${collection}/shards/0/snapshots/${shard.name}`;
    assert.equal(await client.recoverShardFromSnapshot(collection, 0, { location: place }), true);
    assert.equal(await counted(collection), some.length);
    assert.equal(await client.deleteShardSnapshot(collection, 0, shard.name, { wait }), true);

    const full = await client.createFullSnapshot();
    assert.ok((await client.listFullSnapshots()).some(({ name }) => name === full.name));
    assert.equal(await client.deleteFullSnapshot(full.name), true);
    assert.equal(await client.deleteSnapshot(collection, made.name), true);
    assert.deepEqual(await client.listSnapshots(collection), []);
  });

  test("what is wrong is told", async () => {
    const missing = client.getCollection("js-no-such-collection");
    await assert.rejects(missing, (error) => {
      assert.equal(error.status, 404);
      assert.match(error.data.status.error, /Not found: Collection `js-no-such-collection` doesn't exist!/);
      return true;
    });
  });

  test("the server says who it is", async () => {
    const { version, title } = await client.versionInfo();
    assert.equal(title, "qdrant - vector search engine");
    assert.match(version, /^1\.\d+\.\d+$/);
  });
}
