// Projections of the steps for people who watch.
export { type DomainList, type DomainRow, type DomainRowState, domainList, uptime } from './domain-list.ts';
export { type Patch, type Projection, View, type Watcher } from './view.ts';
