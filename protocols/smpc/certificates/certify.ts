import { TimeLeft } from "../../time-left.ts";
import type { ModelRanges, SiteKind, SiteRange } from "../lowering/ranges.ts";
import { SiteNames } from "../lowering/ranges.ts";
import { withMargin } from "../calibration/margins.ts";
import { headPart, layerPart, loadPart, type LayerSpan, type ReadableModel } from "../calibration/readable-model.ts";
import { attendedBound, boundAlgebra, certificateOf, type Certificate } from "./bound-algebra.ts";
import type { Bound } from "./bound.ts";

/**
 * Certificates of the sites of some layers, from the public weights alone: for every sequence of at most `maxPositions` tokens. A site
 * that has none is left out: logits, and what depends on the smallest row of a norm. They hold as long as the sites before them are
 * in range (weights of a softmax row sum to 1, a normed row has its length), and allow for fixed-point errors of 1/64.
 * `input`: bounds of the rows that enter at `span.from`; without it the walk begins at the embeddings.
 * `onStep` is told of each layer.
 */
export async function certify(
  model: ReadableModel,
  span: LayerSpan,
  input: Bound | null = null,
  onStep: (text: string) => void = () => {},
): Promise<Map<string, Certificate>> {
  const { spec, program } = model;
  const clock = new TimeLeft(span.to - (input === null ? 0 : span.from) + (span.head ? 1 : 0));
  const certificates = new Map<string, Certificate>();
  const algebraOf = async (part: Parameters<typeof loadPart>[1], prefix: string) => {
    const names = new SiteNames(prefix);
    const note = (site: string, certificate: Certificate): void => {
      if (isFinite(certificate.range.maxAbs)) certificates.set(site, certificate);
    };
    return { a: boundAlgebra(await loadPart(model, part), names, note, spec.maxPositions), names, note };
  };
  let x = input ?? program.embed((await algebraOf((a) => program.embed(a, spec), "embed")).a, spec);
  for (let layer = input === null ? 0 : span.from; layer < span.to; layer++) {
    onStep(`certifying layer ${layer} of ${spec.layers}${clock.text}`);
    const { a, names, note } = await algebraOf(layerPart(model, layer), `layers.${layer}`);
    const { v } = program.pre(a, spec, layer, x);
    const attended = attendedBound(v, program.attention(spec, layer));
    note(names.next("attended"), certificateOf(attended));
    x = program.post(a, spec, layer, x, attended);
    note(names.next("out"), certificateOf(x));
    clock.done();
  }
  if (span.head) {
    onStep(`certifying the head${clock.text}`);
    const { a, names, note } = await algebraOf(headPart(model), "head");
    const finished = program.finish(a, spec, x);
    note(names.next("out"), certificateOf(finished));
    if (program.logits !== null) note(names.next("out"), certificateOf(program.logits(a, spec, finished)));
  }
  return certificates;
}

/**
 * Bits by which a certified wire may be wider than the calibrated one with its margin. An activation's dealt words grow with its range,
 * where another bit elsewhere costs one opened bit of some twenty.
 */
const ALLOWED_BITS: Readonly<Record<SiteKind, number>> = {
  norm: 2,
  activation: 0,
  operand: 2,
  softCap: 0,
  logits: 0,
  attended: 2,
  out: 2,
};

/**
 * The same ranges with a certificate in place of each observation that it is not much wider than. Throws Error naming the site where a
 * certificate is below what was observed: one of them is wrong.
 */
export function preferCertified(ranges: ModelRanges, certificates: ReadonlyMap<string, Certificate>): ModelRanges {
  const sites = Object.entries(ranges.sites).map(([site, observed]): [string, SiteRange] => {
    const certified = certificates.get(site)?.range;
    if (certified === undefined || observed.range === "certified") return [site, observed];
    if (certified.maxAbs < observed.maxAbs)
      throw new Error(
        `certificate of ${site}: expected at least the ${observed.maxAbs} observed, got ${certified.maxAbs}`,
      );
    if (!isNearlyAsNarrow(site, certified, withMargin(observed))) return [site, observed];
    const { columns } = observed;
    return [site, columns === undefined ? certified : { ...certified, columns }];
  });
  return { ...ranges, sites: Object.fromEntries(sites) };
}

function isNearlyAsNarrow(site: string, certified: SiteRange, calibrated: SiteRange): boolean {
  const kind = site.split(".").at(-2) as SiteKind;
  const bits =
    kind === "activation"
      ? powerOfTwo(certified) - powerOfTwo(calibrated)
      : Math.log2(certified.maxAbs / calibrated.maxAbs);
  // A norm needs both ends of its squares.
  const needsSquares = calibrated.minSquare !== undefined && certified.minSquare === undefined;
  return !needsSquares && bits <= ALLOWED_BITS[kind];
}

/** Ranges of activations are powers of two in the end. */
const powerOfTwo = ({ maxAbs }: SiteRange): number => Math.ceil(Math.log2(maxAbs));
