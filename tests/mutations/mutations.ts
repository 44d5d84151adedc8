/** Changes that destroy secrecy, each with the test that must fail of it. */

/** Text of a file that stands there once, and what takes its place. */
export interface Edit {
  readonly file: string;
  readonly text: string;
  readonly replacement: string;
}

export interface Mutation {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** `name`: of a test in it, without its suites. */
  readonly test: { readonly file: string; readonly name: string };
}

const STREAMS = "tests/protocols/fusion/secret-streams.test.ts";
const ONE_DRAW = "no party draws a stream twice, in a session or in the next";
const FRESH = "every seed is fresh from the system, at one of its two ends, and is theirs in one session";

const one = (name: string, file: string, text: string, replacement: string, test: Mutation["test"]): Mutation => ({
  name,
  edits: [{ file, text, replacement }],
  test,
});

const COUNTED = "tests/proofs/secrecy.test.ts";

const DEALT_IN_THE_CLEAR: readonly Edit[] = [
  {
    file: "protocols/smpc/run/dealer-run.ts",
    text: "packDifference(this.#bytes.subarray(bitOffset / 8), values, shares, bits);",
    replacement: "packDifference(this.#bytes.subarray(bitOffset / 8), values, shares.slice(1), bits);",
  },
  {
    file: "protocols/smpc/run/party-run.ts",
    text: "    if (this.#setting.party < this.#setting.parties - 1) {",
    replacement: `    if (this.#setting.party === 0) {
      const zeros = (count: number) => ({ bytes: new Uint8Array(Math.ceil((count * bits) / 8) + 8), bitOffset: 0 });
      return { next: (out) => void out.fill(0n), nextPacked: zeros };
    }
    if (this.#setting.party < this.#setting.parties - 1) {`,
  },
];

const shortMasks = (bits: number): readonly Edit[] =>
  [
    ["protocols/smpc/run/party-run.ts", "mask"],
    ["protocols/smpc/run/dealer-run.ts", "share"],
  ].map(([file, words]) => ({
    file,
    text: `streams.stream(streamName(index, MASK)).fillWords(${words}, bits);`,
    replacement: `streams.stream(streamName(index, MASK)).fillWords(${words}, bits - ${bits});`,
  }));

/** Of the streams of a batch. */
const ONE_NAME = [
  "(instruction: number, name: string): string => `${instruction}/${name}`",
  "(_instruction: number, name: string): string => name",
] as const;

const BORDER = "keep a token secret that the prompt's first characters could merge with";

/** Take's streams, at both ends. */
const ONE_TAKE: readonly Edit[] = [
  {
    file: "protocols/smpc/run/client-run.ts",
    text: "streams.stream(streamName(index, TAKEN))",
    replacement: "streams.stream(TAKEN)",
  },
  {
    file: "protocols/smpc/run/party-run.ts",
    text: "client.streams!.stream(streamName(index, TAKEN))",
    replacement: "client.streams!.stream(TAKEN)",
  },
];
const OF_A_SERVER = { file: COUNTED, name: "secrecy of a server is proved" };
const TAKE_SEEDS = "() => randomBytes(SEED_BYTES));";

const LEAVES = "addZeroShare(words, bits, this.#setting.party, this.#batch.pairs, streamName(index, ZERO));";

export const MUTATIONS: readonly Mutation[] = [
  one(
    "all tokens of a prompt but the last are public",
    "protocols/fusion/client/encode-prompt.ts",
    "const length = Math.min(most, commonLength(opening, ids));",
    "const length = ids.length - 1;",
    { file: "tests/protocols/fusion/encode-prompt.test.ts", name: BORDER },
  ),
  one(
    "the number of public tokens follows from the secret text",
    "layers/tokenizer/public-opening.ts",
    "return alone.slice(0, Math.min(...lengths));",
    "return lengths.length > 0 ? alone : [];",
    { file: "tests/protocols/fusion/encode-prompt.test.ts", name: BORDER },
  ),
  one("a party's masks of a step are drawn from one stream", "protocols/smpc/plan/dealt-layout.ts", ...ONE_NAME, {
    file: STREAMS,
    name: ONE_DRAW,
  }),
  one("the same, counted over all randomness", "protocols/smpc/plan/dealt-layout.ts", ...ONE_NAME, {
    file: COUNTED,
    name: "secrecy of open is proved",
  }),
  {
    name: "the same, where the book allows it",
    edits: [
      {
        file: "protocols/smpc/plan/dealt-layout.ts",
        text: ONE_NAME[0],
        replacement: ONE_NAME[1],
      },
      {
        file: "shares/stream-book.ts",
        text: "if (purposes.has(purpose))",
        replacement: "if (purposes.has(seed.join()))",
      },
    ],
    test: { file: STREAMS, name: ONE_DRAW },
  },
  one(
    "streams have no batch in their name",
    "shares/stream-book.ts",
    "JSON.stringify([name, purpose])",
    "JSON.stringify([purpose])",
    { file: STREAMS, name: ONE_DRAW },
  ),
  one(
    "streams are named by the last part of their purpose",
    "shares/stream-book.ts",
    "JSON.stringify([name, purpose])",
    'JSON.stringify([purpose.split("/").at(-1)])',
    { file: STREAMS, name: ONE_DRAW },
  ),
  one("a stream can be drawn twice", "shares/stream-book.ts", "purposes.add(purpose);", "", {
    file: "tests/shares/stream-book.test.ts",
    name: "refuses a second draw of a batch, and of a purpose in a batch",
  }),
  one("a batch can be drawn twice", "shares/stream-book.ts", "this.#batches.add(name);", "", {
    file: "tests/shares/stream-book.test.ts",
    name: "refuses a second draw of a batch, and of a purpose in a batch",
  }),
  one(
    "batches have no step in their name",
    "protocols/smpc/run/batch-pieces.ts",
    "`${session}/${segment}/${step}`",
    "`${session}/${segment}`",
    { file: STREAMS, name: ONE_DRAW },
  ),
  one(
    "session seeds are zero",
    "protocols/fusion/session/session-dealer.ts",
    "() => randomBytes(SEED_BYTES));",
    "() => new Uint8Array(SEED_BYTES));",
    { file: STREAMS, name: FRESH },
  ),
  one(
    "all parties have one session seed",
    "protocols/fusion/session/session-dealer.ts",
    "() => randomBytes(SEED_BYTES));",
    "() => new Uint8Array(SEED_BYTES)).fill(randomBytes(SEED_BYTES));",
    { file: STREAMS, name: ONE_DRAW },
  ),
  one(
    "seeds of input shares are zero",
    "protocols/smpc/run/share-rows.ts",
    "const seed = randomBytes(SEED_BYTES);",
    "const seed = new Uint8Array(SEED_BYTES);",
    { file: "tests/protocols/smpc/hand-over.test.ts", name: "are split afresh each time" },
  ),
  one(
    "seeds of the masked merge are zero",
    "protocols/cascade/mask-seeds.ts",
    "new Uint8Array(randomBytes(SEED_BYTES))",
    "new Uint8Array(SEED_BYTES)",
    { file: STREAMS, name: FRESH },
  ),
  one(
    "one machine under two names is two machines",
    "protocols/fusion/deployment/machines.ts",
    "return address === undefined ? null : hostOf(address);",
    "return address === undefined ? null : new URL(address).hostname;",
    {
      file: "tests/protocols/fusion/machines.test.ts",
      name: "is refused with all parties on one machine under two of its names",
    },
  ),
  one(
    "secret vectors that others know are used",
    "protocols/smpc/check/kept-checks.ts",
    "  if (process.getuid === undefined) return false;",
    "  if (where !== null) return false;",
    {
      file: "tests/protocols/smpc/kept-checks.test.ts",
      name: "a seed that others may have read or put there is not used",
    },
  ),
  one(
    "masks of the merge have no step in their name",
    "protocols/cascade/mask-seeds.ts",
    "`merge/${session}/${step}`",
    "`merge/${session}`",
    {
      file: "tests/protocols/cascade/masked-merge.test.ts",
      name: "has fresh masks in every session, layer and step, for every pair",
    },
  ),
  {
    name: "words are dealt in the clear",
    edits: DEALT_IN_THE_CLEAR,
    test: {
      file: "tests/protocols/smpc/dealt-words.test.ts",
      name: "gpt2: the words that the last party is dealt are uniform",
    },
  },
  {
    name: "words are dealt in the clear, counted over all randomness",
    edits: DEALT_IN_THE_CLEAR,
    test: { file: COUNTED, name: "secrecy of extend is proved" },
  },
  {
    name: "masks are four bits short, at party and dealer",
    edits: shortMasks(4),
    test: {
      file: "tests/protocols/smpc/opened-words.test.ts",
      name: "gpt2: every opened wire is uniform, whatever the prompt is",
    },
  },
  {
    name: "masks are four bits short, counted over all randomness",
    edits: shortMasks(4),
    test: { file: COUNTED, name: "secrecy of open is proved" },
  },
  {
    name: "masks are a bit short, counted over all randomness",
    edits: shortMasks(1),
    test: { file: COUNTED, name: "secrecy of chains is proved" },
  },
  {
    name: "the first word of every mask of a step is the same",
    edits: [
      {
        file: "protocols/smpc/run/party-run.ts",
        text: "      this.#setting.insecureMask?.(mask, bits);",
        replacement: "      mask[0] = 5n; // at every party",
      },
      {
        file: "protocols/smpc/run/dealer-run.ts",
        text: "      ring.add(sum, sum, share);",
        replacement: "      share[0] = 5n;\n      ring.add(sum, sum, share);",
      },
    ],
    test: {
      file: "tests/protocols/smpc/opened-pairs.test.ts",
      name: "gpt2: pairs of opened words have uniform differences and sums",
    },
  },
  one(
    "output shares leave as they are",
    "protocols/smpc/run/party-run.ts",
    LEAVES,
    "ring.reduce(words, words, bits);",
    {
      file: "tests/protocols/smpc/zero-share.test.ts",
      name: "keeps a receiver with the dealer from the inputs, n = 2",
    },
  ),
  one(
    "output shares leave as they are, counted over all randomness",
    "protocols/smpc/run/party-run.ts",
    LEAVES,
    "ring.reduce(words, words, bits);",
    { file: COUNTED, name: "secrecy of a row that leaves is proved" },
  ),
  one(
    "seeds between parties are zero",
    "protocols/fusion/node/zero-seeds.ts",
    "new Uint8Array(randomBytes(SEED_BYTES))",
    "new Uint8Array(SEED_BYTES)",
    { file: STREAMS, name: FRESH },
  ),
  {
    name: "all that a client shares out in a step is masked by one stream",
    edits: ONE_TAKE,
    test: { file: STREAMS, name: ONE_DRAW },
  },
  { name: "the same, counted over all randomness", edits: ONE_TAKE, test: OF_A_SERVER },
  one(
    "seeds of a client that evaluates gates are zero",
    "protocols/fusion/client/client-evaluation.ts",
    TAKE_SEEDS,
    "() => new Uint8Array(SEED_BYTES));",
    { file: STREAMS, name: FRESH },
  ),
  one(
    "a client that evaluates gates gives all servers one seed",
    "protocols/fusion/client/client-evaluation.ts",
    TAKE_SEEDS,
    "() => new Uint8Array(SEED_BYTES)).fill(randomBytes(SEED_BYTES));",
    { file: STREAMS, name: FRESH },
  ),
  one(
    "a client that evaluates gates gives the seeds of its first step again",
    "protocols/fusion/client/client-evaluation.ts",
    TAKE_SEEDS,
    "(_, at) => ((this.#kept as unknown as Record<number, Buffer>)[at] ??= randomBytes(SEED_BYTES)));",
    { file: STREAMS, name: "there are as many seeds as the parties sent" },
  ),
  one(
    "the first server gets the client's numbers as they are",
    "protocols/smpc/run/client-run.ts",
    "ring.subtract(words, words, share);",
    "",
    OF_A_SERVER,
  ),
  one(
    "what the first server gets is masked by the second's share alone",
    "protocols/smpc/run/client-run.ts",
    "const shares = this.#setting.streams.map((streams) => {",
    "const shares = this.#setting.streams.slice(0, 1).map((streams) => {",
    OF_A_SERVER,
  ),
  one("tags don't depend on the words", "protocols/smpc/run/opened-tags.ts", ".update(payload)", "", {
    file: "tests/protocols/smpc/opened-tags.test.ts",
    name: "differ between a party that saw one other bit anywhere and all others",
  }),
  one(
    "tags have no key",
    "protocols/smpc/run/opened-tags.ts",
    'createHmac("sha256", bytes)',
    'createHmac("sha256", bytes.subarray(0, 0))',
    {
      file: "tests/protocols/smpc/opened-tags.test.ts",
      name: "tell a receiver nothing of the words: other pairs and other batches have other tags of the same",
    },
  ),
  one(
    "receivers don't compare tags",
    "protocols/cascade/hand-over-rows.ts",
    "if (differing.length === 0) return;",
    "if (differing.length >= 0) return;",
    {
      file: "tests/protocols/fusion/unequal-openings.test.ts",
      name: "are found by the CompNode that takes the rows",
    },
  ),
  one(
    "every user of a machine reads views",
    "protocols/fusion/record/view-recorder.ts",
    "const OWN_FILE = 0o600;",
    "const OWN_FILE = 0o644;",
    { file: "tests/protocols/fusion/recorded-views.test.ts", name: "are the user's alone" },
  ),
  one(
    "a party ends a session in the name that it likes",
    "protocols/fusion/client/client.ts",
    "session.fail(new Error(`${peer}: ${control.reason}`))",
    "session.fail(new Error(`${control.party}: ${control.reason}`))",
    { file: "tests/protocols/fusion/same-messages.test.ts", name: "name who ended a session, whoever it says it is" },
  ),
];
