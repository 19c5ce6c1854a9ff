# SPDX-License-Identifier: Apache-2.0
# Files: uploaded for others (XEP-0363), and sent from client to client through the proxy (XEP-0065).
import asyncio
import io
from urllib.request import urlopen

from client import PATIENCE, Client, run, say

UPLOAD = ["xep_0030", "xep_0128", "xep_0363"]
STREAMS = ["xep_0030", "xep_0065"]
LIMIT = ".//{jabber:x:data}field[@var='max-file-size']/{jabber:x:data}value"
CONTENT = bytes(range(256)) * 4000


async def upload(server, user):
    client = await Client(server, user, UPLOAD).log_in()
    service = await client["xep_0030"].get_info("upload.localhost", timeout=PATIENCE)
    client["xep_0363"].upload_service = "upload.localhost"  # its own search fails on Python 3.11
    say(saw="service", jid=str(service["from"]), most=service.xml.findtext(LIMIT))
    url = await client["xep_0363"].upload_file(
        "très cool.png", size=len(CONTENT), content_type="image/png", input_file=io.BytesIO(CONTENT), timeout=PATIENCE
    )
    say(saw="upload", url=url)
    answer = await asyncio.get_running_loop().run_in_executor(None, urlopen, url)
    say(saw="download", same=answer.read() == CONTENT, kind=answer.headers["Content-Type"])
    await client.log_out()


async def stream(server, romeo, juliet):
    r, j = Client(server, romeo, STREAMS), Client(server, juliet, STREAMS)
    j["xep_0065"].auto_accept = True
    got, heard = asyncio.Event(), bytearray()

    def hear(data):
        heard.extend(data)
        if len(heard) >= len(CONTENT):
            got.set()

    j.add_event_handler("socks5_data", hear)
    await asyncio.gather(r.log_in(), j.log_in())
    proxies = await r["xep_0065"].discover_proxies()
    say(saw="proxies", jids=[str(jid) for jid in proxies])
    connection = await r["xep_0065"].handshake(j.boundjid, ifrom=r.boundjid, timeout=PATIENCE)
    await connection.write(CONTENT)
    await asyncio.wait_for(got.wait(), PATIENCE)
    say(saw="stream", same=bytes(heard) == CONTENT)
    for client in (r, j):
        await client.log_out()


run({"upload": upload, "stream": stream})
