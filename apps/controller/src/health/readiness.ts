import { Injectable } from '@nestjs/common';

/** Whether this controller still takes new work. */
@Injectable()
export class Readiness {
  private leaving = false;

  get draining(): boolean {
    return this.leaving;
  }

  /** From now on `/ready` says 503, so that load balancers send nobody here any more. */
  drain(): void {
    this.leaving = true;
  }
}
