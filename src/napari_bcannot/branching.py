"""Branches of neurites, and neurites split in two, by clicks and changes of the list."""

from dataclasses import replace

from bcannot_core.errors import UsageError
from napari_bcannot.neurites import Neurite, NeuriteList, Status
from napari_bcannot.tracing import TraceSession


def branch(
    neurites: NeuriteList, parent: Neurite, z: int, direction: int, sections: int | None = None
) -> Neurite:
    """Begin a neurite at a node of another one; it becomes the active one.

    Parameters
    ----------
    neurites : NeuriteList
        Has the parent.
    parent : Neurite
        What it branches off.
    z : int
        Section of the node.
    direction : int
        +1 for growing z, -1 for shrinking z.
    sections : int, optional
        How many it may have; as many as its parent by default.

    Raises
    ------
    UsageError
        There is no node in this section, or no section beyond it.
    """
    trace = parent.trace
    if z not in trace.nodes:
        raise UsageError(f"{parent.name} has no node in section z = {z}: a branch begins at a node")
    depth = trace.volume.shape[0]
    if not 0 <= z + direction < depth:
        raise UsageError(f"the volume ends at section z = {z}: a branch cannot go on from there")
    config = replace(
        trace.task.config, direction=direction, sections=sections or trace.task.config.sections
    )
    at = (float(z), *trace.nodes[z])
    child = TraceSession(trace.volume, at, config)
    with neurites.together():
        neurite = neurites.add(child, parent=(parent.name, z))
        child.place(at)
    return neurite


def split(neurites: NeuriteList, neurite: Neurite, z: int) -> Neurite:
    """Cut a neurite before its node in section ``z``; what comes after becomes a neurite.

    Nodes keep what is known of who placed them, and branches the node that they begin at.

    Raises
    ------
    UsageError
        There is no node in this section, or none before it.
    """
    trace = neurite.trace
    direction = trace.task.config.direction
    if z not in trace.nodes:
        raise UsageError(f"{neurite.name} has no node in section z = {z} to split at")
    tail = sorted((at for at in trace.nodes if (at - z) * direction >= 0), reverse=direction < 0)
    if len(tail) == trace.count:
        raise UsageError(f"{neurite.name} begins in section z = {z}: there is nothing before it")
    infos = {at: trace.node_info(at) for at in tail}
    nodes = [(float(at), *trace.nodes[at]) for at in tail]
    rest = TraceSession(trace.volume, nodes[0], trace.task.config)
    with neurites.together():
        other = neurites.add(rest, activate=False, status=Status.CHECK)
        rest.adopt(nodes, "person")
        for at in reversed(tail):
            trace.remove(at)
        for child in neurites.children(neurite):
            if child.parent is not None and child.parent[1] in infos:
                neurites.begin_at(child, (other.name, child.parent[1]))
    for at, info in infos.items():
        section = rest.task.section_of(at)
        node = None if section is None else rest.session.state.nodes.get(section)
        if section is not None and node is not None and info is not None:
            rest.book.put(section, node, info)
    return other
