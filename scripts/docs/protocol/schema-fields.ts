import { z } from 'zod';
import { type Field, mergeVariants } from './fields';

/** All fields of what may be sent by a zod schema. It does not look into schemas that are documented on their own. */
export function schemaFields(schema: z.ZodType, documented: ReadonlySet<z.ZodType>): Field[] {
  return fieldsBelow(schema, '', documented, true);
}

function fieldsBelow(schema: z.ZodType, prefix: string, documented: ReadonlySet<z.ZodType>, isRoot = false): Field[] {
  if (!isRoot && documented.has(schema)) return [];
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return fieldsBelow(schema.unwrap() as z.ZodType, prefix, documented, isRoot);
  }
  if (schema instanceof z.ZodArray) return fieldsBelow(schema.element as z.ZodType, `${prefix}[]`, documented);
  if (schema instanceof z.ZodRecord) return fieldsBelow(schema.valueType as z.ZodType, `${prefix}.*`, documented);
  if (schema instanceof z.ZodUnion) {
    return mergeVariants(schema.options.map((option) => fieldsBelow(option as z.ZodType, prefix, documented, isRoot)));
  }
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape as Record<string, z.ZodType>).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    // Asked of the JSON schema of a sender: there a field with a default need not be given.
    return [{ path, optional: isOptional(field) }, ...fieldsBelow(field, path, documented)];
  });
}

function isOptional(field: z.ZodType): boolean {
  if (field instanceof z.ZodUnknown) return false;
  return field instanceof z.ZodOptional || field instanceof z.ZodDefault;
}
