import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Journal } from '../../tables/journal.ts';
import { bytesImage } from '../bytes-image.ts';
import { imagePages, PageCache } from '../page-source.ts';
import {
  type Attempt,
  attempt,
  directory,
  type FileTree,
  file,
  lookup,
  type MkfsOptions,
  mkfs,
  type Reading,
  readdir,
  readFile,
  readlink,
  readSuperblock,
  type SectorRange,
  type Superblock,
  stat,
  symlink,
} from './index.ts';
import { get, inode as inodeLayout, put, superblock } from './layout.ts';

const UUID = '01234567-89ab-cdef-0123-456789abcdef';
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i ^ (i >> 8) ^ (i >> 16)) & 0xff);
const small: FileTree = {
  etc: directory(
    {
      hostname: file('lenny\n'),
      secret: file('x', { mode: 0o600, uid: 70_000, gid: 5 }),
      empty: file(''),
      up: symlink('/name'),
      beside: symlink('hostname'),
    },
    { mode: 0o750 },
  ),
  medium: file(pattern(100_000)), // through one table at 1 KiB
  large: file(pattern(400_001)), // through two
  name: symlink('etc/hostname'),
  absolute: symlink('/etc/../etc/./hostname'),
  slow: symlink(`${'etc/../'.repeat(20)}etc/hostname`),
  dir: symlink('etc'),
  loop: symlink('loop'),
  dangling: symlink('etc/nothing'),
};
const make = (options: Partial<MkfsOptions> = {}): Uint8Array => {
  const made = mkfs({ label: 'ROOT', uuid: UUID, blockSize: 1024, files: small, time: 1_234_567_890, ...options });
  if (!made.ok) throw new Error(made.reason);
  return made.bytes;
};
const disk = make();

/** Runs an operation with everything at hand. */
const run = <T>(bytes: Uint8Array, operation: (fs: Superblock) => Reading<T>): Attempt<T> => {
  const source = imagePages(bytesImage(bytes));
  const mounted = attempt(source, () => readSuperblock(source.sectors));
  return 'done' in mounted ? attempt(source, () => operation(mounted.done)) : mounted;
};
const done = <T>(bytes: Uint8Array, operation: (fs: Superblock) => Reading<T>): T => {
  const result = run(bytes, operation);
  if (!('done' in result)) throw new Error(JSON.stringify(result));
  return result.done;
};
const error = (bytes: Uint8Array, operation: (fs: Superblock) => Reading<unknown>): string => {
  const result = run(bytes, operation);
  return 'error' in result ? result.error : JSON.stringify(result);
};
const latin1 = (bytes: Uint8Array) => String.fromCharCode(...bytes);

describe.each([1024, 2048, 4096] as const)('a file system with blocks of %d bytes', (blockSize) => {
  const bytes = make({ blockSize });
  test('says what it is', () => {
    const source = imagePages(bytesImage(bytes));
    expect(attempt(source, () => readSuperblock(source.sectors))).toMatchObject({
      done: {
        label: 'ROOT',
        uuid: UUID,
        blockSize,
        blocks: bytes.length / blockSize,
        freeBlocks: 0,
        inodeSize: 128,
        firstIno: 11,
        clean: true,
      },
    });
  });
  test.each([
    ['/etc/hostname', 'lenny\n'],
    ['etc/hostname', 'lenny\n'],
    ['//etc/./../../etc/hostname', 'lenny\n'],
    ['/name', 'lenny\n'],
    ['/absolute', 'lenny\n'],
    ['/slow', 'lenny\n'],
    ['/etc/up', 'lenny\n'],
    ['/etc/beside', 'lenny\n'],
    ['/dir/hostname', 'lenny\n'],
    ['/etc/empty', ''],
  ])('reads %s', (path, expected) => {
    expect(latin1(done(bytes, (fs) => readFile(fs, path, 4096)))).toBe(expected);
  });
  test.each([
    ['/medium', 100_000, 100_000],
    ['/large', 1_000_000, 400_001],
    ['/large', 300_000, 300_000],
    ['/large', 0, 0],
    ['/large', -1, 0],
  ])('reads %s, at most %d bytes: %d', (path, most, length) => {
    expect(latin1Sum(done(bytes, (fs) => readFile(fs, path, most)))).toBe(latin1Sum(pattern(length)));
  });
});
/** Length and content in one number, for a comparison that is quick. */
const latin1Sum = (bytes: Uint8Array) => bytes.reduce((sum, byte, i) => (Math.imul(sum, 31) + byte + i) | 0, bytes.length);

test.each([
  ['/', 'follow', { ino: 2, kind: 'directory', nlink: 4, mode: 0o755 }],
  ['/etc', 'follow', { kind: 'directory', nlink: 2, mode: 0o750, mtime: 1_234_567_890 }],
  ['/etc/secret', 'follow', { kind: 'file', mode: 0o600, uid: 70_000, gid: 5, size: 1, blocks: 2, nlink: 1 }],
  ['/large', 'follow', { size: 400_001, blocks: 2 * (391 + 1 + 1 + 1 + 0) }],
  ['/name', 'follow', { kind: 'file', size: 6 }],
  ['/name', 'nofollow', { kind: 'symlink', size: 12, blocks: 0 }],
  ['/slow', 'nofollow', { kind: 'symlink', size: 152, blocks: 2 }],
  ['/dir/', 'nofollow', { kind: 'directory' }],
] as const)('stat %s, %s', (path, last, expected) => {
  expect(done(disk, (fs) => stat(fs, path, last))).toMatchObject(expected);
});

test('a directory lists its entries with their kinds, in the order of names, behind lost+found', () => {
  expect(done(disk, (fs) => readdir(fs, '/')).map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    '. directory',
    '.. directory',
    'lost+found directory',
    'absolute symlink',
    'dangling symlink',
    'dir symlink',
    'etc directory',
    'large file',
    'loop symlink',
    'medium file',
    'name symlink',
    'slow symlink',
  ]);
});

test('a directory of many blocks is listed whole', () => {
  const names = Array.from({ length: 300 }, (_, i) => `file-${'x'.repeat(i % 200)}-${1000 + i}`);
  const bytes = make({ files: Object.fromEntries(names.map((name) => [name, file(name)])) });
  const listed = done(bytes, (fs) => readdir(fs, '/')).map(({ name }) => name);
  expect(listed.slice(3)).toEqual(names.sort());
  for (const name of [names[0]!, names[150]!, names[299]!])
    expect(latin1(done(bytes, (fs) => readFile(fs, name, 999)))).toBe(name);
});

test.each<[string, (fs: Superblock) => Reading<unknown>, string]>([
  ['no such file', (fs) => lookup(fs, '/etc/nothing'), 'ENOENT'],
  ['an empty path', (fs) => lookup(fs, ''), 'ENOENT'],
  ['a symlink to nothing', (fs) => readFile(fs, '/dangling', 9), 'ENOENT'],
  ['a name no byte string can be', (fs) => lookup(fs, '/\u{1f600}'), 'ENOENT'],
  ['a file as a directory', (fs) => lookup(fs, '/etc/hostname/x'), 'ENOTDIR'],
  ['a file with a slash', (fs) => lookup(fs, '/etc/hostname/'), 'ENOTDIR'],
  ["a file's '..'", (fs) => lookup(fs, '/etc/hostname/..'), 'ENOTDIR'],
  ['listing a file', (fs) => readdir(fs, '/etc/hostname'), 'ENOTDIR'],
  ['reading a directory', (fs) => readFile(fs, '/etc', 9), 'EISDIR'],
  ['a symlink to itself', (fs) => stat(fs, '/loop'), 'ELOOP'],
  ['the target of a file', (fs) => readlink(fs, '/etc/hostname'), 'EINVAL'],
  ['a name too long', (fs) => lookup(fs, `/${'x'.repeat(256)}`), 'ENAMETOOLONG'],
  ['a path too long', (fs) => lookup(fs, '/etc/../'.repeat(512)), 'ENAMETOOLONG'],
])('%s: %s', (_, operation, errno) => {
  expect(error(disk, operation)).toBe(errno);
});

test('symlinks are read, fast and slow', () => {
  expect(done(disk, (fs) => readlink(fs, '/name'))).toBe('etc/hostname');
  expect(done(disk, (fs) => readlink(fs, '/slow'))).toBe(`${'etc/../'.repeat(20)}etc/hostname`);
});

describe('what Linux does not mount', () => {
  const changed = (name: keyof typeof superblock, value: number): Uint8Array => {
    const bytes = disk.slice();
    put(bytes, 1024, superblock[name], value);
    return bytes;
  };
  test.each([
    ['no magic', changed('s_magic', 0xef54), 'no ext2'],
    ['a journal to be replayed', changed('s_feature_incompat', 0x6), 'unsupported optional features (4)'],
    ['extents of ext4', changed('s_feature_incompat', 0x242), 'unsupported optional features (240)'],
    ['the highest feature', changed('s_feature_incompat', 0x80000000), 'unsupported optional features (80000000)'],
    ['blocks of 8 KiB', changed('s_log_block_size', 3), 'more than a page'],
    ['inodes of 100 bytes', changed('s_inode_size', 100), 'inode size 100'],
    ['more blocks than the device', changed('s_blocks_count', 100_000), 'on a device of'],
    ['empty groups', changed('s_blocks_per_group', 0), 'blocks in a group'],
    ['groups without inodes', changed('s_inodes_per_group', 0), 'inodes in a group'],
    ['more inodes than the groups have', changed('s_inodes_count', 9999), '9999 inodes'],
    ['a first block elsewhere', changed('s_first_data_block', 7), 'first data block 7'],
    ['a device of 1 KiB', disk.slice(0, 1024), 'too small'],
    ['an empty device', new Uint8Array(0), 'too small'],
  ])('%s', (_, bytes, reason) => {
    expect(run(bytes, (fs) => readdir(fs, '/'))).toEqual({ error: 'EINVAL', reason: expect.stringContaining(reason) });
  });
});

describe('damage ends with an error', () => {
  const TABLE = 5 * 1024;
  /** Changes the inode that a path names. */
  const withInode = (path: string, change: (bytes: Uint8Array, at: number) => void): Uint8Array => {
    const bytes = disk.slice();
    change(bytes, TABLE + (done(disk, (fs) => stat(fs, path, 'nofollow')).ino - 1) * 128);
    return bytes;
  };
  const set =
    (name: keyof typeof inodeLayout, value: number) =>
    (bytes: Uint8Array, at: number): void =>
      put(bytes, at, inodeLayout[name], value);
  const pointer =
    (index: number, value: number) =>
    (bytes: Uint8Array, at: number): void =>
      put(bytes, at, [40 + index * 4, 4], value);
  const rootData = get(disk, TABLE + 128, [40, 4]) * 1024;
  const withEntry = (offset: number, size: 1 | 2 | 4, value: number): Uint8Array => {
    const bytes = disk.slice();
    put(bytes, rootData + 24, [offset, size], value); // lost+found, behind '.' and '..'
    return bytes;
  };

  test.each<[string, Uint8Array, (fs: Superblock) => Reading<unknown>, string]>([
    ['a block beyond the end', withInode('/medium', pointer(3, 0x7fffffff)), (fs) => readFile(fs, '/medium', 1e6), 'EIO'],
    ['the superblock as data', withInode('/medium', pointer(3, 1)), (fs) => readFile(fs, '/medium', 1e6), 'EIO'],
    ['a table beyond the end', withInode('/medium', pointer(12, 0x7fffffff)), (fs) => readFile(fs, '/medium', 1e6), 'EIO'],
    ['a size of 8 EiB', withInode('/medium', set('i_size_high', 0x7fffffff)), (fs) => stat(fs, '/medium'), 'EIO'],
    ['a size of 4 TiB', withInode('/medium', set('i_size_high', 0x400)), (fs) => readFile(fs, '/medium', Infinity), 'EFBIG'],
    ['a directory of 4 GiB', withInode('/etc', set('i_size', 0xfffffc00)), (fs) => readdir(fs, '/etc'), 'EFBIG'],
    ['a directory of a block and a half', withInode('/etc', set('i_size', 1536)), (fs) => readdir(fs, '/etc'), 'EIO'],
    ['a directory with a hole', withInode('/etc', pointer(0, 0)), (fs) => readdir(fs, '/etc'), 'EIO'],
    ['a deleted inode', withInode('/etc', set('i_links_count', 0)), (fs) => readdir(fs, '/etc'), 'EIO'],
    ['an unknown kind', withInode('/etc', set('i_mode', 0xf000)), (fs) => readdir(fs, '/etc'), 'EIO'],
    ['a device', withInode('/medium', set('i_mode', 0x21a4)), (fs) => readFile(fs, '/medium', 9), 'ENXIO'],
    ['a fast symlink of 60 bytes', withInode('/name', set('i_size', 60)), (fs) => readlink(fs, '/name'), 'EIO'],
    ['a slow symlink of a block', withInode('/slow', set('i_size', 1024)), (fs) => readlink(fs, '/slow'), 'EIO'],
    ['an empty symlink', withInode('/name', set('i_size', 0)), (fs) => lookup(fs, '/name'), 'ENOENT'],
    ['an entry without length', withEntry(4, 2, 0), (fs) => readdir(fs, '/'), 'EIO'],
    ['an entry shorter than its name', withEntry(6, 1, 255), (fs) => readdir(fs, '/'), 'EIO'],
    ['an entry across blocks', withEntry(4, 2, 1024), (fs) => readdir(fs, '/'), 'EIO'],
    ['an entry not aligned', withEntry(4, 2, 21), (fs) => readdir(fs, '/'), 'EIO'],
    ['an inode that is none', withEntry(0, 4, 1_000_000), (fs) => readdir(fs, '/'), 'EIO'],
    ['a reserved inode', withEntry(0, 4, 5), (fs) => lookup(fs, '/lost+found'), 'EIO'],
    ['a slash in a name', withEntry(8, 1, 0x2f), (fs) => readdir(fs, '/'), 'EIO'],
    ['an entry without a name', withEntry(6, 1, 0), (fs) => readdir(fs, '/'), 'EIO'],
  ])('%s', (_, bytes, operation, errno) => {
    expect(error(bytes, operation)).toBe(errno);
  });

  test('a block behind the file system is none, though the device goes on', () => {
    const bytes = new Uint8Array(disk.length + 8192);
    bytes.set(withInode('/medium', pointer(3, disk.length / 1024)));
    expect(error(bytes, (fs) => readFile(fs, '/medium', 1e6))).toBe('EIO');
  });
  test('an entry without an inode is passed over', () => {
    const names = done(withEntry(0, 4, 0), (fs) => readdir(fs, '/')).map(({ name }) => name);
    expect(names).not.toContain('lost+found');
    expect(names).toContain('etc');
  });
  test('a table that leads to itself gives bytes or an error, and ends', () => {
    const large = done(disk, (fs) => lookup(fs, '/large'));
    const table = get(large.map, 13 * 4, [0, 4]);
    const bytes = disk.slice();
    for (let slot = 0; slot < 256; slot++) put(bytes, table * 1024 + slot * 4, [0, 4], table);
    expect(done(bytes, (fs) => readFile(fs, '/large', 1e6)).length).toBe(400_001);
  });
  test('a directory that holds itself is as deep as the path', () => {
    const bytes = withEntry(0, 4, 2);
    expect(done(bytes, (fs) => stat(fs, `${'/lost+found'.repeat(300)}/etc`)).kind).toBe('directory');
  });
  test('a walk that reads more than any sound one is ended', () => {
    // A root of 4 MiB, nearly all of it one and the same block of empty entries, searched once for each name of a path.
    const bytes = withInode('/', (image, at) => {
      put(image, at, inodeLayout.i_size, 4 << 20);
      const table = get(done(disk, (fs) => lookup(fs, '/large')).map, 13 * 4, [0, 4]);
      put(image, at, [40 + 13 * 4, 4], table);
      put(image, at, [40 + 12 * 4, 4], get(image, table * 1024, [0, 4]));
      const empty = 100;
      image.fill(0, empty * 1024, (empty + 1) * 1024);
      put(image, empty * 1024, [4, 2], 1024);
      for (let index = 1; index < 12; index++) put(image, at, [40 + index * 4, 4], empty);
      const inner = get(image, table * 1024, [0, 4]);
      for (let slot = 0; slot < 256; slot++) {
        put(image, table * 1024 + slot * 4, [0, 4], inner);
        put(image, inner * 1024 + slot * 4, [0, 4], empty);
      }
      put(image, rootData + 24, [0, 4], 2);
    });
    expect(error(bytes, (fs) => lookup(fs, '/lost+found'.repeat(370)))).toBe('EFBIG');
  });
});

/** Runs an operation as a guest does: what is lacking is fetched and the operation tried again. Answers the result and every fetch. */
function asGuest<T>(bytes: Uint8Array, operation: (fs: Superblock) => Reading<T>) {
  const image = bytesImage(bytes);
  const cache = new PageCache(image.sectors, new Journal());
  const fetched: { sector: number; count: number }[] = [];
  const complete = <U>(run: () => Reading<U>): Exclude<Attempt<U>, { need: unknown }> => {
    for (;;) {
      const result = attempt(cache, run);
      if (!('need' in result)) return result;
      fetched.push(result.need);
      const { sector, count } = result.need;
      if (sector % 8 !== 0 || count < 1 || count > 88 || sector + count > image.sectors)
        throw new Error(`need ${sector}+${count}`);
      if (cache.page(sector / 8) !== undefined) throw new Error(`sector ${sector} is needed twice`);
      const sectors = new Uint8Array(count * 512);
      image.read(sector, sectors);
      cache.put(sector, sectors);
    }
  };
  const mounted = complete(() => readSuperblock(image.sectors));
  return { result: 'done' in mounted ? complete(() => operation(mounted.done)) : mounted, fetched };
}

describe('through a ring', () => {
  test.each([
    ['/large', 400_001],
    ['/slow', 6],
  ])('%s arrives bit by bit', (path, length) => {
    const { result, fetched } = asGuest(disk, (fs) => readFile(fs, path, 1e6));
    expect(result).toMatchObject({ done: { length } });
    if ('done' in result) expect(latin1Sum(result.done)).toBe(latin1Sum(done(disk, (fs) => readFile(fs, path, 1e6))));
    expect(fetched[0]).toEqual({ sector: 0, count: 8 }); // the superblock
  });
  test('neighbours come together: a file of 100 pages takes some ten requests, not a hundred', () => {
    const { fetched } = asGuest(disk, (fs) => readFile(fs, '/large', 1e6));
    expect(fetched.length).toBeLessThan(20);
    expect(Math.max(...fetched.map(({ count }) => count))).toBe(88);
  });
  test('what is there is not fetched again: a request ends before it', () => {
    const large = done(disk, (fs) => lookup(fs, '/large'));
    const cache = new PageCache(disk.length / 512, new Journal());
    const mounted = attempt(imagePages(bytesImage(disk)), () => readSuperblock(disk.length / 512));
    if (!('done' in mounted)) throw new Error('not mounted');
    const image = bytesImage(disk);
    const fetch = (page: number) => {
      const bytes = new Uint8Array(4096);
      image.read(page * 8, bytes);
      cache.put(page * 8, bytes);
    };
    const lacking = Math.floor(get(large.map, 0, [0, 4]) / 4) + 1;
    for (let page = 0; page < Math.floor(disk.length / 4096); page++) if (page < lacking || page === lacking + 3) fetch(page);
    // The table stands behind the data, so it is asked for first.
    const { need } = attempt(cache, () => readFile(mounted.done, '/large', 100_000)) as { need: SectorRange };
    expect(need.count).toBe(8);
    fetch(need.sector / 8);
    expect(attempt(cache, () => readFile(mounted.done, '/large', 100_000))).toEqual({ need: { sector: lacking * 8, count: 24 } });
  });
  test('the end of a device may lie within a page', () => {
    const bytes = make({ files: { last: file(pattern(2000)) } });
    expect(bytes.length % 4096).not.toBe(0);
    expect(asGuest(bytes, (fs) => readFile(fs, '/last', 1e6)).result).toEqual({ done: pattern(2000) });
  });
  test('a cache goes back with its journal, and forgets with a snapshot', () => {
    const journal = new Journal();
    const cache = new PageCache(16, journal);
    const empty = cache.snapshot();
    const before = cache.digest();
    const mark = journal.mark();
    cache.put(8, new Uint8Array(4096).fill(7));
    expect(cache.page(1)?.[4095]).toBe(7);
    expect(cache.digest()).not.toBe(before);
    journal.rollback(mark);
    expect([cache.page(1), cache.digest()]).toEqual([undefined, before]);
    cache.put(8, new Uint8Array(512));
    cache.restore(empty);
    expect(cache.page(1)).toBeUndefined();
  });
});

test.each<[string, Partial<MkfsOptions>, string]>([
  ['a label of 17 bytes', { label: 'x'.repeat(17) }, 'EINVAL'],
  ['no uuid', { uuid: 'abc' }, 'EINVAL'],
  ['a slash in a name', { files: { 'a/b': file('') } }, 'EINVAL'],
  ['a name beyond bytes', { files: { '\u{1f600}': file('') } }, 'EINVAL'],
  ["'..'", { files: { '..': file('') } }, 'EINVAL'],
  ['lost+found as a file', { files: { 'lost+found': file('') } }, 'EINVAL'],
  ['an empty symlink', { files: { a: symlink('') } }, 'EINVAL'],
  ['a symlink of a block', { files: { a: symlink('x'.repeat(1024)) } }, 'EINVAL'],
  ['half a block', { blocks: 100.5 }, 'EINVAL'],
  ['a name of 256 bytes', { files: { ['x'.repeat(256)]: file('') } }, 'ENAMETOOLONG'],
  ['more files than blocks', { blocks: 20 }, 'ENOSPC'],
  ['more than a group', { blocks: 8194 }, 'ENOSPC'],
  ['files for more than a group', { files: { a: file(new Uint8Array(8 << 20)) } }, 'ENOSPC'],
])('mkfs refuses %s', (_, options, errno) => {
  expect(mkfs({ label: '', uuid: UUID, blockSize: 1024, files: small, ...options })).toMatchObject({ ok: false, errno });
});

describe('for any bytes', () => {
  const name = fc.stringMatching(/^[a-z\u00e0-\u00ff.]{1,12}$/).filter((text) => text !== '.' && text !== '..');
  const owned = fc.record({ mode: fc.nat(0o7777), uid: fc.nat(0xfffff), gid: fc.nat(0xfffff) });
  const { tree } = fc.letrec<{ tree: FileTree; node: FileTree[string] }>((tie) => ({
    tree: fc.dictionary(name, tie('node'), { maxKeys: 4, noNullPrototype: true }),
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.tuple(fc.nat(20_000), owned).map(([length, own]) => file(pattern(length), own)),
      fc.tuple(fc.stringMatching(/^[a-z/]{1,100}$/), owned).map(([target, own]) => symlink(target, own)),
      fc.tuple(tie('tree'), owned).map(([files, own]) => directory(files, own)),
    ),
  }));

  test('what mkfs writes is read back', () => {
    const check = (bytes: Uint8Array, files: FileTree, at: string): void => {
      const listed = done(bytes, (fs) => readdir(fs, `${at}/`)).map((entry) => entry.name);
      expect(listed.filter((each) => !['.', '..', 'lost+found'].includes(each))).toEqual(Object.keys(files).sort());
      for (const [each, node] of Object.entries(files)) {
        const path = `${at}/${each}`;
        const { kind, mode, uid, gid } = done(bytes, (fs) => stat(fs, path, 'nofollow'));
        expect({ kind, mode, uid, gid }).toEqual({ kind: node.kind, mode: node.mode, uid: node.uid, gid: node.gid });
        if (node.kind === 'file') expect(latin1Sum(done(bytes, (fs) => readFile(fs, path, 1e6)))).toBe(latin1Sum(node.bytes));
        else if (node.kind === 'symlink') expect(done(bytes, (fs) => readlink(fs, path))).toBe(node.target);
        else check(bytes, node.files, path);
      }
    };
    fc.assert(
      fc.property(tree, fc.constantFrom(1024, 2048, 4096), (files, blockSize) => {
        const bytes = make({ files, blockSize });
        check(bytes, files, '');
        expect(latin1Sum(make({ files, blockSize }))).toBe(latin1Sum(bytes)); // deterministic
      }),
      { numRuns: 60 },
    );
  });

  const operations: ((fs: Superblock) => Reading<unknown>)[] = [
    (fs) => readdir(fs, '/'),
    (fs) => readdir(fs, '/etc/../dir/'),
    (fs) => readFile(fs, '/large', Infinity),
    (fs) => readFile(fs, '/slow', 100),
    (fs) => readlink(fs, '/name'),
    (fs) => stat(fs, '/loop'),
  ];
  const errnos = ['ENOENT', 'EIO', 'ENXIO', 'ENOTDIR', 'EISDIR', 'EINVAL', 'EFBIG', 'ENAMETOOLONG', 'ELOOP'];
  const judge = (bytes: Uint8Array) => {
    for (const operation of operations) {
      const { result, fetched } = asGuest(bytes, operation); // throws where a need is wrong or repeated
      if ('error' in result) expect(errnos).toContain(result.error);
      expect(fetched.length).toBeLessThanOrEqual(Math.ceil(bytes.length / 4096));
    }
  };

  test('operations on a damaged file system end, and never throw', () => {
    // Where it hurts: superblock, descriptors, the inodes in use, the root's entries, the tables of the large file.
    const root = get(disk, 5 * 1024 + 128, [40, 4]) * 1024;
    const table = get(done(disk, (fs) => lookup(fs, '/large')).map, 12 * 4, [0, 4]) * 1024;
    const place = fc.oneof(
      fc.nat(103).map((at) => 1024 + at),
      fc.nat(31).map((at) => 2048 + at),
      fc.nat(25 * 128 - 1).map((at) => 5120 + at),
      fc.nat(300).map((at) => root + at),
      fc.nat(2047).map((at) => table + at),
      fc.nat(disk.length - 1),
    );
    const value = fc.oneof(fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xff), fc.nat(255));
    fc.assert(
      fc.property(fc.array(fc.tuple(place, value), { minLength: 1, maxLength: 12 }), (damage) => {
        const bytes = disk.slice();
        for (const [at, byte] of damage) bytes[at] = byte;
        judge(bytes);
      }),
      { numRuns: 300 },
    );
  });
  test('nor do they on noise, with and without a superblock in front', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8192 }), fc.boolean(), (noise, mountable) => {
        const bytes = new Uint8Array(disk.length);
        for (let at = 0; at < bytes.length && noise.length > 0; at += noise.length)
          bytes.set(noise.subarray(0, bytes.length - at), at);
        if (mountable) bytes.set(disk.subarray(1024, 3072), 1024);
        judge(bytes);
      }),
    );
  });
});
