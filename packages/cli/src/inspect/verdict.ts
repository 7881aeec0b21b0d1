/** `unknown`: what has to be looked at cannot be seen. Nothing is taken as safe then. */
type Verdict = 'pass' | 'violated' | 'unknown';

/** The answer of one check. */
export interface InspectCheck {
  /** Name of the check: stable, for programs. */
  readonly check: string;
  readonly verdict: Verdict;
  /** Why, for people. Names from the image are quoted in it. */
  readonly detail: string;
}

/** What `inspect` says of an image. */
export interface InspectReport {
  readonly filename: string;
  /** `null` where two formats claim the image. */
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
