// The actors of a Xen host, and what runs them.

export { type RawCall, type Registers, rawHypercall } from './executor/raw-hypercall.ts';
export { type Kind, kinds } from './kinds.ts';
export { type ActorSnapshot, type ActorState, Directory, domainOf } from './system/directory.ts';
export { type Checkpoint, Dispatcher, type DispatcherOptions, isBehindRing } from './system/dispatcher.ts';
export { mirrorsDisagree } from './system/mirrors.ts';
export { CHUNK_SECTORS, endOf, PAUSE_EVERY, Recording, type RecordingOptions } from './system/recording.ts';
