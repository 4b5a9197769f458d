// The embedding API. Puts the floors together; nothing else is in it.
export * from './events/index.ts';
export * from './machines/index.ts';
export * from './replay/index.ts';
