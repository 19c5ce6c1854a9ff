# SPDX-License-Identifier: Apache-2.0
# What one publishes (XEP-0163): a tune that a contact hears, an avatar that is in the vCard and in presence too.
import asyncio
import hashlib
from xml.etree import ElementTree as ET

from client import PATIENCE, Client, refusal, run, say

PLUGINS = ["xep_0030", "xep_0115", "xep_0163", "xep_0118", "xep_0084", "xep_0054"]
TUNE = "http://jabber.org/protocol/tune"
METADATA = "urn:xmpp:avatar:metadata"
PHOTO = ".//{vcard-temp:x:update}photo"


async def hears(client, node):
    def matches(stanza):
        return stanza.name == "message" and stanza["pubsub_event"]["items"]["node"] == node

    return await client.sees(f"a notification of {node}", matches)


def title(stanza):
    return stanza.xml.findtext(f".//{{{TUNE}}}title")


async def tune(server, romeo, juliet):
    r, j = Client(server, romeo, PLUGINS), Client(server, juliet, PLUGINS)
    for client in (r, j):
        client["xep_0163"].add_interest(METADATA)
    await asyncio.gather(r.log_in(), j.log_in())
    rj, jj = r.boundjid.bare, j.boundjid.bare
    r.send_presence_subscription(pto=jj, ptype="subscribe")  # slixmpp approves by itself
    await r.sees_presence("subscribed", jj)
    await r.sees_presence("available", jj)
    await j["xep_0118"].publish_tune(artist="Gagliardi", title="Tortelli in brodo")
    say(saw="tune", by="romeo", title=title(await hears(r, TUNE)))
    say(saw="item", by="romeo", title=title(await r["xep_0060"].get_items(jj, TUNE)))

    picture = b"a picture"
    sha1 = hashlib.sha1(picture).hexdigest()
    await j["xep_0084"].publish_avatar(picture)
    info = {"id": sha1, "bytes": len(picture), "type": "image/png"}
    await j["xep_0084"].publish_avatar_metadata([info])
    say(saw="avatar", sha1=sha1)
    await hears(r, METADATA)
    say(saw="metadata", by="romeo")
    shown = await r.sees("presence with the hash", lambda s: s.name == "presence" and s.xml.findtext(PHOTO) == sha1)
    say(saw="presence", photo=shown.xml.findtext(PHOTO))
    vcard = (await r["xep_0054"].get_vcard(jj))["vcard_temp"]
    say(saw="vcard", photo=vcard["PHOTO"]["BINVAL"].decode())

    tablet = await Client(server, romeo, PLUGINS, resource="tablet").log_in()
    say(saw="late tune", by="tablet", title=title(await hears(tablet, TUNE)))
    for client in (r, j, tablet):
        await client.log_out()


async def photo(server, romeo, juliet):
    """A client of old sets the photo of its vCard; one of today sees an avatar."""
    r, j = Client(server, romeo, [*PLUGINS, "xep_0153"]), Client(server, juliet, [*PLUGINS, "xep_0153"])
    r["xep_0163"].add_interest(METADATA)
    await asyncio.gather(r.log_in(), j.log_in())
    rj, jj = r.boundjid.bare, j.boundjid.bare
    r.send_presence_subscription(pto=jj, ptype="subscribe")
    await r.sees_presence("available", jj)
    await j.sees_presence("available", rj)
    updates = asyncio.Queue()
    r.add_event_handler("vcard_avatar_update", lambda s: updates.put_nowait(s["vcard_temp_update"]["photo"]))
    picture = b"another picture"
    sha1 = hashlib.sha1(picture).hexdigest()
    card = j["xep_0054"].make_vcard()
    card["NICKNAME"] = "Giulietta"
    await j["xep_0054"].publish_vcard(card)  # slixmpp changes a card, it makes none
    await j["xep_0153"].set_avatar(avatar=picture, mtype="image/png")
    event = await hears(r, METADATA)
    info = event.xml.find(f".//{{{METADATA}}}info")
    say(saw="metadata", right=info.get("id") == sha1, bytes=info.get("bytes"), type=info.get("type"))
    say(saw="hash", right=await asyncio.wait_for(updates.get(), PATIENCE) == sha1)
    data = await r["xep_0084"].retrieve_avatar(jj, sha1)
    say(saw="data", text=data["pubsub"]["items"]["item"]["avatar_data"]["value"].decode())
    await asyncio.gather(r.log_out(), j.log_out())


async def service(server, romeo, juliet):
    """A node of the service: made, subscribed to, written to, read, emptied, deleted."""
    r, j = Client(server, romeo, PLUGINS), Client(server, juliet, PLUGINS)
    await asyncio.gather(r.log_in(), j.log_in())
    place, node = "pubsub.localhost", f"news of {romeo['name']}"
    await r["xep_0060"].create_node(place, node)
    answer = await j["xep_0060"].subscribe(place, node)
    say(saw="subscribed", state=answer["pubsub"]["subscription"]["subscription"])
    entry = ET.fromstring("<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>")
    await r["xep_0060"].publish(place, node, id="1", payload=entry)
    event = await hears(j, node)
    say(saw="event", title=event.xml.findtext(".//{http://www.w3.org/2005/Atom}title"))
    items = (await j["xep_0060"].get_items(place, node))["pubsub"]["items"]
    say(saw="items", ids=[item["id"] for item in items])
    say(saw="other", refusal=await refusal(j["xep_0060"].publish(place, node, id="2", payload=entry)))
    await r["xep_0060"].retract(place, node, "1", notify=True)
    retracted = (await hears(j, node)).xml.find(".//{http://jabber.org/protocol/pubsub#event}retract")
    say(saw="retracted", id=retracted.get("id"))
    await r["xep_0060"].delete_node(place, node)
    say(saw="deleted", refusal=await refusal(j["xep_0060"].get_items(place, node)))
    await asyncio.gather(r.log_out(), j.log_out())


run({"tune": tune, "photo": photo, "service": service})
