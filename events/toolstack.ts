// The toolstack: `xl` commands as jobs, boot loaders, hotplug scripts, and the boot of the host itself.
import { int, ints, oneOf, operation, text, texts } from './schema.ts';

export const operations = {
  /** The first input of every run: Xen has started and builds dom0. */
  'host.boot': operation({}),
  /** Draws from the host's seeded generator: `count` bytes. */
  'host.draw': operation({ count: int }, { bytes: text }),
  /** How dom0 and its bridges are to be: asked by the boot of the host. */
  'host.configuration': operation({}, { json: text }),
  /** The scenario is over; steps follow only in a branch. */
  'host.end': operation({}),
  /** An input: an `xl` command line, with the content of the files that it names. */
  'xl.run': operation({ argv: texts, files: texts }, { job: int }),
  'xl.print': operation({ job: int, stream: oneOf('stdout', 'stderr'), text }),
  'xl.exit': operation({ job: int, rc: int }),
  'xl.store_config': operation({ domid: int, config: text }),
  'bootloader.run': operation({ job: int, domid: int, loader: text, disk: text, entry: text }),
  'bootloader.note_result': operation({ job: int, domid: int, kernel: text, ramdisk: text, args: text, menu: text, error: text }),
  'hotplug.run': operation({
    job: int,
    domid: int,
    script: text,
    action: oneOf('add', 'remove'),
    backend_path: text,
    dev: text,
    params: text,
  }),
  'hotplug.note_result': operation({ job: int, backend_path: text, error: text }),
} as const;

export const facts = {
  'host.booted': {},
  'host.bytes_drawn': { state: ints },
  'host.ended': {},
  'xl.job_started': { job: int, argv: texts, files: texts },
  'xl.printed': { job: int, stream: oneOf('stdout', 'stderr'), text },
  'xl.exited': { job: int, rc: int },
  'xl.config_stored': { domid: int, config: text },
  'bootloader.started': { job: int, domid: int, loader: text, disk: text, entry: text },
  'bootloader.finished': { job: int, domid: int, kernel: text, ramdisk: text, args: text, menu: text, error: text },
  'hotplug.started': {
    job: int,
    domid: int,
    script: text,
    action: oneOf('add', 'remove'),
    backend_path: text,
    dev: text,
    params: text,
  },
  'hotplug.finished': { job: int, backend_path: text, error: text },
} as const;
