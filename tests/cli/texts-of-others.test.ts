import assert from "node:assert/strict";
import { it } from "node:test";
import { withoutControls } from "../../cli/terminal.ts";
import { reportFailure } from "../../cli/failure.ts";

const ESCAPES = "comp.1: \u001b]0;mine\u0007\u001b[2J\u009b31m\r\u007fdone\n\tnext";
const SHOWN = "comp.1: \\x1b]0;mine\\x07\\x1b[2J\\x9b31m\\x0d\\x7fdone\n\tnext";

it("shows what would move a terminal's cursor as text", () => {
  assert.equal(withoutControls(ESCAPES), SHOWN);
  assert.equal(withoutControls("Größe, 漢字, 🙂\n"), "Größe, 漢字, 🙂\n");
});

it("shows a node's reason so where a command fails of it", () => {
  const [write, code] = [process.stderr.write.bind(process.stderr), process.exitCode];
  let written = "";
  process.stderr.write = (text: string | Uint8Array) => (written += String(text)).length > 0;
  try {
    reportFailure(new Error(ESCAPES));
  } finally {
    process.stderr.write = write;
    process.exitCode = code;
  }
  assert.ok(written.endsWith(` ${SHOWN}\n`), JSON.stringify(written));
});
