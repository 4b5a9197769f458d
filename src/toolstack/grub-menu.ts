// GRUB legacy's menu.lst, as far as pygrub reads it: default, title, root, kernel, initrd.

export interface MenuEntry {
  readonly title: string;
  readonly kernel: string;
  readonly args: string;
  readonly initrd: string;
}
export interface Menu {
  readonly titles: readonly MenuEntry[];
  /** The entry that starts when nobody chooses. */
  readonly chosen: number;
  /** What pygrub would show. */
  readonly text: string;
}

/** Total on any text: what is no line of a menu is passed over. Entries without a kernel are left out. */
export function parseMenu(text: string): Menu {
  const titles: MenuEntry[] = [];
  let chosen = 0;
  let current: { title: string; kernel: string; args: string; initrd: string } | undefined;
  const close = (): void => {
    if (current && current.kernel !== '') titles.push(current);
  };
  for (const line of text.split(/\r?\n/)) {
    const [, word = '', rest = ''] = /^\s*([a-z]+)[\s=]+(.*?)\s*$/.exec(line) ?? [];
    switch (word) {
      case 'default':
        chosen = /^\d{1,4}$/.test(rest) ? Number(rest) : 0;
        break;
      case 'title':
        close();
        current = { title: rest, kernel: '', args: '', initrd: '' };
        break;
      case 'kernel':
        if (current) {
          const [kernel = '', ...args] = rest.split(/\s+/);
          current.kernel = withoutDevice(kernel);
          current.args = args.join(' ');
        }
        break;
      case 'initrd':
        if (current) current.initrd = withoutDevice(rest);
        break;
    }
  }
  close();
  const at = chosen < titles.length ? chosen : 0;
  return { titles, chosen: at, text: titles.map(({ title }, i) => `${i === at ? '>' : ' '} ${title}\n`).join('') };
}

/** "(hd0,0)/vmlinuz" is a path on the partition that the menu was found on. */
const withoutDevice = (path: string): string => path.replace(/^\([^)]*\)/, '');
