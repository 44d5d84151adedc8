// AssemblyScript. Kernels over 64-bit words at byte addresses, `count` words each; `out` may be an operand. Meaning: shares/ring-reference.ts.

/** out = a + b */
export function add(out: usize, a: usize, b: usize, count: i32): void {
  const end = out + ((<usize>count) << 3);
  const pairs = out + ((<usize>count & ~1) << 3);
  for (; out < pairs; out += 16, a += 16, b += 16) v128.store(out, i64x2.add(v128.load(a), v128.load(b)));
  if (out < end) store<u64>(out, load<u64>(a) + load<u64>(b));
}

/** out = a - b */
export function subtract(out: usize, a: usize, b: usize, count: i32): void {
  const end = out + ((<usize>count) << 3);
  const pairs = out + ((<usize>count & ~1) << 3);
  for (; out < pairs; out += 16, a += 16, b += 16) v128.store(out, i64x2.sub(v128.load(a), v128.load(b)));
  if (out < end) store<u64>(out, load<u64>(a) - load<u64>(b));
}

/** out = a + factor * b */
export function addScaled(out: usize, a: usize, b: usize, factor: u64, count: i32): void {
  const end = out + ((<usize>count) << 3);
  const quads = out + ((<usize>count & ~3) << 3);
  for (; out < quads; out += 32, a += 32, b += 32) {
    store<u64>(out, load<u64>(a) + factor * load<u64>(b));
    store<u64>(out, load<u64>(a, 8) + factor * load<u64>(b, 8), 8);
    store<u64>(out, load<u64>(a, 16) + factor * load<u64>(b, 16), 16);
    store<u64>(out, load<u64>(a, 24) + factor * load<u64>(b, 24), 24);
  }
  for (; out < end; out += 8, a += 8, b += 8) store<u64>(out, load<u64>(a) + factor * load<u64>(b));
}

/** out = factor * a + addend */
export function scale(out: usize, a: usize, factor: u64, addend: u64, count: i32): void {
  const end = out + ((<usize>count) << 3);
  const quads = out + ((<usize>count & ~3) << 3);
  for (; out < quads; out += 32, a += 32) {
    store<u64>(out, factor * load<u64>(a) + addend);
    store<u64>(out, factor * load<u64>(a, 8) + addend, 8);
    store<u64>(out, factor * load<u64>(a, 16) + addend, 16);
    store<u64>(out, factor * load<u64>(a, 24) + addend, 24);
  }
  for (; out < end; out += 8, a += 8) store<u64>(out, factor * load<u64>(a) + addend);
}

/** out = a * b */
export function multiply(out: usize, a: usize, b: usize, count: i32): void {
  const end = out + ((<usize>count) << 3);
  const quads = out + ((<usize>count & ~3) << 3);
  for (; out < quads; out += 32, a += 32, b += 32) {
    store<u64>(out, load<u64>(a) * load<u64>(b));
    store<u64>(out, load<u64>(a, 8) * load<u64>(b, 8), 8);
    store<u64>(out, load<u64>(a, 16) * load<u64>(b, 16), 16);
    store<u64>(out, load<u64>(a, 24) * load<u64>(b, 24), 24);
  }
  for (; out < end; out += 8, a += 8, b += 8) store<u64>(out, load<u64>(a) * load<u64>(b));
}

/** out = ((x & mask) >> bits) + addend; bits < 64 */
export function shiftRight(out: usize, x: usize, mask: u64, bits: i32, addend: u64, count: i32): void {
  const end = out + ((<usize>count) << 3);
  const pairs = out + ((<usize>count & ~1) << 3);
  const masks = i64x2.splat(mask);
  const addends = i64x2.splat(addend);
  for (; out < pairs; out += 16, x += 16)
    v128.store(out, i64x2.add(i64x2.shr_u(v128.and(v128.load(x), masks), bits), addends));
  if (out < end) store<u64>(out, ((load<u64>(x) & mask) >> <u64>bits) + addend);
}

/** out = x * factors, the same factors for every row; x [rows, columns] */
export function multiplyColumns(out: usize, x: usize, factors: usize, rows: i32, columns: i32): void {
  const bytes = (<usize>columns) << 3;
  for (let row = 0; row < rows; row++, out += bytes, x += bytes) multiply(out, x, factors, columns);
}

/** out = x + addends, the same addends for every row; x [rows, columns] */
export function addColumns(out: usize, x: usize, addends: usize, rows: i32, columns: i32): void {
  const bytes = (<usize>columns) << 3;
  for (let row = 0; row < rows; row++, out += bytes, x += bytes) add(out, x, addends, columns);
}

/** out = x * factors[segment]; x [segments, width] */
export function multiplySegments(out: usize, x: usize, factors: usize, segments: i32, width: i32): void {
  const bytes = (<usize>width) << 3;
  for (let segment = 0; segment < segments; segment++, out += bytes, x += bytes, factors += 8)
    scale(out, x, load<u64>(factors), 0, width);
}

/** out[segment] = sum of x over the segment; x [segments, width] */
export function sumSegments(out: usize, x: usize, segments: i32, width: i32): void {
  for (let segment = 0; segment < segments; segment++, out += 8) {
    let sum: u64 = 0;
    for (let i = 0; i < width; i++, x += 8) sum += load<u64>(x);
    store<u64>(out, sum);
  }
}

/** out[i] = sum of x over [offsets[i], offsets[i + 1]) - base; offsets: 32-bit integers */
export function sumRagged(out: usize, x: usize, offsets: usize, base: i32, segments: i32): void {
  for (let segment = 0; segment < segments; segment++, out += 8, offsets += 4) {
    let sum: u64 = 0;
    const end = x + ((<usize>(load<i32>(offsets, 4) - base)) << 3);
    for (let at = x + ((<usize>(load<i32>(offsets) - base)) << 3); at < end; at += 8) sum += load<u64>(at);
    store<u64>(out, sum);
  }
}

/** out = x - values[i] over [offsets[i], offsets[i + 1]) - base; offsets: 32-bit integers */
export function subtractRagged(out: usize, x: usize, values: usize, offsets: usize, base: i32, segments: i32): void {
  for (let segment = 0; segment < segments; segment++, values += 8, offsets += 4) {
    const first = (<usize>(load<i32>(offsets) - base)) << 3;
    scale(out + first, x + first, 1, 0 - load<u64>(values), load<i32>(offsets, 4) - load<i32>(offsets));
  }
}
