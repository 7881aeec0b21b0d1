/** The smallest range that has all changes of a table, in bytes or in entries. */
export class ChangedRange {
  #from = 0;
  #to = 0;

  get from(): number {
    return this.#from;
  }

  /** The end of the range, not included. */
  get to(): number {
    return this.#to;
  }

  get isEmpty(): boolean {
    return this.#from === this.#to;
  }

  /** Adds `from` up to, not including, `to`. */
  add(from: number, to: number): void {
    if (this.isEmpty) {
      this.#from = from;
      this.#to = to;
      return;
    }
    if (from < this.#from) this.#from = from;
    if (to > this.#to) this.#to = to;
  }

  clear(): void {
    this.#from = this.#to;
  }
}
