import { type PipeTransform } from '@nestjs/common';
import { type ErrorCode, ReinsError } from '@reins/shared/errors';
import { OBJECT_ID_PATTERN } from '@reins/shared/ids';

/** An id in an AIWM path: 24 hexadecimal digits in lower case, or 400 invalid_id. */
export class AiwmIdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!OBJECT_ID_PATTERN.test(value)) throw new ReinsError('invalid_id');
    return value.toLowerCase();
  }
}

/** 404 in AIWM's words, for example `Tool with ID … not found`. */
export function aiwmNotFound(code: ErrorCode, noun: string, id: string): ReinsError {
  return new ReinsError(code, { message: `${noun} with ID ${id} not found` });
}
