import { HEADERS, PageQuery } from '@reins/shared/api/common';
import { createZodDto } from 'nestjs-zod';
import { type Response } from 'express';

/** `?limit&offset` of the lists that answer bare arrays. */
export class PageQueryDto extends createZodDto(PageQuery) {}

/** The items as a bare array, with the number of all of them in X-Total-Count. */
export function bareList<T, V>(response: Response, page: { items: T[]; total: number }, view: (item: T) => V): V[] {
  response.setHeader(HEADERS.totalCount, page.total);
  return page.items.map(view);
}
