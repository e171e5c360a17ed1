import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PodSettings } from '@reins/shared/api/pods';
import { parse } from 'yaml';
import { z } from 'zod';
import { CHART, findHelm, render } from './helm';

interface Schema {
  type?: string | string[];
  $ref?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  items?: Schema;
  definitions?: Record<string, Schema>;
}

const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema;
const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;

const resolved = (one: Schema): Schema =>
  one.$ref === undefined ? one : (schema.definitions?.[one.$ref.split('/').pop() ?? ''] ?? {});

/** Paths of all objects with named properties. */
function objects(one: Schema, path = 'values'): [string, Schema][] {
  const { properties, items, ...rest } = resolved(one);
  const inner = Object.entries(properties ?? {}).flatMap(([key, value]) => objects(value, `${path}.${key}`));
  const here: [string, Schema][] = properties ? [[path, { properties, ...rest }]] : [];
  return [...here, ...inner, ...(items ? objects(items, `${path}[]`) : [])];
}

/** Names of properties, nested; what both ways of writing a schema have in common. */
function names(one: Schema): unknown {
  const { properties, items } = resolved(one);
  if (items) return [names(items)];
  if (!properties) return true;
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, names(value)]));
}

describe('values.schema.json', () => {
  it('knows no object that takes whatever it is given', () => {
    const open = objects(schema).filter(([, { additionalProperties }]) => additionalProperties !== false);
    expect(open.map(([path]) => path)).toEqual([]);
  });

  it('describes each value of values.yaml, and values.yaml has a default for each', () => {
    const missing: string[] = [];
    const walk = (one: Schema, given: unknown, path: string): void => {
      const { properties } = resolved(one);
      // Defaults of session pods are the controller's own, not the chart's.
      if (!properties || path === 'values.sessions.pod') return;
      for (const key of new Set([...Object.keys(properties), ...Object.keys(given as object)])) {
        // What subcharts would share, and an optional number of a probe.
        if (key === 'global' || key === 'initialDelaySeconds' || path.startsWith('values.resources.')) continue;
        const next = (given as Record<string, unknown>)[key];
        const inner = properties[key];
        if (inner === undefined || next === undefined) missing.push(`${path}.${key}`);
        else walk(inner, next, `${path}.${key}`);
      }
    };
    walk(schema, values, 'values');
    expect(missing).toEqual([]);
  });

  it('takes the same settings of session pods as the controller', () => {
    const controller = z.toJSONSchema(PodSettings, { io: 'input' }) as Schema;
    const chart = schema.properties?.sessions?.properties?.pod ?? {};
    expect(names(chart)).toEqual(names(controller));
  });

  (findHelm() === undefined ? it.skip : it).each([
    ['an unknown value', { replica: 2 }, /replica/],
    ['one within', { sessions: { pod: { cpu: 1 } } }, /cpu/],
    ['a number as text', { replicas: 'two' }, /replicas/],
    ['an address of something else', { mongodb: { uri: 'postgres://db' } }, /mongodb/],
    ['a quantity that is none', { persistence: { size: 'ten' } }, /size/],
    ['a variable the chart itself sets', { config: { JWT_SECRET: 'x' } }, /JWT_SECRET/],
    ['a cluster without a kubeconfig', { clusters: [{ name: 'east' }] }, /kubeconfigSecret/],
  ])('refuses %s', (_, given, message) => expect(() => render(given)).toThrow(message));
});
