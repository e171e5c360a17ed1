import { noticeIn } from './notice';

describe('noticeIn', () => {
  it.each(['', '  \n', 'FALSE', 'false\n', 'NONE', 'None'])('%j says nothing', (text) => {
    expect(noticeIn(text)).toBeUndefined();
  });

  it('Google: TRUE', () => {
    expect(noticeIn('TRUE\n')).toEqual({ at: undefined });
  });

  it('Amazon: the action with its time', () => {
    expect(noticeIn('{"action": "terminate", "time": "2030-09-18T08:22:00Z"}')).toEqual({
      at: Date.UTC(2030, 8, 18, 8, 22),
    });
    expect(noticeIn('{"noticeTime": "2030-09-18T08:22:00Z"}')?.at).toBe(Date.UTC(2030, 8, 18, 8, 22));
  });

  it('Azure: the soonest of the events that end the machine', () => {
    const event = (EventType: string, NotBefore: string): object => ({ EventId: 'e', EventType, NotBefore });
    const document = (...Events: object[]): string => JSON.stringify({ DocumentIncarnation: 1, Events });
    expect(noticeIn(document())).toBeUndefined();
    expect(noticeIn(document(event('Reboot', '')))).toBeUndefined();
    expect(noticeIn(document(event('Freeze', ''), event('Preempt', '')))).toEqual({ at: undefined });
    const two = document(
      event('Terminate', 'Mon, 19 Sep 2030 18:29:47 GMT'),
      event('Preempt', 'Mon, 19 Sep 2030 18:20:00 GMT'),
    );
    expect(noticeIn(two)).toEqual({ at: Date.parse('Mon, 19 Sep 2030 18:20:00 GMT') });
  });

  it('any other text is a notice, also one that only looks like JSON', () => {
    expect(noticeIn('going away')).toEqual({ at: undefined });
    expect(noticeIn('{"time": 7')).toEqual({ at: undefined });
    expect(noticeIn('[]')).toEqual({ at: undefined });
  });
});
