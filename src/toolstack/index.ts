// The toolstack: configuration files of xl and xm, disks and interfaces as they write them, and the command line of xl.
export { type Diagnostic, formatDiagnostic } from './cfg/diagnostic.ts';
export { parseDisk } from './cfg/disk.ts';
export { domainConfig, domainConfigJson } from './cfg/domain-config.ts';
export { formatJson } from './cfg/json.ts';
export { parseConfig } from './cfg/parse.ts';
export { Settings } from './cfg/settings.ts';
export { vdevName, vdevNumber } from './cfg/vdev.ts';
export { parseVif } from './cfg/vif.ts';
export { type Menu, type MenuEntry, parseMenu } from './grub-menu.ts';
export { parseArgv } from './xl/argv.ts';
export { formatList, formatVcpuList } from './xl/table.ts';
