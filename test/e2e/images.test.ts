// Our disks before the tools of Linux, and the disks of these tools before our reader: neither judges itself.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { bytesImage } from '../../src/storage/bytes-image.ts';
import {
  attempt,
  type Reading,
  readdir,
  readFile,
  readlink,
  readSuperblock,
  type Superblock,
  stat,
} from '../../src/storage/ext2/index.ts';
import type { Image } from '../../src/storage/image.ts';
import { partition, readMbr } from '../../src/storage/mbr.ts';
import { imagePages } from '../../src/storage/page-source.ts';

const repository = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'xenolog-images-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** The tools may stand in sbin, which is not in everybody's PATH. */
const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
const tool = (name: string, ...args: string[]): string =>
  execFileSync(name, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const lacking = ['e2fsck', 'debugfs', 'mke2fs', 'sfdisk'].filter((name) => spawnSync(name, ['-V'], { env }).error);
const why = `${lacking.join(', ')} not installed: apt-get install e2fsprogs fdisk`;

/** Where the judges are missing there is no verdict; in CI that is a failure. */
const judged = describe.skipIf(lacking.length > 0 && !process.env['CI']);
test('e2fsprogs and fdisk are installed', ({ skip }) => {
  if (lacking.length === 0) return;
  if (process.env['CI']) throw new Error(why);
  skip(why);
});

const SPARSE = 64 << 20;
const DISKS = ['server', 'client01', 'client02'] as const;
const committed = (disk: string) => join(repository, 'examples/livecd', `${disk}.img`);

const on = <T>(image: Image, operation: (fs: Superblock) => Reading<T>): T => {
  const source = imagePages(image);
  const mounted = attempt(source, () => readSuperblock(image.sectors));
  const result = 'done' in mounted ? attempt(source, () => operation(mounted.done)) : mounted;
  if ('done' in result) return result.done;
  throw new Error(JSON.stringify(result));
};
const textOf = (image: Image, path: string) => new TextDecoder().decode(on(image, (fs) => readFile(fs, path, 1 << 20)));
const firstPartition = (bytes: Uint8Array): Image => {
  const table = readMbr(bytesImage(bytes));
  if (!table.ok) throw new Error(table.reason);
  return partition(bytesImage(bytes), table.entries[0]!);
};

test('the script makes the committed disks again, byte for byte', () => {
  const script = join(scratch, 'make-livecd.mjs');
  buildSync({
    entryPoints: [join(repository, 'scripts/make-livecd.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: script,
  });
  for (const run of ['once', 'again']) {
    const target = join(scratch, run);
    execFileSync(process.execPath, [script, target]);
    for (const disk of DISKS)
      expect(readFileSync(join(target, `${disk}.img`)).equals(readFileSync(committed(disk))), disk).toBe(true);
  }
});

describe.each(DISKS)('%s.img, as a guest reads it', (disk) => {
  const image = firstPartition(readFileSync(committed(disk)));
  test.each([
    ['/boot/grub/menu.lst', /^kernel +\/vmlinuz root=\/dev\/xvda1 ro console=hvc0$/m],
    ['/vmlinuz', /^builtin:linux\n/],
    ['/initrd.img', /^builtin:initrd\n/],
    ['/etc/hostname', new RegExp(`^${disk}\n$`)],
    ['/etc/shadow', /^livexen:\{plain\}live:/m],
    ['/etc/event.d/hvc0', /^exec \/sbin\/getty 38400 hvc0$/m],
    ['/home/livexen/README', /Xen Live CD/],
    ['/bin/sh', /^builtin:bash\n/],
  ])('%s', (path, expected) => {
    expect(textOf(image, path)).toMatch(expected);
  });
  test('only the servers have pages', () => {
    const pages = () => textOf(image, '/var/www/index.html');
    if (disk === 'server') expect(pages()).toContain('</html>');
    else expect(pages).toThrow('ENOENT');
  });
});

judged('e2fsprogs and fdisk agree', () => {
  describe.each(DISKS)('about %s.img', (disk) => {
    const filesystem = join(scratch, `${disk}.ext2`);
    writeFileSync(filesystem, readFileSync(committed(disk)).subarray(63 * 512));
    const ask = (request: string) => tool('debugfs', '-R', request, filesystem);

    test('sfdisk finds one active Linux partition', () => {
      const { partitiontable } = JSON.parse(tool('sfdisk', '--json', committed(disk)));
      expect(partitiontable.label).toBe('dos');
      expect(partitiontable.partitions).toEqual([expect.objectContaining({ start: 63, size: 768, type: '83', bootable: true })]);
    });
    test('e2fsck finds nothing to mend', () => {
      expect(tool('e2fsck', '-fn', filesystem)).toMatch(/^ROOT: \d+\/\d+ files/m); // any exit code but 0 throws
    });
    test('debugfs shows the same directories and files as our reader', () => {
      const image = firstPartition(readFileSync(committed(disk)));
      for (const path of ['/', '/etc', '/bin', '/home/livexen', '/boot']) {
        const theirs = ask(`ls -p ${path}`)
          .split('\n')
          .filter((line) => line.startsWith('/'))
          .map((line) => line.split('/'))
          .map(([, ino, mode, uid, gid, name]) => ({
            name,
            ino: Number(ino),
            mode: Number.parseInt(mode!, 8) & 0o7777,
            uid: Number(uid),
            gid: Number(gid),
          }));
        const ours = on(image, (fs) => readdir(fs, path)).map(({ name }) => {
          const { ino, mode, uid, gid } = on(image, (fs) => stat(fs, `${path}/${name}`, 'nofollow'));
          return { name, ino, mode, uid, gid };
        });
        // Above the root we are in the root, and so is debugfs; elsewhere '..' is the parent for both.
        expect(ours).toEqual(theirs);
      }
      for (const path of ['/etc/passwd', '/boot/grub/menu.lst', '/home/livexen/README'])
        expect(ask(`cat ${path}`)).toBe(textOf(image, path));
      expect(ask('stat /vmlinuz')).toContain('Fast link dest: "boot/vmlinuz-2.6.26-1-xen-686"');
    });
  });

  // What mke2fs makes and mkfs of ours does not: several groups, journals, indexed directories, larger inodes, holes.
  const tree = join(scratch, 'tree');
  if (lacking.length === 0) {
    mkdirSync(join(tree, 'many'), { recursive: true });
    for (let i = 0; i < 500; i++) writeFileSync(join(tree, 'many', `name-${i}`), `${i}\n`);
    symlinkSync(`${'./'.repeat(100)}many`, join(tree, 'slow'));
    symlinkSync('/slow/name-7', join(tree, 'seven'));
  }
  describe.each([
    ['ext2 of 1 KiB', ['-t', 'ext2', '-b', '1024']],
    ['ext3 of 2 KiB with a journal', ['-t', 'ext3', '-b', '2048', '-I', '128']],
    ['ext3 of 4 KiB with an index and inodes of 256 bytes', ['-t', 'ext3', '-b', '4096', '-I', '256', '-O', 'dir_index']],
    ['revision 0', ['-t', 'ext2', '-b', '1024', '-r', '0', '-O', 'none']],
  ])('our reader about %s', (title, options) => {
    const path = join(scratch, `${title.replaceAll(' ', '-')}.img`);
    const image = () => {
      if (!existsSync(path)) tool('mke2fs', '-q', '-F', '-d', tree, ...options, path, '24M');
      return bytesImage(readFileSync(path));
    };
    test('directories, symlinks and files', () => {
      const disk = image();
      expect(
        on(disk, (fs) => readdir(fs, '/slow'))
          .map(({ name }) => name)
          .sort(),
      ).toEqual(['.', '..', ...Array.from({ length: 500 }, (_, i) => `name-${i}`)].sort());
      expect(on(disk, (fs) => readlink(fs, '/seven'))).toBe('/slow/name-7');
      expect(textOf(disk, '/seven')).toBe('7\n');
      for (const i of [0, 250, 499]) expect(textOf(disk, `/many/name-${i}`)).toBe(`${i}\n`);
    });
  });

  test('a sparse file of 64 MiB, to the end of the second level of tables; a longer one as far as that', () => {
    const source = join(scratch, 'big');
    const sparse = new Uint8Array(SPARSE + 5000);
    for (const at of [0, 5 << 20, SPARSE - 5000]) sparse.fill((at % 251) | 1, at, at + 9000);
    mkdirSync(source);
    writeFileSync(join(source, 'sparse'), sparse);
    const path = join(scratch, 'sparse.img');
    tool('mke2fs', '-q', '-F', '-d', source, '-t', 'ext2', '-b', '1024', path, '80M');
    const disk = bytesImage(readFileSync(path));
    expect(on(disk, (fs) => stat(fs, '/sparse'))).toMatchObject({ size: SPARSE + 5000 });
    expect(Buffer.from(on(disk, (fs) => readFile(fs, '/sparse', SPARSE))).equals(sparse.subarray(0, SPARSE))).toBe(true);
    expect(() => on(disk, (fs) => readFile(fs, '/sparse', SPARSE + 1))).toThrow('EFBIG');
  });

  test('ext4 is refused, by its features', () => {
    const path = join(scratch, 'ext4.img');
    tool('mke2fs', '-q', '-F', '-t', 'ext4', path, '4M');
    const disk = bytesImage(readFileSync(path));
    expect(attempt(imagePages(disk), () => readSuperblock(disk.sectors))).toEqual({
      error: 'EINVAL',
      reason: expect.stringContaining('unsupported optional features'),
    });
  });
});
