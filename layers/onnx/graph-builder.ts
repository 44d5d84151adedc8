import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type AttributeProtoSchema,
  type GraphProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from "onnx-buf";

/** A dimension: a size, or a name for one that is known when the graph runs. */
export type Dimension = number | string;
export type ElementType = "float32" | "float64" | "int64";
type Attribute = number | string | readonly number[] | { readonly float: number };

/** Where an external tensor lies: bytes [offset, offset + bytes) of `file`, relative to the folder given when the session opens. */
export interface ExternalRange {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/** ONNX opset 21 (ONNX 1.16), ir_version 10: what the standard operators below come from. */
const OPSET = 21;
const IR_VERSION = 10n;
/** Operators of ONNX Runtime itself (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md). */
export const MICROSOFT = "com.microsoft";

/** Collects nodes and serialises them as an ONNX model. Values are names. */
export class GraphBuilder {
  readonly #nodes: (MessageInitShape<typeof NodeProtoSchema> & { input: string[]; output: string[] })[] = [];
  readonly #inputs: MessageInitShape<typeof ValueInfoProtoSchema>[] = [];
  readonly #outputs: MessageInitShape<typeof ValueInfoProtoSchema>[] = [];
  readonly #initializers = new Map<string, MessageInitShape<typeof TensorProtoSchema>>();
  readonly #renamed = new Map<string, string>();
  #values = 0;

  /** Declares an input and gives its name back. */
  input(name: string, type: ElementType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Makes `value`, which a node computes, an output called `name`; it stays usable under both names. */
  output(name: string, value: string, type: ElementType, shape: readonly Dimension[]): void {
    const now = this.#renamed.get(value) ?? value;
    const rename = (names: string[]): void => names.forEach((used, at) => used === now && (names[at] = name));
    for (const node of this.#nodes) [node.input, node.output].forEach(rename);
    this.#renamed.set(value, name);
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** Adds a node with one output and gives its name; an attribute given as { float } is a float, a bare number an integer. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): string {
    return this.nodes(opType, inputs, 1, attributes, domain)[0];
  }

  /** Adds a node with `outputs` outputs and gives their names. */
  nodes(
    opType: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): string[] {
    const names = Array.from({ length: outputs }, () => `v${this.#values++}`);
    this.#nodes.push({
      opType,
      domain,
      name: `${opType}.${names[0]}`,
      input: inputs.map((input) => this.#renamed.get(input) ?? input),
      output: names,
      attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    });
    return names;
  }

  /** An initializer whose data stay in a file; declared once a name. */
  external(name: string, shape: readonly number[], range: ExternalRange): string {
    this.#initializers.set(name, {
      name,
      dataType: TensorProto_DataType.FLOAT,
      dims: shape.map(BigInt),
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [
        { key: "location", value: range.file },
        { key: "offset", value: String(range.offset) },
        { key: "length", value: String(range.bytes) },
      ],
    });
    return name;
  }

  /** A constant float32 scalar. */
  scalar(value: number): string {
    const name = `float.${value}`;
    this.#initializers.set(name, { name, dataType: TensorProto_DataType.FLOAT, dims: [], floatData: [value] });
    return name;
  }

  /** A constant int64 vector: shapes, axes, sizes. */
  integers(values: readonly number[]): string {
    const name = `int.${values.join(".")}`;
    this.#initializers.set(name, {
      name,
      dataType: TensorProto_DataType.INT64,
      dims: [BigInt(values.length)],
      int64Data: values.map(BigInt),
    });
    return name;
  }

  /** The model as bytes. */
  build(graphName: string): Uint8Array {
    const graph: MessageInitShape<typeof GraphProtoSchema> = {
      name: graphName,
      node: this.#nodes,
      input: this.#inputs,
      output: this.#outputs,
      initializer: [...this.#initializers.values()],
    };
    const opsetImport = [
      { domain: "", version: BigInt(OPSET) },
      { domain: MICROSOFT, version: 1n },
    ];
    return toBinary(
      ModelProtoSchema,
      create(ModelProtoSchema, { irVersion: IR_VERSION, producerName: "weir", opsetImport, graph }),
    );
  }
}

function valueInfo(
  name: string,
  type: ElementType,
  shape: readonly Dimension[],
): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = shape.map((size) => ({
    value:
      typeof size === "number"
        ? ({ case: "dimValue", value: BigInt(size) } as const)
        : ({ case: "dimParam", value: size } as const),
  }));
  return { name, type: { value: { case: "tensorType", value: { elemType: DATA_TYPES[type], shape: { dim } } } } };
}

const DATA_TYPES = {
  float32: TensorProto_DataType.FLOAT,
  float64: TensorProto_DataType.DOUBLE,
  int64: TensorProto_DataType.INT64,
} as const satisfies Record<ElementType, TensorProto_DataType>;

function attribute(name: string, value: Attribute): MessageInitShape<typeof AttributeProtoSchema> {
  if (typeof value === "number") return { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) };
  if (typeof value === "string")
    return { name, type: AttributeProto_AttributeType.STRING, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: AttributeProto_AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeProto_AttributeType.INTS, ints: value.map(BigInt) };
}
