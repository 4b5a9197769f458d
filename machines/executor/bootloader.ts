// pygrub, as far as it needs the disk: finds the active partition, reads the menu and the kernel's head, and reports them.
import { byteString } from '../../events/bytes.ts';
import type { FactOf } from '../../events/vocabulary.ts';
import { attempt, type Reading, readFile, readSuperblock } from '../../src/storage/ext2/index.ts';
import type { Image } from '../../src/storage/image.ts';
import { partition, readMbr } from '../../src/storage/mbr.ts';
import { imagePages } from '../../src/storage/page-source.ts';
import { parseMenu } from '../../src/toolstack/grub-menu.ts';
import type { Disks } from './disks.ts';
import type { System } from './system.ts';

const MENUS = ['/boot/grub/menu.lst', '/boot/grub/grub.conf', '/grub/menu.lst'];
const HEAD = 4096;

export class Bootloader {
  private readonly system: System;
  private readonly disks: Disks;
  constructor(system: System, disks: Disks) {
    this.system = system;
    this.disks = disks;
  }

  run(started: FactOf<'bootloader.started'>, cause: number): void {
    const { job, domid, disk, entry } = started;
    const found = this.look(disk, entry);
    const nothing = { kernel: '', ramdisk: '', args: '', menu: '', error: '' };
    this.system.hypercall({ type: 'bootloader.note_result', job, domid, ...nothing, ...found }, 'pygrub', cause);
  }

  private look(path: string, entry: string): { kernel: string; ramdisk: string; args: string; menu: string } | { error: string } {
    const disk = this.disks.get(path);
    if (!disk) return { error: `${path}: dom0 has no such disk` };
    const image: Image = { sectors: disk.sectors, read: (sector, into) => void disk.read(sector, into) };
    const table = readMbr(image);
    const boot = table.ok ? (table.entries.find((one) => one.active) ?? table.entries[0]) : undefined;
    const volume = boot ? partition(image, boot) : image;
    const read = (name: string, limit: number): string | undefined => {
      const outcome = attempt(imagePages(volume), () => open(volume.sectors, name, limit));
      return 'done' in outcome ? outcome.done : undefined;
    };
    for (const name of MENUS) {
      const text = read(name, 1 << 16);
      if (text === undefined) continue;
      const menu = parseMenu(text);
      const chosen = menu.titles.find(({ title }) => title === entry) ?? menu.titles[menu.chosen];
      if (!chosen) return { error: `${path}: ${name} has no entry that could be started` };
      const head = read(chosen.kernel, HEAD);
      if (head === undefined) return { error: `${path}: ${name} starts ${chosen.kernel}, which is not there` };
      // A kernel of ours says so in its first line: "builtin:linux".
      const builtin = /^builtin:[a-z0-9-]+/.exec(head)?.[0];
      if (builtin === undefined)
        return { error: `${path}: ${chosen.kernel} is machine code, which this version does not run yet` };
      return { kernel: builtin, ramdisk: chosen.initrd, args: chosen.args, menu: menu.text };
    }
    return { error: `${path}: no boot menu (${MENUS.join(', ')}) on its ${boot ? `partition ${boot.number}` : 'file system'}` };
  }
}

function* open(sectors: number, name: string, limit: number): Reading<string> {
  const fs = yield* readSuperblock(sectors);
  return byteString(yield* readFile(fs, name, limit));
}
