import { type Request } from 'express';
import { ReinsError } from '@reins/shared/errors';

/** A signal that aborts when the caller hangs up before it was answered. */
export class ClientGone {
  private readonly gone = new AbortController();

  constructor(request: Request) {
    request.res?.once('close', () => {
      if (request.res?.writableFinished !== true)
        this.gone.abort(new ReinsError('draining', { message: 'the caller hung up' }));
    });
  }

  get signal(): AbortSignal {
    return this.gone.signal;
  }
}
