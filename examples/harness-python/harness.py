#!/usr/bin/env python3
"""A harness for Reins in the standard library of Python 3.9, written from docs/reference/protocol.md.

Its agent echoes the prompt word by word; a prompt that starts with `sh:` runs the rest as a command in the workspace.
"""

import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import time
import uuid

sys.dont_write_bytecode = True

from agent import run_agent
from common import Done, log, now
from controller import VERSION, Controller
from link_socket import LinkDown, LinkSocket, Refused
from outbox import Outbox
from turn import Turn

INLINE_BYTES = 64 * 1024
OVER = {"agent_superseded", "protocol_unsupported"}
TOKEN_TROUBLE = {"token_expired", "token_invalid", "token_revoked", "unauthenticated"}
TOKEN_TROUBLE |= {"agent_suspended", "agent_not_found"}


class Harness:
    def __init__(self, environment):
        self.incarnation = f"inc-{uuid.uuid4().hex}"
        names = ("AIWM_BASE_URL", "AIWM_AGENT_ID", "AIWM_AGENT_SECRET")
        self.controller = Controller(*(environment[name] for name in names), self.incarnation)
        self.workspace = environment["REINS_WORKSPACE"]
        self.boot_at = now()
        self.config = self.session_id = self.socket = None
        self.turn = None  # this example runs one at a time
        self.outbox = Outbox()
        self.commands = {"main": 0, "abort": 0}  # the last one applied in each lane
        self.lease_until = 0.0
        self.ready = self.draining = self.token_needed = False
        self.welcomed, self.free = asyncio.Event(), asyncio.Event()
        self.free.set()
        self.stopping = asyncio.get_running_loop().create_future()

    # -- the link -----------------------------------------------------------------------------------------------------

    async def connect(self):
        self.config = await self.controller.connect()
        if self.config["session"] is None:
            raise Done(1, "this example serves managed agents only")
        self.session_id = self.config["session"]["id"]

    async def run(self):
        await self.connect()
        workers = [asyncio.ensure_future(work()) for work in (self.push_events, self.beat, self.pull_turns)]
        links = asyncio.ensure_future(self.keep_connected())
        try:
            await asyncio.wait([links, self.stopping, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in [links, *workers, self.stopping]:
                if task.done():
                    task.result()  # raises what ended it, if it was not SIGTERM
            await asyncio.wait_for(self.shut_down(), 12)
        finally:
            if self.turn:
                self.turn.stop("lost")
                await asyncio.wait([asyncio.ensure_future(self.free.wait())], timeout=4)
            for task in [links, *workers]:
                task.cancel()

    async def keep_connected(self):
        attempt = 0
        while True:
            again = False
            try:
                await self.one_connection()
                attempt = 0
            except Refused as refusal:
                log(f"not let in: {refusal}")
                if refusal.code in OVER:
                    raise Done(1, str(refusal))
                again = refusal.code in TOKEN_TROUBLE
                await asyncio.sleep(refusal.retry_after_s)
            except LinkDown as error:
                log(f"no connection: {error}")
            attempt += 1
            await asyncio.sleep(random.random() * min(10, 0.25 * 2 ** min(attempt - 1, 6)))
            if again or self.token_needed:
                await self.connect()

    async def one_connection(self):
        """Opens the socket, agrees on who has what, and returns when the connection is over."""
        self.token_needed = False
        socket = LinkSocket(self.on_event)
        credentials = {"token": self.config["token"], "incarnation": self.incarnation, "protocol": 1}
        await socket.open(self.config["link"]["url"], credentials)
        try:
            asked_at = time.monotonic()
            welcome = await socket.request("hello", self.hello())
            if welcome["resume"] == "superseded":
                raise Done(0, "superseded")
            self.socket, self.draining = socket, welcome["drain"]
            mine = next((s for s in welcome["sessions"] if s["sessionId"] == self.session_id), None)
            if mine is None:
                raise Done(0, "the session is no longer ours")
            self.outbox.acknowledged(mine["acked"])
            for verdict in mine["turns"]:
                if self.turn and self.turn.id == verdict["turnId"] and verdict["verdict"] == "abandon":
                    self.turn.stop("lost")
            self.renew(asked_at)
            if not self.ready:
                await socket.request("ready", {"sessionId": self.session_id, "timings": {}})
                self.ready = True
            log("connected")
            self.welcomed.set()
            await self.pull_commands()
            await socket.closed
            log(f"disconnected: {socket.closed.result()}")
        finally:
            self.welcomed.clear()
            socket.close("done")

    def hello(self):
        turns = [{"turnId": t.id, "generation": t.generation, "state": t.state} for t in [self.turn] if t and t.ours]
        session = {"sessionId": self.session_id, "out": {"next": self.outbox.next, "spooledFrom": self.outbox.oldest}}
        session.update({"lastCommand": dict(self.commands), "turns": turns})
        harness = {"version": VERSION, "capabilities": ["deltas", "usage"]}
        return {"bootAt": self.boot_at, "harness": harness, "slots": 1, "sessions": [session]}

    def on_event(self, name, body):
        if name == "command":
            asyncio.ensure_future(self.apply(body))
            return {"received": True}
        if name == "wake":
            asyncio.ensure_future(self.pull_commands())
        if name == "drain":
            self.draining = True
            asyncio.get_running_loop().call_later(body["reconnectAfterMs"] / 1000, self.socket.close, "drained")
        if name == "bye":
            log(f"bye: {body['reason']}")
            self.token_needed = body["reason"] in ("reauth", "revoked")
            if not self.token_needed and not self.stopping.done():
                self.stopping.set_exception(Done(0 if body["reason"] == "ended" else 1, f"bye {body['reason']}"))
        if name == "bind":
            return {"error": {"code": "not_implemented", "message": "this harness serves one session"}}
        return {"ok": True}

    # -- events -------------------------------------------------------------------------------------------------------

    async def emit(self, turn, kind, data):
        """Puts an event on its way. Data too large for the socket is uploaded and replaced by a reference."""
        turn.last_output_at = now()
        whole = json.dumps(data).encode()
        if len(whole) > INLINE_BYTES:
            digest = hashlib.sha256(whole).hexdigest()
            blob = await self.controller.call("PUT", f"/sessions/{self.session_id}/blobs?sha256={digest}", whole)
            preview = whole[:4096].decode(errors="ignore")
            data = {"preview": preview, "sizeBytes": len(whole), "sha256": digest, "blobId": blob["blobId"]}
        ids = {"turnId": turn.id, "generation": turn.generation}
        self.outbox.add({"at": turn.last_output_at, **ids, "type": kind, "data": data})

    async def push_events(self):
        """One batch in flight; what comes meanwhile gathers into the next."""
        while True:
            await self.outbox.filled.wait()
            await self.welcomed.wait()
            # Near the end of the lease somebody else may get the turn: wait for the next beat.
            if time.monotonic() > self.lease_until - min(5, self.config["link"]["leaseMs"] / 4000):
                await asyncio.sleep(0.2)
                continue
            try:
                batch = self.outbox.batch()
                body = {"sessionId": self.session_id, "from": batch[0]["n"], "items": batch}
                ack = await self.socket.request("events", body)
                if "expect" in ack:  # it misses events that are acknowledged, so gone: the next hello says so
                    self.socket.close(f"the controller expects event {ack['expect']}")
                    continue
                self.outbox.acknowledged(ack["acked"])
                if self.turn and self.turn.id in ack.get("fenced", []):
                    self.turn.stop("lost")
            except LinkDown:
                continue
            except Refused as refusal:
                log(f"events were refused: {refusal}")
                await asyncio.sleep(refusal.retry_after_s or 1)

    # -- heartbeats and commands --------------------------------------------------------------------------------------

    def renew(self, asked_at):
        self.lease_until = asked_at + self.config["link"]["leaseMs"] / 1000

    async def beat(self):
        while True:
            await self.welcomed.wait()
            turns, asked_at, turn = [], time.monotonic(), self.turn
            if turn and turn.ours:
                progress = {"lastOutputAt": turn.last_output_at, "state": turn.state}
                ids = {"sessionId": self.session_id, "turnId": turn.id, "generation": turn.generation}
                turns = [{**ids, "progress": progress}]
            body = {"status": "busy" if turns else "idle", "metrics": {}, "alive": True, "turns": turns}
            body["lastCommand"] = {self.session_id: dict(self.commands)}
            body["configVersion"] = self.config["configVersion"]
            try:
                ack = await self.socket.request("heartbeat", body)
                self.renew(asked_at)
                if turn and any(lease.get("fenced") and lease["turnId"] == turn.id for lease in ack["leases"]):
                    turn.stop("lost")
                for command in ack["commands"]:
                    asyncio.ensure_future(self.apply(command))
            except (LinkDown, Refused) as error:
                log(f"heartbeat: {error}")
            await asyncio.sleep(self.config["link"]["heartbeatMs"] / 1000)

    async def pull_commands(self):
        try:
            body = {"sessionId": self.session_id, "after": dict(self.commands)}
            for command in (await self.socket.request("commands.pull", body))["commands"]:
                await self.apply(command)
        except (LinkDown, Refused) as error:
            log(f"commands.pull: {error}")

    async def apply(self, command):
        """Carries a command out once, however often it comes, and acknowledges it each time."""
        lane, n = command["lane"], command["n"]
        if n > self.commands[lane]:
            self.commands[lane] = n
            log(f"command {command['type']}")
            turn, wanted = self.turn, command["body"].get("turnId")
            if turn and (command["type"] == "end" or turn.id == wanted):
                turn.stop(command["type"])
        ack = {"sessionId": command["sessionId"], "lane": lane, "n": n, "ok": True}
        if command["type"] == "end":
            await self.free.wait()
            ack["result"] = {"committed": False}
        try:
            await self.socket.request("command.ack", ack)
        except (LinkDown, Refused) as error:
            log(f"command.ack: {error}")  # it comes again with the next heartbeat
            return
        if command["type"] == "end" and not self.stopping.done():
            self.stopping.set_exception(Done(0, "the session has ended"))

    # -- turns --------------------------------------------------------------------------------------------------------

    async def pull_turns(self):
        while True:
            await self.welcomed.wait()
            await self.free.wait()
            if self.draining:
                await asyncio.sleep(0.5)
                continue
            try:
                asked_at = time.monotonic()
                ack = await self.socket.request("turn.pull", {"sessions": [self.session_id], "slots": 1}, 35)
            except (LinkDown, Refused) as error:
                await asyncio.sleep(getattr(error, "retry_after_s", 0) or 0.2)
                continue
            if "turn" in ack:
                self.renew(asked_at)
                self.free.clear()
                self.turn = Turn(ack["turn"])
                asyncio.ensure_future(self.run_turn(self.turn))
            else:
                await asyncio.sleep(ack["retryAfterMs"] / 1000)

    async def run_turn(self, turn):
        """From the lease to the acknowledged end."""
        try:
            prompt = turn.pulled["prompt"]
            if "promptUrl" in turn.pulled:
                prompt = (await self.controller.call("GET", turn.pulled["promptUrl"]))["prompt"]
            if not await self.report("turn.started", turn):
                return
            turn.state = "running"
            log(f"turn {turn.id} started")
            turn.task = asyncio.ensure_future(run_agent(prompt, self.workspace, lambda *event: self.emit(turn, *event)))
            if turn.stop_reason:
                turn.task.cancel()
            if not (await asyncio.wait([turn.task], timeout=turn.pulled["timeoutMs"] / 1000))[0]:
                turn.stop("timeout")
                await asyncio.wait([turn.task])
            end = turn.end()
            log(f"turn {turn.id} ended: {turn.stop_reason or end['stopReason']}")
            if turn.ours and end is not None:
                await self.emit(turn, "turn.completed", end)
            if turn.ours:
                await self.outbox.empty.wait()
            if turn.ours and turn.stop_reason == "drain":
                await self.report("turn.lost", turn)
        except OSError as error:
            log(f"turn {turn.id} cannot run: {error}")
            await self.report("turn.lost", turn)
        finally:
            self.turn = None
            self.free.set()

    async def report(self, frame, turn):
        """Tells until it is heard. False: the turn is somebody else's."""
        while turn.ours:
            await self.welcomed.wait()
            try:
                body = {"sessionId": self.session_id, "turnId": turn.id, "generation": turn.generation}
                return "ok" in await self.socket.request(frame, body)
            except (LinkDown, Refused) as error:
                log(f"{frame}: {error}")
                await asyncio.sleep(0.2)
        return False

    async def shut_down(self):
        """Gives the running turn back, with everything it said so far."""
        self.draining = True
        try:
            await self.socket.request("draining", {"reason": "SIGTERM"})
        except (AttributeError, LinkDown, Refused) as error:
            log(f"draining: {error}")
        if self.turn:
            self.turn.stop("drain")
        await self.free.wait()


async def main():
    try:
        harness = Harness(os.environ)
    except KeyError as error:
        log(f"{error.args[0]} is not set; the controller sets it for harnesses it starts")
        return 2
    loop = asyncio.get_running_loop()
    stop = lambda: harness.stopping.done() or harness.stopping.set_result(None)
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stop))
    try:
        await harness.run()
    except Done as done:
        log(str(done))
        return done.code
    finally:
        # We are leaving already; a SIGTERM that comes after all is not to turn that into a failure.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
