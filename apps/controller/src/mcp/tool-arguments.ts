/** What of a JSON Schema is asked of the arguments of a call; everything else is up to the called API. */
interface Shape {
  required?: unknown;
  properties?: unknown;
}

/**
 * What is wrong with the arguments at first sight: required ones that are missing, and types and choices of the top
 * level. Patterns and nested schemas are not run: whoever writes a tool must not be able to keep the controller busy.
 */
export function argumentProblems(schema: Record<string, unknown>, given: Record<string, unknown>): string[] {
  const { required, properties } = schema as Shape;
  const problems: string[] = [];
  for (const name of Array.isArray(required) ? required : []) {
    if (typeof name === 'string' && !Object.hasOwn(given, name)) problems.push(`${name} is required`);
  }
  for (const [name, rules] of Object.entries(isObject(properties) ? properties : {})) {
    if (!Object.hasOwn(given, name) || !isObject(rules)) continue;
    const types = [rules['type']].flat().filter((type) => typeof type === 'string');
    if (types.length > 0 && !types.some((type) => hasType(given[name], type))) {
      problems.push(`${name} must be of type ${types.join(' or ')}`);
    }
    const choices = rules['enum'];
    if (Array.isArray(choices) && !choices.some((choice) => JSON.stringify(choice) === JSON.stringify(given[name]))) {
      problems.push(`${name} must be one of ${JSON.stringify(choices).slice(0, 500)}`);
    }
  }
  return problems;
}

function hasType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'integer') return Number.isInteger(value);
  // A type that is none of JSON Schema's is no reason to refuse.
  return ['string', 'number', 'boolean'].includes(type) ? typeof value === type : true;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
