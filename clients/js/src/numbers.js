// JSON in which a decimal keeps all of its digits.

/** A string, with the number that it names if it is a name; or a number in a list. */
const TOKENS = /("(?:[^"\\]|\\.)*"\s*:?\s*)(-?\d[^,\]}\s]*)?|-?\d[^,\]}\s]*/g;
/** Counts and times stay numbers: a double holds them exactly. */
const COUNT = /^"(seq|trades|recv|since|\w+_(ts|seconds))"/;

/** Parses JSON, each decimal as the string that it was. */
export const parseExact = (json) =>
  JSON.parse(json.replace(TOKENS, (token, name = "", number = name ? "" : token) =>
    (number === "" || COUNT.test(name) ? token : `${name}"${number}"`)));
