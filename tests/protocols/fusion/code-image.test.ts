/** Code images: an edit is never missed, and whatever happens to the cache, what runs is what the sources say. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";

const IMAGES = path.resolve(import.meta.dirname, "../../../protocols/fusion/image");

/** A start as cli/weir.mjs makes it: the image that there is, else a new one, and its compiled code kept. */
const START = `
  const images = require(process.argv[1] + "/code-image.cjs");
  const root = process.argv[2];
  (async () => {
    const found = images.findImage(root, "entry.ts");
    const { buildImage } = await import(process.argv[1] + "/build-image.mjs");
    const file = found ?? (await buildImage(root, "entry.ts"));
    const image = images.loadImage(file, root, ["main"]);
    console.log(JSON.stringify({ found: found !== null, file, said: await image.exports.say() }));
    image.keep("main");
  })();
`;

interface Start {
  /** An image was there. */
  readonly found: boolean;
  readonly file: string;
  /** What the entry says. */
  readonly said: string;
}

interface Checkout {
  readonly root: string;
  readonly cache: string;
  readonly write: (name: string, text: string) => Promise<void>;
  readonly start: () => Promise<Start>;
}

/** A checkout of one entry, a file that it imports, one that it loads later, and a package; in a folder with a space in its name. */
async function checkout(t: TestContext): Promise<Checkout> {
  const folder = await mkdtemp(path.join(tmpdir(), "weir image "));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const root = path.join(folder, "the checkout");
  const write = async (name: string, text: string): Promise<void> => {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  };
  await write("package.json", '{ "type": "module" }');
  await write("node_modules/apart/package.json", '{ "name": "apart", "type": "module", "exports": "./apart.js" }');
  await write("node_modules/apart/apart.js", 'export const apart: string = "a1";'.replace(": string", ""));
  await write("part/part.ts", 'export const part: string = "p1";');
  await write("part/later.ts", 'export const later: string = "l1";');
  await write(
    "entry.ts",
    `import { apart } from "apart";
     import { part } from "./part/part.ts";
     export const say = async (): Promise<string> => [apart, part, (await import("./part/later.ts")).later].join(" ");`,
  );
  return {
    root,
    cache: path.join(root, "node_modules", ".cache", "weir"),
    write,
    async start() {
      const env = { ...process.env, WEIR_CACHE: path.join(folder, "weir cache"), TMPDIR: folder };
      const { stdout } = await promisify(execFile)(process.execPath, ["-e", START, IMAGES, root], { env });
      return JSON.parse(stdout) as Start;
    },
  };
}

/** Waits until a file's time of change is old enough for an image to be kept at the first attempt. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 120));

describe("a code image", () => {
  it("is made once, and found again", async (t) => {
    const { start } = await checkout(t);
    const first = await start();
    assert.deepEqual([first.found, first.said], [false, "a1 p1 l1"]);
    assert.deepEqual(await start(), { ...first, found: true });
  });

  it("follows every edit: of the entry, an import, one that is loaded later, a package", async (t) => {
    const { start, write } = await checkout(t);
    await start();
    const edits: readonly [file: string, text: string, said: string][] = [
      ["part/part.ts", 'export const part: string = "p2";', "a1 p2 l1"],
      ["part/later.ts", 'export const later: string = "l2";', "a1 p2 l2"],
      ["node_modules/apart/apart.js", 'export const apart = "a2";', "a2 p2 l2"],
      ["entry.ts", "export const say = (): string => 'e2';", "e2"],
    ];
    for (const [file, text, said] of edits) {
      await write(file, text);
      assert.equal((await start()).said, said, file);
    }
  });

  it("follows an edit that keeps size and time of writing, right after the image was made", async (t) => {
    const { root, start, write } = await checkout(t);
    await settle();
    const file = path.join(root, "part/part.ts");
    await start();
    for (const [text, said] of [
      ['export const part: string = "p3";', "a1 p3 l1"],
      ['export const part: string = "p4";', "a1 p4 l1"],
    ]) {
      const { atime, mtime } = await stat(file);
      await write("part/part.ts", text);
      await utimes(file, atime, mtime);
      assert.equal((await start()).said, said);
    }
  });

  it("follows an edit while the image is being made", async (t) => {
    const { root, start, write } = await checkout(t);
    // Long to translate, so that an edit comes between the reading of its neighbour and the end.
    await write("part/later.ts", `export const later = [${"[1, 2, 3],".repeat(200_000)}].length;`);
    await settle();
    for (const [at, afterMs] of [250, 500].entries()) {
      await write("entry.ts", (await readFile(path.join(root, "entry.ts"), "utf8")).concat("\n"));
      const making = start();
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await write("part/part.ts", `export const part: string = "q${at}";`);
      await making;
      assert.equal((await start()).said, `a1 q${at} 200000`);
    }
  });

  it("follows a file that another one takes the place of, and a package's new description", async (t) => {
    const { root, start, write } = await checkout(t);
    await start();
    await write("part/new.ts", 'export const part: string = "p5";');
    await rename(path.join(root, "part/new.ts"), path.join(root, "part/part.ts"));
    assert.equal((await start()).said, "a1 p5 l1");
    await write("node_modules/apart/other.js", 'export const apart = "a5";');
    await write("node_modules/apart/package.json", '{ "name": "apart", "type": "module", "exports": "./other.js" }');
    assert.equal((await start()).said, "a5 p5 l1");
  });

  it("is the earlier one again where the sources are", async (t) => {
    const { start, write } = await checkout(t);
    const first = await start();
    await write("part/part.ts", 'export const part: string = "p6";');
    assert.notEqual((await start()).file, first.file);
    await write("part/part.ts", 'export const part: string = "p1";');
    assert.deepEqual(await start(), first);
  });

  it("isn't there where a source is gone or wrong: the error is the source's", async (t) => {
    const { root, start, write } = await checkout(t);
    await start();
    await write("part/part.ts", "export const part: string = ;");
    await assert.rejects(start(), /part\.ts/);
    await rm(path.join(root, "part/part.ts"));
    await assert.rejects(start(), /part\.ts/);
  });

  it("is made by several first starts at once", async (t) => {
    const { cache, start } = await checkout(t);
    await settle();
    const starts = await Promise.all(Array.from({ length: 5 }, start));
    for (const { said } of starts) assert.equal(said, "a1 p1 l1");
    assert.equal(new Set(starts.map(({ file }) => file)).size, 1);
    assert.equal((await start()).found, true);
    assert.deepEqual(
      (await readdir(cache)).filter((name) => name.endsWith(".part")),
      [],
    );
  });

  it("lies in weir's cache where the packages can't be written beside, and in a folder of the process where neither can", async (t) => {
    const { root, cache, start } = await checkout(t);
    await settle();
    await writeFile(path.join(root, "node_modules", ".cache"), "a file, so no folder");
    const beside = await start();
    assert.equal(beside.said, "a1 p1 l1");
    assert.ok(!beside.file.startsWith(cache) && beside.file.includes("weir cache"), beside.file);
    assert.deepEqual(await start(), { ...beside, found: true });
    const shared = path.join(root, "..", "weir cache");
    await rm(shared, { recursive: true });
    await writeFile(shared, "a file, so no folder");
    const alone = await start();
    assert.deepEqual([alone.found, alone.said], [false, "a1 p1 l1"]);
    await assert.rejects(stat(alone.file), /ENOENT/);
  });

  it("takes no compiled code but its own, and no list of inputs that is cut short", async (t) => {
    const { cache, start } = await checkout(t);
    await settle();
    const first = await start();
    const [compiled] = (await readdir(cache)).filter((name) => name.endsWith(".v8"));
    assert.ok(first.file.startsWith(path.join(cache, compiled.split(".")[0])), compiled);
    const file = path.join(cache, compiled);
    const good = await readFile(file);
    for (const bad of [Buffer.alloc(0), Buffer.from("not compiled"), good.subarray(0, good.length / 2)]) {
      await writeFile(file, bad);
      assert.deepEqual(await start(), { ...first, found: true });
      assert.ok((await readFile(file)).length > bad.length, "expected compiled code in place of what was refused");
    }
    const list = path.join(cache, "entry.json");
    await writeFile(list, (await readFile(list, "utf8")).slice(0, -20));
    assert.deepEqual(await start(), first);
    assert.equal((await start()).found, true);
  });

  it("keeps code alone: what a run makes of its secrets isn't in it", async (t) => {
    const { cache, start, write } = await checkout(t);
    await write(
      "part/later.ts",
      `const made = ["t", "e", "r", "c", "e", "s"].toReversed().join("") + "7391";
       const table: Record<string, string> = { [made]: made + made };
       export const later = [Object.keys(table)[0], new RegExp(made).source, "written down"].join();`,
    );
    assert.equal((await start()).said, "a1 p1 secret7391,secret7391,written down");
    const [compiled] = (await readdir(cache)).filter((name) => name.endsWith(".v8"));
    const kept = await readFile(path.join(cache, compiled), "latin1");
    assert.ok(kept.includes("written down"), "expected the constants of the source");
    assert.ok(!kept.includes("secret"), "expected nothing that was made when it ran");
  });

  it("answers where a source is, in the checkout that runs it", async (t) => {
    const { root, start, write } = await checkout(t);
    await write(
      "part/part.ts",
      "export const part = JSON.stringify([import.meta.url, import.meta.dirname, import.meta.filename]);",
    );
    await write("part/later.ts", 'export const later = import.meta.resolve("apart");');
    const [, places, resolved] = (await start()).said.split(/ (?=\[|file:)/);
    const file = path.join(root, "part", "part.ts");
    assert.deepEqual(JSON.parse(places), [`file://${file.replaceAll(" ", "%20")}`, path.dirname(file), file]);
    assert.match(resolved, /^file:.*\/node_modules\/apart\/apart\.js$/);
  });
});
