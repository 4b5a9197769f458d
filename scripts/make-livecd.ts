// Makes the disks of the Xen Live CD example: node dist/scripts/make-livecd.js [DIRECTORY]
// The same bytes on every run. Each disk has one active partition with an ext2 file system labelled ROOT: a Debian 5.0 "lenny"
// guest in miniature. The kernel and every program are marker files, `builtin:NAME`, for what runs there are actors.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { directory, type FileTree, file, mkfs, symlink } from '../src/storage/ext2/index.ts';
import { mbrImage, TYPE_LINUX } from '../src/storage/mbr.ts';

const KERNEL = '2.6.26-1-xen-686';
/** 14 February 2009, 12:00 UTC: the day Debian 5.0 came out. */
const RELEASED = 1_234_612_800;
const BLOCKS = 384;
const LIVEXEN = { uid: 1000, gid: 1000 };

interface Guest {
  /** The name of the file, and of the host unless `files` say otherwise. */
  readonly disk: string;
  readonly hostname: string;
  readonly uuid: string;
  readonly signature: number;
  /** What to mount as the root, and how. */
  readonly root: string;
  readonly motd: string;
  readonly readme: string;
  readonly etc: FileTree;
  readonly varFiles: FileTree;
  readonly programs: readonly string[];
}

const server: Guest = {
  disk: 'server',
  hostname: 'server',
  uuid: '5e64e601-0000-4c65-b000-6e6e79000001',
  signature: 0x58454e01,
  root: '/dev/xvda1  /      ext2   ro,noatime           0 0\naufs        /      aufs   br=tmpfs=rw:/=ro     0 0',
  motd: 'This server runs from a disk that it can not write: what you change is kept in memory and is gone after a shutdown.\n',
  readme: `A server of the Xen Live CD
===========================

server01 and server02 are two domains with one and the same virtual disk, attached
read-only. Each lays a file system in memory over it (aufs), so both may write and
neither sees the other. The name of the host is the name of the domain.

A web server answers on port 80; its pages are in /var/www.

  user livexen, password live; "sudo -s" makes you root
`,
  etc: {
    apache2: directory({
      'apache2.conf': file('ServerRoot "/etc/apache2"\nDocumentRoot /var/www\nListen 80\nUser www-data\nGroup www-data\n'),
    }),
    'rc2.d': directory({
      S10sysklogd: symlink('../init.d/sysklogd'),
      S16ssh: symlink('../init.d/ssh'),
      S91apache2: symlink('../init.d/apache2'),
    }),
  },
  varFiles: {
    www: directory({
      'index.html': file(`<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">
<html>
<head><title>A server of the Xen Live CD</title></head>
<body>
<h1>It is a virtual machine</h1>
<p>This page comes from a paravirtual domain. Its disk is shared with its sister and read-only; everything else is in its memory.</p>
</body>
</html>
`),
    }),
  },
  programs: ['apache2'],
};

const client = (number: 1 | 2): Guest => ({
  disk: `client0${number}`,
  hostname: `client0${number}`,
  uuid: `c11e4701-0000-4c65-b000-6e6e7900000${number}`,
  signature: 0x58454e10 + number,
  root: '/dev/xvda1  /      ext2   errors=remount-ro    0 1',
  motd: 'This work station has a disk of its own: what you write stays until the Live CD ends.\n',
  readme: `A work station of the Xen Live CD
=================================

client0${number} has a virtual disk of its own and writes to it as it likes. There is no swap.
Look at the servers from here:

  wget -O - http://server01/

  user livexen, password live; "sudo -s" makes you root
`,
  etc: { 'rc2.d': directory({ S10sysklogd: symlink('../init.d/sysklogd'), S16ssh: symlink('../init.d/ssh') }) },
  varFiles: {},
  programs: [],
});

/** Marker files for programs, as `ls` lists them. */
const programs = (names: readonly string[]): FileTree =>
  Object.fromEntries(
    names.map((name) => [name, file(`builtin:${name}\n`, { mode: name === 'su' || name === 'sudo' ? 0o4755 : 0o755 })]),
  );

const words = (text: string): string[] => text.split(' ');

function boot(): FileTree {
  return {
    grub: directory({
      'menu.lst': file(`# Read by pygrub in dom0. The disk of the guest is (hd0), its first partition (hd0,0).
default   0
timeout   5

title     Debian GNU/Linux, kernel ${KERNEL}
root      (hd0,0)
kernel    /vmlinuz root=/dev/xvda1 ro console=hvc0
initrd    /initrd.img

title     Debian GNU/Linux, kernel ${KERNEL} (single-user mode)
root      (hd0,0)
kernel    /vmlinuz root=/dev/xvda1 ro console=hvc0 single
initrd    /initrd.img
`),
    }),
    [`vmlinuz-${KERNEL}`]: file(`builtin:linux\nversion ${KERNEL}\n`),
    [`initrd.img-${KERNEL}`]: file(`builtin:initrd\nversion ${KERNEL}\n`),
    [`config-${KERNEL}`]: file(
      'CONFIG_XEN=y\nCONFIG_PARAVIRT=y\nCONFIG_HVC_XEN=y\nCONFIG_XEN_BLKDEV_FRONTEND=m\nCONFIG_XEN_NETDEV_FRONTEND=m\nCONFIG_EXT2_FS=m\n',
    ),
  };
}

function etc(guest: Guest): FileTree {
  return {
    debian_version: file('5.0\n'),
    hostname: file(`${guest.hostname}\n`),
    hosts: file(`127.0.0.1  localhost\n127.0.1.1  ${guest.hostname}\n`),
    issue: file('Debian GNU/Linux 5.0 \\n \\l\n\n'),
    motd: file(`${guest.motd}\n`),
    passwd: file(`root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/bin/sh
bin:x:2:2:bin:/bin:/bin/sh
sys:x:3:3:sys:/dev:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/sh
sshd:x:101:65534::/var/run/sshd:/usr/sbin/nologin
livexen:x:1000:1000:Xen Live CD,,,:/home/livexen:/bin/bash
`),
    group: file(`root:x:0:
daemon:x:1:
adm:x:4:livexen
shadow:x:42:
sudo:x:27:livexen
www-data:x:33:
nogroup:x:65534:
livexen:x:1000:
`),
    // Everybody knows this password, so it stands here as it is; an entry of * lets nobody in.
    shadow: file(
      `root:*:14289:0:99999:7:::\ndaemon:*:14289:0:99999:7:::\nwww-data:*:14289:0:99999:7:::\nlivexen:{plain}live:14289:0:99999:7:::\n`,
      { mode: 0o640, gid: 42 },
    ),
    sudoers: file('root    ALL=(ALL) ALL\nlivexen ALL=(ALL) ALL\n', { mode: 0o440 }),
    fstab: file(`# device    where  type   options              dump pass
${guest.root}
proc        /proc  proc   defaults             0 0
sysfs       /sys   sysfs  defaults             0 0
tmpfs       /tmp   tmpfs  nosuid,nodev         0 0
`),
    inittab: file(`# Runlevel 2 is multi-user. The console has a job of its own, in event.d.
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l2:2:wait:/etc/init.d/rc 2
l6:6:wait:/etc/init.d/rc 6
ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now
`),
    'event.d': directory({
      hvc0: file(`# The virtual console: what "xm console" shows.
start on stopped rc2
stop on runlevel 0
stop on runlevel 6

respawn
exec /sbin/getty 38400 hvc0
`),
    }),
    network: directory({
      interfaces: file('auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n'),
    }),
    dhcp3: directory({
      'dhclient.conf': file(
        '# Tell the server our name, for a dynamic DNS.\nsend host-name "<hostname>";\nrequest subnet-mask, routers, domain-name-servers;\n',
      ),
    }),
    'resolv.conf': file(''),
    securetty: file('console\nhvc0\ntty1\n'),
    shells: file('/bin/sh\n/bin/bash\n'),
    profile: file('PATH=/usr/local/bin:/usr/bin:/bin\nexport PATH\n'),
    modules: file('# Loaded at boot\nxen-blkfront\nxen-netfront\naufs\n'),
    mtab: symlink('/proc/mounts'),
    'init.d': directory(programs(words('apache2 halt networking rc rcS reboot ssh sysklogd'))),
    ...guest.etc,
  };
}

function root(guest: Guest): FileTree {
  return {
    bin: directory({
      ...programs(
        words(
          'bash cat chmod chown cp date dd df dmesg echo egrep false grep hostname kill ln login ls mkdir more mount mv ping ps pwd',
        ),
      ),
      ...programs(words('rm rmdir sed sleep su sync true umount uname')),
      sh: symlink('bash'),
    }),
    boot: directory(boot()),
    dev: directory({}),
    etc: directory(etc(guest)),
    home: directory({
      livexen: directory(
        {
          README: file(guest.readme, LIVEXEN),
          '.bashrc': file("alias ll='ls -l'\n", LIVEXEN),
          '.profile': file('. ~/.bashrc\n', LIVEXEN),
        },
        LIVEXEN,
      ),
    }),
    'initrd.img': symlink(`boot/initrd.img-${KERNEL}`),
    lib: directory({
      modules: directory({
        [KERNEL]: directory({
          'modules.dep': file('xen-blkfront.ko:\nxen-netfront.ko:\naufs.ko:\n'),
          ...programs(['xen-blkfront.ko', 'xen-netfront.ko', 'aufs.ko']),
        }),
      }),
    }),
    media: directory({}),
    mnt: directory({}),
    opt: directory({}),
    proc: directory({}),
    root: directory({ '.bashrc': file('umask 022\n') }, { mode: 0o700 }),
    sbin: directory(
      programs(words('dhclient3 fsck getty halt ifconfig ifdown ifup init insmod lsmod modprobe poweroff reboot route shutdown')),
    ),
    selinux: directory({}),
    srv: directory({}),
    sys: directory({}),
    tmp: directory({}, { mode: 0o1777 }),
    usr: directory({
      bin: directory(programs(words('clear env free head id less passwd sudo tail top uptime vi wc wget who'))),
      lib: directory({}),
      local: directory({ bin: directory({}) }),
      sbin: directory(programs(['sshd', ...guest.programs])),
      share: directory({ doc: directory({}) }),
    }),
    var: directory({
      cache: directory({}),
      lib: directory({ dhcp3: directory({}) }),
      log: directory({}),
      run: directory({}),
      tmp: directory({}, { mode: 0o1777 }),
      ...guest.varFiles,
    }),
    vmlinuz: symlink(`boot/vmlinuz-${KERNEL}`),
  };
}

function disk(guest: Guest): Uint8Array {
  const made = mkfs({
    label: 'ROOT',
    uuid: guest.uuid,
    blockSize: 1024,
    files: root(guest),
    blocks: BLOCKS,
    spareInodes: 64,
    time: RELEASED,
  });
  if (!made.ok) throw new Error(`${guest.disk}: ${made.reason}`);
  const image = mbrImage([{ type: TYPE_LINUX, active: true, bytes: made.bytes }], guest.signature);
  if (!image.ok) throw new Error(`${guest.disk}: ${image.reason}`);
  return image.bytes;
}

const target = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '../../examples/livecd');
mkdirSync(target, { recursive: true });
for (const guest of [server, client(1), client(2)]) writeFileSync(join(target, `${guest.disk}.img`), disk(guest));
