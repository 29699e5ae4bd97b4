// JSON in which a decimal keeps all of its digits.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[^,\]}\s]*/g;
/** Counts and times stay numbers: a double holds them exactly. */
const COUNT = /^(seq|trades|recv|since)$|_(ts|seconds)$/;

/** Parses JSON, each decimal as the string that it was. */
export const parseExact = (json) =>
  JSON.parse(
    json.replace(TOKENS, (token) => (token[0] === '"' ? token : `"${token}"`)),
    (name, value) => (COUNT.test(name) ? +value : value),
  );
