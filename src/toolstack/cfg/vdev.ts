// Names of virtual disks and the device numbers behind them (docs/man/xen-vbd-interface.7.pandoc, libxl__device_disk_dev_number).
import { strtoul } from './c-text.ts';

const EXTENDED = 1 << 28;

/**
 * The device number of a vdev: `xvda` is 51712, `hda` 768, `sda1` 2049, `xvdq` and beyond have bit 28 set, `d5p1` is disk 5
 * partition 1, and a number is itself. Undefined for what names no disk.
 */
export function vdevNumber(vdev: string): number | undefined {
  const numbered = /^d([0-9]{1,7})p([0-9]{1,3})$/.exec(vdev);
  const xvd =
    numbered === null ? lettered(vdev, 'xvd', (1 << 20) - 1, 255) : { disk: Number(numbered[1]), partition: Number(numbered[2]) };
  if (xvd !== undefined && xvd.disk < 1 << 20 && xvd.partition < 256) {
    const { disk, partition } = xvd;
    return disk <= 15 && partition <= 15 ? (202 << 8) | (disk << 4) | partition : EXTENDED | (disk << 8) | partition;
  }
  const number = strtoul(vdev, 0);
  if (!number.overflow && number.end === vdev.length && number.value <= 0x7fffffffn) return Number(number.value);
  const hd = lettered(vdev, 'hd', 3, 63);
  if (hd !== undefined) return ((hd.disk < 2 ? 3 : 22) << 8) | ((hd.disk & 1) << 6) | hd.partition;
  const sd = lettered(vdev, 'sd', 15, 15);
  return sd === undefined ? undefined : (8 << 8) | (sd.disk << 4) | sd.partition;
}

/** The name that a number has as a Xen disk, as libxl__devid_to_vdev gives it: always `xvd...`, whatever the major number. */
export function vdevName(number: number): string {
  const extended = (number & EXTENDED) !== 0;
  const minor = extended ? number & ~EXTENDED : number & 0xff;
  const parts = extended ? 256 : 16;
  const partition = minor & (parts - 1);
  let letters = '';
  for (let disk = Math.floor((minor >>> 0) / parts); disk >= 0; disk = Math.floor(disk / 26) - 1)
    letters = String.fromCharCode(97 + (disk % 26)) + letters;
  return `xvd${letters}${partition === 0 ? '' : partition}`;
}

/** `<prefix><letters><partition>`; letters count a to z, aa to az, ba ..., and a partition has no leading zero. */
function lettered(vdev: string, prefix: string, maxDisk: number, maxPartition: number) {
  if (!vdev.startsWith(prefix)) return undefined;
  let disk = -1;
  let at = prefix.length;
  for (; vdev[at] !== undefined && vdev[at]! >= 'a' && vdev[at]! <= 'z'; at++) {
    disk = (disk + 1) * 26 + vdev.charCodeAt(at) - 97;
    if (disk > maxDisk) return undefined;
  }
  if (disk < 0) return undefined;
  const digits = vdev.slice(at);
  if (digits === '') return { disk, partition: 0 };
  if (!/^[1-9][0-9]{0,2}$/.test(digits) || Number(digits) > maxPartition) return undefined;
  return { disk, partition: Number(digits) };
}
