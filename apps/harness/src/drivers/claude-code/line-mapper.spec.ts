import { LineMapper, type Mapped } from './line-mapper';
import { type Json, parseLine } from './messages';

/* Lines as Claude Code 2.1.329 wrote them, without the fields that nothing here reads. */
const INIT = `{"type":"system","subtype":"init","session_id":"ff21e920","model":"claude-sonnet-4-5","tools":["Bash"]}`;
const REPLAY = `{"type":"user","message":{"role":"user","content":"first"},"session_id":"ff21e920","isReplay":true}`;
const START = `{"type":"stream_event","event":{"type":"message_start","message":{"id":"msg_1","content":[]}},"parent_tool_use_id":null}`;
const TEXT_DELTA = `{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello "}},"parent_tool_use_id":null}`;
const THINKING_DELTA = `{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"deep "}},"parent_tool_use_id":null}`;
const SIGNATURE_DELTA = `{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"s"}},"parent_tool_use_id":null}`;
const INPUT_DELTA = `{"type":"stream_event","event":{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}},"parent_tool_use_id":null}`;
const ASSISTANT_TEXT = `{"type":"assistant","message":{"id":"msg_1","role":"assistant","content":[{"type":"text","text":"Hello "}]},"parent_tool_use_id":null}`;
const ASSISTANT_THINKING = `{"type":"assistant","message":{"id":"msg_1","role":"assistant","content":[{"type":"thinking","thinking":"deep ","signature":"s"}]},"parent_tool_use_id":null}`;
const ASSISTANT_TOOL = `{"type":"assistant","message":{"id":"msg_1","role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"Bash","input":{"command":"ls"}}]},"parent_tool_use_id":null}`;
const TOOL_RESULT = `{"type":"user","message":{"role":"user","content":[{"tool_use_id":"toolu_1","type":"tool_result","content":"a.txt","is_error":false}]},"parent_tool_use_id":null,"tool_use_result":{"stdout":"a.txt"}}`;
const TOOL_BLOCKED = `{"type":"user","message":{"role":"user","content":[{"type":"tool_result","content":"<tool_use_error>Blocked</tool_use_error>","is_error":true,"tool_use_id":"toolu_1"}]},"parent_tool_use_id":null}`;
const INTERRUPTED = `{"type":"user","message":{"role":"user","content":[{"type":"text","text":"[Request interrupted by user]"}]},"parent_tool_use_id":null}`;
const API_ERROR = `{"type":"assistant","message":{"id":"x","model":"<synthetic>","content":[{"type":"text","text":"API Error: 400 no"}]},"parent_tool_use_id":null,"is_api_error_message":true,"api_error_status":400}`;
const RETRY = `{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":556,"error_status":500,"error":"server_error"}`;
const SUBAGENT_TEXT = `{"type":"assistant","message":{"id":"msg_9","content":[{"type":"text","text":"inner"}]},"parent_tool_use_id":"toolu_1"}`;
const PERMISSION = `{"type":"control_request","request_id":"r7","request":{"subtype":"can_use_tool"}}`;
const CONTROL_ANSWER = `{"type":"control_response","response":{"subtype":"success","request_id":"r1","response":{"still_queued":[]}}}`;
const STATUS = `{"type":"system","subtype":"status","status":"requesting"}`;

const result = (fields: Json): string =>
  JSON.stringify({ type: 'result', subtype: 'success', is_error: false, ...fields });

function map(mapper: LineMapper, ...lines: string[]): Mapped[] {
  return lines.map((line) => mapper.map(parseLine(line) ?? {}));
}
const events = (...lines: string[]): unknown[] => map(new LineMapper(), ...lines).flatMap((mapped) => mapped.events);

const containing = (text: string): unknown => expect.stringContaining(text);

describe('LineMapper', () => {
  it.each([
    ['a text delta', [TEXT_DELTA], [{ type: 'text', data: { text: 'Hello ' } }]],
    ['a thinking delta', [THINKING_DELTA], [{ type: 'thinking', data: { text: 'deep ' } }]],
    ['text that was streamed', [START, TEXT_DELTA, ASSISTANT_TEXT], [{ type: 'text', data: { text: 'Hello ' } }]],
    ['text that was not streamed', [ASSISTANT_TEXT], [{ type: 'text', data: { text: 'Hello ' } }]],
    [
      'streamed thinking before text that is not',
      [START, THINKING_DELTA, SIGNATURE_DELTA, ASSISTANT_THINKING, ASSISTANT_TEXT],
      [
        { type: 'thinking', data: { text: 'deep ' } },
        { type: 'text', data: { text: 'Hello ' } },
      ],
    ],
    [
      'a tool call, whole and once',
      [START, INPUT_DELTA, ASSISTANT_TOOL, ASSISTANT_TOOL],
      [{ type: 'tool_call', data: { id: 'toolu_1', name: 'Bash', input: { command: 'ls' } } }],
    ],
    [
      'a tool result',
      [TOOL_RESULT],
      [{ type: 'tool_result', data: { id: 'toolu_1', output: 'a.txt', isError: false } }],
    ],
    [
      'a failed tool',
      [TOOL_BLOCKED],
      [{ type: 'tool_result', data: { id: 'toolu_1', output: containing('Blocked'), isError: true } }],
    ],
    ['a repeated request', [RETRY], [{ type: 'log', data: { level: 'warn', message: containing('500') } }]],
    ['an API error, which is the outcome', [API_ERROR], []],
    ['the words of a subagent', [SUBAGENT_TEXT], []],
    ['what the CLI says about itself', [INIT, STATUS, REPLAY, INTERRUPTED, CONTROL_ANSWER], []],
    [
      'lines of an unknown shape',
      ['{"type":"news"}', '{"type":7}', '{}', '{"type":"assistant"}', '{"type":"user"}'],
      [],
    ],
  ])('maps %s', (_, lines, expected) => {
    expect(events(...lines)).toEqual(expected);
  });

  it('tells the conversation, the echo of a prompt, and a question of the CLI', () => {
    const [init, replay, permission] = map(new LineMapper(), INIT, REPLAY, PERMISSION);
    expect(init?.conversationId).toBe('ff21e920');
    expect(replay?.promptTaken).toBe(true);
    expect(permission?.asks).toBe('r7');
  });

  it('is no message where a line is not a JSON object', () => {
    expect(['', 'warning: x', '[1]', '7', 'null', '{"type"'].map(parseLine)).toEqual(Array(6).fill(undefined));
  });

  it.each([
    ['success', { stop_reason: 'end_turn', result: 'done' }, { ok: true, stopReason: 'end_turn' }],
    ['turn limit', { subtype: 'error_max_turns', is_error: true }, { ok: true, stopReason: 'max_turns' }],
    [
      'API error',
      { is_error: true, result: 'API Error: 400 no' },
      { ok: false, stopReason: 'agent_error', message: 'API Error: 400 no' },
    ],
    [
      'lost conversation',
      {
        subtype: 'error_during_execution',
        is_error: true,
        num_turns: 0,
        errors: ['No conversation found with session ID: 1'],
      },
      { ok: false, conversationMissing: true },
    ],
    [
      'other failure',
      { subtype: 'error_during_execution', is_error: true, num_turns: 3, errors: ['broken', 'badly'] },
      { ok: false, conversationMissing: false, message: 'broken; badly' },
    ],
  ])('reads the result: %s', (_, fields, expected) => {
    expect(map(new LineMapper(), result(fields))[0]?.result).toMatchObject(expected);
  });

  describe('usage', () => {
    const usage = { input_tokens: 12, cache_creation_input_tokens: 3, cache_read_input_tokens: 5, output_tokens: 7 };
    const usageOf = (mapper: LineMapper, fields: Json): unknown => map(mapper, result(fields))[0]?.result?.usage;

    it('counts cached input, and takes the cost as what was added since the result before', () => {
      const mapper = new LineMapper();
      map(mapper, INIT);
      const first = usageOf(mapper, { usage, total_cost_usd: 0.000282 });
      const second = usageOf(mapper, { usage, total_cost_usd: 0.00042300000000000004 });
      expect(first).toEqual({ tokensIn: 20, tokensOut: 7, costUsd: 0.000282, model: 'claude-sonnet-4-5' });
      expect(second).toEqual({ tokensIn: 20, tokensOut: 7, costUsd: 0.000141, model: 'claude-sonnet-4-5' });
    });

    it('does not charge the cost of earlier processes to the first turn of a resumed conversation', () => {
      const mapper = new LineMapper(true);
      expect(usageOf(mapper, { usage, total_cost_usd: 1.5 })).toEqual({ tokensIn: 20, tokensOut: 7 });
      expect(usageOf(mapper, { usage, total_cost_usd: 1.75 })).toMatchObject({ costUsd: 0.25 });
    });

    it("prefers the CLI's own sums per model", () => {
      const models = {
        small: { inputTokens: 1, outputTokens: 1, costUSD: 0.1 },
        large: {
          inputTokens: 10,
          outputTokens: 20,
          cacheReadInputTokens: 5,
          cacheCreationInputTokens: 4,
          costUSD: 0.2,
        },
      };
      const fields = { usage, total_cost_usd: 9, model_usage_since_last_result: models };
      expect(usageOf(new LineMapper(true), fields)).toEqual({
        tokensIn: 20,
        tokensOut: 21,
        costUsd: 0.3,
        model: 'large',
      });
    });
  });
});
