// A string, to be skipped, or one of the bare words that JSON lacks.
const token = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b(?!\s*:)/g;
// Marks the place of a bare word; a text that could hold the mark itself is not rewritten.
const MARK = "\u{10FFFD}";

/**
 * JSON in which NaN, Infinity and -Infinity may stand bare, as TensorFlow Serving takes it.
 * @throws SyntaxError
 */
export function parseLenientJson(text: string): unknown {
  if (!/NaN|Infinity/.test(text) || text.includes(MARK)) return JSON.parse(text);
  const marked = text.replace(token, (found) => (found.startsWith('"') ? found : `"${MARK}${found}"`));
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? Number(value.slice(MARK.length)) : value,
  );
}
