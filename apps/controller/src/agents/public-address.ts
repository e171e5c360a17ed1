import { type AddressInfo } from 'node:net';
import { type Server } from 'node:http';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Config } from '../config/config';

/** Where agents reach this controller. */
@Injectable()
export class PublicAddress {
  constructor(
    private readonly config: Config,
    private readonly host: HttpAdapterHost,
  ) {}

  /** Without a trailing slash. With PORT=0 right only once the server listens. */
  get url(): string {
    const server = this.host.httpAdapter?.getHttpServer() as Server | undefined;
    const address = server?.address() as AddressInfo | string | null | undefined;
    const bound = typeof address === 'object' && address !== null ? address.port : this.config.env.PORT;
    return this.config.publicUrl(bound);
  }
}
