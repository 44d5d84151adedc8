import { z } from "zod";
import type { ModelSpec } from "../model-spec.ts";
import type { ParameterSpec } from "../program.ts";
import type { Architecture } from "./architecture.ts";
import {
  activation,
  commonKeys,
  demand,
  harmless,
  off,
  positive,
  readConfig,
  size,
  stopTokensOf,
} from "./config-reader.ts";
import { attentionOf, unembedRows } from "./llama-family.ts";

const schema = z.object({
  ...commonKeys,
  n_embd: size,
  n_layer: size,
  n_head: size,
  n_positions: size,
  n_inner: size.nullish(),
  vocab_size: size,
  activation_function: activation.default("geluTanh"),
  layer_norm_epsilon: positive.default(1e-5),
  scale_attn_weights: z.boolean().nullish(),
  scale_attn_by_inverse_layer_idx: off,
  reorder_and_upcast_attn: off,
  add_cross_attention: off,
  quantization_config: off,
  /** An old name of n_positions, always equal to it. */
  n_ctx: harmless,
  attn_pdrop: harmless,
  embd_pdrop: harmless,
  resid_pdrop: harmless,
  summary_activation: harmless,
  summary_first_dropout: harmless,
  summary_proj_to_labels: harmless,
  summary_type: harmless,
  summary_use_proj: harmless,
});

/** GPT-2: learned positions, LayerNorm before attention and MLP, one fused q|k|v matrix in the checkpoint. */
export const gpt2: Architecture = {
  modelType: "gpt2",
  hfPrefix: "transformer.",
  program: {
    embed: (a) => a.add(a.lookupTokens("embed.weight"), a.lookupPositions("positions.weight", 0)),
    pre(a, spec, layer, x) {
      const at = `layers.${layer}`;
      const normed = a.layerNorm(x, `${at}.norm1.weight`, `${at}.norm1.bias`, spec.normEpsilon); // [rows, d]
      const project = (part: string): typeof x => a.linear(normed, `${at}.${part}.weight`, `${at}.${part}.bias`);
      return { q: project("q"), k: project("k"), v: project("v") };
    },
    post(a, spec, layer, x, attended) {
      const at = `layers.${layer}`;
      const middle = a.add(x, a.linear(attended, `${at}.o.weight`, `${at}.o.bias`)); // [rows, d]
      const normed = a.layerNorm(middle, `${at}.norm2.weight`, `${at}.norm2.bias`, spec.normEpsilon);
      const inner = a.activate(a.linear(normed, `${at}.up.weight`, `${at}.up.bias`), spec.activation); // [rows, mlpWidth]
      return a.add(middle, a.linear(inner, `${at}.down.weight`, `${at}.down.bias`));
    },
    finish: (a, spec, x) => a.layerNorm(x, "norm.weight", "norm.bias", spec.normEpsilon),
    logits: unembedRows,
    attention: attentionOf,
  },
  readSpec(raw, origin): ModelSpec {
    const config = readConfig(schema, raw, origin);
    const headDim = config.n_embd / config.n_head;
    demand(Number.isInteger(headDim), origin, "n_head", `a divisor of n_embd ${config.n_embd}`, config.n_head);
    return {
      modelType: "gpt2",
      layers: config.n_layer,
      width: config.n_embd,
      heads: config.n_head,
      kvHeads: config.n_head,
      headDim,
      mlpWidth: config.n_inner ?? 4 * config.n_embd,
      vocabulary: config.vocab_size,
      maxPositions: config.n_positions,
      normEpsilon: config.layer_norm_epsilon,
      activation: config.activation_function,
      rope: null,
      attentionScale: (config.scale_attn_weights ?? true) ? 1 / Math.sqrt(headDim) : 1,
      attentionSoftCap: null,
      logitSoftCap: null,
      causal: true,
      windows: Array.from({ length: config.n_layer }, () => null),
      tiedHead: config.tie_word_embeddings ?? true,
      qkvBias: true,
      outputBias: true,
      mlpBias: true,
      stopTokens: stopTokensOf(config.eos_token_id),
    };
  },
  parameters(spec) {
    const { width: d, mlpWidth } = spec;
    const list: ParameterSpec[] = [];
    const plain = (name: string, shape: number[], hf: string, gguf: string): void => {
      list.push({ name, shape, hf, gguf, transposed: false });
    };
    // Conv1D keeps [in, out], where torch.nn.Linear and GGUF keep [out, in].
    const linear = (
      name: string,
      shape: [number, number],
      hf: string,
      gguf: string,
      outputs?: [number, number],
    ): void => {
      const range = outputs === undefined ? {} : { outputs };
      list.push({
        name: `${name}.weight`,
        shape,
        hf: `${hf}.weight`,
        gguf: `${gguf}.weight`,
        transposed: false,
        ggufTransposed: true,
        ...range,
      });
      list.push({
        name: `${name}.bias`,
        shape: [shape[1]],
        hf: `${hf}.bias`,
        gguf: `${gguf}.bias`,
        transposed: false,
        ...range,
      });
    };
    plain("embed.weight", [spec.vocabulary, d], "transformer.wte.weight", "token_embd.weight");
    plain("positions.weight", [spec.maxPositions, d], "transformer.wpe.weight", "position_embd.weight");
    for (let layer = 0; layer < spec.layers; layer++) {
      const [at, hf, gguf] = [`layers.${layer}`, `transformer.h.${layer}`, `blk.${layer}`];
      for (const [norm, hfNorm, ggufNorm] of [
        ["norm1", "ln_1", "attn_norm"],
        ["norm2", "ln_2", "ffn_norm"],
      ] as const) {
        plain(`${at}.${norm}.weight`, [d], `${hf}.${hfNorm}.weight`, `${gguf}.${ggufNorm}.weight`);
        plain(`${at}.${norm}.bias`, [d], `${hf}.${hfNorm}.bias`, `${gguf}.${ggufNorm}.bias`);
      }
      linear(`${at}.q`, [d, d], `${hf}.attn.c_attn`, `${gguf}.attn_qkv`, [0, d]);
      linear(`${at}.k`, [d, d], `${hf}.attn.c_attn`, `${gguf}.attn_qkv`, [d, 2 * d]);
      linear(`${at}.v`, [d, d], `${hf}.attn.c_attn`, `${gguf}.attn_qkv`, [2 * d, 3 * d]);
      linear(`${at}.o`, [d, d], `${hf}.attn.c_proj`, `${gguf}.attn_output`);
      linear(`${at}.up`, [d, mlpWidth], `${hf}.mlp.c_fc`, `${gguf}.ffn_up`);
      linear(`${at}.down`, [mlpWidth, d], `${hf}.mlp.c_proj`, `${gguf}.ffn_down`);
    }
    plain("norm.weight", [d], "transformer.ln_f.weight", "output_norm.weight");
    plain("norm.bias", [d], "transformer.ln_f.bias", "output_norm.bias");
    if (!spec.tiedHead) plain("head.weight", [spec.vocabulary, d], "lm_head.weight", "output.weight");
    return list;
  },
};
