import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as link from '@reins/shared/link';
import { type z } from 'zod';
import { declaredBodies, declaredFields } from './declared-fields';
import { type Field } from './fields';
import { codes, markedTables } from './page-tables';
import { schemaFields } from './schema-fields';

const ROOT = join(__dirname, '../../..');
const LINK_DIR = join(ROOT, 'libs/shared/src/link');
const page = readFileSync(join(ROOT, 'docs/reference/protocol.md'), 'utf8');
const tables = markedTables(page, 'schema');

/** Shapes with a table of their own; elsewhere the page only names them. */
const NESTED = [link.SessionDescriptor, link.LinkAddress, link.EventItem] as const;

const SCHEMAS: Record<string, z.ZodType> = {
  ConnectRequest: link.ConnectRequest,
  ConnectResponse: link.ConnectResponse,
  SessionDescriptor: link.SessionDescriptor,
  LinkAddress: link.LinkAddress,
  LinkAuth: link.LinkAuth,
  Hello: link.Hello,
  Ready: link.Ready,
  SessionFailed: link.SessionFailed,
  TurnPull: link.TurnPull,
  PulledTurn: link.PulledTurn,
  TurnReport: link.TurnReport,
  Heartbeat: link.Heartbeat,
  EventsPush: link.EventsPush,
  EventItem: link.EventItem,
  BlobReference: link.BlobReference,
  TurnCompleted: link.TurnCompleted,
  Command: link.Command,
  CommandsPull: link.CommandsPull,
  CommandAck: link.CommandAck,
  Draining: link.Draining,
};

const frames = declaredFields(join(LINK_DIR, 'frames.ts'));
const DECLARED = [
  'Welcome',
  'TurnPullAck',
  'TurnReportAck',
  'HeartbeatAck',
  'EventsAck',
  'LinkErrorAck',
  'Bind',
  'Unbind',
];
const bodies = declaredBodies(join(LINK_DIR, 'socket-events.ts'), 'ControllerToHarness');
const INLINE_BODIES = ['wake', 'drain', 'bye'];

const expected: [string, Field[]][] = [
  ...Object.entries(SCHEMAS).map(([name, schema]): [string, Field[]] => [
    name,
    schemaFields(schema, new Set<z.ZodType>(NESTED)),
  ]),
  ...DECLARED.map((name): [string, Field[]] => [name, frames.get(name) ?? []]),
  ...INLINE_BODIES.map((name): [string, Field[]] => [name, bodies.get(name) ?? []]),
];

const line = ({ path, optional }: Field): string => `${path}${optional ? '?' : ''}`;

describe('docs/reference/protocol.md', () => {
  it.each(expected)('has every field of %s, and marks the ones that may be missing', (name, fields) => {
    const rows = tables.get(name) ?? [];
    const written = rows.map(([path, type = '']) => ({ path: codes(path)[0] ?? '', optional: type.endsWith('?') }));
    expect(fields.length).toBeGreaterThan(0);
    expect(written.map(line).sort()).toEqual(fields.map(line).sort());
  });

  it('has no table for a shape that does not exist', () => {
    expect([...tables.keys()].sort()).toEqual(expected.map(([name]) => name).sort());
  });

  it('checks every frame of the harness', () => {
    const checked = new Set(Object.values(SCHEMAS));
    const unchecked = Object.entries(link.HARNESS_FRAMES).filter(([, schema]) => !checked.has(schema));
    expect(unchecked.map(([name]) => name)).toEqual([]);
  });

  it('names every frame of both directions', () => {
    for (const name of Object.keys(link.HARNESS_FRAMES)) expect(page).toContain(`\`${name}\``);
    const [listed] = markedTables(page, 'controller-frames').values();
    expect(listed?.map(([name]) => codes(name)[0]).sort()).toEqual([...bodies.keys()].sort());
  });

  it('lists every type of event a harness may push, with its data', () => {
    const rows = markedTables(page, 'events').get('harness') ?? [];
    const written = rows.map(([type, data]) => `${codes(type)[0]}: ${codes(data).sort().join(' ')}`);
    const defined = Object.entries(link.HARNESS_EVENTS).map(([type, schema]) => {
      const top = schemaFields(schema, new Set()).filter(({ path }) => !/[.[]/.test(path));
      return `${type}: ${top.map(line).sort().join(' ')}`;
    });
    expect(written.sort()).toEqual(defined.sort());
  });

  it('lists the types that only the controller writes', () => {
    const rows = markedTables(page, 'events').get('controller') ?? [];
    expect(rows.map(([type]) => codes(type)[0])).toEqual([...link.CONTROLLER_EVENT_TYPES]);
  });

  it('gives every number of the link', () => {
    const rows = markedTables(page, 'constants').get('LINK') ?? [];
    const written = rows.map(([name, value]) => `${codes(name)[0]} = ${codes(value)[0]}`);
    expect(written).toEqual(Object.entries(link.LINK).map(([name, value]) => `${name} = ${value}`));
  });

  it('names the variables a harness finds in its environment, and every reason of a bye', () => {
    const variables = markedTables(page, 'constants').get('HARNESS_ENV') ?? [];
    expect(variables.map(([name]) => codes(name)[0])).toEqual(Object.values(link.HARNESS_ENV));
    const reasons = markedTables(page, 'reasons').get('bye') ?? [];
    expect(reasons.map(([name]) => codes(name)[0]).sort()).toEqual([...link.BYE_REASONS].sort());
  });

  it('has links that lead somewhere', () => {
    const anchors = new Set(
      [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\w\s-]/g, '')
          .trim()
          .replace(/\s/g, '-'),
      ),
    );
    for (const [, target = ''] of page.matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(target);
  });
});
