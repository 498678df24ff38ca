"""The forms of a drawing: SVG, text, Mermaid, Graphviz, PNG and PDF."""
