"""A server of objects on loopback: ranges, entity tags, PUT and DELETE, and failures at will.

It speaks as much HTTP, and as much of S3's path style, as reading and writing whole objects takes, and notes every request.
Signatures are not checked.
"""

import hashlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ObjectServer:
    """Objects by path, such as `/bucket/key`, until `close`."""

    def __init__(self, *, tags=True):
        self.objects = {}
        self.requests = []
        self.queries = []
        self.failed = []  # method and failure of the requests that failed
        self.watch = None  # called with method and path before each answer
        self.tags = tags  # whether answers say which version they are of
        self._failures = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                server._answer(self, body=True)

            def do_HEAD(self):
                server._answer(self, body=False)

            def do_PUT(self):
                server._put(self)

            def do_DELETE(self):
                server._delete(self)

        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._httpd.daemon_threads = True
        self.port = self._httpd.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._httpd.serve_forever, daemon=True).start()

    def close(self):
        self._httpd.shutdown()
        self._httpd.server_close()

    def fail(self, method, pattern, how, times=10**9):
        """Requests of a method whose path matches fail so many times: a status, "drop" (no answer), "cut" (half of one),
        "lose" (done, but no answer), "stall" (no answer for a minute), "pass" (no failure)."""
        with self._lock:
            self._failures.append([method, re.compile(pattern), how, times])

    def mend(self):
        """No failure from now on."""
        with self._lock:
            self._failures.clear()

    def environment(self):
        """What makes GDAL and boto take this server for S3; retries without long waits."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIATESTKEYID", "AWS_SECRET_ACCESS_KEY": "SECRETKEYOFTHETEST", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_S3_ENDPOINT": f"127.0.0.1:{self.port}", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE",
            "GDAL_HTTP_RETRY_DELAY": "0.05",
        }

    def _next_failure(self, handler):
        path, _, query = handler.path.partition("?")
        if self.watch:
            self.watch(handler.command, path)
        with self._lock:
            self.requests.append((handler.command, path, handler.headers.get("Range")))
            self.queries.append(query)
            for failure in self._failures:
                method, pattern, how, times = failure
                if times and method == handler.command and pattern.search(path):
                    failure[3] -= 1
                    self.failed.append((handler.command, how))
                    break
            else:
                how = None
        if how == "stall":
            time.sleep(60)
            how = "drop"
        return how

    @staticmethod
    def _plain(handler, status, headers=(), body=b""):
        handler.send_response(status)
        for key, value in headers:
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    @staticmethod
    def _hang_up(handler):
        handler.close_connection = True
        handler.connection.close()

    def _answer(self, handler, body):
        how = self._next_failure(handler)
        if how == "drop":
            return self._hang_up(handler)
        if isinstance(how, int):
            return self._plain(handler, how)
        content = self.objects.get(handler.path.split("?")[0])
        if content is None:
            return self._plain(handler, 404)
        first, last, status = 0, len(content) - 1, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", ""))
        if asked:
            first, status = int(asked[1]), 206
            last = min(int(asked[2] or last), last)
            if first > last:
                return self._plain(handler, 416)
        handler.send_response(status)
        handler.send_header("Accept-Ranges", "bytes")
        if asked:
            handler.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        if self.tags:
            handler.send_header("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        handler.send_header("Content-Length", str(last + 1 - first))
        handler.end_headers()
        if body:
            piece = content[first:last + 1]
            if how == "cut":
                handler.wfile.write(piece[: len(piece) // 2])
                return self._hang_up(handler)
            handler.wfile.write(piece)

    def _put(self, handler):
        how = self._next_failure(handler)
        content = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if how == "drop":
            return self._hang_up(handler)
        if isinstance(how, int):
            return self._plain(handler, how)
        self.objects[handler.path.split("?")[0]] = content
        if how == "lose":
            return self._hang_up(handler)
        return self._plain(handler, 200, [("ETag", f'"{hashlib.md5(content).hexdigest()}"')])

    def _delete(self, handler):
        how = self._next_failure(handler)
        if isinstance(how, int):
            return self._plain(handler, how)
        self.objects.pop(handler.path.split("?")[0], None)
        return self._plain(handler, 204)
