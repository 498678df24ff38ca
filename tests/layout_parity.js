// Runs page/layout.js on the cases of test_layout.py: JSON in, JSON out.
"use strict";

const fs = require("node:fs");

const { layout } = require(process.argv[2]);

const cases = JSON.parse(fs.readFileSync(0, "utf8"));
const answers = cases.map(({ root, edges, direction, late, points }) => {
  if (points) return layout.path(points, direction);
  try {
    const drawn = layout(root, edges, direction, () => {
      if (late) throw new Error("layout took too long");
    });
    return { layout: drawn, paths: Object.values(drawn.edges).map((line) => layout.path(line.points, direction)) };
  } catch (error) {
    if (!late) throw error;
    return { error: error.message };
  }
});
process.stdout.write(JSON.stringify(answers));
