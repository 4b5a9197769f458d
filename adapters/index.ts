// Xenolog with files: for programs on Node.
export { Failure } from './failure.ts';
export { type FileImage, fileImage, zeroImage } from './file-image.ts';
export { cacheOf, type OpenCache, openCache } from './file-store/cache-file.ts';
export { type Durability, durabilities, FileStore, resumeRun, type StoppedRun, storeFailure } from './file-store/file-store.ts';
export { lmdbAddress } from './lmdb-store/database.ts';
export { LmdbStore, type LmdbStoreOptions, readLmdb, repairLmdb } from './lmdb-store/lmdb-store.ts';
export { type LoadedScenario, loadScenario, ScenarioFailure } from './load-scenario.ts';
export { LogFile, openLog, sha256 } from './log-file.ts';
export { domainNamed, domainNames, play } from './play.ts';
export { type SocketOptions, XenstoreSockets } from './xenstore-socket/server.ts';
