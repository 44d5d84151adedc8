import type { ModelSpec } from "../model-spec.ts";
import type { Algebra, AttentionSpec, ParameterSpec, Projections } from "../program.ts";

/**
 * What the decoders with rotary positions and gated MLPs share: llama, mistral, qwen2, qwen3, gemma2.
 * Each architecture composes its block from these steps; what differs (norms, biases, caps) is an argument or a step of its own.
 */

/** Embedding of the tokens alone, [rows, d]: positions come in by rotation. */
export function embedTokens<V>(algebra: Algebra<V>): V {
  return algebra.lookupTokens("embed.weight");
}

/** Norm, projections, optional norm of each q and k head, rotation. x [rows, d] -> q [rows, heads·headDim], k, v [rows, kvHeads·headDim] */
export function projectRotary<V>(
  a: Algebra<V>,
  spec: ModelSpec,
  layer: number,
  x: V,
  headNorms: boolean,
): Projections<V> {
  if (spec.rope === null) throw new Error(`model ${spec.modelType}: expected rotary positions, got none`);
  const at = `layers.${layer}`;
  const normed = a.rmsNorm(x, `${at}.norm1.weight`, spec.normEpsilon, spec.width); // [rows, d]
  const bias = (part: string): string | null => (spec.qkvBias ? `${at}.${part}.bias` : null);
  let q = a.linear(normed, `${at}.q.weight`, bias("q")); // [rows, heads·headDim]
  let k = a.linear(normed, `${at}.k.weight`, bias("k")); // [rows, kvHeads·headDim]
  const v = a.linear(normed, `${at}.v.weight`, bias("v")); // [rows, kvHeads·headDim]
  if (headNorms) {
    q = a.rmsNorm(q, `${at}.qNorm.weight`, spec.normEpsilon, spec.headDim);
    k = a.rmsNorm(k, `${at}.kNorm.weight`, spec.normEpsilon, spec.headDim);
  }
  return { q: a.rotate(q, spec.rope, spec.headDim), k: a.rotate(k, spec.rope, spec.headDim), v };
}

/** attended [rows, heads·headDim] -> [rows, d] */
export function projectOutput<V>(a: Algebra<V>, spec: ModelSpec, layer: number, attended: V): V {
  return a.linear(attended, `layers.${layer}.o.weight`, spec.outputBias ? `layers.${layer}.o.bias` : null);
}

/** down(act(gate(x)) · up(x)), [rows, d] -> [rows, d] */
export function gatedMlp<V>(a: Algebra<V>, spec: ModelSpec, layer: number, x: V): V {
  const at = `layers.${layer}`;
  const bias = (part: string): string | null => (spec.mlpBias ? `${at}.${part}.bias` : null);
  const gate = a.activate(a.linear(x, `${at}.gate.weight`, bias("gate")), spec.activation); // [rows, mlpWidth]
  const up = a.linear(x, `${at}.up.weight`, bias("up")); // [rows, mlpWidth]
  return a.linear(a.multiply(gate, up), `${at}.down.weight`, bias("down"));
}

/** Residual, norm, MLP, residual (pre-norm block). x, attended -> next x, all [rows, d] but attended [rows, heads·headDim] */
export function preNormPost<V>(a: Algebra<V>, spec: ModelSpec, layer: number, x: V, attended: V): V {
  const middle = a.add(x, projectOutput(a, spec, layer, attended)); // [rows, d]
  const normed = a.rmsNorm(middle, `layers.${layer}.norm2.weight`, spec.normEpsilon, spec.width);
  return a.add(middle, gatedMlp(a, spec, layer, normed));
}

/** Final RMSNorm, [rows, d] -> [rows, d] */
export function finalRmsNorm<V>(a: Algebra<V>, spec: ModelSpec, x: V): V {
  return a.rmsNorm(x, "norm.weight", spec.normEpsilon, spec.width);
}

/** Finished rows [rows, d] -> logits [rows, vocabulary], by the tied or the own table. */
export function unembedRows<V>(a: Algebra<V>, spec: ModelSpec, x: V): V {
  return a.unembed(x, spec.tiedHead ? "embed.weight" : "head.weight", null);
}

/** The attention of `layer` as the spec states it; the same for every architecture. */
export function attentionOf(spec: ModelSpec, layer: number): AttentionSpec {
  return {
    heads: spec.heads,
    kvHeads: spec.kvHeads,
    headDim: spec.headDim,
    scale: spec.attentionScale,
    softCap: spec.attentionSoftCap,
    causal: spec.causal,
    window: spec.windows[layer],
  };
}

/** What the families' checkpoints do differently. */
export interface FamilyStorage {
  /** Norms on each q and k head (qwen3). */
  readonly headNorms: boolean;
  /** Norms after attention and MLP too (gemma2). */
  readonly postNorms: boolean;
  /** Norm gains are stored minus one in HF checkpoints (gemma2). */
  readonly gainsMinusOne: boolean;
  /** GGUF stores q and k rows interleaved (what llama.cpp converts as "llama"). */
  readonly ggufInterleaved: boolean;
}

/** Parameters of a decoder of this family, in the order of use. */
export function familyParameters(spec: ModelSpec, storage: FamilyStorage): ParameterSpec[] {
  const { width: d, headDim, mlpWidth, vocabulary } = spec;
  const [dQ, dKv] = [spec.heads * headDim, spec.kvHeads * headDim];
  const list: ParameterSpec[] = [];
  const table = (name: string, hf: string, gguf: string): void => {
    list.push({ name, shape: [vocabulary, d], hf, gguf, transposed: false });
  };
  const gain = (name: string, length: number, hf: string, gguf: string): void => {
    list.push({ name, shape: [length], hf, gguf, transposed: false, ...(storage.gainsMinusOne ? { plus: 1 } : {}) });
  };
  const linear = (
    at: string,
    part: string,
    shape: [number, number],
    hf: string,
    gguf: string,
    bias: boolean,
    heads?: number,
  ): void => {
    const order = heads !== undefined && storage.ggufInterleaved ? { ggufInterleavedHeads: heads } : {};
    list.push({
      name: `${at}.${part}.weight`,
      shape,
      hf: `${hf}.weight`,
      gguf: `${gguf}.weight`,
      transposed: true,
      ...order,
    });
    if (bias)
      list.push({
        name: `${at}.${part}.bias`,
        shape: [shape[1]],
        hf: `${hf}.bias`,
        gguf: `${gguf}.bias`,
        transposed: false,
        ...order,
      });
  };
  table("embed.weight", "model.embed_tokens.weight", "token_embd.weight");
  for (let layer = 0; layer < spec.layers; layer++) {
    const [at, hf, gguf] = [`layers.${layer}`, `model.layers.${layer}`, `blk.${layer}`];
    gain(`${at}.norm1.weight`, d, `${hf}.input_layernorm.weight`, `${gguf}.attn_norm.weight`);
    linear(at, "q", [d, dQ], `${hf}.self_attn.q_proj`, `${gguf}.attn_q`, spec.qkvBias, spec.heads);
    linear(at, "k", [d, dKv], `${hf}.self_attn.k_proj`, `${gguf}.attn_k`, spec.qkvBias, spec.kvHeads);
    linear(at, "v", [d, dKv], `${hf}.self_attn.v_proj`, `${gguf}.attn_v`, spec.qkvBias);
    if (storage.headNorms) {
      gain(`${at}.qNorm.weight`, headDim, `${hf}.self_attn.q_norm.weight`, `${gguf}.attn_q_norm.weight`);
      gain(`${at}.kNorm.weight`, headDim, `${hf}.self_attn.k_norm.weight`, `${gguf}.attn_k_norm.weight`);
    }
    linear(at, "o", [dQ, d], `${hf}.self_attn.o_proj`, `${gguf}.attn_output`, spec.outputBias);
    if (storage.postNorms) {
      gain(
        `${at}.postAttentionNorm.weight`,
        d,
        `${hf}.post_attention_layernorm.weight`,
        `${gguf}.post_attention_norm.weight`,
      );
      gain(`${at}.norm2.weight`, d, `${hf}.pre_feedforward_layernorm.weight`, `${gguf}.ffn_norm.weight`);
    } else {
      gain(`${at}.norm2.weight`, d, `${hf}.post_attention_layernorm.weight`, `${gguf}.ffn_norm.weight`);
    }
    linear(at, "gate", [d, mlpWidth], `${hf}.mlp.gate_proj`, `${gguf}.ffn_gate`, spec.mlpBias);
    linear(at, "up", [d, mlpWidth], `${hf}.mlp.up_proj`, `${gguf}.ffn_up`, spec.mlpBias);
    linear(at, "down", [mlpWidth, d], `${hf}.mlp.down_proj`, `${gguf}.ffn_down`, spec.mlpBias);
    if (storage.postNorms)
      gain(`${at}.postMlpNorm.weight`, d, `${hf}.post_feedforward_layernorm.weight`, `${gguf}.post_ffw_norm.weight`);
  }
  gain("norm.weight", d, "model.norm.weight", "output_norm.weight");
  if (!spec.tiedHead) table("head.weight", "lm_head.weight", "output.weight");
  return list;
}
