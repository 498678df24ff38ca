/** @file What is to be seen of a graph, given the groups that are open. The same as viz/arrange/view.py; a test compares the two. */

const STATES = ["none", "unknown", "zero", "flow", "nan"];

/** The tree of groups and nodes of a graph. */
class Outline {
  /** @param {Graph} graph */
  constructor(graph) {
    /** @type {Map<string, GraphNode>} */
    this.nodes = new Map(graph.nodes.map((node) => [node.id, node]));
    /** @type {Map<string, Group>} */
    this.groups = new Map(graph.groups.map((group) => [group.id, group]));
    /** @type {Map<string, string | null>} */
    this.parent = new Map(graph.nodes.map((node) => [node.id, node.group]));
    for (const group of graph.groups) this.parent.set(group.id, group.parent);
    /** @type {Map<string | null, string[]>} */
    this.children = new Map([[null, []]]);
    for (const group of graph.groups) this.children.set(group.id, []);
    /** @type {Set<string>} */
    const placed = new Set();
    for (const node of graph.nodes) {
      /** @type {string | null} */
      let item = node.id; // up through the groups that have no place yet
      while (item !== null && !placed.has(item)) {
        placed.add(item);
        /** @type {string | null} */
        const parent = this.parent.get(item) ?? null;
        this.children.get(parent)?.push(item);
        item = parent;
      }
    }
  }

  /**
   * A node or group and the groups around it, the innermost first.
   * @param {string} item
   * @returns {string[]}
   */
  lineage(item) {
    const found = [];
    for (let at = /** @type {string | null} */ (item); at !== null; at = this.parent.get(at) ?? null) found.push(at);
    return found;
  }

  /**
   * The box in which a node is seen: itself, or the outermost closed group around it.
   * @param {string} id
   * @param {Set<string>} open
   */
  boxOf(id, open) {
    let box = id;
    for (const item of this.lineage(id)) if (item !== id && !open.has(item)) box = item;
    return box;
  }

  /**
   * The nodes in a group, in execution order; of a node, itself.
   * @param {string} item
   * @returns {GraphNode[]}
   */
  inside(item) {
    const found = [];
    const stack = [item];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const node = this.nodes.get(top);
      if (node) found.push(node);
      else stack.push(...[...(this.children.get(top) ?? [])].reverse());
    }
    return found;
  }
}

/**
 * The boxes and edges of a graph. Edges inside a closed group are not seen; edges between the same two boxes, one of them a closed
 * group, are one ("× n").
 * @param {Graph} graph
 * @param {Iterable<string> | null} [openGroups] by default those that the description opens
 * @param {Outline} [outline]
 * @returns {View}
 */
function visible(graph, openGroups = null, outline = new Outline(graph)) {
  const open = new Set(openGroups ?? graph.groups.filter((group) => group.open).map((group) => group.id));
  /** @type {Map<string, string>} */
  const boxOf = new Map(graph.nodes.map((node) => [node.id, outline.boxOf(node.id, open)]));
  /** @type {Map<string, GraphEdge[]>} */
  const merged = new Map();
  for (const edge of graph.edges) {
    const source = boxOf.get(edge.source) ?? "";
    const target = boxOf.get(edge.target) ?? "";
    if (source === target) continue;
    const key = source === edge.source && target === edge.target ? edge.id : `${source} ${target}`;
    const members = merged.get(key);
    if (members) members.push(edge);
    else merged.set(key, [edge]);
  }
  return { root: seenItems(outline, open), edges: [...merged.values()].map((members) => seenEdge(members, boxOf)) };
}

/**
 * One edge for those that it stands for: the state that matters most, and the largest gradient.
 * @param {GraphEdge[]} members
 * @param {Map<string, string>} boxOf
 * @returns {SeenEdge}
 */
function seenEdge(members, boxOf) {
  const first = /** @type {GraphEdge} */ (members[0]);
  const rank = Math.max(...members.map((edge) => STATES.indexOf(edge.state)));
  const shown = members.filter((edge) => STATES.indexOf(edge.state) === rank);
  const best = shown.reduce((most, edge) => ((edge.gradient?.rms ?? 0) > (most.gradient?.rms ?? 0) ? edge : most));
  const several = members.length > 1;
  const wider = several ? 7.5 * (3 + String(members.length).length) : 0;
  const target = boxOf.get(first.target) ?? "";
  return {
    id: several ? `${first.id}+${members.length - 1}` : first.id, source: boxOf.get(first.source) ?? "", target,
    members: members.map((edge) => edge.id), label: several ? `${best.label} × ${members.length}`.trim() : best.label,
    label_width: Math.round((best.label_width + wider) * 10) / 10, state: best.state, level: best.level,
    sign: !several && target === first.target ? first.sign : "",
  };
}

/**
 * The tree of boxes and open groups.
 * @param {Outline} outline
 * @param {Set<string>} open
 * @returns {SeenItem[]}
 */
function seenItems(outline, open) {
  /** @type {SeenItem[]} */
  const root = [];
  /** @type {[string | null, SeenItem[]][]} */
  const stack = [[null, root]];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    for (const id of outline.children.get(top[0]) ?? []) {
      const group = outline.groups.get(id);
      const box = outline.nodes.get(id) ?? group;
      if (group && open.has(id)) {
        /** @type {SeenItem[]} */
        const children = [];
        top[1].push({ id, title_width: group.title_width, children });
        stack.push([id, children]);
      } else if (box) {
        top[1].push({ id, width: box.width, height: box.height });
      }
    }
  }
  return root;
}
