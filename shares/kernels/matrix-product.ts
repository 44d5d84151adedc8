// AssemblyScript. Dense products of tiles: out [rows, columns] = (add ? out : 0) + a [rows, inner] b [inner, columns], all row-major.
// Rows are padded to a multiple of 4 and columns to one of 8, so that the loops have no ends.

/** Mod 2^32, 32-bit elements. */
export function multiply32(out: usize, a: usize, b: usize, rows: i32, inner: i32, columns: i32, add: bool): void {
  const aRow = (<usize>inner) << 2;
  const bRow = (<usize>columns) << 2;
  for (let i = 0; i < rows; i += 4) {
    const a0 = a + <usize>i * aRow;
    for (let j = 0; j < columns; j += 8) {
      const o0 = out + <usize>i * bRow + ((<usize>j) << 2);
      const o1 = o0 + bRow;
      const o2 = o1 + bRow;
      const o3 = o2 + bRow;
      let s00 = i32x4.splat(0);
      let s01 = s00;
      let s10 = s00;
      let s11 = s00;
      let s20 = s00;
      let s21 = s00;
      let s30 = s00;
      let s31 = s00;
      if (add) {
        s00 = v128.load(o0);
        s01 = v128.load(o0, 16);
        s10 = v128.load(o1);
        s11 = v128.load(o1, 16);
        s20 = v128.load(o2);
        s21 = v128.load(o2, 16);
        s30 = v128.load(o3);
        s31 = v128.load(o3, 16);
      }
      let bAt = b + ((<usize>j) << 2);
      for (let aAt = a0, end = a0 + aRow; aAt < end; aAt += 4, bAt += bRow) {
        const b0 = v128.load(bAt);
        const b1 = v128.load(bAt, 16);
        let x = v128.load32_splat(aAt);
        s00 = i32x4.add(s00, i32x4.mul(x, b0));
        s01 = i32x4.add(s01, i32x4.mul(x, b1));
        x = v128.load32_splat(aAt + aRow);
        s10 = i32x4.add(s10, i32x4.mul(x, b0));
        s11 = i32x4.add(s11, i32x4.mul(x, b1));
        x = v128.load32_splat(aAt + 2 * aRow);
        s20 = i32x4.add(s20, i32x4.mul(x, b0));
        s21 = i32x4.add(s21, i32x4.mul(x, b1));
        x = v128.load32_splat(aAt + 3 * aRow);
        s30 = i32x4.add(s30, i32x4.mul(x, b0));
        s31 = i32x4.add(s31, i32x4.mul(x, b1));
      }
      v128.store(o0, s00);
      v128.store(o0, s01, 16);
      v128.store(o1, s10);
      v128.store(o1, s11, 16);
      v128.store(o2, s20);
      v128.store(o2, s21, 16);
      v128.store(o3, s30);
      v128.store(o3, s31, 16);
    }
  }
}

/** Mod 2^64, 64-bit elements. */
export function multiply64(out: usize, a: usize, b: usize, rows: i32, inner: i32, columns: i32, add: bool): void {
  const aRow = (<usize>inner) << 3;
  const bRow = (<usize>columns) << 3;
  for (let i = 0; i < rows; i += 2) {
    const a0 = a + <usize>i * aRow;
    for (let j = 0; j < columns; j += 4) {
      const o0 = out + <usize>i * bRow + ((<usize>j) << 3);
      const o1 = o0 + bRow;
      let s00: u64 = 0;
      let s01: u64 = 0;
      let s02: u64 = 0;
      let s03: u64 = 0;
      let s10: u64 = 0;
      let s11: u64 = 0;
      let s12: u64 = 0;
      let s13: u64 = 0;
      let bAt = b + ((<usize>j) << 3);
      for (let aAt = a0, end = a0 + aRow; aAt < end; aAt += 8, bAt += bRow) {
        const x = load<u64>(aAt);
        const y = load<u64>(aAt + aRow);
        let z = load<u64>(bAt);
        s00 += x * z;
        s10 += y * z;
        z = load<u64>(bAt, 8);
        s01 += x * z;
        s11 += y * z;
        z = load<u64>(bAt, 16);
        s02 += x * z;
        s12 += y * z;
        z = load<u64>(bAt, 24);
        s03 += x * z;
        s13 += y * z;
      }
      if (add) {
        s00 += load<u64>(o0);
        s01 += load<u64>(o0, 8);
        s02 += load<u64>(o0, 16);
        s03 += load<u64>(o0, 24);
        s10 += load<u64>(o1);
        s11 += load<u64>(o1, 8);
        s12 += load<u64>(o1, 16);
        s13 += load<u64>(o1, 24);
      }
      store<u64>(o0, s00);
      store<u64>(o0, s01, 8);
      store<u64>(o0, s02, 16);
      store<u64>(o0, s03, 24);
      store<u64>(o1, s10);
      store<u64>(o1, s11, 8);
      store<u64>(o1, s12, 16);
      store<u64>(o1, s13, 24);
    }
  }
}
