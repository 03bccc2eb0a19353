"""A function for tests: appends the ids of events to a file, refuses those whose data is poison."""

import base64
import os
import sys
from pathlib import Path

import orjson
from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    """Make events durable, list the poison."""
    elements = orjson.loads(await request.read())
    good, failed = [], []
    for index, element in enumerate(elements):
        if base64.b64decode(element.get("data_base64", "")).startswith(b"poison"):
            failed.append({"index": index, "id": element["id"], "status": 400, "class": "invalid", "code": "not_json"})
        else:
            good.append(element["id"])
    if good:
        os.write(request.app[LANDED], ("\n".join(good) + "\n").encode())
    if failed:
        return web.json_response({"results": failed}, status=207)
    return web.Response(status=204)


LANDED = web.AppKey("landed", int)
if __name__ == "__main__":
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app[LANDED] = os.open(Path(sys.argv[2]), os.O_WRONLY | os.O_APPEND)
    app.router.add_post("/", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
