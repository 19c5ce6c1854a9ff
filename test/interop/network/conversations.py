# SPDX-License-Identifier: Apache-2.0
# What people of two servers do together: Romeo is on the one, Juliet on the other, which also has the room. Each conversation is
# named in what it prints; one that fails says so, and the next begins.
import asyncio
import hashlib
import os
import sys
from xml.etree import ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "slixmpp"))
from client import PATIENCE, Client, refusal, run  # noqa: E402
from client import say as tell  # noqa: E402
from slixmpp.exceptions import IqError, IqTimeout  # noqa: E402

PLUGINS = [
    "xep_0030",
    "xep_0004",
    "xep_0045",
    "xep_0054",
    "xep_0060",
    "xep_0084",
    "xep_0092",
    "xep_0115",
    "xep_0163",
    "xep_0184",
    "xep_0191",
    "xep_0199",
    "xep_0203",
    "xep_0280",
    "xep_0313",
]
METADATA = "urn:xmpp:avatar:metadata"
OMEMO = "eu.siacs.conversations.axolotl"
DEVICES = f"{OMEMO}.devicelist"
NOBODY = "nobody"


class Pair:
    """Two people on two servers."""

    def __init__(self, places, romeo, juliet):
        self.places, self.romeo, self.juliet = places, romeo, juliet
        self.rj = f"{romeo['name']}@{romeo['domain']}"
        self.jj = f"{juliet['name']}@{juliet['domain']}"
        self.room = f"verona-{romeo['name']}@rooms.{juliet['domain']}"

    def client(self, user, resource="script"):
        client = Client(self.places[user["domain"]], user, PLUGINS, "SCRAM-SHA-1", resource, binds=False)
        client["xep_0092"].software_name = "a script"
        for node in (METADATA, DEVICES):
            client["xep_0163"].add_interest(node)
        client.roster.auto_authorize = None  # the conversation answers itself
        client.roster.auto_subscribe = False
        return client

    async def log_in(self):
        self.r, self.j = self.client(self.romeo), self.client(self.juliet)
        await asyncio.gather(self.r.log_in(), self.j.log_in())

    async def log_out(self):
        await asyncio.gather(self.r.log_out(), self.j.log_out())


def said(body, kind="groupchat"):
    return lambda s: s.name == "message" and s["type"] == kind and s["body"] == body


def error(stanza):
    return stanza.name == "message" and stanza["type"] == "error"


def occupant(kind, sender):
    return lambda s: s.name == "presence" and s["type"] == kind and s["from"] == sender


async def contacts(pair, say):
    r, j, rj, jj = pair.r, pair.j, pair.rj, pair.jj
    r.send_presence_subscription(pto=jj, ptype="subscribe")
    await j.sees_presence("subscribe", rj)
    say(saw="request")
    j.send_presence_subscription(pto=rj, ptype="subscribed")
    j.send_presence_subscription(pto=rj, ptype="subscribe")
    await r.sees_presence("subscribed", jj)
    await r.sees_presence("available", jj)
    say(saw="presence", of="juliet")
    await r.sees_presence("subscribe", jj)
    r.send_presence_subscription(pto=jj, ptype="subscribed")
    await j.sees_presence("subscribed", rj)
    await j.sees_presence("available", rj)
    say(saw="presence", of="romeo")
    r.send_presence(pshow="away", pstatus="on the balcony")
    away = await j.sees_presence("away", rj)
    say(saw="away", status=away["status"])
    r.send_presence()
    await j.sees_presence("available", rj)
    for name, client, contact in (("romeo", r, jj), ("juliet", j, rj)):
        answer = await client.make_iq_get(queryxmlns="jabber:iq:roster").send()
        items = {str(jid): item["subscription"] for jid, item in answer["roster"]["items"].items()}
        say(saw="roster", of=name, subscription=items.get(contact))


async def chat(pair, say):
    r, j = pair.r, pair.j
    for text in ("Perché no? È così.", "🌹👩🏽‍🚀 <b>&amp;</b> ]]> \"quotes\" 'too'", "two\nlines"):
        await r.says(pair.jj, text)
        heard = await j.hears(text)
        say(saw="message", by="juliet", body=heard["body"], sender=heard["from"].full == r.boundjid.full)
        await j.says(r.boundjid.full, text[::-1])
        answer = await r.hears(text[::-1])
        say(saw="message", by="romeo", body=answer["body"][::-1], sender=answer["from"].full == j.boundjid.full)
    message = r.make_message(mto=pair.jj, mbody="Have you got it?", mtype="chat")
    message["request_receipt"] = True
    message["id"] = "wanted"
    message.send()
    receipt = await r.sees("a receipt", lambda s: s.name == "message" and s["receipt"] == "wanted")
    say(saw="receipt", sender=receipt["from"].full == j.boundjid.full)


async def order(pair, say):
    """Each is sent as soon as the one before, and they come as they were sent."""
    for number in range(100):
        await pair.r.says(pair.jj, f"number {number}")
    await pair.j.hears("number 99")
    bodies = [s["body"] for s in pair.j.stanzas if s.name == "message" and s["body"].startswith("number ")]
    say(saw="order", kept=bodies == [f"number {number}" for number in range(100)])


async def carbons(pair, say):
    """A second device of hers sees both sides."""
    tablet = await pair.client(pair.juliet, "tablet").log_in()
    try:
        await tablet["xep_0280"].enable()
        await pair.r.says(pair.j.boundjid.full, "to the phone")
        received = await tablet.sees("a copy", lambda s: s.name == "message" and "to the phone" in str(s))
        say(saw="received", sender=received["carbon_received"]["from"].full == pair.r.boundjid.full)
        await pair.j.says(pair.r.boundjid.full, "from the phone")
        sent = await tablet.sees("a copy", lambda s: s.name == "message" and "from the phone" in str(s))
        say(saw="sent", to=sent["carbon_sent"]["to"].full == pair.r.boundjid.full)
    finally:
        await tablet.log_out()
    await pair.r.sees("her go", occupant("unavailable", tablet.boundjid.full))


async def questions(pair, say):
    r, j = pair.r, pair.j
    domain = pair.juliet["domain"]
    await r["xep_0199"].send_ping(domain, timeout=PATIENCE)
    say(saw="pong", by="server")
    await r["xep_0199"].send_ping(j.boundjid.full, timeout=PATIENCE)
    say(saw="pong", by="juliet")
    version = await r["xep_0092"].get_version(domain)
    say(saw="version", named=bool(version["software_version"]["name"]))
    version = await r["xep_0092"].get_version(j.boundjid.full)
    say(saw="version", of=version["software_version"]["name"])
    info = await r["xep_0030"].get_info(domain)
    kinds = sorted({identity[:2] for identity in info["disco_info"]["identities"]})
    say(saw="info", server=("server", "im") in kinds, ping="urn:xmpp:ping" in info["disco_info"]["features"])
    items = (await r["xep_0030"].get_items(domain))["disco_items"]["items"]
    rooms = f"rooms.{domain}"
    say(saw="items", rooms=any(str(item[0]) == rooms for item in items))
    info = await r["xep_0030"].get_info(rooms)
    kinds = {identity[:2] for identity in info["disco_info"]["identities"]}
    say(saw="info", rooms=("conference", "text") in kinds)
    info = await r["xep_0030"].get_info(pair.jj)
    kinds = {identity[:2] for identity in info["disco_info"]["identities"]}
    say(saw="info", account=("account", "registered") in kinds)


async def vcard(pair, say):
    card = pair.j["xep_0054"].make_vcard()
    card["FN"] = "Giulietta Capuleti 🌹"
    card["NICKNAME"] = "Giulì"
    await pair.j["xep_0054"].publish_vcard(card)
    found = await pair.r["xep_0054"].get_vcard(pair.jj, cached=False, local=False)
    say(saw="vcard", full=found["vcard_temp"]["FN"], nick=",".join(found["vcard_temp"]["NICKNAME"]))


async def hears_of(client, node):
    def matches(stanza):
        return stanza.name == "message" and stanza["pubsub_event"]["items"]["node"] == node

    return await client.sees(f"a notification of {node}", matches)


async def avatar(pair, say):
    picture = b"a picture"
    sha1 = hashlib.sha1(picture).hexdigest()
    await pair.j["xep_0084"].publish_avatar(picture)
    await pair.j["xep_0084"].publish_avatar_metadata([{"id": sha1, "bytes": len(picture), "type": "image/png"}])
    event = await hears_of(pair.r, METADATA)
    say(saw="metadata", right=event.xml.find(f".//{{{METADATA}}}info").get("id") == sha1)
    data = await pair.r["xep_0084"].retrieve_avatar(pair.jj, sha1)
    say(saw="data", text=data["pubsub"]["items"]["item"]["avatar_data"]["value"].decode())


async def keys(pair, say):
    """What OMEMO does: a list of devices that contacts are told of, and a bundle of keys that anybody may read."""
    opened = pair.j["xep_0004"].make_form(ftype="submit")
    opened.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    opened.add_field(var="pubsub#access_model", value="open")
    opened.add_field(var="pubsub#persist_items", value="1")
    bundle = ET.fromstring(f"<bundle xmlns='{OMEMO}'><identityKey>a key</identityKey></bundle>")
    devices = ET.fromstring(f"<list xmlns='{OMEMO}'><device id='4711'/></list>")
    publish = pair.j["xep_0060"].publish
    await publish(pair.jj, f"{OMEMO}.bundles:4711", id="current", payload=bundle, options=opened)
    await publish(pair.jj, DEVICES, id="current", payload=devices, options=opened)
    event = await hears_of(pair.r, DEVICES)
    say(saw="devices", ids=[device.get("id") for device in event.xml.iter(f"{{{OMEMO}}}device")])
    items = await pair.r["xep_0060"].get_items(pair.jj, f"{OMEMO}.bundles:4711", max_items=1)
    say(saw="bundle", key=items.xml.findtext(f".//{{{OMEMO}}}identityKey"))


async def news(pair, say):
    """Who comes hears of what was published before; not of ejabberd's people while they are away, unless it is told to."""
    version = await pair.r["xep_0092"].get_version(pair.juliet["domain"], timeout=PATIENCE)
    for away in (False, True):
        if away and version["software_version"]["name"] == "ejabberd":
            continue
        await pair.r.log_out()
        if away:
            await pair.j.log_out()
        pair.r = pair.client(pair.romeo)
        await pair.r.log_in()
        event = await hears_of(pair.r, METADATA)
        say(saw="news", away=away, sender=event["from"].bare == pair.jj)
        if away:
            pair.j = pair.client(pair.juliet)
            await pair.j.log_in()
            await pair.r.sees_presence("available", pair.jj)


async def offline(pair, say):
    texts = ["Wherefore art thou?", "Buonanotte 🌙"]
    await pair.j.log_out()
    await pair.r.sees_presence("unavailable", pair.jj)
    for text in texts:
        await pair.r.says(pair.jj, text)
    await pair.r["xep_0199"].send_ping(pair.juliet["domain"], timeout=PATIENCE)  # stanzas of a stream are handled in order
    pair.j = pair.client(pair.juliet)
    await pair.j.log_in()
    for text in texts:
        message = await pair.j.hears(text)
        say(saw="message", body=message["body"], sender=message["from"].bare == pair.rj, delayed=bool(message["delay"]["stamp"]))
    await pair.r.sees_presence("available", pair.jj)
    await pair.j.sees_presence("available", pair.rj)
    say(saw="presence", again=True)


async def room(pair, say):
    r, j, place = pair.r, pair.j, pair.room
    rooms = j["xep_0045"]
    await rooms.join_muc_wait(place, "Juliet", timeout=PATIENCE)
    form = await rooms.get_room_config(place)
    form.set_values({"muc#roomconfig_roomname": "Verona"})
    await rooms.set_room_config(place, form)
    rooms.invite(place, pair.rj, "Come!")
    invitation = await r.sees("an invitation", lambda s: s.name == "message" and s["muc"]["invite"]["reason"] == "Come!")
    say(saw="invited", room=str(invitation["from"]) == place)
    own, _, others, _ = await r["xep_0045"].join_muc_wait(place, "Romeo", maxchars=0, timeout=PATIENCE)
    say(saw="joined", others=[p["from"].resource for p in others if p["from"].resource != "Romeo"])
    await j.sees("him", occupant("available", f"{place}/Romeo"))
    say(saw="entered")
    for name, speaker, listener in (("Romeo", r, j), ("Juliet", j, r)):
        speaker.send_message(mto=place, mbody=f"{name} was here", mtype="groupchat")
        heard = await listener.sees("what was said", said(f"{name} was here"))
        say(saw="heard", nick=heard["from"].resource)
    rooms.set_subject(place, "Love")
    await r.sees("the subject", lambda s: s.name == "message" and s["subject"] == "Love" and s["type"] == "groupchat")
    say(saw="subject")
    for name, speaker, other, listener in (("Romeo", r, "Juliet", j), ("Juliet", j, "Romeo", r)):
        speaker.send_message(mto=f"{place}/{other}", mbody=f"{name} whispers", mtype="chat")
        heard = await listener.sees("a whisper", said(f"{name} whispers", "chat"))
        say(saw="whisper", by=heard["from"].resource)
    r["xep_0045"].leave_muc(place, "Romeo")
    await j.sees("him go", occupant("unavailable", f"{place}/Romeo"))
    await r.sees("himself go", occupant("unavailable", f"{place}/Romeo"))
    say(saw="left")
    await rooms.destroy(place, "The end")


async def archive(pair, say):
    """Both have what both said."""
    await pair.r.says(pair.jj, "Remember me")
    await pair.j.hears("Remember me")
    await pair.j.says(pair.rj, "I shall")
    await pair.r.hears("I shall")
    for name, client, contact in (("romeo", pair.r, pair.jj), ("juliet", pair.j, pair.rj)):
        pages = client["xep_0313"].retrieve(with_jid=contact, reverse=True, iterator=True, rsm={"max": 20})
        page = await anext(pages)
        bodies = [message["mam_result"]["forwarded"]["stanza"]["body"] for message in page["mam"]["results"]]
        say(saw="archive", of=name, last=[body for body in bodies if body][-2:])


async def nobody(pair, say):
    """Who is not there is not told from who is there and silent, but for messages: these come back."""
    stranger = f"{NOBODY}@{pair.juliet['domain']}"
    await pair.r.says(stranger, "is anybody there?")
    back = await pair.r.sees("an error", error)
    say(saw="error", sender=str(back["from"]) == stranger, condition=back["error"]["condition"])
    say(saw="refusal", condition=await refusal(pair.r["xep_0060"].get_items(stranger, METADATA)) is not None)


async def blocking(pair, say):
    """XEP-0191: who is blocked sees one go, is refused, and sees one come back. Streams keep the order, so no wait is needed."""
    r, j = pair.r, pair.j

    def told(kind):
        return any(s.name == "presence" and s["type"] == kind and s["from"].bare == pair.jj for s in r.stanzas[before:])

    before = len(r.stanzas)
    await j["xep_0191"].block(pair.rj)
    await r.says(pair.jj, "can you hear me?")
    back = await r.sees("an error", error)
    say(saw="error", condition=back["error"]["condition"], gone=told("unavailable"))
    before = len(r.stanzas)
    await j["xep_0191"].unblock(pair.rj)
    await r["xep_0199"].send_ping(j.boundjid.full, timeout=PATIENCE)
    say(saw="pong", here=told("available"))
    await r.says(pair.jj, "and now?")
    await j.hears("and now?")
    say(saw="message", leaked=j.has_seen(lambda s: s.name == "message" and s["body"] == "can you hear me?"))


async def parting(pair, say):
    r, j = pair.r, pair.j
    await r.del_roster_item(pair.jj)
    await j.sees_presence("unsubscribe", pair.rj)
    await j.sees_presence("unsubscribed", pair.rj)
    await r.sees_presence("unavailable", pair.jj)
    say(saw="parted")
    answer = await j.make_iq_get(queryxmlns="jabber:iq:roster").send()
    items = {str(jid): item["subscription"] for jid, item in answer["roster"]["items"].items()}
    say(saw="roster", subscription=items.get(pair.rj))


CONVERSATIONS = [
    contacts,
    chat,
    order,
    carbons,
    questions,
    vcard,
    avatar,
    keys,
    news,
    offline,
    room,
    archive,
    nobody,
    blocking,
    parting,
]


async def all_of_them(places, romeo, juliet):
    pair = Pair(places, romeo, juliet)
    await pair.log_in()
    failures = 0
    for conversation in CONVERSATIONS:
        if failures == 3:
            break  # most likely nothing gets through
        name = conversation.__name__
        try:
            await conversation(pair, lambda **facts: tell(conversation=name, **facts))
        except Exception as problem:
            failures += 1
            what = problem.iq if isinstance(problem, (IqError, IqTimeout)) else problem
            tell(conversation=name, saw="failure", text=f"{type(problem).__name__}: {what}")
    await pair.log_out()


run({"all": all_of_them}, within=240)
