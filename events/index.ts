// The vocabulary of a Xen host: what can be asked, what can happen, what a log is.
export type { Hash } from './block.ts';
export * from './block-decoder.ts';
export * from './block-encoder.ts';
export * from './bytes.ts';
export * from './errno.ts';
export * from './log.ts';
export * from './merge.ts';
export * from './shape.ts';
export * from './shape.ts';
export * from './source.ts';
export * from './step.ts';
export * from './store.ts';
export * from './units.ts';
export * from './upcast.ts';
export * from './vocabulary.ts';
