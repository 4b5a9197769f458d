// The actors of a Xen host, and what runs them.
export { kinds, type Kind } from './kinds.ts';
export { Directory, type ActorState, type ActorSnapshot, domainOf } from './system/directory.ts';
export { type Checkpoint, Dispatcher, type DispatcherOptions, isBehindRing } from './system/dispatcher.ts';
export { mirrorsDisagree } from './system/mirrors.ts';
export { CHUNK_SECTORS, endOf, Recording, type RecordingOptions } from './system/recording.ts';
