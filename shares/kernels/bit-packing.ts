// AssemblyScript. Words of `bits` bits (1 to 64) in a stream of bits, little-endian, without gaps. 16 bytes after a stream may be read.

import { wordAt } from "./packed-word";

/** out = the words from bit `bitOffset` on */
export function unpack(out: usize, bytes: usize, bits: u32, bitOffset: u32, count: i32): void {
  const mask: u64 = 0xffff_ffff_ffff_ffff >> (64 - bits);
  let at = bitOffset;
  if (bits <= 57)
    for (let i = 0; i < count; i++, out += 8, at += bits)
      store<u64>(out, (load<u64>(bytes + (at >> 3)) >> (at & 7)) & mask);
  else for (let i = 0; i < count; i++, out += 8, at += bits) store<u64>(out, wordAt(bytes, at, bits, mask));
}

/** x -= the words from bit `bitOffset` on */
export function subtractPacked(x: usize, bytes: usize, bits: u32, bitOffset: u32, count: i32): void {
  const mask: u64 = 0xffff_ffff_ffff_ffff >> (64 - bits);
  let at = bitOffset;
  for (let i = 0; i < count; i++, x += 8, at += bits) store<u64>(x, load<u64>(x) - wordAt(bytes, at, bits, mask));
}

/** The inverse of unpack from bit 0; up to 8 bytes after the stream are written. */
export function pack(bytes: usize, words: usize, bits: u32, count: i32): void {
  const mask: u64 = 0xffff_ffff_ffff_ffff >> (64 - bits);
  let pending: u64 = 0;
  let held: u32 = 0; // fewer than 64 pending bits
  for (let i = 0; i < count; i++, words += 8) {
    const word = load<u64>(words) & mask;
    pending |= word << held;
    held += bits;
    if (held >= 64) {
      store<u64>(bytes, pending);
      bytes += 8;
      held -= 64;
      // What did not fit; a shift by 64 would be one by 0.
      pending = held == 0 ? 0 : word >> (bits - held);
    }
  }
  store<u64>(bytes, pending);
}
