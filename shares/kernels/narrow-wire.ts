// AssemblyScript. Reading a narrow opened wire in a larger ring; 2 <= bits <= 64. Meaning: shares/lift-kernels.ts. Tiles have room for
// one word more than they hold.

/** centred (over `masked`) = X' - 2^(bits-2), low = 1 - msb(X'), X' = X + 2^(bits-2) mod 2^bits */
export function centreWords(masked: usize, low: usize, bits: i32, count: i32): void {
  const quarter = i64x2.splat((<i64>1) << (<i64>bits - 2));
  const mask = i64x2.splat(<i64>(<u64>-1 >> <u64>(64 - bits)));
  const one = i64x2.splat(1);
  for (let i = 0; i < count; i += 2, masked += 16, low += 16) {
    const shifted = v128.and(i64x2.add(v128.load(masked), quarter), mask);
    v128.store(masked, i64x2.sub(shifted, quarter));
    v128.store(low, i64x2.sub(one, i64x2.shr_u(shifted, bits - 1)));
  }
}

/** mask += 2^bits (carries - low * tops), low 0 or 1 */
export function liftWords(mask: usize, low: usize, carries: usize, tops: usize, bits: i32, count: i32): void {
  // A shift by 64 would be one by 0.
  if (bits == 64) return;
  for (let i = 0; i < count; i += 2, mask += 16, low += 16, carries += 16, tops += 16) {
    const taken = v128.and(v128.load(tops), i64x2.neg(v128.load(low)));
    const lifted = i64x2.shl(i64x2.sub(v128.load(carries), taken), bits);
    v128.store(mask, i64x2.add(v128.load(mask), lifted));
  }
}
