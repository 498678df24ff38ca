// Runs short() of page/words.js on numbers: [[number, digits]] in, texts out.
"use strict";

const fs = require("node:fs");
const vm = require("node:vm");

vm.runInThisContext(fs.readFileSync(process.argv[2], "utf8"));
const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(([x, digits]) => globalThis.short(x, digits))));
