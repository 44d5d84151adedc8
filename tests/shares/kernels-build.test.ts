import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { main } from "assemblyscript/asc";

const CHECKOUT = path.resolve(import.meta.dirname, "../..");
const FOLDER = "shares/kernels";

describe("the kernels in WebAssembly", () => {
  it("are what `npm run build:kernels` makes of their sources", async () => {
    const { scripts } = JSON.parse(readFileSync(path.join(CHECKOUT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const [command, ...options] = scripts["build:kernels"].split(" ");
    assert.equal(command, "asc");
    options[options.indexOf(FOLDER)] = path.join(CHECKOUT, FOLDER);
    const written = new Map<string, Uint8Array | string>();
    const { error } = await main(options, { writeFile: (name, contents) => void written.set(name, contents) });
    assert.equal(error, null);
    assert.deepEqual([...written.keys()], ["kernels.wasm"]);
    const committed = readFileSync(path.join(CHECKOUT, FOLDER, "kernels.wasm"));
    assert.ok(committed.equals(written.get("kernels.wasm") as Uint8Array), "run npm run build:kernels and commit");
  });
});
