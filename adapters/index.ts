// Xenolog with files: for programs on Node.
export { Failure } from './failure.ts';
export { type FileImage, fileImage, zeroImage } from './file-image.ts';
export { cacheOf, type OpenCache, openCache } from './file-store/cache-file.ts';
export type { FileLayer } from './file-store/file-layer.ts';
export { type Durability, durabilities, FileStore, storeFailure } from './file-store/file-store.ts';
export { resumeRun, type StoppedRun } from './file-store/resume.ts';
export { type LmdbAddress, lmdbAddress } from './lmdb-store/address.ts';
export { LmdbStore, type LmdbStoreOptions, readLmdb, repairLmdb } from './lmdb-store/lmdb-store.ts';
export { type LoadedScenario, loadScenario, ScenarioFailure } from './load-scenario.ts';
export { LogFile, openLog, sha256 } from './log-file.ts';
export { domainNamed, domainNames, play } from './play.ts';
export { placeFor, placeOf, type RunPlace } from './run-place.ts';
export { type SocketOptions, XenstoreSockets } from './xenstore-socket/server.ts';
