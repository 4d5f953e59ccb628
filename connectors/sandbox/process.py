"""One platform's sandbox process (see :mod:`connectors.sandbox.launch`)."""

from __future__ import annotations

import asyncio
import gc
import sys

from aiohttp import web

from connectors.sandbox.launch import Job, decode

RARELY = (100_000, 20, 100)  # a move of the clock makes many rows, a page many records, and hardly any garbage


def main() -> None:
    """Serve the job read from standard input until standard input closes."""
    job = decode(sys.stdin.buffer.readline())
    try:
        asyncio.run(_serve(job))
    except OSError as error:
        print(f"failed {error}", flush=True)
        raise SystemExit(2) from error
    except KeyboardInterrupt:
        raise SystemExit(0) from None


async def _serve(job: Job) -> None:
    from connectors.sandbox.server import Boot

    gc.disable()  # building a world makes millions of objects and no garbage
    boot = Boot(job.config, job.flavour)
    runner = web.AppRunner(boot.application, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, job.config.host, job.port)
    await site.start()
    print(f"ready {runner.addresses[0][1]}", flush=True)
    boot.catch_up()
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()
    await _until_input_closes()
    await runner.cleanup()


async def _until_input_closes() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    main()
