/** There is no session to wait for any more; the message is one plain sentence. */
export class PoolOver extends Error {
  override readonly name = 'PoolOver';

  constructor(
    /** The exit code of the process. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}
