import { Injectable } from '@nestjs/common';
import { Config } from './config';

/** The address the controller is reached at, known once it listens: with PORT=0 the system chooses the port. */
@Injectable()
export class ListenAddress {
  private port: number;

  constructor(private readonly config: Config) {
    this.port = config.env.PORT;
  }

  bound(port: number): void {
    this.port = port;
  }

  get publicUrl(): string {
    return this.config.publicUrl(this.port);
  }
}
