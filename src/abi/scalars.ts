// The C types that Xen's headers are made of. What may have 64 bits is a bigint at both widths; everything else is a number.
import { each, type Layout, type Type } from './struct.ts';

export const uint8_t: Type<number> = same({
  size: 1,
  align: 1,
  get: (view, at) => view.getUint8(at),
  put: (view, at, value) => view.setUint8(at, value),
});
export const int8_t: Type<number> = same({
  size: 1,
  align: 1,
  get: (view, at) => view.getInt8(at),
  put: (view, at, value) => view.setInt8(at, value),
});
export const uint16_t: Type<number> = same({
  size: 2,
  align: 2,
  get: (view, at) => view.getUint16(at, true),
  put: (view, at, value) => view.setUint16(at, value, true),
});
export const int16_t: Type<number> = same({
  size: 2,
  align: 2,
  get: (view, at) => view.getInt16(at, true),
  put: (view, at, value) => view.setInt16(at, value, true),
});
export const uint32_t: Type<number> = same({
  size: 4,
  align: 4,
  get: (view, at) => view.getUint32(at, true),
  put: (view, at, value) => view.setUint32(at, value, true),
});
export const int32_t: Type<number> = same({
  size: 4,
  align: 4,
  get: (view, at) => view.getInt32(at, true),
  put: (view, at, value) => view.setInt32(at, value, true),
});

/** Aligned to 4 in an x86_32 structure: the i386 ABI. */
export const uint64_t: Type<bigint> = each((width) => quad(width === 'x86_64' ? 8 : 4));
/** Aligned to 8 at both widths: tools' interfaces are the same for either (public/arch-x86/xen-x86_32.h). */
export const uint64_aligned_t: Type<bigint> = same(quad(8));

/** `unsigned long` and `xen_ulong_t`: 8 or 4 bytes. A bigint at both widths; written to 4 bytes, the upper half is lost. */
export const xen_ulong_t: Type<bigint> = each((width) => (width === 'x86_64' ? quad(8) : word()));
export const xen_pfn_t: Type<bigint> = xen_ulong_t;
/** A pointer of the guest's. */
export const XEN_GUEST_HANDLE: Type<bigint> = xen_ulong_t;

export const domid_t: Type<number> = uint16_t;
export const evtchn_port_t: Type<number> = uint32_t;
export const grant_ref_t: Type<number> = uint32_t;

function word(): Layout<bigint> {
  return {
    size: 4,
    align: 4,
    get: (view, at) => BigInt(view.getUint32(at, true)),
    put: (view, at, value) => view.setUint32(at, Number(BigInt.asUintN(32, value)), true),
  };
}

function quad(align: number): Layout<bigint> {
  return {
    size: 8,
    align,
    get: (view, at) => view.getBigUint64(at, true),
    put: (view, at, value) => view.setBigUint64(at, value, true),
  };
}

function same<T>(layout: Layout<T>): Type<T> {
  return each(() => layout);
}
