# SPDX-License-Identifier: Apache-2.0
# What was said can be read again, on any device (XEP-0313): page by page, by whom, by when.
import asyncio

from client import Client, run, say

PLUGINS = ["xep_0313", "xep_0203"]
STANZA_ID = "{urn:xmpp:sid:0}stanza-id"


async def read(client, reverse=False, size=10, **query):
    """The results of all pages in the order of the archive, and how many each page had."""
    pages = []
    iterator = client["xep_0313"].retrieve(iterator=True, reverse=reverse, rsm={"max": size}, **query)
    async for page in iterator:
        results = [message["mam_result"] for message in page["mam"]["results"]]
        pages.append(results)
        if page["mam_fin"].xml.get("complete") == "true":
            break
    ordered = pages[::-1] if reverse else pages
    return [result for page in ordered for result in page], [len(page) for page in pages]


def bodies(results):
    return [result["forwarded"]["stanza"]["body"] for result in results]


def stamp(result):
    return result["forwarded"]["delay"]["stamp"]


async def history(server, romeo, juliet, mercutio):
    r, m = Client(server, romeo, PLUGINS), Client(server, mercutio)
    j = Client(server, juliet, PLUGINS, resource="phone")
    await asyncio.gather(r.log_in(), m.log_in(), j.log_in())
    rj, jj, mj = (client.boundjid.bare for client in (r, j, m))
    texts = [f"number {number}" for number in range(25)]
    for text in texts[:12]:
        await r.says(jj, text)
    live = await j.hears(texts[11])
    await m.says(jj, "Queen Mab")
    await j.hears("Queen Mab")
    await j.says(rj, "My turn")
    await r.hears("My turn")
    await j.log_out()
    for text in texts[12:]:
        await r.says(jj, text)  # nobody is there
    await r.all_done()

    tablet = await Client(server, juliet, PLUGINS, resource="tablet").log_in(available=False)
    everything, pages = await read(tablet)
    say(saw="all", bodies=bodies(everything), pages=pages)
    backwards, pages = await read(tablet, reverse=True)
    say(saw="backwards", same=bodies(backwards) == bodies(everything), pages=pages)
    ids = [result["id"] for result in everything]
    say(saw="ids", different=len(set(ids)) == len(ids), live=live.xml.find(STANZA_ID).get("id") == ids[11])

    by_mercutio, _ = await read(tablet, with_jid=mj)
    say(saw="with", bodies=bodies(by_mercutio))
    since, until = stamp(everything[5]), stamp(everything[15])
    between, _ = await read(tablet, start=since, end=until, size=4)
    wanted = [result["id"] for result in everything if since <= stamp(result) <= until]
    say(saw="between", right=[result["id"] for result in between] == wanted, some=len(wanted) >= 11)
    none, _ = await read(tablet, with_jid="nobody@localhost")
    say(saw="none", bodies=bodies(none))

    first = everything[10]
    page = await tablet["xep_0313"].retrieve(rsm={"max": 3, "after": first["id"]})
    say(saw="after", bodies=bodies([message["mam_result"] for message in page["mam"]["results"]]))
    meta = (await tablet["xep_0313"].get_archive_metadata())["mam_metadata"]
    say(saw="metadata", right=[meta["start"]["id"], meta["end"]["id"]] == [ids[0], ids[-1]])
    own, _ = await read(r, with_jid=jj)
    say(saw="other side", bodies=len(own))
    await asyncio.gather(r.log_out(), m.log_out(), tablet.log_out())


run({"history": history})
