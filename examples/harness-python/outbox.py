"""The session's events that are not acknowledged yet, in order and numbered without a gap."""

import asyncio
import json

BATCH_EVENTS, BATCH_BYTES = 64, 32 * 1024


class Outbox:
    def __init__(self):
        self.items = []
        self.next = 1
        self.filled, self.empty = asyncio.Event(), asyncio.Event()
        self.empty.set()

    @property
    def oldest(self):
        return self.items[0]["n"] if self.items else self.next

    def add(self, event):
        self.items.append({"n": self.next, **event})
        self.next += 1
        self.empty.clear()
        self.filled.set()

    def batch(self):
        """What goes into the next `events` frame: always the oldest, so that a lost one is simply sent again."""
        batch, size = [], 0
        for item in self.items[:BATCH_EVENTS]:
            size += len(json.dumps(item))
            if batch and size > BATCH_BYTES:
                break
            batch.append(item)
        return batch

    def acknowledged(self, n):
        self.items = [item for item in self.items if item["n"] > n]
        if not self.items:
            self.filled.clear()
            self.empty.set()
