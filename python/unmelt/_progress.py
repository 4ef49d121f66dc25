"""Progress bars, in a terminal and in a notebook."""

from types import TracebackType
from typing import Any

from tqdm.auto import tqdm


class Bar:
    """A bar from 0 to 1, or nothing at all."""

    def __init__(self, shown: bool, title: str) -> None:
        style = "{l_bar}{bar}| {elapsed}<{remaining}{postfix}"
        self._bar: Any = tqdm(total=1.0, desc=title, bar_format=style, leave=False) if shown else None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, share: float, note: str = "") -> None:
        """Moves to a share between 0 and 1."""
        if self._bar is not None:
            self._bar.n = round(min(share, 1.0), 4)
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.refresh()
