# SPDX-License-Identifier: Apache-2.0
# What one publishes (XEP-0163): a tune that a contact hears, an avatar that is in the vCard and in presence too.
import asyncio
import hashlib

from client import Client, run, say

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


run({"tune": tune})
