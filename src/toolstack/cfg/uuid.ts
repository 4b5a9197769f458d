/** The UUID in a text, in lower case, or undefined where it is not 32 hexadecimal digits in groups of 8-4-4-4-12 (uuid_parse(3)). */
export const parseUuid = (text: string): string | undefined =>
  /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text) ? text.toLowerCase() : undefined;

/** libxl takes a UUID of zeros for none. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';
