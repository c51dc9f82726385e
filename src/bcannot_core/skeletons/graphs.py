"""From undirected edges, as most files have them, to the parents of a skeleton. numpy and scipy."""

import numpy as np
from numpy.typing import NDArray


def parents_of_edges(edges: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], int]:
    """Return each node's parent in a spanning forest of a graph.

    Each component hangs on its first node.

    Parameters
    ----------
    edges : ndarray of int64
        (m, 2) node indices; either order, repeats and loops allowed.
    count : int
        Number of nodes.

    Returns
    -------
    parents : ndarray of int64
        (count,) index of the parent, −1 for the first node of a component.
    left_out : int
        How many edges closed a circle and are not among the parents; repeats do not count.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    proper = edges[edges[:, 0] != edges[:, 1]]
    unique = np.unique(np.sort(proper, axis=1), axis=0).reshape(-1, 2)

    def graph(pairs: NDArray[np.int64], size: int) -> coo_matrix:
        ones = np.ones(len(pairs), np.int8)
        return coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(size, size)).tocsr()

    found, label = connected_components(graph(unique, count), directed=False)
    _, roots = np.unique(label, return_index=True)
    # A node above all roots makes one walk of the whole forest.
    above = np.stack([np.full(found, count), roots], axis=1)
    whole = graph(np.concatenate([unique, above]), count + 1)
    _, before = breadth_first_order(whole, count, directed=False)
    parents = before[:count].astype(np.int64)
    parents[roots] = -1
    return parents, len(unique) - (count - found)


def edges_of_parents(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (m, 2) edges (parent, child) of a skeleton."""
    children = np.flatnonzero(parents >= 0)
    return np.stack([parents[children], children], axis=1)
