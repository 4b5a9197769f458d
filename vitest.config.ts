import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{events,src,machines,replay,tools,adapters,test}/**/*.test.ts'],
    globalSetup: 'scripts/bundle.ts',
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
