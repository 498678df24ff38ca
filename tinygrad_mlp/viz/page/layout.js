// Places for boxes inside boxes, and paths for the edges between them: a layered layout for nested groups.
//
// This is layout.py and the folder layered/ in JavaScript, function by function, with the same numbers to the last digit: change
// both. What each step does, and why, is said there. A plain script without a module: it gives `layout`, and `layout.path`.

/**
 * @typedef {{id: string, width?: number, height?: number, title_width?: number, children?: Item[]}} Item  a box or an open group
 * @typedef {{id: string, source: string, target: string, label_width: number}} Edge
 * @typedef {[number, number]} Point
 * @typedef {{points: Point[], label: Point | null, flipped: boolean}} Line
 * @typedef {{width: number, height: number, boxes: Record<string, number[]>, edges: Record<string, Line>}} Layout
 */

const layout = (() => {
  "use strict";

  // Across and along are directions relative to the flow: x and y where it flows down, y and x where it flows right.
  /** @typedef {{across: number, along: number, entries: Map<number, number> | null, exits: Map<number, number> | null}} Child */
  /** @typedef {{edge: number, source: number, target: number, label: number, depth: number, reach: number}} Link */
  /**
   * @typedef {{kind: number, row: number, across: number, along: number, child: number, link: number, place: number, line: number,
   *   left: number, top: number, ins: number[], outs: number[]}} Vertex
   */
  /** @typedef {{link: number, source: number, target: number, rail: boolean, sourceAt: number, targetAt: number}} Segment */
  /**
   * @typedef {{children: Child[], links: Link[], flipped: boolean[], down: boolean, ported: boolean, vertices: Vertex[],
   *   segments: Segment[], rows: number[][], chains: number[][]}} Problem
   */
  /** @typedef {[number, number, number]} Arc  left block, right block, least distance */
  /** @typedef {[number, number, number]} Pull  another block, how far to the right of it, weight */
  /** @typedef {{across: number, along: number, places: Point[], paths: Point[][], labels: (Point | null)[]}} Arranged */
  /**
   * @typedef {{id: string, parent: number, number: number, title: number, depth: number, children: Item[],
   *   branches: Map<number, number>, links: Link[], result: Arranged | null, corner: Point}} Branch
   */
  /** @typedef {() => void} Tick */

  // ---- model.py

  const TITLE = 26;
  const PADDING = 14;
  const LABEL_HEIGHT = 14;
  const BORDER = -1;
  const BOX = 0, GROUP = 1, DUMMY = 2, LABEL = 3, PORT = 4;

  /** @param {Vertex} vertex */
  const isChild = (vertex) => vertex.kind === BOX || vertex.kind === GROUP;

  /** @param {number} kind @param {number} row @param {number} link @returns {Vertex} */
  function newVertex(kind, row, link) {
    return { kind, row, across: 0, along: 0, child: -1, link, place: 0, line: 0, left: 0, top: 0, ins: [], outs: [] };
  }

  /** @param {number} a @param {number} b */
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

  /** How many of the sorted values are less than the given one, or equal to it. @param {number[]} values @param {number} value */
  function bisectRight(values, value) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value < values[middle]) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** How many of the sorted values are less than the given one. @param {number[]} values @param {number} value */
  function bisectLeft(values, value) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // ---- rows.py

  const BUDGET = 8000;
  const LABEL_GAP = 5;

  /** @param {number} count @param {[number, number][]} pairs @returns {[number[], boolean[]]} */
  function sweepOrder(count, pairs) {
    /** @type {number[][]} */
    const outs = Array.from({ length: count }, () => []);
    pairs.forEach(([source], number) => outs[source].push(number));
    const flipped = new Array(pairs.length).fill(false);
    const state = new Array(count).fill(0); // 1: on the stack, 2: done
    const cursor = new Array(count).fill(0);
    /** @type {number[]} */
    const order = [];
    for (let root = 0; root < count; root += 1) {
      if (state[root]) continue;
      state[root] = 1;
      const stack = [root];
      while (stack.length) {
        const vertex = stack[stack.length - 1];
        if (cursor[vertex] === outs[vertex].length) {
          state[vertex] = 2;
          order.push(vertex);
          stack.pop();
          continue;
        }
        const number = outs[vertex][cursor[vertex]];
        cursor[vertex] += 1;
        const target = pairs[number][1];
        if (state[target] === 0) {
          state[target] = 1;
          stack.push(target);
        } else if (state[target] === 1) {
          flipped[number] = true;
        }
      }
    }
    order.reverse();
    return [order, flipped];
  }

  /** @param {number} count @param {Link[]} links @returns {[number[], boolean[]]} */
  function layers(count, links) {
    /** @type {number[]} */
    const inner = [];
    links.forEach((link, number) => {
      if (link.source !== BORDER && link.target !== BORDER) inner.push(number);
    });
    const [order, back] = sweepOrder(count, inner.map((number) => [links[number].source, links[number].target]));
    const flipped = new Array(links.length).fill(false);
    /** @type {number[][]} */
    const befores = Array.from({ length: count }, () => []);
    /** @type {number[][]} */
    const afters = Array.from({ length: count }, () => []);
    inner.forEach((number, index) => {
      flipped[number] = back[index];
      if (!back[index]) {
        befores[links[number].target].push(links[number].source);
        afters[links[number].source].push(links[number].target);
      }
    });
    const held = new Array(count).fill(false); // something from outside comes in
    for (const link of links) if (link.source === BORDER) held[link.target] = true;
    /** @type {number[]} */
    const layer = new Array(count).fill(0);
    for (const child of order) {
      for (const before of befores[child]) layer[child] = Math.max(layer[child], layer[before] + 1);
    }
    const latest = layer.slice();
    /** @param {number[]} values @param {number} child */
    const aboveAll = (values, child) => {
      let least = Infinity;
      for (const after of afters[child]) least = Math.min(least, values[after]);
      return least - 1;
    };
    const upwards = order.slice().reverse();
    for (const child of upwards) if (afters[child].length) latest[child] = aboveAll(latest, child);
    for (const child of order) {
      held[child] = held[child] || latest[child] === layer[child] || befores[child].some((before) => held[before]);
    }
    for (const child of upwards) if (!held[child]) layer[child] = aboveAll(layer, child);
    return [layer, flipped];
  }

  /** @param {Child[]} children @param {Link[]} links @param {boolean} down @param {boolean} ported @returns {Problem} */
  function build(children, links, down, ported) {
    const [layer, flipped] = layers(children.length, links);
    let depth = 0;
    for (const number of layer) depth = Math.max(depth, number + 1);
    const starts = links.map((link) => (link.source === BORDER ? -1 : layer[link.source]));
    const ends = links.map((link) => (link.target === BORDER ? depth : layer[link.target]));
    const rails = flipped.slice();
    const spans = ends.map((end, number) => end - starts[number]);
    let total = 0;
    for (const span of spans) total += Math.max(span - 1, 0);
    const longest = links.map((_, number) => number).sort((a, b) => spans[b] - spans[a]);
    for (const number of longest) {
      if (total <= BUDGET + children.length || spans[number] < 2) break;
      rails[number] = true;
      total -= spans[number] - 1;
    }
    const gaps = labelGaps(children.length, links, starts, ends, rails);
    const labelRow = new Array(depth).fill(false);
    for (const gap of gaps) if (gap >= 0) labelRow[gap] = true;
    /** @type {Problem} */
    const problem = { children, links, flipped, down, ported, vertices: [], segments: [], rows: [], chains: [] };
    let first = ported ? 1 : 0;
    /** @type {number[]} */
    const rowOf = [];
    for (let number = 0; number < depth; number += 1) {
      rowOf.push(first);
      first += labelRow[number] ? 2 : 1;
    }
    problem.rows = Array.from({ length: ported ? first + 1 : first }, () => []);
    fill(problem, layer.map((number) => rowOf[number]), rowOf, gaps, rails);
    return problem;
  }

  /** @param {number} count @param {Link[]} links @param {number[]} starts @param {number[]} ends @param {boolean[]} rails */
  function labelGaps(count, links, starts, ends, rails) {
    const outs = new Array(count).fill(0);
    const ins = new Array(count).fill(0);
    for (const link of links) {
      if (link.source !== BORDER && link.target !== BORDER) {
        outs[link.source] += 1;
        ins[link.target] += 1;
      }
    }
    return links.map((link, number) => {
      if (link.label <= 0) return -1;
      return rails[number] || ins[link.target] > outs[link.source] ? starts[number] : ends[number] - 1;
    });
  }

  /** @param {Problem} problem @param {number[]} rows @param {number[]} rowOf @param {number[]} gaps @param {boolean[]} rails */
  function fill(problem, rows, rowOf, gaps, rails) {
    problem.children.forEach((child, number) => {
      const vertex = newVertex(child.entries === null ? BOX : GROUP, rows[number], -1);
      vertex.across = child.across;
      vertex.along = child.along;
      vertex.child = number;
      add(problem, vertex);
    });
    problem.links.forEach((link, number) => {
      const source = link.source === BORDER ? add(problem, newVertex(PORT, 0, number)) : link.source;
      const target = link.target === BORDER ? add(problem, newVertex(PORT, problem.rows.length - 1, number)) : link.target;
      const label = gaps[number] < 0 ? -1 : rowOf[gaps[number]] + 1;
      let end = problem.vertices[target].row;
      if (rails[number]) end = problem.vertices[source].row + (label < 0 ? 1 : 2);
      const chain = [];
      let last = source;
      for (let row = problem.vertices[source].row + 1; row < end; row += 1) {
        const vertex = newVertex(DUMMY, row, number);
        if (row === label) {
          vertex.kind = LABEL;
          vertex.across = LABEL_GAP + (problem.down ? link.label : LABEL_HEIGHT);
          vertex.along = problem.down ? LABEL_HEIGHT : link.label;
        }
        const dummy = add(problem, vertex);
        chain.push(join(problem, number, last, dummy, false));
        last = dummy;
      }
      chain.push(join(problem, number, last, target, rails[number]));
      problem.chains.push(chain);
    });
  }

  /** @param {Problem} problem @param {Vertex} vertex */
  function add(problem, vertex) {
    const number = problem.vertices.length;
    problem.vertices.push(vertex);
    problem.rows[vertex.row].push(number);
    return number;
  }

  /** @param {Problem} problem @param {number} link @param {number} source @param {number} target @param {boolean} rail */
  function join(problem, link, source, target, rail) {
    const number = problem.segments.length;
    problem.segments.push({ link, source, target, rail, sourceAt: 0, targetAt: 0 });
    problem.vertices[source].outs.push(number);
    problem.vertices[target].ins.push(number);
    return number;
  }

  // ---- order.py

  const SWEEPS = 10;
  const LARGE = 4000;
  const FEW = 4;

  /** @param {Problem} problem @param {Segment} segment */
  function sourcePlace(problem, segment) {
    const vertex = problem.vertices[segment.source];
    if (vertex.kind === GROUP) {
      const child = problem.children[vertex.child];
      if (child.exits !== null) return vertex.place + port(child.exits, problem, segment) / child.across;
    }
    return vertex.place + 0.5;
  }

  /** @param {Problem} problem @param {Segment} segment */
  function targetPlace(problem, segment) {
    const vertex = problem.vertices[segment.target];
    if (vertex.kind === GROUP) {
      const child = problem.children[vertex.child];
      if (child.entries !== null) return vertex.place + port(child.entries, problem, segment) / child.across;
    }
    return vertex.place + 0.5;
  }

  /** @param {Map<number, number>} ports @param {Problem} problem @param {Segment} segment */
  function port(ports, problem, segment) {
    return /** @type {number} */ (ports.get(problem.links[segment.link].edge));
  }

  /** @param {Problem} problem @param {Tick} tick */
  function arrange(problem, tick) {
    const { vertices } = problem;
    for (const row of problem.rows) {
      const late = new Map(row.map((number) => [number, startsAtLeaf(problem, vertices[number]) ? 0 : 1]));
      row.sort((a, b) => compare(late.get(a) ?? 0, late.get(b) ?? 0) || a - b);
      numberPlaces(problem, row);
    }
    if (problem.rows.every((row) => row.length < 2)) return;
    let best = crossings(problem);
    let rows = problem.rows.map((row) => row.slice());
    const sweeps = vertices.length < LARGE ? SWEEPS : FEW;
    for (let sweep = 0; sweep < sweeps; sweep += 1) {
      const upwards = sweep % 2 === 0;
      for (const row of upwards ? problem.rows.slice().reverse() : problem.rows) {
        sortRow(problem, row, upwards);
        tick();
      }
      const now = crossings(problem);
      if (now < best || sweep === 0) {
        best = now;
        rows = problem.rows.map((row) => row.slice());
      }
      if (best === 0) break;
    }
    problem.rows = rows;
    for (const row of rows) numberPlaces(problem, row);
  }

  /** @param {Problem} problem @param {Vertex} vertex */
  function startsAtLeaf(problem, vertex) {
    if (isChild(vertex)) return vertex.ins.length === 0;
    const source = problem.vertices[problem.segments[problem.chains[vertex.link][0]].source];
    return isChild(source) && source.ins.length === 0;
  }

  /** @param {Problem} problem @param {number[]} row */
  function numberPlaces(problem, row) {
    row.forEach((number, place) => {
      problem.vertices[number].place = place;
    });
  }

  /** @param {Problem} problem @param {number[]} row @param {boolean} upwards */
  function sortRow(problem, row, upwards) {
    if (row.length < 2) return;
    /** @type {Map<number, number>} */
    const keys = new Map();
    for (const number of row) {
      let total = 0;
      let count = 0;
      const vertex = problem.vertices[number];
      for (const index of upwards ? vertex.outs : vertex.ins) {
        const segment = problem.segments[index];
        if (!segment.rail) {
          total += upwards ? targetPlace(problem, segment) : sourcePlace(problem, segment);
          count += 1;
        }
      }
      if (count) keys.set(number, total / count);
    }
    const slots = row.map((_, place) => place).filter((place) => keys.has(row[place]));
    const moved = row.filter((number) => keys.has(number));
    moved.sort((a, b) => compare(keys.get(a) ?? 0, keys.get(b) ?? 0));
    slots.forEach((place, index) => {
      row[place] = moved[index];
    });
    numberPlaces(problem, row);
  }

  /** @param {Problem} problem */
  function crossings(problem) {
    let total = 0;
    for (const row of problem.rows) {
      /** @type {Point[]} */
      const pairs = [];
      for (const number of row) {
        for (const index of problem.vertices[number].outs) {
          const segment = problem.segments[index];
          if (!segment.rail) pairs.push([sourcePlace(problem, segment), targetPlace(problem, segment)]);
        }
      }
      pairs.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
      /** @type {number[]} */
      const seen = [];
      for (const [, end] of pairs) {
        const place = bisectRight(seen, end);
        total += seen.length - place;
        seen.splice(place, 0, end);
      }
    }
    return total;
  }

  // ---- place.py

  const BETWEEN_BOXES = 24;
  const BESIDE_BOX = 16;
  const BETWEEN_EDGES = 12;
  const ATTACHMENTS = 28;
  const NUDGE = 10;
  const BESIDE_END = 8;
  const LIGHT = 0.2;

  /** @param {Problem} problem @param {Tick} tick */
  function place(problem, tick) {
    attach(problem);
    let [block, shift, count] = blocks(problem, aligned(problem));
    let arcs = neighbours(problem, block, shift);
    let order = blockOrder(count, arcs);
    if (order.length < count) {
      [block, shift, count] = blocks(problem, []);
      arcs = neighbours(problem, block, shift);
      order = blockOrder(count, arcs);
    }
    const left = solve(arcs, forces(problem, block, shift, count), order, tick);
    problem.vertices.forEach((vertex, number) => {
      vertex.left = left[block[number]] + shift[number];
    });
    straighten(problem);
  }

  /** @param {Problem} problem */
  function attach(problem) {
    const { segments } = problem;
    /** @param {number} index */
    const farSource = (index) => (segments[index].rail ? Infinity : sourcePlace(problem, segments[index]));
    /** @param {number} index */
    const farTarget = (index) => (segments[index].rail ? Infinity : targetPlace(problem, segments[index]));
    for (const vertex of problem.vertices) {
      vertex.ins.sort((a, b) => compare(farSource(a), farSource(b)));
      vertex.outs.sort((a, b) => compare(farTarget(a), farTarget(b)));
    }
    for (const vertex of problem.vertices) {
      if (vertex.kind === LABEL) vertex.line = onTheLeft(problem, vertex) ? vertex.across : 0;
      spread(problem, vertex, vertex.ins, true).forEach((offset, index) => {
        segments[vertex.ins[index]].targetAt = offset;
      });
      spread(problem, vertex, vertex.outs, false).forEach((offset, index) => {
        segments[vertex.outs[index]].sourceAt = offset;
      });
    }
  }

  /** @param {Problem} problem */
  function straighten(problem) {
    problem.segments.forEach((segment, index) => {
      const source = problem.vertices[segment.source];
      const target = problem.vertices[segment.target];
      const off = source.left + segment.sourceAt - target.left - segment.targetAt;
      if (segment.rail || off === 0 || Math.abs(off) > NUDGE) return;
      if (target.kind === BOX) {
        const ends = target.ins.map((other) => problem.segments[other].targetAt);
        if (hasRoom(target, ends, target.ins.indexOf(index), segment.targetAt + off)) {
          segment.targetAt += off;
          return;
        }
      }
      if (source.kind === BOX) {
        const ends = source.outs.map((other) => problem.segments[other].sourceAt);
        if (hasRoom(source, ends, source.outs.indexOf(index), segment.sourceAt - off)) segment.sourceAt -= off;
      }
    });
  }

  /** @param {Vertex} vertex @param {number[]} ends @param {number} at @param {number} value */
  function hasRoom(vertex, ends, at, value) {
    const lower = at > 0 ? ends[at - 1] + BESIDE_END : BESIDE_END;
    const upper = at + 1 < ends.length ? ends[at + 1] - BESIDE_END : vertex.across - BESIDE_END;
    return lower <= value && value <= upper;
  }

  /** @param {Problem} problem @param {Vertex} label */
  function onTheLeft(problem, label) {
    const chain = problem.chains[label.link];
    const { outs } = problem.vertices[problem.segments[chain[0]].source];
    if (outs.length > 1) return outs.indexOf(chain[0]) < (outs.length - 1) / 2;
    const last = chain[chain.length - 1];
    const { ins } = problem.vertices[problem.segments[last].target];
    if (ins.length > 1) return ins.indexOf(last) < (ins.length - 1) / 2;
    return !problem.down;
  }

  /** @param {Problem} problem @param {Vertex} vertex @param {number[]} segments @param {boolean} incoming @returns {number[]} */
  function spread(problem, vertex, segments, incoming) {
    if (vertex.kind === GROUP) {
      const child = problem.children[vertex.child];
      const ports = incoming ? child.entries : child.exits;
      return ports === null ? [] : segments.map((index) => port(ports, problem, problem.segments[index]));
    }
    if (vertex.kind !== BOX) return segments.map(() => vertex.line);
    const count = segments.length;
    const middle = vertex.across / 2;
    const room = Math.max(middle - 8, middle * 0.6); // to either side
    const main = mainSegment(problem, segments, incoming, false);
    if (main < 0) {
      const step = Math.min(ATTACHMENTS + 4, (2 * room) / Math.max(count - 1, 1));
      return segments.map((_, index) => middle + (index - (count - 1) / 2) * step);
    }
    const at = segments.indexOf(main);
    const before = Math.min(ATTACHMENTS, room / Math.max(at, 1));
    const after = Math.min(ATTACHMENTS, room / Math.max(count - 1 - at, 1));
    return segments.map((_, index) => middle + (index - at) * (index < at ? before : after));
  }

  /** @param {Problem} problem @param {number[]} segments @param {boolean} incoming @param {boolean} forLine @returns {number} */
  function mainSegment(problem, segments, incoming, forLine) {
    let top = -1;
    /** @type {number[]} */
    let best = [];
    for (const index of segments) {
      const link = problem.links[problem.segments[index].link];
      const rank = incoming ? link.depth + (link.source === BORDER ? 0.5 : 0) : link.reach;
      if (problem.segments[index].rail || rank < top) continue;
      if (rank > top) {
        top = rank;
        best = [];
      }
      best.push(index);
    }
    if (best.length === 1 || (best.length % 2 === 1 && best.length === segments.length)) return best[best.length >> 1];
    if (!best.length || !forLine) return -1;
    const ends = best.map((index) => problem.links[problem.segments[index].link]);
    const parallel = ends.every((end) => end.source === ends[0].source && end.target === ends[0].target);
    return parallel ? best[(best.length - 1) >> 1] : -1;
  }

  /** @param {Problem} problem @returns {number[]} */
  function aligned(problem) {
    const { vertices, segments } = problem;
    const mainIn = vertices.map((vertex) => mainSegment(problem, vertex.ins, true, true));
    const mainOut = vertices.map((vertex) => mainSegment(problem, vertex.outs, false, true));
    /** @param {Vertex} vertex */
    const passes = (vertex) => vertex.kind === DUMMY || vertex.kind === LABEL;
    /** @type {number[]} */
    const chosen = [];
    for (const row of problem.rows) {
      /** @type {[number, number, number][]} */
      const wanted = [];
      for (const number of row) {
        const index = mainOut[number];
        if (index >= 0 && mainIn[segments[index].target] === index) {
          const inner = passes(vertices[number]) && passes(vertices[segments[index].target]);
          wanted.push([inner ? 0 : 1, index, number]);
        }
      }
      wanted.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      /** @type {number[]} */
      const above = [];
      /** @type {number[]} */
      const below = [];
      for (const [, index, number] of wanted) {
        const start = vertices[number].place;
        const end = vertices[segments[index].target].place;
        const at = bisectLeft(above, start);
        if ((at === 0 || below[at - 1] < end) && (at === above.length || end < below[at])) {
          above.splice(at, 0, start);
          below.splice(at, 0, end);
          chosen.push(index);
        }
      }
    }
    return chosen;
  }

  /** @param {Problem} problem @param {number[]} straight @returns {[number[], number[], number]} */
  function blocks(problem, straight) {
    const block = new Array(problem.vertices.length).fill(-1);
    const shift = new Array(problem.vertices.length).fill(0);
    const above = new Array(problem.vertices.length).fill(-1);
    for (const index of straight) above[problem.segments[index].target] = index;
    let count = 0;
    for (const row of problem.rows) {
      for (const number of row) {
        const index = above[number];
        if (index < 0) {
          block[number] = count;
          count += 1;
        } else {
          const segment = problem.segments[index];
          block[number] = block[segment.source];
          shift[number] = shift[segment.source] + segment.sourceAt - segment.targetAt;
        }
      }
    }
    return [block, shift, count];
  }

  /** @param {Vertex} first @param {Vertex} second */
  function separation(first, second) {
    if (first.kind === PORT || second.kind === PORT) return BESIDE_BOX;
    return [BETWEEN_EDGES, BESIDE_BOX, BETWEEN_BOXES][(isChild(first) ? 1 : 0) + (isChild(second) ? 1 : 0)];
  }

  /** @param {Problem} problem @param {number[]} block @param {number[]} shift @returns {Arc[]} */
  function neighbours(problem, block, shift) {
    /** @type {Arc[]} */
    const arcs = [];
    for (const row of problem.rows) {
      for (let at = 1; at < row.length; at += 1) {
        const first = row[at - 1];
        const second = row[at];
        const left = problem.vertices[first];
        const distance = shift[first] + left.across + separation(left, problem.vertices[second]) - shift[second];
        arcs.push([block[first], block[second], distance]);
      }
    }
    return arcs;
  }

  /** @param {number} count @param {Arc[]} arcs @returns {number[]} */
  function blockOrder(count, arcs) {
    /** @type {number[][]} */
    const outs = Array.from({ length: count }, () => []);
    const waiting = new Array(count).fill(0);
    for (const [left, right] of arcs) {
      outs[left].push(right);
      waiting[right] += 1;
    }
    /** @type {number[]} */
    const order = [];
    for (let number = 0; number < count; number += 1) if (waiting[number] === 0) order.push(number);
    for (const number of order) {
      for (const right of outs[number]) {
        waiting[right] -= 1;
        if (waiting[right] === 0) order.push(right);
      }
    }
    return order;
  }

  /** @param {Problem} problem @param {number[]} block @param {Segment} above @param {Segment} below */
  function freeLabel(problem, block, above, below) {
    const last = isChild(problem.vertices[below.target]) && !below.rail;
    return last && block[above.source] !== block[above.target] && block[above.target] !== block[below.target];
  }

  /** @param {Problem} problem @param {number[]} block @param {number[]} shift @param {number} count @returns {Pull[][]} */
  function forces(problem, block, shift, count) {
    /** @type {Pull[][]} */
    const pulls = Array.from({ length: count }, () => []);
    const { vertices, segments } = problem;
    for (const chain of problem.chains) {
      for (let at = 0; at < chain.length; at += 1) {
        const segment = segments[chain[at]];
        const { target } = segment;
        let { source, sourceAt: start } = segment;
        if (segment.rail || block[source] === block[target]) continue;
        const above = at > 0 ? segments[chain[at - 1]] : segment;
        const below = at + 1 < chain.length ? segments[chain[at + 1]] : segment;
        if (vertices[target].kind === LABEL && freeLabel(problem, block, segment, below)) continue;
        if (vertices[source].kind === LABEL && freeLabel(problem, block, above, segment)) {
          const distance = shift[source] + start - shift[target] - segment.targetAt;
          pulls[block[source]].push([block[target], -distance, 1]);
          pulls[block[target]].push([block[source], distance, 1]);
          source = above.source;
          start = above.sourceAt;
        }
        const light = (vertices[source].kind === DUMMY) !== (vertices[target].kind === DUMMY);
        const distance = shift[source] + start - shift[target] - segment.targetAt;
        pulls[block[source]].push([block[target], -distance, light ? LIGHT : 1]);
        pulls[block[target]].push([block[source], distance, light ? LIGHT : 1]);
      }
    }
    return pulls;
  }

  // ---- solve.py

  const MOST = 60, LEAST = 6;
  const WORK = 150000;
  const STILL = 1e-4;
  const FAR = 1e9;
  const NO_WEIGHT = 0.01;

  /** @param {Arc[]} arcs @param {Pull[][]} pulls @param {number[]} order @param {Tick} tick @returns {number[]} */
  function solve(arcs, pulls, order, tick) {
    const count = order.length;
    /** @type {Point[][]} */
    const lefts = Array.from({ length: count }, () => []);
    /** @type {Point[][]} */
    const rights = Array.from({ length: count }, () => []);
    for (const [left, right, distance] of arcs) {
      lefts[right].push([left, distance]);
      rights[left].push([right, distance]);
    }
    const weights = new Array(count).fill(NO_WEIGHT);
    for (let number = 0; number < count; number += 1) {
      for (const pull of pulls[number]) weights[number] += pull[2];
    }
    const rounds = Math.max(LEAST, Math.min(MOST, Math.floor(WORK / (count + arcs.length + 1))));
    const backwards = order.slice().reverse();
    /** @type {number[]} */
    let at = new Array(count).fill(0);
    for (const number of order) {
      for (const [other, distance] of lefts[number]) at[number] = Math.max(at[number], at[other] + distance);
    }
    const pushes = new Array(arcs.length).fill(0);
    for (let turn = 0; turn < 2 * rounds; turn += 1) {
      const before = at;
      const moved = before.map((value, number) => (value + wish(before, number, pulls)) / 2);
      push(moved, arcs, weights, pushes);
      const still = moved.every((value, number) => Math.abs(value - before[number]) < STILL);
      at = moved;
      tick();
      if (still) break;
    }
    at = spaced(at, order, backwards, lefts, rights);
    for (let turn = 0; turn < rounds; turn += 1) {
      const first = at.slice();
      const second = at.slice();
      settle(first, order, pulls, lefts, rights);
      settle(second, backwards, pulls, lefts, rights);
      at = turn >= rounds - 2 ? first : first.map((value, number) => (value + second[number]) / 2);
      tick();
    }
    return at;
  }

  /** @param {number[]} at @param {number} number @param {Pull[][]} pulls */
  function wish(at, number, pulls) {
    let total = 0;
    let weights = 0;
    for (const [other, distance, weight] of pulls[number]) {
      total += weight * (at[other] + distance);
      weights += weight;
    }
    return weights > 0 ? total / weights : at[number];
  }

  /** @param {number[]} at @param {Arc[]} arcs @param {number[]} weights @param {number[]} pushes */
  function push(at, arcs, weights, pushes) {
    arcs.forEach(([left, right], number) => {
      at[left] -= pushes[number] / weights[left];
      at[right] += pushes[number] / weights[right];
    });
    for (let turn = 0; turn < 3; turn += 1) {
      arcs.forEach(([left, right, distance], number) => {
        let lack = (distance - at[right] + at[left]) / (1 / weights[left] + 1 / weights[right]);
        lack = Math.max(lack, -pushes[number]);
        pushes[number] += lack;
        at[left] -= lack / weights[left];
        at[right] += lack / weights[right];
      });
    }
  }

  /** @param {number[]} at @param {number[]} order @param {number[]} backwards @param {Point[][]} lefts @param {Point[][]} rights */
  function spaced(at, order, backwards, lefts, rights) {
    const low = at.slice();
    const high = at.slice();
    for (const number of order) {
      for (const [other, distance] of lefts[number]) low[number] = Math.max(low[number], low[other] + distance);
    }
    for (const number of backwards) {
      for (const [other, distance] of rights[number]) high[number] = Math.min(high[number], high[other] - distance);
    }
    return low.map((value, number) => (value + high[number]) / 2);
  }

  /** @param {number[]} at @param {number[]} order @param {Pull[][]} pulls @param {Point[][]} lefts @param {Point[][]} rights */
  function settle(at, order, pulls, lefts, rights) {
    for (const number of order) {
      let value = wish(at, number, pulls);
      if (!pulls[number].length) {
        if (lefts[number].length) value = -FAR;
        else if (rights[number].length) value = FAR;
      }
      for (const [other, distance] of rights[number]) value = Math.min(value, at[other] - distance);
      for (const [other, distance] of lefts[number]) value = Math.max(value, at[other] + distance);
      at[number] = value;
    }
  }

  // ---- route.py

  const STRAIGHT = 0.05;
  const ARROW = 10;
  const RAIL = 12;
  const RAILS = 40;
  const NEAR = 80;
  /** @type {Record<string, Point>} */
  const GAPS = {
    "port box": [PADDING, 40],
    "box port": [PADDING, 32],
    "label port": [PADDING, 32],
    "box box": [40, 44],
    "box label": [4, 26],
    "label box": [22, 38],
    "port port": [PADDING, 32],
  };

  /** @param {Problem} problem @param {number} title @param {Point} margins @returns {Arranged} */
  function route(problem, title, margins) {
    const { vertices } = problem;
    let left = vertices.length ? Infinity : 0;
    for (const vertex of vertices) left = Math.min(left, vertex.left);
    let right = left;
    for (const vertex of vertices) right = Math.max(right, vertex.left + vertex.across);
    const rails = railColumns(problem);
    let columns = 0;
    for (const column of rails.values()) columns = Math.max(columns, column + 1);
    const edgeRight = right + (columns ? 16 + (columns - 1) * RAIL : 0);
    let start = left - margins[0];
    let end = edgeRight + margins[1];
    if (problem.down && problem.ported) {
      for (const number of problem.rows[0]) start = Math.min(start, vertices[number].left - title - 4);
      const lack = title - (end - start);
      if (lack > 0) {
        start -= lack / 2;
        end += lack / 2;
      }
    }
    for (const vertex of vertices) vertex.left -= start;
    const [tops, heights, along] = rowPlaces(problem, title);
    const rail = right - start + 16;
    return {
      across: end - start,
      along,
      places: problem.children.map((_, number) => [vertices[number].left, vertices[number].top]),
      paths: problem.links.map((_, number) => linkPath(problem, number, tops, heights, rail, rails)),
      labels: problem.links.map((_, number) => labelMiddle(problem, number, tops, heights)),
    };
  }

  /** @param {Problem} problem @returns {Map<number, number>} */
  function railColumns(problem) {
    /** @type {Map<number, Point>} */
    const spans = new Map();
    /** @type {[number, number][]} */
    const rails = [];
    problem.segments.forEach((segment, index) => {
      if (!segment.rail) return;
      const first = problem.vertices[segment.source].row;
      const last = problem.vertices[segment.target].row;
      const owner = problem.segments[problem.chains[segment.link][0]].source;
      rails.push([index, owner]);
      const [low, high] = spans.get(owner) ?? [first, first];
      spans.set(owner, [Math.min(low, first, last), Math.max(high, first, last)]);
    });
    /** @type {Map<number, number>} */
    const column = new Map();
    /** @type {number[]} */
    const ends = [];
    const owners = [...spans.entries()].sort((a, b) => a[1][0] - b[1][0] || a[0] - b[0]);
    for (const [owner, [low, high]] of owners) {
      let found = 0;
      while (found < ends.length && found < RAILS - 1 && ends[found] >= low) found += 1;
      if (found === ends.length) ends.push(0);
      ends[found] = Math.max(ends[found], high);
      column.set(owner, found);
    }
    return new Map(rails.map(([index, owner]) => [index, column.get(owner) ?? 0]));
  }

  /** @param {Problem} problem @param {number} row */
  function rowKind(problem, row) {
    if (problem.ported && (row === 0 || row === problem.rows.length - 1)) return "port";
    return problem.rows[row].some((number) => isChild(problem.vertices[number])) ? "box" : "label";
  }

  /** @param {Problem} problem @param {number} title @returns {[number[], number[], number]} */
  function rowPlaces(problem, title) {
    const count = problem.rows.length;
    const bends = new Array(count + 1).fill(0);
    for (const segment of problem.segments) {
      const source = problem.vertices[segment.source];
      const target = problem.vertices[segment.target];
      const far = Math.abs(source.left + segment.sourceAt - target.left - segment.targetAt);
      if (segment.rail) {
        bends[source.row + 1] = Math.max(bends[source.row + 1], NEAR);
        bends[target.row] = Math.max(bends[target.row], NEAR);
      } else if (far >= STRAIGHT) {
        bends[target.row] = Math.max(bends[target.row], far);
      }
    }
    const kinds = problem.rows.map((_, row) => rowKind(problem, row));
    const heights = problem.rows.map((members) => {
      let height = 0;
      for (const number of members) height = Math.max(height, problem.vertices[number].along);
      return height;
    });
    if (problem.ported && problem.down) heights[0] = TITLE;
    /** @type {number[]} */
    const tops = [];
    let along = 0;
    for (let row = 0; row <= count; row += 1) {
      const bent = bends[row] > 0;
      let gap = bent && !problem.ported ? 32 : 0;
      if (row > 0 && row < count) gap = GAPS[`${kinds[row - 1]} ${kinds[row]}`][bent ? 1 : 0];
      along += gap + (bent ? Math.min(48, Math.max(0, bends[row] - NEAR) * 0.12) : 0);
      if (row === count - 1 && problem.ported && !problem.down) along = Math.max(along, title);
      if (row < count) {
        tops.push(along);
        along += heights[row];
      }
    }
    for (const vertex of problem.vertices) {
      let slack = heights[vertex.row] - vertex.along;
      if (isChild(vertex) && (vertex.ins.length === 0) !== (vertex.outs.length === 0)) slack = vertex.ins.length ? 0 : 2 * slack;
      vertex.top = tops[vertex.row] + slack / 2;
    }
    return [tops, heights, along];
  }

  /**
   * @param {Problem} problem @param {number} number @param {number[]} tops @param {number[]} heights @param {number} rail
   * @param {Map<number, number>} rails @returns {Point[]}
   */
  function linkPath(problem, number, tops, heights, rail, rails) {
    /** @type {Point[]} */
    const points = [];
    for (const index of problem.chains[number]) {
      const segment = problem.segments[index];
      const source = problem.vertices[segment.source];
      const target = problem.vertices[segment.target];
      let x = source.left + segment.sourceAt;
      let to = target.left + segment.targetAt;
      if (points.length && Math.abs(points[points.length - 1][0] - x) < STRAIGHT) x = points[points.length - 1][0];
      if (Math.abs(x - to) < STRAIGHT) to = x;
      const upper = tops[source.row] + heights[source.row];
      const lower = tops[target.row] - (isChild(target) ? ARROW : 0);
      if (!points.length) points.push([x, isChild(source) ? source.top + source.along : tops[source.row]]);
      points.push([x, upper]);
      if (segment.rail) points.push(...railPoints(source, target, rail + RAIL * (rails.get(index) ?? 0), upper, lower));
      points.push([to, lower], [to, isChild(target) ? target.top : tops[target.row] + heights[target.row]]);
    }
    return points;
  }

  /** @param {Vertex} source @param {Vertex} target @param {number} rail @param {number} upper @param {number} lower @returns {Point[]} */
  function railPoints(source, target, rail, upper, lower) {
    if (target.row <= source.row) return [[rail, upper], [rail, lower]];
    return [[rail, upper + 24], [rail, lower - 16]];
  }

  /** @param {Problem} problem @param {number} number @param {number[]} tops @param {number[]} heights @returns {Point | null} */
  function labelMiddle(problem, number, tops, heights) {
    for (const index of problem.chains[number]) {
      const vertex = problem.vertices[problem.segments[index].target];
      if (vertex.kind === LABEL) {
        const wide = problem.down ? problem.links[number].label : LABEL_HEIGHT;
        const middle = vertex.line > 0 ? wide / 2 : vertex.across - wide / 2;
        return [vertex.left + middle, tops[vertex.row] + heights[vertex.row] / 2];
      }
    }
    return null;
  }

  // ---- layout.py

  /**
   * Places for boxes inside boxes, and paths for edges; there is no margin around.
   * @param {Item[]} root @param {Edge[]} edges @param {string} [direction] "TB", down, or "LR", to the right
   * @param {Tick} [deadline] called now and then; it may throw to stop the layout
   * @returns {Layout}
   */
  function layoutOf(root, edges, direction = "TB", deadline = () => {}) {
    const down = direction !== "LR";
    const { branches, home } = branchesOf(root);
    const flipped = new Array(edges.length).fill(false);
    const meeting = lift(branches, home, edges);
    for (const branch of branches.slice().reverse()) {
      const children = branch.children.map((_, number) => childOf(branches, branch, number, down));
      const ported = branch.parent >= 0;
      const problem = build(children, branch.links, down, ported);
      arrange(problem, deadline);
      place(problem, deadline);
      branch.result = route(problem, branch.title, ported ? [PADDING + (down ? 0 : TITLE), PADDING] : [0, 0]);
      branch.links.forEach((link, number) => {
        flipped[link.edge] = flipped[link.edge] || problem.flipped[number];
      });
    }
    return assemble(branches, edges, meeting, flipped, down);
  }

  /**
   * The `d` of an SVG path through the points of an edge. From point to point (for "TB"; for "LR" swap x and y): at equal x
   * a straight line; at equal y, where an edge of a cycle turns, an arc that bulges 12 px in the direction the edge had; else an
   * S-curve, a cubic with vertical tangents and both control points at half the height.
   * @param {Point[]} points @param {string} [direction] @returns {string}
   */
  function path(points, direction = "TB") {
    const down = direction !== "LR";
    if (!points.length) return "";
    let text = `M${pair(points[0][0], points[0][1])}`;
    let heading = 1;
    for (let number = 1; number < points.length; number += 1) {
      const point = points[number];
      const [across, along] = down ? points[number - 1] : [points[number - 1][1], points[number - 1][0]];
      const [x, y] = down ? point : [point[1], point[0]];
      if (x === across) {
        text += `L${pair(point[0], point[1])}`;
        heading = y >= along ? 1 : -1;
        continue;
      }
      let bend = (along + y) / 2;
      if (y === along) {
        bend = y + 16 * heading;
        heading = -heading;
      }
      const controls = down ? `${pair(across, bend)} ${pair(x, bend)}` : `${pair(bend, across)} ${pair(bend, x)}`;
      text += `C${controls} ${pair(point[0], point[1])}`;
    }
    return text;
  }

  /** @param {number} x @param {number} y */
  const pair = (x, y) => `${rounded(x)} ${rounded(y)}`;

  /** At most two decimals. @param {number} value */
  function rounded(value) {
    const hundredths = value >= 0 ? Math.trunc(value * 100 + 0.5) : -Math.trunc(-value * 100 + 0.5);
    const digits = Math.abs(hundredths);
    const text = `${hundredths < 0 ? "-" : ""}${Math.floor(digits / 100)}.${String(digits % 100).padStart(2, "0")}`;
    return text.replace(/\.?0+$/, "");
  }

  /**
   * @typedef {{group: number, child: number, number: number}} Home
   * @param {Item[]} root @returns {{branches: Branch[], home: Map<string, Home>}}
   */
  function branchesOf(root) {
    /** @param {string} id @param {number} parent @param {number} number @param {number} title @param {number} depth @param {Item[]} children @returns {Branch} */
    const newBranch = (id, parent, number, title, depth, children) => ({
      id, parent, number, title, depth, children, branches: new Map(), links: [], result: null, corner: [0, 0],
    });
    const branches = [newBranch("", -1, -1, 0, 0, root)];
    /** @type {Map<string, Home>} */
    const home = new Map();
    for (let group = 0; group < branches.length; group += 1) {
      const branch = branches[group];
      branch.children.forEach((item, child) => {
        if (item.children) {
          branch.branches.set(child, branches.length);
          branches.push(newBranch(item.id, group, child, item.title_width ?? 0, branch.depth + 1, item.children));
        } else {
          home.set(item.id, { group, child, number: home.size });
        }
      });
    }
    return { branches, home };
  }

  /** @param {Branch[]} branches @param {Map<string, Home>} home @param {Edge[]} edges @returns {number[]} */
  function lift(branches, home, edges) {
    const sources = edges.map((edge) => /** @type {Home} */ (home.get(edge.source)));
    const targets = edges.map((edge) => /** @type {Home} */ (home.get(edge.target)));
    const [order, back] = sweepOrder(home.size, sources.map((source, number) => [source.number, targets[number].number]));
    /** @type {number[]} */
    const depth = new Array(home.size).fill(0);
    /** @type {number[]} */
    const reach = new Array(home.size).fill(0);
    /** @type {number[][]} */
    const outs = Array.from({ length: home.size }, () => []);
    sources.forEach((source, number) => {
      if (!back[number]) outs[source.number].push(targets[number].number);
    });
    for (const number of order) for (const target of outs[number]) depth[target] = Math.max(depth[target], depth[number] + 1);
    for (const number of order.slice().reverse()) {
      for (const target of outs[number]) reach[number] = Math.max(reach[number], reach[target] + 1);
    }
    return edges.map((edge, number) => {
      let { group, child } = sources[number];
      let { group: other, child: target } = targets[number];
      const ranks = { edge: number, depth: depth[sources[number].number], reach: reach[targets[number].number] };
      while (group !== other) {
        if (branches[group].depth >= branches[other].depth) {
          branches[group].links.push({ ...ranks, source: child, target: BORDER, label: 0 });
          child = branches[group].number;
          group = branches[group].parent;
        } else {
          branches[other].links.push({ ...ranks, source: BORDER, target, label: 0 });
          target = branches[other].number;
          other = branches[other].parent;
        }
      }
      branches[group].links.push({ ...ranks, source: child, target, label: edge.label_width });
      return group;
    });
  }

  /** @param {Branch[]} branches @param {Branch} branch @param {number} number @param {boolean} down @returns {Child} */
  function childOf(branches, branch, number, down) {
    const inside = branch.branches.get(number);
    if (inside === undefined) {
      const { width = 0, height = 0 } = branch.children[number];
      return { across: down ? width : height, along: down ? height : width, entries: null, exits: null };
    }
    const inner = branches[inside];
    const result = /** @type {Arranged} */ (inner.result);
    /** @type {Map<number, number>} */
    const entries = new Map();
    /** @type {Map<number, number>} */
    const exits = new Map();
    inner.links.forEach((link, index) => {
      const points = result.paths[index];
      if (link.source === BORDER) entries.set(link.edge, points[0][0]);
      else if (link.target === BORDER) exits.set(link.edge, points[points.length - 1][0]);
    });
    return { across: result.across, along: result.along, entries, exits };
  }

  /** @param {Branch[]} branches @param {Edge[]} edges @param {number[]} meeting @param {boolean[]} flipped @param {boolean} down @returns {Layout} */
  function assemble(branches, edges, meeting, flipped, down) {
    /** @type {Record<string, number[]>} */
    const boxes = {};
    /** @type {Point[][][]} */
    const before = edges.map(() => []);
    /** @type {Point[][][]} */
    const after = edges.map(() => []);
    /** @type {(Point | null)[]} */
    const labels = edges.map(() => null);
    branches.forEach((branch, group) => {
      const result = /** @type {Arranged} */ (branch.result);
      const [x, y] = branch.corner;
      branch.children.forEach((item, number) => {
        /** @type {Point} */
        const corner = [x + result.places[number][0], y + result.places[number][1]];
        let size = [item.width ?? 0, item.height ?? 0];
        const inside = branch.branches.get(number);
        if (inside !== undefined) {
          branches[inside].corner = corner;
          const inner = /** @type {Arranged} */ (branches[inside].result);
          size = down ? [inner.across, inner.along] : [inner.along, inner.across];
        }
        boxes[item.id] = down ? [...corner, ...size] : [corner[1], corner[0], ...size];
      });
      branch.links.forEach((link, number) => {
        /** @type {Point[]} */
        const part = result.paths[number].map((point) => [x + point[0], y + point[1]]);
        (group === meeting[link.edge] || link.source === BORDER ? after : before)[link.edge].push(part);
        const middle = result.labels[number];
        if (middle !== null) labels[link.edge] = [x + middle[0], y + middle[1]];
      });
    });
    /** @param {Point} point @returns {Point} */
    const turned = (point) => (down ? point : [point[1], point[0]]);
    /** @type {Record<string, Line>} */
    const drawn = {};
    edges.forEach((edge, number) => {
      const points = joined([...before[number].reverse(), ...after[number]]);
      const label = labels[number];
      drawn[edge.id] = { points: points.map(turned), label: label === null ? null : turned(label), flipped: flipped[number] };
    });
    const whole = /** @type {Arranged} */ (branches[0].result);
    const [width, height] = turned([whole.across, whole.along]);
    return { width, height, boxes, edges: drawn };
  }

  /** @param {Point[][]} parts @returns {Point[]} */
  function joined(parts) {
    /** @type {Point[]} */
    const points = [];
    for (const part of parts) {
      for (const point of part) {
        let x = point[0];
        const y = point[1];
        const last = points[points.length - 1];
        if (last && Math.abs(last[0] - x) < STRAIGHT) {
          x = last[0];
          if (Math.abs(last[1] - y) < 1e-9) continue;
          const second = points[points.length - 2];
          if (second && second[0] === x) points.pop();
        }
        points.push([x, y]);
      }
    }
    return points;
  }

  return Object.assign(layoutOf, { path });
})();

if (typeof module !== "undefined") module.exports = { layout };
