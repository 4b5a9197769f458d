// The disks that dom0's backends serve: immutable images, each under an overlay that takes the writes.

import { Overlay, type OverlaySnapshot } from '../../src/storage/overlay.ts';
import { mix } from '../../src/tables/table.ts';
import type { System } from './system.ts';

export type DisksSnapshot = readonly (readonly [path: string, overlay: OverlaySnapshot])[];

export class Disks {
  private readonly system: System;
  private readonly overlays = new Map<string, Overlay>();
  constructor(system: System) {
    this.system = system;
  }
  /** A disk by its path in dom0; undefined where the host has no such file. */
  get(path: string): Overlay | undefined {
    const known = this.overlays.get(path);
    if (known) return known;
    const file = this.system.host.config.files.find((one) => one.kind === 'disk' && one.path === path);
    if (file?.kind !== 'disk') return undefined;
    const overlay = new Overlay(this.system.image(file.image), this.system.host.journal, file.readonly ? 'r' : 'w');
    this.overlays.set(path, overlay);
    return overlay;
  }
  digest(): number {
    let hash = 17;
    for (const path of this.paths()) hash = mix(hash, this.overlays.get(path)!.digest());
    return hash >>> 0;
  }
  snapshot(): DisksSnapshot {
    return this.paths().map((path) => [path, this.overlays.get(path)!.snapshot()]);
  }
  restore(snapshot: DisksSnapshot): void {
    this.overlays.clear();
    for (const [path, overlay] of snapshot) this.get(path)!.restore(overlay);
  }
  private paths(): string[] {
    return [...this.overlays.keys()].sort((a, b) => (a < b ? -1 : 1));
  }
}
