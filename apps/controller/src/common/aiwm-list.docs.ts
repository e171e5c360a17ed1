import { applyDecorators } from '@nestjs/common';
import { ApiQuery, ApiResponse } from '@nestjs/swagger';

const ORDERS = ['1', '-1', 'asc', 'desc'];

/** The parameters of an AIWM list in the API's description; the texts name the fields that pass. */
export function ApiAiwmList({ filter, sort }: { filter: string; sort: string }): MethodDecorator {
  const bracketed = { required: false, style: 'deepObject', explode: true } as const;
  const fields = (value: object) => ({ type: 'object' as const, additionalProperties: value });
  return applyDecorators(
    ApiQuery({ name: 'page', required: false, schema: { type: 'integer', minimum: 1, default: 1 } }),
    ApiQuery({ name: 'limit', required: false, schema: { type: 'integer', minimum: 1, maximum: 100, default: 10 } }),
    ApiQuery({ ...bracketed, name: 'filter', schema: fields({ type: 'string' }), description: filter }),
    ApiQuery({ ...bracketed, name: 'sort', schema: fields({ type: 'string', enum: ORDERS }), description: sort }),
    ApiResponse({ status: 200, description: 'One page with pagination and statistics' }),
  );
}
