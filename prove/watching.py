"""Something that is looked at all the time while something else goes on. In: a look. Out: a context manager."""

import threading


class Watch:
    """Looks again and again, each time after `every` seconds, from its beginning to its end; `_look` says at what."""

    every = 0.1

    def __init__(self):
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._enough.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._enough.wait(self.every):
            self._look()

    def _look(self) -> None:
        raise NotImplementedError
