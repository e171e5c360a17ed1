import { type SessionLogEvent } from '@reins/shared/link/events';

/** An event on its way into the log: everything but its number. */
export interface NewEvent {
  at: string;
  type: string;
  turnId?: string | undefined;
  data: object;
  /** `data` as JSON where the writer has it already. */
  dataJson?: string;
}

/** One event as the log gives it out: the JSON text for clients, the object for whoever looks inside. */
export class LogEvent {
  private parsed: SessionLogEvent | undefined;

  constructor(
    readonly seq: number,
    readonly json: string,
  ) {}

  /** Numbers an event and writes its text. */
  static of(seq: number, event: NewEvent): LogEvent {
    const { at, type, turnId, data } = event;
    const turn = turnId === undefined ? '' : `"turnId":${JSON.stringify(turnId)},`;
    const dataJson = event.dataJson ?? JSON.stringify(data);
    const json = `{"seq":${seq},"at":"${at}","type":${JSON.stringify(type)},${turn}"data":${dataJson}}`;
    const numbered = new LogEvent(seq, json);
    numbered.parsed = {
      seq,
      at,
      type,
      ...(turnId === undefined ? {} : { turnId }),
      data: data as SessionLogEvent['data'],
    };
    return numbered;
  }

  get event(): SessionLogEvent {
    return (this.parsed ??= JSON.parse(this.json) as SessionLogEvent);
  }
}
