import { ProtobufMessage } from "./protobuf-message.ts";

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
const IR_VERSION = 10;
/** Operators of ONNX Runtime itself (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md). */
export const MICROSOFT = "com.microsoft";

/** Numbers of onnx.proto3 (ONNX 1.16): fields of its messages, and of its enumerations. */
const MODEL = { irVersion: 1, producerName: 2, graph: 7, opsetImport: 8 } as const;
const OPERATOR_SET = { domain: 1, version: 2 } as const;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { name: 1, f: 2, i: 3, s: 4, ints: 8, type: 20 } as const;
const ATTRIBUTE_TYPES = { float: 1, int: 2, string: 3, ints: 7 } as const;
const TENSOR = {
  dims: 1,
  dataType: 2,
  floatData: 4,
  int64Data: 7,
  name: 8,
  externalData: 13,
  dataLocation: 14,
} as const;
const DATA_TYPES = { float32: 1, int64: 7, float64: 11 } as const satisfies Record<ElementType, number>;
const EXTERNAL = 1;
const ENTRY = { key: 1, value: 2 } as const;
const VALUE_INFO = { name: 1, type: 2 } as const;
const TYPE = { tensorType: 1 } as const;
const TENSOR_TYPE = { elemType: 1, shape: 2 } as const;
const SHAPE = { dim: 1 } as const;
const DIMENSION = { dimValue: 1, dimParam: 2 } as const;

interface GraphNode {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  readonly input: string[];
  readonly output: string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Collects nodes and serialises them as an ONNX model. Values are names. */
export class GraphBuilder {
  readonly #nodes: GraphNode[] = [];
  readonly #inputs: ProtobufMessage[] = [];
  readonly #outputs: ProtobufMessage[] = [];
  readonly #initializers = new Map<string, ProtobufMessage>();
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
      attributes,
    });
    return names;
  }

  /** An initializer whose data stay in a file; declared once a name. */
  external(name: string, shape: readonly number[], range: ExternalRange): string {
    const tensor = tensorOf(shape, "float32").text(TENSOR.name, name);
    const entries = { location: range.file, offset: String(range.offset), length: String(range.bytes) };
    for (const [key, value] of Object.entries(entries))
      tensor.message(TENSOR.externalData, new ProtobufMessage().text(ENTRY.key, key).text(ENTRY.value, value));
    this.#initializers.set(name, tensor.integer(TENSOR.dataLocation, EXTERNAL));
    return name;
  }

  /** A constant float32 scalar. */
  scalar(value: number): string {
    const name = `float.${value}`;
    this.#initializers.set(name, tensorOf([], "float32").floats(TENSOR.floatData, [value]).text(TENSOR.name, name));
    return name;
  }

  /** A constant int64 vector: shapes, axes, sizes. */
  integers(values: readonly number[]): string {
    const name = `int.${values.join(".")}`;
    const tensor = tensorOf([values.length], "int64").integers(TENSOR.int64Data, values).text(TENSOR.name, name);
    this.#initializers.set(name, tensor);
    return name;
  }

  /** The model as bytes. */
  build(graphName: string): Uint8Array {
    const graph = new ProtobufMessage();
    for (const node of this.#nodes) graph.message(GRAPH.node, nodeMessage(node));
    graph.text(GRAPH.name, graphName);
    for (const initializer of this.#initializers.values()) graph.message(GRAPH.initializer, initializer);
    for (const input of this.#inputs) graph.message(GRAPH.input, input);
    for (const output of this.#outputs) graph.message(GRAPH.output, output);
    return new ProtobufMessage()
      .integer(MODEL.irVersion, IR_VERSION)
      .text(MODEL.producerName, "weir")
      .message(MODEL.graph, graph)
      .message(
        MODEL.opsetImport,
        new ProtobufMessage().text(OPERATOR_SET.domain, "").integer(OPERATOR_SET.version, OPSET),
      )
      .message(
        MODEL.opsetImport,
        new ProtobufMessage().text(OPERATOR_SET.domain, MICROSOFT).integer(OPERATOR_SET.version, 1),
      )
      .finish();
  }
}

function nodeMessage({ name, opType, domain, input, output, attributes }: GraphNode): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const value of input) message.text(NODE.input, value);
  for (const value of output) message.text(NODE.output, value);
  message.text(NODE.name, name).text(NODE.opType, opType);
  for (const [key, value] of Object.entries(attributes)) message.message(NODE.attribute, attribute(key, value));
  return message.text(NODE.domain, domain);
}

/** The beginning of a tensor: its shape and the type of its elements. */
function tensorOf(shape: readonly number[], type: ElementType): ProtobufMessage {
  const message = new ProtobufMessage();
  for (const size of shape) message.integer(TENSOR.dims, size);
  return message.integer(TENSOR.dataType, DATA_TYPES[type]);
}

function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]): ProtobufMessage {
  const dimensions = new ProtobufMessage();
  for (const size of shape) {
    const dimension = new ProtobufMessage();
    if (typeof size === "number") dimension.integer(DIMENSION.dimValue, size);
    else dimension.text(DIMENSION.dimParam, size);
    dimensions.message(SHAPE.dim, dimension);
  }
  const tensor = new ProtobufMessage()
    .integer(TENSOR_TYPE.elemType, DATA_TYPES[type])
    .message(TENSOR_TYPE.shape, dimensions);
  return new ProtobufMessage()
    .text(VALUE_INFO.name, name)
    .message(VALUE_INFO.type, new ProtobufMessage().message(TYPE.tensorType, tensor));
}

function attribute(name: string, value: Attribute): ProtobufMessage {
  const message = new ProtobufMessage().text(ATTRIBUTE.name, name);
  const typed = (type: keyof typeof ATTRIBUTE_TYPES): ProtobufMessage =>
    message.integer(ATTRIBUTE.type, ATTRIBUTE_TYPES[type]);
  if (typeof value === "number") {
    message.integer(ATTRIBUTE.i, value);
    return typed("int");
  }
  if (typeof value === "string") {
    message.text(ATTRIBUTE.s, value);
    return typed("string");
  }
  if ("float" in value) {
    message.float(ATTRIBUTE.f, value.float);
    return typed("float");
  }
  for (const each of value) message.integer(ATTRIBUTE.ints, each);
  return typed("ints");
}
