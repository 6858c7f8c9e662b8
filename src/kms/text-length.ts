/** How many characters a text has: Unicode code points, as JSON Schema counts them, not UTF-16 code units. */
export const textLength = (text: string): number => [...text].length;
