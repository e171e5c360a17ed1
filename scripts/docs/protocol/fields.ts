/** A field of a frame: its dotted path, with `[]` for the items of a list and `*` for the values of a map. */
export interface Field {
  path: string;
  optional: boolean;
}

/** Fields of the same path in several variants of a type become one, optional unless every variant has it. */
export function mergeVariants(variants: readonly Field[][]): Field[] {
  const paths = new Set(variants.flatMap((variant) => variant.map(({ path }) => path)));
  return [...paths].map((path) => {
    const found = variants.map((variant) => variant.find((field) => field.path === path));
    return { path, optional: found.some((field) => field === undefined || field.optional) };
  });
}
