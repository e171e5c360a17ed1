"""The example's agent: an echo, or a shell command. Replace `run_agent` with your own."""

import asyncio
import os
import re
import signal


async def run_agent(prompt, workspace, emit):
    """Runs one prompt. Reports by `await emit(type, data)`, returns the usage, raises to fail the turn.

    Cancelled when the turn is to stop; it must then be gone, with every process it started, within a few seconds.
    """
    spent = len(prompt.split())
    if prompt.startswith("sh:"):
        said = await run_command(prompt[3:].strip(), workspace, emit)
        await emit("text", {"text": said})
        return {"tokensIn": spent, "tokensOut": len(said.split()), "model": "shell"}
    for word in re.findall(r"\S+\s*", prompt):
        await emit("text", {"text": word})
        await asyncio.sleep(0.005)  # an agent thinks before each word
    return {"tokensIn": spent, "tokensOut": spent, "model": "echo"}


async def run_command(command, workspace, emit):
    await emit("tool_call", {"id": "call-1", "name": "shell", "input": {"command": command}})
    # A process group of its own, so that nothing it starts outlives the turn; and nothing of the harness's secrets.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIWM_")}
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=workspace,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = (await process.communicate())[0].decode(errors="replace")
    except asyncio.CancelledError:
        await end_group(process)
        raise
    failed = process.returncode != 0
    await emit("tool_result", {"id": "call-1", "output": output, "isError": failed})
    return f"exit code {process.returncode}"


async def end_group(process):
    for sign, patience in ((signal.SIGTERM, 2), (signal.SIGKILL, 2)):
        try:
            os.killpg(process.pid, sign)
            await asyncio.wait_for(process.wait(), patience)
            return
        except ProcessLookupError:
            return
        except asyncio.TimeoutError:
            continue
