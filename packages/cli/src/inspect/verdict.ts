/** `unknown`: the check could not be made. That does not count as safe. */
type Verdict = 'pass' | 'violated' | 'unknown';

/** The result of one check. */
export interface InspectCheck {
  /** Name of the check. It does not change: programs rely on it. */
  readonly check: string;
  readonly verdict: Verdict;
  /** The reason, for people. Names from the image are quoted. */
  readonly detail: string;
}

/** The report of `inspect`. */
export interface InspectReport {
  readonly filename: string;
  /** `null` if two formats claim the image. */
  readonly format: string | null;
  /** `pass` when every check passes. */
  readonly verdict: 'pass' | 'violated';
  readonly checks: readonly InspectCheck[];
}

export function passed(check: string, detail: string): InspectCheck {
  return { check, verdict: 'pass', detail };
}

export function violated(check: string, detail: string): InspectCheck {
  return { check, verdict: 'violated', detail };
}

export function unknown(check: string, detail: string): InspectCheck {
  return { check, verdict: 'unknown', detail };
}
