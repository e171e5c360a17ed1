import { ReinsError } from '@reins/shared/errors';
import { isDuplicateKey } from '../database/tenant.repository';

/** Runs a write whose unique index guards a name; a taken one is answered 409 `name_taken`. */
export async function refuseTakenName<T>(write: Promise<T>, what: string): Promise<T> {
  try {
    return await write;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    throw new ReinsError('name_taken', { message: `${what} is already taken`, cause: error });
  }
}
