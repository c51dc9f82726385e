"""A sequence of episodes, by number or by slice."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

from bcannot_core.episodes.episode import Episode


class EpisodeSequence(Sequence[Episode]):
    """A sequence of episodes that are read when asked for."""

    @abstractmethod
    def read(self, index: int) -> Episode:
        """Return an episode by a number that is there, from 0."""

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> list[Episode]: ...
    def __getitem__(self, index: int | slice) -> Episode | list[Episode]:
        """Return an episode, or a list of them for a slice.

        Raises
        ------
        DatasetError, JournalError
            It cannot be read.
        IndexError
            There is no episode of this number.
        """
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        i = index + len(self) if index < 0 else index
        if not 0 <= i < len(self):
            raise IndexError(f"episode {index} of {len(self)}")
        return self.read(i)
