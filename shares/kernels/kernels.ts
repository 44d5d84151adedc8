// AssemblyScript: all that kernels.wasm exports (`npm run build:kernels`).
export * from "./bit-packing";
export * from "./elementwise";
export * from "./limbs";
export * from "./matrix-product";
export * from "./narrow-wire";
export * from "./table-sums";
