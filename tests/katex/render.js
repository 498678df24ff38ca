// Renders formulas with KaTeX: reads a JSON list of strings, writes a JSON list of errors (null where a formula renders).
// With "mathml" as second argument it writes the MathML instead, and stops at the first error.
"use strict";
const katex = require(process.argv[2]);
const wanted = process.argv[3];
const options = { displayMode: true, throwOnError: true, strict: "error" };
let text = "";
process.stdin.on("data", (part) => { text += part; });
process.stdin.on("end", () => {
  const found = JSON.parse(text).map((formula) => {
    if (wanted) {
      return katex.renderToString(formula, { ...options, output: wanted });
    }
    try {
      katex.renderToString(formula, options);
      return null;
    } catch (error) {
      return String(error.message);
    }
  });
  process.stdout.write(JSON.stringify(found));
});
