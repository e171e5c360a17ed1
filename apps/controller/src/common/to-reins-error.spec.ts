import { BadRequestException, NotFoundException } from '@nestjs/common';
import { ReinsError } from '@reins/shared/errors';
import { z } from 'zod';
import { toReinsError } from './to-reins-error';

class MongoServerSelectionError extends Error {
  override name = 'MongoServerSelectionError';
}

describe('toReinsError', () => {
  it('leaves its own errors alone', () => {
    const error = new ReinsError('session_not_found');
    expect(toReinsError(error)).toBe(error);
  });

  it('names each wrong field of a validation', () => {
    const result = z.object({ repository: z.object({ url: z.string() }) }).safeParse({ repository: {} });
    const error = toReinsError(result.error);
    expect(error.code).toBe('validation_failed');
    expect(error.details).toEqual([expect.objectContaining({ path: 'repository.url', code: 'invalid_type' })]);
  });

  it('tells an unreachable database from a bug', () => {
    expect(toReinsError(new MongoServerSelectionError('connect ENOENT')).code).toBe('database_unavailable');
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
    expect(toReinsError(broken).code).toBe('database_unavailable');
    const bug = toReinsError(new TypeError('x is undefined'));
    expect(bug.code).toBe('internal');
    expect(bug.message).not.toContain('undefined');
  });

  it('maps what the framework throws', () => {
    expect(toReinsError(new NotFoundException('Cannot GET /x')).code).toBe('not_found');
    expect(toReinsError(new BadRequestException('bad')).code).toBe('validation_failed');
    const parse = Object.assign(new SyntaxError('Unexpected token'), { status: 400, type: 'entity.parse.failed' });
    expect(toReinsError(parse).code).toBe('invalid_json');
  });
});
