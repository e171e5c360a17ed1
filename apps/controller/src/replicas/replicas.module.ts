import { Global, Module } from '@nestjs/common';
import { Leadership } from './leadership';
import { LeasesRepository } from './leases.repository';
import { Replica } from './replica';
import { Replicas } from './replicas';
import { ReplicasRepository } from './replicas.repository';

@Global()
@Module({
  providers: [Replica, Replicas, Leadership, LeasesRepository, ReplicasRepository],
  exports: [Replica, Replicas, Leadership],
})
export class ReplicasModule {}
