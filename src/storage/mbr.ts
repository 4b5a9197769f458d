// The partition table of a PC disk: four entries at the end of sector 0.
import { type Image, SECTOR_SIZE } from './image.ts';

/** A primary partition that is in use. */
export interface PartitionEntry {
  /** 1 to 4, the number in `xvda1`. */
  readonly number: number;
  /** The system id: 0x83 Linux, 0x82 swap, 0xee the whole disk of a GPT. Never 0. */
  readonly type: number;
  /** Marked as the one to boot from. */
  readonly active: boolean;
  /** First sector, from the start of the disk. */
  readonly start: number;
  /** Size in sectors; at least 1, and within the disk. */
  readonly count: number;
}

export type PartitionTable =
  | {
      readonly ok: true;
      /** The disk's identifier, 32 bits. */
      readonly signature: number;
      /** The table only guards a GPT (an entry of type 0xee), which is not read. */
      readonly protective: boolean;
      /** Those in use, in the order of their numbers; they may overlap, as Linux lets them. */
      readonly entries: readonly PartitionEntry[];
    }
  | { readonly ok: false; readonly reason: string };

export const TYPE_LINUX = 0x83;
const TYPE_GPT = 0xee;
const SIGNATURE_AT = 440;
const ENTRIES_AT = 446;
const ENTRY_SIZE = 16;
const ENTRIES = 4;
const BOOT_MAGIC_AT = 510;
const ACTIVE = 0x80;

/**
 * Reads sector 0 of a disk of `sectors` sectors. Total: a sector that is no partition table is an answer, not an error.
 * The checks are those of Linux (block/partitions/msdos.c, `msdos_partition`), and that every partition lies within the disk.
 */
export function parseMbr(sector: Uint8Array, sectors: number): PartitionTable {
  if (sector.length < SECTOR_SIZE) return refuse(`a partition table takes ${SECTOR_SIZE} bytes, not ${sector.length}`);
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_SIZE);
  if (view.getUint16(BOOT_MAGIC_AT, false) !== 0x55aa) return refuse('sector 0 does not end in 55 aa');

  const entries: PartitionEntry[] = [];
  for (let number = 1; number <= ENTRIES; number++) {
    const at = ENTRIES_AT + (number - 1) * ENTRY_SIZE;
    const status = view.getUint8(at);
    if (status !== 0 && status !== ACTIVE) return refuse(`entry ${number} has status ${status}, so this is no partition table`);
    const type = view.getUint8(at + 4);
    const start = view.getUint32(at + 8, true);
    const count = view.getUint32(at + 12, true);
    if (type === 0 || count === 0) continue;
    if (start === 0) return refuse(`partition ${number} starts at sector 0, where the table is`);
    // The one entry of a protective table may claim more than there is: it covers a disk of any size.
    if (type !== TYPE_GPT && start + count > sectors)
      return refuse(`partition ${number} ends at sector ${start + count}, beyond the disk's ${sectors}`);
    entries.push({ number, type, active: status === ACTIVE, start, count });
  }
  const protective = entries.some((entry) => entry.type === TYPE_GPT);
  return { ok: true, signature: view.getUint32(SIGNATURE_AT, true), protective, entries: protective ? [] : entries };
}

/** The table of a disk; `refuse`d where the disk has not even a sector. */
export function readMbr(image: Image): PartitionTable {
  if (image.sectors < 1) return refuse('the disk is empty');
  const sector = new Uint8Array(SECTOR_SIZE);
  image.read(0, sector);
  return parseMbr(sector, image.sectors);
}

/** A partition as a disk of its own. `entry` comes from the table of this very image. */
export const partition = (image: Image, entry: PartitionEntry): Image => ({
  sectors: entry.count,
  read: (sector, into) => image.read(entry.start + sector, into),
});

export interface NewPartition {
  readonly type: number;
  readonly active: boolean;
  /** The content; its size, rounded up to whole sectors, is the partition's. */
  readonly bytes: Uint8Array;
}
export type MbrImage = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly reason: string };

/**
 * A whole disk of one to four primary partitions, one behind the other, the first at sector 63: a cylinder boundary in the
 * geometry that the tools of 2009 assumed (255 heads, 63 sectors a track).
 */
export function mbrImage(partitions: readonly NewPartition[], signature = 0): MbrImage {
  if (partitions.length < 1 || partitions.length > ENTRIES)
    return refuse(`a disk has 1 to 4 partitions, not ${partitions.length}`);
  if (partitions.some(({ bytes, type }) => bytes.length === 0 || type < 1 || type > 0xff))
    return refuse('a partition has a type from 1 to 255 and is not empty');
  const counts = partitions.map(({ bytes }) => Math.ceil(bytes.length / SECTOR_SIZE));
  const disk = new Uint8Array(counts.reduce((sum, count) => sum + count, SECTORS_PER_TRACK) * SECTOR_SIZE);
  const view = new DataView(disk.buffer);
  view.setUint32(SIGNATURE_AT, signature >>> 0, true);
  view.setUint16(BOOT_MAGIC_AT, 0x55aa, false);

  let start = SECTORS_PER_TRACK;
  partitions.forEach(({ type, active, bytes }, i) => {
    const at = ENTRIES_AT + i * ENTRY_SIZE;
    const count = counts[i]!;
    view.setUint8(at, active ? ACTIVE : 0);
    disk.set(cylinderHeadSector(start), at + 1);
    view.setUint8(at + 4, type);
    disk.set(cylinderHeadSector(start + count - 1), at + 5);
    view.setUint32(at + 8, start, true);
    view.setUint32(at + 12, count, true);
    disk.set(bytes, start * SECTOR_SIZE);
    start += count;
  });
  return { ok: true, bytes: disk };
}

const HEADS = 255;
const SECTORS_PER_TRACK = 63;

/** The three bytes of an address in the old form: head, sector with the cylinder's two high bits, cylinder; the last there is for all beyond. */
function cylinderHeadSector(lba: number): readonly [number, number, number] {
  const cylinder = Math.floor(lba / (HEADS * SECTORS_PER_TRACK));
  if (cylinder > 1023) return [254, 0xff, 0xff];
  const head = Math.floor(lba / SECTORS_PER_TRACK) % HEADS;
  return [head, ((lba % SECTORS_PER_TRACK) + 1) | ((cylinder >> 8) << 6), cylinder & 0xff];
}

const refuse = (reason: string) => ({ ok: false, reason }) as const;
