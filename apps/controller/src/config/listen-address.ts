import { Injectable } from '@nestjs/common';
import { Config } from './config';

/** The address the controller is reached at, known once it listens: with PORT=0 the system chooses the port. */
@Injectable()
export class ListenAddress {
  /** Resolves when the controller listens. */
  readonly known: Promise<void>;
  private port: number;
  private tell: () => void = () => undefined;

  constructor(private readonly config: Config) {
    this.port = config.env.PORT;
    this.known = new Promise((resolve) => (this.tell = resolve));
  }

  bound(port: number): void {
    this.port = port;
    this.tell();
  }

  get publicUrl(): string {
    return this.config.publicUrl(this.port);
  }
}
