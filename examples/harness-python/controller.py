"""The controller's HTTP side: connect, and what is too large for the socket."""

import asyncio
import json
import urllib.error
import urllib.request

from common import Done, log

VERSION = "1.0.0"
NEVER = {400, 401, 403, 404}


class Controller:
    def __init__(self, base_url, agent_id, secret, incarnation):
        self.base_url, self.agent_id = base_url.rstrip("/"), agent_id
        harness = {"version": VERSION, "protocol": [1, 1]}
        self.introduction = {"secret": secret, "incarnation": incarnation, "harness": harness, "capacity": 1}
        self.token = None

    async def connect(self):
        """Trades the secret for a token and the configuration, for as long as it takes. Done where that cannot work."""
        path, body = f"/agents/{self.agent_id}/connect", json.dumps(self.introduction).encode()
        pause = 0.5
        while True:
            pause = min(10, pause * 2)
            try:
                config = await self.call("POST", path, body)
                self.token = config["token"]
                return config
            except urllib.error.HTTPError as error:
                code = json.load(error).get("code")
                if error.code in NEVER or code == "agent_superseded":
                    raise Done(1, f"connect was refused: {error.code} {code}")
                pause = int(error.headers.get("Retry-After") or pause)
                log(f"connect answered {error.code} {code}, again in {pause} s")
            except OSError as error:
                log(f"connect failed: {error}, again in {pause} s")
            await asyncio.sleep(pause)

    async def call(self, method, path, body=None):
        """One request with a JSON answer. Raises OSError, of which urllib's HTTPError is one."""
        request = urllib.request.Request(self.base_url + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")

        def send():
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)

        return await asyncio.get_running_loop().run_in_executor(None, send)
