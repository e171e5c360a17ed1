import { type ApiException } from '@kubernetes/client-node';

/** What a refusal or a failure of the Kubernetes API means for the one who asked. */
export type ApiTrouble =
  /** Nobody answered, or the API has a bad moment: the same request may succeed later. */
  | 'away'
  | 'conflict'
  | 'missing'
  /** The namespace's ResourceQuota is used up. */
  | 'quota'
  /** The controller's account may not do this. */
  | 'forbidden'
  /** An admission rule or the validation refused the object. */
  | 'refused';

/** A failed request to the API, without the response's headers, which the client's own error spells out. */
export class ClusterError extends Error {
  constructor(
    readonly trouble: ApiTrouble,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ClusterError';
  }
}

export function toClusterError(thrown: unknown): ClusterError {
  if (thrown instanceof ClusterError) return thrown;
  if (isApiException(thrown)) {
    const message = statusMessage(thrown.body) ?? `HTTP ${thrown.code}`;
    return new ClusterError(troubleOf(thrown.code, message), message);
  }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return new ClusterError('away', error.message || error.name, { cause: error });
}

function troubleOf(code: number, message: string): ApiTrouble {
  if (code === 409) return 'conflict';
  if (code === 404) return 'missing';
  if (code === 403) {
    if (/exceeded quota/i.test(message)) return 'quota';
    return /cannot \w+ resource/i.test(message) ? 'forbidden' : 'refused';
  }
  if (code === 401) return 'forbidden';
  return code === 429 || code >= 500 ? 'away' : 'refused';
}

/** Recognised by its shape: the class itself would mean loading the whole client. */
function isApiException(thrown: unknown): thrown is ApiException<unknown> {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'number' && 'body' in thrown;
}

/** The body of a refusal is a Status object, as text or taken apart. */
function statusMessage(body: unknown): string | undefined {
  const status = typeof body === 'string' ? parsed(body) : body;
  if (typeof status === 'object' && status !== null && 'message' in status && typeof status.message === 'string') {
    return status.message;
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
