/** The controller answered a request with an error. */
export class LinkRefusal extends Error {
  override readonly name = 'LinkRefusal';
  constructor(
    readonly code: string,
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(`${code}: ${message}`);
  }
}

/** No connection, or it went before the answer came: whether the request arrived is unknown. */
export class LinkDown extends Error {
  override readonly name = 'LinkDown';
  constructor() {
    super('the link to the controller is down');
  }
}

/** The connection stands but the answer did not come in time. */
export class LinkTimeout extends Error {
  override readonly name = 'LinkTimeout';
  constructor(frame: string) {
    super(`no answer to ${frame} in time`);
  }
}
