"""The layout of one group: layers, their order, places, and the paths between them."""
