"""The errors of bcannot: one small tree.

A message names the thing, the value and the remedy, and fits on one line. The command line shows
it without a traceback; the plugin shows it as a notification.
"""


class BcannotError(Exception):
    """Base of every error that bcannot raises on purpose (command line exit code 1)."""


class UsageError(BcannotError, ValueError):
    """An argument has a wrong value or form (command line exit code 2)."""


class OptionError(UsageError):
    """An option of a task has a value that it cannot have.

    Attributes
    ----------
    name : str
        The option.
    low, high : float or None
        The least and the greatest value of a number; None where there is none.
    choices : tuple
        What there is to choose from; empty for a number.
    """

    def __init__(
        self,
        message: str,
        name: str = "",
        *,
        low: float | None = None,
        high: float | None = None,
        choices: tuple[object, ...] = (),
    ) -> None:
        super().__init__(message)
        self.name = name
        self.low = low
        self.high = high
        self.choices = choices


class ClickError(BcannotError, ValueError):
    """A click lies outside the frame."""


class TaskError(BcannotError):
    """A task cannot be made or continued from what it was given."""


class VolumeError(BcannotError):
    """A volume cannot be opened or read."""


class VolumeNotFoundError(VolumeError):
    """There is nothing at the address."""


class VolumeFormatError(VolumeError):
    """What lies at the address is not a readable volume."""


class VolumeAxesError(VolumeFormatError):
    """An array has more axes than a volume, and nothing says which place of each is meant.

    Attributes
    ----------
    axes : tuple
        (name, size) of each axis that a place must be chosen of.
    """

    def __init__(self, message: str, axes: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__(message)
        self.axes = axes


class VolumeUnreachableError(VolumeError):
    """The server of a volume does not answer."""


class DatasetError(BcannotError):
    """A dataset or episode is unreadable, of another version or inconsistent."""


class JournalError(BcannotError):
    """A journal cannot be written or read."""


class CheckpointError(BcannotError):
    """A policy checkpoint is unreadable, of another version or for another screen."""
