// The four replays, and what can be asked of a log.
export { firstDifference, type Parting } from './bisect.ts';
export { type CachedCheckpoint, type CacheMedium, CheckpointCache, MemoryMedium } from './cache.ts';
export { Cursor } from './cursor.ts';
export { type Divergence, describeCauses, describeDivergence, describeStep, formatTime, same, show } from './divergence.ts';
export { toJsonLine } from './export/jsonl.ts';
export { fold, foldSteps, newHost } from './fold.ts';
export { type Followed, type FollowOptions, follow } from './follow.ts';
export { describeImage, loggedImages, missingImages } from './images.ts';
export { type Reenacted, type ReenactOptions, reenact } from './reenact.ts';
export { type FoundCheckpoint, newestCheckpoint, type ResumedHost, resumeHost } from './resume.ts';
export { encodeStart, startOf } from './start.ts';
export { columnsSince, equalDigests } from './state-changes.ts';
export { type VerifyOptions, verify } from './verify.ts';
export { causesOf, type Link, Steps, shortened, why } from './why.ts';
