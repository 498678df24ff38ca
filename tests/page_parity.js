// Runs page/view.js on the cases of test_page.py: [{graph, open}] in, what is seen of each out.
"use strict";

const fs = require("node:fs");
const vm = require("node:vm");

vm.runInThisContext(fs.readFileSync(process.argv[2], "utf8"));
const cases = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(({ graph, open }) => globalThis.visible(graph, open))));
