/** What can be in one bag at a time. */
export interface Bagged {
  /** Its place there; -1 while it is in none. The bag's own. */
  at: number
}

/**
 * A set in no order. Not a `Set`, which makes a new table now and then, and the old one, once it has grown old itself,
 * keeps all that was in it until the next full collection (measured: a third of what short tasks leave behind).
 */
export class Bag<Member extends Bagged> {
  #members: Member[] = []

  get size(): number {
    return this.#members.length
  }

  /** Those that are in it now, whatever becomes of it. */
  all(): Member[] {
    return [...this.#members]
  }

  add(member: Member): void {
    member.at = this.#members.push(member) - 1
  }

  delete(member: Member): void {
    const last = this.#members.at(-1)
    if (member.at < 0 || !last) return
    this.#members[member.at] = last
    last.at = member.at
    this.#members.pop()
    member.at = -1
  }

  clear(): void {
    for (const member of this.#members) member.at = -1
    this.#members = []
  }
}
