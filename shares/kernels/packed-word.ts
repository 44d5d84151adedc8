// AssemblyScript.

/** The word of `bits` bits at bit `at` of a stream; `mask` is 2^bits - 1. */
export function wordAt(bytes: usize, at: u32, bits: u32, mask: u64): u64 {
  const from = bytes + (at >> 3);
  const skip = at & 7;
  let word = load<u64>(from) >> skip;
  // A word of more than 57 bits may reach into a ninth byte.
  if (bits + skip > 64) word |= (<u64>load<u8>(from, 8)) << (64 - skip);
  return word & mask;
}
