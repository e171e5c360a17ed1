import { promote } from '../query/expressions';
import { type Document, isDocument } from '../bson/types';
import { pump } from '../cursor/pump';
import { badValue, MongoError } from '../errors';
import { type IndexScan, type Plan } from '../index/planner';
import { Query, type QuerySpec } from '../query/query';
import { type Command, type CommandContext } from './command';
import { querySpec } from './documents';
import { leadingQuery } from './aggregate';

/** Tells which plan a command would use, and runs its query part to count what it touches; nothing is changed. */
export const explain: Command = {
  fields: { explain: 'object!', verbosity: 'string' },
  async run(context) {
    const command = context.options.explain as Document;
    const [name] = Object.keys(command);
    const spec = querySpecOf(name ?? '', command);
    const target = command[name as string];
    if (typeof target !== 'string') throw new MongoError(73, 'Invalid namespace specified for explain');
    return explainQuery(context, `${context.database}.${target}`, spec, name as string, command);
  },
};

function querySpecOf(name: string, command: Document): QuerySpec {
  const plain = (field: string): unknown => promote(command[field]);
  const options = { sort: command.sort, skip: plain('skip'), limit: plain('limit'), hint: command.hint };
  const [statement] = (command.updates ?? command.deletes ?? []) as Document[];
  switch (name) {
    case 'find':
      return querySpec(options, documentOf(command.filter));
    case 'count':
    case 'distinct':
      return querySpec({ ...options, sort: undefined }, documentOf(command.query));
    case 'findAndModify':
    case 'findandmodify':
      return querySpec({ sort: command.sort, hint: command.hint, limit: 1 }, documentOf(command.query));
    case 'update':
      return querySpec({ limit: statement?.multi === true ? 0 : 1, hint: statement?.hint }, documentOf(statement?.q));
    case 'delete':
      return querySpec({ limit: plain('limit') === 1 ? 1 : 0, hint: statement?.hint }, documentOf(statement?.q));
    case 'aggregate':
      return leadingQuery((command.pipeline ?? []) as Document[], command).spec;
    default:
      throw new MongoError(59, `Explain failed due to unknown command: ${name}`);
  }
}

function documentOf(value: unknown): Document {
  if (value === undefined || value === null) return {};
  if (!isDocument(value)) throw badValue('a query must be an object');
  return value;
}

async function explainQuery(
  { engine, options, pacer }: CommandContext,
  namespace: string,
  spec: QuerySpec,
  name: string,
  command: Document,
): Promise<Document> {
  const collection = engine.catalog.get(namespace);
  const result: Document = { explainVersion: '1', command };
  if (!collection) {
    const winningPlan = { stage: 'EOF' };
    return {
      ...result,
      queryPlanner: { namespace, winningPlan, rejectedPlans: [] },
      executionStats: statistics(0, 0, 0, winningPlan, 0),
    };
  }
  const query = new Query(collection, spec);
  const winningPlan = stagesOf(query.plan, spec, name);
  const queryPlanner = { namespace, parsedQuery: spec.filter, winningPlan, rejectedPlans: [] };
  if (options.verbosity === 'queryPlanner') return { ...result, queryPlanner };
  const startedAt = performance.now();
  let returned = 0;
  await pump(query.run(), () => void returned++, pacer);
  const { keysExamined, docsExamined } = query.statistics;
  const elapsedMs = Math.round(performance.now() - startedAt);
  return {
    ...result,
    queryPlanner,
    executionStats: statistics(returned, keysExamined, docsExamined, winningPlan, elapsedMs),
  };
}

function statistics(nReturned: number, keys: number, documents: number, stages: Document, elapsedMs: number): Document {
  return {
    executionSuccess: true,
    nReturned,
    executionTimeMillis: elapsedMs,
    totalKeysExamined: keys,
    totalDocsExamined: documents,
    executionStages: { ...stages, nReturned },
  };
}

const OUTER_STAGES: Readonly<Record<string, string>> = {
  count: 'COUNT',
  update: 'UPDATE',
  delete: 'DELETE',
  findAndModify: 'UPDATE',
  findandmodify: 'UPDATE',
};

function stagesOf(plan: Plan, { filter, sort, limit }: QuerySpec, name: string): Document {
  let stage: Document;
  if (plan.stage === 'COLLSCAN')
    stage = { stage: 'COLLSCAN', filter, direction: plan.reverse ? 'backward' : 'forward' };
  else if (plan.stage === 'OR')
    stage = { stage: 'FETCH', filter, inputStage: { stage: 'OR', inputStages: plan.branches.map(scanStage) } };
  else stage = { stage: 'FETCH', filter, inputStage: scanStage(plan) };
  if (sort.length > 0 && !plan.sorted) {
    stage = {
      stage: 'SORT',
      sortPattern: Object.fromEntries(sort.map(({ path, direction }) => [path, direction])),
      inputStage: stage,
    };
  }
  if (limit > 0 && name === 'find') stage = { stage: 'LIMIT', limitAmount: limit, inputStage: stage };
  const outer = OUTER_STAGES[name];
  return outer ? { stage: outer, inputStage: stage } : stage;
}

function scanStage({ index, reverse, bounds }: IndexScan): Document {
  const { spec, definition } = index;
  return {
    stage: 'IXSCAN',
    keyPattern: spec.key,
    indexName: spec.name,
    isMultiKey: definition.multikey.some(Boolean),
    isUnique: index.unique,
    isSparse: spec.sparse ?? false,
    isPartial: spec.partialFilterExpression !== undefined,
    direction: reverse ? 'backward' : 'forward',
    ranges: bounds.length,
  };
}
