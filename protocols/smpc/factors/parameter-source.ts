/** Canonical parameters of a model by name. */
export type ParameterSource = (name: string) => { readonly data: Float32Array; readonly shape: readonly number[] };
