import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { type Interval, startInterval } from '@reins/shared/util';
import { Bus } from '../bus/bus';
import { SharedBus } from '../bus/shared-bus';
import { Replicas } from '../replicas/replicas';
import { EventLog } from './event-log';

/** While other controllers cannot be heard, their events are looked for this often. */
const LOOK_EVERY_MS = 500;
/** While they can be, only lost messages are. */
const LOOKS_BETWEEN_CHECKS = 8;

/** Finds events of followed sessions that another controller has written and nobody told of: a lost message is no lost event. */
@Injectable()
export class LogWatch implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('LogWatch');
  private loop: Interval | undefined;
  private looks = 0;
  private all = false;

  constructor(
    private readonly log: EventLog,
    private readonly replicas: Replicas,
    private readonly bus: Bus,
    private readonly shared: SharedBus,
  ) {}

  onApplicationBootstrap(): void {
    this.loop = startInterval({
      everyMs: LOOK_EVERY_MS,
      jitter: 0.2,
      run: () => this.look(),
      onError: (error) => this.logger.warn({ err: error }, 'followed logs could not be checked; it is tried again'),
    });
    const lookAtAll = (): void => {
      this.all = true;
      this.loop?.trigger();
    };
    this.shared.onUpChange(lookAtAll);
    this.replicas.onChange(lookAtAll);
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.loop?.stop();
  }

  private async look(): Promise<void> {
    const all = this.all;
    this.all = false;
    if (all) return this.log.checkFollowed('all');
    if (this.replicas.isAlone) return;
    this.looks++;
    if (!this.bus.isHeard || this.looks % LOOKS_BETWEEN_CHECKS === 0) await this.log.checkFollowed('quiet');
  }
}
