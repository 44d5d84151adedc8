// AssemblyScript. Words as limbs in float64, one limb of a tile at a time; what limbs are is in shares/limbs.ts.

/** out[i] = ((x[i] + bias) >> shift & mask) - half as float64; mask below 2^52 */
export function splitLimb(out: usize, x: usize, bias: u64, shift: i32, mask: u64, half: f64, count: i32): void {
  const biases = i64x2.splat(bias);
  const masks = i64x2.splat(mask);
  // 2^52 + v has the bits of v as its lowest ones.
  const exponent = i64x2.splat(0x4330_0000_0000_0000);
  const offset = f64x2.splat(4503599627370496.0 + half);
  // Tiles have room for one word more than they hold.
  for (let i = 0; i < count; i += 2, out += 16, x += 16) {
    const limb = v128.and(i64x2.shr_u(i64x2.add(v128.load(x), biases), shift), masks);
    v128.store(out, f64x2.sub(v128.or(limb, exponent), offset));
  }
}

/** out += sums << shift; sums: integers in float64, below 2^63 in magnitude */
export function joinLimb(out: usize, sums: usize, shift: i32, count: i32): void {
  for (let i = 0; i < count; i++, out += 8, sums += 8)
    store<u64>(out, load<u64>(out) + ((<u64>(<i64>load<f64>(sums))) << (<u64>shift)));
}
