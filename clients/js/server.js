// The server under test, as `clients/run` names it in the environment.
"use strict";

const { afterEach, beforeEach } = require("node:test");
const Consul = require("consul");

const address = process.env.STILLPOINT_CONSUL;
if (!address) {
  throw new Error("STILLPOINT_CONSUL is not set: run clients/run, which starts a server");
}
const [host, port] = address.split(":");

const consul = new Consul({ host, port: Number(port) });

/** A prefix of a file's own, empty before and after each test. */
function place(name) {
  const prefix = `js/${name}/`;
  const clear = () => consul.kv.del({ key: prefix, recurse: true });
  beforeEach(clear);
  afterEach(clear);
  return prefix;
}

/** Sends what the client has no method for. */
function request(path, options) {
  return fetch(`http://${address}${path}`, options);
}

module.exports = { consul, place, request };
