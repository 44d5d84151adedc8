/** How a field's value is written (protobuf.dev, "Encoding"). */
const VARINT = 0;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/**
 * A protobuf message that is being written, field by field in ascending order. The few fields of a graph need no library: loading one
 * took every node process 10 ms of CPU.
 */
export class ProtobufMessage {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** A field of an integer type, of magnitude below 2^53; negative ones as 64-bit two's complement. */
  integer(field: number, value: number): this {
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
    return this;
  }

  /** A field of type float. */
  float(field: number, value: number): this {
    this.#varint(field * 8 + FIXED_32);
    this.#append(float32(value));
    return this;
  }

  /** A field of type string, in UTF-8. */
  text(field: number, value: string): this {
    return this.#delimited(field, new TextEncoder().encode(value));
  }

  /** A field that is a message of its own. */
  message(field: number, value: ProtobufMessage): this {
    return this.#delimited(field, value.finish());
  }

  /** A repeated field of an integer type, packed. */
  integers(field: number, values: readonly number[]): this {
    const packed = new ProtobufMessage();
    for (const value of values) packed.#varint(value);
    return this.#delimited(field, packed.finish());
  }

  /** A repeated field of type float, packed. */
  floats(field: number, values: readonly number[]): this {
    const packed = new ProtobufMessage();
    for (const value of values) packed.#append(float32(value));
    return this.#delimited(field, packed.finish());
  }

  /** The bytes written so far. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #delimited(field: number, bytes: Uint8Array): this {
    this.#varint(field * 8 + LENGTH_DELIMITED);
    this.#varint(bytes.length);
    this.#append(bytes);
    return this;
  }

  /** Seven bits a byte, lowest first, the top bit set in all but the last. */
  #varint(value: number): void {
    const bytes: number[] = [];
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
      bytes.push(Number(rest));
    } else {
      let rest = value;
      for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
      bytes.push(rest);
    }
    this.#append(bytes);
  }

  #append(bytes: ArrayLike<number>): void {
    const end = this.#length + bytes.length;
    if (end > this.#bytes.length) {
      const room = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      room.set(this.#bytes);
      this.#bytes = room;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }
}

/** The four bytes of a float32, least significant first. */
function float32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return bytes;
}
