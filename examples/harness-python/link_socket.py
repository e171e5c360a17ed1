"""The socket of the link by hand: Socket.IO 5 over Engine.IO 4 over a WebSocket. Standard library only."""

import asyncio
import base64
import itertools
import json
import os
import ssl
from urllib.parse import urlsplit

NAMESPACE = "/harness"
SILENCE_S = 20  # the controller pings every 10 s and allows 10 s more
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Refused(Exception):
    """The controller answered with an error; `code` is stable."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code = error.get("code")
        self.retry_after_s = error.get("retryAfterMs", 0) / 1000


class LinkDown(Exception):
    """The connection is gone, or never came to be."""


class LinkSocket:
    """One connection. `on_event(name, body)` handles what comes unasked and returns the ack."""

    def __init__(self, on_event):
        self.on_event = on_event
        self.closed = asyncio.get_running_loop().create_future()
        self._ids = itertools.count()
        self._waiting = {}

    async def open(self, url, credentials):
        """Raises Refused where the controller does not let us in, LinkDown where it cannot be reached."""
        try:
            await asyncio.wait_for(self._handshake(urlsplit(url)), 10)
            if not (await self._receive()).startswith("0"):
                raise LinkDown("this is not an Engine.IO server")
            await self._send(f"40{NAMESPACE},{json.dumps(credentials)}")
            answer = await self._receive()
            while answer == "2":  # a ping may come first
                await self._send("3")
                answer = await self._receive()
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            raise LinkDown(str(error) or "no answer") from error
        packet = json.loads(answer[answer.index(",") + 1 :] or "{}")
        if not answer.startswith("40"):
            raise Refused(packet.get("data") or {"code": None, "message": packet.get("message")})
        self._reader_task = asyncio.ensure_future(self._read())

    async def request(self, name, body, timeout=10):
        """Sends one frame and returns its ack. Raises Refused, or LinkDown where the answer will not come."""
        if self.closed.done():
            raise LinkDown("not connected")
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(f"42{NAMESPACE},{number}{json.dumps([name, body])}")
            answer = await asyncio.wait_for(self._waiting[number], timeout)
        except (OSError, asyncio.TimeoutError) as error:
            self.close(f"no answer to {name}")
            raise LinkDown(f"no answer to {name}") from error
        finally:
            del self._waiting[number]
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    def close(self, reason):
        if self.closed.done():
            return
        self.closed.set_result(reason)
        self._writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LinkDown(reason))

    async def _read(self):
        try:
            while not self.closed.done():
                packet = await self._receive()
                if packet == "2":
                    await self._send("3")
                elif packet.startswith(f"42{NAMESPACE},") or packet.startswith(f"43{NAMESPACE},"):
                    await self._dispatch(packet[1], packet[len(NAMESPACE) + 3 :])
                elif packet == "1" or packet.startswith("41"):
                    self.close("closed by the controller")
        except (OSError, EOFError, asyncio.TimeoutError) as error:
            self.close(f"the connection broke: {error!r}")

    async def _dispatch(self, kind, text):
        start = text.index("[")
        number, payload = text[:start], json.loads(text[start:])
        if kind == "3":
            waiting = self._waiting.get(int(number))
            if waiting is not None and not waiting.done():
                waiting.set_result(payload[0])
            return
        answer = self.on_event(payload[0], payload[1] if len(payload) > 1 else {})
        if number:
            await self._send(f"43{NAMESPACE},{number}{json.dumps([answer])}")

    # -- WebSocket, RFC 6455 ------------------------------------------------------------------------------------------

    async def _handshake(self, url):
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        context = ssl.create_default_context() if secure else None
        self._reader, self._writer = await asyncio.open_connection(url.hostname, port, ssl=context)
        key = base64.b64encode(os.urandom(16)).decode()
        path = f"{url.path.rstrip('/')}/socket.io/?EIO=4&transport=websocket"
        lines = [f"GET {path} HTTP/1.1", f"Host: {url.netloc}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        self._writer.write("\r\n".join(lines).encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = head.split(b"\r\n")[0]
        if b" 101 " not in status:
            raise LinkDown(f"no WebSocket here: {status.decode(errors='replace')}")

    async def _receive(self):
        """The next text message, put together from its frames."""
        message = b""
        while True:
            head = await asyncio.wait_for(self._reader.readexactly(2), SILENCE_S)
            length = head[1] & 0x7F
            if length > 125:
                length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
            payload = await self._reader.readexactly(length)
            opcode = head[0] & 0x0F
            if opcode == PING:
                await self._send_frame(PONG, payload)
            elif opcode == CLOSE:
                raise EOFError("closed")
            elif opcode in (0, TEXT):
                message += payload
                if head[0] & 0x80:
                    return message.decode()

    async def _send(self, text):
        await self._send_frame(TEXT, text.encode())

    async def _send_frame(self, opcode, payload):
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 1 << 16:
            head = bytes([0x80 | opcode, 0x80 | 126]) + size.to_bytes(2, "big")
        else:
            head = bytes([0x80 | opcode, 0x80 | 127]) + size.to_bytes(8, "big")
        mask = os.urandom(4)
        # Masking by one big number is much faster than byte by byte.
        pad = (mask * (size // 4 + 1))[:size]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")
        self._writer.write(head + mask + masked)
        await self._writer.drain()
