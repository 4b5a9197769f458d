// The vocabulary of a Xen host: what can be asked, what can happen, what a log is.
export * from './bytes.ts';
export * from './codec.ts';
export * from './errno.ts';
export * from './log.ts';
export * from './step.ts';
export * from './units.ts';
export * from './upcast.ts';
export * from './vocabulary.ts';
