/** The graphs that weir writes are messages of ONNX: another implementation of protobuf reads them, and writes the same bytes. */
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataType } from "onnx-buf";
import { GraphBuilder } from "../../layers/onnx/graph-builder.ts";
import {
  attendGraph,
  embedGraph,
  finishGraph,
  logitsGraph,
  postGraph,
  preGraph,
} from "../../layers/onnx/stage-graphs.ts";
import { prepareWeights } from "../../layers/onnx/weight-file.ts";
import { MODEL_NAMES, openGolden } from "./golden-models.ts";
import { scratchFolder } from "./scratch-folder.ts";

const scratch = await scratchFolder();
process.env.WEIR_CACHE = path.join(scratch.path, "cache");

for (const name of MODEL_NAMES)
  test(`${name}: every stage is read back as it was written`, async () => {
    const { model } = await openGolden(name);
    const weights = await prepareWeights(model);
    const graphs = [
      embedGraph(model, weights),
      preGraph(model, weights, 0),
      attendGraph(model.program.attention(model.spec, 0)),
      postGraph(model, weights, 0),
      finishGraph(model, weights),
      logitsGraph(model, weights),
    ].filter((graph) => graph !== null);
    for (const bytes of graphs) {
      const read = fromBinary(ModelProtoSchema, bytes);
      assert.ok((read.graph?.node.length ?? 0) > 0);
      assert.equal(read.$unknown, undefined);
      assert.deepEqual(Buffer.from(toBinary(ModelProtoSchema, read)), Buffer.from(bytes));
    }
    await model.close();
  });

test("attributes, constants and shapes have the values that were given", () => {
  const graph = new GraphBuilder();
  const x = graph.input("x", "float32", ["rows", 300]);
  const attributes = { axis: -1, zero: 0, big: 2 ** 40, list: [1, -2, 3], ratio: { float: 0.1 }, mode: "ü" };
  const y = graph.node("Op", [x, graph.scalar(-0.5), graph.integers([0, -7, 2 ** 33])], attributes, "domain");
  graph.output("y", y, "int64", [1]);
  const read = fromBinary(ModelProtoSchema, graph.build("name")).graph!;
  const [node] = read.node;
  assert.deepEqual([node.opType, node.domain, node.output], ["Op", "domain", ["y"]]);
  const given = Object.fromEntries(
    node.attribute.map(({ name, i, f, ints, s }) => [name, { i, f, ints, s: new TextDecoder().decode(s) }]),
  );
  assert.deepEqual([given.axis.i, given.zero.i, given.big.i], [-1n, 0n, 2n ** 40n]);
  assert.deepEqual(given.list.ints, [1n, -2n, 3n]);
  assert.equal(given.ratio.f, Math.fround(0.1));
  assert.equal(given.mode.s, "ü");
  assert.deepEqual(
    read.initializer.map(({ floatData, int64Data }) => [...floatData, ...int64Data]),
    [[-0.5], [0n, -7n, 2n ** 33n]],
  );
  const { value } = read.input[0].type!.value as {
    value: { elemType: number; shape: { dim: { value: { value: unknown } }[] } };
  };
  assert.equal(value.elemType, TensorProto_DataType.FLOAT);
  assert.deepEqual(
    value.shape.dim.map(({ value }) => value.value),
    ["rows", 300n],
  );
});
