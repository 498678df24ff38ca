// The description of a graph as the script reads it: see viz/graph/ir.py. For the type checker only; not part of the page.

type Point = [number, number];
type Num = number | "nan" | "inf" | "-inf";

type Phase = "forward" | "backward";
type TextLine = [string, string];

interface Stats {
  size: number; min: number | null; max: number | null; mean: number | null; rms: number | null; norm: number | null;
  zeros: number; nan: number; inf: number; rows: number; columns: number; preview: Num[]; truncated: boolean;
  histogram: { low: number; high: number; counts: number[] } | null;
}
interface Brief { rms: number; max: number; nan: number; zero: boolean; text: string; rows: number; columns: number; preview: Num[] }
interface LocalLine { argument: number; of: string; before: string[]; text: string; shown: string; numbers: string }
interface GraphNode {
  id: string; kind: string; category: string; title: string; name: string; op: string; shape: number[]; dtype: string;
  group: string | null; lines: TextLine[]; width: number; height: number; formula: string; numbers: string; derivatives: LocalLine[];
  value: Stats; gradient: Stats | null; source: string; users: number; tracked: boolean; output: boolean;
}
interface GraphEdge {
  id: string; source: string; target: string; argument: number; label: string; label_width: number; state: string; level: number;
  sign: string; gradient: Brief | null; order: number; of: number; running: Brief | null;
}
interface Group {
  id: string; parent: string | null; kind: string; title: string; subtitle: string; path: string; lines: TextLine[]; width: number;
  height: number; title_width: number; operations: number; parameters: number; numbers: number; shape: number[] | null; warn: string;
  open: boolean;
}
interface NaiveStep { node: string; arrived: number; of: number; gradient: Brief; early: boolean; sent: { argument: number; gradient: Brief }[] }
interface Naive { steps: NaiveStep[]; wrong: { node: string; naive: Brief; right: Brief }[] }
interface Compared { verdict: string; header: string[]; rows: { cells: string[]; ok: boolean; node: string | null }[]; notes: string[] }
interface Graph {
  version: number; title: string; detail: string; direction: string; gradients: boolean; why: string; counts: Record<string, number>;
  ramp: { low: number; high: number } | null; loss: Num | null; bad: { node: string; phase: string; words: string } | null;
  nodes: GraphNode[]; edges: GraphEdge[]; groups: Group[]; steps: { forward: string[]; backward: string[] };
  naive: Naive | null; compare: Compared | null;
}

interface Box { id: string; width: number; height: number }
interface OpenGroup { id: string; title_width: number; children: SeenItem[] }
type SeenItem = Box | OpenGroup;
interface SeenEdge {
  id: string; source: string; target: string; members: string[]; label: string; label_width: number; state: string; level: number;
  sign: string;
}
interface View { root: SeenItem[]; edges: SeenEdge[] }
interface PlacedEdge { points: Point[]; label: Point | null; flipped: boolean }
interface Placed { width: number; height: number; boxes: Record<string, number[]>; edges: Record<string, PlacedEdge> }

interface Step { phase: Phase; node: string; naive: NaiveStep | null }

declare const layout: typeof import("./layout.js").layout;
