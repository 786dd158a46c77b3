"""A TCP proxy that makes loopback a line with a round-trip time: `python -m benchmarks.delay PORT TARGET MS`.

Each direction is late by half of MS and as fast as before: what is sent together arrives together.
It prints a line when it listens.
"""

import asyncio
import socket
import sys

CHUNK = 1 << 16


async def serve(port: int, target: int, one_way: float) -> None:
    """Take connections to `port` and carry them to `target`, each direction late by `one_way` seconds."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * one_way)  # TCP's own handshake is a round trip, and here it was none
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", target)
        for end in (writer, there_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_carry(reader, there_writer, one_way), _carry(there_reader, writer, one_way))

    server = await asyncio.start_server(take, "127.0.0.1", port)
    print("listening", flush=True)
    await server.serve_forever()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one_way: float) -> None:
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    clock = asyncio.get_running_loop().time

    async def deliver() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                writer.close()
                return
            writer.write(data)

    delivering = asyncio.create_task(deliver())
    try:
        while data := await reader.read(CHUNK):
            queue.put_nowait((clock() + one_way, data))
    except ConnectionError:
        pass
    queue.put_nowait((clock() + one_way, b""))
    await delivering


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 2000))
