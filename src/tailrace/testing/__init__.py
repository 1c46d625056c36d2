"""Room: testing.

Knows: the fakes and contract suites that this project's own tests, and anybody's, build on.
Does not know: anything that runs in production; no room imports it.
May import: any.
Start reading at: chunking.py; logs.py for a stream log of one's own.
"""

from tailrace.testing.chunking import bytewise, splits, with_tail
from tailrace.testing.serving import serving

__all__ = ["bytewise", "serving", "splits", "with_tail"]
