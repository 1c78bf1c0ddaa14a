// The words of the core's traces: as the vectors write them, and as the package has them.
export const wide = (value) => (value === null || value === undefined ? null : BigInt(value));
export const variant = (value) => (typeof value === 'string' ? [value, {}] : Object.entries(value)[0]);

export function reply(told) {
  const [type, of] = variant(told);
  if (type === 'refused') return { type, refusal: refusal(of) };
  if (type === 'failed') return { type, failure: of };
  if (type === 'conflict') return { type, found: wide(of.found) };
  return of.version === undefined ? { type } : { type, version: BigInt(of.version) };
}

export function refusal(told) {
  const [code, of] = variant(told);
  return { code, ...of };
}

export function attempt(of) {
  const { stored_slot: storedSlot, kind: told, ...rest } = of;
  const [kind, apply] = variant(told);
  const [payload, by] = apply.payload === undefined ? [] : variant(apply.payload);
  return {
    ...rest, storedSlot, kind, version: wide(apply.version),
    foundBy: payload === 'found_by' ? by.found_by ?? by : null,
  };
}

export function policy(told) {
  const { deadline_ms: deadlineMs, attempt_ms: attemptMs, attempts_max: attemptsMax, confirm, seed } = told;
  return { deadlineMs, attemptMs, attemptsMax, confirm, seed: BigInt(seed) };
}

/** The core's own data, its numbers of 64 bits as JSON has them: the largest as text. */
export function narrow(value) {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === null || typeof value !== 'object') return value;
  if (ArrayBuffer.isView(value)) return [...value];
  if (Array.isArray(value)) return value.map(narrow);
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, narrow(of)]));
}
