import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { get } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import {
  AddressError,
  CertificateError,
  ConnectError,
  ListenError,
  type WireError,
} from "../../../protocols/wire/errors.ts";
import { loopbackNetwork } from "../../../protocols/wire/loopback-network.ts";
import type { PartyEndpoint } from "../../../protocols/wire/party-endpoint.ts";
import type { Link } from "../../../protocols/wire/transport.ts";
import { isLoopback, parseAddress } from "../../../protocols/wire/websocket-address.ts";
import { type Certificates, WebSocketTransport } from "../../../protocols/wire/websocket-transport.ts";

const pem = (name: string): string => readFileSync(new URL(`certificates/${name}`, import.meta.url), "utf8");
const certificatesOf = (name: string): Certificates => ({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) });
const AUTHORITY = pem("authority.pem");
const LOCALHOST: Certificates = { ...certificatesOf("localhost"), ca: AUTHORITY };

type Refusal = abstract new (...args: never[]) => WireError;

function refused(error: Refusal, message: RegExp): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof error, String(thrown));
    assert.match(thrown.message, message);
    return true;
  };
}

describe("addresses", () => {
  it("know loopback", () => {
    for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
      assert.ok(isLoopback(host), host);
    for (const host of [
      "128.0.0.1",
      "127.0.0.1.example.org",
      "10.0.0.1",
      "0.0.0.0",
      "::",
      "localhost.example",
      "1270.0.0.1",
    ]) {
      assert.ok(!isLoopback(host), host);
    }
  });

  it("allow plain text on loopback alone, unless told otherwise", () => {
    assert.deepEqual(parseAddress("ws://127.0.0.1:7000", false), { secure: false, host: "127.0.0.1", port: 7000 });
    assert.deepEqual(parseAddress("ws://[::1]:7000", false), { secure: false, host: "::1", port: 7000 });
    assert.deepEqual(parseAddress("wss://comp.example:7000", false), {
      secure: true,
      host: "comp.example",
      port: 7000,
    });
    for (const host of ["10.0.0.7", "comp.example", "0.0.0.0", "[::]"]) {
      assert.throws(
        () => parseAddress(`ws://${host}:7000`, false),
        refused(AddressError, /expected a loopback host for plain ws:\/\//),
      );
    }
  });

  it("warn on stderr where plain text leaves the machine", (t) => {
    const write = t.mock.method(process.stderr, "write", () => true);
    assert.equal(parseAddress("ws://10.0.0.7:7000", true).host, "10.0.0.7");
    assert.match(String(write.mock.calls[0].arguments[0]), /warning: plain text to 10\.0\.0\.7 \(insecurePlaintext\)/);
  });

  it("are refused where they are something else", () => {
    for (const address of [
      "",
      "127.0.0.1:7000",
      "http://localhost:1",
      "ws://localhost:1/path",
      "ws://a:b@localhost:1",
      "ws://localhost:99999",
    ]) {
      assert.throws(() => parseAddress(address, false), AddressError, address);
    }
  });
});

describe("WebSocket transport", () => {
  it("refuses to listen or dial in plain text beyond loopback, and to skip masks there", async () => {
    const transport = new WebSocketTransport();
    await assert.rejects(
      transport.listen("ws://0.0.0.0:0", () => undefined),
      AddressError,
    );
    await assert.rejects(transport.dial("ws://10.255.255.1:9", 10), AddressError);
    const daring = new WebSocketTransport({ insecurePlaintext: true, skipMasking: true });
    await assert.rejects(
      daring.dial("ws://10.255.255.1:9", 10),
      refused(AddressError, /skipMasking: expected wss:\/\/ or a loopback/),
    );
  });

  it("names a port in use and an address that is not ours", async () => {
    const transport = new WebSocketTransport({ certificates: LOCALHOST });
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const message = new RegExp(`listen on ws://127.0.0.1:${port}: expected a free port, got one in use`);
    await assert.rejects(
      transport.listen(`ws://127.0.0.1:${port}`, () => undefined),
      refused(ListenError, message),
    );
    taken.close();
    await assert.rejects(
      transport.listen("wss://192.0.2.1:0", () => undefined),
      refused(ListenError, /expected an address of this machine/),
    );
  });

  it("answers plain HTTP, and says who does not speak WebSocket", async () => {
    const transport = new WebSocketTransport();
    const listener = await transport.listen("ws://127.0.0.1:0", () => undefined);
    const status = await new Promise((resolve) =>
      get(listener.address.replace("ws:", "http:"), (response) => resolve(response.resume().statusCode)),
    );
    assert.equal(status, 426);
    await listener.close();
    const mute = createServer((socket) => socket.end("220 smtp.example\r\n")).listen(0, "127.0.0.1");
    await new Promise((resolve) => mute.once("listening", resolve));
    const { port } = mute.address() as AddressInfo;
    await assert.rejects(
      transport.dial(`ws://127.0.0.1:${port}`, 50),
      refused(ConnectError, /expected a party within 50 ms, got: /),
    );
    mute.close();
  });
});

describe("wss://", () => {
  async function dial(listens: Certificates, dials: Certificates, host = "localhost"): Promise<Link> {
    const listener = await new WebSocketTransport({ certificates: listens }).listen("wss://localhost:0", (link) => {
      link.start({ frame: () => undefined, broken: () => undefined, closed: () => undefined });
    });
    try {
      const link = await new WebSocketTransport({ certificates: dials }).dial(
        listener.address.replace("localhost", host),
        20_000,
      );
      link.terminate();
      return link;
    } finally {
      await listener.close();
    }
  }

  it("links parties whose certificates one authority signed, and carries tensors", async () => {
    const network = await loopbackNetwork(["a", "b"], { certificates: LOCALHOST, skipMasking: true });
    const [a, b] = [...network.values()] as [PartyEndpoint, PartyEndpoint];
    const key = { session: 1, layer: 0, step: 0, role: "q" } as const;
    const values = (step: number) => Float32Array.from({ length: step % 2 ? 9216 : 100_000 }, (_, i) => step + i);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      const steps = Array.from({ length: 20 }, (_, step) => step);
      const shapeOf = (step: number) => [1, values(step).length] as const;
      const sends = steps.map((step) =>
        from.send(to.party, { ...key, step }, { data: values(step), shape: shapeOf(step) }),
      );
      for (const step of steps) {
        const { data } = await to.receive(from.party, { ...key, step }, { shape: shapeOf(step), word: "float" });
        assert.deepEqual(data, values(step));
      }
      await Promise.all(sends);
    }
    await Promise.all([a.close(), b.close()]);
  });

  it("refuses a listener of another authority, of another name, and of none", async () => {
    const bare = certificatesOf("localhost");
    await assert.rejects(
      dial(certificatesOf("impostor"), { ca: AUTHORITY }),
      refused(CertificateError, /expected a certificate that ca signs for/),
    );
    await assert.rejects(
      dial(certificatesOf("elsewhere"), { ca: AUTHORITY }),
      refused(CertificateError, /elsewhere\.example/),
    );
    await assert.rejects(dial(bare, {}), CertificateError);
  });

  it("refuses a dialling party of another authority, or without a certificate, where the listener has one", async () => {
    for (const dials of [{ ca: AUTHORITY }, { ...certificatesOf("impostor"), ca: AUTHORITY }]) {
      const taken: Link[] = [];
      const listener = await new WebSocketTransport({ certificates: LOCALHOST }).listen("wss://localhost:0", (link) =>
        taken.push(link),
      );
      await assert.rejects(
        new WebSocketTransport({ certificates: dials }).dial(listener.address, 3000),
        (error: unknown) => {
          // TLS 1.3 says so by an alert or by a reset, whichever is read first.
          assert.ok(error instanceof CertificateError || error instanceof ConnectError, String(error));
          return true;
        },
      );
      assert.equal(taken.length, 0);
      await listener.close();
    }
    const link = await dial(LOCALHOST, LOCALHOST, "127.0.0.1");
    assert.equal(link.loopback, true);
  });

  it("wants a certificate with its key to listen", async () => {
    const listen = (certificates?: Certificates) =>
      new WebSocketTransport({ certificates }).listen("wss://localhost:0", () => undefined);
    await assert.rejects(listen(), refused(CertificateError, /expected certificates with cert and key, got none/));
    await assert.rejects(listen({ cert: "no PEM", key: "no PEM" }), refused(CertificateError, /expected PEM texts/));
  });
});
