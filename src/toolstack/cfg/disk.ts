// Disk specifications, new and old (docs/man/xl-disk-configuration.5.pod.in, tools/libs/util/libxlu_disk_l.l and libxlu_disk.c).
import { atoi } from './c-text.ts';
import { quote } from './lex.ts';
import type { DeviceDisk } from './types.ts';

export { vdevName, vdevNumber } from './vdev.ts';

export type ParsedDisk =
  | { readonly ok: true; readonly disk: DeviceDisk }
  /** `xl` ends with 1. Each error names the words it is about. */
  | { readonly ok: false; readonly rc: 1; readonly errors: readonly string[] };

/**
 * Reads a disk: `target,format,vdev,access` by position, `key=value` and flags anywhere, `target=` last, and in front the
 * prefixes that xm had (`phy:`, `file:`, `tap:aio:`, `tap2:qcow2:`, `nbd:` ...). Several specifications (`xl block-attach`
 * has one per argument) fill one disk.
 */
export function parseDisk(...specs: readonly string[]): ParsedDisk {
  const scan = new Scan();
  for (const spec of specs) {
    scan.read(spec);
    if (scan.errors.length > 0) return { ok: false, rc: 1, errors: scan.errors };
  }
  const { disk } = scan;
  disk.format ??= 'raw';
  if (disk.is_cdrom === 1) {
    disk.removable = 1;
    disk.readwrite = 0;
    if (!disk.pdev_path) disk.format = 'empty';
  }
  const spec = quote(specs.join(' '));
  if (disk.vdev === undefined) scan.errors.push(`the disk ${spec} has no vdev: add vdev=xvda or the like`);
  else if (disk.pdev_path === undefined && disk.removable !== 1)
    scan.errors.push(`the disk ${spec} has no target: add target=PATH at its end`);
  return scan.errors.length > 0 ? { ok: false, rc: 1, errors: scan.errors } : { ok: true, disk };
}

type Key = 'backend_domname' | 'vdev' | 'script' | 'pdev_path' | 'colo_host' | 'colo_export' | 'active_disk' | 'hidden_disk';

const accesses: Readonly<Record<string, number>> = { r: 0, ro: 0, rw: 1, w: 1, '': 1 };
const formats = { '': 'raw', raw: 'raw', qcow: 'qcow', qcow2: 'qcow2', vhd: 'vhd', empty: 'empty', qed: 'qed' } as const;
const backendtypes = { phy: 'phy', tap: 'tap', qdisk: 'qdisk', standalone: 'standalone' } as const;
const specifications = { xen: 'xen', virtio: 'virtio' } as const;

/** Where the specification goes on, or that it has been given up. */
type Next = 'on' | 'stop';
/**
 * A form that words of a specification may have. As in flex the longest wins, and of equals the first; a second group is
 * looked at for that, but stays to be read.
 */
interface Rule {
  readonly pattern: RegExp;
  readonly act: (scan: Scan, word: string, value: string) => Next | undefined;
}
const rule = (pattern: RegExp, act: Rule['act']): Rule => ({ pattern, act });
const flag = (word: string, set: (disk: DeviceDisk) => unknown): Rule =>
  rule(new RegExp(`(${word},?)`, 'y'), ({ disk }) => void set(disk));
const setting = (key: string, act: (scan: Scan, value: string) => void): Rule =>
  rule(new RegExp(`(${key}=[^,]*,?)`, 'y'), (scan, _, value) => void act(scan, value));
const saved = (key: string, field: Key): Rule => setting(key, (scan, value) => scan.save(key, field, value));
const prefix = (words: string, act: Rule['act'] = () => undefined): Rule =>
  rule(new RegExp(`((?:${words}):)([^\\n]*)`, 'y'), (scan, word, value) => {
    scan.prefixed = true;
    return act(scan, word, value);
  });

const rules: readonly Rule[] = [
  rule(/([ \t\n]+)((?:[^ \t\n][^\n]*)?)/y, () => undefined),
  setting('format', (scan, value) => scan.choose('format', formats, value)),
  flag('cdrom', (disk) => (disk.is_cdrom = 1)),
  flag('devtype=cdrom', (disk) => (disk.is_cdrom = 1)),
  flag('devtype=disk', (disk) => (disk.is_cdrom = 0)),
  setting('devtype', (scan, value) => scan.error(`devtype is cdrom or disk, not ${quote(value)}`)),
  setting('access', (scan, value) => scan.access(value)),
  saved('backend', 'backend_domname'),
  setting('backendtype', (scan, value) => scan.choose('backend', backendtypes, value)),
  setting('specification', (scan, value) => scan.choose('specification', specifications, value)),
  saved('vdev', 'vdev'),
  saved('script', 'script'),
  flag('direct-io-safe', (disk) => (disk.direct_io_safe = true)),
  flag('discard', (disk) => (disk.discard_enable = true)),
  flag('no-discard', (disk) => (disk.discard_enable = false)),
  flag('colo', (disk) => (disk.colo_enable = true)),
  flag('no-colo', (disk) => (disk.colo_enable = false)),
  saved('colo-host', 'colo_host'),
  setting('colo-port', (scan, value) => {
    const port = atoi(value);
    if (port === 0) scan.error(`colo-port is a number other than 0, not ${quote(value)}`);
    else scan.disk.colo_port = port;
  }),
  saved('colo-export', 'colo_export'),
  saved('active-disk', 'active_disk'),
  saved('hidden-disk', 'hidden_disk'),
  flag('trusted', (disk) => (disk.trusted = true)),
  flag('untrusted', (disk) => (disk.trusted = false)),
  rule(/(target=[^\n]*)/y, (scan, _, value) => void scan.save('target', 'pdev_path', value)),
  rule(
    /([a-z][-a-z0-9]*=[^,],?)/y,
    (scan, word) => void scan.error(`there is no parameter ${quote(word.slice(0, word.indexOf('=')))} of a disk`),
  ),
  prefix('raw|qcow2?|vhd', (scan, word) => void scan.choose('format', formats, word.slice(0, -1))),
  prefix('iscsi|e?nbd|drbd', (scan, word) => void scan.save('script', 'script', `block-${word.slice(0, -1)}`)),
  prefix('tapdisk|tap2?|aio|ioemu|file|phy'),
  rule(/([a-z][a-z0-9]*:)((?:[^a-z0-9][^\n]*)?)/y, (scan, word) => {
    scan.error(`there is no disk prefix ${quote(word)}: write format=, backendtype= or script= instead`);
    return 'stop';
  }),
  rule(/([^=,]*,|[^=,]+)/y, (scan, word) => scan.positional(word.endsWith(',') ? word.slice(0, -1) : word)),
];

class Scan {
  readonly disk: DeviceDisk = { readwrite: 1 };
  readonly errors: string[] = [];
  prefixed = false;
  private accessSet = false;
  private spec = '';

  read(spec: string): void {
    this.spec = spec;
    for (let at = 0; at < spec.length; ) {
      let best: { rule: Rule; total: number; word: string } | undefined;
      for (const rule of rules) {
        rule.pattern.lastIndex = at;
        const found = rule.pattern.exec(spec);
        if (found !== null && found[0].length > (best?.total ?? 0)) best = { rule, total: found[0].length, word: found[1]! };
      }
      if (best === undefined) {
        // Only a `=` is left over, and libxlu overlooks one at the very end.
        if (at + 1 < spec.length) this.error(`${quote(spec.slice(at))} cannot be read`);
        return;
      }
      at += best.word.length;
      const value = best.word.slice(best.word.indexOf('=') + 1);
      if (best.rule.act(this, best.word, value.endsWith(',') ? value.slice(0, -1) : value) === 'stop') return;
    }
  }

  error(what: string): undefined {
    this.errors.push(`${what}, in the disk ${quote(this.spec)}`);
  }

  /** An empty value may be overwritten, any other only once. */
  save(what: string, field: Key, value: string): void {
    if (this.disk[field]) this.error(`${what} is given twice, the second time as ${quote(value)}`);
    else this.disk[field] = value;
  }

  choose<F extends 'format' | 'backend' | 'specification'>(
    field: F,
    known: Readonly<Record<string, DeviceDisk[F]>>,
    value: string,
  ): undefined {
    const what = field === 'backend' ? 'backendtype' : field;
    if (!Object.hasOwn(known, value)) {
      const names = Object.keys(known).filter((name) => name !== '');
      return this.error(`${what} is one of ${names.join(', ')}, not ${quote(value)}`);
    }
    const held = this.disk[field];
    if (held !== undefined && held !== known[value]) this.error(`${what} is given twice, as ${held} and as ${quote(value)}`);
    else this.disk[field] = known[value];
  }

  access(value: string): undefined {
    if (!Object.hasOwn(accesses, value)) return this.error(`access is r, ro, w or rw, not ${quote(value)}`);
    this.disk.readwrite = accesses[value];
  }

  positional(word: string): Next {
    const { disk } = this;
    if (this.errors.length > 0) return 'on'; // Perhaps only a consequence.
    if (disk.pdev_path === undefined) this.save('target', 'pdev_path', word);
    else if (!this.prefixed && disk.format === undefined) {
      if (disk.pdev_path === '' && this.vdevAndType(word)) disk.format = 'empty';
      else this.choose('format', formats, word);
    } else if (disk.vdev === undefined) {
      if (!this.vdevAndType(word)) this.save('vdev', 'vdev', word);
    } else if (!this.accessSet) {
      this.accessSet = true;
      this.access(word);
    } else {
      this.error(`${quote(word)} is one word too many`);
      return 'stop';
    }
    return 'on';
  }

  /** The old `hdc:cdrom`: a vdev with its type. */
  private vdevAndType(word: string): boolean {
    const colon = word.lastIndexOf(':');
    if (colon < 0) return false;
    this.save('vdev', 'vdev', word.slice(0, colon));
    const type = word.slice(colon + 1);
    if (type === 'cdrom') this.disk.is_cdrom = 1;
    else if (type === 'disk') this.disk.is_cdrom = 0;
    else this.error(`the type after the colon is cdrom or disk, not ${quote(type)}`);
    return true;
  }
}
