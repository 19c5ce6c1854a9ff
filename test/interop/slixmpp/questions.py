# SPDX-License-Identifier: Apache-2.0
# Questions to the server: what it is and can, its version and time, whether it is there, since when somebody is away.
import asyncio

from client import Client, refusal, run, say


def told(answer):
    info = answer["disco_info"]
    return {
        "identities": sorted([category, kind] for category, kind, _, _ in info["identities"]),
        "features": sorted(info["features"]),
    }


async def disco(server, user):
    client = await Client(server, user, ["xep_0030"]).log_in()
    for of in ("localhost", client.boundjid.bare):
        say(saw="info", of=of, **told(await client["xep_0030"].get_info(jid=of, cached=False)))
        items = await client["xep_0030"].get_items(jid=of)
        say(saw="items", of=of, items=[str(jid) for jid, _, _ in items["disco_items"]["items"]])
    await client.log_out()


async def disco_of_stranger(server, user, stranger):
    client = await Client(server, user, ["xep_0030"]).log_in()
    say(saw="answer", refusal=await refusal(client["xep_0030"].get_info(jid=stranger, cached=False)))
    await client.log_out()


async def vitals(server, user):
    plugins = ["xep_0199", "xep_0092", "xep_0202", "xep_0012"]
    client = await Client(server, user, plugins).log_in()
    await client["xep_0199"].send_ping("localhost")
    say(saw="pong", by="server")
    await client["xep_0199"].send_ping(client.boundjid.bare)
    say(saw="pong", by="account")
    version = (await client["xep_0092"].get_version("localhost"))["software_version"]
    say(saw="version", name=version["name"], version=version["version"])
    time = (await client["xep_0202"].get_entity_time("localhost"))["entity_time"]
    utc = time.xml.findtext("{urn:xmpp:time}utc")  # its own parser wants it without the Z of XEP-0082
    say(saw="time", utc=utc, offset=time.xml.findtext("{urn:xmpp:time}tzo"))
    uptime = (await client["xep_0012"].get_last_activity("localhost"))["last_activity"]["seconds"]
    say(saw="uptime", seconds=uptime)
    await client.log_out()


async def last_activity(server, romeo, juliet):
    r, j = Client(server, romeo, ["xep_0012"]), Client(server, juliet)
    await asyncio.gather(r.log_in(), j.log_in())
    jj = j.boundjid.bare
    say(saw="before", refusal=await refusal(r["xep_0012"].get_last_activity(jj)))
    r.send_presence_subscription(pto=jj, ptype="subscribe")  # slixmpp approves by itself
    await r.sees_presence("subscribed", jj)
    await r.sees_presence("available", jj)
    j.send_presence(ptype="unavailable", pstatus="asleep")
    await r.sees_presence("unavailable", jj)
    await j.log_out()
    last = (await r["xep_0012"].get_last_activity(jj))["last_activity"]
    say(saw="last", seconds=last["seconds"], status=last["status"])
    await r.log_out()


run({"disco": disco, "disco_of_stranger": disco_of_stranger, "vitals": vitals, "last_activity": last_activity})
