// Runs page/words.js: short() on numbers, [[number, digits]], and readable() on formulas, [text]; texts out.
"use strict";

const fs = require("node:fs");
const vm = require("node:vm");

vm.runInThisContext(fs.readFileSync(process.argv[2], "utf8"));
const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map((each) => (typeof each === "string" ? globalThis.readable(each) : globalThis.short(...each)))));
