/** Whether a Content-Type header says so; its parameters (`;charset=utf-8`) are tolerated. */
export function isMediaType(header: string | undefined, type: string): boolean {
  return header === type || header?.split(';', 1)[0]?.trim().toLowerCase() === type;
}
