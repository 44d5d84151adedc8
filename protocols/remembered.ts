/** What a Map and a WeakMap have in common. */
interface Remembering<K, T> {
  get(key: K): T | undefined;
  set(key: K, value: T): unknown;
}

/** The value that `known` has for a key; the first time it is made. */
export function remembered<K, T>(known: Remembering<K, T>, key: K, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return value;
}
