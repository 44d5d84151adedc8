// AssemblyScript. Dealt words times public table entries, straight from the packed stream: the inner loops of the series and exp gates.
import { wordAt } from "./packed-word";

/**
 * out[i] = sum over j < terms of table[h_j x_i & mask] * w[i][2 j] + table[(h_j x_i - quarter) & mask] * w[i][2 j + 1], where w is packed
 * from bit `bitOffset` on. x, harmonics, table: 32-bit integers.
 */
export function seriesSums(
  out: usize,
  x: usize,
  count: i32,
  bytes: usize,
  bits: u32,
  bitOffset: u32,
  table: usize,
  mask: u32,
  quarter: u32,
  harmonics: usize,
  terms: i32,
): void {
  const wordMask: u64 = 0xffff_ffff_ffff_ffff >> (64 - bits);
  const end = harmonics + ((<usize>terms) << 2);
  let at = bitOffset;
  for (let i = 0; i < count; i++, out += 8, x += 4) {
    const turn = load<u32>(x);
    let sum: u64 = 0;
    if (bits <= 57)
      for (let h = harmonics; h < end; h += 4) {
        const angle = load<u32>(h) * turn;
        const cos = <i64>load<i32>(table + ((<usize>(angle & mask)) << 2));
        const sin = <i64>load<i32>(table + ((<usize>((angle - quarter) & mask)) << 2));
        sum += cos * ((load<u64>(bytes + (at >> 3)) >> (at & 7)) & wordMask);
        at += bits;
        sum += sin * ((load<u64>(bytes + (at >> 3)) >> (at & 7)) & wordMask);
        at += bits;
      }
    else
      for (let h = harmonics; h < end; h += 4) {
        const angle = load<u32>(h) * turn;
        const cos = <i64>load<i32>(table + ((<usize>(angle & mask)) << 2));
        const sin = <i64>load<i32>(table + ((<usize>((angle - quarter) & mask)) << 2));
        sum += cos * wordAt(bytes, at, bits, wordMask);
        at += bits;
        sum += sin * wordAt(bytes, at, bits, wordMask);
        at += bits;
      }
    store<u64>(out, sum);
  }
}

/**
 * What the dealer deals for it: out[i][2 j] = round(a_j c - b_j s), out[i][2 j + 1] = round(a_j s + b_j c), c = table[h_j r_i & mask],
 * s = table[(h_j r_i - quarter) & mask]; ties to even, magnitudes below 2^63. table, a, b: float64; r, harmonics: 32-bit integers.
 */
export function seriesWords(
  out: usize,
  r: usize,
  count: i32,
  table: usize,
  mask: u32,
  quarter: u32,
  harmonics: usize,
  a: usize,
  b: usize,
  terms: i32,
): void {
  for (let i = 0; i < count; i++, r += 4) {
    const turn = load<u32>(r);
    for (let j: usize = 0; j < <usize>terms; j++, out += 16) {
      const angle = load<u32>(harmonics + (j << 2)) * turn;
      const c = load<f64>(table + ((<usize>(angle & mask)) << 3));
      const s = load<f64>(table + ((<usize>((angle - quarter) & mask)) << 3));
      const aj = load<f64>(a + (j << 3));
      const bj = load<f64>(b + (j << 3));
      store<i64>(out, <i64>nearest(aj * c - bj * s));
      store<i64>(out, <i64>nearest(aj * s + bj * c), 8);
    }
  }
}

/** out[i] = word choice[i] of group i of `width` packed words; choice: 32-bit integers below `width`. */
export function pickWords(
  out: usize,
  choice: usize,
  count: i32,
  width: u32,
  bytes: usize,
  bits: u32,
  bitOffset: u32,
): void {
  const mask: u64 = 0xffff_ffff_ffff_ffff >> (64 - bits);
  let at = bitOffset;
  for (let i = 0; i < count; i++, out += 8, choice += 4, at += width * bits)
    store<u64>(out, wordAt(bytes, at + load<u32>(choice) * bits, bits, mask));
}

/** out[i] = sum over j < width of entries[i][j] * w[i][j], where w is packed from bit `bitOffset` on; entries: 32-bit integers. */
export function packedDots(
  out: usize,
  entries: usize,
  count: i32,
  width: i32,
  bytes: usize,
  bits: u32,
  bitOffset: u32,
): void {
  const mask: u64 = 0xffff_ffff_ffff_ffff >> (64 - bits);
  let at = bitOffset;
  for (let i = 0; i < count; i++, out += 8) {
    let sum: u64 = 0;
    for (let j = 0; j < width; j++, entries += 4, at += bits)
      sum += <i64>load<i32>(entries) * wordAt(bytes, at, bits, mask);
    store<u64>(out, sum);
  }
}
