import { Injectable } from '@nestjs/common';

/** Whether this controller is leaving. */
@Injectable()
export class LinkState {
  draining = false;
}
