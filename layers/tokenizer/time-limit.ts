import vm from "node:vm";

/** Work that was stopped because it took too long. */
export class TimeLimitError extends Error {
  override readonly name = "TimeLimitError";
}

const context = vm.createContext(Object.create(null) as object);
const script = new vm.Script("work()");

/**
 * Runs `work`, which follows a file's instructions (a pattern, a template), and stops it after `limitMs` of wall time, wherever it
 * is: a pattern of a few characters can take for ever.
 * @throws TimeLimitError; else what `work` throws.
 */
export function withinTime<T>(limitMs: number, work: () => T): T {
  const outer = context as { work?: () => T };
  outer.work = work;
  try {
    return script.runInContext(context, { timeout: Math.ceil(limitMs) }) as T;
  } catch (cause) {
    // An Error of the other context: not an instance of ours.
    if ((cause as { code?: unknown } | null)?.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") {
      throw new TimeLimitError(`expected it to take at most ${Math.ceil(limitMs)} ms, got no end of it`, { cause });
    }
    throw cause;
  } finally {
    delete outer.work;
  }
}
