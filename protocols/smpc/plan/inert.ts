import type { AnyInstruction, Gate } from "./gate.ts";

/** The readings and declarations of a gate that computes nothing on shares: nothing is sent, dealt or looked up for it. */
export const INERT: Omit<Gate<AnyInstruction>, "name" | "does" | "operands"> = {
  cost: { onlineBits: "0", dealtBits: "0", rounds: "0", multiplyAdds: "0" },
  quantities: () => ({}),
  tables() {},
  dealt: () => [],
  party() {},
  dealer() {},
  clear() {},
  widths: () => ({}),
  errorUnits: () => 0,
};
