const KEPT = 1_000;

/** The last ids that came by, for noticing one that comes again. */
export class RecentIds {
  private readonly ids = new Set<string>();

  /** False where the id was here lately. */
  add(id: string): boolean {
    if (this.ids.has(id)) return false;
    this.ids.add(id);
    const [oldest] = this.ids;
    if (this.ids.size > KEPT && oldest !== undefined) this.ids.delete(oldest);
    return true;
  }
}
