import { InvalidArgumentError } from "commander";

/** A flag's value as an integer from 1. Throws InvalidArgumentError. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected an integer from 1");
  return value;
}

/** A flag's value as an integer from 0. Throws InvalidArgumentError. */
export function nonNegativeInteger(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 0)
    throw new InvalidArgumentError("expected an integer from 0");
  return value;
}
