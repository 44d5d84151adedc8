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
import { attentionOf } from "./llama-family.ts";

const schema = z.object({
  ...commonKeys,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  vocab_size: size,
  max_position_embeddings: size,
  type_vocab_size: size.default(2),
  layer_norm_eps: positive.default(1e-12),
  hidden_act: activation.default("gelu"),
  position_embedding_type: z.literal("absolute").nullish(),
  is_decoder: off,
  add_cross_attention: off,
  quantization_config: off,
  /** Says how a feed-forward is chunked to save memory; the result is the same. */
  chunk_size_feed_forward: harmless,
  attention_probs_dropout_prob: harmless,
  hidden_dropout_prob: harmless,
  classifier_dropout: harmless,
  /** The pooler, which isn't run: hidden states are the output. */
  directionality: harmless,
  pooler_fc_size: harmless,
  pooler_num_attention_heads: harmless,
  pooler_num_fc_layers: harmless,
  pooler_size_per_head: harmless,
  pooler_type: harmless,
});

/** BERT: learned positions, LayerNorm after each residual, every token sees every other; no head, token type 0 throughout. */
export const bert: Architecture = {
  modelType: "bert",
  hfPrefix: "bert.",
  program: {
    embed(a, spec) {
      const typed = a.addTableRow(a.lookupTokens("embed.weight"), "types.weight", 0); // [rows, d]
      return a.layerNorm(
        a.add(typed, a.lookupPositions("positions.weight", 0)),
        "norm.weight",
        "norm.bias",
        spec.normEpsilon,
      );
    },
    pre(a, _spec, layer, x) {
      const project = (part: string): typeof x =>
        a.linear(x, `layers.${layer}.${part}.weight`, `layers.${layer}.${part}.bias`);
      return { q: project("q"), k: project("k"), v: project("v") };
    },
    post(a, spec, layer, x, attended) {
      const at = `layers.${layer}`;
      const norm = (name: string, y: typeof x): typeof x =>
        a.layerNorm(y, `${at}.${name}.weight`, `${at}.${name}.bias`, spec.normEpsilon);
      const middle = norm("norm1", a.add(x, a.linear(attended, `${at}.o.weight`, `${at}.o.bias`))); // [rows, d]
      const inner = a.activate(a.linear(middle, `${at}.up.weight`, `${at}.up.bias`), spec.activation); // [rows, mlpWidth]
      return norm("norm2", a.add(middle, a.linear(inner, `${at}.down.weight`, `${at}.down.bias`)));
    },
    finish: (_a, _spec, x) => x,
    logits: null,
    attention: attentionOf,
  },
  readSpec(raw, origin): ModelSpec {
    const config = readConfig(schema, raw, origin);
    const headDim = config.hidden_size / config.num_attention_heads;
    demand(
      Number.isInteger(headDim),
      origin,
      "num_attention_heads",
      `a divisor of hidden_size ${config.hidden_size}`,
      config.num_attention_heads,
    );
    return {
      modelType: "bert",
      layers: config.num_hidden_layers,
      width: config.hidden_size,
      heads: config.num_attention_heads,
      kvHeads: config.num_attention_heads,
      headDim,
      mlpWidth: config.intermediate_size,
      vocabulary: config.vocab_size,
      maxPositions: config.max_position_embeddings,
      normEpsilon: config.layer_norm_eps,
      activation: config.hidden_act,
      rope: null,
      attentionScale: 1 / Math.sqrt(headDim),
      attentionSoftCap: null,
      logitSoftCap: null,
      causal: false,
      windows: Array.from({ length: config.num_hidden_layers }, () => null),
      tiedHead: true,
      qkvBias: true,
      outputBias: true,
      mlpBias: true,
      stopTokens: stopTokensOf(config.eos_token_id),
    };
  },
  parameters(spec) {
    const { width: d, mlpWidth } = spec;
    const list: ParameterSpec[] = [];
    const norm = (name: string, hf: string, gguf: string): void => {
      for (const part of ["weight", "bias"]) {
        list.push({
          name: `${name}.${part}`,
          shape: [d],
          hf: `${hf}.${part}`,
          gguf: `${gguf}.${part}`,
          transposed: false,
        });
      }
    };
    const linear = (name: string, shape: [number, number], hf: string, gguf: string): void => {
      list.push({ name: `${name}.weight`, shape, hf: `${hf}.weight`, gguf: `${gguf}.weight`, transposed: true });
      list.push({ name: `${name}.bias`, shape: [shape[1]], hf: `${hf}.bias`, gguf: `${gguf}.bias`, transposed: false });
    };
    const table = (name: string, entries: number, hf: string, gguf: string): void => {
      list.push({
        name,
        shape: [entries, d],
        hf: `bert.embeddings.${hf}.weight`,
        gguf: `${gguf}.weight`,
        transposed: false,
      });
    };
    table("embed.weight", spec.vocabulary, "word_embeddings", "token_embd");
    table("positions.weight", spec.maxPositions, "position_embeddings", "position_embd");
    list.push({
      name: "types.weight",
      shape: [1, d],
      hf: "bert.embeddings.token_type_embeddings.weight",
      gguf: "token_types.weight",
      transposed: false,
      leadingRows: true,
    });
    norm("norm", "bert.embeddings.LayerNorm", "token_embd_norm");
    for (let layer = 0; layer < spec.layers; layer++) {
      const [at, hf, gguf] = [`layers.${layer}`, `bert.encoder.layer.${layer}`, `blk.${layer}`];
      linear(`${at}.q`, [d, d], `${hf}.attention.self.query`, `${gguf}.attn_q`);
      linear(`${at}.k`, [d, d], `${hf}.attention.self.key`, `${gguf}.attn_k`);
      linear(`${at}.v`, [d, d], `${hf}.attention.self.value`, `${gguf}.attn_v`);
      linear(`${at}.o`, [d, d], `${hf}.attention.output.dense`, `${gguf}.attn_output`);
      norm(`${at}.norm1`, `${hf}.attention.output.LayerNorm`, `${gguf}.attn_output_norm`);
      linear(`${at}.up`, [d, mlpWidth], `${hf}.intermediate.dense`, `${gguf}.ffn_up`);
      linear(`${at}.down`, [mlpWidth, d], `${hf}.output.dense`, `${gguf}.ffn_down`);
      norm(`${at}.norm2`, `${hf}.output.LayerNorm`, `${gguf}.layer_output_norm`);
    }
    return list;
  },
};
