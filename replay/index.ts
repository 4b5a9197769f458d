// The four replays, and what can be asked of a log.
export { Cursor } from './cursor.ts';
export { describeDivergence, describeStep, type Divergence, formatTime, same, show } from './divergence.ts';
export { fold, foldSteps, newHost } from './fold.ts';
export { follow, type Followed, type FollowOptions } from './follow.ts';
export { loggedImages } from './images.ts';
export { type Reenacted, type ReenactOptions, reenact } from './reenact.ts';
export { verify, type VerifyOptions } from './verify.ts';
export { Steps, why } from './why.ts';
