// XenStore's wire format: the header of every message, its type numbers and its errors (public/io/xs_wire.h).
import type { Errno } from '../../events/errno.ts';
import { uint32_t } from './scalars.ts';
import { struct } from './struct.ts';

/** Stands before every request, reply and watch event. `len` is the bytes that follow; `tx_id` 0: no transaction. */
export const xsd_sockmsg = struct('xsd_sockmsg', { type: uint32_t, req_id: uint32_t, tx_id: uint32_t, len: uint32_t });

/** `XS_*`: values of `type`. 20 was RESTRICT. */
export const XS = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const;
export const XS_TYPE_COUNT = 23;

/** The errors that an ERROR reply may name (`xsd_errors`), in the header's order. */
export const xsd_errors = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
] as const satisfies readonly Errno[];

/** Bytes after a header; bytes of an absolute and of a relative path. */
export const XENSTORE_PAYLOAD_MAX = 4096;
export const XENSTORE_ABS_PATH_MAX = 3072;
export const XENSTORE_REL_PATH_MAX = 2048;
