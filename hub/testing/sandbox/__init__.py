"""All upstream systems on one machine, from one deterministic moving city, with ground truth and faults.

It stands in for systems that are not public. What it serves is written in docs/wire.md; it shares no code with the
connectors and mappings that read it, so that a misunderstanding cannot cancel itself out."""

from hub.testing.sandbox.sandbox import Sandbox
from hub.testing.sandbox.serve import serve_forever

__all__ = ["Sandbox", "serve_forever"]
