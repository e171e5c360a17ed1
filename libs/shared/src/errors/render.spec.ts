import { ERRORS } from './codes';
import { ReinsError } from './reins-error';
import { renderError } from './render';

const context = { path: '/agents/1', correlationId: 'c-1', timestamp: '2026-01-01T00:00:00.000Z' };
const invalid = new ReinsError('validation_failed', {
  details: [{ path: 'repository.url', message: 'is required', code: 'invalid_type' }],
});

describe('renderError', () => {
  it('speaks VWM: error, details', () => {
    expect(renderError('vwm', invalid, context)).toMatchObject({
      error: 'Validation Error',
      details: [{ path: 'repository.url', message: 'is required', code: 'invalid_type' }],
      code: 'validation_failed',
      correlationId: 'c-1',
    });
    expect(renderError('vwm', new ReinsError('session_not_found'), context)).toMatchObject({
      error: 'Session not found',
    });
  });

  it('speaks AIWM: statusCode, message, timestamp, path, errors', () => {
    expect(renderError('aiwm', invalid, context)).toMatchObject({
      statusCode: 400,
      message: 'Validation failed',
      timestamp: context.timestamp,
      path: '/agents/1',
      errors: ['repository.url: is required'],
      correlationId: 'c-1',
    });
  });

  it('speaks vm-system: an error object with an upper-case code', () => {
    expect(renderError('vm-system', invalid, context)).toMatchObject({
      error: { code: 'VALIDATION_FAILED', message: 'Validation Error' },
    });
  });

  it('never shows the cause', () => {
    const error = new ReinsError('internal', { cause: new Error('E11000 dup key') });
    for (const family of ['vwm', 'aiwm', 'vm-system'] as const) {
      expect(JSON.stringify(renderError(family, error, context))).not.toContain('E11000');
    }
  });
});

describe('the error table', () => {
  it('has a sensible status and words for every code', () => {
    for (const [code, spec] of Object.entries(ERRORS)) {
      expect(code).toMatch(/^[a-z_]+$/);
      expect(spec.status).toBeGreaterThanOrEqual(400);
      expect(spec.message.length).toBeGreaterThan(3);
    }
  });
});
