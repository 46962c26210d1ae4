// Keys, values and transactions by the npm client `consul`.
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");

const { consul, place } = require("./server");

const prefix = place("kv");
const base64 = (text) => Buffer.from(text).toString("base64");

test("an entry comes back as it was put", async () => {
  assert.equal(await consul.kv.set({ key: `${prefix}entry`, value: "größer", flags: 42 }), true);
  const entry = await consul.kv.get(`${prefix}entry`);
  assert.equal(entry.CreateIndex, entry.ModifyIndex);
  assert.deepEqual(entry, {
    LockIndex: 0,
    Key: `${prefix}entry`,
    Flags: 42,
    Value: "größer",
    CreateIndex: entry.CreateIndex,
    ModifyIndex: entry.ModifyIndex,
  });
});

test("bytes come back as they were put", async () => {
  const bytes = Buffer.from([0, 255, 195, 40]);
  await consul.kv.set(`${prefix}bytes`, bytes);
  const { Value } = await consul.kv.get({ key: `${prefix}bytes`, buffer: true });
  assert.deepEqual(Value, bytes);
  assert.deepEqual(await consul.kv.get({ key: `${prefix}bytes`, raw: true }), bytes);
});

test("an absent key is undefined", async () => {
  assert.equal(await consul.kv.get(`${prefix}absent`), undefined);
});

test("lists are sorted and keep to their prefix", async () => {
  for (const name of ["b/2", "b/10", "a", "c"]) {
    await consul.kv.set(prefix + name, name);
  }
  const entries = await consul.kv.get({ key: `${prefix}b`, recurse: true });
  assert.deepEqual(entries.map((entry) => entry.Value), ["b/10", "b/2"]);
  const keys = await consul.kv.keys({ key: prefix, separator: "/" });
  assert.deepEqual(keys, [`${prefix}a`, `${prefix}b/`, `${prefix}c`]);
});

test("a deleted tree is gone", async () => {
  for (const name of ["tree/a", "tree/b", "trees"]) {
    await consul.kv.set(prefix + name, name);
  }
  assert.equal(await consul.kv.del({ key: `${prefix}tree/`, recurse: true }), true);
  assert.deepEqual(await consul.kv.keys(prefix), [`${prefix}trees`]);
});

test("cas writes and deletes only what was seen", async () => {
  const key = `${prefix}cas`;
  // The client makes undefined of the server's false.
  assert.equal(await consul.kv.set({ key, value: "first", cas: "0" }), true);
  assert.equal(await consul.kv.set({ key, value: "second", cas: "0" }), undefined);
  const seen = (await consul.kv.get(key)).ModifyIndex;
  assert.equal(await consul.kv.set({ key, value: "third", cas: seen }), true);
  assert.equal(await consul.kv.del({ key, cas: seen }), undefined);
  assert.equal((await consul.kv.get(key)).Value, "third");
});

test("a lock needs a session", async () => {
  const lock = { key: `${prefix}locked`, value: "", acquire: "9d7b6a53-1c0e-4d0f-8b4f-0a8f6c1d2e3f" };
  await assert.rejects(consul.kv.set(lock), { statusCode: 500, message: /invalid session/ });
});

test("an unknown datacenter is refused", async () => {
  const elsewhere = { key: "any", dc: "nowhere" };
  await assert.rejects(consul.kv.get(elsewhere), { statusCode: 500, message: /No path to datacenter/ });
});

test("a transaction changes and reads", async () => {
  const answer = await consul.transaction.create([
    { KV: { Verb: "set", Key: `${prefix}new`, Value: base64("new"), Flags: 3 } },
    { KV: { Verb: "get", Key: `${prefix}new` } },
  ]);
  assert.equal(answer.Errors, null);
  const [changed, read] = answer.Results.map((result) => result.KV);
  assert.deepEqual([changed.Value, changed.Flags, read.Value], [null, 3, base64("new")]);
});

test("a refused transaction leaves nothing", async () => {
  await consul.kv.set(`${prefix}taken`, "kept");
  const refused = consul.transaction.create([
    { KV: { Verb: "set", Key: `${prefix}new`, Value: base64("new") } },
    { KV: { Verb: "check-not-exists", Key: `${prefix}taken` } },
  ]);
  await assert.rejects(refused, (error) => {
    assert.equal(error.statusCode, 409);
    const { Results, Errors } = error.response.body;
    assert.equal(Results, null);
    assert.deepEqual(Errors, [{ OpIndex: 1, What: `key "${prefix}taken" exists` }]);
    return true;
  });
  assert.equal(await consul.kv.get(`${prefix}new`), undefined);
});

test("the leader is among the peers", async () => {
  const peers = await consul.status.peers();
  assert.ok(peers.includes(await consul.status.leader()));
});

test("the agent tells its datacenter", async () => {
  const { Config } = await consul.agent.self();
  assert.ok((await consul.catalog.datacenters()).includes(Config.Datacenter));
});
