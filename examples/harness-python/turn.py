"""One turn, from its lease to its end."""


class Turn:
    def __init__(self, pulled):
        self.pulled = pulled
        self.id, self.generation = pulled["turnId"], pulled["generation"]
        self.state = "leased"
        self.task = None
        self.stop_reason = None  # why we stopped the agent; None: it ended by itself
        self.ours = True
        self.last_output_at = None

    def stop(self, reason):
        """abort, timeout, end or drain; or lost: the turn is somebody else's, nothing more may be reported."""
        self.ours = self.ours and reason != "lost"
        self.stop_reason = self.stop_reason or reason
        if self.task is not None:
            self.task.cancel()

    def end(self):
        """The terminal event once the agent has stopped; None where it is not ours to write."""
        if self.stop_reason == "abort":
            return {"status": "cancelled", "stopReason": "aborted"}
        if self.stop_reason == "timeout":
            return {"status": "failed", "stopReason": "timeout"}
        if self.stop_reason is not None:
            return None
        error = self.task.exception()
        if error is not None:
            return {"status": "failed", "stopReason": "agent_error", "error": {"message": str(error)}}
        return {"status": "complete", "stopReason": "end_turn", "usage": self.task.result()}
