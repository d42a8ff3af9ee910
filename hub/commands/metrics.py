"""`hub metrics`: how the hub fares, for Prometheus."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import click

from hub.clock import now_ms
from hub.commands.session import Command, Session, pass_session
from hub.commands.stopping import stopping
from hub.errors import HubError, MisconfiguredError
from hub.store import Store
from hub.store.metrics import metrics_text

__all__ = ["command"]


@click.command("metrics", cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve them until stopped, at /metrics.")
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@pass_session
def command(session: Session, port: int | None, host: str) -> None:
    """Print figures of streams, runs, feed, queue and workers as Prometheus text, or serve them for scraping."""
    with session.store(with_key=False) as store:
        queue = session.settings.engine.kind == "procrastinate"
        if port is None:
            session.output.write(metrics_text(store, now_ms(), queue=queue))
            return
        with _server(store, host, port, queue) as server, stopping() as stop:
            session.output.say("metrics at http://{host}:{port}/metrics", host=host, port=server.server_address[1])
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            while not stop.wait(1):
                # Not without a limit: a signal that the system hands to another thread wakes nobody who waits.
                continue
            server.shutdown()


def _server(store: Store, host: str, port: int, queue: bool) -> ThreadingHTTPServer:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            try:
                body = metrics_text(store, now_ms(), queue=queue).encode()
            except HubError:
                self.send_error(503)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A scrape every few seconds is no event."""

    try:
        return ThreadingHTTPServer((host, port), Answer)
    except OSError as error:
        raise MisconfiguredError(
            "{host}:{port} cannot be listened on: {reason}", host=host, port=port, reason=error.strerror or type(error).__name__,
            remedy="choose another --port or --host",
        ) from error  # fmt: skip
