import { type EventSink } from '../drivers/driver.port';
import { type HarnessEventData, type HarnessEventType } from '@reins/shared/link/events';

/** Far more than a chat is shown; the rest of an endless answer need not be kept. */
const LONGEST = 256 * 1024;

/**
 * What a person is told of a turn: the words after the agent's last tool, or the console lines and the value of a script.
 * The same sum the controller makes of a session's turn.
 */
export class AnswerText implements EventSink {
  private words = '';
  private earlierWords = '';
  private lines = '';

  /** `onEvent`: called with each event, when the agent may have told its conversation id. */
  constructor(private readonly onEvent: () => void) {}

  get text(): string {
    const words = this.words === '' ? this.earlierWords : this.words;
    return [words, this.lines].filter((part) => part !== '').join('\n');
  }

  async emit<T extends HarnessEventType>(type: T, data: HarnessEventData<T>): Promise<void> {
    this.onEvent();
    if (type === 'tool_call' || type === 'tool_result') {
      // What an agent says before it uses a tool is a remark.
      if (this.words !== '') [this.earlierWords, this.words] = [this.words, ''];
    } else if ('text' in data) {
      this.add(type, data.text, 'continues' in data && data.continues === true);
    }
  }

  private add(type: HarnessEventType, text: string, continues: boolean): void {
    if (this.words.length + this.lines.length > LONGEST) return;
    if (type === 'text') this.words += text;
    else if (type === 'console' || (type === 'value' && text !== '')) this.lines += continues ? text : `${text}\n`;
  }
}
